"""The strip of results below the canvas: compare, star, reject, accept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from ..background import Background

if TYPE_CHECKING:
    Editing = Any


class Filmstrip(QWidget):
    """The results of one document, newest first, and those on their way; hidden while there are none."""

    failed = Signal(object)
    """An Exception to be explained."""
    deleted = Signal(str, object)
    """A sentence for the message bar, and a call that brings the result back."""

    def __init__(self, editing: Editing, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editing, self._background = editing, background
        self.hide()
