"""Actions of the edit menu."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtGui import QColor

from ..document.state import State
from ..translation import tr
from .doing import Command, active, edit_active_slowly, session_of, work
from .file import new_from_clipboard

if TYPE_CHECKING:
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

    _tell(window, clipboard.cut(session_of(window)))


def _copy(window: MainWindow) -> None:
    from ..canvas import clipboard

    _tell(window, clipboard.copy(session_of(window)))


def _copy_merged(window: MainWindow) -> None:
    from ..canvas import clipboard

    _tell(window, clipboard.copy_merged(session_of(window)))


def _tell(window: MainWindow, copied: bool) -> None:
    if not copied:
        window.status.say(tr("There is nothing here to copy."))


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
