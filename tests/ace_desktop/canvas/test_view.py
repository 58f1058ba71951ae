"""What the view shows is the document, through real events, whatever was done before."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QFocusEvent, QImage, QNativeGestureEvent, QPixmap, QPointingDevice, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from ace_desktop.canvas.view import CanvasView
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.session import Session
from tests.ace_desktop.canvas.conftest import CONTROL, Hand
from tests.ace_desktop.document.drawings import noise, plain

Open = Callable[[State], Hand]

ROUNDING = 16
"""Qt steps through a scaled or turned row from where a part begins: on noise that is some steps of 255;
what is stale on noise differs by far more."""


def photograph(width: int = 300, height: int = 280, seed: int = 1) -> State:
    """Return a document of one opaque layer of noise."""
    pixels = noise(seed, width, height)
    pixels[..., 3] = 255
    layer = RasterLayer(pixels=Plane.of(pixels), name="photograph")
    return State(width=width, height=height, layers=(layer,), active=layer.id)


def seen(view: CanvasView) -> NDArray[np.uint8]:
    """Grab the view, h x w x 3, red first, when all of it is rendered."""
    return pixels_of(view.whole_grab())


def pixels_of(grabbed: QPixmap) -> NDArray[np.uint8]:
    image = grabbed.toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)[..., :3].copy()


def test_at_one_to_one_it_shows_the_documents_own_pixels(open_view: Open) -> None:
    hand = open_view(photograph())
    assert np.array_equal(seen(hand.view)[:280, :300], compose(hand.state)[..., :3])


def test_enlarged_every_pixel_is_a_sharp_square(open_view: Open) -> None:
    hand = open_view(photograph())
    hand.view.zoom_to(4.0, QPointF(0, 0))
    expected = np.repeat(np.repeat(compose(hand.state)[:75, :100, :3], 4, 0), 4, 1)
    assert np.array_equal(seen(hand.view), expected)


def test_halved_it_shows_the_mean_of_four_pixels(open_view: Open) -> None:
    hand = open_view(photograph())
    hand.view.zoom_to(0.5, QPointF(0, 0))
    pixels = compose(hand.state)[..., :3].astype(float)
    expected = pixels.reshape(140, 2, 150, 2, 3).mean((1, 3))
    assert np.abs(seen(hand.view)[:140, :150] - expected).max() <= 1


def test_transparency_shows_the_checkerboard_and_outside_is_the_surround(open_view: Open) -> None:
    hand = open_view(State(width=100, height=100))
    shown = seen(hand.view)
    assert len(np.unique(shown[:90, :90].reshape(-1, 3), axis=0)) == 2
    assert not (shown[0, 0] == shown[0, 9]).all()
    assert (shown[150:, 150:] == shown[299, 399]).all()


def test_the_edit_mask_tints_and_can_be_hidden_or_coloured(open_view: Open) -> None:
    state = replace(photograph(), edit_mask=plain((255,), Rect(10, 10, 50, 50)))
    hand = open_view(state)
    untinted = compose(state)[..., :3].astype(float)
    shown = seen(hand.view)
    mixed = untinted[10:60, 10:60] * (1 - 115 / 255) + np.array([255, 45, 45]) * 115 / 255
    assert np.abs(shown[10:60, 10:60] - mixed).max() <= 2
    assert np.array_equal(shown[60:280, :300], untinted[60:])
    hand.view.mask_colour = QColor(0, 255, 0, 255)
    assert (seen(hand.view)[10:60, 10:60] == (0, 255, 0)).all()
    hand.view.overlay = "none"
    assert np.array_equal(seen(hand.view)[:280, :300], untinted)


def test_ants_march_around_the_selection_only_while_it_is_seen(open_view: Open, qtbot: QtBot) -> None:
    state = replace(photograph(), selection=plain((255,), Rect(50, 60, 100, 80)))
    hand = open_view(state)
    first = seen(hand.view)
    plain_pixels = compose(state)[..., :3]
    rows, columns = np.nonzero((first[:280, :300] != plain_pixels).any(-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (60, 139, 50, 149)
    assert np.array_equal(first[61:139, 51:149], plain_pixels[61:139, 51:149])
    qtbot.waitUntil(lambda: not np.array_equal(seen(hand.view), first))
    hand.session.do("Deselect", replace(state, selection=None))
    assert np.array_equal(seen(hand.view)[:280, :300], plain_pixels)
    hand.session.undo()
    hand.view.hide()  # a timer that still ran would be reported


def test_the_grid_appears_at_eight_times(open_view: Open) -> None:
    hand = open_view(photograph())
    hand.view.zoom_to(7.9, QPointF(0, 0))
    assert len(np.unique(seen(hand.view)[2:6, 2:6].reshape(-1, 3), axis=0)) == 1
    hand.view.zoom_to(10, QPointF(0, 0))
    pixels = seen(hand.view)
    assert (pixels[1:9, 1:9] == pixels[5, 5]).all()
    assert not (pixels[0, 0] == pixels[5, 5]).all()


edits = st.lists(
    st.tuples(
        st.sampled_from(
            ("stroke", "layer", "opacity", "offset", "undo", "mask", "selection", "zoom", "pan", "preview")
        ),
        st.integers(0, 260),
        st.integers(0, 240),
        st.integers(1, 120),
    ),
    min_size=1,
    max_size=8,
)


def view_is_turned(rotation: float) -> bool:
    return rotation % 90 != 0


def farthest_from_neighbours(one: NDArray[np.int_], other: NDArray[np.int_]) -> int:
    """Measure how far the worst pixel of one is from the nearest of the other's at its place or beside it."""
    beside = np.pad(other, ((1, 1), (1, 1), (0, 0)), "edge")
    height, width = one.shape[:2]
    nearest = [np.abs(one - beside[y : y + height, x : x + width]).max(2) for y in range(3) for x in range(3)]
    return int(np.minimum.reduce(nearest).max())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([("zoom", 0, 0, 41), ("stroke", 0, 0, 107)], 3.0, 0.0)
