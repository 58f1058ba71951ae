"""A larger look at a result that has no place on the canvas, since it was made of another picture."""

from __future__ import annotations

from PySide6.QtCore import QObject, QPoint, QRect, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QLabel, QWidget

from ..background import Background
from ..document.results import ResultStore
from .thumbnails import straight_image

SIDE = 480
_EDGE = 8


class ResultPreview(QObject):
    """Shows one result at a time above its thumbnail; the picture is read in the background."""

    def __init__(self, store: ResultStore, background: Background, parent: QWidget) -> None:
        super().__init__(parent)
        self._store, self._background, self._strip = store, background, parent
        self.label: QLabel | None = None
        self._wanted = ""

    def show(self, result_id: str, above: QRect) -> None:
        """Show a result above a rectangle of the strip; nothing for an empty id."""
        if result_id == self._wanted:
            return
        self.hide()
        self._wanted = result_id
        if not result_id:
            return
        store = self._store

        def done(image: QImage) -> None:
            if self._wanted == result_id:
                self._open(image, above)

        self._background.run(lambda: straight_image(store.thumbnail(result_id, SIDE)), done, lambda _: None, self)

    def _open(self, image: QImage, above: QRect) -> None:
        window = self._strip.window()
        label = self.label = QLabel(window)
        label.setObjectName("popover")
        label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        label.setContentsMargins(_EDGE, _EDGE, _EDGE, _EDGE)
        label.setPixmap(QPixmap.fromImage(image))
        label.adjustSize()
        corner = self._strip.mapTo(window, above.topLeft()) - QPoint(0, label.height() + _EDGE)
        room = window.width() - label.width() - _EDGE
        label.move(max(min(corner.x(), room), _EDGE), max(corner.y(), _EDGE))
        label.show()
        label.raise_()

    def hide(self) -> None:
        """Take it away."""
        self._wanted = ""
        if self.label is not None:
            self.label.hide()
            self.label.deleteLater()
            self.label = None
