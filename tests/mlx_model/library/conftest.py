"""A hub on this machine for every test, a keychain in memory, and no patience."""

import os
from collections.abc import Generator
from pathlib import Path

import keyring
import pytest
from huggingface_hub import constants
from keyring.backend import KeyringBackend

from mlx_model.library.hub import Hub, Pace, RemoteFile
from mlx_model.library.tokens import Token
from tests.hub_server import HubServer, running_hub

QUICK = Pace(range_bytes=16 << 10, parallel=4, ahead=6, attempts=4, first_pause=0.02, longest_pause=0.3, timeout=5.0)
REPOSITORY = "owner/model"
FILE = "x.safetensors"


class MemoryKeychain(KeyringBackend):
    """A keychain that lives as long as a test."""

    priority = 10.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Look a secret up."""
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""
        self.secrets[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget a secret."""
        del self.secrets[service, username]


@pytest.fixture(autouse=True)
def keychain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[MemoryKeychain]:
    """Use a keychain of the test's own and no login of the machine's."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "ACE_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-login"))
    before, chain = keyring.get_keyring(), MemoryKeychain()
    keyring.set_keyring(chain)
    yield chain
    keyring.set_keyring(before)


@pytest.fixture
def server() -> Generator[HubServer]:
    """Serve an empty hub."""
    with running_hub() as hub:
        yield hub


@pytest.fixture
def hub(server: HubServer) -> Generator[Hub]:
    """Connect to the hub without a token."""
    with Hub(endpoint=server.url, pace=QUICK) as connected:
        yield connected


@pytest.fixture
def content() -> bytes:
    """Return 300 kB that no one can guess: nineteen ranges."""
    return os.urandom(300_000)


@pytest.fixture
def file(server: HubServer, hub: Hub, content: bytes) -> RemoteFile:
    """Publish the content and look it up."""
    server.add(REPOSITORY, {FILE: content})
    return hub.describe(REPOSITORY, [FILE])[0]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model" / FILE


def with_token(server: HubServer, secret: str) -> Hub:
    """Connect to the hub with a token."""
    return Hub(Token(secret, "in the keychain"), server.url, QUICK)