@given(edits, st.sampled_from((1.0, 0.37, 0.5, 1.3, 3.0)), st.sampled_from((0.0, 0.0, 90.0, 17.0)))
def test_after_any_edits_it_looks_like_a_view_that_was_just_made(
    qapp: QApplication, todo: list[tuple[str, int, int, int]], zoom: float, rotation: float
) -> None:
    assert QApplication.instance() is qapp
    session = Session(photograph(301, 277))
    view = CanvasView(session)
    view.resize(260, 240)
    view.show()
    view.zoom_to(zoom)
    view.rotate_by(rotation)
    view.overlay = "tint"
    for kind, x, y, size in todo:
        seen(view)
        state = session.state
        (layer, *_) = state.layers
        assert isinstance(layer, RasterLayer)
        patch = noise(x, size, size)
        if kind in ("stroke", "preview"):
            painted = replace(layer, pixels=layer.pixels.written(patch, x, y))
            after = replace(state, layers=(painted, *state.layers[1:]))
            touched = Rect(x + layer.x, y + layer.y, size, size)
            if kind == "stroke":
                session.do("Paint", after, rects=[touched])
            else:
                session.preview(after, [touched])
        elif kind == "layer":
            added = RasterLayer(pixels=Plane.of(patch, x, y), name="new", blend="multiply")
            session.do("Add", replace(state, layers=(*state.layers, added)))
        elif kind == "opacity":
            session.do("Opacity", replace(state, layers=(replace(layer, opacity=size / 120), *state.layers[1:])))
        elif kind == "offset":
            moved = replace(state.layers[-1], x=x - 100, y=y - 100)
            session.do("Move", replace(state, layers=(*state.layers[:-1], moved)))
        elif kind == "undo":
            session.undo()
        elif kind == "mask":
            session.do("Mask", replace(state, edit_mask=state.edit_mask.written(patch[..., 3:], x, y)))
        elif kind == "selection":
            session.do("Select", replace(state, selection=plain((255,), Rect(x, y, size, size))))
        elif kind == "zoom":
            view.zoom_to(zoom * size / 60, QPointF(x, y))
        else:
            view.pan_by(x - 130, y - 120)
    fresh = CanvasView(session)
    fresh.resize(view.size())
    fresh.show()
    fresh._move_to(view.transform, limited=False)  # pyright: ignore[reportPrivateUsage]
    assert fresh.transform == view.transform
    kept, new = seen(view).astype(int), seen(fresh).astype(int)
    for shown in (view, fresh):
        shown.close()
        shown.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    if view_is_turned(rotation) or (view.zoom > 1 and view.zoom % 1):
        # On the border of two enlarged pixels Qt takes either, as its rounding along a line begins elsewhere; and
        # where it mixes them, across and down, both shares may be a step off.
        assert farthest_from_neighbours(kept, new) <= 2 * ROUNDING
    else:
        assert np.abs(kept - new).max() <= ROUNDING


