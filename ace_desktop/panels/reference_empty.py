"""What stands on the board while it is empty: what a reference is for, and a place to drop one."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from ..theme import RADIUS
from ..translation import tr
from .incoming import has_pictures
from .layer_model import LAYER_MIME


class EmptyBoard(QWidget):
    """A dashed place that takes drops, with a sentence and a button."""

    dropped = Signal(QMimeData)
    chosen = Signal()
    """The button was pressed: files are to be chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        self._hot = False
        self.words = QLabel(self)
        self.words.setObjectName("caption")
        self.words.setWordWrap(True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button = QPushButton(self)
        self.button.setObjectName("small")
        self.button.clicked.connect(self.chosen)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 16)
        column.setSpacing(8)
        column.addStretch(1)
        column.addWidget(self.words)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self._translate()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Be high enough for the sentence."""
        return QSize(280, 120)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Draw the dashed border."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = self.palette()
        role = QPalette.ColorRole.Highlight if self._hot else QPalette.ColorRole.PlaceholderText
        colour = QColor(palette.color(role))
        colour.setAlphaF(1.0 if self._hot else 0.55)
        pen = QPen(colour, 1.5 if self._hot else 1.0)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(12.5, 1.5, -12.5, -1.5), RADIUS, RADIUS)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take pictures and layers."""
        data = event.mimeData()
        if data.hasFormat(LAYER_MIME) or has_pictures(data):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._glow(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802, ARG002
        """Be quiet again."""
        self._glow(False)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Pass on what was dropped."""
        self._glow(False)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.dropped.emit(event.mimeData())

    def _glow(self, hot: bool) -> None:
        self._hot = hot
        self.update()

    def _translate(self) -> None:
        self.words.setText(
            tr("Drop a picture or a layer here. It shows the model which person, thing or pattern you mean.")
        )
        self.button.setText(tr("Add picture…"))
        self.button.setAccessibleName(tr("Add reference"))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write everything again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._translate()
        super().changeEvent(event)
