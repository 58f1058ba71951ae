"""A view with a document on the screen, and a hand that uses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt, QThreadPool
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from ace_desktop.canvas.tools import TOOLS
from ace_desktop.canvas.tools.tool import Tool
from ace_desktop.canvas.view import CanvasView
from ace_desktop.document.state import State
from ace_desktop.session import Session

NO = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


class Hand:
    """A view at 100 % whose origin is the document's, and what people do with it; places are document pixels."""

    def __init__(self, view: CanvasView, session: Session) -> None:
        self.view = view
        self.session = session
        self.options: dict[str, Any] = {}
        self.said: list[str] = []
        view.message.connect(self.said.append)
        view.option_wanted.connect(self.options.__setitem__)

    @property
    def state(self) -> State:
        """The document now."""
        return self.session.state

    @property
    def labels(self) -> list[str]:
        """The steps of undo, oldest first."""
        return self.session.history.labels[0]

    def take(self, tool_id: str, **options: Any) -> Tool:
        """Take up a tool with its default options but for these."""
        kind = next(kind for kind in TOOLS if kind.id == tool_id)
        self.options.clear()
        self.options.update({option.name: option.default for option in kind.options} | options)
        self.view.tool = tool = kind.make(self.session, self.options)
        return tool

    def at(self, x: float, y: float) -> QPoint:
        """Give where a document point is in the view."""
        return self.view.transform.to_view(x, y).toPoint()

    def press(self, x: float, y: float, keys: Qt.KeyboardModifier = NO) -> None:
        """Press the left button."""
        QTest.mousePress(self.view, Qt.MouseButton.LeftButton, keys, self.at(x, y))

    def move(self, x: float, y: float, keys: Qt.KeyboardModifier = NO) -> None:
        """Move with the button held."""
        point = QPointF(self.at(x, y))
        event = QMouseEvent(QEvent.Type.MouseMove, point, self.view.mapToGlobal(point), Qt.MouseButton.NoButton,
                            Qt.MouseButton.LeftButton, keys)  # fmt: skip
        QCoreApplication.sendEvent(self.view, event)

    def release(self, x: float, y: float, keys: Qt.KeyboardModifier = NO) -> None:
        """Release the left button."""
        QTest.mouseRelease(self.view, Qt.MouseButton.LeftButton, keys, self.at(x, y))

    def drag(self, *points: tuple[float, float], keys: Qt.KeyboardModifier = NO) -> None:
        """Drag along points, and wait for what tools do in threads."""
        self.press(*points[0], keys)
        for point in points[1:]:
            self.move(*point, keys)
        self.release(*points[-1], keys)
        self.wait()

    def click(self, x: float, y: float, keys: Qt.KeyboardModifier = NO) -> None:
        """Click, and wait for what tools do in threads."""
        self.drag((x, y), keys=keys)

    def key(self, key: Qt.Key, keys: Qt.KeyboardModifier = NO) -> None:
        """Press and release a key, and wait."""
        QTest.keyClick(self.view, key, keys)
        self.wait()

    def wait(self) -> None:
        """Wait for the threads, and take their answers."""
        while QThreadPool.globalInstance().activeThreadCount():
            time.sleep(0.001)  # `waitForDone` would keep Python's lock, which the threads need
        QCoreApplication.processEvents()


@pytest.fixture
def open_view(qtbot: QtBot) -> Callable[[State], Hand]:
    """Open a document in a view of 400 x 300, shown at 100 % from its corner."""
    hands: list[Hand] = []  # Python's collector, which may run in any thread, must not be what deletes a view

    def make(state: State) -> Hand:
        session = Session(state)
        view = CanvasView(session)
        qtbot.addWidget(view)
        view.resize(400, 300)
        view.show()
        view.zoom_to(1.0)
        view.pan_by(-view.transform.x, -view.transform.y)
        hands.append(Hand(view, session))
        return hands[-1]

    return make
