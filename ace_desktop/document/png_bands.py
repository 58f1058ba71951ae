"""PNG files made of bands that are packed each for itself, so that a save packs only the bands that changed.

Each row is stored as its differences to the left (filter Sub), which looks at no other row, and each band's deflate
stream ends at a byte (a full flush): bands packed at different times can stand one after the other in one file (PNG
specification, third edition, sections 9 and 10; RFC 1950 and 1951).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np

from mlx_model.pictures import png

from .geometry import Rect
from .plane import TILE, Pixels

_SUB: Final = 1
_LEVEL: Final = 1
_ZLIB_HEADER: Final = b"\x78\x01"
_LAST_BLOCK: Final = b"\x03\x00"
_ADLER: Final = 65521
_COLOUR_TYPES: Final[Mapping[int, int]] = MappingProxyType({1: 0, 4: 6})


@dataclass(frozen=True, eq=False)
class Packed:
    """A packed band; `held` are the things by whose identity it is known, kept so that nothing else gets theirs."""

    deflated: bytes
    checksum: int
    length: int
    held: Any = None


Bands: TypeAlias = Mapping[Any, Packed]
"""Packed bands by what they are made of."""


@dataclass(frozen=True, eq=False)
class Band:
    """A band to be written: what it is made of, its pixels (h x w x 1 or 4), and what must live as long as `key`."""

    key: Any
    pixels: Callable[[], Pixels]
    held: Any


def rows_of(rect: Rect) -> Iterator[Rect]:
    """Cut a rectangle along the tiles' rows."""
    top = rect.y
    while top < rect.bottom:
        bottom = min((top // TILE + 1) * TILE, rect.bottom)
        yield Rect(rect.x, top, rect.width, bottom - top)
        top = bottom


def png_of_bands(
    size: tuple[int, int],
    channels: int,
    depth: int,
    bands: Iterable[Band],
    before: Bands,
    packed: dict[Any, Packed],
    chunks: bytes = b"",
) -> bytes:
    """Write a PNG of (width, height) with ready-made chunks behind its header.

    Bands are taken from `before` where they are there, and put into `packed`.
    """
    header = struct.pack(">II5B", *size, depth, _COLOUR_TYPES[channels], 0, 0, 0)
    parts, checksum = [png.SIGNATURE, png.chunk(b"IHDR", header), chunks], 1
    start = _ZLIB_HEADER
    for band in bands:
        found = packed.get(band.key) or before.get(band.key) or _pack(band)
        packed[band.key] = found
        checksum = adler_of_both(checksum, found.checksum, found.length)
        parts.append(png.chunk(b"IDAT", start + found.deflated))
        start = b""
    parts += [png.chunk(b"IDAT", start + _LAST_BLOCK + struct.pack(">I", checksum)), png.chunk(b"IEND", b"")]
    return b"".join(parts)


def adler_of_both(first: int, second: int, length: int) -> int:
    """Give the Adler-32 of two pieces of data from theirs; `length` is the second one's (zlib's adler32_combine)."""
    low, high = first & 0xFFFF, first >> 16
    low_2, high_2 = second & 0xFFFF, second >> 16
    low_both = (low + low_2 - 1) % _ADLER
    high_both = (high + high_2 + length * (low - 1)) % _ADLER
    return high_both << 16 | low_both


def _pack(band: Band) -> Packed:
    pixels = band.pixels()
    height, width, channels = pixels.shape
    stride = channels * pixels.dtype.itemsize
    raw = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">"), copy=False)).view(np.uint8)
    raw = raw.reshape(height, width * stride)
    rows = np.empty((height, 1 + width * stride), np.uint8)
    rows[:, 0] = _SUB
    rows[:, 1 : 1 + stride] = raw[:, :stride]
    np.subtract(raw[:, stride:], raw[:, :-stride], out=rows[:, 1 + stride :])
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    deflated = deflate.compress(rows.data) + deflate.flush(zlib.Z_FULL_FLUSH)
    return Packed(deflated, zlib.adler32(rows.data), rows.size, band.held)
