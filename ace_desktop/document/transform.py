"""Layers moved, mirrored, turned and scaled; masks go with them, groups as one. Places are document pixels.

Raises ValueError for layers that do not exist or are locked, alone or as a part of a group.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeAlias

from .geometry import EMPTY, Rect
from .resample import Matrix, around, rotation, scaling, translation, warped, whole_shift
from .state import Layer, RasterLayer, State, walk
from .tree import editable, find, parent_origin, replaced, topmost

Place: TypeAlias = tuple[float, float]


def transform(state: State, layer_id: str, matrix: Matrix) -> State:
    """Move a layer by any affine matrix (3 x 3, of document pixels)."""
    layer = find(state, layer_id)
    if not editable(state, layer_id) or any(part.locked for part in walk((layer,))):
        raise ValueError("the layer is locked")
    x, y = parent_origin(state, layer_id)
    return replaced(state, transformed(layer, around(matrix, (-x, -y))))


def transformed(layer: Layer, matrix: Matrix) -> Layer:
    """Give a layer moved by a matrix of its parent's coordinates."""
    if (shift := whole_shift(matrix)) is not None:
        return replace(layer, x=layer.x + shift[0], y=layer.y + shift[1])
    own = around(matrix, (-layer.x, -layer.y))
    mask = None if layer.mask is None else warped(layer.mask, own)
    if isinstance(layer, RasterLayer):
        return replace(layer, pixels=warped(layer.pixels, own), mask=mask)
    return replace(layer, children=tuple(transformed(child, own) for child in layer.children), mask=mask)


def move(state: State, ids: Iterable[str], dx: int, dy: int) -> State:
    """Move layers by whole pixels."""
    for layer_id in topmost(state, ids):
        state = transform(state, layer_id, translation(dx, dy))
    return state


def flip(state: State, layer_id: str, how: Literal["horizontal", "vertical"], centre: Place | None = None) -> State:
    """Mirror a layer around a place, the middle of what it holds where None; nothing is lost."""
    x, y = (round(2 * value) / 2 for value in centre or middle(state, layer_id))
    return transform(state, layer_id, scaling(-1, 1, (x, y)) if how == "horizontal" else scaling(1, -1, (x, y)))


def rotate(state: State, layer_id: str, degrees: float, centre: Place | None = None) -> State:
    """Turn a layer clockwise around a place, the middle of what it holds where None; quarter turns lose nothing."""
    x, y = centre or middle(state, layer_id)
    if degrees % 90 == 0:
        x, y = round(2 * x) / 2, round(2 * y) / 2
        if (x - y) % 1:  # pixels would fall between pixels
            x -= 0.5
    return transform(state, layer_id, rotation(degrees, (x, y)))


def scale(state: State, layer_id: str, across: float, down: float, centre: Place | None = None) -> State:
    """Scale a layer around a place, the middle of what it holds where None; a factor below 0 mirrors."""
    return transform(state, layer_id, scaling(across, down, centre or middle(state, layer_id)))


def content(layer: Layer) -> Rect:
    """Give the smallest rectangle around a layer's pixels that show, in its parent's coordinates, masks aside."""
    if isinstance(layer, RasterLayer):
        inside = layer.pixels.content()
    else:
        inside = EMPTY
        for child in layer.children:
            inside |= content(child)
    return inside.moved(layer.x, layer.y)


def middle(state: State, layer_id: str) -> Place:
    """Give the middle of what a layer holds."""
    rect = content(find(state, layer_id)).moved(*parent_origin(state, layer_id))
    return rect.x + rect.width / 2, rect.y + rect.height / 2
