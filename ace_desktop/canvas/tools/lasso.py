"""Masks drawn around by hand: the lasso, and corner by corner the polygon."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPolygonF

from ...document.shapes import polygon
from ...translation import marked, tr
from ..transform import ViewTransform
from .masking import MaskingTool, paint_handle, paint_path
from .tool import Pointer

REACH = 8.0
"""View pixels around the first corner in which a click closes a polygon."""


class LassoTool(MaskingTool):
    """Draws around by hand; the way is closed where the button is let go."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._points: list[tuple[float, float]] = []

    def press(self, pointer: Pointer) -> None:
        """Begin."""
        if not self.work.running:
            self.choose_how(pointer)
            self.begin()
            self._points = [(pointer.x, pointer.y)]

    def move(self, pointer: Pointer) -> None:
        """Draw on."""
        if self._points:
            self._points.append((pointer.x, pointer.y))
            self.repaint.emit()

    def release(self, pointer: Pointer) -> None:
        """Close the way and make the mask."""
        points, self._points = [*self._points, (pointer.x, pointer.y)], []
        if len(set(points)) > 2:
            self.make(marked("Lasso"), lambda state: polygon([points], state.frame))
        elif self.busy and not self.work.running:
            self.finish()

    def finish(self) -> None:
        """Note that nothing is under way any more."""
        self._points = []
        super().finish()

    def paint(self, painter: QPainter, transform: ViewTransform) -> None:
        """Paint the way so far."""
        if self._points:
            paint_path(painter, QPolygonF([transform.to_view(x, y) for x, y in self._points]), closed=False)


class PolygonTool(MaskingTool):
    """Sets corners by clicks; a double click, Return or a click on the first one closes it, Backspace goes back."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._points: list[tuple[float, float]] = []
        self._next: tuple[float, float] | None = None

    def press(self, pointer: Pointer) -> None:
        """Set a corner; shift keeps the edge at a multiple of 45 degrees."""
        if self.work.running:
            return
        if not self._points:
            self.choose_how(pointer)
            self.begin()
            self._points = [(pointer.x, pointer.y)]
            self.message.emit(tr("Click corner by corner. Return closes the shape, Esc takes it back."))
        elif math.dist(self._points[0], (pointer.x, pointer.y)) * pointer.scale <= REACH and len(self._points) > 2:
            self._close()
            return
        elif math.dist(self._points[-1], (pointer.x, pointer.y)) * pointer.scale > 1:
            self._points.append(self._aimed(pointer))
        self._next = None
        self.repaint.emit()

    def move(self, pointer: Pointer) -> None:
        """Show the next edge."""
        self.hover(pointer)

    def hover(self, pointer: Pointer | None) -> None:
        """Show the next edge."""
        if self._points:
            self._next = None if pointer is None else self._aimed(pointer)
            self.repaint.emit()

    def double_click(self, pointer: Pointer) -> bool:  # noqa: ARG002
        """Close the shape."""
        closes = len(self._points) > 2
        if closes:
            self._close()
        return closes

    def key(self, event: QKeyEvent) -> bool:
        """Close the shape with Return, take a corner back with Backspace."""
        if not self._points or self.work.running:
            return False
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._close()
        elif event.key() in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
            self._points.pop()
            if not self._points:
                self.cancel()
            self.repaint.emit()
        else:
            return False
        return True

    def _aimed(self, pointer: Pointer) -> tuple[float, float]:
        if not pointer.shift or not self._points or (len(self._points) == 1 and self.how in ("add", "intersect")):
            return pointer.x, pointer.y
        x, y = self._points[-1]
        angle = round(math.atan2(pointer.y - y, pointer.x - x) / (math.pi / 4)) * math.pi / 4
        way = (pointer.x - x) * math.cos(angle) + (pointer.y - y) * math.sin(angle)
        return x + way * math.cos(angle), y + way * math.sin(angle)

    def _close(self) -> None:
        points, self._points, self._next = self._points, [], None
        if len(points) > 2:
            self.make(marked("Polygon"), lambda state: polygon([points], state.frame))
        elif self.busy:
            self.finish()

    def finish(self) -> None:
        """Note that nothing is under way any more."""
        self._points, self._next = [], None
        super().finish()

    def paint(self, painter: QPainter, transform: ViewTransform) -> None:
        """Paint the corners and the edges between them."""
        if not self._points:
            return
        points = [*self._points, self._next] if self._next else self._points
        places = [transform.to_view(x, y) for x, y in points]
        paint_path(painter, QPolygonF(places), closed=False)
        for place in places[: len(self._points)]:
            paint_handle(painter, QPointF(place), size=6)
