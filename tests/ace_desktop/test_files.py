"""Opening, saving, exporting and closing with real files, and that nothing is lost on the way."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QCoreApplication, QMimeData, QPoint, QPointF, Qt, QUrl, qVersion
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QFileOpenEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from ace_desktop.app import begin
from ace_desktop.commands.file import save
from ace_desktop.desktop import Desktop, FileOpenEvents
from ace_desktop.document.compose import compose
from ace_desktop.document.edit import project_of
from ace_desktop.document.equality import equal
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.opening import open_document
from ace_desktop.document.tree import with_properties
from ace_desktop.dragging import WithFile, layers_as_png
from ace_desktop.export_dialog import ExportDialog
from ace_desktop.main_window import MainWindow
from ace_desktop.panels.layer_model import LAYER_MIME
from ace_desktop.session import Session
from tests.ace_desktop.document.made_up_results import made_up
from tests.ace_desktop.small_document import small_document


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "holiday.png"
    Image.new("RGB", (40, 30), (200, 120, 10)).save(file)
    return file


def session_of(window: MainWindow) -> Session:
    assert window.session is not None
    return window.session


def choose_file(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.findChild(QFileDialog) is not None)
    dialog = window.findChild(QFileDialog)
    assert isinstance(dialog, QFileDialog)
    dialog.setDirectory(str(path.parent))
    dialog.selectFile(path.name)
    dialog.accept()


def answer(window: MainWindow, text: str, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "close") is not None)
    box = window.findChild(QMessageBox, "close")
    assert isinstance(box, QMessageBox)
    next(button for button in box.findChildren(QPushButton) if button.text() == text).click()


def test_a_file_is_open_once_by_whatever_name_and_however_often_it_is_asked_for(
    desktop: Desktop, picture: Path, qtbot: QtBot
) -> None:
    window = desktop.new_window()
    link = picture.with_name("link.png")
    link.symlink_to(picture)
    for path in (picture, picture, link):  # before the first is read
        desktop.open(path, window)
    qtbot.waitUntil(lambda: not desktop.background.running)
    desktop.open(link)
    qtbot.waitUntil(lambda: not desktop.background.running)
    assert [other.session.path for other in desktop.windows if other.session] == [picture]
    desktop.open(picture.with_name("missing.png"), window)
    qtbot.waitUntil(lambda: "missing.png" in window.message.label.text())
    assert len(desktop.windows) == 1


def test_open_fills_an_empty_window_and_then_takes_another(desktop: Desktop, picture: Path, qtbot: QtBot) -> None:
    window = desktop.new_window()
    window.run("file.open")
    choose_file(window, picture, qtbot)
    qtbot.waitUntil(lambda: window.session is not None)
    assert window.windowFilePath() == str(picture)
    assert desktop.kept.value.recent == (str(picture),)
    other = picture.with_name("other.png")
    Image.new("RGB", (10, 10)).save(other)
    desktop.open(other, window)
    qtbot.waitUntil(lambda: len(desktop.windows) == 2)
    desktop.open(picture, window)
    qtbot.wait(50)
    assert len(desktop.windows) == 2, "an open file is not opened twice"


def test_what_cannot_be_opened_is_said_in_a_sentence_with_details(
    desktop: Desktop, tmp_path: Path, qtbot: QtBot
) -> None:
    window = desktop.new_window()
    desktop.open(tmp_path / "gone.png", window)
    qtbot.waitUntil(lambda: not window.message.isHidden())
    text = window.message.label.text()
    assert "gone.png" in text
    assert "Traceback" not in text
    copy = next(button for button in window.message.findChildren(QPushButton) if button.text() == "Copy details")
    copy.click()
    assert "Traceback" in QGuiApplication.clipboard().text()
    assert window.session is None


def test_save_as_writes_the_project_and_the_title_follows(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    window.run("layer.new")
    qtbot.waitUntil(window.isWindowModified)
    window.run("file.save")
    choose_file(window, tmp_path / "portrait.ora", qtbot)
    qtbot.waitUntil(lambda: session_of(window).path is not None)
    qtbot.waitUntil(lambda: not window.isWindowModified())
    assert window.windowTitle().startswith("portrait.ora")
    assert equal(open_document(tmp_path / "portrait.ora"), session_of(window).state)


def test_a_copy_has_results_of_its_own_and_undo_does_not_lead_back(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    """What is made and deleted in the copy is not in the file that it was made of, and the other way round."""
    editing, stores = window.editing, window.desktop.results
    assert editing is not None
    kept = editing.results.add(*made_up())

    def save_there(name: str) -> str:
        window.run("file.save_as")
        choose_file(window, tmp_path / name, qtbot)
        qtbot.waitUntil(lambda: not window.saving and session_of(window).path == tmp_path / name)
        qtbot.waitUntil(lambda: not window.desktop.background.running)
        return editing.document

    window.run("layer.new")
    first = editing.document
    assert save_there("first.ora") == first, "a first save is no copy"
    copy = save_there("copy.ora")
    assert copy != first
    assert not window.isWindowModified()
    assert project_of(session_of(window).state) == copy
    assert stores.of(copy) is editing.results
    window.run("edit.undo")
    window.run("file.save")
    qtbot.waitUntil(lambda: not window.saving and not window.desktop.background.running)
    assert project_of(open_document(tmp_path / "copy.ora")) == copy
    editing.results.delete(kept.id)
    editing.purge([kept.id])
    qtbot.waitUntil(lambda: not window.desktop.background.running)
    original = stores.of(first)
    original.load()
    assert original.patch(kept.id)
    assert project_of(open_document(tmp_path / "first.ora")) == first


def test_a_file_that_another_window_shows_is_not_saved_over(desktop: Desktop, tmp_path: Path, qtbot: QtBot) -> None:
    first, second = desktop.new_window(Session(small_document())), desktop.new_window(Session(small_document()))
    path = tmp_path / "a.ora"

    def save_there(window: MainWindow) -> None:
        window.run("file.save_as")
        dialog = window.findChild(QFileDialog)
        assert dialog is not None
        dialog.fileSelected.emit(str(path))  # past the question whether the file may be replaced
        dialog.close()
        qtbot.waitUntil(lambda: window.findChild(QFileDialog) is None)
        qtbot.waitUntil(lambda: not desktop.background.running and not window.saving)

    save_there(first)
    assert session_of(first).path == path
    before = path.read_bytes()
    save_there(second)
    assert "open in another window" in second.message.label.text()
    assert session_of(second).path is None
    assert path.read_bytes() == before
    save_there(first)  # its own file is another matter
    assert first.message.isHidden()


def test_what_is_drawn_while_saving_stays_unsaved(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    session = session_of(window)
    saved = session.state
    session.saved(session.state, tmp_path / "a.ora")
    session.do("Rename layer", with_properties(session.state, "above", name="one"))
    written = session.state
    done: list[bool] = []
    save(window, lambda: done.append(True))
    session.do("Rename layer", with_properties(session.state, "above", name="two"))
    qtbot.waitUntil(lambda: bool(done))
    assert equal(open_document(tmp_path / "a.ora"), written)
    assert session.modified
    session.undo()
    assert not session.modified
    assert saved is not written


def test_closing_unmodified_asks_nothing(desktop: Desktop, window: MainWindow) -> None:
    window.close()
    assert desktop.windows == []


def test_closing_asks_and_cancel_keeps_the_window(desktop: Desktop, window: MainWindow, qtbot: QtBot) -> None:
    window.run("layer.new")
    window.close()
    answer(window, "Cancel", qtbot)
    assert desktop.windows == [window]
    assert window.isVisible()
    window.close()
    answer(window, "Don't save", qtbot)
    qtbot.waitUntil(lambda: desktop.windows == [])


def test_closing_saves_before_it_goes(desktop: Desktop, window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    file = tmp_path / "kept.ora"
    session_of(window).saved(session_of(window).state, file)
    window.run("layer.new")
    wanted = session_of(window).state
    window.close()
    answer(window, "Save", qtbot)
    qtbot.waitUntil(lambda: desktop.windows == [])
    assert equal(open_document(file), wanted)


def test_a_failed_save_keeps_window_and_work(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    session_of(window).saved(session_of(window).state, tmp_path / "missing" / "a.ora")
    window.run("layer.new")
    window.close()
    answer(window, "Save", qtbot)
    qtbot.waitUntil(lambda: not window.message.isHidden())
    assert window.isVisible()
    assert session_of(window).modified


def test_revert_can_be_undone(desktop: Desktop, picture: Path, qtbot: QtBot) -> None:
    window = desktop.new_window()
    desktop.open(picture, window)
    qtbot.waitUntil(lambda: window.session is not None)
    window.run("layer.new")
    changed = session_of(window).state
    window.run("file.revert")
    qtbot.waitUntil(lambda: len(session_of(window).state.layers) == 1)
    assert not session_of(window).modified
    session_of(window).undo()
    assert session_of(window).state is changed


def test_export_says_what_is_lost_and_writes_the_picture(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    window.run("file.export")
    dialog = window.findChild(ExportDialog)
    assert isinstance(dialog, ExportDialog)
    dialog.kind.setCurrentIndex(dialog.kind.findData("jpeg"))
    assert "What is transparent becomes white." in dialog.losses_label.text()
    dialog.kind.setCurrentIndex(dialog.kind.findData("png"))
    assert "transparent" not in dialog.losses_label.text()
    dialog.percent.setValue(50)
    assert dialog.size_label.text() == "32 × 24 px"
    dialog.accept()
    file = tmp_path / "small.png"
    choose_file(window, file, qtbot)
    qtbot.waitUntil(lambda: file.exists() and not window.desktop.background.running)
    with Image.open(file) as written:
        assert written.size == (32, 24)
    assert window.status.message.text() == "Exported small.png."


def entering(data: QMimeData) -> QDragEnterEvent:
    """Make the event of a drag that enters; from Qt 6.12 on its place is a QPointF."""
    pointed = tuple(map(int, qVersion().split(".")[:2])) >= (6, 12)
    where: Any = QPointF(300, 300) if pointed else QPoint(300, 300)
    keys = Qt.KeyboardModifier.NoModifier
    return QDragEnterEvent(where, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, keys)


def test_a_dropped_file_is_opened(desktop: Desktop, picture: Path, qtbot: QtBot) -> None:
    window = desktop.new_window()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(picture))])
    enter = entering(data)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    keys = Qt.KeyboardModifier.NoModifier
    drop = QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, keys)
    QApplication.sendEvent(window, drop)
    qtbot.waitUntil(lambda: window.session is not None)


def test_words_are_not_taken_as_a_drop(desktop: Desktop) -> None:
    window = desktop.new_window()
    data = QMimeData()
    data.setText("hello")
    enter = entering(data)
    enter.ignore()
    QApplication.sendEvent(window, enter)
    assert not enter.isAccepted()


def test_files_that_the_system_asks_for_before_the_window_exists_are_opened(
    qapp: QApplication, desktop: Desktop, picture: Path, qtbot: QtBot
) -> None:
    events = FileOpenEvents(qapp)
    try:
        QApplication.sendEvent(qapp, QFileOpenEvent(str(picture)))
        begin(desktop, events, [])
        qtbot.waitUntil(lambda: any(window.session is not None for window in desktop.windows))
        later = picture.with_name("later.png")
        Image.new("RGB", (10, 10)).save(later)
        QApplication.sendEvent(qapp, QFileOpenEvent(str(later)))
        qtbot.waitUntil(lambda: len(desktop.windows) == 2)
        assert {session_of(window).path for window in desktop.windows} == {picture, later}
    finally:
        qapp.removeEventFilter(events)
        events.deleteLater()


def test_a_drag_carries_a_file_that_is_written_meanwhile(desktop: Desktop) -> None:
    window = desktop.show(Session(small_document()))
    assert window.layers is not None
    window.layers.view.setCurrentIndex(window.layers.model.index(0, 0))
    data = window.layers.view.drag_data()
    assert {LAYER_MIME, "text/uri-list"} <= set(data.formats())
    assert data.hasUrls()
    assert bytes(data.data(LAYER_MIME).data()).decode() == window.layers.selected()[0]
    QCoreApplication.processEvents()  # as the drag does when it has begun
    urls = data.urls()  # waits for the file
    assert len(urls) == 1, (window.message.label.text(), desktop.background.running)
    with Image.open(urls[0].toLocalFile()) as written:
        assert written.size == (64, 48)


def test_a_file_that_cannot_be_written_leaves_the_rest_of_a_drag(desktop: Desktop, qtbot: QtBot) -> None:
    other = QMimeData()
    other.setText("layers")
    said: list[str] = []

    def make() -> QUrl:
        raise DocumentError("the disk is full; free some room")

    data = WithFile(other, make, desktop.background, lambda error: said.append(str(error)), desktop)
    assert data.urls() == []
    assert data.text() == "layers"
    qtbot.waitUntil(lambda: bool(said))
    assert said == ["the disk is full; free some room"]


def test_a_drag_begins_without_waiting_for_its_file(desktop: Desktop, qtbot: QtBot, tmp_path: Path) -> None:
    """MacOS asks how many files there are before the first movement, and once more where they are dropped."""
    go_on = threading.Event()
    where = tmp_path / "above.png"

    def make() -> QUrl | None:
        go_on.wait(20)
        return layers_as_png(small_document(), ["above"], tmp_path)

    data = WithFile(QMimeData(), make, desktop.background, lambda _: None, desktop, where)
    assert data.urls() == [QUrl.fromLocalFile(str(where))]
    assert not where.exists()
    QCoreApplication.processEvents()
    go_on.set()
    (url,) = data.urls()
    assert Path(url.toLocalFile()).exists(), "whoever asks later gets a file that is there"
    qtbot.waitUntil(lambda: not desktop.background.running)


def test_copy_cut_and_paste_by_their_actions(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.show(Session(small_document()))
    with qtbot.waitActive(window):
        window.activateWindow()
    window.view.setFocus()
    assert window.session is not None
    before = compose(window.session.state)
    for action in ("edit.copy", "edit.cut"):
        window.run(action)
        assert window.held
        qtbot.waitUntil(lambda: not window.held)
        assert window.view.hasFocus()
    assert window.session.history.labels[0] == ["Cut"]
    assert not np.array_equal(compose(window.session.state), before)
    window.run("edit.paste")
    assert window.session.history.labels[0] == ["Cut", "Paste"]
    QGuiApplication.clipboard().clear()


def test_a_dragged_layer_is_a_png_of_what_it_shows(tmp_path: Path) -> None:
    url = layers_as_png(small_document(), ["above"], tmp_path)
    assert url is not None
    with Image.open(url.toLocalFile()) as written:
        pixels = np.asarray(written.convert("RGBA"))
    assert pixels.shape == (48, 64, 4)
    assert tuple(pixels[26, 26]) == (220, 30, 30, 255)
    assert pixels[10, 10, 3] == 0, "the mask hides it"
