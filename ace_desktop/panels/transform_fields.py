"""Numbers of the layer that the move tool holds: where it lies, how large it is, and how far it is turned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget

from ..document.geometry import Rect
from ..translation import marked, tr

if TYPE_CHECKING:
    from ..canvas.tools.move import MoveTool
    from ..canvas.view import CanvasView

_FARTHEST, _LONGEST = 100_000, 32_768
_TEXTS: Mapping[str, str] = {
    "x": marked("X"),
    "y": marked("Y"),
    "width": marked("Width"),
    "height": marked("Height"),
    "angle": marked("Angle"),
}


def fields_of(view: CanvasView, parent: QWidget) -> QWidget:
    """Make the fields of the move tool that a view has in hand."""
    from ..canvas.tools.move import MoveTool

    tool = view.tool
    return TransformFields(tool, tool.options, parent) if isinstance(tool, MoveTool) else QWidget(parent)


class TransformFields(QWidget):
    """Shows the numbers of a move tool, and moves, scales and turns by those that are typed."""

    def __init__(self, tool: MoveTool, options: Mapping[str, Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tool, self._options = tool, options
        self.boxes: dict[str, QDoubleSpinBox] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for name, text in _TEXTS.items():
            box = QDoubleSpinBox(self)
            box.setDecimals(1 if name == "angle" else 0)
            least = -_FARTHEST if name in ("x", "y") else -180 if name == "angle" else 1
            box.setRange(least, 180 if name == "angle" else _FARTHEST if name in ("x", "y") else _LONGEST)
            box.setWrapping(name == "angle")
            box.setSuffix("°" if name == "angle" else " px")
            box.setKeyboardTracking(False)
            box.setAlignment(Qt.AlignmentFlag.AlignRight)
            box.setFixedSize(68, 22)
            box.setAccessibleName(tr(text))
            box.valueChanged.connect(partial(self._typed, name))
            label = QLabel(tr(text), self)
            label.setObjectName("caption")
            label.setBuddy(box)
            row.addWidget(label)
            row.addWidget(box)
            self.boxes[name] = box
        tool.repaint.connect(self.refresh)
        tool.session.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what the layer is now."""
        placed = self._tool.placed
        shown = {
            "x": placed.x, "y": placed.y, "width": placed.width, "height": placed.height, "angle": self._tool.angle
        }  # fmt: skip
        for name, box in self.boxes.items():
            box.setEnabled(bool(placed))
            blocked = box.blockSignals(True)
            box.setValue(shown[name])
            box.blockSignals(blocked)

    def _typed(self, name: str, value: float) -> None:
        if name == "angle":
            self._tool.turn(value)
        else:
            self._tool.place(self._wanted(name, round(value)))
        self.refresh()

    def _wanted(self, name: str, value: int) -> Rect:
        """Give the rectangle that a number asks for; one side takes the other with it where proportions are kept."""
        placed = self._tool.placed
        wanted = replace(placed, **{name: value})
        if self._options["proportions"] and name == "width":
            return replace(wanted, height=max(1, round(placed.height * value / placed.width)))
        if self._options["proportions"] and name == "height":
            return replace(wanted, width=max(1, round(placed.width * value / placed.height)))
        return wanted
