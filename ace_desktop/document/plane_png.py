"""Planes as PNG files: the part that holds something, without a single value changed."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from mlx_model.pictures import png
from mlx_model.pictures.read import read_picture
from mlx_model.request import RequestError

from .description import MAX_PIXELS
from .errors import DocumentError
from .geometry import EMPTY, Rect
from .plane import TILE, Pixels, Plane, tile_rect

_HEADER: Final = struct.Struct(">II2B")


def held_rect(plane: Plane) -> Rect:
    """Find the smallest rectangle outside which every channel holds the plane's default.

    Unlike `Plane.content` it takes in colours that lie hidden under no alpha.
    """
    found, bounds = EMPTY, plane.bounds
    # Those at the edges first: most that lie between them need no look.
    outer = sorted(plane.tiles, key=lambda index: not _at_edge(tile_rect(index), bounds))
    for row, column in outer:
        if tile_rect((row, column)) in found:
            continue
        tile = plane.tiles[row, column]
        held = (tile != plane.default).any(2)
        rows, columns = np.flatnonzero(held.any(1)), np.flatnonzero(held.any(0))
        if len(rows):
            inside = Rect.of_edges(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
            found |= inside.moved(column * TILE, row * TILE)
    return found


def _at_edge(tile: Rect, bounds: Rect) -> bool:
    across = tile.x == bounds.x or tile.right == bounds.right
    return across or tile.y == bounds.y or tile.bottom == bounds.bottom


def read_held(plane: Plane, rect: Rect, name: str) -> Pixels:
    """Copy the pixels that a plane holds in its rectangle.

    Raises:
        DocumentError: it is too large for a picture.
    """
    check_held(rect, name)
    return plane.read(rect)


def check_held(rect: Rect, name: str) -> None:
    """Refuse what could not be opened again.

    Raises:
        DocumentError: it is too large for a picture.
    """
    if rect.area > MAX_PIXELS:
        raise DocumentError(
            f"{name} reaches over {rect.area // 10**6} megapixels, more than the {MAX_PIXELS // 10**6} that a file"
            " holds; crop it to the picture first"
        )


def png_size(data: bytes) -> tuple[int, int, int]:
    """Read width, height and bits from the header of a PNG file, before anything is unpacked.

    Raises:
        ValueError: it is no PNG file.
    """
    if not data.startswith(png.SIGNATURE + b"\0\0\0\x0dIHDR") or len(data) < 33:
        raise ValueError("no PNG file")
    width, height, bits, _ = _HEADER.unpack_from(data, 16)
    return width, height, bits


def decode_png(data: bytes) -> tuple[Pixels, bytes | None]:
    """Decode a PNG file to RGBA (h x w x 4) with its ICC profile.

    Raises:
        ValueError: it is damaged.
    """
    png_size(data)
    if not data.endswith(b"IEND\xaeB`\x82"):
        raise ValueError("cut short")
    try:
        picture = read_picture(data)
    except RequestError as error:
        raise ValueError(str(error)) from error
    return picture.pixels, picture.profile
