"""Brushes and erasers through real events, a pen among them: what they paint, their undo, what stops them."""

from dataclasses import replace

from PySide6.QtCore import QCoreApplication, QEvent, QPointF, Qt
from PySide6.QtGui import QPointingDevice, QTabletEvent

from ace_desktop.document.stroke import Brush, Stroke
from ace_desktop.document.target import EDIT_MASK
from tests.ace_desktop.canvas.conftest import ALT, FRAME, NO, SHIFT, Hand, Open, document, mask, pixel, selected
from tests.ace_desktop.document.drawings import plain


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
