"""Directories of TIFF files, and of EXIF blocks, which are small TIFF files: tags with typed values."""

import struct
from typing import Final

Entry = tuple[int, int, bytes]
"""Tag, type and little-endian value."""

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SIGNED_RATIONAL = 1, 2, 3, 4, 5, 7, 10
_WIDTHS: Final = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, UNDEFINED: 1, SIGNED_RATIONAL: 8}
HEAD: Final = b"II*\0\0\0\0\0"
"""How a file begins; its last four bytes become the place of the first directory."""
EXPOSURE: Final = 0x8769
"""The tag of the directory in which EXIF has what belongs to the exposure."""
_INCHES: Final = 2


def add_directories(body: bytearray, picture: list[Entry], exposure: list[Entry]) -> None:
    """Put the directory of a picture and that of its exposure (where there is one) at the end of a file."""
    entries = [*picture]
    if exposure:
        entries.append((EXPOSURE, LONG, struct.pack("<I", _add_directory(body, exposure))))
    body[4:8] = struct.pack("<I", _add_directory(body, entries))


def resolution_entries(resolution: float) -> list[Entry]:
    """Give the entries for so many pixels per inch."""
    ratio = struct.pack("<2I", round(min(resolution, 2**20) * 1000), 1000)
    return [(282, RATIONAL, ratio), (283, RATIONAL, ratio), (296, SHORT, struct.pack("<H", _INCHES))]


def _add_directory(body: bytearray, entries: list[Entry]) -> int:
    """Put a directory and the values that it names at the end; return where it begins."""
    directory = struct.pack("<H", len(entries))
    for tag, kind, data in sorted(entries):
        directory += struct.pack("<HHI", tag, kind, len(data) // _WIDTHS[kind])
        if len(data) <= 4:
            directory += data.ljust(4, b"\0")
        else:
            directory += struct.pack("<I", len(body))
            body += data + b"\0" * (len(data) % 2)
    begins = len(body)
    body += directory + b"\0\0\0\0"
    return begins
