"""Pictures and references that are dropped on the canvas."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from ..background import Background
from ..canvas.view import CanvasView
from ..settings import Kept


class CanvasDrops(QObject):
    """Watches a view: a picture dropped there asks what it becomes, a reference card is composed where it falls."""

    failed = Signal(object)
    """An Exception to be explained."""
    placed = Signal()
    """A reference was placed: the document is ready to run."""

    def __init__(self, view: CanvasView, background: Background, kept: Kept, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._view, self._background, self._kept = view, background, kept
