"""A thumbnail drawn inside its place, on a checkerboard, with a hairline around."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPalette, QPen

CHECK = 4


def fitted(picture: QImage | None, place: QRect) -> QRect:
    """Give where a picture lies in a place, as large as it fits; the place itself where there is none."""
    size = place.size()
    if picture is not None and not picture.isNull():
        size = picture.size().scaled(size, Qt.AspectRatioMode.KeepAspectRatio)
    rect = QRect(0, 0, max(size.width(), 2), max(size.height(), 2))
    rect.moveCenter(place.center())
    return rect


def draw_thumbnail(
    painter: QPainter, place: QRect, picture: QImage | None, palette: QPalette, radius: float = 3
) -> QRect:
    """Draw a picture in a place and give where it lies."""
    rect = fitted(picture, place)
    clip = QPainterPath()
    clip.addRoundedRect(QRectF(rect), radius, radius)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setClipPath(clip)
    if picture is None:
        painter.fillRect(rect, palette.color(QPalette.ColorRole.Midlight))
    else:
        if picture.hasAlphaChannel():
            draw_checks(painter, rect)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(rect, picture)
    painter.setClipping(False)
    painter.setPen(QPen(palette.color(QPalette.ColorRole.Mid), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(rect).adjusted(-0.5, -0.5, 0.5, 0.5), radius, radius)
    painter.restore()
    return rect


def draw_checks(painter: QPainter, rect: QRect, side: int = CHECK) -> None:
    """Draw the checkerboard that stands behind transparent pixels."""
    painter.fillRect(rect, QColor("#ffffff"))
    size = QSize(side, side)
    for row in range(0, rect.height(), side):
        for column in range((row // side % 2) * side, rect.width(), 2 * side):
            cell = QRect(rect.x() + column, rect.y() + row, size.width(), size.height())
            painter.fillRect(cell & rect, QColor("#d8d8d8"))
