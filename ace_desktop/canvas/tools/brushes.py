"""Tools that draw strokes: the mask's brush and eraser, the colour brush and the eraser of pixels."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from ...document.stroke import Brush, Stroke
from ...document.target import EDIT_MASK, SELECTION, Target
from ...translation import marked
from .tool import Pointer, Tool

SMALLEST, LARGEST = 1, 4000
_STEPS = {
    Qt.Key.Key_BracketLeft: -1, Qt.Key.Key_BracketRight: 1, Qt.Key.Key_BraceLeft: -1, Qt.Key.Key_BraceRight: 1,
}  # fmt: skip


class StrokeTool(Tool):
    """Draws strokes with a round brush; shift draws a straight line on from the last stroke's end."""

    cursor = Qt.CursorShape.BlankCursor

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._stroke: Stroke | None = None
        self._last: tuple[float, float] | None = None

    @property
    def brush_size(self) -> float | None:
        """The brush's diameter."""
        return float(self.options["size"])

    def target(self) -> Target | None:
        """Choose what is painted on; None, having said why, where nothing can be."""
        raise NotImplementedError

    def brush(self) -> Brush:
        """Make the brush of the options."""
        raise NotImplementedError

    def label(self) -> str:
        """Name the step of undo, in English; it is translated where it is shown."""
        raise NotImplementedError

    def press(self, pointer: Pointer) -> None:
        """Begin a stroke."""
        target = self.target()
        if target is None:
            return
        self._stroke = Stroke(self.begin(), target, self.brush())
        if pointer.shift and self._last is not None:
            self._stroke.to(*self._last, pointer.pressure)
            self._draw(pointer, everything=True)
        else:
            self._draw(pointer)

    def move(self, pointer: Pointer) -> None:
        """Draw on."""
        self._draw(pointer)

    def _draw(self, pointer: Pointer, *, everything: bool = False) -> None:
        if self._stroke is None:
            return
        dirty = self._stroke.to(pointer.x, pointer.y, pointer.pressure)
        self._last = pointer.x, pointer.y
        if dirty:
            self.show_preview(self._stroke.state(), None if everything else self._stroke.dirty)

    def release(self, pointer: Pointer) -> None:
        """End the stroke."""
        stroke = self._stroke
        if stroke is None:
            return
        self._draw(pointer)
        self._stroke = None
        self.commit(self.label(), stroke.state())

    def abandon(self) -> None:
        """Forget the stroke."""
        self._stroke = None
        super().abandon()

    def cancel(self) -> None:
        """Take the stroke back."""
        self._stroke = None
        super().cancel()

    def key(self, event: QKeyEvent) -> bool:
        """Change the size with [ and ], the hardness with shift."""
        return resized(self, event)


def resized(tool: Tool, event: QKeyEvent) -> bool:
    """Ask for another size where the key is [ or ], with shift for another hardness; tell whether it was."""
    step = _STEPS.get(Qt.Key(event.key()))
    if step is None or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
        return False
    if not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
        tool.option_wanted.emit("size", next_size(int(tool.options["size"]), step))
    elif "hardness" in tool.options:
        tool.option_wanted.emit("hardness", min(max(int(tool.options["hardness"]) + 10 * step, 0), 100))
    tool.repaint.emit()
    return True


def next_size(size: int, step: int) -> int:
    """Give the next larger (step 1) or smaller (-1) size: by a tenth, at least by one."""
    return min(max(size + step * max(round(size / 10), 1), SMALLEST), LARGEST)


class MaskBrush(StrokeTool):
    """Paints on the edit mask, or on the selection; alt erases."""

    erases = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._erasing = False

    def press(self, pointer: Pointer) -> None:
        """Begin a stroke."""
        self._erasing = self.erases != pointer.alt
        super().press(pointer)

    def target(self) -> Target | None:
        """Choose the mask of the option."""
        return SELECTION if self.options["target"] == "selection" else EDIT_MASK

    def brush(self) -> Brush:
        """Make the brush of the options."""
        return _brush(self.options, erase=self._erasing)

    def label(self) -> str:
        """Name the step of undo, in English; it is translated where it is shown."""
        if self.options["target"] == "selection":
            return marked("Erase selection") if self._erasing else marked("Paint selection")
        return marked("Erase mask") if self._erasing else marked("Paint mask")


class MaskEraser(MaskBrush):
    """Erases the edit mask, or the selection; alt paints."""

    erases = True


class ColourBrush(StrokeTool):
    """Paints colour on the active layer, or hides it (with black) and shows it (with white) through its mask."""

    def target(self) -> Target | None:
        """Choose the layer's pixels or mask."""
        masked = self.options["target"] == "layer mask"
        layer = self.layer_to_edit(pixels=not masked)
        if layer is None:
            return None
        return Target("layer mask" if masked else "pixels", layer.id)

    def brush(self) -> Brush:
        """Make the brush of the options."""
        red, green, blue = colour_of(self.options["colour"])
        dark = self.options["target"] == "layer mask" and red + green + blue < 383
        return _brush(self.options, erase=dark, colour=(red, green, blue))

    def label(self) -> str:
        """Name the step of undo, in English; it is translated where it is shown."""
        return marked("Paint layer mask") if self.options["target"] == "layer mask" else marked("Paint")


class Eraser(ColourBrush):
    """Takes alpha away from the active layer, or hides it through its mask."""

    def brush(self) -> Brush:
        """Make the brush of the options."""
        return _brush(self.options, erase=True)

    def label(self) -> str:
        """Name the step of undo, in English; it is translated where it is shown."""
        return marked("Erase layer mask") if self.options["target"] == "layer mask" else marked("Erase")


def colour_of(text: str) -> tuple[int, int, int]:
    """Read "#rrggbb"."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _brush(options: Any, *, erase: bool, colour: tuple[int, int, int] = (0, 0, 0)) -> Brush:
    return Brush(
        size=float(options["size"]),
        hardness=options["hardness"] / 100,
        opacity=options["opacity"] / 100,
        erase=erase,
        colour=colour,
        pressure_size=bool(options["pressure_size"]),
        pressure_opacity=bool(options["pressure_opacity"]),
    )
