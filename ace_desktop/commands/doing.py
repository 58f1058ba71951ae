"""How commands reach the document of a window."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from ..document.state import Layer, State
from ..document.tree import find
from ..session import Session
from ..translation import tr

if TYPE_CHECKING:
    from ..main_window import MainWindow

Command = Callable[["MainWindow"], None]


def in_front(window: MainWindow) -> QWidget:
    """Give what the keyboard is in: a window of preferences or models, whose menus on a Mac are the document's."""
    found = QApplication.activeWindow()
    return window if found is None or isinstance(found, QMainWindow) else found


def session_of(window: MainWindow) -> Session:
    """Give the window's document; the conditions of actions see to it that there is one."""
    if window.session is None:
        raise LookupError("the window has no document")
    return window.session


def active(window: MainWindow) -> Layer:
    """Give the layer that tools work on."""
    state = session_of(window).state
    if state.active is None:
        raise LookupError("no layer is active")
    return find(state, state.active)


def chosen(window: MainWindow) -> list[str]:
    """List the ids of the layers that are chosen in the list."""
    return window.layers.selected() if window.layers is not None else []


def edit(label: str, change: Callable[[State], State]) -> Command:
    """Make a command of a quick function from one state to the next."""

    def command(window: MainWindow) -> None:
        session = session_of(window)
        session.do(label, change(session.state))

    return command


def edit_slowly(label: str, change: Callable[[State], State]) -> Command:
    """Make a command of a function that may take long: it runs in a thread, and the window waits for it."""

    def command(window: MainWindow) -> None:
        work(window, label, change)

    return command


def edit_active_slowly(label: str, change: Callable[[State, str], State]) -> Command:
    """Make such a command of a function of the state and the active layer's id."""

    def command(window: MainWindow) -> None:
        layer_id = active(window).id
        work(window, label, lambda state: change(state, layer_id))

    return command


def work(window: MainWindow, label: str, change: Callable[[State], State]) -> None:
    """Work a state out in a thread and make it a step of undo; nothing else can be edited meanwhile."""
    session = session_of(window)
    before = session.state
    window.hold(tr(label))

    def done(state: State) -> None:
        window.release()
        if session.state is before:
            session.do(label, state)

    def failed(error: Exception) -> None:
        window.release()
        window.fail(error)

    window.desktop.background.run(lambda: change(before), done, failed, session)


def edit_active(label: str, change: Callable[[State, str], State]) -> Command:
    """Make a command of a function of the state and the active layer's id."""

    def command(window: MainWindow) -> None:
        session = session_of(window)
        session.do(label, change(session.state, active(window).id))

    return command


def edit_chosen(label: str, change: Callable[[State, Iterable[str]], State]) -> Command:
    """Make a command of a function of the state and the chosen layers' ids."""

    def command(window: MainWindow) -> None:
        session = session_of(window)
        session.do(label, change(session.state, chosen(window)))

    return command
