"""TIFF with 8 or 16 bits, alpha, a colour profile and XMP, which neither Pillow nor OpenCV writes (TIFF 6.0)."""

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from mlx_model.pictures.camera import entries_of
from mlx_model.pictures.tiff_directory import (
    ASCII,
    BYTE,
    HEAD,
    LONG,
    SHORT,
    UNDEFINED,
    Entry,
    add_directories,
    resolution_entries,
)

_STRIP_BYTES: Final = 1 << 20


def encode_tiff(
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    profile: bytes | None,
    xmp: bytes,
    resolution: float | None = None,
    exif: bytes = b"",
) -> bytes:
    """Encode (height, width, channels) pixels, losslessly (deflate with a horizontal predictor).

    One channel is grey, three are RGB, four RGB with straight alpha. ``resolution`` is in pixels per inch; ``exif``
    is a block of :mod:`mlx_model.pictures.camera`.
    """
    height, width, channels = pixels.shape
    bits = pixels.dtype.itemsize * 8
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.dtype.itemsize))
    differences = np.diff(pixels, axis=1, prepend=np.zeros((height, 1, channels), pixels.dtype))
    encoded = differences.astype(pixels.dtype.newbyteorder("<"), copy=False)
    strips = [zlib.compress(encoded[y : y + rows].tobytes()) for y in range(0, height, rows)]

    body = bytearray(HEAD)
    offsets: list[int] = []
    for strip in strips:
        offsets.append(len(body))
        body += strip + b"\0" * (len(strip) % 2)

    entries: list[Entry] = [
        (256, LONG, _longs([width])),
        (257, LONG, _longs([height])),
        (258, SHORT, _shorts([bits] * channels)),
        (259, SHORT, _shorts([8])),  # deflate
        (262, SHORT, _shorts([1 if channels == 1 else 2])),  # black is zero, or RGB
        (273, LONG, _longs(offsets)),
        (277, SHORT, _shorts([channels])),
        (278, LONG, _longs([rows])),
        (279, LONG, _longs([len(strip) for strip in strips])),
        (284, SHORT, _shorts([1])),  # channels interleaved
        (305, ASCII, b"ACE Desktop\0"),
        (317, SHORT, _shorts([2])),  # horizontal predictor
    ]
    if channels == 4:
        entries.append((338, SHORT, _shorts([2])))  # straight alpha
    if xmp:
        entries.append((700, BYTE, xmp))
    if profile:
        entries.append((34675, UNDEFINED, profile))

    if resolution:
        entries += resolution_entries(resolution)
    of_picture, of_exposure = entries_of(exif)
    add_directories(body, entries + of_picture, of_exposure)
    return bytes(body)


def _shorts(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def _longs(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)
