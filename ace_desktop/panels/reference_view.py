"""The list of reference cards: keys, and what is dragged into it and out of it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QDrag, QDragEnterEvent, QDragMoveEvent, QImage, QKeyEvent, QKeySequence, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from .incoming import has_pictures
from .layer_model import LAYER_MIME
from .reference_model import REFERENCE_MIME, THUMBNAIL, ReferenceModel


class ReferenceView(QListView):
    """Return opens a card, space switches it off and on, Del removes it, Alt with up and down moves it."""

    remove_wanted = Signal(str)
    flip_wanted = Signal(str)
    open_wanted = Signal(str)
    move_wanted = Signal(str, int)
    paste_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("references")
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDropIndicatorShown(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setDragDropOverwriteMode(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setTabKeyNavigation(False)
        self.setViewportMargins(6, 0, 6, 0)
        self.doubleClicked.connect(self._open)

    def choose(self, reference_id: str) -> None:
        """Make a card the chosen one."""
        index = self._cards().index_of(reference_id)
        if index.isValid():
            self.setCurrentIndex(index)
            self.scrollTo(index)

    def _open(self, index: QModelIndex) -> None:
        self.open_wanted.emit(self._cards().reference(index).id)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Leave the height to the board."""
        return QSize(0, 0)

    def startDrag(self, supportedActions: Qt.DropAction) -> None:  # noqa: N802, N803, ARG002
        """Drag a card: within the list it is moved, on the canvas it is placed."""
        index = self.currentIndex()
        if not index.isValid():
            return
        drag = QDrag(self)
        drag.setMimeData(self.model().mimeData([index]))
        picture = index.data(THUMBNAIL)
        if isinstance(picture, QImage):
            drag.setPixmap(QPixmap.fromImage(picture.scaledToHeight(44, Qt.TransformationMode.SmoothTransformation)))
            drag.setHotSpot(QPoint(drag.pixmap().width() // 2, 22))
        drag.exec(Qt.DropAction.MoveAction | Qt.DropAction.CopyAction, Qt.DropAction.MoveAction)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take cards, layers and pictures."""
        data = event.mimeData()
        if data.hasFormat(REFERENCE_MIME) or data.hasFormat(LAYER_MIME) or has_pictures(data):
            super().dragEnterEvent(event)
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # noqa: N802
        """Show where it would be dropped."""
        super().dragMoveEvent(event)
        if not event.mimeData().hasFormat(REFERENCE_MIME):
            event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Keep keys from the shortcuts of the window that would take them."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            ours = Qt.Key(event.key()) in _OURS and not event.modifiers()
            if event.matches(QKeySequence.StandardKey.Paste) or (ours and self.currentIndex().isValid()):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Do what a key is for."""
        if event.matches(QKeySequence.StandardKey.Paste):
            self.paste_wanted.emit()
            return
        index = self.currentIndex()
        chosen = self._cards().reference(index).id if index.isValid() else ""
        key, alt = Qt.Key(event.key()), bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if not chosen or self.state() == self.State.EditingState:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_wanted.emit(chosen)
        elif key == Qt.Key.Key_Space:
            self.flip_wanted.emit(chosen)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.open_wanted.emit(chosen)
        elif alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.move_wanted.emit(chosen, -1 if key == Qt.Key.Key_Up else 1)
        else:
            super().keyPressEvent(event)

    def _cards(self) -> ReferenceModel:
        model = self.model()
        assert isinstance(model, ReferenceModel)  # noqa: S101 the board gives it
        return model


_OURS = {Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter}
