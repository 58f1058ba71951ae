"""What of a reference counts, from scribbles over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..document.plane import Plane
from ..document.smart_select import quick_select
from ..document.state import RasterLayer, State

LONGEST = 1600
"""Pixels of the longer side on which scribbles work: finer than a model looks at a reference."""

Rgba = NDArray[np.uint8]
Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Scribble:
    """A stroke of the hand, in pixels of the picture; `background`: over what does not count."""

    points: tuple[tuple[float, float], ...]
    background: bool = False


def working_copy(pixels: Rgba) -> Rgba:
    """Make a picture small enough to work on; the picture itself where it is."""
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST / max(width, height))
    if scale == 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def cut_out(pixels: Rgba, scribbles: Sequence[Scribble]) -> Grey:
    """Find the object under the scribbles (h x w, 255 counts); nothing where none says what counts. Slow."""
    shape = pixels.shape[:2]
    objects = _drawn([scribble for scribble in scribbles if not scribble.background], shape)
    others = _drawn([scribble for scribble in scribbles if scribble.background], shape)
    layer = RasterLayer(pixels=Plane.of(pixels), name="")
    state = State(width=shape[1], height=shape[0], layers=(layer,))
    found = quick_select(state, Plane.of(objects), Plane.of(others))
    return found.read(state.frame)[..., 0].astype(np.uint8)


def automatic(pixels: Rgba) -> Scribble:
    """Guess where the object is: in the middle, and about as large as objects in pictures of them are."""
    height, width = pixels.shape[:2]
    x, y = width / 2, height / 2
    return Scribble(((x - width / 8, y), (x + width / 8, y), (x, y), (x, y - height / 8), (x, y + height / 8)))


def enlarged(mask: Grey, width: int, height: int) -> Grey:
    """Give a mask at the picture's own size."""
    import cv2

    if mask.shape == (height, width):
        return mask
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def thickness(shape: tuple[int, ...]) -> int:
    """Say how wide a scribble is, in pixels of the picture."""
    return max(3, round(0.02 * max(shape[:2])))


def _drawn(scribbles: Sequence[Scribble], shape: tuple[int, int]) -> Grey:
    import cv2

    out = np.zeros(shape, np.uint8)
    for scribble in scribbles:
        points = np.array([[round(x), round(y)] for x, y in scribble.points], np.int32)
        cv2.polylines(out, [points.reshape(-1, 1, 2)], False, 255, thickness(shape))
    return out
