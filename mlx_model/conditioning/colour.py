"""From a document's colour space to the model's sRGB and back.

Profiles made of a matrix and three curves (sRGB, Display P3, Adobe RGB, ProPhoto: nearly every RGB profile) are
computed here in 16-bit codes, relative colorimetric without black point compensation: within 1 of 255 of what
LittleCMS computes in 8 bits (2 next to black, where its own steps are coarse), and without banding. Profiles with
look-up tables go through LittleCMS, which Pillow offers in 8 bits only: edited pixels of a 16-bit document in such a
profile have 8-bit precision. A profile that cannot be read counts as sRGB.
"""

import io
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from mlx_model.progress import Tick, no_tick
from mlx_model.request import Picture

Codes: TypeAlias = npt.NDArray[np.uint16]
Floats: TypeAlias = npt.NDArray[np.float32]
Conversion: TypeAlias = Callable[[Codes], Codes]
"""From one colour space to another, colours (H, W, 3) in 16-bit codes."""

WHITE: Final = 1.0
MID_GREY: Final = 0.5

_STRIP: Final = 2**20
"""Pixels converted at a time, so that a large picture needs little memory beside itself."""

_SRGB_TO_XYZ: Final = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]], np.float64
)
"""sRGB's primaries as its ICC profiles have them, relative to D50: columns red, green, blue."""


@dataclass(frozen=True, eq=False)
class _MatrixProfile:
    """``to_xyz`` (3, 3); ``curves`` (3, 65536): the linear value, 0 to 1, of every 16-bit code."""

    to_xyz: npt.NDArray[np.float64]
    curves: Floats


def to_srgb(picture: Picture, background: float = WHITE, tick: Tick = no_tick) -> npt.NDArray[np.uint8]:
    """Return a picture's pixels as sRGB uint8 (H, W, 3), for the model to see.

    Transparent pixels are laid over a grey of ``background`` (0 to 1). A picture to be edited stands on white, where
    it would end up on paper and screens; a reference on mid grey, which says "nothing here" to the model.
    """
    convert = into_srgb(picture.profile)
    result = np.empty((*picture.pixels.shape[:2], 3), np.uint8)
    for rows in strips(picture.pixels):
        tick()
        result[rows] = as_depth(on_background(picture.pixels[rows], convert, background), np.dtype(np.uint8))
    return result


def on_background(pixels: npt.NDArray[Any], convert: Conversion, background: float) -> Codes:
    """Return pixels (H, W, 4) as :func:`to_srgb` does, before they are rounded: in 16-bit codes, (H, W, 3)."""
    codes, alpha = convert(_as_codes(pixels[..., :3])), _as_codes(pixels[..., 3:])
    if alpha.min() == 65535:
        return codes
    share = alpha.astype(np.float32) / 65535
    return np.rint(codes * share + np.float32(background * 65535) * (1 - share)).astype(np.uint16)


def into_srgb(profile: bytes | None) -> Conversion:
    """Return what turns a document's colours in this profile into sRGB."""
    return _conversion(profile, inward=True)


def from_srgb(profile: bytes | None) -> Conversion:
    """Return what turns sRGB into a document's colours in this profile."""
    return _conversion(profile, inward=False)


