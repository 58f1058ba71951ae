"""RGB profiles made by hand (ICC.1:2010): a matrix with curves, and look-up tables that mean the same."""

import struct
from collections.abc import Sequence
from itertools import product

import numpy as np

P3_COLUMNS = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
"""Display P3's red, green and blue relative to D50."""
SRGB_COLUMNS = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))

SRGB_CURVE = b"para\0\0\0\0" + struct.pack(
    ">HH5i", 3, 0, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def table_curve(gamma: float, points: int) -> bytes:
    values = np.rint(np.linspace(0, 1, points) ** gamma * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", points) + values.tobytes()


def matrix_profile(columns: Sequence[Sequence[float]], curve: bytes) -> bytes:
    """Return a display profile of three primaries (XYZ relative to D50) and one curve."""
    tags = [(name, _xyz(column)) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)]
    return _profile([*tags, *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC"))])


def display_p3() -> bytes:
    return matrix_profile(P3_COLUMNS, SRGB_CURVE)


def table_profile(columns: Sequence[Sequence[float]], gamma: float) -> bytes:
    """Return a profile whose tables (lut16Type both ways) say what a matrix profile with this gamma says."""
    ramp = np.linspace(0, 1, 4096)
    to_linear, to_code = ramp**gamma, ramp ** (1 / gamma)
    matrix = np.array(columns).T
    corners = [matrix @ np.array(corner) * 32768 / 65535 for corner in product((0, 1), repeat=3)]
    forward = _lut16(np.eye(3), to_linear, np.array(corners), np.array([0.0, 1.0]))
    # The matrix element gives linear RGB at half of full scale, as XYZ runs to 2.
    identity = np.array(list(product((0, 1), repeat=3)), np.float64)
    doubled = np.minimum(ramp * 65535 / 32768, 1)
    backward = _lut16(np.linalg.inv(matrix), doubled, identity, to_code)
    return _profile([(b"A2B0", forward), (b"B2A0", backward)], version=2)


def _lut16(matrix: np.ndarray, before: np.ndarray, table: np.ndarray, after: np.ndarray) -> bytes:
    def words(values: np.ndarray) -> bytes:
        return np.rint(np.clip(values, 0, 1) * 65535).astype(">u2").tobytes()

    head = b"mft2\0\0\0\0" + bytes([3, 3, 2, 0]) + struct.pack(">9i", *np.rint(matrix.ravel() * 65536).astype(int))
    head += struct.pack(">HH", before.size, after.size)
    return head + words(before) * 3 + words(table) + words(after) * 3


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))


def _profile(tags: Sequence[tuple[bytes, bytes]], version: int = 4) -> bytes:
    text = "test".encode("utf-16-be")
    words = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    tags = [(b"desc", words), (b"cprt", words), (b"wtpt", _xyz((0.9642, 1.0, 0.8249))), *tags]
    offset = 128 + 4 + 12 * len(tags)
    directory, body = struct.pack(">I", len(tags)), b""
    for name, data in tags:
        directory += name + struct.pack(">II", offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I", offset + len(body)) + b"\0\0\0\0" + bytes([version, 0, 0, 0]) + b"mntrRGB XYZ "
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + directory + body
