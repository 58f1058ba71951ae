"""Rectangle, ellipse, lasso and polygon through real events."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ace_desktop.document.geometry import Rect
from tests.ace_desktop.canvas.conftest import ALT, NO, SHIFT, Open, document, mask, selected
from tests.ace_desktop.document.drawings import plain


def test_a_rectangle_is_exact_and_joins_as_the_keys_say(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("rectangle")
    hand.drag((20, 30), (120, 80))
    expected = np.zeros((200, 300), bool)
    expected[30:80, 20:120] = True
    assert np.array_equal(mask(hand) > 0, expected)
    hand.drag((100, 60), (150, 100), keys=SHIFT)
    expected[60:100, 100:150] = True
    assert np.array_equal(mask(hand) > 0, expected)
    hand.drag((40, 40), (60, 60), keys=ALT)
    expected[40:60, 40:60] = False
    assert np.array_equal(mask(hand) > 0, expected)
    hand.drag((50, 30), (110, 70), keys=SHIFT | ALT)
    kept = np.zeros_like(expected)
    kept[30:70, 50:110] = True
    assert np.array_equal(mask(hand) > 0, expected & kept)
    assert hand.labels == ["Rectangle"] * 4


def test_shift_makes_a_square_and_alt_keeps_the_middle_once_the_drag_has_begun(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("rectangle")
    hand.press(100, 100)
    hand.move(130, 110, SHIFT | ALT)
    hand.release(130, 110, SHIFT | ALT)
    hand.wait()
    rows, columns = np.nonzero(mask(hand))
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (70, 130, 70, 130)


def test_an_ellipse_has_its_area_and_soft_edges_if_wanted(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("ellipse", target="selection")
    hand.drag((50, 50), (150, 110))
    assert selected(hand).sum() / 255 == pytest.approx(np.pi * 50 * 30, rel=0.01)
    hand.options["feather"] = 10
    hand.drag((50, 50), (150, 110))
    assert 100 < selected(hand)[80, 50] < 155


def test_a_click_with_a_shape_deselects(open_view: Open) -> None:
    hand = open_view(replace(document(), selection=plain((255,), Rect(0, 0, 9, 9))))
    hand.take("rectangle", target="selection")
    hand.click(100, 100)
    assert hand.state.selection is None
    assert hand.labels == ["Deselect"]


def test_a_lasso_closes_itself(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("lasso")
    hand.drag((20, 20), (120, 20), (120, 120))
    assert mask(hand)[40, 100] == 255
    assert mask(hand)[100, 40] == 0
    assert mask(hand).sum() / 255 == pytest.approx(5000, rel=0.01)


@pytest.mark.parametrize("close", ["return", "first", "double"])
def test_a_polygon_is_set_corner_by_corner(open_view: Open, close: str) -> None:
    hand = open_view(document())
    hand.take("polygon")
    for corner in ((20, 20), (200, 20), (120, 120), (120, 120)):
        hand.click(*corner)
    hand.click(30, 150)
    hand.key(Qt.Key.Key_Backspace)
    if close == "return":
        hand.key(Qt.Key.Key_Return)
    elif close == "first":
        hand.click(22, 21)
    else:
        QTest.mouseDClick(hand.view, Qt.MouseButton.LeftButton, NO, hand.at(120, 120))
        hand.wait()
    assert mask(hand).sum() / 255 == pytest.approx(180 * 100 / 2, rel=0.01)
    assert hand.labels == ["Polygon"]


def test_esc_forgets_a_polygon(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("polygon")
    hand.click(20, 20)
    hand.click(100, 20)
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_Return)
    assert hand.labels == []


def test_a_mask_that_is_being_made_comes_even_if_another_tool_is_taken_up(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("rectangle")
    hand.press(20, 30)
    hand.move(120, 80)
    hand.release(120, 80)
    hand.take("hand")
    hand.wait()
    assert mask(hand)[40, 50] == 255
