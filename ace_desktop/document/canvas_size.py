"""The whole document cropped, expanded, resized, turned and mirrored: its layers, masks and selection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from .frame_place import followed
from .geometry import Rect
from .plane import Plane
from .resample import Matrix, rotation, scaling, translation, warped
from .state import Layer, RasterLayer, State
from .transform import transformed


def crop(state: State, rect: Rect, *, keep_outside: bool = False) -> State:
    """Make a rectangle the frame; it may reach beyond the old one.

    What lies outside is cut off, or stays in the layers without being seen.

    Raises:
        ValueError: the rectangle is empty.
    """
    if not rect:
        raise ValueError("a picture has at least one pixel")
    after = _moved(state, translation(-rect.x, -rect.y), rect.width, rect.height)
    if keep_outside:
        return after
    layers = tuple(_cut(layer, after.frame) for layer in after.layers)
    return _with_masks(replace(after, layers=layers), lambda mask: mask.cut(after.frame))


def expand(state: State, left: int, top: int, right: int, bottom: int) -> State:
    """Add room around the picture: transparent unless layers reach into it, and in the edit mask.

    Raises:
        ValueError: a number is below 0.
    """
    if min(left, top, right, bottom) < 0:
        raise ValueError("room is added, never taken")
    rect = Rect(-left, -top, state.width + left + right, state.height + top + bottom)
    after = crop(state, rect, keep_outside=True)
    old = state.frame.moved(left, top)
    mask = after.edit_mask
    for part in (
        Rect.of_edges(0, 0, rect.width, old.y),
        Rect.of_edges(0, old.bottom, rect.width, rect.height),
        Rect.of_edges(0, old.y, old.x, old.bottom),
        Rect.of_edges(old.right, old.y, rect.width, old.bottom),
    ):
        mask = mask.mapped(part, lambda pixels, _: np.full_like(pixels, 255))
    return replace(after, edit_mask=mask)


def canvas_size(state: State, width: int, height: int, anchor: tuple[float, float] = (0.5, 0.5)) -> State:
    """Change the size of the frame and not of the picture; cuts off what lies outside.

    The anchor says where the old frame lies in the new one: (0, 0) top left, (1, 1) bottom right.
    """
    left, top = (
        round((old - new) * at)
        for old, new, at in zip((state.width, state.height), (width, height), anchor, strict=True)
    )
    return crop(state, Rect(left, top, width, height))


def image_size(state: State, width: int, height: int) -> State:
    """Resample the whole document to another size.

    Raises:
        ValueError: a side is below 1.
    """
    if min(width, height) < 1:
        raise ValueError("a picture has at least one pixel")
    return _moved(state, scaling(width / state.width, height / state.height), width, height)


def rotate_document(state: State, degrees: Literal[90, 180, 270]) -> State:
    """Turn the whole document clockwise; nothing is lost."""
    width, height = (state.width, state.height) if degrees == 180 else (state.height, state.width)
    turn = rotation(degrees)
    left, top = np.minimum(turn @ (state.width, state.height, 0), 0)[:2]
    return _moved(state, translation(-left, -top) @ turn, width, height)


def flip_document(state: State, how: Literal["horizontal", "vertical"]) -> State:
    """Mirror the whole document; nothing is lost."""
    middle = state.width / 2, state.height / 2
    factors = (-1, 1) if how == "horizontal" else (1, -1)
    return _moved(state, scaling(*factors, middle), state.width, state.height)


def _moved(state: State, matrix: Matrix, width: int, height: int) -> State:
    layers = tuple(transformed(layer, matrix) for layer in state.layers)
    settings = followed(state.settings, matrix)
    after = replace(state, layers=layers, width=width, height=height, settings=settings)
    return _with_masks(after, lambda mask: warped(mask, matrix))


def _with_masks(state: State, change: Callable[[Plane], Plane]) -> State:
    return replace(
        state,
        edit_mask=change(state.edit_mask),
        selection=None if state.selection is None else change(state.selection),
        masks=MappingProxyType({name: change(mask) for name, mask in state.masks.items()}),
    )


def _cut(layer: Layer, rect: Rect) -> Layer:
    inside = rect.moved(-layer.x, -layer.y)
    if isinstance(layer, RasterLayer):
        return replace(layer, pixels=layer.pixels.cut(inside))
    return replace(layer, children=tuple(_cut(child, inside) for child in layer.children))