def strips(pixels: npt.NDArray[Any]) -> Iterator[slice]:
    """Cut an array (H, W, ...) into rows of at most about a million pixels."""
    rows = max(1, _STRIP // pixels.shape[1])
    return (slice(top, min(top + rows, pixels.shape[0])) for top in range(0, pixels.shape[0], rows))


def as_depth(codes: Codes, depth: np.dtype[Any]) -> npt.NDArray[Any]:
    """Round 16-bit codes to a document's depth, uint8 or uint16."""
    return codes if depth == np.uint16 else ((codes.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _as_codes(pixels: npt.NDArray[Any]) -> Codes:
    return pixels if pixels.dtype == np.uint16 else pixels.astype(np.uint16) * np.uint16(257)


def _unchanged(codes: Codes) -> Codes:
    return codes


def _conversion(profile: bytes | None, *, inward: bool) -> Conversion:
    if profile is None:
        return _unchanged
    matrix_profile = _read_matrix_profile(profile)
    if matrix_profile is None:
        return _littlecms(profile, inward=inward)
    srgb = _srgb()
    same_curves = np.abs(matrix_profile.curves - srgb.curves).max() < 1e-3
    if same_curves and np.abs(matrix_profile.to_xyz - srgb.to_xyz).max() < 2e-3:
        return _unchanged
    return _through_xyz(matrix_profile, srgb) if inward else _through_xyz(srgb, matrix_profile)


def _through_xyz(source: _MatrixProfile, target: _MatrixProfile) -> Conversion:
    matrix = (np.linalg.inv(target.to_xyz) @ source.to_xyz).T.astype(np.float32)
    # The target's curves are inverted over the square root of the linear value: 65536 steps of it are about as
    # fine as the codes themselves, down to black.
    roots = np.linspace(0, 1, 65536) ** 2
    inverse = [
        np.rint(np.interp(roots, np.maximum.accumulate(curve), np.arange(65536))).astype(np.uint16)
        for curve in target.curves
    ]

    def convert(codes: Codes) -> Codes:
        linear = np.stack([source.curves[c][codes[..., c]] for c in range(3)], axis=-1) @ matrix
        index = np.rint(np.sqrt(np.clip(linear, 0, 1)) * 65535).astype(np.uint16)
        return np.stack([inverse[c][index[..., c]] for c in range(3)], axis=-1)

    return convert


def _srgb() -> _MatrixProfile:
    return _MatrixProfile(
        _SRGB_TO_XYZ, np.stack([_parametric(3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))] * 3)
    )


def _littlecms(profile: bytes, *, inward: bool) -> Conversion:
    try:
        ends = [ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")]
        source, target = ends if inward else ends[::-1]
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        transform = ImageCms.buildTransform(source, target, "RGB", "RGB", renderingIntent=intent)
    except (OSError, ImageCms.PyCMSError):
        return _unchanged

    def convert(codes: Codes) -> Codes:
        image = Image.fromarray(np.ascontiguousarray(as_depth(codes, np.dtype(np.uint8))))
        return _as_codes(np.asarray(ImageCms.applyTransform(image, transform)))

    return convert


def _read_matrix_profile(profile: bytes) -> _MatrixProfile | None:
    """Read an ICC profile (ICC.1:2010, 7.2, 9 and 10) that is a matrix and curves, None where it is anything else."""
    try:
        if profile[16:24] != b"RGB XYZ " or profile[36:40] != b"acsp":
            return None
        entries = struct.iter_unpack(">4sII", profile[132 : 132 + 12 * struct.unpack_from(">I", profile, 128)[0]])
        tags = {name: profile[at : at + length] for name, at, length in entries}
        if {b"A2B0", b"A2B1", b"B2A0", b"B2A1"} & tags.keys():
            return None
        columns = [struct.unpack_from(">3i", tags[name], 8) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        to_xyz = np.array(columns, np.float64).T / 65536
        np.linalg.inv(to_xyz)
        return _MatrixProfile(to_xyz, np.stack([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]))
    except (KeyError, ValueError, ZeroDivisionError, struct.error, np.linalg.LinAlgError):
        return None


def _curve(tag: bytes) -> Floats:
    kind, number = tag[:4], struct.unpack_from(">I", tag, 8)[0]
    if kind == b"para":
        kind_of_function = number >> 16
        count = (1, 3, 4, 5, 7)[kind_of_function] if kind_of_function < 5 else 0
        return _parametric(kind_of_function, [v / 65536 for v in struct.unpack_from(f">{count}i", tag, 12)])
    if kind != b"curv":
        raise ValueError(kind)
    if number == 0:
        return _parametric(0, [1.0])
    if number == 1:
        return _parametric(0, [struct.unpack_from(">H", tag, 12)[0] / 256])
    points = np.frombuffer(tag, ">u2", number, 12) / 65535
    return np.interp(np.linspace(0, 1, 65536), np.linspace(0, 1, number), points).astype(np.float32)


def _parametric(kind: int, numbers: Sequence[float]) -> Floats:
    """Sample one of the five parametric curves of ICC.1:2010, 10.16, at all 16-bit codes."""
    gamma, a, b, c, d, e, f = (*numbers, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)[:7] if kind else (numbers[0], 1, 0, 0, 0, 0, 0)
    if kind in (1, 2):
        c, d, e, f = 0.0, -b / a, c, c
    x = np.linspace(0, 1, 65536)
    return np.where(x >= d, np.maximum(a * x + b, 0) ** gamma + e, c * x + f).astype(np.float32)
