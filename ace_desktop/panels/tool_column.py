"""The column of tools at the left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ..actions import ActionKind
from ..canvas.tools import TOOLS
from .controls import IconButton

PREFIX = "tool."


def tool_actions() -> tuple[ActionKind, ...]:
    """Describe one action for every tool."""
    return tuple(
        ActionKind(
            PREFIX + kind.id,
            kind.text,
            "Tools",
            shortcuts=(kind.shortcut,) if kind.shortcut else (),
            icon=kind.icon,
            checkable=True,
            choice="tool",
        )
        for kind in TOOLS
    )


class ToolColumn(QWidget):
    """One button of 28 px for every tool."""

    def __init__(self, actions: Mapping[str, QAction], tools: Iterable[ActionKind], parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("tools")
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 8, 7, 8)
        column.setSpacing(4)
        self.buttons = {kind.id: IconButton(actions[kind.id], tool=True, parent=self) for kind in tools}
        for button in self.buttons.values():
            column.addWidget(button)
        column.addStretch(1)
