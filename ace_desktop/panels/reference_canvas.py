"""A reference as it is cropped and cut out: handles, scribbles, and what is left out dimmed."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from ..canvas.frame import moved, resized
from ..canvas.handles import CURSORS, HANDLES, Hold
from ..document.geometry import Rect
from .cut_out import Scribble, thickness
from .thumbnail_frame import draw_checks

Mode: TypeAlias = Literal["crop", "cut out"]

SIZE = QSize(480, 360)
_REACH = 10.0
_DIM = QColor(0, 0, 0, 150)
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class ReferenceCanvas(QWidget):
    """Shows the working copy of a reference; its pixels are what crop and scribbles are measured in.

    In crop mode the arrow keys move the crop, with Alt its lower right corner, with Shift by ten pixels.
    """

    cropped = Signal(object)
    """The crop (Rect) that the hand has come to."""
    scribbled = Signal(object)
    """A Scribble that was drawn."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(SIZE)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self._image: QImage | None = None
        self._frame = Rect(0, 0, 1, 1)
        self._mode: Mode = "crop"
        self._shade: QImage | None = None
        self.crop = self._frame
        self._held: tuple[Hold, QPointF, Rect] | None = None
        self._stroke: list[tuple[float, float]] = []
        self._stroke_background = False

    def show_picture(self, pixels: NDArray[np.uint8], crop: Rect) -> None:
        """Show a working copy (h x w x 4) and its crop."""
        height, width = pixels.shape[:2]
        rows = np.ascontiguousarray(pixels)
        self._image = QImage(rows.data, width, height, width * 4, QImage.Format.Format_RGBA8888).copy()
        self._frame, self.crop = Rect(0, 0, width, height), crop
        self.update()

    def show_mask(self, mask: NDArray[np.uint8] | None) -> None:
        """Dim what does not count."""
        self._shade = None
        if mask is not None:
            shade = np.zeros((*mask.shape, 4), np.uint8)
            shade[..., 3] = ((255 - mask.astype(np.uint16)) * 190 // 255).astype(np.uint8)
            height, width = mask.shape
            self._shade = QImage(shade.data, width, height, width * 4, QImage.Format.Format_RGBA8888).copy()
        self.update()

    def set_mode(self, mode: Mode) -> None:
        """Let the hand crop, or scribble."""
        self._mode = mode
        self.setCursor(Qt.CursorShape.CrossCursor if mode == "cut out" else Qt.CursorShape.ArrowCursor)
        self.update()

    # Where it lies

    def place(self) -> QRectF:
        """Give where the picture lies in the widget."""
        room = self.rect().adjusted(12, 12, -12, -12)
        size = QSize(self._frame.width, self._frame.height).scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
        rect = QRect(0, 0, max(size.width(), 1), max(size.height(), 1))
        rect.moveCenter(room.center())
        return QRectF(rect)

    def _scale(self) -> float:
        return self.place().width() / self._frame.width

    def to_picture(self, point: QPointF) -> tuple[float, float]:
        """Give which pixel of the picture is at a point of the widget, kept inside."""
        place, scale = self.place(), self._scale()
        x, y = (point.x() - place.x()) / scale, (point.y() - place.y()) / scale
        return min(max(x, 0), self._frame.width - 1), min(max(y, 0), self._frame.height - 1)

    def to_widget(self, x: float, y: float) -> QPointF:
        """Give where a place of the picture is in the widget."""
        place, scale = self.place(), self._scale()
        return QPointF(place.x() + x * scale, place.y() + y * scale)

    def _crop_rect(self) -> QRectF:
        crop = self.crop
        return QRectF(self.to_widget(crop.x, crop.y), self.to_widget(crop.right, crop.bottom))

    # The hand

    def _hold_at(self, point: QPointF) -> Hold | None:
        rect = self._crop_rect()
        for across, down in HANDLES:
            way = QPointF(rect.x() + across * rect.width(), rect.y() + down * rect.height()) - point
            if abs(way.x()) <= _REACH and abs(way.y()) <= _REACH:
                return across, down
        return "move" if rect.contains(point) else None

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Take hold of the crop, or begin a scribble."""
        if self._image is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if self._mode == "cut out":
            self._stroke = [self.to_picture(event.position())]
            self._stroke_background = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            self.update()
        elif (hold := self._hold_at(event.position())) is not None:
            self._held = hold, event.position(), self.crop

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Go on."""
        if self._stroke:
            self._stroke.append(self.to_picture(event.position()))
            self.update()
        elif self._held is not None:
            hold, start, box = self._held
            way = (event.position() - start) / self._scale()
            if hold == "move":
                self._take(moved(box, way.x(), way.y(), self._frame))
            else:
                self._take(resized(box, hold, way.x(), way.y(), self._frame))
        elif self._mode == "crop" and self._image is not None:
            hold = self._hold_at(event.position())
            shape = CURSORS.get(hold, Qt.CursorShape.SizeAllCursor) if hold else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802, ARG002
        """Be done."""
        self._held = None
        if self._stroke:
            points = self._stroke if len(self._stroke) > 1 else self._stroke * 2
            stroke, self._stroke = Scribble(tuple(points), self._stroke_background), []
            self.scribbled.emit(stroke)
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Take the whole picture again."""
        if self._mode == "crop":
            self._take(self._frame)
        else:
            self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move or resize the crop."""
        step = _ARROWS.get(Qt.Key(event.key()))
        if step is None or self._mode != "crop":
            super().keyPressEvent(event)
            return
        by = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        x, y = step[0] * by, step[1] * by
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self._take(resized(self.crop, (1, 1), x, y, self._frame))
        else:
            self._take(moved(self.crop, x, y, self._frame))

    def _take(self, crop: Rect) -> None:
        if crop != self.crop:
            self.crop = crop
            self.cropped.emit(crop)
            self.update()

    # How it looks

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Paint the picture, dim what is left out, and the handles or the stroke."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().dark())
        if self._image is None:
            return
        place = self.place()
        if self._image.hasAlphaChannel():
            draw_checks(painter, place.toRect(), 8)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(place, self._image)
        if self._shade is not None:
            painter.drawImage(place, self._shade)
        crop = self._crop_rect()
        outside = QPainterPath()  # odd and even: what lies in one of both alone is filled
        outside.addRect(place)
        outside.addRect(crop)
        painter.fillPath(outside, _DIM)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._mode == "crop":
            self._paint_handles(painter, crop)
        elif self._stroke:
            colour = QColor(255, 69, 58, 170) if self._stroke_background else QColor(48, 209, 88, 170)
            pen = QPen(colour, max(thickness((self._frame.height, self._frame.width)) * self._scale(), 3))
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolyline([self.to_widget(x, y) for x, y in self._stroke])

    def _paint_handles(self, painter: QPainter, crop: QRectF) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((QColor(0, 0, 0, 130), 3.0), (QColor(255, 255, 255), 1.5)):
            painter.setPen(QPen(colour, width))
            painter.drawRect(crop)
        painter.setPen(QPen(QColor(0, 0, 0, 130), 1))
        painter.setBrush(QColor(255, 255, 255))
        for across, down in HANDLES:
            at = QPointF(crop.x() + across * crop.width(), crop.y() + down * crop.height())
            painter.drawEllipse(at, 4.5, 4.5)
