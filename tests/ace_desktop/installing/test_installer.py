"""The installer's process: whole, paused, cancelled, killed with and without the program; nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from ace_desktop.install_process import ace_command
from ace_desktop.installer import Installer, Phase, Transfer
from ace_desktop.model_words import transfer_caption
from tests.ace_desktop.installing.conftest import ACE, GATED, NAME, WAIT, MakeInstaller, has, settled
from tests.hub_server import Account, Fault, HubServer
from tests.mlx_model.library.conftest import QUICK
from tests.released_models import FFT, FILL, RELEASED, TEXT, VAE, catalogue_values, write_catalogue

SECRET = "hf_abcdefghijklmnop"  # noqa: S105
ALL_BYTES = len(RELEASED[FFT]["ace_plus_fft.safetensors"]) + sum(
    len(data) for name in (TEXT, VAE) for data in RELEASED[name].values()
)
AGAIN = QUICK.range_bytes * (QUICK.ahead + QUICK.parallel) + 132_000 + 1000
"""Bytes that were under way when a process ended, and come twice: ranges, and the tensor that was being read."""


def transfer_of(installer: Installer) -> Transfer:
    assert installer.transfer is not None
    return installer.transfer


def test_a_model_is_installed_and_told(installer: Installer, folder: Path, qtbot: QtBot) -> None:
    told: list[Transfer] = []
    installer.ended.connect(told.append)
    installer.install(NAME)
    assert transfer_of(installer).phase is Phase.RUNNING, "the call returns at once"
    installer.install(GATED)  # one at a time
    settled(qtbot, installer)
    assert (folder / NAME / "config.json").exists()
    assert [(one.model, one.phase) for one in told] == [(NAME, Phase.DONE)]
    assert told[0].facts["model"] == NAME


def test_a_pause_outlasts_the_program(
    hub: HubServer, make_installer: MakeInstaller, folder: Path, qtbot: QtBot
) -> None:
    hub.faults.append(Fault("store", times=None, rate=60_000))
    first = make_installer()
    first.install(NAME)
    qtbot.waitUntil(has(first, 100_000), timeout=WAIT)
    first.pause()
    assert transfer_of(first).phase is Phase.PAUSED
    hub.settle()
    qtbot.wait(300)
    rested = hub.sent()
    qtbot.wait(300)
    assert hub.sent() == rested, "it does not rest"
    first.close()

    second = make_installer()
    second.go_on_at_start()
    assert not second.busy, "a pause is the person's own"
    assert transfer_of(second).phase is Phase.PAUSED
    assert transfer_of(second).model == NAME
    assert transfer_of(second).done >= 100_000
    hub.faults.clear()
    second.go_on()
    settled(qtbot, second)
    assert transfer_of(second).phase is Phase.DONE
    assert (folder / NAME / "config.json").exists()
    hub.settle()
    assert hub.sent() - ALL_BYTES <= AGAIN, "what was here came again"
    assert make_installer().transfer is None


def test_what_was_under_way_when_the_program_ended_goes_on_at_the_next_start(
    hub: HubServer, make_installer: MakeInstaller, folder: Path, qtbot: QtBot
) -> None:
    hub.faults.append(Fault("store", times=None, rate=60_000))
    first = make_installer()
    first.install(NAME)
    qtbot.waitUntil(has(first, 50_000), timeout=WAIT)
    before, pid = time.monotonic(), first.pid
    first.close()
    assert time.monotonic() - before < 2.5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    hub.faults.clear()
    second = make_installer()
    second.go_on_at_start()
    settled(qtbot, second)
    assert transfer_of(second).phase is Phase.DONE
    assert (folder / NAME / "config.json").exists()


def test_a_killed_installer_is_told_in_a_sentence_and_goes_on(
    hub: HubServer, installer: Installer, folder: Path, qtbot: QtBot
) -> None:
    hub.faults.append(Fault("store", times=None, rate=60_000))
    installer.install(NAME)
    qtbot.waitUntil(has(installer, 50_000), timeout=WAIT)
    os.kill(installer.pid, signal.SIGKILL)
    settled(qtbot, installer)
    dead = transfer_of(installer)
    assert dead.phase is Phase.FAILED
    assert transfer_caption(dead, NAME) == "The installer ended unexpectedly. What is here is kept: go on with it."
    hub.faults.clear()
    installer.go_on()
    settled(qtbot, installer)
    assert transfer_of(installer).phase is Phase.DONE
    assert (folder / NAME / "config.json").exists()


PROGRAM = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from ace_desktop.installer import Installer
application = QCoreApplication([])
installer = Installer(Path(sys.argv[1]), lambda: {"ACE_MODELS": sys.argv[2]}, command=sys.argv[4:])
installer.changed.connect(lambda: print(installer.pid, installer.transfer.done, flush=True))
installer.install(sys.argv[3])
application.exec()
"""