# Moving around


def wheel(
    view: CanvasView, dx: int, dy: int, at: QPoint, keys: Qt.KeyboardModifier, pixels: bool,
    phase: Qt.ScrollPhase = Qt.ScrollPhase.NoScrollPhase,
) -> None:  # fmt: skip
    place = QPointF(at)
    event = QWheelEvent(
        place, view.mapToGlobal(place), QPoint(dx, dy) if pixels else QPoint(), QPoint(dx, dy),
        Qt.MouseButton.NoButton, keys, phase, False,
    )  # fmt: skip
    QCoreApplication.sendEvent(view, event)


def test_two_fingers_pan_and_the_wheel_zooms_around_the_pointer_with_control(open_view: Open) -> None:
    hand = open_view(photograph())
    before = hand.view.transform
    wheel(hand.view, -30, -20, QPoint(100, 100), Qt.KeyboardModifier.NoModifier, pixels=True)
    assert (hand.view.transform.x, hand.view.transform.y) == (before.x - 30, before.y - 20)
    under = hand.view.transform.to_document(QPointF(120, 90))
    wheel(hand.view, 0, 120, QPoint(120, 90), CONTROL, pixels=False)
    assert hand.view.zoom == pytest.approx(2**0.5)
    assert hand.view.transform.to_document(QPointF(120, 90)) == pytest.approx(under, abs=0.6)


def test_what_rolls_on_from_two_fingers_goes_on_as_they_began(open_view: Open) -> None:
    """A Mac goes on sending after the fingers left; the command key is often pressed for something else by then."""
    view, at, none = open_view(photograph()).view, QPoint(100, 100), Qt.KeyboardModifier.NoModifier
    phases = Qt.ScrollPhase
    before = view.transform
    wheel(view, 0, -10, at, none, True, phases.ScrollUpdate)
    wheel(view, 0, -10, at, CONTROL, True, phases.ScrollMomentum)
    assert (view.zoom, view.transform.y) == (before.zoom, before.y - 20)
    wheel(view, 0, 60, at, CONTROL, True, phases.ScrollUpdate)
    wheel(view, 0, 60, at, none, True, phases.ScrollMomentum)
    assert view.zoom == pytest.approx(2 * before.zoom)


def test_panned_it_shows_the_same_as_made_anew(open_view: Open) -> None:
    hand = open_view(photograph(900, 800))
    seen(hand.view)
    wheel(hand.view, -130, -77, QPoint(100, 100), Qt.KeyboardModifier.NoModifier, pixels=True)
    assert np.array_equal(seen(hand.view), compose(hand.state)[77:377, 130:530, :3])


