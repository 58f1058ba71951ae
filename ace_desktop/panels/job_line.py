"""How the present job stands, in one line for the status bar; a click opens the list of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QWidget

from ..background import Background

if TYPE_CHECKING:
    Engine = Any


class JobLine(QWidget):
    """20 px high; hidden while no job runs, waits or needs the user."""

    def __init__(self, engine: Engine, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine, self._background = engine, background
        self.hide()
