"""Strokes of a brush on the pixels of a layer or on a mask, as they are drawn.

A stroke's coverage is the largest of its dabs at each pixel, so a stroke that crosses itself is not darker there.
Coverage and result are kept per tile; a tile is copied when the stroke first reaches it, and again only after it was
handed out in a state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import EMPTY, Rect
from .paint import Cover, Rgb, erased, moved_towards, painted
from .plane import TILE, Index, Pixels, Plane, indices, tile_rect
from .state import State
from .target import Target, origin_of, plane_of, with_plane
from .tree import editable


@dataclass(frozen=True)
class Brush:
    """A round brush.

    `size` is its diameter in pixels; `hardness` 0..1 the part of it without falloff; `opacity` 0..1 of the whole
    stroke; `spacing` the distance of the dabs in diameters, 0 for as dense as a smooth edge needs. `erase` takes
    alpha away, or paints 0 on a mask instead of 255. `colour` and `lock_alpha` are for pixels only. A pressure of
    0..1 scales the size, the opacity of a dab, both or nothing.
    """

    size: float = 100.0
    hardness: float = 0.8
    opacity: float = 1.0
    spacing: float = 0.0
    erase: bool = False
    colour: Rgb = (0, 0, 0)
    lock_alpha: bool = False
    pressure_size: bool = False
    pressure_opacity: bool = False


@dataclass(frozen=True, eq=False)
class _Stamped:
    """A dab as it was laid down: how it was drawn, weakened by `pressure`, and where its corner stands."""

    stamp: NDArray[np.uint8]
    pressure: float
    left: int
    top: int

    def hides(self, other: _Stamped, part: Rect) -> bool:
        """Tell whether in a rectangle another dab is nowhere stronger than this one, because this one is nearer.

        By a good margin: nearly as near, rounding could let the other be stronger.
        """
        if self.stamp is not other.stamp or self.pressure != other.pressure:
            return False
        side = len(self.stamp)
        dx, dy = other.left - self.left, other.top - self.top
        x = (part.right if dx > 0 else part.x) - (self.left + other.left + side) / 2  # from the middle between both
        y = (part.bottom if dy > 0 else part.y) - (self.top + other.top + side) / 2
        return x * dx + y * dy < -side


class Stroke:
    """A stroke that is being drawn on a state; the state itself is not touched. It respects the selection.

    Raises:
        ValueError: there is no such target, or its layer is locked.
    """

    def __init__(self, state: State, target: Target, brush: Brush) -> None:
        if target.kind in ("pixels", "layer mask") and not editable(state, target.name):
            raise ValueError("the layer is locked")
        self._state = state
        self._target = target
        self._brush = brush
        self._origin = origin_of(state, target)
        self._base = plane_of(state, target) or _unpainted(target, brush)
        self._selection = None if target.kind == "selection" else state.selection
        self._cover: dict[Index, NDArray[np.uint8]] = {}
        self._tiles: dict[Index, Pixels] = {}
        self._last: tuple[float, float, float] | None = None
        self._gap = 0.0  # what is left of the way to the next dab
        self._stamped: _Stamped | None = None
        self._drawn: State | None = state
        self._dirty: list[Rect] = []
        _placed(0, 0, brush.size, brush.hardness)  # a large dab is drawn before the hand moves

    def to(self, x: float, y: float, pressure: float = 1.0) -> Rect:
        """Go on in a straight line to a point in document pixels; the first point makes one dab.

        Returns the document pixels that may have changed.
        """
        dirty: dict[Index, Rect] = {}
        for dab_x, dab_y, dab_pressure in self._dabs(x - self._origin[0], y - self._origin[1], pressure):
            self._dab(dab_x, dab_y, dab_pressure, dirty)
        whole = EMPTY
        for index, rect in dirty.items():
            self._blend(index, rect)
            whole |= rect
        if whole:
            self._drawn = None
        self._dirty = list(dirty.values())
        return whole.moved(*self._origin)

    @property
    def dirty(self) -> list[Rect]:
        """What the last `to` changed, more closely: a rectangle of document pixels for every tile."""
        return [rect.moved(*self._origin) for rect in self._dirty]

    def state(self) -> State:
        """Give the state with the stroke as far as it is drawn; cheap, and untouched by what is drawn later."""
        if self._drawn is None:
            tiles = dict(self._base.tiles)
            for index, tile in self._tiles.items():
                if self._base.channels == 1 and (tile == self._base.default).all():
                    tiles.pop(index, None)
                else:
                    tiles[index] = tile
                tile.flags.writeable = False
            self._drawn = with_plane(self._state, self._target, self._base.with_tiles(tiles))
        return self._drawn

    def _dabs(self, x: float, y: float, pressure: float) -> Iterator[tuple[float, float, float]]:
        """Walk over the dabs on the way to a point, in the target's coordinates."""
        last, self._last = self._last, (x, y, pressure)
        size = self._brush.size
        if last is None:
            self._gap = self._brush.spacing * size
            yield x, y, pressure
            return
        way = math.hypot(x - last[0], y - last[1])
        if self._brush.spacing > 0:
            step = max(self._brush.spacing * size, 0.5)
            places = np.arange(self._gap, way, step).tolist() if way > self._gap else []
            self._gap = (places[-1] + step if places else self._gap) - way
        else:
            smallest = size * min(pressure, last[2]) if self._brush.pressure_size else size
            count = max(1, math.ceil(way / math.sqrt(max(smallest, 1))))  # edges then wave by an eighth of a pixel
            places = [way * (number + 1) / count for number in range(count)]
        for place in places:
            part = place / way if way else 1.0
            yield (
                last[0] + (x - last[0]) * part,
                last[1] + (y - last[1]) * part,
                last[2] + (pressure - last[2]) * part,
            )

    def _dab(self, x: float, y: float, pressure: float, dirty: dict[Index, Rect]) -> None:
        brush = self._brush
        size = _rough(brush.size * pressure) if brush.pressure_size else brush.size
        stamp, left, top = _placed(x, y, max(size, 1.0), brush.hardness)
        last, now = self._stamped, _Stamped(stamp, pressure if brush.pressure_opacity else 1.0, left, top)
        self._stamped = now
        if brush.pressure_opacity:
            stamp = (stamp * np.float32(min(max(pressure, 0), 1)) + np.float32(0.5)).astype(np.uint8)
        whole = Rect(left, top, stamp.shape[1], stamp.shape[0])
        for index in indices(whole):
            if brush.erase and self._base.default == 0 and index not in self._base.tiles:
                continue  # there is nothing to take away
            tile = tile_rect(index)
            part = tile & whole
            if last is not None and last.hides(now, part):
                continue
            new = stamp[part.y - top : part.bottom - top, part.x - left : part.right - left]
            if index not in self._cover:
                if not new.any():
                    continue
                self._cover[index] = np.zeros((TILE, TILE), np.uint8)
            old = self._cover[index][part.y - tile.y : part.bottom - tile.y, part.x - tile.x : part.right - tile.x]
            found = Rect(*cv2.boundingRect(cv2.compare(new, old, cv2.CMP_GT)))
            if found:
                np.maximum(old, new, out=old)
                dirty[index] = dirty.get(index, EMPTY) | found.moved(part.x, part.y)

    def _blend(self, index: Index, rect: Rect) -> None:
        """Work out a part of a tile again, from what it was and from the coverage."""
        tile = self._tiles.get(index)
        before = self._base.tiles.get(index)
        if tile is None:
            tile = self._base.empty_tile() if before is None else before.copy()
        elif not tile.flags.writeable:
            tile = tile.copy()
        self._tiles[index] = tile
        here = tile_rect(index)
        place = slice(rect.y - here.y, rect.bottom - here.y), slice(rect.x - here.x, rect.right - here.x)
        pixels = np.full_like(tile[place], self._base.default) if before is None else before[place]
        cover: Cover = np.multiply(self._cover[index][place], np.float32(self._brush.opacity / 255))
        if self._selection is not None:
            selected = self._selection.peek(rect.moved(*self._origin))
            if selected is None:
                cover *= np.float32(self._selection.default / 255)
            else:
                cover *= np.multiply(selected[..., 0], np.float32(1 / 255))
        brush = self._brush
        if self._base.channels == 1:
            tile[place] = moved_towards(pixels, cover, 0 if brush.erase else 255)
        elif brush.erase:
            tile[place] = erased(pixels, cover)
        else:
            tile[place] = painted(pixels, cover, brush.colour, lock_alpha=brush.lock_alpha)


