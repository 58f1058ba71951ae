"""An open document in the running program: its states, what is drawn on it at this moment, and who wants to know."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from .document.geometry import Rect
from .document.history import History, changed_rect
from .document.state import State


class Session(QObject):
    """One document that is open: everything that shows or changes it stands on this.

    `state` is what is to be seen: the present state of the history or, while a tool is at work, a preview that has no
    undo step yet. Signals come after the change; all of it happens in the GUI thread, and no call takes long.
    """

    changed = Signal(list, object)
    """Rectangles of the frame (list[Rect]) to paint again, and the state before: after every change of `state`."""
    history_changed = Signal()
    """Undo, redo, their labels or whether the document is saved may be other ones."""
    path_changed = Signal()

    def __init__(self, state: State, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.history = History(state)
        self._preview: State | None = None
        self._path = path

    @property
    def state(self) -> State:
        """What is to be seen now."""
        return self.history.state if self._preview is None else self._preview

    @property
    def still(self) -> bool:
        """Whether no tool shows a state that is no step yet."""
        return self._preview is None

    @property
    def path(self) -> Path | None:
        """The file that the document was opened from or saved to."""
        return self._path

    @property
    def modified(self) -> bool:
        """Whether something would be lost if the document were closed now."""
        return self._preview is not None or self.history.changed

    def do(self, label: str, state: State, key: Hashable = None, rects: list[Rect] | None = None) -> None:
        """Make this the present state, as one step of undo under a label that people read.

        Ends a preview. Steps with the same `key` in a row are one. `rects`: what has to be painted again, worked out
        from the two states where None.
        """
        before = self.state
        self._preview = None
        self.history.do(label, state, key)
        self._announce(before, rects)

    def amend(self, state: State) -> None:
        """Show a state that makes no step of undo, such as one with another active layer."""
        before = self.state
        self._preview = None
        self.history.amend(state)
        self._announce(before, None)

    def preview(self, state: State | None, rects: list[Rect] | None = None) -> None:
        """Show a state that is not a step yet (a stroke on its way); None takes it back."""
        before = self.state
        self._preview = state
        self._announce(before, rects)

    def undo(self) -> None:
        """Take the last step back; a preview is only dropped."""
        self._travel(self.history.undo)

    def redo(self) -> None:
        """Do the step again that was taken back last; a preview is only dropped."""
        self._travel(self.history.redo)

    def saved(self, state: State, path: Path) -> None:
        """Note that this state (perhaps no longer the present one) is in the file now."""
        self.history.mark_saved(state)
        if path != self._path:
            self._path = path
            self.path_changed.emit()
        self.history_changed.emit()

    def _travel(self, move: Callable[[], State]) -> None:
        before = self.state
        if self._preview is None:
            move()
        self._preview = None
        self._announce(before, None)

    def _announce(self, before: State, rects: list[Rect] | None) -> None:
        if before is not self.state:
            self.changed.emit(changed_rect(before, self.state) if rects is None else rects, before)
        self.history_changed.emit()
