"""Marching ants around masks in a view, for as long as the view is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRect, QRectF, QTimer, Signal
from PySide6.QtGui import QPainter

from .overlays import ants

TICK_MS = 120

Edge = NDArray[np.uint8]


class MarchingAnts(QObject):
    """Where the borders of masks run in the view, found when they are painted, and how far the ants have come.

    `find` gives the border of a mask in device pixels of the view, as `traced` does.
    """

    stepped = Signal(QRect)
    """The ants in this rectangle of the view have moved on."""

    def __init__(self, find: Callable[[str], Edge | None], parent: QObject) -> None:
        super().__init__(parent)
        self._find = find
        self._edges: dict[str, Edge | None] = {}
        self._ratio = 1.0
        self._phase = 0
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._step)

    def run(self, running: bool) -> None:
        """Let the ants march, or rest."""
        if running != self._timer.isActive():
            (self._timer.start if running else self._timer.stop)()

    def forget(self, name: str | None = None) -> bool:
        """Look for the border of a mask (of all where None) again; tell whether one was shown."""
        names = list(self._edges) if name is None else [name]
        shown = [self._edges.pop(name, None) for name in names]
        return any(edge is not None for edge in shown)

    def paint(self, painter: QPainter, names: Sequence[str], exposed: QRect, ratio: float) -> None:
        """Paint the ants of these masks in a part of the view."""
        self._ratio = ratio
        for name in names:
            if name not in self._edges:
                self._edges[name] = self._find(name)
            edge = self._edges[name]
            if edge is None:
                continue
            rect = exposed & _around(edge, ratio)
            top, left = round(rect.top() * ratio), round(rect.left() * ratio)
            part = edge[top : round((rect.bottom() + 1) * ratio), left : round((rect.right() + 1) * ratio)]
            if part.size:
                image = ants(part, self._phase, ratio)
                target = QRectF(left / ratio, top / ratio, part.shape[1] / ratio, part.shape[0] / ratio)
                painter.drawImage(target, image)

    def _step(self) -> None:
        self._phase += 1
        for edge in self._edges.values():
            if edge is not None:
                self.stepped.emit(_around(edge, self._ratio))


def _around(edge: Edge, ratio: float) -> QRect:
    """Give the view's rectangle around an edge that is not empty."""
    rows, columns = np.flatnonzero(edge.any(1)), np.flatnonzero(edge.any(0))
    left, top = columns[0] / ratio, rows[0] / ratio
    return QRectF(left, top, (columns[-1] + 1) / ratio - left, (rows[-1] + 1) / ratio - top).toAlignedRect()
