"""Unsaved work is there again after the program was killed, and leaves no traces once it is saved or given up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialog
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.document.recovery import recoverable
from ace_desktop.main_window import MainWindow
from ace_desktop.recovery_dialog import RecoveryDialog, offer_recovery
from ace_desktop.session import Session
from tests.ace_desktop.small_document import small_document

PROGRAM = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from ace_desktop.desktop import Desktop
from ace_desktop.places import Places
from ace_desktop.session import Session
from tests.ace_desktop.small_document import small_document

application = QApplication(sys.argv)
places = Places.under(Path(sys.argv[1]))
desktop = Desktop(application, places)
session = Session(small_document(), Path("/pictures/portrait.ora"))
window = desktop.new_window(session)
window.run("layer.new")

def look():
    if list(places.journals.glob("*/document.json")):
        print("kept", flush=True)

timer = QTimer(interval=50)
timer.timeout.connect(look)
timer.start()
application.exec()
"""


def journals(desktop: Desktop) -> list[Path]:
    return list(desktop.places.journals.glob("*"))


@pytest.fixture
def killed(desktop: Desktop) -> None:
    """Let a program with unsaved work be killed."""
    command = [sys.executable, "-c", PROGRAM]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(Path(__file__).parents[2])}
    folder = desktop.places.journals.parent
    with subprocess.Popen([*command, str(folder)], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "kept\n"
        process.send_signal(signal.SIGKILL)
        process.stdout.read()


@pytest.mark.usefixtures("killed")
def test_work_is_offered_after_a_kill_and_comes_back(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.new_window()
    offer_recovery(desktop, window)
    qtbot.waitUntil(lambda: window.findChild(RecoveryDialog) is not None)
    dialog = window.findChild(RecoveryDialog)
    assert isinstance(dialog, RecoveryDialog)
    assert dialog.question.text() == "ACE Desktop quit unexpectedly. Restore “portrait”?"
    qtbot.waitUntil(lambda: not dialog.picture.pixmap().isNull())
    dialog.restore.click()
    qtbot.waitUntil(lambda: window.session is not None)
    session = window.session
    assert session is not None
    assert [layer.name for layer in session.state.layers] == ["below", "above", "Layer 1"]
    assert session.path == Path("/pictures/portrait.ora")
    assert session.modified
    qtbot.waitUntil(lambda: not desktop.background.running)
    assert recoverable(desktop.places.journals) == [], "the old journal is gone"
    assert len(journals(desktop)) == 1, "the work has a journal of its own now"


@pytest.mark.usefixtures("killed")
def test_work_is_deleted_only_when_asked(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.new_window()
    for button, left in (("later", 1), ("delete", 0)):
        offer_recovery(desktop, window)
        qtbot.waitUntil(lambda: window.findChild(RecoveryDialog) is not None)
        dialog = window.findChild(QDialog)
        getattr(dialog, button).click()
        qtbot.waitUntil(lambda: window.findChild(RecoveryDialog) is None and not desktop.background.running)
        assert len(recoverable(desktop.places.journals)) == left
    assert window.session is None


def test_nothing_is_offered_where_nothing_was_lost(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.new_window()
    offer_recovery(desktop, window)
    qtbot.waitUntil(lambda: not desktop.background.running)
    assert window.findChild(RecoveryDialog) is None


def test_a_journal_begins_with_the_first_edit_and_ends_with_a_save(
    desktop: Desktop, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    assert journals(desktop) == []
    window.run("layer.new")
    assert len(journals(desktop)) == 1
    session = window.session
    assert session is not None
    session.saved(session.state, tmp_path / "a.ora")
    qtbot.waitUntil(lambda: journals(desktop) == [])


def test_work_that_is_given_up_leaves_no_journal(desktop: Desktop, window: MainWindow, qtbot: QtBot) -> None:
    window.run("layer.new")
    window.closing = True
    window.close()
    qtbot.waitUntil(lambda: journals(desktop) == [])


def test_never_means_never(desktop: Desktop, window: MainWindow) -> None:
    desktop.kept.change(autosave_seconds=0)
    window.run("layer.new")
    assert journals(desktop) == []


def test_a_folder_that_cannot_be_written_is_told_once(desktop: Desktop, qtbot: QtBot) -> None:
    desktop.places.journals.parent.mkdir(parents=True, exist_ok=True)
    desktop.places.journals.write_text("in the way", encoding="utf-8")
    window = desktop.new_window(Session(small_document()))
    window.run("layer.new")
    qtbot.waitUntil(lambda: not window.message.isHidden())
    assert "save often" in window.message.label.text()
    window.message.clear()
    window.run("layer.new")
    qtbot.wait(50)
    assert window.message.isHidden()
