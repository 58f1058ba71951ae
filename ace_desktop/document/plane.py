"""Pixels without borders: tiles of 256 x 256 that are never written to once they are in a plane.

A plane is a value. Writing gives a new plane that shares all tiles but the touched ones, so keeping an old state for
undo, handing a snapshot to a job or saving in the background copies nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .geometry import EMPTY, Rect, around

TILE = 256

Pixels: TypeAlias = NDArray[np.unsignedinteger[Any]]  # uint8 or uint16, h x w x channels
Index: TypeAlias = tuple[int, int]  # (row, column) of a tile; negative ones lie left of and above the origin


@dataclass(frozen=True, eq=False)
class Plane:
    """Pixels of 1 (a mask) or 4 channels (RGBA, straight alpha), uint8 or uint16; missing tiles hold `default`.

    `tiles` maps (row, column) to read-only arrays of TILE x TILE x channels.
    """

    channels: int
    depth: int = 8
    default: int = 0
    tiles: Mapping[Index, Pixels] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """The type of a channel: uint8 at depth 8, uint16 at depth 16."""
        return np.uint8 if self.depth == 8 else np.uint16

    @classmethod
    def of(cls, pixels: Pixels, x: int = 0, y: int = 0, default: int = 0) -> Plane:
        """Make a plane with these pixels (h x w x channels, or h x w for one channel), their corner at x, y."""
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        depth = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16}[pixels.dtype]
        return cls(pixels.shape[2], depth, default).written(pixels, x, y)

    @cached_property
    def bounds(self) -> Rect:
        """The smallest rectangle of whole tiles around everything that is not missing."""
        return around(tile_rect(index) for index in self.tiles)

    @property
    def nbytes(self) -> int:
        """The bytes of its tiles, shared or not."""
        return sum(tile.nbytes for tile in self.tiles.values())

    def content(self) -> Rect:
        """Find the smallest rectangle around all pixels that show: alpha (or a mask's value) other than `default`."""
        return self._content

    @cached_property
    def _content(self) -> Rect:
        found = EMPTY
        for index, tile in self.tiles.items():
            shown = tile[..., -1] != self.default
            rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
            if len(rows):
                left, top = int(columns[0]), int(rows[0])
                inside = Rect.of_edges(left, top, int(columns[-1]) + 1, int(rows[-1]) + 1)
                found |= inside.moved(index[1] * TILE, index[0] * TILE)
        return found

    def read(self, rect: Rect) -> Pixels:
        """Copy the pixels of the rectangle, h x w x channels."""
        out = np.full((rect.height, rect.width, self.channels), self.default, self.dtype)
        for index in indices(rect):
            tile = self.tiles.get(index)
            if tile is not None:
                here, there = _overlap(index, rect)
                out[there] = tile[here]
        return out

    def peek(self, rect: Rect) -> Pixels | None:
        """Give the pixels of the rectangle without a copy where they lie in one tile; None where all are missing."""
        found = [index for index in indices(rect) if index in self.tiles]
        if not found:
            return None
        if rect in tile_rect(found[0]):
            return self.tiles[found[0]][_overlap(found[0], rect)[0]]
        return self.read(rect)

    def written(self, pixels: Pixels, x: int, y: int) -> Plane:
        """Give the plane with these pixels (h x w x channels) at x, y.

        Tiles that come out equal are shared; tiles that hold nothing but `default` are left out.

        Raises:
            ValueError: the pixels have another type or number of channels.
        """
        if pixels.ndim != 3 or pixels.shape[2] != self.channels or pixels.dtype != self.dtype:
            raise ValueError(
                f"{pixels.shape} {pixels.dtype} does not fit a plane of {self.channels} x {self.depth} bits"
            )
        rect = Rect(x, y, pixels.shape[1], pixels.shape[0])
        return self.mapped(rect, lambda _, part: pixels[_slices(part, rect)])

    def mapped(self, rect: Rect, change: Callable[[Pixels, Rect], Pixels | None]) -> Plane:
        """Give the plane with the rectangle changed, tile by tile.

        `change` gets the pixels of a part of the rectangle (not to be written to) and that part, and gives the new
        ones, or None to leave them. Tiles are shared and left out as in `written`.
        """
        tiles = dict(self.tiles)
        for index in indices(rect):
            here, there = _overlap(index, rect)
            old = tiles.get(index)
            new = self.empty_tile() if old is None else old.copy()
            part = Rect(rect.x + there[1].start, rect.y + there[0].start, *reversed(new[here].shape[:2]))
            changed = change(new[here], part)
            if changed is None:
                continue
            new[here] = changed
            if old is not None and np.array_equal(old, new):
                continue
            self._put(tiles, index, new)
        return self.with_tiles(tiles)

    def moved(self, dx: int, dy: int) -> Plane:
        """Give the plane with everything `dx` further right and `dy` further down; whole tiles stay shared."""
        if dx % TILE == 0 and dy % TILE == 0:
            rows, columns = dy // TILE, dx // TILE
            return self.with_tiles({(row + rows, column + columns): t for (row, column), t in self.tiles.items()})
        moved = Plane(self.channels, self.depth, self.default)
        return moved.mapped(self.bounds.moved(dx, dy), lambda _, part: self.peek(part.moved(-dx, -dy)))

    def cut(self, rect: Rect) -> Plane:
        """Give the plane with nothing but `default` outside the rectangle."""
        kept = Plane(self.channels, self.depth, self.default)
        inside = {index: tile for index, tile in self.tiles.items() if tile_rect(index) in rect}
        edge = [tile_rect(index) & rect for index in self.tiles if index not in inside]
        kept = kept.with_tiles(inside)
        for part in edge:
            kept = kept.mapped(part, lambda _, part: self.peek(part))
        return kept

    def empty_tile(self) -> Pixels:
        """Make a tile that holds nothing but `default`; it may be written to."""
        return np.full((TILE, TILE, self.channels), self.default, self.dtype)

    def with_tiles(self, tiles: Mapping[Index, Pixels]) -> Plane:
        """Give a plane of the same kind with these tiles; they become read-only."""
        for tile in tiles.values():
            tile.flags.writeable = False
        return Plane(self.channels, self.depth, self.default, MappingProxyType(dict(tiles)))

    def _put(self, tiles: dict[Index, Pixels], index: Index, tile: Pixels) -> None:
        if (tile == self.default).all():
            tiles.pop(index, None)
        else:
            tiles[index] = tile

    def equals(self, other: Plane) -> bool:
        """Tell whether both hold the same pixels everywhere."""
        if (self.channels, self.depth, self.default) != (other.channels, other.depth, other.default):
            return False
        return not any(True for _ in self._differing(other))

    def changed(self, other: Plane) -> list[Rect]:
        """List the rectangles of the tiles that are not shared with the other plane of the same kind."""
        both = self.tiles.keys() | other.tiles.keys()
        return [tile_rect(index) for index in both if self.tiles.get(index) is not other.tiles.get(index)]

    def _differing(self, other: Plane) -> Iterator[Index]:
        for index in self.tiles.keys() | other.tiles.keys():
            mine, theirs = self.tiles.get(index), other.tiles.get(index)
            if mine is theirs:
                continue
            same = (
                np.array_equal(mine, theirs)
                if mine is not None and theirs is not None
                else bool(((mine if mine is not None else theirs) == self.default).all())
            )
            if not same:
                yield index


def tile_rect(index: Index) -> Rect:
    """Give the rectangle of the tile."""
    return Rect(index[1] * TILE, index[0] * TILE, TILE, TILE)


def indices(rect: Rect) -> Iterator[Index]:
    """Walk over the tiles that the rectangle touches, row by row."""
    if rect:
        for row in range(rect.y // TILE, (rect.bottom - 1) // TILE + 1):
            for column in range(rect.x // TILE, (rect.right - 1) // TILE + 1):
                yield row, column


def _overlap(index: Index, rect: Rect) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Give where a tile and a rectangle overlap, as slices of each."""
    tile = tile_rect(index)
    both = tile & rect
    return _slices(both, tile), _slices(both, rect)


def _slices(inner: Rect, outer: Rect) -> tuple[slice, slice]:
    x, y = inner.x - outer.x, inner.y - outer.y
    return slice(y, y + inner.height), slice(x, x + inner.width)
