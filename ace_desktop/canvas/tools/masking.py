"""What the tools have in common that make a mask: which mask, how it joins what is there, soft edges, a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from ...document.masks import Combine, copied, feathered
from ...document.plane import Plane
from ...document.state import State
from ...document.target import EDIT_MASK, SELECTION, Target
from ...session import Session
from .tool import Pointer, Tool


class MaskingTool(Tool):
    """Makes a mask in a thread and joins it with the edit mask or the selection, as the option "target" says.

    With shift held when it begins it adds, with alt it takes away, with both it keeps what both have.
    """

    def __init__(self, session: Session, options: Mapping[str, Any]) -> None:
        super().__init__(session, options)
        self.how: Combine = "replace"

    @property
    def target(self) -> Target:
        """Which mask is made."""
        return SELECTION if self.options["target"] == "selection" else EDIT_MASK

    def choose_how(self, pointer: Pointer) -> None:
        """Note how the mask that begins here joins what is there."""
        if pointer.shift:
            self.how = "intersect" if pointer.alt else "add"
        else:
            self.how = "subtract" if pointer.alt else self.options["combine"]

    def make(self, label: str, mask: Callable[[State], Plane]) -> None:
        """Make a mask of the present state in a thread and join it, as one step of undo."""
        state, target, how, feather = self.begin(), self.target, self.how, float(self.options.get("feather", 0))

        def work() -> State:
            return copied(state, feathered(mask(state), state.frame, feather / 2), target, how)

        self.work.start(work, lambda after: self.commit(label, after))


def paint_path(painter: QPainter, points: QPolygonF, *, closed: bool) -> None:
    """Paint the way of a lasso so that it is seen on light and dark."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, width in ((QColor(0, 0, 0, 140), 2.5), (QColor(255, 255, 255), 1.0)):
        painter.setPen(QPen(colour, width))
        (painter.drawPolygon if closed else painter.drawPolyline)(points)


def paint_handle(painter: QPainter, at: QPointF, *, size: float = 8.0) -> None:
    """Paint a handle: a small white square with a dark border."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
    painter.setPen(QPen(QColor(0, 0, 0, 160), 1))
    painter.setBrush(QColor(255, 255, 255))
    painter.drawRect(round(at.x() - size / 2), round(at.y() - size / 2), round(size), round(size))
