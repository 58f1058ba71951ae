"""Small ICC profiles made by hand (ICC.1:2001): grey with a gamma, CMYK by a 2x2x2x2 table."""

import struct
from functools import cache
from itertools import product
from random import Random

from PIL import ImageCms


@cache
def srgb_profile() -> bytes:
    """Return LittleCMS's own sRGB, always the same one (it carries the time at which it was made)."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def large_profile(size: int) -> bytes:
    """Return sRGB and so many bytes behind its tables, which do not compress: as large as a scanner's."""
    profile = srgb_profile() + Random(1).randbytes(size)  # noqa: S311  (nothing secret)
    return struct.pack(">I", len(profile)) + profile[4:]


def grey_profile(gamma: float) -> bytes:
    """Return a grey display profile: luminance is value ** gamma."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256))
    return _profile(b"mntr", b"GRAY", b"XYZ ", [(b"wtpt", _white()), (b"kTRC", curve)])


def cmyk_profile() -> bytes:
    """Return a printer profile in which every full ink halves the lightness of Lab."""
    table = bytearray()
    for inks in product((0, 1), repeat=4):
        lightness = 100 * 0.5 ** sum(inks)
        table += bytes([round(lightness * 2.55), 128, 128])
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + bytes(table) + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", [(b"wtpt", _white()), (b"A2B0", lut)])


def _white() -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)


def _profile(device: bytes, space: bytes, connection: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    directory, body = struct.pack(">I", len(tags)), b""
    for name, data in tags:
        directory += name + struct.pack(">II", offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I", offset + len(body)) + b"\0\0\0\0" + b"\x02\x40\0\0" + device + space + connection
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + directory + body
