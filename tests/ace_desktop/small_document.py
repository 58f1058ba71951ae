"""A document of two layers, small enough that everything done to it is quick."""

from __future__ import annotations

from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer, State
from tests.ace_desktop.document.drawings import plain

WIDTH, HEIGHT = 64, 48


def small_document() -> State:
    """Make a blue picture and above it a red square with a mask, an edit mask in the middle and a selection."""
    frame = Rect(0, 0, WIDTH, HEIGHT)
    below = RasterLayer(pixels=plain((20, 60, 200, 255), frame), name="below", id="below")
    mask = Plane(1, default=255).written(plain((0,), Rect(0, 0, 20, 20)).read(Rect(0, 0, 20, 20)), 0, 0)
    above = RasterLayer(pixels=plain((220, 30, 30, 255), Rect(8, 8, 24, 24)), name="above", id="above", mask=mask)
    return State(
        width=WIDTH,
        height=HEIGHT,
        layers=(below, above),
        active="above",
        edit_mask=plain((255,), Rect(16, 16, 16, 16)),
        selection=plain((255,), Rect(10, 10, 30, 20)),
    )
