"""A hub on this machine with small models, and installers whose processes fetch from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from pytestqt.qtbot import QtBot

from ace_desktop.installer import Installer
from ace_desktop.models import Models
from tests.ace_desktop.conftest import Desktop
from tests.ace_desktop.installing.keychain import PLACE
from tests.hub_server import HubServer, running_hub
from tests.released_models import publish, write_catalogue

ROOT = Path(__file__).parents[3]
ACE = (sys.executable, "-m", "tests.plain_ace")
NAME, GATED = "small-fft-4bit", "small-fill-4bit"
WAIT = 60_000

MakeInstaller = Callable[[], Installer]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """Serve the released models."""
    with running_hub() as server:
        publish(server)
        yield server


@pytest.fixture
def folder(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder of models, in surroundings with a hub, a catalogue and a keychain of the test's own."""
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING", "ACE_"))]:
        monkeypatch.delenv(name)
    write_catalogue(tmp_path / "catalogue.json")
    before = keyring.get_keyring()  # once asked, it keeps its answer whatever the surroundings become
    for name, value in {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "ACE_CATALOGUE": str(tmp_path / "catalogue.json"),
        "PYTHON_KEYRING_BACKEND": "tests.ace_desktop.installing.keychain.FileKeychain",
        PLACE: str(tmp_path / "keychain.json"),
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    yield tmp_path / "models"
    keyring.set_keyring(before)


@pytest.fixture
def make_installer(folder: Path, tmp_path: Path, qtbot: QtBot) -> Iterator[MakeInstaller]:
    """Give what makes an installer, as each start of the program does; all are closed at the end."""
    made: list[Installer] = []

    def make() -> Installer:
        installer = Installer(tmp_path / "transfer.json", lambda: {"ACE_MODELS": str(folder)}, command=ACE)
        made.append(installer)
        return installer

    yield make
    for installer in made:
        installer.close()
    qtbot.wait(1)


@pytest.fixture
def installer(make_installer: MakeInstaller) -> Installer:
    return make_installer()


@pytest.fixture
def models(desktop: Desktop, folder: Path, qtbot: QtBot) -> Models:
    """Give the models of a program that keeps them in the test's folder, looked through once."""
    desktop.kept.change(models_folder=str(folder))
    qtbot.waitUntil(lambda: desktop.models.shelf is not None and desktop.models.shelf.folder == folder)
    return desktop.models


def settled(qtbot: QtBot, installer: Installer) -> None:
    """Wait until the process has come to its end."""
    qtbot.waitUntil(lambda: not installer.busy, timeout=WAIT)


def has(installer: Installer, done: int) -> Callable[[], bool]:
    """Give the question whether so many bytes are here."""
    return lambda: installer.transfer is not None and installer.transfer.done >= done
