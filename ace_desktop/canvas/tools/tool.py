"""What every tool is to the view: events in document coordinates go in, edits of the session come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter

from ...document.geometry import Rect
from ...document.state import Layer, RasterLayer, State
from ...document.tree import ancestors, editable, find
from ...session import Session
from ...translation import tr
from ..frame import Grip
from ..overlays import MASK_COLOUR
from ..transform import ViewTransform
from .work import Work


@dataclass(frozen=True)
class Pointer:
    """Where the pointer is, in document pixels, how hard it presses (0..1), and what is held down.

    `scale` is view pixels per document pixel, so that what must be hit keeps its size on the screen.
    """

    x: float
    y: float
    pressure: float = 1.0
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    scale: float = 1.0

    @property
    def shift(self) -> bool:
        """Whether shift is held."""
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)

    @property
    def alt(self) -> bool:
        """Whether alt (option) is held."""
        return bool(self.modifiers & Qt.KeyboardModifier.AltModifier)


class Tool(QObject):
    """A tool at work on a session; option values are read from `options` whenever they are needed.

    A drag shows previews and ends as one step of undo. While `busy`, Esc calls `cancel`, and another change of the
    session (such as undo) ends what was under way.
    """

    message = Signal(str)
    """A sentence for the status line: why nothing happened, or what to do next."""
    repaint = Signal()
    """What `paint` paints has changed."""
    option_wanted = Signal(str, object)
    """The tool asks for another value of an option (name, value); "colour" is meant for all tools that have one."""

    cursor: Qt.CursorShape = Qt.CursorShape.CrossCursor
    pans = False
    """Whether dragging moves the view."""
    frame_grip: Grip | None = "edge"
    """What of the model's frame can be taken hold of while this tool is in hand; None: the frame is not shown."""

    def __init__(self, session: Session, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.session = session
        self.options = options
        self.tint = MASK_COLOUR
        """How the view shows what is in the edit mask."""
        self.busy = False
        self._closed = False
        self.work = Work(self)
        self.work.failed.connect(self._failed)
        self._seen: State | None = None

    @property
    def brush_size(self) -> float | None:
        """The diameter of the outline around the pointer in document pixels; None for none."""
        return None

    def press(self, pointer: Pointer) -> None:
        """Begin: the button went down."""

    def move(self, pointer: Pointer) -> None:
        """Go on: the pointer moved with the button held."""

    def release(self, pointer: Pointer) -> None:
        """Be done: the button went up."""

    def double_click(self, pointer: Pointer) -> bool:  # noqa: ARG002
        """Take the second press of two in a short while; where it means nothing (False), `press` gets it."""
        return False

    def hover(self, pointer: Pointer | None) -> None:
        """Follow the pointer, whose button is not held; None where it left the view."""

    def key(self, event: QKeyEvent) -> bool:  # noqa: ARG002
        """Take a key, and tell whether it meant something."""
        return False

    def cancel(self) -> None:
        """Stop what is under way and take it back."""
        if self.busy:
            self.finish()
            self.session.preview(None)

    def close(self) -> None:
        """End what is under way, as another tool is taken up; work in a thread still comes to its end."""
        self._closed = True
        if not self.work.running:
            self.cancel()
            self.deleteLater()

    def paint(self, painter: QPainter, transform: ViewTransform) -> None:
        """Paint handles and shapes over the picture, in view coordinates."""

    def owns(self, state: State) -> bool:
        """Tell whether a state is the one that this tool shows, not one from elsewhere."""
        return state is self._seen

    def abandon(self) -> None:
        """Forget what is under way, because the document changed beneath it."""
        self.finish()

    def begin(self) -> State:
        """Note that something is under way, and give the state that it starts from."""
        self.busy = True
        self._seen = self.session.state
        return self.session.state

    def show_preview(self, state: State, rects: list[Rect] | None = None) -> None:
        """Show a state that is not a step yet."""
        self._seen = state
        self.session.preview(state, rects)

    def finish(self) -> None:
        """Note that nothing is under way any more."""
        self.busy = False
        self._seen = None
        self.work.forget()
        if self._closed:
            self.deleteLater()
        self.repaint.emit()

    def commit(self, label: str, state: State, rects: list[Rect] | None = None) -> None:
        """End what is under way with a step of undo, unless the document became another one meanwhile."""
        wanted = self.owns(self.session.state)
        self.finish()
        if wanted:
            self.session.do(label, state, rects=rects)

    def _failed(self, words: str) -> None:
        self.cancel()
        self.message.emit(tr("That did not work: {reason}", reason=words))

    def layer_to_edit(self, *, pixels: bool = True) -> Layer | None:
        """Give the active layer if it may be edited; say why not where it may not."""
        state = self.session.state
        if state.active is None:
            self.message.emit(tr("Choose a layer first."))
            return None
        layer = find(state, state.active)
        hidden = not layer.visible or not all(group.visible for group in ancestors(state, layer.id))
        if pixels and not isinstance(layer, RasterLayer):
            self.message.emit(tr("“{name}” is a group. Choose a layer in it to paint on.", name=layer.name))
        elif not editable(state, layer.id):
            self.message.emit(tr("“{name}” is locked. Unlock it in the layers panel to change it.", name=layer.name))
        elif hidden:
            self.message.emit(tr("“{name}” is hidden. Show it in the layers panel to change it.", name=layer.name))
        else:
            return layer
        return None
