"""The frame on the canvas: what the model will see, at which scale, and how a hand moves and resizes it.

How it is taken hold of depends on the tool in hand, so that no tool loses anything: by its caption always; by its
handles unless the tool has some of its own; by its whole line unless the tool paints, whose strokes may begin there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from ..document.geometry import Rect
from .handles import CURSORS, HANDLES, Hold
from .transform import ViewTransform

Grip: TypeAlias = Literal["caption", "handles", "edge"]
"""What of the frame can be taken hold of, each with those before it."""

REACH, EDGE_REACH = 8.0, 4.0
"""View pixels around a handle and beside the line that take hold of it."""
SMALLEST = 16
"""The least side of a frame, in document pixels."""
_CAPTION_HEIGHT = 20


@dataclass(frozen=True)
class Seen:
    """What the model sees: a rectangle of the document and words about it; `chosen`: the user has set it."""

    box: Rect
    caption: str = ""
    chosen: bool = False


class Frame(QObject):
    """Shows what is seen and passes on what the hand wants; coordinates are the view's, rectangles the document's."""

    dragged = Signal(object)
    """The rectangle (Rect) that the hand has come to; `show` gives it its caption while the drag goes on."""
    settled = Signal(object)
    """The rectangle (Rect) that a drag ended with; None: as the model chooses again."""
    repaint = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.seen: Seen | None = None
        self.bounds = Rect(0, 0, 0, 0)
        """Where it may lie: the document's frame."""
        self._held: tuple[Hold, QPointF, Rect] | None = None
        self._under: Hold | None = None

    def show(self, seen: Seen | None, bounds: Rect) -> None:
        """Show another frame, or none."""
        if (seen, bounds) == (self.seen, self.bounds):
            return
        self.seen, self.bounds = seen, bounds
        if seen is None:
            self._held = self._under = None
        self.repaint.emit()

    @property
    def held(self) -> bool:
        """Whether it is being dragged."""
        return self._held is not None

    @property
    def cursor(self) -> Qt.CursorShape | None:
        """The pointer's shape where the frame would be taken hold of; None where it would not."""
        hold = self._held[0] if self._held else self._under
        return None if hold is None else CURSORS[hold]

    def hover(self, at: QPointF | None, transform: ViewTransform, grip: Grip) -> None:
        """Follow the pointer, whose button is not held."""
        under = None if at is None else self._hold_at(at, transform, grip)
        if under != self._under:
            self._under = under
            self.repaint.emit()

    def press(self, at: QPointF, transform: ViewTransform, grip: Grip) -> bool:
        """Take hold of it, and tell whether there was something to take hold of."""
        hold = self._hold_at(at, transform, grip)
        if hold is None or self.seen is None:
            return False
        self._held = hold, at, self.seen.box
        return True

    def move(self, at: QPointF, transform: ViewTransform) -> None:
        """Drag."""
        if self._held is None or self.seen is None:
            return
        hold, start, box = self._held
        (x, y), (from_x, from_y) = transform.to_document(at), transform.to_document(start)
        way = x - from_x, y - from_y
        rect = moved(box, *way, self.bounds) if hold == "move" else resized(box, hold, *way, self.bounds)
        if rect != self.seen.box:
            self.dragged.emit(rect)

    def release(self) -> None:
        """Let go."""
        held, self._held = self._held, None
        if held is not None and self.seen is not None and self.seen.box != held[2]:
            self.settled.emit(self.seen.box)

    def escape(self) -> bool:
        """Take a drag back, or a frame that was set; tell whether there was either."""
        if self._held is not None:
            box = self._held[2]
            self._held = None
            self.dragged.emit(box)
            return True
        if self.seen is not None and self.seen.chosen:
            self.settled.emit(None)
            return True
        return False

    def double_click(self, at: QPointF, transform: ViewTransform) -> bool:
        """Let the model choose again after a double click on the caption."""
        on = self.seen is not None and self.seen.chosen and self._caption_rect(transform).contains(at)
        if on:
            self._held = None
            self.settled.emit(None)
        return on

    def _hold_at(self, at: QPointF, transform: ViewTransform, grip: Grip) -> Hold | None:
        if self.seen is None:
            return None
        if self._caption_rect(transform).contains(at):
            return "move"
        if grip == "caption":
            return None
        box = self.seen.box
        for across, down in HANDLES:
            there = transform.to_view(box.x + across * box.width, box.y + down * box.height)
            if math.dist(there.toTuple(), at.toTuple()) <= REACH:
                return across, down
        x, y = transform.to_document(at)
        reach = EDGE_REACH / transform.scale
        outer = box.x - reach <= x <= box.right + reach and box.y - reach <= y <= box.bottom + reach
        inner = box.x + reach < x < box.right - reach and box.y + reach < y < box.bottom - reach
        return "move" if grip == "edge" and outer and not inner else None

    # How it looks

    def paint(self, painter: QPainter, transform: ViewTransform, grip: Grip) -> None:
        """Paint a quiet dashed line, the caption at its lower left corner, and handles where they can be used."""
        if self.seen is None:
            return
        box = self.seen.box
        outline = transform.matrix.map(QPolygonF(QRectF(box.x, box.y, box.width, box.height)))
        upright = transform.rotation % 90 == 0
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, not upright)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if upright:  # on whole pixels the line stays sharp
            outline = QPolygonF(QRectF(outline.boundingRect().toRect()).adjusted(-0.5, -0.5, 0.5, 0.5))
        active = self._held is not None or self._under is not None or self.seen.chosen
        painter.setPen(QPen(QColor(0, 0, 0, 150 if active else 110), 1))
        painter.drawPolygon(outline)
        pen = QPen(QColor(255, 255, 255, 255 if active else 215), 1)
        pen.setDashPattern([4, 4])
        painter.setPen(pen)
        painter.drawPolygon(outline)
        if grip != "caption" and (self._held is not None or self._under is not None or self.seen.chosen):
            self._paint_handles(painter, transform, box)
        self._paint_caption(painter, transform, active)
        painter.restore()

    def _paint_handles(self, painter: QPainter, transform: ViewTransform, box: Rect) -> None:
        painter.setPen(QPen(QColor(0, 0, 0, 150), 1))
        painter.setBrush(QColor(255, 255, 255))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for across, down in HANDLES:
            there = transform.to_view(box.x + across * box.width, box.y + down * box.height)
            painter.drawEllipse(there, 3.5, 3.5)

    def _paint_caption(self, painter: QPainter, transform: ViewTransform, active: bool) -> None:
        assert self.seen is not None  # noqa: S101 asked before
        badge = self._caption_rect(transform)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(_font(painter.font()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 190 if active else 150))
        painter.drawRoundedRect(badge, 6, 6)
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, self.seen.caption)

    def _caption_rect(self, transform: ViewTransform) -> QRectF:
        """Give where the caption stands: under the frame at its left, within it where the view has no room below."""
        if self.seen is None or not self.seen.caption:
            return QRectF()
        box = self.seen.box
        around = transform.matrix.mapRect(QRectF(box.x, box.y, box.width, box.height))
        width = QFontMetrics(_font(QFont())).horizontalAdvance(self.seen.caption) + 16
        view = self._view_rect()
        start, top = around.left(), around.bottom() + 8
        if top + _CAPTION_HEIGHT + 4 > view.bottom():  # clear of the corner, where handles are
            start, top = start + 8, min(around.bottom(), view.bottom()) - _CAPTION_HEIGHT - 8
        left = min(max(start, view.left() + 8.0), max(view.right() - width - 8.0, 8.0))
        return QRectF(round(left), round(top), width, _CAPTION_HEIGHT)

    def _view_rect(self) -> QRect:
        parent = self.parent()
        return parent.rect() if isinstance(parent, QWidget) else QRect(0, 0, 1 << 20, 1 << 20)


