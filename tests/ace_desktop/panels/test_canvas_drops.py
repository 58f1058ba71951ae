"""What is dropped on the canvas: a picture asks what it becomes, a card is placed where it falls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMainWindow
from pytestqt.qtbot import QtBot

from ace_desktop.background import Background
from ace_desktop.canvas.view import CanvasView
from ace_desktop.document.edit import mask_box, settings_of
from ace_desktop.document.references import add_reference, references_of
from ace_desktop.document.state import RasterLayer
from ace_desktop.panels.canvas_drops import CanvasDrops
from ace_desktop.panels.drop_choice import DropChoice
from ace_desktop.panels.reference_model import REFERENCE_MIME
from ace_desktop.places import resources
from ace_desktop.session import Session
from ace_desktop.settings import Kept
from tests.ace_desktop.small_document import HEIGHT, WIDTH, small_document

GEM = resources() / "samples" / "reference-reference-1.png"
NO, LEFT = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
COPY = Qt.DropAction.CopyAction
PATIENCE_MS = 30_000


class Canvas:
    """A window with a view of a small document at 400 %, and what is dragged over it."""

    def __init__(self, background: Background, kept: Kept) -> None:
        state = small_document()
        round_mask = np.zeros((8, 16), np.uint8)
        round_mask[2:6, 4:12] = 255
        picture = np.full((8, 16, 4), (250, 200, 40, 255), np.uint8)
        state = add_reference(state, picture, "coin", mask=round_mask)
        state = add_reference(state, picture, "other")
        self.session = Session(state)
        self.window = QMainWindow()
        self.view = CanvasView(self.session, self.window)
        self.window.setCentralWidget(self.view)
        self.window.resize(700, 500)
        self.window.show()
        self.view.zoom_to(4.0)
        self.drops = CanvasDrops(self.view, self.session, background, kept)
        self.failures: list[Exception] = []
        self.drops.failed.connect(self.failures.append)
        self.card = QMimeData()
        self.card.setData(REFERENCE_MIME, references_of(state)[0].id.encode())

    def at(self, x: float, y: float) -> QPoint:
        """Give where a document point is in the view."""
        return self.view.transform.to_view(x, y).toPoint()

    def drag(self, data: QMimeData, x: float, y: float) -> bool:
        """Drag something over the view, and tell whether it would take it."""
        enter = QDragEnterEvent(self.at(x, y), COPY, data, LEFT, NO)
        QApplication.sendEvent(self.view, enter)
        move = QDragMoveEvent(self.at(x, y), COPY, data, LEFT, NO)
        QApplication.sendEvent(self.view, move)
        return enter.isAccepted() and move.isAccepted()

    def drop(self, data: QMimeData, x: float, y: float) -> None:
        """Drag something over the view and let go."""
        self.drag(data, x, y)
        QApplication.sendEvent(self.view, QDropEvent(QPointF(self.at(x, y)), COPY, data, LEFT, NO))


@pytest.fixture
def canvas(background: Background, qtbot: QtBot, tmp_path: Path) -> Iterator[Canvas]:
    """Give the window."""
    kept = Kept(tmp_path / "settings.json")
    made = Canvas(background, kept)
    qtbot.addWidget(made.window)
    yield made
    qtbot.waitUntil(lambda: not background.running, timeout=PATIENCE_MS)
    made.session.deleteLater()
    kept.flush()
    kept.deleteLater()


def file_of(path: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    return data


def asked(canvas: Canvas) -> DropChoice:
    assert canvas.drops.asking is not None
    return canvas.drops.asking


def test_an_outline_follows_a_card_and_goes_with_it(canvas: Canvas, qtbot: QtBot, background: Background) -> None:
    ghost = canvas.drops.ghost
    assert canvas.drag(canvas.card, 30, 20)
    assert ghost.isVisible()
    qtbot.waitUntil(lambda: not background.running, timeout=PATIENCE_MS)
    before = ghost.grab().toImage()
    canvas.drag(canvas.card, 34, 24)
    assert ghost.at == QPointF(canvas.at(34, 24))
    assert ghost.grab().toImage() != before
    QApplication.sendEvent(canvas.view, QDragLeaveEvent())
    assert not ghost.isVisible()


def test_a_card_is_placed_where_it_falls_ready_to_run(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.drag(canvas.card, 20, 24)
    with qtbot.waitSignal(canvas.drops.placed, timeout=PATIENCE_MS):
        canvas.drop(canvas.card, 20, 24)
    state = canvas.session.state
    assert not canvas.drops.ghost.isVisible()
    assert canvas.session.history.undo_label == "Place reference"
    assert settings_of(state).task == "reference"
    assert [reference.on for reference in references_of(state)] == [True, False]
    content = state.edit_mask.content()
    assert abs(content.x + content.width / 2 - 20) <= 1
    assert abs(content.y + content.height / 2 - 24) <= 1
    assert content.width < 16, "the mask is the outline of what counts, not of the picture"
    canvas.session.undo()
    assert settings_of(canvas.session.state).task is None


def test_a_card_that_falls_beside_the_picture_goes_to_its_border(canvas: Canvas, qtbot: QtBot) -> None:
    with qtbot.waitSignal(canvas.drops.placed, timeout=PATIENCE_MS):
        canvas.drop(canvas.card, WIDTH + 15, HEIGHT + 10)
    assert canvas.session.state.edit_mask.content()
    assert canvas.failures == []


def test_a_card_is_placed_without_a_mouse_where_the_person_looks(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.view.fit()
    with qtbot.waitSignal(canvas.drops.placed, timeout=PATIENCE_MS):
        canvas.drops.place_in_view(references_of(canvas.session.state)[0].id)
    content = canvas.session.state.edit_mask.content()
    assert abs(content.x + content.width / 2 - WIDTH / 2) <= 1
    assert abs(content.y + content.height / 2 - HEIGHT / 2) <= 1


def test_a_card_of_another_document_does_nothing(canvas: Canvas) -> None:
    canvas.card.setData(REFERENCE_MIME, b"unknown")
    before = canvas.session.state
    canvas.drag(canvas.card, 20, 20)
    assert not canvas.drops.ghost.isVisible()
    canvas.drop(canvas.card, 20, 20)
    assert canvas.session.state is before


@pytest.mark.parametrize("choice", ["layer", "reference", "place"])
def test_a_picture_becomes_what_is_chosen(canvas: Canvas, qtbot: QtBot, choice: str) -> None:
    before = canvas.session.state
    data = file_of(GEM)
    assert canvas.drag(data, 30, 20)
    canvas.drop(data, 30, 20)
    assert canvas.session.state is before, "nothing happens until it was chosen"
    qtbot.mouseClick(asked(canvas).buttons[choice], LEFT)
    qtbot.waitUntil(lambda: canvas.session.state is not before, timeout=PATIENCE_MS)
    state = canvas.session.state
    assert (len(state.layers) == len(before.layers) + 1) == (choice == "layer")
    assert (len(references_of(state)) == 3) == (choice != "layer")
    assert (settings_of(state).task == "reference") == (choice == "place")
    if choice == "layer":
        layer = state.layers[-1]
        assert isinstance(layer, RasterLayer)
        seen = layer.pixels.content().moved(layer.x, layer.y)
        assert (layer.name, layer.id) == (GEM.stem, state.active)
        assert abs(seen.x + seen.width / 2 - 30) <= 1
        assert seen.height <= HEIGHT


def test_the_last_choice_is_taken_with_return(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.drop(file_of(GEM), 30, 20)
    first = asked(canvas)
    qtbot.keyClick(first, Qt.Key.Key_Down)
    qtbot.keyClick(first, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(references_of(canvas.session.state)) == 3, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: canvas.drops.asking is None)
    canvas.drop(file_of(GEM), 30, 20)
    qtbot.keyClick(asked(canvas), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(references_of(canvas.session.state)) == 4, timeout=PATIENCE_MS)


def test_esc_and_a_press_elsewhere_leave_the_document_as_it_is(canvas: Canvas, qtbot: QtBot) -> None:
    before = canvas.session.state
    canvas.drop(file_of(GEM), 30, 20)
    qtbot.keyClick(asked(canvas), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: canvas.drops.asking is None)
    canvas.drop(file_of(GEM), 30, 20)
    qtbot.mousePress(canvas.view, LEFT, pos=QPoint(5, 5))
    qtbot.mouseRelease(canvas.view, LEFT, pos=QPoint(5, 5))
    qtbot.waitUntil(lambda: canvas.drops.asking is None)
    assert canvas.session.state is before


def test_several_pictures_come_in_one_step_each_as_a_layer(canvas: Canvas, qtbot: QtBot) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(GEM)), QUrl.fromLocalFile(str(GEM))])
    canvas.drop(data, 30, 20)
    assert set(asked(canvas).buttons) == {"layer", "reference"}, "only one thing can be blended in at a place"
    asked(canvas).buttons["layer"].click()
    qtbot.waitUntil(lambda: len(canvas.session.state.layers) == 4, timeout=PATIENCE_MS)
    assert canvas.session.history.labels[0] == ["Place picture"]


def test_documents_and_broken_pictures(canvas: Canvas, qtbot: QtBot, tmp_path: Path) -> None:
    assert not canvas.drag(file_of(tmp_path / "work.ora"), 10, 10), "the window opens documents"
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    canvas.drop(file_of(broken), 30, 20)
    before = canvas.session.state
    asked(canvas).buttons["layer"].click()
    qtbot.waitUntil(lambda: bool(canvas.failures), timeout=PATIENCE_MS)
    assert "broken.png" in str(canvas.failures[0])
    assert canvas.session.state is before


def test_what_is_dropped_while_a_mask_is_shown_alone_goes_into_the_document(canvas: Canvas, qtbot: QtBot) -> None:
    shown = Session(small_document(), parent=canvas.session)
    canvas.view.set_session(shown)
    before = shown.state
    canvas.drop(canvas.card, 20, 15)
    qtbot.waitUntil(lambda: bool(mask_box(canvas.session.state)), timeout=PATIENCE_MS)
    assert shown.state is before
