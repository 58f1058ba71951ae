"""Every tool at work through real events: what it makes of the document, its undo, what stops it, what it refuses."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QPointF, Qt
from PySide6.QtGui import QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest

from ace_desktop.canvas.tools import TOOLS
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import GroupLayer, RasterLayer, State
from ace_desktop.document.stroke import Brush, Stroke
from ace_desktop.document.target import EDIT_MASK
from ace_desktop.icons import names
from tests.ace_desktop.canvas.conftest import ALT, NO, SHIFT, Hand
from tests.ace_desktop.document.drawings import plain

Open = Callable[[State], Hand]
FRAME = Rect(0, 0, 300, 200)


def document() -> State:
    """Return a grey layer, and above it an active one with a red square."""
    below = RasterLayer(pixels=plain((128, 128, 128, 255), FRAME), name="below")
    square = RasterLayer(pixels=plain((255, 0, 0, 255), Rect(100, 60, 80, 60)), name="square")
    return State(width=FRAME.width, height=FRAME.height, layers=(below, square), active=square.id)


def mask(hand: Hand) -> NDArray[np.unsignedinteger]:
    return hand.state.edit_mask.read(FRAME)[..., 0]


def selected(hand: Hand) -> NDArray[np.unsignedinteger]:
    assert hand.state.selection is not None
    return hand.state.selection.read(FRAME)[..., 0]


def pixel(hand: Hand, x: int, y: int) -> tuple[int, ...]:
    return tuple(compose(hand.state, Rect(x, y, 1, 1))[0, 0].tolist())


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


# Brushes


def test_the_mask_brush_paints_what_a_stroke_paints_as_one_step(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("mask-brush", size=20)
    hand.press(50, 50)
    hand.move(80, 60)
    assert mask(hand)[55, 65] == 255, "seen before the button is released"
    assert hand.labels == []
    hand.move(110, 50)
    hand.release(110, 50)
    stroke = Stroke(document(), EDIT_MASK, Brush(size=20, hardness=0.8))
    for x, y in ((50, 50), (80, 60), (110, 50)):
        stroke.to(x, y)
    assert hand.state.edit_mask.equals(stroke.state().edit_mask)
    assert hand.labels == ["Paint mask"]
    hand.session.undo()
    assert not mask(hand).any()
    hand.session.redo()
    assert mask(hand).any()


def test_shift_draws_a_straight_line_from_the_last_stroke(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("mask-brush", size=10)
    hand.click(20, 20)
    hand.click(220, 120, SHIFT)
    assert all(mask(hand)[20 + step // 2, 20 + step] == 255 for step in range(0, 200, 10))


def test_eraser_and_alt_take_away(open_view: Open) -> None:
    hand = open_view(replace(document(), edit_mask=plain((255,), FRAME)))
    hand.take("mask-eraser", size=20)
    hand.click(50, 50)
    hand.take("mask-brush", size=20)
    hand.click(100, 50, ALT)
    assert mask(hand)[50, 50] == mask(hand)[50, 100] == 0
    hand.take("mask-eraser", size=10)
    hand.click(50, 50, ALT)
    assert mask(hand)[50, 50] == 255
    assert hand.labels == ["Erase mask", "Erase mask", "Paint mask"]


def test_the_mask_brush_can_make_a_selection(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("mask-brush", size=20, target="selection")
    hand.click(50, 50)
    assert selected(hand)[50, 50] == 255
    assert not mask(hand).any()


def tablet(hand: Hand, kind: QEvent.Type, x: float, y: float, pressure: float) -> None:
    place = QPointF(hand.at(x, y))
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.TabletRelease else Qt.MouseButton.LeftButton
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.TabletMove else Qt.MouseButton.LeftButton
    event = QTabletEvent(
        kind, QPointingDevice.primaryPointingDevice(), place, hand.view.mapToGlobal(place), pressure, 0, 0, 0, 0, 0,
        NO, button, held,
    )  # fmt: skip
    QCoreApplication.sendEvent(hand.view, event)
    assert event.isAccepted()


def test_a_pen_that_presses_harder_paints_broader(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("mask-brush", size=40, hardness=100)
    tablet(hand, QEvent.Type.TabletPress, 40, 100, 0.1)
    tablet(hand, QEvent.Type.TabletMove, 240, 100, 1.0)
    tablet(hand, QEvent.Type.TabletRelease, 240, 100, 1.0)
    widths = (mask(hand)[:, [60, 140, 220]] > 127).sum(0)
    assert widths[0] < 12 < widths[1] < widths[2] <= 40
    assert hand.labels == ["Paint mask"]


def test_brackets_ask_for_another_size_and_hardness(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("mask-brush", size=100, hardness=50)
    hand.key(Qt.Key.Key_BracketRight)
    assert hand.options["size"] == 110
    hand.key(Qt.Key.Key_BracketLeft)
    assert hand.options["size"] == 99
    hand.key(Qt.Key.Key_BraceRight, SHIFT)
    assert hand.options["hardness"] == 60
    hand.options["size"] = 1
    hand.key(Qt.Key.Key_BracketLeft)
    assert hand.options["size"] == 1


def test_esc_takes_a_stroke_back(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("mask-brush")
    before = hand.state
    hand.press(50, 50)
    hand.move(80, 60)
    hand.key(Qt.Key.Key_Escape)
    hand.move(90, 60)
    hand.release(90, 60)
    assert hand.state is before
    assert hand.labels == []


def test_undo_during_a_stroke_drops_the_stroke(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("mask-brush")
    before = hand.state
    hand.press(50, 50)
    hand.session.undo()
    hand.move(80, 60)
    hand.release(80, 60)
    assert hand.state is before
    assert hand.labels == []


def test_the_brush_paints_colour_and_the_eraser_takes_it_away(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("brush", colour="#0000ff", size=20)
    hand.drag((20, 20), (60, 20))
    assert pixel(hand, 40, 20) == (0, 0, 255, 255)
    hand.take("eraser", size=20)
    hand.click(140, 90)
    assert pixel(hand, 140, 90) == (128, 128, 128, 255)
    assert hand.labels == ["Paint", "Erase"]


def test_black_on_a_layer_mask_hides_and_white_shows(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("brush", colour="#000000", target="layer mask", size=30)
    hand.click(140, 90)
    assert pixel(hand, 140, 90) == (128, 128, 128, 255)
    hand.options["colour"] = "#ffffff"
    hand.click(140, 90)
    assert pixel(hand, 140, 90) == (255, 0, 0, 255)
    assert hand.labels == ["Paint layer mask"] * 2


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


# Shapes


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


# Move and crop


def test_dragging_inside_moves_the_layer_by_whole_pixels(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("move")
    hand.press(140, 90)
    hand.move(150, 95)
    assert pixel(hand, 185, 100) == (255, 0, 0, 255)
    assert hand.labels == []
    hand.release(160, 100)
    hand.wait()
    assert (hand.state.layers[1].x, hand.state.layers[1].y) == (20, 10)
    assert hand.labels == ["Move layer"]


def test_arrows_move_by_one_and_ten_pixels_in_one_step(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("move")
    for _ in range(3):
        hand.key(Qt.Key.Key_Right)
    hand.key(Qt.Key.Key_Up, SHIFT)
    assert (hand.state.layers[1].x, hand.state.layers[1].y) == (3, -10)
    assert hand.labels == ["Move layer"]


def corners(hand: Hand) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(compose(replace(hand.state, layers=hand.state.layers[1:]))[..., 3] > 127)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_a_corner_scales_in_proportion_a_side_does_not(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("move")
    hand.drag((180, 120), (220, 150))
    assert corners(hand) == (100, 60, 220, 150)
    hand.drag((160, 60), (160, 30))
    assert corners(hand) == (100, 30, 220, 150)
    assert hand.labels == ["Scale layer"] * 2


def test_beyond_a_corner_it_turns_and_turning_twice_costs_no_more_than_once(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("move")
    hand.press(100 - 12, 60 - 12)
    hand.move(140 + 42, 90 - 52, SHIFT)
    assert pixel(hand, 140, 90) == (128, 128, 128, 255), "the layer itself is hidden while it turns"
    hand.release(140 + 42, 90 - 52, SHIFT)
    hand.wait()
    assert corners(hand) == (110, 50, 170, 130)
    assert pixel(hand, 140, 90) == (255, 0, 0, 255)
    assert hand.labels == ["Turn layer"]


def test_scaling_down_and_up_again_gives_back_the_pixels(open_view: Open) -> None:
    hand = open_view(document())
    random = np.random.default_rng(1).integers(0, 256, (60, 80, 4)).astype(np.uint8)
    layer = RasterLayer(pixels=Plane.of(random, 100, 60), name="noise")
    opaque = random.copy()
    opaque[..., 3] = 255
    layer = replace(layer, pixels=Plane.of(opaque, 100, 60))
    hand = open_view(replace(document(), layers=(document().layers[0], layer), active=layer.id))
    hand.take("move")
    hand.drag((180, 120), (140, 90))
    assert corners(hand) == (100, 60, 140, 90)
    hand.drag((140, 90), (180, 120))
    assert np.array_equal(compose(hand.state, Rect(100, 60, 80, 60)), opaque)


def test_crop_applies_with_return_and_keeps_what_is_cut_off(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("crop")
    hand.drag((90, 50), (200, 130))
    assert hand.labels == []
    hand.key(Qt.Key.Key_Return)
    assert (hand.state.width, hand.state.height) == (110, 80)
    assert pixel(hand, 10, 10) == (255, 0, 0, 255)
    assert pixel(hand, -20, -20) == (128, 128, 128, 255)
    assert hand.labels == ["Crop"]
    hand.session.undo()
    assert (hand.state.width, hand.state.height) == (300, 200)


def test_expanding_comes_transparent_and_masked(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("crop")
    hand.drag((300, 100), (350, 100))
    hand.key(Qt.Key.Key_Return)
    assert (hand.state.width, hand.state.height) == (350, 200)
    room = hand.state.edit_mask.read(Rect(0, 0, 350, 200))[..., 0]
    assert (room[:, 300:] == 255).all()
    assert not room[:, :300].any()
    assert pixel(hand, 320, 100) == (0, 0, 0, 0)
    assert hand.labels == ["Expand"]


def test_crop_keeps_proportions_and_esc_takes_the_frame_back(open_view: Open) -> None:
    hand = open_view(document())
    hand.take("crop", ratio="1:1")
    hand.drag((50, 50), (150, 70))
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_Return)
    assert hand.labels == []
    hand.drag((50, 50), (150, 70))
    hand.key(Qt.Key.Key_Return)
    assert (hand.state.width, hand.state.height) == (100, 100)
