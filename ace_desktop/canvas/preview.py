"""A picture of what is being made, painted above the document without being part of it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from ..document.geometry import Rect
from .transform import ViewTransform


@dataclass(frozen=True, eq=False)
class Preview:
    """A picture, usually of few pixels, that stands for a rectangle of the document; its alpha counts."""

    image: QImage
    rect: Rect

    def paint(self, painter: QPainter, transform: ViewTransform) -> None:
        """Paint it in view coordinates, smooth where it has fewer pixels than are seen."""
        rect = self.rect
        painter.save()
        coarse = self.image.width() < rect.width
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, coarse or transform.zoom < 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, transform.rotation % 90 != 0)
        painter.setTransform(transform.matrix * painter.transform())
        painter.drawImage(QRectF(rect.x, rect.y, rect.width, rect.height), self.image)
        painter.restore()
