"""The row of thumbnails itself: keys, what the pointer rests on, and what is dragged out."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from .result_item import CELL, ResultItem
from .result_model import ResultModel

_REST_MS = 140
"""How long the pointer rests on a thumbnail until it is shown on the canvas."""


class ResultView(QListView):
    """Left and right choose, Return accepts, space held shows the picture before, S stars, X rejects, Del deletes."""

    rested = Signal(str)
    """The result under the pointer; empty where the pointer left."""
    accept_wanted = Signal(str)
    before_wanted = Signal(bool)
    key_wanted = Signal(str, str)
    """One of "star", "reject", "delete", and the chosen result."""
    wipe_wanted = Signal(float)
    """The line is to be moved by this share."""
    pressed_on = Signal(str)
    """A press on a result, from which a drag may begin."""
    drag_wanted = Signal(str)
    escaped = Signal()

    def __init__(self, model: ResultModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.setObjectName("results")
        self.setModel(model)
        self.setItemDelegate(ResultItem(self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setTabKeyNavigation(False)
        self.setViewportMargins(4, 0, 4, 0)
        self.setFixedHeight(CELL.height() + 4)
        self._before = False
        self._under = ""
        self._rest = QTimer(self, interval=_REST_MS, singleShot=True)
        self._rest.timeout.connect(lambda: self.rested.emit(self._under))
        self.doubleClicked.connect(self._accept)

    @property
    def chosen(self) -> str:
        """The id of the chosen result; empty where none is."""
        indexes = self.selectedIndexes()
        result = self._model.result(indexes[0]) if indexes else None
        return result.id if result else ""

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Never keep the window from being narrow."""
        return QSize(0, CELL.height())

    def _accept(self, index: QModelIndex) -> None:
        result = self._model.result(index)
        if result is not None:
            self.accept_wanted.emit(result.id)

    def startDrag(self, supportedActions: Qt.DropAction) -> None:  # noqa: N802, N803, ARG002
        """Ask for the file that is dragged."""
        if self.chosen:
            self.drag_wanted.emit(self.chosen)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Choose; a press beside the thumbnails chooses none."""
        super().mousePressEvent(event)
        result = self._model.result(self.indexAt(event.position().toPoint()))
        if result is None:
            self.clearSelection()
        elif event.button() == Qt.MouseButton.LeftButton:
            self.pressed_on.emit(result.id)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Note what the pointer rests on."""
        super().mouseMoveEvent(event)
        if event.buttons():
            return
        result = self._model.result(self.indexAt(event.position().toPoint()))
        under = result.id if result else ""
        if under != self._under:
            self._under = under
            self._rest.start()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """Show what is chosen again, at once."""
        super().leaveEvent(event)
        self._rest.stop()
        if self._under and not QGuiApplication.mouseButtons():
            self._under = ""
            self.rested.emit("")

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Scroll along the row with any wheel."""
        way = event.pixelDelta() if not event.pixelDelta().isNull() else event.angleDelta() / 2
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - (way.x() or way.y()))
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Keep keys from the shortcuts of the window that would take them."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and self.chosen:
            ours = not event.modifiers() and Qt.Key(event.key()) in _OURS
            event.setAccepted(ours)
            if ours:
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Do what a key is for."""
        key, chosen = Qt.Key(event.key()), self.chosen
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        wanted = _KEYS.get(key, "") if not event.modifiers() else ""
        if key == Qt.Key.Key_Space:
            if not event.isAutoRepeat() and chosen:
                self._before = True
                self.before_wanted.emit(True)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and chosen and not event.modifiers():
            self.accept_wanted.emit(chosen)
        elif shift and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.wipe_wanted.emit(-0.05 if key == Qt.Key.Key_Left else 0.05)
        elif wanted and chosen:
            self.key_wanted.emit(wanted, chosen)
        elif key == Qt.Key.Key_Escape and chosen:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Show the result again when space is let go."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._end_before()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Never stay at the picture before without the key."""
        self._end_before()
        super().focusOutEvent(event)

    def _end_before(self) -> None:
        if self._before:
            self._before = False
            self.before_wanted.emit(False)


_KEYS = {
    Qt.Key.Key_S: "star",
    Qt.Key.Key_X: "reject",
    Qt.Key.Key_Delete: "delete",
    Qt.Key.Key_Backspace: "delete",
}
_OURS = {*_KEYS, Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape}
