"""Layers made into one layer, and small pictures of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from .compose import compose_layers, compose_plane
from .geometry import Rect
from .plane import TILE
from .resample import multiplied
from .state import Layer, RasterLayer, State, depth_of
from .tree import add, changed, editable, remove, siblings


def can_merge_down(state: State, layer_id: str) -> bool:
    """Tell whether a layer can be merged into the one below: both are visible and neither is locked."""
    beside = siblings(state, layer_id)
    at = [layer.id for layer in beside].index(layer_id)
    pair = beside[max(at - 1, 0) : at + 1]
    return len(pair) == 2 and all(layer.visible and editable(state, layer.id) for layer in pair)


def merge_down(state: State, layer_id: str) -> State:
    """Make a layer and the one below it one raster layer, with the name, id and blend mode of the lower one.

    Raises:
        ValueError: `can_merge_down` says no.
    """
    if not can_merge_down(state, layer_id):
        raise ValueError("this layer cannot be merged down")
    beside = siblings(state, layer_id)
    at = [layer.id for layer in beside].index(layer_id)
    below, above = beside[at - 1], beside[at]
    made = replace(_merged((below, above), below.name), id=below.id, blend=below.blend)
    after = changed(state, below.id, lambda _: [made])
    return replace(changed(after, layer_id, lambda _: []), active=made.id)


def merge_visible(state: State) -> State:
    """Make all visible layers one at the place of the lowest of them; hidden ones stay.

    Raises:
        ValueError: none is visible, or a visible one is locked.
    """
    seen = [layer for layer in state.layers if layer.visible]
    if not seen or any(layer.locked for layer in seen):
        raise ValueError("there is nothing to merge, or a layer is locked")
    made = _merged(seen, seen[0].name)
    after = add(state, made, below=seen[0].id)
    return replace(remove(after, [layer.id for layer in seen]), active=made.id)


def flatten(state: State, name: str) -> State:
    """Leave one layer: what all visible ones make inside the frame. Hidden ones go."""
    made = RasterLayer(pixels=compose_plane(state.layers, depth_of(state.layers), state.frame), name=name)
    return replace(state, layers=(made,), active=made.id)


def stamp_visible(state: State, name: str) -> State:
    """Put what all visible layers make inside the frame on top, as a layer of its own."""
    return add(state, RasterLayer(pixels=compose_plane(state.layers, depth_of(state.layers), state.frame), name=name))


def thumbnail(layers: Sequence[Layer], rect: Rect, size: int) -> NDArray[np.uint8]:
    """Give a small RGBA picture (straight alpha) of what layers make in `rect`, its longer side at most `size`.

    Works through pieces: a large picture is never composed whole.
    """
    scale = min(1.0, size / max(rect.width, rect.height))
    width, height = max(1, round(rect.width * scale)), max(1, round(rect.height * scale))
    if scale == 1:
        return compose_layers(layers, rect).astype(np.uint8, copy=False)
    rough = 1  # pieces are shrunk by a power of two first, to at least twice the size
    while rough < TILE and rough * 4 * scale <= 1:
        rough *= 2
    rough_size = -(-rect.height // rough), -(-rect.width // rough), 4
    shrunk = np.zeros(rough_size, np.float32)
    for top, left in product(range(0, rect.height, TILE), range(0, rect.width, TILE)):
        piece = compose_layers(layers, Rect(rect.x + left, rect.y + top, TILE, TILE) & rect)
        if piece[..., 3].any():
            y, x = top // rough, left // rough
            rows, columns = -(-piece.shape[0] // rough), -(-piece.shape[1] // rough)
            values = piece if piece[..., 3].min() == 255 else multiplied(piece) * np.float32(255)
            small = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA)
            shrunk[y : y + rows, x : x + columns] = small
    shrunk = np.asarray(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    colour = shrunk[..., :3] * (255 / np.maximum(shrunk[..., 3:], 1 / 256))
    return np.rint(np.concatenate([colour, shrunk[..., 3:]], axis=2)).clip(0, 255).astype(np.uint8)


def _merged(layers: Sequence[Layer], name: str) -> RasterLayer:
    return RasterLayer(pixels=compose_plane(layers, depth_of(layers)), name=name)
