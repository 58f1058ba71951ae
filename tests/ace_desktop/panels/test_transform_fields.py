"""The numbers of the move tool: they follow the layer, and what is typed moves, scales and turns it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDoubleSpinBox
from pytestqt.qtbot import QtBot

from ace_desktop.canvas.tools.move import MoveTool
from ace_desktop.desktop import Desktop
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.main_window import MainWindow
from ace_desktop.panels.transform_fields import TransformFields
from ace_desktop.session import Session

Type = Callable[[str, str], None]


def document() -> State:
    noise = np.random.default_rng(3).integers(0, 256, (40, 60, 4)).astype(np.uint8)
    noise[..., 3] = 255
    layer = RasterLayer(pixels=Plane.of(noise, 20, 30), name="noise")
    return State(width=300, height=200, layers=(layer,), active=layer.id)


@pytest.fixture
def window(desktop: Desktop) -> MainWindow:
    """Give a window with the move tool in hand."""
    window = desktop.show(Session(document()))
    window.choose_tool("move")
    return window


@pytest.fixture
def enter(window: MainWindow, qtbot: QtBot) -> Type:
    """Give what types a number into a field, presses Return and waits for the layer."""

    def type_in(name: str, words: str) -> None:
        box = fields(window)[name]
        box.selectAll()
        QTest.keyClicks(box, words)
        QTest.keyClick(box, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: not tool(window).busy)

    return type_in


def fields(window: MainWindow) -> dict[str, QDoubleSpinBox]:
    return window.options.findChildren(TransformFields)[-1].boxes  # those before it wait for their end


def tool(window: MainWindow) -> MoveTool:
    assert isinstance(window.view.tool, MoveTool)
    return window.view.tool


def numbers(window: MainWindow) -> list[float]:
    return [box.value() for box in fields(window).values()]


def labels(window: MainWindow) -> list[str]:
    assert window.session is not None
    return window.session.history.labels[0]


def test_they_follow_the_layer_and_undo(window: MainWindow) -> None:
    assert numbers(window) == [20, 30, 60, 40, 0]
    QTest.keyClick(window.view, Qt.Key.Key_Right)
    assert numbers(window) == [21, 30, 60, 40, 0]
    window.run("edit.undo")
    assert numbers(window) == [20, 30, 60, 40, 0]


def test_a_typed_place_moves_by_whole_pixels_without_loss(window: MainWindow, enter: Type) -> None:
    assert window.session is not None
    before = compose(window.session.state, Rect(20, 30, 60, 40))
    enter("x", "101")
    enter("y", "-7")
    assert numbers(window) == [101, -7, 60, 40, 0]
    assert labels(window) == ["Move layer", "Move layer"]
    assert np.array_equal(compose(window.session.state, Rect(101, 0, 60, 33)), before[7:])


def test_a_typed_size_keeps_the_corner_and_the_proportions_if_wanted(window: MainWindow, enter: Type) -> None:
    enter("width", "120")
    assert numbers(window) == [20, 30, 120, 80, 0]
    window.options.fields["proportions"].control.setChecked(False)  # pyright: ignore[reportAttributeAccessIssue]
    enter("height", "20")
    assert numbers(window) == [20, 30, 120, 20, 0]
    assert labels(window) == ["Scale layer", "Scale layer"]


def test_typed_sizes_cost_the_pixels_nothing_when_they_are_taken_back(window: MainWindow, enter: Type) -> None:
    assert window.session is not None
    before = compose(window.session.state)
    enter("width", "15")
    enter("width", "60")
    assert numbers(window)[:4] == [20, 30, 60, 40]
    assert np.array_equal(compose(window.session.state), before)


def test_an_angle_is_counted_from_the_first_turn_and_goes_back_exactly(window: MainWindow, enter: Type) -> None:
    assert window.session is not None
    before = compose(window.session.state)
    enter("angle", "90")
    assert numbers(window) == [30, 20, 40, 60, 90]
    enter("angle", "30")
    assert numbers(window)[4] == pytest.approx(30)
    enter("angle", "0")
    assert numbers(window) == [20, 30, 60, 40, 0]
    assert np.array_equal(compose(window.session.state), before)
    assert labels(window) == ["Turn layer"] * 3


def test_without_a_layer_there_is_nothing_to_type(window: MainWindow) -> None:
    assert window.session is not None
    empty = State(width=300, height=200)
    window.session.do("New", empty)
    assert not any(box.isEnabled() for box in fields(window).values())
    assert all(box.accessibleName() for box in fields(window).values())