def test_space_and_the_middle_button_drag_the_picture(open_view: Open) -> None:
    hand = open_view(photograph())
    hand.take("mask-brush")
    QTest.keyPress(hand.view, Qt.Key.Key_Space)
    assert hand.view.cursor().shape() == Qt.CursorShape.OpenHandCursor
    hand.press(100, 100)
    hand.move(60, 70)
    QTest.mouseRelease(hand.view, Qt.MouseButton.LeftButton)
    QTest.keyRelease(hand.view, Qt.Key.Key_Space)
    assert (hand.view.transform.x, hand.view.transform.y) == (-40, -30)
    assert hand.labels == []
    QTest.mousePress(hand.view, Qt.MouseButton.MiddleButton, pos=QPoint(50, 50))
    QTest.mouseMove(hand.view, QPoint(60, 55))
    QTest.mouseRelease(hand.view, Qt.MouseButton.MiddleButton, pos=QPoint(60, 55))
    assert (hand.view.transform.x, hand.view.transform.y) == (-30, -25)


def test_space_is_let_go_of_where_another_window_gets_the_keyboard(open_view: Open) -> None:
    """Who goes to another program with the key held lets go of it there."""
    hand = open_view(photograph())
    hand.take("mask-brush")
    QTest.keyPress(hand.view, Qt.Key.Key_Space)
    QCoreApplication.sendEvent(hand.view, QFocusEvent(QEvent.Type.FocusOut, Qt.FocusReason.ActiveWindowFocusReason))
    assert hand.view.cursor().shape() != Qt.CursorShape.OpenHandCursor
    hand.drag((50, 50), (60, 60))
    assert len(hand.labels) == 1


def test_the_picture_cannot_be_lost(open_view: Open) -> None:
    hand = open_view(photograph())
    hand.view.pan_by(-9000, 9000)
    assert hand.view.rect().intersects(hand.view.transform.view_rect(hand.state.frame))


def gesture(view: CanvasView, kind: Qt.NativeGestureType, value: float) -> None:
    place = QPointF(100, 100)
    event = QNativeGestureEvent(
        kind, QPointingDevice.primaryPointingDevice(), 2, place, place, view.mapToGlobal(place), value, QPointF(), 1
    )
    QCoreApplication.sendEvent(view, event)


def test_pinching_zooms_and_turns_and_a_double_tap_fits(open_view: Open, qtbot: QtBot) -> None:
    hand = open_view(photograph())
    with qtbot.waitSignal(hand.view.zoom_changed) as heard:
        gesture(hand.view, Qt.NativeGestureType.ZoomNativeGesture, 0.5)
    assert heard.args == [1.5]
    gesture(hand.view, Qt.NativeGestureType.RotateNativeGesture, 10)
    assert hand.view.rotation == pytest.approx(10)
    hand.view.reset_rotation()
    gesture(hand.view, Qt.NativeGestureType.SmartZoomNativeGesture, 0)
    assert hand.view.rect().contains(hand.view.transform.view_rect(hand.state.frame))
    gesture(hand.view, Qt.NativeGestureType.SmartZoomNativeGesture, 0)
    assert hand.view.zoom == 1


def test_pinching_zooms_around_the_fingers_where_the_view_is_a_part_of_a_window(
    open_view: Open, qtbot: QtBot
) -> None:
    """Given to the window, as by the system: Qt passes the event on to the view without changing its place."""
    hand = open_view(photograph())
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(800, 600)
    hand.view.setParent(window)
    hand.view.move(90, 70)
    hand.view.show()
    with qtbot.waitExposed(window):
        window.show()
    at = QPointF(100, 80)
    under = hand.view.transform.to_document(at)
    place, everywhere = hand.view.mapTo(window, at), hand.view.mapToGlobal(at)
    zoom, device = Qt.NativeGestureType.ZoomNativeGesture, QPointingDevice.primaryPointingDevice()
    event = QNativeGestureEvent(zoom, device, 2, place, place, everywhere, 1.0, QPointF(), 1)
    QCoreApplication.sendEvent(window.windowHandle(), event)
    assert hand.view.zoom == 2
    assert hand.view.transform.to_document(at) == pytest.approx(under, abs=0.6)
    hand.view.setParent(None)


