"""The sheet in which a reference is cropped and cut out: only Done changes the document, in one step."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from ace_desktop.background import Background
from ace_desktop.document.geometry import Rect
from ace_desktop.document.references import (
    BoardReference,
    add_reference,
    reference_pixels,
    references_of,
)
from ace_desktop.panels import reference_editor
from ace_desktop.panels.cut_out import LONGEST, Scribble, automatic, cut_out, enlarged, working_copy
from ace_desktop.panels.reference_editor import ReferenceEditor
from ace_desktop.session import Session
from tests.ace_desktop.small_document import small_document

NO, LEFT, ALT = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.AltModifier
PATIENCE_MS = 60_000
WIDTH, HEIGHT = 120, 90
DISC = ((np.indices((HEIGHT, WIDTH)) - np.array([45, 50])[:, None, None]) ** 2).sum(0) < 26**2


def picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Draw an orange disc on a blue ground, both with some grain."""
    grain = np.random.default_rng(0).integers(-8, 9, (HEIGHT, WIDTH, 1))
    colours = np.where(DISC[..., None], (230, 140, 30), (40, 70, 150)) + grain
    return np.dstack([colours.astype(np.uint8), np.full((HEIGHT, WIDTH), 255, np.uint8)])


class Opened:
    """An editor over a window, its document and what failed."""

    def __init__(self, background: Background, qtbot: QtBot) -> None:
        self.session = Session(add_reference(small_document(), picture(), "disc"))
        self.background, self.qtbot = background, qtbot
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.window.show()
        self.failures: list[Exception] = []
        self.editor = self.again()

    def again(self) -> ReferenceEditor:
        """Open it, and wait until the picture is there."""
        editor = ReferenceEditor(self.session, self.reference.id, self.background, self.failures.append, self.window)
        editor.open()
        self.qtbot.waitUntil(editor.accept_button.isEnabled, timeout=PATIENCE_MS)
        return editor

    @property
    def reference(self) -> BoardReference:
        """The reference as it is now."""
        return references_of(self.session.state)[0]

    def at(self, x: float, y: float) -> QPoint:
        """Give where a pixel of the picture is on the canvas."""
        return self.editor.canvas.to_widget(x, y).toPoint()

    def stroke(self, *points: tuple[float, float], keys: Qt.KeyboardModifier = NO) -> None:
        """Draw over the picture."""
        canvas = self.editor.canvas
        self.qtbot.mousePress(canvas, LEFT, keys, self.at(*points[0]))
        for point in points[1:]:
            self.qtbot.mouseMove(canvas, self.at(*point))
        self.qtbot.mouseRelease(canvas, LEFT, keys, self.at(*points[-1]))

    def settle(self) -> None:
        """Wait for what goes on in the background."""
        self.qtbot.waitUntil(lambda: not self.background.running, timeout=PATIENCE_MS)


@pytest.fixture
def opened(background: Background, qtbot: QtBot) -> Iterator[Opened]:
    """Give an open editor."""
    made = Opened(background, qtbot)
    yield made
    made.settle()
    made.session.deleteLater()
    assert made.failures == []


@pytest.mark.parametrize(("platform", "key"), [("darwin", "hold ⌥ and"), ("linux", "hold Alt and")])
def test_the_hint_names_the_key_as_the_keyboard_does(
    opened: Opened, platform: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_editor, "sys", SimpleNamespace(platform=platform))
    opened.editor.crop_button.click()
    opened.editor.cut_button.click()
    assert key in opened.editor.hint.text()


def test_a_crop_is_dragged_by_its_corner_and_kept_in_one_step(opened: Opened) -> None:
    opened.stroke((0, 0), (20, 10))
    opened.editor.name.setText("orange disc")
    opened.editor.role.setCurrentIndex(3)
    assert opened.reference.crop is None
    opened.editor.accept()
    opened.settle()
    assert opened.session.history.labels[0] == ["Edit reference"]
    assert (opened.reference.name, opened.reference.role) == ("orange disc", "pattern")
    crop = opened.reference.crop
    assert crop is not None
    assert np.abs(np.subtract(crop, (20, 10, WIDTH - 20, HEIGHT - 10))).max() <= 1
    assert reference_pixels(opened.session.state, opened.reference.id)[0].shape[:2] == (crop[3], crop[2])


