"""Which hub is meant, and which addresses belong to it."""

import os
from typing import Final
from urllib.parse import urlsplit

from mlx_model.library.errors import LibraryError

PUBLIC_HUB: Final = "https://huggingface.co"


def endpoint_from_environment() -> str:
    """Name the hub that is meant: HF_ENDPOINT, or the public one."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/")


def require_address() -> None:
    """Look at the hub's address before its client does, which cannot even be imported with a wrong one.

    Raises:
        LibraryError: HF_ENDPOINT is no address.
    """
    address = endpoint_from_environment()
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise LibraryError(f"HF_ENDPOINT is not the address of a hub: {address}; correct it, or unset it")


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port; what is no address has none."""
    try:
        a, b = urlsplit(one), urlsplit(other)
        return (a.scheme, a.hostname, a.port) == (b.scheme, b.hostname, b.port) and a.hostname is not None
    except ValueError:
        return False
