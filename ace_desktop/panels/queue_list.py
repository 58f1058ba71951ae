"""The list of jobs: what runs, what waits, and what failed and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QWidget

from ..background import Background

if TYPE_CHECKING:
    Engine = Any


class QueueList(QWidget):
    """All jobs of the engine, in their order."""

    def __init__(self, engine: Engine, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine, self._background = engine, background
