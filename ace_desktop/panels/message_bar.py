"""A line above the canvas that says what went wrong or asks something, and goes away without stopping anyone."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from ..icons import icon
from ..translation import tr
from .controls import PlainButton


class MessageBar(QWidget):
    """One sentence at a time, with buttons."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.label = QLabel(self)
        self.label.setWordWrap(True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)  # it may name files
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._sign = QLabel(self)
        self._gone: Callable[[], None] | None = None
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 9)
        row.setSpacing(8)
        row.addWidget(self._sign)
        row.addWidget(self.label, 1)
        row.addLayout(self._buttons)
        self.hide()

    def say(
        self,
        text: str,
        details: str = "",
        buttons: dict[str, Callable[[], None]] | None = None,
        *,
        calm: bool = False,
        gone: Callable[[], None] | None = None,
    ) -> None:
        """Show a sentence; `details` can be copied; each button closes the bar and does what it says.

        `calm`: it is good news. `gone` is called when the sentence goes without one of its buttons having been used.
        """
        self.clear()
        self._gone = gone
        self._sign.setPixmap(icon("check" if calm else "warning").pixmap(16, 16))
        self.label.setText(text)
        self.setAccessibleName(text)
        for name, action in (buttons or {}).items():
            self._add(name, action)
        if details:
            copy = QPushButton(tr("Copy details"), self)
            copy.setObjectName("small")
            copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(f"{text}\n\n{details}"))
            self._buttons.addWidget(copy)
        close = PlainButton(icon("close"), tr("Close"), self)
        close.clicked.connect(self.clear)
        self._buttons.addWidget(close)
        self.show()

    def clear(self) -> None:
        """Take the sentence away."""
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()
        while (item := self._buttons.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.label.clear()
        self.hide()

    def _add(self, name: str, action: Callable[[], None]) -> None:
        button = QPushButton(name, self)
        button.setObjectName("small")

        def clicked() -> None:
            self._gone = None
            self.clear()
            action()

        button.clicked.connect(clicked)
        self._buttons.addWidget(button)
