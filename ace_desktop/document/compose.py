"""Layers made into one picture, exactly: float32 inside, straight alpha in and out, any rectangle alone.

Works through pieces of a tile's size, so that a piece stays in the processor's cache, and begins each piece at the
highest layer that covers all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from .blend import Colour, Floats, blended
from .geometry import Rect
from .plane import Pixels, Plane, indices, tile_rect
from .state import Layer, RasterLayer, State, extent


def compose(state: State, rect: Rect | None = None) -> NDArray[np.uint8]:
    """Give the picture that all visible layers make, h x w x 4 RGBA with straight alpha.

    `rect` is in document pixels, the frame where None; it may reach beyond the frame.
    """
    return compose_layers(state.layers, state.frame if rect is None else rect).astype(np.uint8, copy=False)


def compose_layers(layers: Sequence[Layer], rect: Rect, depth: int = 8) -> Pixels:
    """Give what these layers (the first is the lowest) make in a rectangle of their parent, h x w x 4.

    uint8 at depth 8, uint16 at depth 16; straight alpha; where alpha is 0, so are the colours.
    """
    out = np.zeros((rect.height, rect.width, 4), np.uint8 if depth == 8 else np.uint16)
    for index in indices(rect):
        piece = tile_rect(index) & rect
        pixels = _compose_piece(layers, piece, depth)
        if pixels is not None:
            x, y = piece.x - rect.x, piece.y - rect.y
            out[y : y + piece.height, x : x + piece.width] = pixels
    return out


def compose_plane(layers: Sequence[Layer], depth: int = 8, within: Rect | None = None) -> Plane:
    """Give the same as a plane: everything that the layers hold, or what lies `within`."""
    rect = Rect(0, 0, 0, 0)
    for layer in layers:
        rect |= extent(layer)
    plane = Plane(4, depth)
    return plane.mapped(
        rect if within is None else rect & within, lambda _, part: _compose_piece(layers, part, depth)
    )


@dataclass(frozen=True, eq=False)
class _Ink:
    """A layer in a piece: straight colours and alpha, 0..1; `alpha` is None where it is 1 everywhere."""

    colour: Colour
    alpha: Floats | None


def _compose_piece(layers: Sequence[Layer], piece: Rect, depth: int) -> Pixels | None:
    """Compose a piece of at most a tile; None where nothing shows."""
    parts = _parts(layers, piece)
    if not parts:
        return None
    if len(parts) == 1 and isinstance(parts[0], _Raster) and parts[0].untouched and parts[0].depth == depth:
        pixels = parts[0].pixels
        return pixels if parts[0].opaque else pixels * (pixels[..., 3:] != 0)
    return _pixels(_stacked(parts), depth)


@dataclass(frozen=True, eq=False)
class _Raster:
    """The pixels of a raster layer in a piece, with what weakens them; `mask` is 0..255."""

    layer: RasterLayer
    pixels: Pixels
    alpha: Pixels
    mask: Pixels | None

    @property
    def depth(self) -> int:
        return self.layer.pixels.depth

    @cached_property
    def opaque(self) -> bool:
        return bool(self.alpha.min() == (255 if self.depth == 8 else 65535))

    @property
    def untouched(self) -> bool:
        return self.mask is None and self.layer.opacity >= 1

    @property
    def hides(self) -> bool:
        """Whether nothing of what lies below can show."""
        return self.layer.blend == "normal" and self.untouched and self.opaque


@dataclass(frozen=True, eq=False)
class _Group:
    """The children of a group in a piece, already one picture."""

    layer: Layer
    ink: _Ink
    mask: Pixels | None


def _parts(layers: Sequence[Layer], piece: Rect) -> list[_Raster | _Group]:
    """List what can be seen in a piece, the lowest first."""
    parts: list[_Raster | _Group] = []
    for layer in reversed(layers):
        part = _part(layer, piece)
        if part is not None:
            parts.append(part)
            if isinstance(part, _Raster) and part.hides:
                break
    parts.reverse()
    return parts


def _part(layer: Layer, piece: Rect) -> _Raster | _Group | None:
    if not layer.visible or layer.opacity <= 0:
        return None
    local = piece.moved(-layer.x, -layer.y)
    mask = None
    if layer.mask is not None and layer.mask_enabled:
        mask = layer.mask.peek(local)
        if mask is None and layer.mask.default != 255:
            mask = np.full((local.height, local.width, 1), layer.mask.default, np.uint8)
        if mask is not None and not mask.any():
            return None
    if isinstance(layer, RasterLayer):
        pixels = layer.pixels.peek(local)
        if pixels is None:
            return None
        alpha = _array(cv2.extractChannel(pixels, 3))
        return _Raster(layer, pixels, alpha, mask) if alpha.any() else None
    parts = _parts(layer.children, local)
    return _Group(layer, _stacked(parts), mask) if parts else None


def _ink(part: _Raster | _Group) -> _Ink:
    """Give a part's colours, and its alpha weakened by mask and opacity."""
    if isinstance(part, _Group):
        colour, alpha = part.ink.colour, part.ink.alpha
    else:
        full = np.float32(1 / 255 if part.depth == 8 else 1 / 65535)
        red, green, blue = (np.multiply(channel, full) for channel in cv2.split(part.pixels)[:3])
        colour, alpha = (red, green, blue), None if part.opaque else np.multiply(part.alpha, full)
    for weight in (
        None if part.mask is None else np.multiply(part.mask[..., 0], np.float32(1 / 255)),
        None if part.layer.opacity >= 1 else np.full((1, 1), part.layer.opacity, np.float32),
    ):
        if weight is not None:
            alpha = weight if alpha is None else alpha * weight
    return _Ink(colour, alpha)


