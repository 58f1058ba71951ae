"""A mask shown alone: in grey, in the place of the picture, while tools go on working on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..document.geometry import Rect
from ..document.plane import Plane
from ..document.state import State, walk
from ..document.target import EDIT_MASK, Target, origin_of

GREYS = (np.arange(256, dtype=np.uint32) * 0x010101) | np.uint32(0xFF000000)
"""The premultiplied colour for each value of a mask."""


def plane_alone(state: State, target: Target) -> Plane | None:
    """Give the edit mask, or a layer's in its own coordinates; None where that layer is gone or has no mask."""
    if target == EDIT_MASK:
        return state.edit_mask
    return next((layer.mask for layer in walk(state.layers) if layer.id == target.name), None)


def still_alone(target: Target, state: State, before: State) -> bool:
    """Tell whether a mask may stay alone on the screen: it is there, and no other change hides behind it."""
    if target == EDIT_MASK:
        return state.layers is before.layers
    mask = plane_alone(state, target)
    if mask is None or state.active != before.active:
        return False
    return state.layers is before.layers or mask is not plane_alone(before, target)


class LayerMask:
    """A layer's mask at all sizes, in document coordinates."""

    def __init__(self, state: State, target: Target, limit_bytes: int) -> None:
        from .compositor import Pyramid  # not before there is a document: OpenCV takes its time to load

        self.target = target
        self._state = state
        self.pyramid = Pyramid(state.frame, 1, self._read, limit_bytes)

    def update(self, state: State, before: State) -> list[Rect]:
        """Follow the document; give the rectangles in which the mask differs."""
        self._state = state
        old, new = plane_alone(before, self.target), plane_alone(state, self.target)
        if old is new and state.layers is before.layers:
            return []
        changed = [state.frame]
        if old is not None and new is not None and old.default == new.default:
            place = origin_of(state, self.target)
            if place == origin_of(before, self.target):
                changed = [rect.moved(*place) & state.frame for rect in new.changed(old)]
        self.pyramid.invalidate(changed)
        return changed

    def _read(self, rect: Rect) -> NDArray[np.uint8]:
        mask = plane_alone(self._state, self.target)
        if mask is None:
            return np.full((rect.height, rect.width, 1), 255, np.uint8)
        x, y = origin_of(self._state, self.target)
        return mask.read(rect.moved(-x, -y)).astype(np.uint8, copy=False)