def _font(like: QFont) -> QFont:
    font = QFont(like)
    font.setPixelSize(11)
    return font


def moved(box: Rect, dx: float, dy: float, bounds: Rect) -> Rect:
    """Move a rectangle without leaving the bounds."""
    x = min(max(round(box.x + dx), bounds.x), max(bounds.right - box.width, bounds.x))
    y = min(max(round(box.y + dy), bounds.y), max(bounds.bottom - box.height, bounds.y))
    return Rect(x, y, box.width, box.height)


def resized(box: Rect, handle: tuple[float, float], dx: float, dy: float, bounds: Rect) -> Rect:
    """Drag a handle of a rectangle within the bounds; it keeps at least SMALLEST on each side, or what fits."""
    left, right = _span(box.x, box.right, handle[0], dx, bounds.x, bounds.right)
    top, bottom = _span(box.y, box.bottom, handle[1], dy, bounds.y, bounds.bottom)
    return Rect.of_edges(left, top, right, bottom)


def _span(low: int, high: int, which: float, way: float, first: int, last: int) -> tuple[int, int]:
    least = min(SMALLEST, last - first)
    if which == 0:
        low = min(max(round(low + way), first), high - least)
    elif which == 1:
        high = max(min(round(high + way), last), low + least)
    return max(low, first), min(high, last)
