"""A hub with the released models, a keychain and an environment of the test's own, and ``ace`` as a function."""

import io
import json
import os
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keyring
import pytest

from mlx_model.cli.main import run
from tests.hub_server import HubServer, running_hub
from tests.mlx_model.library.conftest import MemoryKeychain
from tests.plain_ace import put_in_place
from tests.released_models import publish, write_catalogue

NAME = "small-fft-4bit"
ROOT = Path(__file__).parents[4]

Ace = Callable[..., "Ran"]


@dataclass
class Ran:
    """How a call of ``ace`` ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    def event(self, name: str) -> dict[str, Any]:
        """Return the last event of a name."""
        return [event for event in self.events if event.get("event") == name][-1]


@pytest.fixture
def server() -> Generator[HubServer]:
    """Serve the released models."""
    with running_hub() as hub:
        publish(hub)
        yield hub


@pytest.fixture(autouse=True)
def keychain() -> Generator[MemoryKeychain]:
    """Use a keychain of the test's own."""
    before, chain = keyring.get_keyring(), MemoryKeychain()
    keyring.set_keyring(chain)
    yield chain
    keyring.set_keyring(before)


@pytest.fixture
def environment(server: HubServer, tmp_path: Path) -> dict[str, str]:
    """Return an environment with a hub, a catalogue and a folder of models of its own, and no login."""
    write_catalogue(tmp_path / "catalogue.json")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))},
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(tmp_path / "hf"),
        "ACE_MODELS": str(tmp_path / "models"),
        "ACE_CATALOGUE": str(tmp_path / "catalogue.json"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def ace(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ace:
    """Call ``ace`` with the stand-in for the converter; ``said`` comes on standard input."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    put_in_place(monkeypatch.setattr)

    def call(*arguments: object, said: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return call
