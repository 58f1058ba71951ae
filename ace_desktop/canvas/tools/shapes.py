"""Rectangles and ellipses as masks."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPainterPath, QPolygonF

from ...document.geometry import Rect
from ...document.plane import Plane
from ...document.shapes import ellipse, rectangle
from ...document.state import State
from ...translation import marked
from ..transform import ViewTransform
from .masking import MaskingTool, paint_path
from .tool import Pointer

Box = tuple[float, float, float, float]  # left, top, right, bottom


def dragged(start: tuple[float, float], end: tuple[float, float], *, square: bool, centred: bool) -> Box:
    """Give the box between two points, of whole pixels: square, or with `start` in its middle, where asked for."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    if square:
        side = max(abs(dx), abs(dy))
        dx, dy = (side if dx >= 0 else -side), (side if dy >= 0 else -side)
    x, y = (start[0] - dx, start[1] - dy) if centred else start
    xs, ys = sorted((x, start[0] + dx)), sorted((y, start[1] + dy))
    return round(xs[0]), round(ys[0]), round(xs[1]), round(ys[1])


class ShapeTool(MaskingTool):
    """Drags a box: shift makes it square, alt keeps its middle where the drag began."""

    label = ""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._start: tuple[float, float] | None = None
        self._box: Box | None = None
        self._held = (False, False)

    def press(self, pointer: Pointer) -> None:
        """Begin a box."""
        if self.work.running:
            return
        self.choose_how(pointer)
        self.begin()
        self._start, self._box = (round(pointer.x), round(pointer.y)), None
        self._held = pointer.shift, pointer.alt

    def move(self, pointer: Pointer) -> None:
        """Drag the other corner."""
        if self._start is None:
            return
        # A key that was held from the start says how to join; it shapes once it was let go.
        self._held = self._held[0] and pointer.shift, self._held[1] and pointer.alt
        square, centred = pointer.shift and not self._held[0], pointer.alt and not self._held[1]
        self._box = dragged(self._start, (pointer.x, pointer.y), square=square, centred=centred)
        self.repaint.emit()

    def release(self, pointer: Pointer) -> None:
        """Make the mask; a click without a drag clears a selection."""
        if self._start is None:
            return
        self.move(pointer)
        box, self._start, self._box = self._box, None, None
        if box is None or box[2] - box[0] < 1 or box[3] - box[1] < 1:
            self._clicked()
        else:
            self.make(self.label, lambda state: self.shape(state, box))

    def _clicked(self) -> None:
        state = self.session.state
        self.finish()
        if self.options["target"] == "selection" and self.how == "replace" and state.selection is not None:
            from dataclasses import replace

            self.session.do(marked("Deselect"), replace(state, selection=None))

    def shape(self, state: State, box: Box) -> Plane:
        """Make the mask of a box."""
        raise NotImplementedError

    def outline(self, box: QRectF) -> QPolygonF:
        """Give the way around the shape."""
        raise NotImplementedError

    def finish(self) -> None:
        """Note that nothing is under way any more."""
        self._start = self._box = None
        super().finish()

    def paint(self, painter: QPainter, transform: ViewTransform) -> None:
        """Paint the outline."""
        if self._box is not None:
            left, top, right, bottom = self._box
            outline = self.outline(QRectF(QPointF(left, top), QPointF(right, bottom)))
            paint_path(painter, transform.matrix.map(outline), closed=True)


class RectangleTool(ShapeTool):
    """Drags a rectangle."""

    label = marked("Rectangle")

    def shape(self, state: State, box: Box) -> Plane:
        """Make the mask of a box."""
        left, top, right, bottom = box
        return rectangle(Rect.of_edges(int(left), int(top), int(right), int(bottom)), state.frame)

    def outline(self, box: QRectF) -> QPolygonF:
        """Give the way around the shape."""
        return QPolygonF(box)


class EllipseTool(ShapeTool):
    """Drags an ellipse."""

    label = marked("Ellipse")

    def shape(self, state: State, box: Box) -> Plane:
        """Make the mask of a box."""
        left, top, right, bottom = box
        return ellipse(left, top, right - left, bottom - top, state.frame)

    def outline(self, box: QRectF) -> QPolygonF:
        """Give the way around the shape."""
        path = QPainterPath()
        path.addEllipse(box)
        return path.toFillPolygon()
