"""A view with a document on the screen, and a hand that uses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt, QThreadPool
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from ace_desktop.canvas.tools import TOOLS
from ace_desktop.canvas.tools.tool import Tool
from ace_desktop.canvas.view import CanvasView
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.session import Session
from tests.ace_desktop.document.drawings import plain

NO = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
CONTROL = Qt.KeyboardModifier.ControlModifier

FRAME = Rect(0, 0, 300, 200)


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


Open: TypeAlias = Callable[[State], Hand]


def document() -> State:
    """Return a grey layer, and above it an active one with a red square."""
    below = RasterLayer(pixels=plain((128, 128, 128, 255), FRAME), name="below")
    square = RasterLayer(pixels=plain((255, 0, 0, 255), Rect(100, 60, 80, 60)), name="square")
    return State(width=FRAME.width, height=FRAME.height, layers=(below, square), active=square.id)


def mask(hand: Hand) -> NDArray[np.unsignedinteger]:
    """Give the edit mask, 200 x 300."""
    return hand.state.edit_mask.read(FRAME)[..., 0]


def selected(hand: Hand) -> NDArray[np.unsignedinteger]:
    """Give the selection, 200 x 300."""
    assert hand.state.selection is not None
    return hand.state.selection.read(FRAME)[..., 0]


def pixel(hand: Hand, x: int, y: int) -> tuple[int, ...]:
    """Give a pixel of the picture as it is seen."""
    return tuple(compose(hand.state, Rect(x, y, 1, 1))[0, 0].tolist())


@pytest.fixture
def open_view(qtbot: QtBot) -> Open:
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
