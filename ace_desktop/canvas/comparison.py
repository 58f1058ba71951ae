"""Another picture laid over a part of the document to compare the two, with a line between them that can be dragged."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QLineF, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from ..document.geometry import EMPTY, Rect
from .view import CanvasView

REACH = 8.0
"""View pixels from the line within which the hand takes it."""
_KNOB = 11.0
_LEAST, _MOST = 0.0, 1.0


class Comparison(QWidget):
    """Lies over the view and lets everything through but a hand that takes the line.

    Left of the line lies the document as it is (before), right of it the other picture (after). The line stands at
    `wipe`, 0..1 of the width of the rectangle; at 0 the other picture is seen alone and no line is drawn, as for
    `wipe` None.
    """

    wiped = Signal(float)
    """The line was dragged to this place."""

    def __init__(self, view: CanvasView) -> None:
        super().__init__(view)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view = view
        self._image: QImage | None = None
        self._rect = EMPTY
        self._wipe: float | None = None
        self._held = False
        view.installEventFilter(self)
        self.hide()

    @property
    def image(self) -> QImage | None:
        """What lies over the document now."""
        return self._image

    @property
    def wipe(self) -> float | None:
        """Where the line stands, 0..1; None where there is none."""
        return self._wipe

    def show_picture(self, image: QImage | None, rect: Rect = EMPTY, wipe: float | None = None) -> None:
        """Lay a picture over a rectangle of the document, or take it away (None)."""
        self._image, self._rect = image, rect
        self._wipe = None if wipe is None else min(max(wipe, _LEAST), _MOST)
        self._held = self._held and image is not None and wipe is not None
        self.setGeometry(self._view.rect())
        self.setVisible(image is not None)
        self.update()

    def line(self) -> QLineF:
        """Give the line's ends in view coordinates."""
        x = self._rect.x + (self._wipe or 0.0) * self._rect.width
        transform = self._view.transform
        return QLineF(transform.to_view(x, self._rect.y), transform.to_view(x, self._rect.bottom))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Paint the picture right of the line, and the line."""
        if self._image is None:
            return
        painter = QPainter(self)
        painter.save()
        painter.setTransform(self._view.transform.matrix)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._view.zoom < 2)
        rect = QRectF(self._rect.x, self._rect.y, self._rect.width, self._rect.height)
        if self._wipe is not None:
            painter.setClipRect(rect.adjusted(self._wipe * rect.width(), 0, 0, 0))
        painter.drawImage(rect, self._image)
        painter.restore()
        if self._wipe is not None:
            self._paint_line(painter)
        painter.end()

    def _paint_line(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = self.line()
        for colour, width in ((QColor(0, 0, 0, 110), 3.0), (QColor(255, 255, 255), 1.5)):
            painter.setPen(QPen(colour, width))
            painter.drawLine(line)
        painter.translate(line.center())
        painter.rotate(self._view.rotation)
        knob = QPainterPath()
        knob.addEllipse(QPointF(0, 0), _KNOB, _KNOB)
        painter.setPen(QPen(QColor(0, 0, 0, 110), 1))
        painter.setBrush(QColor(255, 255, 255))
        painter.drawPath(knob)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(70, 70, 70))
        for side in (-1, 1):
            corners = (QPointF(side * 7, 0), QPointF(side * 3, -4), QPointF(side * 3, 4))
            painter.drawPolygon(QPolygonF(corners))

    def _near(self, point: QPointF) -> bool:
        """Tell whether a point of the view is on the line or its knob."""
        if self._image is None or self._wipe is None:
            return False
        line = self.line()
        if QLineF(line.center(), point).length() <= _KNOB + 2:
            return True
        x, y = self._view.transform.to_document(point)
        reach = REACH / self._view.transform.scale
        place = self._rect.x + self._wipe * self._rect.width
        return abs(x - place) <= reach and self._rect.y <= y < self._rect.bottom

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Follow the view's size, and take the line before a tool gets the press."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._view.rect())
        elif isinstance(event, QMouseEvent) and self._image is not None and self._wipe is not None:
            kind, left = event.type(), event.button() == Qt.MouseButton.LeftButton
            if kind == QEvent.Type.MouseButtonPress and left and self._near(event.position()):
                self._held = True
                return True
            if kind == QEvent.Type.MouseMove and self._held:
                self._drag(event.position())
                return True
            if kind == QEvent.Type.MouseMove and not event.buttons() and self._near(event.position()):
                self._view.setCursor(Qt.CursorShape.SplitHCursor)
                return True
            if kind == QEvent.Type.MouseButtonRelease and self._held and left:
                self._held = False
                return True
        return super().eventFilter(watched, event)

    def _drag(self, point: QPointF) -> None:
        x, _y = self._view.transform.to_document(point)
        self._wipe = min(max((x - self._rect.x) / max(self._rect.width, 1), _LEAST), _MOST)
        self.update()
        self.wiped.emit(self._wipe)