def _stacked(parts: Sequence[_Raster | _Group]) -> _Ink:
    """Lay parts (one at least) over one another by their blend modes (W3C Compositing and Blending 1, section 5)."""
    below = _ink(parts[0])
    for part in parts[1:]:
        below = _over(below, _ink(part), part.layer.blend)
    shape = below.colour[0].shape
    return below if below.alpha is None else _Ink(below.colour, np.broadcast_to(below.alpha, shape))


def _over(below: _Ink, above: _Ink, mode: str) -> _Ink:
    """Lay one ink over another; uses both up."""
    colour = above.colour
    if mode != "normal":
        colour = blended(mode, below.colour, colour)
        if below.alpha is not None:
            red, green, blue = (
                free + below.alpha * (mixed - free) for free, mixed in zip(above.colour, colour, strict=True)
            )
            colour = red, green, blue
    if above.alpha is None:
        return _Ink(colour, None)
    if below.alpha is None:
        share, alpha = above.alpha, None
    else:
        alpha = above.alpha + below.alpha * (1 - above.alpha)
        share = above.alpha / np.maximum(alpha, np.float32(1e-20))
    rest = 1 - share
    for new, old in zip(colour, below.colour, strict=True):
        new *= share  # in place: neither ink is used again
        old *= rest
        new += old
    return _Ink(colour, alpha)


def _pixels(ink: _Ink, depth: int) -> Pixels:
    """Round to whole steps; nothing is left of colours where alpha comes out as 0."""
    full, dtype = (255, np.uint8) if depth == 8 else (65535, np.uint16)
    planes: list[Pixels] = []
    for plane in ink.colour:
        plane *= np.float32(full)
        plane += np.float32(0.5)
        planes.append(plane.astype(dtype))
    if ink.alpha is None:
        planes.append(np.full_like(planes[0], full))
        return _array(cv2.merge(planes))
    alpha = (ink.alpha * np.float32(full) + np.float32(0.5)).astype(dtype)
    pixels = _array(cv2.merge([*planes, alpha]))
    pixels[alpha == 0] = 0
    return pixels


def _array(image: cv2.typing.MatLike) -> Pixels:
    return image  # pyright: ignore[reportReturnType] the stubs leave the type of the numbers open