def test_keys_crop_and_a_double_click_takes_all_again(opened: Opened, qtbot: QtBot) -> None:
    canvas = opened.editor.canvas
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Left, ALT | Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert canvas.crop == Rect(1, 0, WIDTH - 10, HEIGHT)
    qtbot.mouseDClick(canvas, LEFT, NO, opened.at(40, 40))
    assert canvas.crop == Rect(0, 0, WIDTH, HEIGHT)


def test_nothing_changes_where_nothing_was_done_or_cancel_is_pressed(opened: Opened) -> None:
    before = opened.session.state
    opened.editor.accept()
    opened.settle()
    assert opened.session.state is before
    opened.editor = opened.again()
    opened.stroke((0, 0), (30, 30))
    opened.editor.reject()
    opened.settle()
    assert opened.session.state is before


def test_a_scribble_cuts_the_object_out(opened: Opened, qtbot: QtBot) -> None:
    editor = opened.editor
    editor.cut_button.click()
    opened.stroke((40, 40), (50, 50), (60, 45))
    assert not editor.accept_button.isEnabled(), "not before the scribble is understood"
    qtbot.waitUntil(editor.accept_button.isEnabled, timeout=PATIENCE_MS)
    assert editor.accept_button.isDefault(), "Return is Done again, and not Cancel"
    editor.accept()
    opened.settle()
    _, mask = reference_pixels(opened.session.state, opened.reference.id)
    assert mask is not None
    assert ((mask > 127) != DISC).mean() < 0.03
    assert opened.session.history.labels[0] == ["Edit reference"]


def test_scribbles_are_taken_back_and_started_over(opened: Opened, qtbot: QtBot) -> None:
    editor = opened.editor
    editor.cut_button.click()
    editor.automatic_button.click()
    qtbot.waitUntil(editor.accept_button.isEnabled, timeout=PATIENCE_MS)
    with qtbot.waitActive(editor):
        editor.activateWindow()
    qtbot.keySequence(editor, QKeySequence(QKeySequence.StandardKey.Undo))
    qtbot.waitUntil(editor.accept_button.isEnabled, timeout=PATIENCE_MS)
    before = opened.session.state
    editor.accept()
    opened.settle()
    assert not opened.reference.has_mask
    assert references_of(before) == references_of(opened.session.state)


def test_a_mask_is_taken_away_again(opened: Opened, qtbot: QtBot) -> None:
    editor = opened.editor
    editor.cut_button.click()
    editor.automatic_button.click()
    qtbot.waitUntil(editor.accept_button.isEnabled, timeout=PATIENCE_MS)
    editor.accept()
    opened.settle()
    assert opened.reference.has_mask
    opened.editor = opened.again()
    opened.editor.cut_button.click()
    opened.editor.again_button.click()
    opened.editor.accept()
    opened.settle()
    assert not opened.reference.has_mask


def test_a_background_scribble_keeps_something_out() -> None:
    pixels = picture()
    two = pixels.copy()
    two[:, 80:] = pixels[45, 50]  # an orange bar that touches nothing
    whole = cut_out(two, (Scribble(((40, 45), (60, 45))), Scribble(((90, 10), (110, 80)), background=True)))
    assert whole[45, 50] == 255
    assert whole[45, 100] == 0
    assert not cut_out(pixels, ()).any()


def test_large_pictures_are_worked_on_small_and_masks_come_back_large() -> None:
    large = np.zeros((LONGEST * 2, 100, 4), np.uint8)
    assert working_copy(large).shape == (LONGEST, 50, 4)
    small = np.zeros((10, 10, 4), np.uint8)
    assert working_copy(small) is small
    mask = np.zeros((50, 25), np.uint8)
    mask[:, 12:] = 255
    assert enlarged(mask, 100, 200).shape == (200, 100)
    assert enlarged(mask, 100, 200)[100].tolist()[0::99] == [0, 255]
    assert all(0 <= x < 60 and 0 <= y < 40 for x, y in automatic(np.zeros((40, 60, 4), np.uint8)).points)
