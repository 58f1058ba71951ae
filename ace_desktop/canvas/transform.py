"""Where the document lies in the view: what a point is there, at any zoom and rotation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRect, QRectF
from PySide6.QtGui import QTransform

from ..document.geometry import Rect

SMALLEST, LARGEST = 1 / 64, 64.0
"""The zoom's limits: device pixels per document pixel."""

KEPT = 64
"""View pixels of the picture that cannot be pushed out of the view."""

STEPS: tuple[float, ...] = (
    1 / 64, 1 / 32, 1 / 16, 1 / 12, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32,
    48, 64,
)  # fmt: skip
"""Where zooming in and out by command stops."""


@dataclass(frozen=True)
class ViewTransform:
    """The way from document pixels to view coordinates (Qt's logical pixels).

    `zoom` counts device pixels per document pixel, so that 1 shows every pixel as one; `ratio` is the screen's device
    pixels per logical one. `rotation` is clockwise in degrees. `x`, `y` is where the document's origin stands.
    """

    zoom: float = 1.0
    rotation: float = 0.0
    x: float = 0.0
    y: float = 0.0
    ratio: float = 1.0

    @property
    def scale(self) -> float:
        """View pixels per document pixel."""
        return self.zoom / self.ratio

    @property
    def matrix(self) -> QTransform:
        """The same as Qt knows it."""
        return QTransform().translate(self.x, self.y).rotate(self.rotation).scale(self.scale, self.scale)

    def to_view(self, x: float, y: float) -> QPointF:
        """Give where a point of the document is in the view."""
        return self.matrix.map(QPointF(x, y))

    def to_document(self, point: QPointF) -> tuple[float, float]:
        """Give which point of the document is at a point of the view."""
        turn = math.radians(-self.rotation)
        x, y = point.x() - self.x, point.y() - self.y
        cos, sin = math.cos(turn), math.sin(turn)
        return (x * cos - y * sin) / self.scale, (x * sin + y * cos) / self.scale

    def view_rect(self, rect: Rect) -> QRect:
        """Give the smallest rectangle of whole view pixels around a rectangle of the document, with a pixel more."""
        mapped = self.matrix.mapRect(QRectF(rect.x, rect.y, rect.width, rect.height))
        return mapped.toAlignedRect().adjusted(-1, -1, 1, 1)

    def document_rect(self, rect: QRect) -> Rect:
        """Give the smallest rectangle of whole document pixels around a rectangle of the view."""
        corners = [QPointF(x, y) for x in (rect.left(), rect.right() + 1) for y in (rect.top(), rect.bottom() + 1)]
        points = [self.to_document(corner) for corner in corners]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return Rect.of_edges(math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys)))

    def moved(self, dx: float, dy: float) -> ViewTransform:
        """Give it with the document moved in the view."""
        return replace(self, x=self.x + dx, y=self.y + dy)

    def zoomed(self, zoom: float, around: QPointF) -> ViewTransform:
        """Give it with another zoom, within the limits; what is at `around` in the view stays there."""
        return replace(self, zoom=min(max(zoom, SMALLEST), LARGEST))._keeping(around, self.to_document(around))

    def rotated(self, rotation: float, around: QPointF) -> ViewTransform:
        """Give it with another rotation; what is at `around` in the view stays there."""
        turned = (rotation + 180) % 360 - 180
        return replace(self, rotation=turned)._keeping(around, self.to_document(around))

    def aligned(self) -> ViewTransform:
        """Give it with the origin on whole device pixels, so that at 100 % every pixel is one, and sharp."""
        return replace(self, x=round(self.x * self.ratio) / self.ratio, y=round(self.y * self.ratio) / self.ratio)

    def _keeping(self, view: QPointF, document: tuple[float, float]) -> ViewTransform:
        there = self.to_view(*document)
        return self.moved(view.x() - there.x(), view.y() - there.y())


def fitted(
    frame: Rect, width: float, height: float, ratio: float, rotation: float = 0.0, margin: float = 24
) -> ViewTransform:
    """Show the whole frame in the middle of a view of this size, with a margin around; never above 100 %."""
    turned = QTransform().rotate(rotation).mapRect(QRectF(0, 0, frame.width, frame.height))
    room = max(width - 2 * margin, 16), max(height - 2 * margin, 16)
    zoom = min(room[0] / turned.width(), room[1] / turned.height()) * ratio
    zoom = min(max(zoom, SMALLEST), 1.0)
    return centred(ViewTransform(zoom, rotation, 0, 0, ratio), frame, width, height)


def centred(transform: ViewTransform, frame: Rect, width: float, height: float) -> ViewTransform:
    """Give it with the frame's middle in the middle of the view."""
    middle = transform.to_view(frame.x + frame.width / 2, frame.y + frame.height / 2)
    return transform.moved(width / 2 - middle.x(), height / 2 - middle.y()).aligned()


def within_reach(transform: ViewTransform, frame: Rect, width: int, height: int) -> ViewTransform:
    """Keep some of the picture in a view of this size."""
    seen = transform.view_rect(frame)
    keep_x, keep_y = min(KEPT, width // 2), min(KEPT, height // 2)
    dx = max(keep_x - seen.right(), 0) + min(width - keep_x - seen.left(), 0)
    dy = max(keep_y - seen.bottom(), 0) + min(height - keep_y - seen.top(), 0)
    return transform.moved(dx, dy)


def stepped(zoom: float, up: bool) -> float:
    """Give the next of STEPS."""
    steps = [s for s in STEPS if s > zoom * 1.001] if up else [s for s in reversed(STEPS) if s < zoom / 1.001]
    return steps[0] if steps else zoom