def _unpainted(target: Target, brush: Brush) -> Plane:
    """Give what a mask that does not exist yet is: a layer's shows all; a selection begins where it makes sense."""
    return Plane(1, default=255 if target.kind == "layer mask" or brush.erase else 0)


def _rough(size: float) -> float:
    """Round a size that changes with pressure to about one percent, so that dabs can be used again."""
    step = max(2.0 ** math.floor(math.log2(max(size, 1))) / 64, 0.25)
    return max(round(size / step) * step, 1.0)


def _placed(x: float, y: float, size: float, hardness: float) -> tuple[NDArray[np.uint8], int, int]:
    """Give a dab with its centre at x, y, and the column and row of its corner; large ones stand on whole pixels."""
    steps = 4 if size < 40 else 2 if size < 200 else 1
    x, y = round(x * steps) / steps, round(y * steps) / steps
    left, top = math.floor(x - size / 2 - 1), math.floor(y - size / 2 - 1)
    return dab(size, hardness, x - left, y - top), left, top


@lru_cache(maxsize=32)
def dab(size: float, hardness: float, x: float, y: float) -> NDArray[np.uint8]:
    """Draw a dab with its centre at x, y: 255 inside, falling off from `hardness` on over at least a pixel."""
    radius = size / 2
    side = math.ceil(max(x, y) + radius + 1)
    across = (np.arange(side, dtype=np.float32) + np.float32(0.5 - x)) ** 2
    down = (np.arange(side, dtype=np.float32) + np.float32(0.5 - y)) ** 2
    falloff = max(radius * (1 - hardness), 0.5) + 0.5
    edge = np.sqrt(np.add.outer(down, across))
    np.subtract(np.float32(radius + 0.5), edge, out=edge)
    edge *= np.float32(1 / falloff)
    np.clip(edge, 0, 1, out=edge)
    smooth = edge * edge * (3 - 2 * edge)
    drawn = (smooth * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    drawn.flags.writeable = False
    return drawn