def test_keys_zoom(open_view: Open) -> None:
    hand = open_view(photograph(1000, 1000))
    hand.key(Qt.Key.Key_Plus)
    assert hand.view.zoom == 1.5
    hand.key(Qt.Key.Key_1)
    hand.key(Qt.Key.Key_Minus)
    assert hand.view.zoom == pytest.approx(2 / 3)
    hand.key(Qt.Key.Key_0)
    assert hand.view.rect().contains(hand.view.transform.view_rect(hand.state.frame))


def test_a_fitted_view_stays_fitted_when_its_size_changes(open_view: Open) -> None:
    hand = open_view(photograph(1000, 1000))
    hand.view.fit()
    hand.view.resize(200, 500)
    assert hand.view.zoom == pytest.approx((200 - 48) / 1000)
    assert hand.view.rect().contains(hand.view.transform.view_rect(hand.state.frame))


def test_it_tells_where_the_pointer_is(open_view: Open) -> None:
    hand = open_view(photograph())
    heard: list[object] = []
    hand.view.pointer_moved.connect(heard.append)
    QTest.mouseMove(hand.view, QPoint(30, 40))
    assert heard[-1] == (30, 40)
    QCoreApplication.sendEvent(hand.view, QEvent(QEvent.Type.Leave))
    assert heard[-1] is None


def test_cropping_and_other_sizes_are_followed(open_view: Open) -> None:
    hand = open_view(photograph())
    hand.session.do("Crop", photograph(120, 90, seed=5))
    assert np.array_equal(seen(hand.view)[:90, :120], compose(hand.state)[..., :3])


def test_without_a_document_it_says_how_to_begin(qtbot: QtBot) -> None:
    view = CanvasView(None)
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.show()
    shown = seen(view)
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 1
    assert view.accessibleName() == "Canvas"
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    view.fit()


def test_what_there_is_no_time_for_comes_in_the_next_frames(open_view: Open, qtbot: QtBot) -> None:
    hand = open_view(photograph(1200, 900))
    hand.view.budget = 0.0
    hand.view.fit()
    hand.view.resize(401, 300)
    qtbot.waitUntil(lambda: hand.view.up_to_date)
    in_frames = seen(hand.view).astype(int)
    hand.view.set_session(hand.session)
    assert np.abs(in_frames - seen(hand.view)).max() <= ROUNDING


def test_what_is_rendered_while_a_small_part_is_painted_reaches_the_screen(open_view: Open, qtbot: QtBot) -> None:
    hand = open_view(photograph(1200, 900))
    view = hand.view
    with qtbot.waitExposed(view):
        view.show()
    qtbot.waitUntil(lambda: view.up_to_date)
    view.budget = 0.0
    other = photograph(1200, 900, seed=2)
    hand.session.do("replace", replace(other, active=other.layers[0].id))
    for _ in range(100):  # the pointer moves on and on
        view.repaint(0, 0, 4, 4)
        if view.up_to_date:
            break
    assert view.up_to_date
    qtbot.wait(50)
    on_screen = pixels_of(view.screen().grabWindow(view.winId())).astype(int)
    assert np.abs(on_screen - seen(view)).max() <= ROUNDING


def test_a_gesture_that_zooms_is_shown_coarsely_and_exactly_once_it_rests(open_view: Open, qtbot: QtBot) -> None:
    hand = open_view(photograph(1200, 900))
    hand.view.zoom_to(0.7, QPointF(200, 150))
    rest = hand.view._zooming  # pyright: ignore[reportPrivateUsage]
    rest.start(60_000)  # however slow the machine is
    moving = pixels_of(hand.view.grab())
    assert not hand.view.up_to_date
    rest.start(1)
    qtbot.waitUntil(lambda: hand.view.up_to_date)
    resting = pixels_of(hand.view.grab())
    there = hand.view.transform
    hand.view.set_session(hand.session)
    hand.view._move_to(there, limited=False)  # pyright: ignore[reportPrivateUsage]
    assert np.abs(moving.astype(int) - resting).max() > 0
    # A frame that is painted in other pieces may round a mixed pixel the other way.
    assert np.abs(resting.astype(int) - seen(hand.view)).max() <= 1
