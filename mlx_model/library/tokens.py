"""The hub's access token: from the environment, from the system's keychain, never from or to a file of ours.

A token belongs to one hub. The keychain keeps them by the hub's host; a token of the environment or of the hub
client's own login is the public hub's, or, where HF_ENDPOINT is set beside it, that of HF_ENDPOINT's own origin. It
is given to no other.
"""

import os
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import keyring
from huggingface_hub import get_token
from keyring.errors import KeyringError

from mlx_model.library.endpoint import endpoint_from_environment, same_origin
from mlx_model.library.errors import LibraryError

SERVICE: Final = "ACE Desktop"
_NO_KEYCHAIN: Final = (
    "this machine has no keychain that could keep the token safely, so it is not kept; set it as HF_TOKEN in the "
    "environment instead"
)


@dataclass(frozen=True)
class Token:
    """An access token; ``origin`` says in words where it came from. The secret is not part of its repr."""

    secret: str = field(repr=False)
    origin: str


def find_token(endpoint: str) -> Token | None:
    """Look for a token for the hub at ``endpoint``: HF_TOKEN, then the keychain, then the hub client's own login."""
    ours = same_origin(endpoint, endpoint_from_environment())
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if ours and (secret := os.environ.get(name, "").strip()):
            if not _can_be_token(secret):
                raise LibraryError(
                    f"{name} does not hold an access token, which is one word of letters and digits, such as hf_…; "
                    "correct it, or unset it"
                )
            return Token(secret, f"in {name}")
    try:
        secret = keyring.get_password(SERVICE, _host(endpoint)) if _has_keychain() else None
    except KeyringError:  # locked, or refused by the person: as good as none
        secret = None
    if secret:
        return Token(checked_token(secret), "in the keychain")
    if ours and (secret := get_token()):
        return Token(checked_token(secret), "of the hub's own login on this machine")
    return None


def keep_token(endpoint: str, secret: str) -> None:
    """Keep a token in the system's keychain.

    Raises:
        LibraryError: it does not look like a token, or there is no keychain.
    """
    secret = checked_token(secret)
    if not _has_keychain():
        raise LibraryError(_NO_KEYCHAIN)
    try:
        keyring.set_password(SERVICE, _host(endpoint), secret)
    except KeyringError as error:
        raise LibraryError(
            f"the keychain did not take the token ({type(error).__name__}); set it as HF_TOKEN in the environment "
            "instead"
        ) from None


def forget_token(endpoint: str) -> None:
    """Take the token out of the keychain, if it is there."""
    try:
        if _has_keychain() and keyring.get_password(SERVICE, _host(endpoint)) is not None:
            keyring.delete_password(SERVICE, _host(endpoint))
    except KeyringError as error:
        raise LibraryError(f"the keychain did not give the token away ({type(error).__name__})") from None


def _host(endpoint: str) -> str:
    """Name a hub in the keychain: none sees another's token, and what is kept for https does not go out over http."""
    address = urlsplit(endpoint)
    return address.netloc if address.scheme == "https" else f"{address.scheme}://{address.netloc}"


def _has_keychain() -> bool:
    """Whether there is a keychain that encrypts; backends that write plain files do not count."""
    backend = keyring.get_keyring()
    backends = list(getattr(backend, "backends", [backend]))  # the chainer tries several
    kept_elsewhere = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
    usable = [one for one in backends if not type(one).__module__.startswith(kept_elsewhere)]
    return bool(usable) and len(usable) == len(backends)


def checked_token(secret: str) -> str:
    """Return the token, without what stands around it, if it can be one.

    It goes into a header, where other characters would be an attack.

    Raises:
        LibraryError: it does not look like a token.
    """
    secret = secret.strip()
    if not _can_be_token(secret):
        raise LibraryError("that is not an access token: it is one word of letters and digits, such as hf_…")
    return secret


def _can_be_token(secret: str) -> bool:
    return 8 <= len(secret) <= 4096 and secret.isascii() and secret.isprintable() and " " not in secret
