"""The frame: drawn, taken hold of beside every tool, moved and resized within the picture, taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from ace_desktop.canvas.frame import SMALLEST, Seen, moved, resized
from ace_desktop.canvas.handles import HANDLES
from ace_desktop.document.geometry import Rect
from ace_desktop.document.state import RasterLayer, State
from tests.ace_desktop.canvas.conftest import Hand
from tests.ace_desktop.document.drawings import plain

FRAME = Rect(0, 0, 200, 160)
BOX = Rect(40, 30, 96, 80)
BLUE = (20, 60, 200, 255)


class Framed:
    """A hand at a view with a frame, which follows it as the window lets it; what it settled for is kept."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.frame = hand.view.frame
        self.settled: list[object] = []
        self.frame.dragged.connect(self._follow)
        self.frame.settled.connect(self.settled.append)
        self.frame.show(Seen(BOX, "Seen at 1×"), FRAME)

    def _follow(self, rect: Rect) -> None:
        self.frame.show(Seen(rect, "Seen at 0.8×", chosen=True), FRAME)


@pytest.fixture
def framed(open_view: Callable[[State], Hand]) -> Framed:
    layer = RasterLayer(pixels=plain(BLUE, FRAME), name="picture", id="picture")
    return Framed(open_view(State(width=200, height=160, layers=(layer,), active="picture")))


def test_a_handle_resizes_and_the_line_moves_without_touching_the_document(framed: Framed) -> None:
    framed.hand.take("lasso")
    before = framed.hand.state
    framed.hand.drag((136, 110), (150, 120), (160, 130))
    assert framed.settled == [Rect(40, 30, 120, 100)]
    framed.hand.drag((40, 50), (30, 50), (30, 40))  # the line between two handles
    assert framed.settled[1:] == [Rect(30, 20, 120, 100)]
    assert framed.hand.state is before


@pytest.mark.parametrize(
    ("tool", "grip"), [("mask-brush", "handles"), ("move", "caption"), ("crop", None), ("hand", "edge")]
)
def test_no_tool_loses_its_place_to_the_frame(framed: Framed, tool: str, grip: str | None) -> None:
    framed.hand.take(tool)
    framed.hand.drag((60, 110), (60, 118))  # on the lower line, away from every handle
    assert bool(framed.settled) == (grip == "edge")
    framed.settled.clear()
    framed.frame.show(Seen(BOX, "Seen at 1×"), FRAME)
    framed.hand.drag((40, 110), (30, 118))  # a corner
    assert bool(framed.settled) == (grip in ("edge", "handles"))
    framed.settled.clear()
    framed.frame.show(Seen(BOX, "Seen at 1×"), FRAME)
    framed.hand.drag((60, 128), (56, 120))  # the caption, under the frame
    assert bool(framed.settled) == (grip is not None)


def test_escape_takes_a_drag_back_and_a_frame_that_was_set(framed: Framed) -> None:
    framed.hand.take("lasso")
    framed.hand.press(136, 110)
    framed.hand.move(150, 130)
    framed.hand.key(Qt.Key.Key_Escape)
    assert framed.frame.seen is not None
    assert framed.frame.seen.box == BOX
    framed.hand.release(150, 130)
    assert framed.settled == []
    framed.hand.key(Qt.Key.Key_Escape)
    assert framed.settled == [None]


def test_escape_is_left_to_others_where_the_model_chose(framed: Framed) -> None:
    framed.hand.take("lasso")
    framed.hand.key(Qt.Key.Key_Escape)
    assert framed.settled == []


def test_a_double_click_on_the_caption_lets_the_model_choose_again(framed: Framed) -> None:
    framed.hand.take("mask-brush")
    framed.frame.show(Seen(BOX, "Seen at 1×", chosen=True), FRAME)
    QTest.mouseDClick(framed.hand.view, Qt.MouseButton.LeftButton, pos=framed.hand.at(60, 128))
    assert framed.settled == [None]


