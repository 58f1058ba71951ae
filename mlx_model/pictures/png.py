"""The outside of a PNG file: its chunks, put in and taken out without touching the pixels.

Pillow cannot hold 16-bit colour, so pixels are encoded by OpenCV and everything else is spliced in here (PNG
specification, third edition, sections 5 and 11).
"""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_METRES_PER_INCH = 0.0254
_HEADER_END = len(SIGNATURE) + 25  # the IHDR chunk always comes first and has a fixed length


def chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk: length, four-letter name, data, checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def profile_chunk(profile: bytes) -> bytes:
    """Return the iCCP chunk that holds an ICC profile."""
    return chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))


def resolution_chunk(resolution: float) -> bytes:
    """Return the pHYs chunk for so many pixels per inch."""
    per_metre = min(max(round(resolution / _METRES_PER_INCH), 1), 2**31 - 1)
    return chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1))


def text_chunk(keyword: str, text: str) -> bytes:
    """Return an iTXt chunk: UTF-8, not compressed, so that any program can show it.

    What is not Unicode (a file name in another encoding) stands there as a backslash escape.
    """
    return chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode("utf-8", "backslashreplace"))


def with_chunks(png: bytes, chunks: bytes) -> bytes:
    """Put ready-made chunks right behind the header."""
    return png[:_HEADER_END] + chunks + png[_HEADER_END:]


def chunks_of(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every (name, data) in order; a damaged or truncated tail ends the walk."""
    at = len(SIGNATURE)
    while png.startswith(SIGNATURE) and at + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, at)
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if len(data) < length or zlib.crc32(name + data) != int.from_bytes(png[at + 8 + length : at + 12 + length]):
            return
        yield name, data
        at += 12 + length


def texts_of(png: bytes) -> dict[str, str]:
    """Keyword → text of the uncompressed iTXt chunks, as :func:`text_chunk` writes them."""
    found: dict[str, str] = {}
    for name, data in chunks_of(png):
        keyword, _, rest = data.partition(b"\0")
        if name == b"iTXt" and rest[:1] == b"\0":
            text = rest[2:].split(b"\0", 2)[-1]
            found[keyword.decode("latin-1")] = text.decode("utf-8", "replace")
    return found
