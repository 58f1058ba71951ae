"""The picture of layers rendered again and again while a hand changes one of them.

What lies below that layer is kept as one picture, and those above it as they are drawn, for the tiles where it
changes; the outcome is that of `render`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from weakref import ref

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage, QPainter

from ..document.geometry import Rect
from ..document.plane import TILE, Index, indices, tile_rect
from ..document.state import Layer
from .render import MODES, MULTIPLIED, draw_image, draw_layer, image_of, needs_exactness, render

LIMIT_BYTES = 48 * 1024 * 1024
_TILE_BYTES = TILE * TILE * 4
_MOST_ABOVE = 6  # of more layers above, keeping what they look like costs more than it saves


@dataclass(eq=False)
class _Tile:
    """The layers that a tile was rendered from last, and what stays of it while only `changing` of them changes."""

    layers: list[ref[Layer]]  # held by nobody else, an old one must not keep its pixels
    changing: int = -1
    ready: bool = False
    below: NDArray[np.uint8] | None = None
    above: list[tuple[str, float, NDArray[np.uint8], QImage]] = field(default_factory=list)  # blend, opacity, picture

    @property
    def nbytes(self) -> int:
        return _TILE_BYTES * (len(self.above) + (self.below is not None))

    def follow(self, layers: Sequence[Layer]) -> bool:
        """Take other layers, and tell whether only the one changed that has been changing."""
        same = len(layers) == len(self.layers)
        changed = [n for n, (old, layer) in enumerate(zip(self.layers, layers, strict=False)) if old() is not layer]
        self.layers = [ref(layer) for layer in layers]
        if same and self.changing >= 0 and changed in ([], [self.changing]):
            return True
        self.ready, self.below, self.above = False, None, []
        self.changing = changed[0] if same and len(changed) == 1 else -1
        return False


class Renderer:
    """Renders like `render`, and remembers."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._tiles: dict[Index, _Tile] = {}  # those rendered last at the end
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """The bytes of what it keeps."""
        return self._bytes

    def render(self, layers: Sequence[Layer], rect: Rect) -> NDArray[np.uint8]:
        """Give the same as `render`; what lies in one tile is the fast case."""
        index = rect.y // TILE, rect.x // TILE
        if rect not in tile_rect(index) or len(list(indices(rect))) != 1 or needs_exactness(layers, rect):
            return render(layers, rect)
        tile = self._tiles.pop(index, None)
        if tile is None:
            tile = _Tile([ref(layer) for layer in layers])
            known = False
        else:
            self._bytes -= tile.nbytes
            known = tile.follow(layers)
        if known and not tile.ready:
            _prepare(tile, layers, tile_rect(index))
        self._tiles[index] = tile
        self._bytes += tile.nbytes
        self._forget()
        return _drawn(tile, layers, rect, tile_rect(index)) if tile.ready else render(layers, rect)

    def _forget(self) -> None:
        while self._bytes > self._limit or len(self._tiles) * _TILE_BYTES > self._limit:
            self._bytes -= self._tiles.pop(next(iter(self._tiles))).nbytes


def _prepare(tile: _Tile, layers: Sequence[Layer], whole: Rect) -> None:
    """Render what does not change, where all of it is blended as Qt blends."""
    others = [layer for number, layer in enumerate(layers) if number != tile.changing]
    above = [layer for layer in layers[tile.changing + 1 :] if layer.visible and layer.opacity > 0]
    if needs_exactness(others, whole) or len(above) > _MOST_ABOVE:
        return
    tile.ready = True
    if tile.changing:
        tile.below = render(layers[: tile.changing], whole)
    for layer in above:
        pixels = render([replace(layer, opacity=1.0, blend="normal")], whole)
        if pixels.any():
            tile.above.append((layer.blend, layer.opacity, pixels, image_of(pixels, MULTIPLIED)))


def _drawn(tile: _Tile, layers: Sequence[Layer], rect: Rect, whole: Rect) -> NDArray[np.uint8]:
    x, y = rect.x - whole.x, rect.y - whole.y
    if tile.below is None:
        out = np.zeros((rect.height, rect.width, 4), np.uint8)
    else:
        out = tile.below[y : y + rect.height, x : x + rect.width].copy()
    target = image_of(out, MULTIPLIED)
    painter = QPainter(target)
    draw_layer(painter, layers[tile.changing], rect)
    for blend, opacity, _, image in tile.above:
        painter.setCompositionMode(MODES[blend])
        painter.setOpacity(opacity)
        draw_image(painter, 0, 0, image, QRect(x, y, rect.width, rect.height))
    painter.end()
    return out
