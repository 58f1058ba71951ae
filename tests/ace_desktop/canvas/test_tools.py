"""What holds of every tool, and the tools that look at the picture or only at the view."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from ace_desktop.canvas.tools import TOOLS
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import GroupLayer, RasterLayer, State
from ace_desktop.icons import names
from tests.ace_desktop.canvas.conftest import Open, document, mask, pixel, selected


def test_every_tool_has_an_icon_a_name_and_a_shortcut_of_its_own(open_view: Open) -> None:
    hand = open_view(document())
    assert {kind.icon for kind in TOOLS} <= names().keys()
    assert len({kind.shortcut for kind in TOOLS}) == len({kind.id for kind in TOOLS}) == len(TOOLS)
    for kind in TOOLS:
        hand.take(kind.id)
        hand.view.whole_grab()


def test_every_tool_survives_a_drag_beyond_everything_and_undo_takes_it_back(open_view: Open) -> None:
    for kind in TOOLS:
        hand = open_view(document())
        hand.take(kind.id)
        before = hand.state
        hand.drag((150, 90), (-50, -40), (380, 280), (200, 100))
        hand.key(Qt.Key.Key_Return)
        assert len(hand.labels) <= 1, kind.id
        hand.session.undo()
        assert hand.state is before, kind.id


@pytest.mark.parametrize("tool", ["brush", "eraser", "fill", "move"])
@pytest.mark.parametrize(("change", "word"), [("locked", "locked"), ("hidden", "hidden"), ("none", "Choose")])
def test_layers_that_cannot_be_changed_are_refused_in_words(
    open_view: Open, tool: str, change: str, word: str
) -> None:
    state = document()
    below, square = state.layers
    if change == "none":
        state = replace(state, active=None)
    else:
        square = replace(square, locked=change == "locked", visible=change != "hidden")
        state = replace(state, layers=(below, square))
    hand = open_view(state)
    hand.take(tool)
    hand.drag((140, 90), (150, 95))
    assert hand.state is state
    assert word in hand.said[-1]


def test_pixels_of_a_group_are_refused_in_words(open_view: Open) -> None:
    group = GroupLayer(children=document().layers, name="Both")
    hand = open_view(replace(document(), layers=(group,), active=group.id))
    hand.take("brush")
    hand.click(140, 90)
    assert "“Both” is a group" in hand.said[-1]
    assert hand.labels == []


# Tools that look at the picture


def test_the_wand_takes_what_is_alike(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("wand", target="selection")
    hand.click(140, 90)
    expected = np.zeros((200, 300), bool)
    expected[60:120, 100:180] = True
    assert np.array_equal(selected(hand) > 0, expected)
    assert hand.labels == ["Magic wand"]


def test_quick_select_finds_the_object_under_a_scribble(open_view: Open) -> None:
    random = np.random.default_rng(1)
    pixels = random.integers(90, 110, (200, 300, 4)).astype(np.uint8)
    rows, columns = np.ogrid[:200, :300]
    disc = (rows - 100) ** 2 + (columns - 150) ** 2 < 50**2
    pixels[disc] = random.integers(200, 220, (int(disc.sum()), 4))
    pixels[..., 3] = 255
    layer = RasterLayer(pixels=Plane.of(pixels), name="disc")
    hand = open_view(State(width=300, height=200, layers=(layer,), active=layer.id))
    hand.take("quick-select", size=10)
    hand.drag((130, 100), (150, 90), (170, 105))
    found = mask(hand) > 127
    assert (found & disc).sum() / (found | disc).sum() > 0.95
    assert hand.labels == ["Quick select"]


def test_esc_stops_quick_select(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("quick-select", size=10)
    hand.press(140, 80)
    hand.move(150, 90)
    hand.release(150, 90)
    hand.key(Qt.Key.Key_Escape)
    assert hand.labels == []
    assert not mask(hand).any()


def test_fill_fills_what_is_alike_on_the_layer(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("fill", colour="#00ff00", sample="layer")
    hand.click(140, 90)
    assert pixel(hand, 101, 61) == (0, 255, 0, 255)
    assert pixel(hand, 99, 61) == (128, 128, 128, 255)
    assert hand.labels == ["Fill"]


def test_the_eyedropper_takes_the_colour_for_all_tools(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("eyedropper")
    hand.click(140, 90)
    assert hand.options["colour"] == "#ff0000"
    hand.click(20, 20)
    assert hand.options["colour"] == "#808080"
    hand.click(340, 90)
    assert "no colour" in hand.said[-1]


def test_the_hand_moves_the_view(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("hand")
    hand.press(100, 100)
    hand.move(70, 90)
    QTest.mouseRelease(hand.view, Qt.MouseButton.LeftButton)
    assert (hand.view.transform.x, hand.view.transform.y) == (-30, -10)
