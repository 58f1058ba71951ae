"""Actions of the view, window and help menus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from ..document.target import EDIT_MASK, Target
from ..document.tree import find
from .doing import Command, in_front, session_of

if TYPE_CHECKING:
    from ..main_window import MainWindow

_STEP = 15.0  # degrees


def _full_screen(window: MainWindow) -> None:
    window.showNormal() if window.isFullScreen() else window.showFullScreen()


def _maximize(window: MainWindow) -> None:
    window.showNormal() if window.isMaximized() else window.showMaximized()


def _shortcuts(window: MainWindow) -> None:
    window.desktop.show_preferences(window, "shortcuts")


def _samples(window: MainWindow) -> None:
    """Show the page that offers them, in this window where it is empty."""
    window.desktop.welcome(window)


def _about(window: MainWindow) -> None:
    from ..about import show_about

    show_about(window)


def _logs(window: MainWindow) -> None:
    folder = window.desktop.places.logs
    folder.mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _mask_alone(window: MainWindow) -> None:
    """Show the mask that is being worked on: the active layer's where strokes go there, else the edit mask."""
    if window.view.alone is not None:
        window.show_mask_alone(None)
        return
    state = session_of(window).state
    masked = window.paints_mask and state.active is not None and find(state, state.active).mask is not None
    window.show_mask_alone(Target("layer mask", state.active or "") if masked else EDIT_MASK)


COMMANDS: Mapping[str, Command] = {
    "view.zoom_in": lambda window: window.view.zoom_in(),
    "view.zoom_out": lambda window: window.view.zoom_out(),
    "view.fit": lambda window: window.view.fit(),
    "view.actual_size": lambda window: window.view.actual_size(),
    "view.rotate_left": lambda window: window.view.rotate_by(-_STEP),
    "view.rotate_right": lambda window: window.view.rotate_by(_STEP),
    "view.reset_rotation": lambda window: window.view.reset_rotation(),
    "view.mask_alone": _mask_alone,
    "view.canvas_only": lambda window: window.show_canvas_only(not window.canvas_only),
    "view.full_screen": _full_screen,
    "window.minimize": lambda window: in_front(window).showMinimized(),
    "window.zoom": _maximize,
    "models.show": lambda window: window.desktop.show_models(window),
    "help.samples": _samples,
    "help.shortcuts": _shortcuts,
    "help.logs": _logs,
    "help.about": _about,
}

CHECKED: Mapping[str, Callable[[MainWindow], bool]] = {
    "view.mask_alone": lambda window: window.view.alone is not None,
    "view.canvas_only": lambda window: window.canvas_only,
    "view.full_screen": lambda window: window.isFullScreen(),
}
