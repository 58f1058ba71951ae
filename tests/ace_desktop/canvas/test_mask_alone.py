"""A mask alone on the screen: what is seen is the mask, tools go on working on it, and nothing hides behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from ace_desktop.canvas.view import CanvasView
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.document.target import EDIT_MASK, Target, mask_of, with_mask, with_plane
from ace_desktop.document.tree import group, with_properties
from ace_desktop.session import Session
from tests.ace_desktop.canvas.conftest import FRAME, Hand, Open, document
from tests.ace_desktop.document.drawings import noise, plain

MASKED = "masked"


def masked() -> State:
    """Return the document with a third layer: small, moved and hidden, whose mask reaches beyond its pixels."""
    mask = Plane(1, default=255).written(noise(3, 280, 120)[..., :1], 0, 0)
    layer = RasterLayer(
        pixels=plain((0, 200, 0, 255), Rect(0, 0, 20, 20)),
        name=MASKED,
        id=MASKED,
        mask=mask,
        x=13,
        y=-7,
        visible=False,
    )
    state = document()
    return replace(
        state, layers=(*state.layers, layer), active=MASKED, edit_mask=Plane.of(noise(1, 300, 200)[..., :1])
    )


def shown(view: CanvasView) -> NDArray[np.uint8]:
    """Grab what is seen of the picture at 100 %, 200 x 300 x 3."""
    image = view.whole_grab().toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return pixels[: FRAME.height, : FRAME.width, :3].copy()


def grey(state: State, target: Target) -> NDArray[np.unsignedinteger]:
    """Give a mask as it is to be seen."""
    return np.repeat(mask_of(state, target).read(FRAME), 3, 2)


def test_the_edit_mask_is_seen_in_grey_and_the_picture_comes_back(open_view: Open, qtbot: QtBot) -> None:
    hand = open_view(masked())
    before = shown(hand.view)
    with qtbot.waitSignal(hand.view.alone_changed):
        hand.view.alone = EDIT_MASK
    assert np.array_equal(shown(hand.view), grey(hand.state, EDIT_MASK))
    hand.view.overlay = "ants"
    assert np.array_equal(shown(hand.view), grey(hand.state, EDIT_MASK))
    hand.view.overlay = "tint"
    hand.view.alone = None
    assert np.array_equal(shown(hand.view), before)


def test_a_layers_mask_is_seen_where_the_layer_stands_hidden_as_it_is(open_view: Open) -> None:
    hand = open_view(replace(masked(), edit_mask=Plane(1)))
    target = Target("layer mask", MASKED)
    hand.view.alone = target
    assert np.array_equal(shown(hand.view), grey(hand.state, target))
    hand.session.do("Group", group(hand.state, [MASKED], "group"))
    assert hand.view.alone is None  # another change than one of the mask is not hidden behind it
    hand.session.amend(replace(hand.state, active=MASKED))
    hand.view.alone = target
    assert np.array_equal(shown(hand.view), grey(hand.state, target))


def test_the_edit_mask_goes_on_being_tinted_over_a_layers(open_view: Open) -> None:
    hand = open_view(replace(masked(), edit_mask=plain((255,), Rect(0, 0, 50, 50))))
    hand.view.mask_colour = QColor(0, 255, 0)
    hand.view.alone = Target("layer mask", MASKED)
    pixels = shown(hand.view)
    assert (pixels[:50, :50] == (0, 255, 0)).all()
    assert np.array_equal(pixels[60:], grey(hand.state, Target("layer mask", MASKED))[60:])


def test_strokes_on_the_edit_mask_and_their_undo_are_seen_at_once(open_view: Open) -> None:
    hand = open_view(replace(masked(), edit_mask=Plane(1)))
    hand.view.alone = EDIT_MASK
    assert not shown(hand.view).any()
    hand.take("mask-brush", size=30, hardness=100)
    hand.press(40, 40)
    hand.move(120, 90)
    assert shown(hand.view)[40, 40].tolist() == [255, 255, 255]
    hand.release(120, 90)
    QCoreApplication.sendEvent(hand.view, QEvent(QEvent.Type.Leave))  # the brush's outline is no part of the mask
    assert np.array_equal(shown(hand.view), grey(hand.state, EDIT_MASK))
    assert hand.view.alone == EDIT_MASK
    hand.session.undo()
    assert not shown(hand.view).any()
    hand.take("lasso", target="edit mask")
    hand.drag((10, 10), (80, 10), (80, 80), (10, 80))
    assert np.array_equal(shown(hand.view), grey(hand.state, EDIT_MASK))
    assert shown(hand.view)[40, 40, 0] == 255


def test_strokes_on_a_layers_mask_are_seen_beyond_its_pixels_and_so_is_their_undo(open_view: Open) -> None:
    state = with_properties(masked(), MASKED, visible=True)
    hand = open_view(replace(state, edit_mask=Plane(1)))
    target = Target("layer mask", MASKED)
    hand.view.alone = target
    untouched = shown(hand.view)
    hand.take("eraser", target="layer mask", size=30, hardness=100)
    hand.drag((200, 150), (250, 150))
    QCoreApplication.sendEvent(hand.view, QEvent(QEvent.Type.Leave))  # the brush's outline is no part of the mask
    assert shown(hand.view)[150, 220].tolist() == [0, 0, 0]
    assert np.array_equal(shown(hand.view), grey(hand.state, target))
    hand.session.undo()
    assert hand.view.alone == target
    assert np.array_equal(shown(hand.view), untouched)


def test_a_stroke_that_the_mask_would_hide_shows_the_picture(open_view: Open) -> None:
    hand = open_view(document())
    hand.view.alone = EDIT_MASK
    hand.take("brush", colour="#00ff00", size=30, hardness=100)
    hand.press(40, 40)
    assert hand.view.alone is None
    hand.release(40, 40)
    assert shown(hand.view)[40, 40].tolist() == [0, 255, 0]


def test_a_mask_that_goes_or_is_not_there_shows_the_picture(open_view: Open) -> None:
    hand = open_view(masked())
    hand.view.alone = Target("layer mask", hand.state.layers[0].id)
    assert hand.view.alone is None
    hand.view.alone = Target("layer mask", "nobody")
    assert hand.view.alone is None
    hand.view.alone = Target("layer mask", MASKED)
    hand.session.do("Delete mask", with_plane(hand.state, Target("layer mask", MASKED), None))
    assert hand.view.alone is None
    hand.session.undo()
    hand.view.alone = Target("layer mask", MASKED)
    hand.session.do("Delete layer", replace(hand.state, layers=hand.state.layers[:2], active=None))
    assert hand.view.alone is None
    hand.view.alone = EDIT_MASK
    hand.view.set_session(Session(document()))
    assert hand.view.alone is None


def test_a_document_of_another_size_keeps_the_mask_alone_where_it_can(open_view: Open) -> None:
    hand = open_view(replace(masked(), edit_mask=Plane(1)))
    hand.view.alone = EDIT_MASK
    hand.session.do("Canvas size", replace(hand.state, width=200, edit_mask=plain((255,), Rect(0, 0, 200, 200))))
    assert hand.view.alone == EDIT_MASK
    hand.view.zoom_to(1.0)
    assert (255, 255, 255) in {tuple(row) for row in shown(hand.view)[100].tolist()}


patches = st.tuples(st.integers(-20, 280), st.integers(-20, 180), st.integers(1, 90), st.integers(0, 255))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), patches), min_size=1, max_size=6), st.booleans())
def test_whatever_is_done_to_the_masks_what_is_seen_is_the_mask(
    open_view: Open, edits: list[tuple[bool, tuple[int, int, int, int]]], of_layer: bool
) -> None:
    hand = open_view(masked())
    hand.view.overlay = "none"
    hand.view.alone = target = Target("layer mask", MASKED) if of_layer else EDIT_MASK
    for undoes, (x, y, side, value) in edits:
        if undoes:
            hand.session.undo()
        else:
            patch = np.full((side, side, 1), value, np.uint8)
            hand.session.do("Mask", with_mask(hand.state, target, mask_of(hand.state, target).written(patch, x, y)))
        assert hand.view.alone == target
        assert np.array_equal(shown(hand.view), grey(hand.state, target))
    hand.view.hide()


def test_escape_belongs_to_the_tool_first(open_view: Open) -> None:
    hand: Hand = open_view(document())
    hand.view.alone = EDIT_MASK
    hand.take("mask-brush", size=30)
    hand.press(40, 40)
    hand.key(Qt.Key.Key_Escape)
    assert hand.view.alone == EDIT_MASK
    assert not mask_of(hand.state, EDIT_MASK).tiles
