"""Pixels of a layer filled, taken out, copied and pasted, and colours picked. The selection bounds what changes.

Positions are document pixels, colours 0..255; layers of 16 bits keep them. Raises ValueError for layers that do not
exist, are locked, or are groups where pixels are needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from .compose import compose_layers
from .geometry import Rect
from .masks import combined
from .paint import Cover, Rgb, erased, painted
from .plane import Pixels, Plane
from .smart_select import magic_wand, sampled
from .state import RasterLayer, State, depth_of
from .target import SELECTION, Target, mask_of, origin_of, plane_of, with_plane
from .tree import add_above_active, editable

Rgba: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Clip:
    """Pixels that were copied: h x w x 4, straight alpha, uint8 or uint16, and where they lay in the document."""

    pixels: Pixels
    x: int = 0
    y: int = 0


def fill(state: State, layer_id: str, colour: Rgb, opacity: float = 1.0) -> State:
    """Lay a colour over the selected part of a layer, the whole frame where nothing is selected."""
    return _covered(state, layer_id, mask_of(state, SELECTION), opacity, lambda p, cover: painted(p, cover, colour))


def bucket_fill(
    state: State, layer_id: str, x: int, y: int, colour: Rgb, tolerance: int, *, contiguous: bool = True,
    opacity: float = 1.0, whole_picture: bool = False,
) -> State:  # fmt: skip
    """Lay a colour over the pixels that the magic wand takes at x, y in the layer, or in the whole picture."""
    like = magic_wand(state, x, y, tolerance, contiguous=contiguous, layer_id=None if whole_picture else layer_id)
    mask = combined(like, mask_of(state, SELECTION), "intersect", state.frame)
    return _covered(state, layer_id, mask, opacity, lambda p, cover: painted(p, cover, colour))


def clear(state: State, layer_id: str) -> State:
    """Make the selected part of a layer transparent, all of it, also outside the frame, where nothing is selected."""
    target = Target("pixels", layer_id)
    if state.selection is None:
        plane = plane_of(state, target)
        return with_plane(state, target, plane and Plane(plane.channels, plane.depth))
    return _covered(state, layer_id, state.selection, 1.0, erased)


def copy(state: State, layer_id: str) -> Clip | None:
    """Copy the selected part of a layer inside the frame; None where that is empty."""
    target = Target("pixels", layer_id)
    plane, (x, y) = plane_of(state, target), origin_of(state, target)
    if plane is None:
        return None
    rect = state.frame & plane.content().moved(x, y)
    return _clip(state, rect, lambda part: plane.read(part.moved(-x, -y)))


def copy_merged(state: State) -> Clip | None:
    """Copy what all visible layers make in the selected part of the frame; None where that is empty."""
    return _clip(state, state.frame, lambda part: compose_layers(state.layers, part, depth_of(state.layers)))


def cut(state: State, layer_id: str) -> tuple[State, Clip | None]:
    """Copy the selected part of a layer and make it transparent."""
    if not editable(state, layer_id):
        raise ValueError("the layer is locked")
    return clear(state, layer_id), copy(state, layer_id)


def paste(state: State, clip: Clip, name: str, centre: tuple[float, float] | None = None) -> State:
    """Put copied pixels above the active layer as a layer of their own, where they lay or around a place."""
    height, width = clip.pixels.shape[:2]
    x, y = clip.x, clip.y
    if centre is not None:
        x, y = round(centre[0] - width / 2), round(centre[1] - height / 2)
    return add_above_active(state, RasterLayer(pixels=Plane.of(clip.pixels), name=name, x=x, y=y))


def layer_via_copy(state: State, layer_id: str, name: str) -> State:
    """Put a copy of the selected part of a layer right above it; the same state where that is empty."""
    clip = copy(state, layer_id)
    return state if clip is None else paste(replace(state, active=layer_id), clip, name)


def pick(state: State, x: int, y: int, size: int = 1, layer_id: str | None = None) -> Rgba | None:
    """Give the mean colour of size x size pixels around a place, of the picture or of one layer alone.

    Transparent pixels count for the alpha only. None outside the frame.
    """
    if Rect(x, y, 1, 1) not in state.frame:
        return None
    around = Rect(x - size // 2, y - size // 2, size, size) & state.frame
    found = sampled(state, around, layer_id).reshape(-1, 4).astype(np.float64)
    alpha = found[:, 3].sum()
    colour = (found[:, :3] * found[:, 3:]).sum(0) / max(alpha, 1)
    red, green, blue = (round(value) for value in colour.tolist())
    return red, green, blue, round(alpha / len(found))


def _covered(
    state: State, layer_id: str, mask: Plane, opacity: float, change: Callable[[Pixels, Cover], Pixels]
) -> State:
    """Change a layer's pixels as far as a mask covers them, inside the frame."""
    target = Target("pixels", layer_id)
    plane, (x, y) = plane_of(state, target), origin_of(state, target)
    rect = state.frame if mask.default else state.frame & mask.bounds

    def part_changed(pixels: Pixels, part: Rect) -> Pixels | None:
        values = mask.read(part.moved(x, y))[..., 0]
        if not values.any():
            return None
        return change(np.ascontiguousarray(pixels), np.multiply(values, np.float32(opacity / 255)))

    return with_plane(state, target, plane and plane.mapped(rect.moved(-x, -y), part_changed))


def _clip(state: State, rect: Rect, read: Callable[[Rect], Pixels]) -> Clip | None:
    """Take pixels out of a rectangle, weakened by the selection, and cut off what is transparent around them."""
    selection = mask_of(state, SELECTION)
    if not selection.default:
        rect = rect & selection.content()
    pixels = read(rect)
    full = np.iinfo(pixels.dtype).max
    mask = selection.read(rect)[..., 0].astype(np.uint32)
    pixels[..., 3] = (pixels[..., 3] * mask * (full // 255) + full // 2) // full
    rows, columns = np.flatnonzero(pixels[..., 3].any(1)), np.flatnonzero(pixels[..., 3].any(0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    shown = pixels[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1].copy()
    return Clip(shown, rect.x + left, rect.y + top)
