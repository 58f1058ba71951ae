"""TIFF with 8 or 16 bits, alpha, a colour profile and XMP, which neither Pillow nor OpenCV writes (TIFF 6.0)."""

import struct
import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

_STRIP_BYTES: Final = 1 << 20
_SHORT, _LONG, _ASCII, _UNDEFINED, _BYTE, _RATIONAL = 3, 4, 2, 7, 1, 5
_WIDTHS: Final = {_SHORT: 2, _LONG: 4, _ASCII: 1, _UNDEFINED: 1, _BYTE: 1, _RATIONAL: 8}
_INCHES: Final = 2


def encode_tiff(
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    profile: bytes | None,
    xmp: bytes,
    resolution: float | None = None,
) -> bytes:
    """Encode (height, width, channels) pixels, losslessly (deflate with a horizontal predictor).

    One channel is grey, three are RGB, four RGB with straight alpha. ``resolution`` is in pixels per inch.
    """
    height, width, channels = pixels.shape
    bits = pixels.dtype.itemsize * 8
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.dtype.itemsize))
    differences = np.diff(pixels, axis=1, prepend=np.zeros((height, 1, channels), pixels.dtype))
    encoded = differences.astype(pixels.dtype.newbyteorder("<"), copy=False)
    strips = [zlib.compress(encoded[y : y + rows].tobytes()) for y in range(0, height, rows)]

    body = bytearray(b"II*\0\0\0\0\0")
    offsets: list[int] = []
    for strip in strips:
        offsets.append(len(body))
        body += strip + b"\0" * (len(strip) % 2)

    entries: list[tuple[int, int, bytes]] = [
        (256, _LONG, _longs([width])),
        (257, _LONG, _longs([height])),
        (258, _SHORT, _shorts([bits] * channels)),
        (259, _SHORT, _shorts([8])),  # deflate
        (262, _SHORT, _shorts([1 if channels == 1 else 2])),  # black is zero, or RGB
        (273, _LONG, _longs(offsets)),
        (277, _SHORT, _shorts([channels])),
        (278, _LONG, _longs([rows])),
        (279, _LONG, _longs([len(strip) for strip in strips])),
        (284, _SHORT, _shorts([1])),  # channels interleaved
        (305, _ASCII, b"ACE Desktop\0"),
        (317, _SHORT, _shorts([2])),  # horizontal predictor
    ]
    if channels == 4:
        entries.append((338, _SHORT, _shorts([2])))  # straight alpha
    if xmp:
        entries.append((700, _BYTE, xmp))
    if profile:
        entries.append((34675, _UNDEFINED, profile))

    if resolution:
        ratio = struct.pack("<2I", round(min(resolution, 2**20) * 1000), 1000)
        entries += [(282, _RATIONAL, ratio), (283, _RATIONAL, ratio), (296, _SHORT, _shorts([_INCHES]))]

    directory = struct.pack("<H", len(entries))
    for tag, kind, data in sorted(entries):
        directory += struct.pack("<HHI", tag, kind, len(data) // _WIDTHS[kind])
        if len(data) <= 4:
            directory += data.ljust(4, b"\0")
        else:
            directory += struct.pack("<I", len(body))
            body += data + b"\0" * (len(data) % 2)
    body[4:8] = struct.pack("<I", len(body))
    return bytes(body + directory + b"\0\0\0\0")


def _shorts(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def _longs(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)
