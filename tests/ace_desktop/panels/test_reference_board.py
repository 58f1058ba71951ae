"""The reference board: what is dropped on it becomes references, and everything done there is a step of undo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QModelIndex, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from ace_desktop.background import Background
from ace_desktop.document.references import (
    BoardReference,
    change_reference,
    reference_pixels,
    references_of,
    set_reference_mask,
)
from ace_desktop.panels.layer_model import LAYER_MIME
from ace_desktop.panels.reference_board import ReferenceBoard
from ace_desktop.panels.reference_model import THUMBNAIL
from ace_desktop.panels.reference_row import card_parts
from ace_desktop.places import resources
from ace_desktop.session import Session
from tests.ace_desktop.small_document import small_document

SAMPLES = resources() / "samples"
GEM, FACE = SAMPLES / "reference-reference-1.png", SAMPLES / "portrait-reference-1.png"
PATIENCE_MS = 30_000


@pytest.fixture
def board(qtbot: QtBot, background: Background) -> Iterator[ReferenceBoard]:
    """Give the shown board of a small document."""
    session = Session(small_document())
    made = ReferenceBoard(session, background)
    qtbot.addWidget(made)
    made.resize(296, 300)
    made.show()
    yield made
    qtbot.waitUntil(lambda: not background.running, timeout=PATIENCE_MS)
    session.deleteLater()


def listed(board: ReferenceBoard) -> tuple[BoardReference, ...]:
    return references_of(board.session.state)


def names(board: ReferenceBoard) -> list[str]:
    return [reference.name for reference in listed(board)]


def files(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def drop(board: ReferenceBoard, data: QMimeData, row: int) -> None:
    board.model.dropMimeData(data, Qt.DropAction.CopyAction, row, 0, QModelIndex())


def filled(board: ReferenceBoard, qtbot: QtBot) -> ReferenceBoard:
    """Put the gem and the face on the board."""
    board.add_files([GEM, FACE])
    qtbot.waitUntil(lambda: len(listed(board)) == 2, timeout=PATIENCE_MS)
    return board


def test_an_empty_board_says_what_it_is_for_and_takes_drops(board: ReferenceBoard, qtbot: QtBot) -> None:
    assert board.empty.isVisible()
    assert "Drop a picture" in board.empty.words.text()
    assert not board.remove_button.isEnabled()
    board.empty.dropped.emit(files(GEM))
    qtbot.waitUntil(lambda: names(board) == [GEM.stem], timeout=PATIENCE_MS)
    assert board.view.isVisible()
    assert not board.empty.isVisible()
    assert board.session.history.undo_label == "Add reference"
    board.session.undo()
    assert board.empty.isVisible()


def test_files_are_dropped_between_cards(board: ReferenceBoard, qtbot: QtBot) -> None:
    filled(board, qtbot)
    drop(board, files(SAMPLES / "subject-reference-1.png"), 1)
    qtbot.waitUntil(lambda: len(listed(board)) == 3, timeout=PATIENCE_MS)
    assert names(board) == [GEM.stem, "subject-reference-1", FACE.stem]


def test_a_picture_dropped_beside_the_cards_goes_last(board: ReferenceBoard, qtbot: QtBot) -> None:
    filled(board, qtbot)
    data = files(GEM)
    at = QPoint(40, board.height() - 10)
    copy, left, no = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(board, QDragEnterEvent(at, copy, data, left, no))
    QApplication.sendEvent(board, QDropEvent(QPointF(at), copy, data, left, no))
    qtbot.waitUntil(lambda: names(board) == [GEM.stem, FACE.stem, GEM.stem], timeout=PATIENCE_MS)


def test_a_layer_becomes_a_reference_as_it_is_seen_alone(board: ReferenceBoard, qtbot: QtBot) -> None:
    data = QMimeData()
    data.setData(LAYER_MIME, b"above")
    data.setUrls([QUrl.fromLocalFile(str(GEM))])  # layers carry a file for other programs
    drop(board, data, -1)
    qtbot.waitUntil(lambda: names(board) == ["above"], timeout=PATIENCE_MS)
    pixels, _ = reference_pixels(board.session.state, listed(board)[0].id)
    assert pixels[-1, -1].tolist() == [220, 30, 30, 255]


def test_the_selection_becomes_a_reference_with_its_outline(board: ReferenceBoard, qtbot: QtBot) -> None:
    board.selection_button.click()
    qtbot.waitUntil(lambda: len(listed(board)) == 1, timeout=PATIENCE_MS)
    [reference] = listed(board)
    assert (reference.width, reference.height, reference.has_mask) == (30, 20, True)
    _, mask = reference_pixels(board.session.state, reference.id)
    assert mask is not None
    assert mask.min() == 255


def test_the_clipboard_is_pasted_with_the_key(board: ReferenceBoard, qtbot: QtBot) -> None:
    said: list[str] = []
    board.said.connect(said.append)
    QGuiApplication.clipboard().clear()
    board.paste()
    assert said == ["Copy a picture first."]
    picture = QImage(5, 3, QImage.Format.Format_RGB32)
    picture.fill(0x336699)
    QGuiApplication.clipboard().setImage(picture)
    board.view.setFocus()
    qtbot.keyClick(board.view, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(listed(board)) == 1, timeout=PATIENCE_MS)
    assert (listed(board)[0].width, listed(board)[0].height) == (5, 3)
    QGuiApplication.clipboard().clear()


def test_a_file_that_cannot_be_read_is_said_and_changes_nothing(
    board: ReferenceBoard, qtbot: QtBot, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with qtbot.waitSignal(board.failed, timeout=PATIENCE_MS) as failing:
        board.add_files([broken])
    assert "broken.png" in str(failing.args[0])  # pyright: ignore[reportOptionalSubscript]
    assert listed(board) == ()
    assert board.session.history.undo_label is None
    with qtbot.waitSignal(board.failed, timeout=PATIENCE_MS):
        board.add_files([GEM, broken, FACE])
    qtbot.waitUntil(lambda: names(board) == [GEM.stem, FACE.stem], timeout=PATIENCE_MS)


def test_what_is_drawn_while_a_picture_is_read_stays(board: ReferenceBoard, qtbot: QtBot) -> None:
    board.add_files([GEM])
    state = board.session.state
    board.session.do("Deselect", replace(state, selection=None))
    qtbot.waitUntil(lambda: len(listed(board)) == 1, timeout=PATIENCE_MS)
    assert board.session.state.selection is None
    assert board.session.history.labels[0] == ["Deselect", "Add reference"]


def test_keys_are_enough(board: ReferenceBoard, qtbot: QtBot) -> None:
    filled(board, qtbot)
    view, session = board.view, board.session
    view.setFocus()
    board.view.choose(listed(board)[0].id)
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert [reference.on for reference in listed(board)] == [False, True]
    qtbot.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert names(board) == [FACE.stem, GEM.stem]
    assert board.chosen() == listed(board)[1].id, "the card that was moved stays chosen"
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert names(board) == [FACE.stem]
    assert session.history.labels[0][1:] == [
        "Switch reference on or off",
        "Reorder references",
        "Remove reference",
    ]
    for _ in range(3):
        session.undo()
    assert names(board) == [GEM.stem, FACE.stem]
    assert all(reference.on for reference in listed(board))


def test_a_card_is_renamed_in_place(board: ReferenceBoard, qtbot: QtBot) -> None:
    filled(board, qtbot)
    board.view.edit(board.model.index(0, 0))
    field = board.view.findChild(QLineEdit)
    assert isinstance(field, QLineEdit)
    field.selectAll()
    qtbot.keyClicks(field, "ruby")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: names(board)[0] == "ruby")


def test_the_eye_is_clicked_and_the_role_chosen_in_a_menu(board: ReferenceBoard, qtbot: QtBot) -> None:
    filled(board, qtbot)
    index = board.model.index(1, 0)
    place = card_parts(board.view.visualRect(index))
    qtbot.mouseClick(board.view.viewport(), Qt.MouseButton.LeftButton, pos=place.eye.center())
    assert not listed(board)[1].on
    menu = board.menu_of(listed(board)[1].id)
    with qtbot.waitSignal(board.place_wanted) as placing:
        next(action for action in menu.actions() if action.text() == "Blend into the picture").trigger()
    assert placing.args == [listed(board)[1].id]
    roles = next(action.menu() for action in menu.actions() if action.text() == "Role")
    next(action for action in roles.actions() if action.text() == "Face").trigger()  # pyright: ignore[reportAttributeAccessIssue]
    assert listed(board)[1].role == "face"
    assert board.session.history.undo_label == "Role of the reference"
    menu.deleteLater()


def test_cards_are_dragged_to_another_place(board: ReferenceBoard, qtbot: QtBot) -> None:
    filled(board, qtbot)
    first = board.model.mimeData([board.model.index(0, 0)])
    drop(board, first, 2)
    assert names(board) == [FACE.stem, GEM.stem]
    before = board.session.state
    drop(board, board.model.mimeData([board.model.index(0, 0)]), 1)
    assert board.session.state is before, "where it lies already"


def test_cards_show_what_is_used_of_a_picture(board: ReferenceBoard, qtbot: QtBot) -> None:
    filled(board, qtbot)

    def shown() -> QImage | None:
        found = board.model.data(board.model.index(0, 0), THUMBNAIL)
        return found if isinstance(found, QImage) else None

    qtbot.waitUntil(lambda: shown() is not None, timeout=PATIENCE_MS)
    whole = shown()
    assert whole is not None
    reference = listed(board)[0]
    state = change_reference(board.session.state, reference.id, crop=(0, 0, reference.width, reference.height // 2))
    mask = np.zeros((reference.height, reference.width), np.uint8)
    mask[:, reference.width // 2 :] = 255
    board.session.do("Edit reference", set_reference_mask(state, reference.id, mask))

    def is_cut() -> bool:
        now = shown()
        wider = now is not None and now.width() / now.height() > 1.8 * whole.width() / whole.height()
        return wider and now is not None and now.pixelColor(1, 1).alpha() == 0

    qtbot.waitUntil(is_cut, timeout=PATIENCE_MS)


def test_cards_are_told_to_those_who_hear_the_window(board: ReferenceBoard, qtbot: QtBot) -> None:
    filled(board, qtbot)
    board.flip(listed(board)[0].id)
    spoken = board.model.data(board.model.index(0, 0), Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == f"{GEM.stem}, Object, switched off"
    assert board.view.accessibleName() == "References"
    assert {
        button.accessibleName() for button in (board.add_button, board.selection_button, board.remove_button)
    } == {
        "Add reference",
        "Add selection as reference",
        "Remove reference",
    }
