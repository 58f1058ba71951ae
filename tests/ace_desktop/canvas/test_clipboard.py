"""Pixels go to the clipboard and come back bit for bit to where they lay; other programs' pictures come too."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QMimeData
from PySide6.QtGui import QColor, QGuiApplication, QImage

from ace_desktop.canvas import clipboard
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.session import Session
from tests.ace_desktop.document.drawings import noise, plain


@pytest.fixture(autouse=True)
def empty_clipboard() -> Iterator[None]:
    yield
    QGuiApplication.clipboard().clear()


def document(depth: int = 8) -> State:
    layer = RasterLayer(pixels=Plane.of(noise(1, 60, 50, depth=depth)), name="noise", x=7, y=5)
    return State(
        width=100, height=80, layers=(layer,), active=layer.id, selection=plain((255,), Rect(20, 10, 30, 20))
    )


def put(taken: clipboard.Taken) -> bool:
    """Put what was taken on the clipboard; tell whether there was something."""
    if taken.clip is not None:
        clipboard.put(taken.clip, taken.image)
    return taken.clip is not None


@pytest.mark.parametrize("depth", [8, 16])
def test_copied_and_pasted_pixels_are_the_same_in_the_same_place(depth: int) -> None:
    session = Session(document(depth))
    assert put(clipboard.copy(session.state))
    assert clipboard.paste(session, "Pasted")
    pasted = session.state.layers[-1]
    assert isinstance(pasted, RasterLayer)
    assert session.state.active == pasted.id
    original = session.state.layers[0]
    assert isinstance(original, RasterLayer)
    rect = Rect(20, 10, 30, 20)
    copied, expected = pasted.pixels.read(rect.moved(-pasted.x, -pasted.y)), original.pixels.read(rect.moved(-7, -5))
    assert np.array_equal(copied * (copied[..., 3:] > 0), expected * (expected[..., 3:] > 0))
    assert session.history.undo_label == "Paste"


def test_cut_leaves_a_hole_that_pasting_fills() -> None:
    session = Session(document())
    before = compose(session.state)
    taken = clipboard.cut(session.state)
    assert put(taken)
    session.do("Cut", taken.after)
    assert not compose(session.state, Rect(20, 10, 30, 20)).any()
    clipboard.paste(session, "Pasted")
    assert np.array_equal(compose(session.state), before)
    assert session.history.labels[0] == ["Cut", "Paste"]


def test_copy_merged_takes_all_layers() -> None:
    below = RasterLayer(pixels=plain((1, 2, 3, 255), Rect(0, 0, 100, 80)), name="below")
    state = document()
    session = Session(replace(state, layers=(below, *state.layers)))
    put(clipboard.copy_merged(session.state))
    found = clipboard.held()
    assert found is not None
    assert np.array_equal(found[0].pixels, compose(session.state, Rect(20, 10, 30, 20)))


def test_a_picture_of_another_program_is_pasted_in_the_middle_of_what_is_seen() -> None:
    image = QImage(10, 8, QImage.Format.Format_RGB32)
    image.fill(QColor(9, 8, 7))
    data = QMimeData()
    data.setImageData(image)
    QGuiApplication.clipboard().setMimeData(data)
    session = Session(document())
    assert clipboard.paste(session, "Pasted", (50, 40))
    assert np.array_equal(compose(session.state, Rect(45, 36, 10, 8)), np.full((8, 10, 4), (9, 8, 7, 255)))
    state = clipboard.new_state("Pasted")
    assert state is not None
    assert (state.width, state.height) == (10, 8)


def test_what_lay_outside_another_document_is_pasted_inside() -> None:
    put(clipboard.copy(document()))
    small = Session(State(width=15, height=15))
    clipboard.paste(small, "Pasted")
    assert compose(small.state)[..., 3].any()


def test_with_no_picture_nothing_happens() -> None:
    QGuiApplication.clipboard().setText("words")
    session = Session(document())
    before = session.state
    assert not clipboard.paste(session, "Pasted")
    assert clipboard.new_state("Pasted") is None
    assert not put(clipboard.copy(State(width=5, height=5)))
    nothing = clipboard.cut(replace(document(), selection=plain((255,), Rect(90, 70, 5, 5))))
    assert not put(nothing)
    assert session.state is before
