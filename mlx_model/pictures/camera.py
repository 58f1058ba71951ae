"""What a camera wrote about a photograph and its copies are to keep: when, with what, by whom, and whose it is.

It travels as an EXIF block of its own. Left out are the thumbnail, which shows the picture before it was edited, the
place where it was taken, the maker's notes, and the orientation, since pixels are read the right way up.
"""

import io
import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final, cast

from PIL import Image

from mlx_model.pictures.tiff_directory import (
    ASCII,
    EXPOSURE,
    HEAD,
    RATIONAL,
    SHORT,
    SIGNED_RATIONAL,
    Entry,
    add_directories,
    resolution_entries,
)

_MARK: Final = b"Exif\0\0"
_LONGEST: Final = 1000
"""Bytes of a text."""
_FINEST, _LARGEST = 1 << 14, 1 << 16
"""Of fractions: the largest denominator, and what a number has to be below."""

IMAGE_TAGS: Final[Mapping[int, int]] = {
    271: ASCII,  # make
    272: ASCII,  # model
    315: ASCII,  # artist
    33432: ASCII,  # copyright
}
"""Tags of the picture's own directory, and the type of their values."""
PHOTO_TAGS: Final[Mapping[int, int]] = {
    33434: RATIONAL,  # exposure time
    33437: RATIONAL,  # f-number
    34855: SHORT,  # sensitivity
    36867: ASCII,  # date and time of the exposure, then of its digital form, their offsets and fractions
    36868: ASCII,
    36881: ASCII,
    36882: ASCII,
    37521: ASCII,
    37522: ASCII,
    37380: SIGNED_RATIONAL,  # exposure bias
    37383: SHORT,  # metering
    37385: SHORT,  # flash
    37386: RATIONAL,  # focal length
    41989: SHORT,  # the same for 35 mm film
    42035: ASCII,  # lens
    42036: ASCII,
}
"""Tags of the directory of the exposure."""


def camera_data(data: bytes) -> bytes:
    """Find what a picture file says of its exposure; an EXIF block, empty where it says nothing that can be read.

    PNGs say it rarely, and only those are understood that say it before their pixels.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format == "PNG" and "exif" not in image.info:
                return b""  # asking for more would decode the whole of it
            return _block(*_entries_of(image.getexif()))
    except Exception:  # the pixels are read: what the file says beside them is not worth a refusal
        return b""


def with_resolution(exif: bytes, resolution: float | None) -> bytes:
    """Give an EXIF block (it may be empty) with the resolution in pixels per inch."""
    picture, exposure = entries_of(exif)
    return _block(picture + (resolution_entries(resolution) if resolution else []), exposure)


def entries_of(exif: bytes) -> tuple[list[Entry], list[Entry]]:
    """Give the entries of an EXIF block for a TIFF: those of the picture, and those of the exposure."""
    block = Image.Exif()
    if exif:
        block.load(exif)
    return _entries_of(block)


def _entries_of(exif: Image.Exif) -> tuple[list[Entry], list[Entry]]:
    return _entries(exif, IMAGE_TAGS), _entries(exif.get_ifd(EXPOSURE), PHOTO_TAGS)


def _block(picture: list[Entry], exposure: list[Entry]) -> bytes:
    if not (picture or exposure):
        return b""
    body = bytearray(HEAD)
    add_directories(body, picture, exposure)
    return _MARK + bytes(body)


def _entries(values: Mapping[int, Any], tags: Mapping[int, int]) -> list[Entry]:
    found = ((tag, kind, _packed(values.get(tag), kind)) for tag, kind in tags.items())
    return [(tag, kind, data) for tag, kind, data in found if data is not None]


def _packed(value: Any, kind: int) -> bytes | None:
    """Pack a value of the right type, None for any other: files are not trusted."""
    if isinstance(value, tuple):
        parts = cast(tuple[Any, ...], value)
        value = parts[0] if len(parts) == 1 else None
    if kind == ASCII:
        # Pillow reads each byte as a letter; what cameras and programs wrote is mostly UTF-8, and stays as it was.
        text = (
            value if isinstance(value, bytes) else value.encode("latin1", "ignore") if isinstance(value, str) else b""
        )
        text = text.split(b"\0")[0].strip()[:_LONGEST]
        return text + b"\0" if text else None
    if kind == SHORT:
        return struct.pack("<H", value) if isinstance(value, int) and 0 <= value < 1 << 16 else None
    try:
        number = float(value)
        exact = Fraction(number).limit_denominator(_FINEST)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    if (kind == RATIONAL and number < 0) or abs(number) >= _LARGEST:
        return None
    return struct.pack("<2i" if kind == SIGNED_RATIONAL else "<2I", exact.numerator, exact.denominator)
