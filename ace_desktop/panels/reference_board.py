"""The board of reference pictures: what the model is to take from other pictures, and in which order."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from ..background import Background
from ..session import Session


class ReferenceBoard(QWidget):
    """The document's references; takes files, pictures from other programs, layers and what is pasted."""

    failed = Signal(object)
    """An Exception to be explained: a picture that cannot be read."""

    def __init__(self, session: Session, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self._background = session, background

    def add_files(self, paths: list[Path]) -> None:
        """Read pictures in the background and add them."""

    def add_selection(self) -> None:
        """Add what is selected of the picture, its outline as the reference's mask."""

    def paste(self) -> None:
        """Add the picture on the clipboard."""
