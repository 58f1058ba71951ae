"""Actions of the file menu: opening, saving, exporting, closing. Files are read and written in threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox

from ..dialogs import ask_size, question
from ..document.plane import Plane
from ..document.state import RasterLayer, State, new_id
from ..session import Session
from ..translation import tr
from .doing import Command, in_front, session_of

if TYPE_CHECKING:
    from ..document.openraster_write import Saved
    from ..main_window import MainWindow

PROJECT = ".ora"
READABLE = ("ora", "psd", "psb", "png", "jpg", "jpeg", "webp", "tif", "tiff", "avif", "heic", "heif")
NEW_SIZE = (1536, 1024)


def _new(window: MainWindow) -> None:
    def make(width: int, height: int) -> None:
        layer = RasterLayer(pixels=Plane(4), name=tr("Layer {number}", number=1))
        state = State(width=width, height=height, layers=(layer,), active=layer.id)
        window.desktop.show(Session(state), window)

    ask_size(window, tr("New picture"), NEW_SIZE, make, linked=False)


def new_from_clipboard(window: MainWindow) -> None:
    """Make a document of the picture on the clipboard."""
    from ..canvas.clipboard import new_state

    state = new_state(tr("Pasted"))
    if state is not None:
        window.desktop.show(Session(state), window)


def _open(window: MainWindow) -> None:
    dialog = _dialog(window, tr("Open"), QFileDialog.AcceptMode.AcceptOpen)
    patterns = " ".join(f"*.{suffix}" for suffix in READABLE)
    dialog.setNameFilters([f"{tr('Pictures and projects')} ({patterns})", f"{tr('All files')} (*)"])
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)

    def chosen(names: list[str]) -> None:
        for name in names:
            window.desktop.open(Path(name), window)

    dialog.filesSelected.connect(chosen)
    dialog.open()


def _dialog(window: MainWindow, title: str, mode: QFileDialog.AcceptMode) -> QFileDialog:
    dialog = QFileDialog(window, title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(mode)
    folder = (
        window.session.path.parent if window.session and window.session.path else window.desktop.kept.value.folder
    )
    if folder:
        dialog.setDirectory(str(folder))
    return dialog


def _save(window: MainWindow) -> None:
    save(window)


def _save_as(window: MainWindow) -> None:
    save_as(window)


def nothing() -> None:
    """Go on with nothing after a save."""


def save(window: MainWindow, then: Callable[[], None] = nothing) -> None:
    """Save to the document's own project file, or ask for one; `then` is called when it is safe on disk."""
    path = session_of(window).path
    if path is None or path.suffix.lower() != PROJECT:
        save_as(window, then)
    else:
        _write(window, path, then)


def save_as(window: MainWindow, then: Callable[[], None] = nothing) -> None:
    """Ask for a file and save the project there."""
    dialog = _dialog(window, tr("Save as"), QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters([f"{tr('OpenRaster project')} (*{PROJECT})"])
    dialog.setDefaultSuffix(PROJECT.removeprefix("."))
    dialog.selectFile(window.name + PROJECT)

    def chosen(name: str) -> None:
        path = Path(name)
        if window.desktop.showing(path) not in (None, window):  # each would save over the other from then on
            window.message.say(tr("“{name}” is open in another window. Choose another name.", name=path.name))
            window.desktop.stay()
        else:
            _write(window, path, then)

    dialog.fileSelected.connect(chosen)
    dialog.open()


def _write(window: MainWindow, path: Path, then: Callable[[], None]) -> None:
    """Save the state as it is now; what is drawn meanwhile is not part of it and stays unsaved."""
    from ..document.projects import save_project

    session = session_of(window)
    if window.saving:
        window.status.say(tr("Saving is still going on."))
        return
    state, before, results = session.history.state, window.last_save, window.desktop.results
    named = state if window.editing is None else window.editing.named(state)
    copied = session.path is not None and path.absolute() != session.path.absolute()
    copy = new_id() if copied else None  # results that are deleted in one are not deleted in the other
    window.saving = True
    window.status.say(tr("Saving {name}…", name=path.name))

    def done(written: Saved) -> None:
        window.saving = False
        window.last_save = written
        session.saved(state, path)
        if copy is not None and window.editing is not None and window.session is session:
            window.editing.become(copy)
        window.desktop.kept.set(window.desktop.kept.value.with_recent(path))
        window.status.say(tr("Saved {name}.", name=path.name))
        then()

    def failed(error: Exception) -> None:
        window.saving = False
        window.fail(error)

    window.desktop.background.run(lambda: save_project(path, named, results, before, copy), done, failed, session)


def _revert(window: MainWindow) -> None:
    path = session_of(window).path
    if path is None:
        return

    def done(state: State) -> None:
        session = session_of(window)
        session.do("Revert to saved", state)
        session.saved(state, path)

    window.desktop.read(path, done, window)


def _export(window: MainWindow) -> None:
    from ..export_dialog import ExportDialog

    ExportDialog(window).open()


def ask_to_close(window: MainWindow) -> bool:
    """Ask what to do with unsaved work before a window closes; False where there is nothing to ask."""
    session = window.session
    if window.saving:
        window.status.say(tr("Saving is still going on."))
        return True
    if window.editing is not None and any(job.phase in ("running", "waiting") for job in window.editing.jobs):
        _ask_to_stop(window)
        return True
    if session is None or not session.modified:
        return False
    if window.findChild(QMessageBox, "close") is not None:
        return True
    box = question(
        window,
        "close",
        tr("Save the changes to “{name}”?", name=window.name),
        tr("They are lost if you don't save them."),
    )
    save_button = box.addButton(tr("Save"), QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton(tr("Don't save"), QMessageBox.ButtonRole.DestructiveRole)
    cancel = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(save_button)
    box.setEscapeButton(cancel)

    def close() -> None:
        window.closing = True
        window.close()

    def answered() -> None:
        if box.clickedButton() is save_button:
            save(window, close)
        elif box.clickedButton() is discard:
            close()
        else:
            window.desktop.stay()

    box.finished.connect(answered)
    box.open()
    return True


def _ask_to_stop(window: MainWindow) -> None:
    """Ask whether an edit that is on its way may be stopped, so that the window can close."""
    if window.findChild(QMessageBox, "stop") is not None:
        return
    box = question(
        window,
        "stop",
        tr("“{name}” is being edited. Stop the edit?", name=window.name),
        tr("What it has made so far stays in the results."),
    )
    stop = box.addButton(tr("Stop and close"), QMessageBox.ButtonRole.DestructiveRole)
    wait = box.addButton(tr("Keep editing"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(wait)
    box.setEscapeButton(wait)

    def answered() -> None:
        if box.clickedButton() is not stop:
            window.desktop.stay()
        elif window.editing is not None:
            window.editing.cancel()
            window.close()

    box.finished.connect(answered)
    box.open()


def _close(window: MainWindow) -> None:
    in_front(window).close()


COMMANDS: Mapping[str, Command] = {
    "file.new": _new,
    "file.new_from_clipboard": new_from_clipboard,
    "file.open": _open,
    "file.clear_recent": lambda window: window.desktop.kept.change(recent=()),
    "file.close": _close,
    "file.save": _save,
    "file.save_as": _save_as,
    "file.revert": _revert,
    "file.export": _export,
    "file.quit": lambda window: window.desktop.quit(),
}
