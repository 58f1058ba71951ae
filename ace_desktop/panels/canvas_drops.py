"""Pictures and references that are dropped on the canvas."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QMimeData, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent

from ..background import Background
from ..canvas.view import CanvasView
from ..document.references import NewReference, find_reference, new_reference, place_reference, put_reference
from ..document.state import State
from ..session import Session
from ..settings import Kept
from ..slow_steps import do_when_still
from ..translation import marked as _
from .drop_choice import DropChoice
from .incoming import Incoming, eight_bits, has_pictures, pictures_of
from .placing_ghost import PlacingGhost, longest_side, make_ghost, placed_size
from .reference_model import REFERENCE_MIME
from .result_model import RESULT_MIME


class CanvasDrops(QObject):
    """Watches a view: a picture dropped there asks what it becomes, a reference card is composed where it falls."""

    failed = Signal(object)
    """An Exception to be explained."""
    result_dropped = Signal(str)
    """A thumbnail of the strip was dropped: its result is to become a layer."""
    placed = Signal()
    """A reference was placed: the document is ready to run."""

    def __init__(
        self, view: CanvasView, session: Session, background: Background, kept: Kept, parent: QObject | None = None
    ) -> None:
        """`session` is the document's, also while the view shows something else of it."""
        super().__init__(parent or view)
        self._session, self._view, self._background, self._kept = session, view, background, kept
        self.ghost = PlacingGhost(view)
        self.asking: DropChoice | None = None
        self._dragged = ""
        view.setAcceptDrops(True)
        view.installEventFilter(self)

    def close(self) -> None:
        """Leave the view alone."""
        self._view.removeEventFilter(self)
        self.ghost.hide()
        self.ghost.deleteLater()
        if self.asking is not None:
            self.asking.close()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take drags of cards and pictures; files that are documents of their own go on to the window."""
        kind = event.type()
        if kind == QEvent.Type.DragLeave:
            self._let_go()
        elif isinstance(event, QDropEvent) and self._takes(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            if kind == QEvent.Type.Drop:
                self._dropped(event.mimeData(), event.position())
            elif isinstance(event, QDragEnterEvent | QDragMoveEvent):
                self._dragging(event.mimeData(), event.position())
            return True
        return super().eventFilter(watched, event)

    def _takes(self, data: QMimeData) -> bool:
        return bool(data.hasFormat(REFERENCE_MIME) or has_pictures(data))

    # A card

    def _dragging(self, data: QMimeData, at: QPointF) -> None:
        session = self._session
        if not data.hasFormat(REFERENCE_MIME):
            return
        reference_id = bytes(data.data(REFERENCE_MIME).data()).decode()
        try:
            reference = find_reference(session.state, reference_id)
        except ValueError:  # of another window's document
            return
        self.ghost.follow(at, placed_size(reference, longest_side(self._view)))
        if self._dragged != reference_id:
            self._dragged = reference_id
            state = session.state
            self._background.run(
                lambda: make_ghost(state, reference_id), self.ghost.set_ghost, lambda _: None, self.ghost
            )

    def _let_go(self) -> None:
        self._dragged = ""
        self.ghost.forget()

    def _dropped(self, data: QMimeData, at: QPointF) -> None:
        session = self._session
        x, y = self._view.transform.to_document(at)
        # What falls beside the picture goes to its border, half of it inside.
        centre = min(max(x, 0), session.state.width), min(max(y, 0), session.state.height)
        if data.hasFormat(RESULT_MIME):
            self.result_dropped.emit(bytes(data.data(RESULT_MIME).data()).decode())
            return
        if data.hasFormat(REFERENCE_MIME):
            reference_id = bytes(data.data(REFERENCE_MIME).data()).decode()
            self._let_go()
            self.place(session, reference_id, centre)
            return
        pictures = pictures_of(data)
        if pictures:
            self.ask(pictures, at, centre)

    def place(self, session: Session, reference_id: str, centre: tuple[float, float]) -> None:
        """Make the document ready to blend a reference in at a place."""
        try:
            width, _ = placed_size(find_reference(session.state, reference_id), longest_side(self._view))
        except ValueError:
            return
        do_when_still(
            session,
            self._background,
            "Place reference",
            lambda state: place_reference(state, reference_id, centre, width),
            self.failed.emit,
            self.placed.emit,
        )

    def place_in_view(self, reference_id: str) -> None:
        """Place a reference in the middle of what is seen of the picture, as dropping its card there does."""
        session, view = self._session, self._view
        seen = view.transform.document_rect(view.rect()) & session.state.frame or session.state.frame
        self.place(session, reference_id, (seen.x + seen.width / 2, seen.y + seen.height / 2))

    # A picture

    def ask(self, pictures: Sequence[Incoming], at: QPointF, centre: tuple[float, float]) -> None:
        """Ask beside the place what pictures are to become."""
        session, window = self._session, self._view.window()
        name = pictures[0].name if len(pictures) == 1 else ""
        self.asking = DropChoice(window, name, self._kept.value.drop_choice, len(pictures) > 1)
        self.asking.chosen.connect(partial(self._chosen, session, pictures, centre))
        self.asking.destroyed.connect(self._answered)
        self.asking.open_at(self._view.mapTo(window, at.toPoint()))
        self.asking.focus_default()

    def _answered(self) -> None:
        self.asking = None

    def _chosen(
        self, session: Session, pictures: Sequence[Incoming], centre: tuple[float, float], choice: str
    ) -> None:
        self._kept.change(drop_choice=choice)
        longest = longest_side(self._view)
        change = {
            "layer": partial(_as_layers, pictures, centre),
            "reference": partial(_as_references, pictures),
            "place": partial(_as_placed, pictures[0], centre, longest),
        }[choice]
        label = _("Add reference") if choice == "reference" else _("Place picture")
        done = self.placed.emit if choice == "place" else None
        do_when_still(session, self._background, label, change, self.failed.emit, done)


def _as_layers(pictures: Sequence[Incoming], centre: tuple[float, float], state: State) -> State:
    from ..document.placing import placed

    for incoming in pictures:
        state = placed(state, incoming.read(), incoming.name, centre)
    return state


def _as_references(pictures: Sequence[Incoming], state: State) -> State:
    for incoming in pictures:
        state = put_reference(state, _made(incoming))
    return state


def _as_placed(incoming: Incoming, centre: tuple[float, float], longest: float, state: State) -> State:
    made = _made(incoming)
    width, _ = placed_size(made.reference, longest)
    return place_reference(put_reference(state, made), made.reference.id, centre, width)


def _made(incoming: Incoming) -> NewReference:
    picture = incoming.read()
    return new_reference(eight_bits(picture), incoming.name, picture.profile)
