"""The program: python -m ace_desktop [FILE ...] or --self-test."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from .canvas.colours import tag_windows
from .collector import Collector
from .desktop import Desktop, FileOpenEvents
from .installing import begin_with_models, follow_installer
from .places import NAME, Places
from .recovery_dialog import offer_recovery
from .reporting import catch, write_log

SELF_TEST = "--self-test"


def main(arguments: Sequence[str] = sys.argv) -> int:
    """Run until the last window is closed; with --self-test only try out whether everything works."""
    if SELF_TEST in arguments[1:]:
        from .self_test import main as try_out

        return try_out()
    tag_windows()
    application = QApplication(list(arguments))
    application.setApplicationName(NAME)
    application.setDesktopFileName("ace-desktop")
    events = FileOpenEvents(application)
    places = Places.of_user()
    write_log(places.logs)
    desktop = Desktop(application, places)

    def tell(text: str, details: str) -> None:
        (desktop.active_window() or desktop.new_window()).message.say(text, details)

    catch(tell)
    begin(desktop, events, [Path(name) for name in application.arguments()[1:]])
    collector = Collector(application)
    try:
        return application.exec()
    finally:
        desktop.close()
        collector.close()


def begin(desktop: Desktop, events: FileOpenEvents, files: Sequence[Path]) -> None:
    """Open the first window with the files that were asked for, and offer what an unexpected end left behind."""
    follow_installer(desktop)
    window = desktop.new_window()
    for file in (*files, *events.listen(desktop.open)):
        desktop.open(file, window)
    QTimer.singleShot(0, window, lambda: offer_recovery(desktop, window))
    QTimer.singleShot(0, window, lambda: begin_with_models(desktop))
    QTimer.singleShot(0, window, lambda: get_ready(desktop))


def get_ready(desktop: Desktop) -> None:
    """Load what the first document needs while nobody waits for it, and take up the queue of the last time."""

    def load() -> None:
        import_module("ace_desktop.document_panels")
        import_module("ace_desktop.editing")

    def ready(_: None) -> None:
        if desktop.windows:
            desktop.take_up_jobs()

    def failed(error: Exception) -> None:
        raise error

    desktop.background.run(load, ready, failed, desktop)
