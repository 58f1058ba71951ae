"""Actions of the edit menu."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtGui import QColor

from ..document.state import State
from ..translation import marked, tr
from .doing import Command, active, edit_active_slowly, session_of, work
from .file import new_from_clipboard

if TYPE_CHECKING:
    from ..canvas.clipboard import Taken
    from ..main_window import MainWindow


def _clear(state: State, layer_id: str) -> State:
    from ..document.pixels import clear

    return clear(state, layer_id)


def _fill(window: MainWindow) -> None:
    from ..document.pixels import fill

    layer_id, colour = active(window).id, QColor(window.desktop.colour)
    rgb = colour.red(), colour.green(), colour.blue()
    work(window, "Fill with colour", lambda state: fill(state, layer_id, rgb))


def _palette(window: MainWindow) -> None:
    from ..command_palette import CommandPalette

    CommandPalette(window).open_over(window)


def _preferences(window: MainWindow) -> None:
    window.desktop.show_preferences(window)


def _undo(window: MainWindow) -> None:
    session_of(window).undo()


def _redo(window: MainWindow) -> None:
    session_of(window).redo()


def _cut(window: MainWindow) -> None:
    from ..canvas import clipboard

    _take(window, marked("Cut"), clipboard.cut)


def _copy(window: MainWindow) -> None:
    from ..canvas import clipboard

    _take(window, marked("Copy"), clipboard.copy)


def _copy_merged(window: MainWindow) -> None:
    from ..canvas import clipboard

    _take(window, marked("Copy merged"), clipboard.copy_merged)


def _take(window: MainWindow, label: str, take: Callable[[State], Taken]) -> None:
    """Work out in a thread what is copied, and put it on the clipboard; nothing can be pasted meanwhile."""
    from ..canvas import clipboard

    session = session_of(window)
    before = session.state

    def done(taken: Taken) -> None:
        window.release()
        if taken.clip is None:
            window.status.say(tr("There is nothing here to copy."))
            return
        clipboard.put(taken.clip, taken.image)
        if taken.after is not before and session.state is before:
            session.do(label, taken.after)

    def failed(error: Exception) -> None:
        window.release()
        window.fail(error)

    window.hold(tr(label))
    window.desktop.background.run(lambda: take(before), done, failed, session)


def _paste(window: MainWindow) -> None:
    """Paste into the document, or make one of the picture where the window has none."""
    from ..canvas import clipboard

    if window.session is not None:
        clipboard.paste(window.session, tr("Pasted"))
    else:
        new_from_clipboard(window)


COMMANDS: Mapping[str, Command] = {
    "edit.undo": _undo,
    "edit.redo": _redo,
    "edit.cut": _cut,
    "edit.copy": _copy,
    "edit.copy_merged": _copy_merged,
    "edit.paste": _paste,
    "edit.clear": edit_active_slowly("Delete pixels", _clear),
    "edit.fill": _fill,
    "edit.palette": _palette,
    "edit.preferences": _preferences,
}
