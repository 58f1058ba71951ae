"""Pictures painted above the document without being part of it: previews of what is being made, and comparisons."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from ..document.geometry import Rect
from .transform import ViewTransform

REACH = 6.0
"""View pixels beside the dividing line that take hold of it."""


@dataclass(frozen=True, eq=False)
class Above:
    """A picture over a rectangle of the document; what lies right of `wipe` (0 all of it, 1 nothing) is shown."""

    image: QImage
    rect: Rect
    wipe: float = 0.0

    def divider(self, transform: ViewTransform) -> tuple[QPointF, QPointF] | None:
        """Give the ends of the line between both pictures in the view; None where only one of them is seen."""
        if not 0 < self.wipe < 1:
            return None
        x = self.rect.x + self.wipe * self.rect.width
        return transform.to_view(x, self.rect.y), transform.to_view(x, self.rect.bottom)


class PicturesAbove:
    """Paints them; a picture much larger than it is shown is made smaller once, not in every frame."""

    def __init__(self) -> None:
        self.preview: Above | None = None
        self.comparison: Above | None = None
        self._small: tuple[QImage, QSize, QImage] | None = None

    @property
    def shown(self) -> bool:
        """Whether there is one."""
        return self.preview is not None or self.comparison is not None

    def paint(self, painter: QPainter, transform: ViewTransform) -> None:
        """Paint the preview and above it the comparison with its dividing line."""
        for above in (self.preview, self.comparison):
            if above is not None:
                self._paint(painter, transform, above)
        ends = self.comparison.divider(transform) if self.comparison else None
        if ends is not None:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            middle = (ends[0] + ends[1]) / 2
            for colour, width, radius in ((QColor(0, 0, 0, 110), 3, 7.0), (QColor(255, 255, 255), 1, 5.5)):
                painter.setPen(QPen(colour, width))
                painter.drawLine(*ends)
                painter.setBrush(colour)
                painter.drawEllipse(middle, radius, radius)
            painter.restore()

    def on_divider(self, at: QPointF, transform: ViewTransform) -> bool:
        """Tell whether a point of the view takes hold of the dividing line."""
        if self.comparison is None or self.comparison.divider(transform) is None:
            return False
        x, y = transform.to_document(at)
        rect = self.comparison.rect
        line = rect.x + self.comparison.wipe * rect.width
        return abs(x - line) * transform.scale <= REACH and rect.y <= y <= rect.bottom

    def wipe_at(self, at: QPointF, transform: ViewTransform) -> float:
        """Give the wipe for a point of the view: never quite 0 or 1, so that the line stays in reach."""
        if self.comparison is None:
            return 0.0
        rect = self.comparison.rect
        return min(max((transform.to_document(at)[0] - rect.x) / rect.width, 0.005), 0.995)

    def _paint(self, painter: QPainter, transform: ViewTransform, above: Above) -> None:
        rect, shown = above.rect, 1 - above.wipe
        if shown <= 0 or not rect:
            return
        image = self._fitting(above.image, QSize(rect.width, rect.height) * transform.zoom)
        painter.save()
        coarse = image.width() < rect.width
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, coarse or transform.zoom < 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, transform.rotation % 90 != 0)
        painter.setTransform(transform.matrix * painter.transform())
        left = above.wipe * rect.width
        target = QRectF(rect.x + left, rect.y, rect.width - left, rect.height)
        source = QRectF(above.wipe * image.width(), 0, shown * image.width(), image.height())
        painter.drawImage(target, image, source)
        painter.restore()

    def _fitting(self, image: QImage, size: QSize) -> QImage:
        if image.width() <= 2 * size.width() or size.isEmpty():
            return image
        if self._small is None or self._small[0] is not image or self._small[1] != size:
            smooth = Qt.TransformationMode.SmoothTransformation
            self._small = image, size, image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
        return self._small[2]
