"""What every test of the window gets: no screen, and a check that nothing is left behind when it ends.

Left behind means: a thread, a running timer, a top-level window, a message of Qt's (pyproject.toml names the one that
is allowed) or a log line of level WARNING that the test did not announce through `expect_log`.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QThread, QThreadPool, QTimer
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from ace_desktop.desktop import Desktop
from ace_desktop.main_window import MainWindow
from ace_desktop.places import Places
from ace_desktop.session import Session
from tests.ace_desktop.small_document import small_document

ExpectLog = Callable[[str], None]
_Object = TypeVar("_Object", bound=QObject)
_PATIENCE = 0.5
"""Seconds that threads which are ending get."""
_WAIT_MS = 30_000
"""Milliseconds that a test waits for what must come, on a machine of two processors that is busy."""

for _wait in (QtBot.waitUntil, QtBot.waitSignal, QtBot.waitSignals, QtBot.waitExposed, QtBot.waitActive):
    _wait.__kwdefaults__ = {**(_wait.__kwdefaults__ or {}), "timeout": _WAIT_MS}


class _Warnings(logging.Handler):
    """Collects what was logged at level WARNING and above, and what a test announced."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.expected: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


def pytest_collection_finish() -> None:
    """Set aside what importing made: every test looks through all that Python counts for what is left behind."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def _warnings() -> Iterator[_Warnings]:
    handler = _Warnings()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def expect_log(_warnings: _Warnings) -> ExpectLog:
    """Announce a log line of level WARNING or above by a regular expression; it has to come."""
    return _warnings.expected.append


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> None:
    """Check every test but those of the document, which needs no Qt."""
    if "document" not in request.path.parts:
        request.getfixturevalue("checked")


@pytest.fixture
def checked(qapp: QApplication, _warnings: _Warnings) -> Iterator[None]:
    """Fail a test that leaves something behind; runs after pytest-qt has closed the test's widgets."""
    threads, windows = _running(), set(_windows())
    timers = set(map(id, _timers()))
    yield
    qapp.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    left = [f"window {window!r}" for window in _windows() if window not in windows]
    left += [f"thread {name}" for name in _threads(threads)]
    left += [f"timer {timer!r} of {timer.parent()!r}" for timer in _timers() if id(timer) not in timers]
    for window in _windows():  # so that the next test is not blamed
        if window not in windows:
            window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    seen = _warnings.lines
    left += [f"log line {line}" for line in seen if not any(re.search(e, line) for e in _warnings.expected)]
    left += [f"no log line like {e}" for e in _warnings.expected if not any(re.search(e, line) for line in seen)]
    if left:
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


@pytest.fixture
def desktop(qapp: QApplication, tmp_path: Path) -> Iterator[Desktop]:
    """Give a program that keeps everything in the test's folder and speaks English; its windows close at the end."""
    made = Desktop(qapp, Places.under(tmp_path / "kept"))
    made.kept.change(language="en", theme="light")
    yield made
    for window in list(made.windows):
        window.closing = True
        window.close()
    made.close()
    made.language.use("en")
    made.deleteLater()


@pytest.fixture
def window(desktop: Desktop, qtbot: QtBot) -> MainWindow:
    """Give a window with a small document: two layers, one of them with a mask, an edit mask and a selection."""
    made = desktop.new_window(Session(small_document()))
    qtbot.waitUntil(lambda: not desktop.background.running)
    return made


def _windows() -> list[QWidget]:
    return [widget for widget in QApplication.topLevelWidgets() if isValid(widget)]


def _threads(before: set[threading.Thread]) -> list[str]:
    """Wait a moment for threads that are ending, then name those that are not."""
    end = time.monotonic() + _PATIENCE
    pool = QThreadPool.globalInstance()
    pool.waitForDone(round(_PATIENCE * 1000))
    while time.monotonic() < end and _running() - before:
        time.sleep(0.01)
    names = [thread.name for thread in _running() - before]
    names += [repr(thread) for thread in _all(QThread) if thread.isRunning() and type(thread) is not QThread]
    return [*names, "of the global pool"] if pool.activeThreadCount() else names


def _running() -> set[threading.Thread]:
    """List Python's threads; what it makes up for a thread of Qt's that asked for its name stays after that ended."""
    return {thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}  # pyright: ignore[reportPrivateUsage]


def _timers() -> list[QTimer]:
    return [timer for timer in _all(QTimer) if timer.isActive()]


def _all(kind: type[_Object]) -> list[_Object]:
    return [thing for thing in gc.get_objects() if isinstance(thing, kind) and isValid(thing)]