def test_with_a_killed_program_its_installer_ends_too_and_the_next_start_goes_on(
    hub: HubServer, make_installer: MakeInstaller, folder: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    hub.faults.append(Fault("store", times=None, rate=60_000))
    arguments = [str(tmp_path / "transfer.json"), str(folder), NAME, *ACE]
    with subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        pid = next(int(line.split()[0]) for line in program.stdout if int(line.split()[1]) > 50_000)
        program.kill()
    qtbot.waitUntil(lambda: not runs(pid), timeout=5000)
    assert list(folder.glob("*.installing"))
    hub.faults.clear()
    installer = make_installer()
    installer.go_on_at_start()
    settled(qtbot, installer)
    assert (folder / NAME / "config.json").exists()
    hub.settle()
    assert hub.sent() - ALL_BYTES <= AGAIN, "what was here came again"


def runs(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    status = Path(f"/proc/{pid}/stat")
    if status.parent.parent.exists():
        return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
    return subprocess.run(["kill", "-0", str(pid)], capture_output=True, check=False).returncode == 0


def test_a_cancelled_one_keeps_what_is_here_and_is_forgotten(
    hub: HubServer, make_installer: MakeInstaller, folder: Path, qtbot: QtBot
) -> None:
    hub.faults.append(Fault("store", times=None, rate=60_000))
    installer = make_installer()
    installer.install(NAME)
    qtbot.waitUntil(has(installer, 50_000), timeout=WAIT)
    installer.cancel()
    assert transfer_of(installer).phase is Phase.STOPPING
    settled(qtbot, installer)
    assert installer.transfer is None
    assert (folder / f"{NAME}.installing").exists()
    assert make_installer().transfer is None, "it would go on by itself"


def test_a_gated_model_wants_a_token_and_goes_on_with_it(
    hub: HubServer, installer: Installer, folder: Path, qtbot: QtBot
) -> None:
    hub.tokens[SECRET] = Account({FILL})
    installer.install(GATED)
    settled(qtbot, installer)
    shut = transfer_of(installer)
    assert shut.phase is Phase.FAILED
    assert shut.steps is not None
    assert shut.steps.page == f"{hub.url}/{FILL}"
    assert "Follow the three steps" in transfer_caption(shut, GATED)

    answers: list[str] = []
    installer.log_in("hf_wrongwrongwrong", answers.append)
    qtbot.waitUntil(lambda: len(answers) == 1, timeout=WAIT)
    assert "does not know the token" in answers[0]
    installer.log_in(SECRET, answers.append)
    qtbot.waitUntil(lambda: len(answers) == 2, timeout=WAIT)
    assert answers[1] == ""
    installer.go_on()
    settled(qtbot, installer)
    assert transfer_of(installer).phase is Phase.DONE
    assert (folder / GATED / "config.json").exists()


def test_a_gated_model_comes_from_others_where_that_is_wanted(
    installer: Installer, folder: Path, qtbot: QtBot
) -> None:
    installer.install(GATED, without_account=True)
    settled(qtbot, installer)
    assert transfer_of(installer).phase is Phase.DONE
    assert (folder / GATED / "config.json").exists()


def test_a_disk_without_room_is_told_with_the_numbers(installer: Installer, tmp_path: Path, qtbot: QtBot) -> None:
    values = catalogue_values()
    values["widths"]["4bit"]["transformer_bytes"] = 10**16
    write_catalogue(tmp_path / "catalogue.json", values)
    installer.install(NAME)
    settled(qtbot, installer)
    said = transfer_caption(transfer_of(installer), "Small")
    assert said.startswith("Small")
    assert said.endswith("are free. Make room, or choose a folder on another disk in the preferences.")


def test_a_model_is_checked_repaired_and_removed(installer: Installer, folder: Path, qtbot: QtBot) -> None:
    installer.install(NAME)
    settled(qtbot, installer)
    (folder / NAME / "autoencoder.safetensors").write_bytes(b"damaged")
    installer.verify(NAME)
    settled(qtbot, installer)
    assert transfer_of(installer).phase is Phase.FAILED
    assert transfer_caption(transfer_of(installer), "Small") == "Small is damaged (1 file). Repair it."
    installer.repair(NAME)
    settled(qtbot, installer)
    assert transfer_of(installer).phase is Phase.DONE
    assert transfer_of(installer).facts["mended"] == ["autoencoder.safetensors"]
    installer.remove(NAME)
    settled(qtbot, installer)
    assert transfer_of(installer).facts["freed"] > 0
    assert not (folder / NAME).exists()


def test_a_command_that_cannot_be_started_is_told(tmp_path: Path, qtbot: QtBot) -> None:
    installer = Installer(tmp_path / "transfer.json", dict, command=(str(tmp_path / "nothing"),))
    installer.install(NAME)
    settled(qtbot, installer)
    assert transfer_of(installer).phase is Phase.FAILED
    installer.close()


@pytest.mark.parametrize(
    "held", ["", "[]", "{}", '{"arguments": [], "phase": "running", "done": 0, "total": 0, "error": ""}',
             '{"arguments": ["remove", "x"], "phase": "running", "done": 0, "total": 0, "error": ""}',
             '{"arguments": ["install", "x"], "phase": "dancing", "done": 0, "total": 0, "error": ""}'],
)  # fmt: skip
def test_a_note_that_cannot_be_used_is_as_good_as_none(held: str, tmp_path: Path) -> None:
    (tmp_path / "transfer.json").write_text(held)
    assert Installer(tmp_path / "transfer.json", dict).transfer is None


def test_what_is_written_down_is_what_the_next_start_has_to_know(tmp_path: Path, qtbot: QtBot) -> None:
    installer = Installer(tmp_path / "transfer.json", dict, command=("sleep", "60"))
    installer.import_files(Path("/some/where"), NAME, fetch_missing=True)
    held = json.loads((tmp_path / "transfer.json").read_text())
    assert held["arguments"] == ["import", "--fetch-missing", "--yes", "/some/where", NAME]
    assert Installer(tmp_path / "transfer.json", dict).transfer == transfer_of(installer)
    settled(qtbot, installer)  # `sleep` does not know these words
    installer.close()


def test_the_command_is_this_interpreter_or_the_frozen_program_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ace_command() == (sys.executable, "-m", "mlx_model.cli")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/Applications/ACE.app/Contents/MacOS/ACE Desktop")
    assert ace_command() == ("/Applications/ACE.app/Contents/MacOS/ACE Desktop", "--ace")


def test_the_program_brings_the_command_with_it(folder: Path) -> None:
    asked = [sys.executable, "-m", "ace_desktop", "--ace", "models", "where", "--json"]
    environment = {**os.environ, "ACE_MODELS": str(folder)}
    said = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(said.stdout) == {"event": "done", "folder": str(folder)}
    refused = subprocess.run([*asked[:4], "models", "nothing"], capture_output=True, timeout=60, check=False)
    assert refused.returncode == 2
