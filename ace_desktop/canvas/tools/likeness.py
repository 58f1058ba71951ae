"""Masks that look at the picture: the magic wand, and quick select, which makes an object of a rough scribble."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen, QPolygonF

from ...document.plane import Plane
from ...document.smart_select import magic_wand, quick_select
from ...document.state import State
from ...document.stroke import Brush, Stroke
from ...document.target import EDIT_MASK
from ...translation import marked, tr
from ..transform import ViewTransform
from .brushes import resized
from .masking import MaskingTool
from .tool import Pointer


class WandTool(MaskingTool):
    """Takes the pixels that are like the one that is clicked."""

    def press(self, pointer: Pointer) -> None:
        """Take them."""
        if self.work.running:
            return
        self.choose_how(pointer)
        x, y = math.floor(pointer.x), math.floor(pointer.y)
        tolerance, contiguous = int(self.options["tolerance"]), bool(self.options["contiguous"])
        layer = self.session.state.active if self.options["sample"] == "layer" else None

        def wand(state: State) -> Plane:
            return magic_wand(state, x, y, tolerance, contiguous=contiguous, layer_id=layer)

        self.make(marked("Magic wand"), wand)


class QuickSelectTool(MaskingTool):
    """A rough scribble on an object becomes a mask of the object."""

    cursor = Qt.CursorShape.BlankCursor

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._points: list[tuple[float, float]] = []

    @property
    def brush_size(self) -> float | None:
        """The width of the scribble."""
        return float(self.options["size"])

    def press(self, pointer: Pointer) -> None:
        """Begin to scribble."""
        if not self.work.running:
            self.choose_how(pointer)
            self.begin()
            self._points = [(pointer.x, pointer.y)]
            self.repaint.emit()

    def move(self, pointer: Pointer) -> None:
        """Scribble on."""
        if self._points and not self.work.running:
            self._points.append((pointer.x, pointer.y))
            self.repaint.emit()

    def release(self, pointer: Pointer) -> None:
        """Look for the object, in a thread; the scribble is shown until it is found."""
        if not self._points or self.work.running:
            return
        points, size = [*self._points, (pointer.x, pointer.y)], float(self.options["size"])
        layer = self.session.state.active if self.options["sample"] == "layer" else None

        def find(state: State) -> Plane:
            stroke = Stroke(State(width=state.width, height=state.height), EDIT_MASK, Brush(size=size, hardness=1))
            for x, y in points:
                stroke.to(x, y)
            return quick_select(state, stroke.state().edit_mask, layer_id=layer)

        self.message.emit(tr("Looking for the object. Esc stops."))
        self.make(marked("Quick select"), find)

    def key(self, event: QKeyEvent) -> bool:
        """Change the size with [ and ]."""
        return resized(self, event)

    def commit(self, label: str, state: State, rects: list[Any] | None = None) -> None:
        """End what is under way with a step of undo."""
        super().commit(label, state, rects)
        self.message.emit("")

    def finish(self) -> None:
        """Note that nothing is under way any more."""
        self._points = []
        super().finish()

    def paint(self, painter: QPainter, transform: ViewTransform) -> None:
        """Paint the scribble."""
        if not self._points:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = max(float(self.options["size"]) * transform.scale, 2)
        colour = QColor(255, 150, 40, 110) if self.how == "subtract" else QColor(60, 200, 110, 110)
        pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        places = [QPointF(transform.to_view(x, y)) for x, y in self._points]
        painter.drawPolyline(QPolygonF(places if len(places) > 1 else [places[0], places[0] + QPointF(0.01, 0)]))
