"""Fill, eyedropper and hand."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt

from ...document.pixels import bucket_fill, pick
from ...translation import marked, tr
from .brushes import colour_of
from .tool import Pointer, Tool


class FillTool(Tool):
    """Fills the area around a click that is alike, on the active layer."""

    def press(self, pointer: Pointer) -> None:
        """Fill."""
        layer = None if self.work.running else self.layer_to_edit()
        if layer is None:
            return
        state = self.begin()
        x, y, colour = math.floor(pointer.x), math.floor(pointer.y), colour_of(self.options["colour"])
        tolerance, opacity = int(self.options["tolerance"]), self.options["opacity"] / 100
        contiguous, whole = bool(self.options["contiguous"]), self.options["sample"] == "picture"

        self.work.start(
            lambda: bucket_fill(
                state, layer.id, x, y, colour, tolerance, contiguous=contiguous, opacity=opacity, whole_picture=whole
            ),
            lambda after: self.commit(marked("Fill"), after),
        )


class EyedropperTool(Tool):
    """Takes the colour under the pointer, for all tools."""

    def press(self, pointer: Pointer) -> None:
        """Take the colour."""
        state = self.session.state
        layer = state.active if self.options["sample"] == "layer" else None
        size = int(self.options["size"])
        found = pick(state, math.floor(pointer.x), math.floor(pointer.y), size, layer)
        if found is None or not found[3]:
            self.message.emit(tr("There is no colour here."))
            return
        red, green, blue, _ = found
        self.option_wanted.emit("colour", f"#{red:02x}{green:02x}{blue:02x}")
        self.message.emit(tr("Colour {red}, {green}, {blue}", red=red, green=green, blue=blue))

    def move(self, pointer: Pointer) -> None:
        """Take another."""
        self.press(pointer)


class HandTool(Tool):
    """Moves the view."""

    cursor = Qt.CursorShape.OpenHandCursor
    pans = True
