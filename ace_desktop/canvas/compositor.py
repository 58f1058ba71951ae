"""What the view paints from: tiles of the picture at halved sizes, made when seen, mended where it changed.

A pixel of level n is the mean of 2^n x 2^n pixels of the document, whichever way it came about, so that mending a
part gives the same as making the whole anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..document.geometry import EMPTY, Rect, around
from ..document.plane import TILE, Index, indices, tile_rect

LEVELS = 8  # one pixel of the last stands for 128 x 128, so that a whole tile of the document still has four
LIMIT_BYTES = 160 * 1024 * 1024
"""Of the tiles that are kept: the picture of a 4096 x 4096 document with all levels takes 85 MiB."""

_Key = tuple[int, int, int]  # level, row, column


@dataclass(eq=False)
class _Tile:
    """Pixels, TILE x TILE x channels, and what of them has to be rendered, by the document's tile that it shows."""

    pixels: NDArray[np.uint8]
    stale: dict[Index, Rect]  # the rectangles are in pixels of the level


class Pyramid:
    """The picture, or a mask, at all sizes.

    `render` gives the pixels of a rectangle of the document, h x w x `channels` uint8, that lies within `frame` and
    in one tile.
    """

    def __init__(
        self,
        frame: Rect,
        channels: int,
        render: Callable[[Rect], NDArray[np.uint8]],
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self._frame = frame
        self._channels = channels
        self._render = render
        self._tiles: dict[_Key, _Tile] = {}  # those seen last at the end
        self._most = max(limit_bytes // (TILE * TILE * channels), 1)

    @property
    def nbytes(self) -> int:
        """The bytes of its tiles."""
        return len(self._tiles) * TILE * TILE * self._channels

    def level_frame(self, level: int) -> Rect:
        """Give the rectangle of the picture at a level; its last row and column may stand for less."""
        return covering(self._frame, level)

    def invalidate(self, rects: Iterable[Rect]) -> None:
        """Note that these rectangles of the document changed."""
        levels = {level for level, _, _ in self._tiles}
        for rect in rects:
            changed = rect & self._frame
            for level in levels:
                for row, column in indices(covering(changed, level)):
                    tile = self._tiles.get((level, row, column))
                    if tile is not None:
                        self._mark(tile, level, changed & _document_rect(tile_rect((row, column)), level))

    def refresh(self, level: int, rect: Rect, deadline: float = float("inf")) -> list[Rect]:
        """Render what is missing in a rectangle of a level, and give which rectangles of it are not up to date.

        Goes on until `deadline` (of `time.perf_counter`), for at least one piece.
        """
        inside = rect & self.level_frame(level)
        left: list[Rect] = []
        begun = False
        for row, column in indices(inside):
            place = tile_rect((row, column))
            tile = self._tile((level, row, column))
            if not tile.stale:
                continue
            if not begun or time.perf_counter() <= deadline:
                self._mend(tile, level, place, deadline)
                begun = True
            rest = around(tile.stale.values()) & inside
            if rest:
                left.append(rest)
        self._forget(len(list(indices(inside))))
        return left

    def read(self, level: int, rect: Rect) -> NDArray[np.uint8]:
        """Give the pixels of a rectangle of a level; what is not up to date shows what it did before, or coarser.

        Outside the frame there is nothing but 0.
        """
        inside = rect & self.level_frame(level)
        out = (np.empty if inside == rect else np.zeros)((rect.height, rect.width, self._channels), np.uint8)
        for row, column in indices(inside):
            place = tile_rect((row, column))
            seen = place & inside
            tile = self._tile((level, row, column))
            here = tile.pixels[seen.y - place.y : seen.bottom - place.y, seen.x - place.x : seen.right - place.x]
            out[seen.y - rect.y : seen.bottom - rect.y, seen.x - rect.x : seen.right - rect.x] = here
        return out

    def _tile(self, key: _Key) -> _Tile:
        tile = self._tiles.pop(key, None)
        if tile is None:
            level, row, column = key
            tile = _Tile(self._coarser(key), {})
            self._mark(tile, level, _document_rect(tile_rect((row, column)), level) & self._frame)
        self._tiles[key] = tile
        return tile

    def _coarser(self, key: _Key) -> NDArray[np.uint8]:
        """Give what a coarser level shows in the place of a tile, for as long as nothing better is there."""
        level, row, column = key
        for step in range(1, LEVELS - level):
            size = TILE >> step
            other = self._tiles.get((level + step, row >> step, column >> step))
            if other is not None and size:
                y, x = (row % (1 << step)) * size, (column % (1 << step)) * size
                part = other.pixels[y : y + size, x : x + size]
                large = cv2.resize(part, (TILE, TILE), interpolation=cv2.INTER_LINEAR)
                return np.asarray(large, np.uint8).reshape(TILE, TILE, self._channels)
        return np.zeros((TILE, TILE, self._channels), np.uint8)

    def _mark(self, tile: _Tile, level: int, rect: Rect) -> None:
        for index in indices(rect):
            piece = covering(tile_rect(index) & rect, level)
            tile.stale[index] = tile.stale.get(index, EMPTY) | piece

    def _mend(self, tile: _Tile, level: int, place: Rect, deadline: float) -> None:
        """Render what is stale, seen now or not, until time is over."""
        for index, piece in list(tile.stale.items()):
            x, y = piece.x - place.x, piece.y - place.y
            tile.pixels[y : y + piece.height, x : x + piece.width] = self._rendered(piece, level)
            del tile.stale[index]
            if time.perf_counter() > deadline:
                return

    def _rendered(self, piece: Rect, level: int) -> NDArray[np.uint8]:
        whole = _document_rect(piece, level)
        rect = whole & self._frame
        pixels = self._render(rect)
        if not level:
            return pixels
        right, bottom = whole.right - rect.right, whole.bottom - rect.bottom
        if right or bottom:  # the picture's last row or column stands for less than 2^n pixels
            pixels = cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        small = cv2.resize(pixels, (piece.width, piece.height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8).reshape(piece.height, piece.width, self._channels)

    def _forget(self, in_use: int) -> None:
        for key in list(self._tiles)[: max(len(self._tiles) - max(self._most, in_use), 0)]:
            del self._tiles[key]


def level_for(scale: float) -> int:
    """Choose the level to paint from at so many device pixels per document pixel: never enlarged below 100 %."""
    level = 0
    while level < LEVELS - 1 and scale * (1 << (level + 1)) <= 1 + 1e-6:
        level += 1
    return level


def covering(rect: Rect, level: int) -> Rect:
    """Give the pixels of a level that a rectangle of the document touches."""
    size = 1 << level
    return Rect.of_edges(
        rect.x >> level, rect.y >> level, (rect.right + size - 1) >> level, (rect.bottom + size - 1) >> level
    )


def _document_rect(rect: Rect, level: int) -> Rect:
    return Rect(rect.x << level, rect.y << level, rect.width << level, rect.height << level)
