"""What lies below an edit, and a name for it that changes when the picture there may have.

The name is made of what the picture is made of (tiles, masks, places, opacity, modes), not of the picture itself:
asking again costs little, since tiles never change and each is read once. Names of layers, what is hidden and what
lies outside the rectangle do not count.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np

from .geometry import Rect
from .plane import Pixels, Plane, indices, tile_rect
from .state import GroupLayer, Layer, State


def below(state: State, layer_id: str) -> tuple[Layer, ...]:
    """Give the layers that lie below one, in their groups.

    Raises:
        ValueError: there is no such layer.
    """

    def cut(layers: Sequence[Layer]) -> tuple[Layer, ...] | None:
        for index, layer in enumerate(layers):
            if layer.id == layer_id:
                return tuple(layers[:index])
            if isinstance(layer, GroupLayer) and (inner := cut(layer.children)) is not None:
                return (*layers[:index], replace(layer, children=inner))
        return None

    found = cut(state.layers)
    if found is None:
        raise ValueError(f"there is no layer {layer_id}")
    return found


def shows(layer: Layer, rect: Rect) -> bool:
    """Tell whether a layer has anything to show in a rectangle of its parent (by whole tiles)."""
    return bool(_ingredients((layer,), rect, None))


def digest_of(layers: Sequence[Layer], rect: Rect, profile: bytes | None) -> str:
    """Name what these layers show in a rectangle of the document, as hexadecimal; the place of the rectangle is free.

    Slow for tiles that are asked for the first time: a tenth of a second for 24 megapixels.
    """
    held = _ingredients(layers, rect, _TILES)
    return blake2b(repr((rect.width, rect.height, profile, held)).encode(), digest_size=16).hexdigest()


class _TileDigests:
    """Digests of parts of tiles, as long as the tiles live."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Pixels], dict[Rect, str]]] = {}

    def of(self, tile: Pixels, part: Rect) -> str:
        """Name the pixels of a part of a tile (in the tile's own coordinates)."""
        key = id(tile)
        known = self._known.get(key)
        if known is None or known[0]() is not tile:
            known = weakref.ref(tile, lambda _: self._known.pop(key, None)), dict[Rect, str]()
            self._known[key] = known
        if part not in known[1]:
            pixels = np.ascontiguousarray(tile[part.y : part.bottom, part.x : part.right])
            known[1][part] = blake2b(pixels.data, digest_size=16).hexdigest()
        return known[1][part]


_TILES = _TileDigests()
"""A memory of a pure function: it holds no tile alive, and forgetting it changes nothing but the time."""


def _ingredients(layers: Sequence[Layer], rect: Rect, digests: _TileDigests | None) -> tuple[Any, ...]:
    """List what can be seen of layers in a rectangle of their parent; without `digests` only that it is there."""
    found: list[Any] = []
    for layer in layers:
        if not layer.visible or layer.opacity <= 0:
            continue
        local = rect.moved(-layer.x, -layer.y)
        mask = layer.mask if layer.mask_enabled else None
        inner = (
            _ingredients(layer.children, local, digests)
            if isinstance(layer, GroupLayer)
            else _parts(layer.pixels, local, digests)
        )
        masked = None if mask is None else (mask.default, _parts(mask, local, digests))
        if inner and masked != (0, ()):
            found.append((isinstance(layer, GroupLayer), layer.opacity, layer.blend, masked, inner))
    return tuple(found)


def _parts(plane: Plane, rect: Rect, digests: _TileDigests | None) -> tuple[Any, ...]:
    found: list[Any] = []
    for index in indices(rect):
        tile = plane.tiles.get(index)
        if tile is None:
            continue
        whole = tile_rect(index)
        part = whole & rect
        name = "" if digests is None else digests.of(tile, part.moved(-whole.x, -whole.y))
        found.append((part.x - rect.x, part.y - rect.y, part.width, part.height, plane.depth, name))
    return tuple(found)