def test_the_pointer_says_what_the_frame_would_do(framed: Framed) -> None:
    framed.hand.take("lasso")
    QTest.mouseMove(framed.hand.view, framed.hand.at(90, 70))
    assert framed.hand.view.cursor().shape() == Qt.CursorShape.CrossCursor
    QTest.mouseMove(framed.hand.view, framed.hand.at(136, 110))
    assert framed.hand.view.cursor().shape() == Qt.CursorShape.SizeFDiagCursor
    QTest.mouseMove(framed.hand.view, framed.hand.at(90, 70))
    assert framed.hand.view.cursor().shape() == Qt.CursorShape.CrossCursor


def test_the_frame_is_painted_around_what_is_seen_and_not_with_the_crop_tool(framed: Framed) -> None:
    def line() -> set[str]:
        picture = framed.hand.view.whole_grab().toImage()
        y = framed.hand.at(0, 30).y()
        return {QColor(picture.pixel(QPoint(x, y - 1))).name() for x in range(60, 110)}

    framed.hand.take("lasso")
    plain_blue = QColor(*BLUE).name()
    assert plain_blue not in line()
    framed.hand.take("crop")
    assert line() == {plain_blue}


def test_a_preview_is_painted_in_its_place_and_the_tint_gets_out_of_its_way(
    open_view: Callable[[State], Hand],
) -> None:
    layer = RasterLayer(pixels=plain(BLUE, FRAME), name="picture", id="picture")
    hand = open_view(State(width=200, height=160, layers=(layer,), active="picture", edit_mask=plain((255,), BOX)))
    blue, tinted = QColor(*BLUE).name(), hand.view.whole_grab().toImage().pixelColor(hand.at(130, 100)).name()
    assert tinted != blue
    image = QImage(24, 20, QImage.Format.Format_ARGB32)
    image.fill(QColor(0, 200, 0))
    for x in range(12, 24):
        for y in range(20):
            image.setPixelColor(x, y, QColor(0, 0, 0, 0))
    hand.view.set_frame_preview(image, BOX)
    shown = hand.view.whole_grab().toImage()
    assert shown.pixelColor(hand.at(60, 50)).name() == "#00c800"
    assert shown.pixelColor(hand.at(130, 100)).name() == blue
    assert shown.pixelColor(hand.at(20, 20)).name() == blue
    hand.view.set_frame_preview(None)
    assert hand.view.whole_grab().toImage().pixelColor(hand.at(130, 100)).name() == tinted


def test_a_comparison_shows_right_of_its_line_which_can_be_dragged(framed: Framed) -> None:
    framed.hand.take("mask-brush")
    view, before = framed.hand.view, framed.hand.state
    wipes: list[float] = []
    view.wipe_moved.connect(wipes.append)
    image = QImage(FRAME.width, FRAME.height, QImage.Format.Format_ARGB32)
    image.fill(QColor(0, 200, 0))
    view.set_comparison(image, FRAME, 0.5)
    shown = view.whole_grab().toImage()
    assert shown.pixelColor(framed.hand.at(20, 150)).name() == QColor(*BLUE).name()
    assert shown.pixelColor(framed.hand.at(180, 150)).name() == "#00c800"
    framed.hand.drag((100, 20), (60, 20), (50, 20))
    assert wipes[-1] == pytest.approx(0.25, abs=0.01)
    assert framed.hand.state is before
    view.set_comparison(None)
    assert view.whole_grab().toImage().pixelColor(framed.hand.at(180, 150)).name() == QColor(*BLUE).name()


def within(x: int, y: int, width: int, height: int) -> Rect:
    return Rect(x, y, min(width, 200 - x), min(height, 160 - y))


boxes = st.builds(
    within,
    st.integers(0, 180), st.integers(0, 140), st.integers(16, 200), st.integers(16, 160),
)  # fmt: skip
ways = st.floats(-500, 500)


@given(boxes, st.sampled_from(HANDLES), ways, ways)
def test_a_frame_never_leaves_the_picture_nor_gets_too_small(
    box: Rect, handle: tuple[float, float], dx: float, dy: float
) -> None:
    larger = resized(box, handle, dx, dy, FRAME)
    assert larger in FRAME
    assert larger.width >= SMALLEST
    assert larger.height >= SMALLEST
    there = moved(box, dx, dy, FRAME)
    assert there in FRAME
    assert (there.width, there.height) == (box.width, box.height)
