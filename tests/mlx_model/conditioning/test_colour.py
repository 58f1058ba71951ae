"""Colours reach the model as sRGB and come back in the document's profile and depth."""

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from mlx_model.conditioning.colour import MID_GREY, as_depth, from_srgb, to_srgb
from mlx_model.request import Picture
from tests.mlx_model.conditioning.rgb_profiles import (
    P3_COLUMNS,
    SRGB_COLUMNS,
    display_p3,
    gamma_curve,
    matrix_profile,
    table_curve,
    table_profile,
)


def _parametric(kind: int, *numbers: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(f">HH{len(numbers)}i", kind, 0, *(round(n * 65536) for n in numbers))


PROFILES = {
    "Display P3": display_p3(),
    "P3 primaries, gamma 2.2": matrix_profile(P3_COLUMNS, gamma_curve(2.2)),
    "P3 primaries, linear": matrix_profile(P3_COLUMNS, b"curv" + b"\0" * 8),
    "P3 primaries, table": matrix_profile(P3_COLUMNS, table_curve(1.8, 1024)),
    "sRGB primaries, function 0": matrix_profile(SRGB_COLUMNS, _parametric(0, 1.8)),
    "sRGB primaries, function 1": matrix_profile(SRGB_COLUMNS, _parametric(1, 2.0, 0.9, 0.1)),
    "sRGB primaries, function 2": matrix_profile(SRGB_COLUMNS, _parametric(2, 2.0, 0.9, 0.05, 0.05)),
    "sRGB primaries, function 4": matrix_profile(
        SRGB_COLUMNS, _parametric(4, 2.4, 0.94, 0.05, 0.0479, 0.08, -0.003, 0.0)
    ),
}


def _colours(count: int = 40000) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (count // 200, 200, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[0, :, :3] = np.linspace(0, 255, 200)[:, None]
    return pixels


def _littlecms(rgb: npt.NDArray[np.uint8], profile: bytes, inward: bool) -> npt.NDArray[np.uint8]:
    ends = [ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")]
    source, target = ends if inward else ends[::-1]
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    transform = ImageCms.buildTransform(source, target, "RGB", "RGB", renderingIntent=intent)
    return np.asarray(ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(rgb)), transform))


@pytest.mark.parametrize("name", PROFILES)
def test_matrix_profiles_agree_with_littlecms(name: str) -> None:
    pixels, profile = _colours(), PROFILES[name]
    back = as_depth(from_srgb(profile)(pixels[..., :3].astype(np.uint16) * 257), np.dtype(np.uint8))
    for way, ours, inward in (("to", to_srgb(Picture(pixels, profile)), True), ("from", back, False)):
        error = np.abs(ours.astype(int) - _littlecms(pixels[..., :3], profile, inward))
        assert error.max() <= 2, f"{name} {way} sRGB: off by up to {error.max()} of 255"
        # LittleCMS's own 8-bit arithmetic is coarse next to black.
        assert (error > 1).mean() < 1e-4, f"{name} {way} sRGB: {(error > 1).sum()} of {error.size} off by 2"


def test_a_profile_that_is_srgb_changes_nothing() -> None:
    pixels = _colours()
    written = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (None, written):
        assert np.array_equal(to_srgb(Picture(pixels, profile)), pixels[..., :3])
        codes = pixels[..., :3].astype(np.uint16) * 257 + 3
        assert np.array_equal(from_srgb(profile)(codes), codes)


def test_a_profile_of_tables_goes_through_littlecms() -> None:
    pixels = _colours()
    profile = table_profile(P3_COLUMNS, 1.8)
    known = _littlecms(pixels[..., :3], profile, inward=True)
    assert np.array_equal(to_srgb(Picture(pixels, profile)), known)
    assert np.abs(known.astype(int) - pixels[..., :3]).mean() > 3, "the tables say the same as sRGB: nothing is shown"
    back = as_depth(from_srgb(profile)(pixels[..., :3].astype(np.uint16) * 257), np.dtype(np.uint8))
    assert np.array_equal(back, _littlecms(pixels[..., :3], profile, inward=False))


@pytest.mark.parametrize("profile", [b"", b"no profile at all", display_p3()[:200], display_p3()[:40] + b"\0" * 400])
def test_a_profile_that_cannot_be_read_counts_as_srgb(profile: bytes) -> None:
    pixels = _colours(400)
    assert np.array_equal(to_srgb(Picture(pixels, profile)), pixels[..., :3])


def test_sixteen_bits_come_back_without_banding() -> None:
    # A ramp of every 16-bit sRGB code must use nearly as many different codes of the document, in small steps.
    ramp = np.repeat(np.arange(65536, dtype=np.uint16)[None, :, None], 3, axis=2)
    for name in ("Display P3", "P3 primaries, gamma 2.2", "P3 primaries, table"):
        made = from_srgb(PROFILES[name])(ramp)[0].astype(int)
        steps = np.diff(made[2000:], axis=0)
        assert steps.min() >= -1, f"{name}: the ramp turns back by {-steps.min()}"
        assert steps.max() <= 5, f"{name}: a step of {steps.max()} of 65535"
        assert np.unique(made[:, 1]).size > 40000, f"{name}: only {np.unique(made[:, 1]).size} codes"


def test_sixteen_bits_survive_the_way_there_and_back() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(4000, 65536, (100, 100, 3), np.uint16)
    document = from_srgb(display_p3())(codes)
    pixels = np.dstack([document, np.full((100, 100), 65535, np.uint16)])
    back = to_srgb(Picture(pixels, display_p3())).astype(int)
    error = np.abs(back - as_depth(codes, np.dtype(np.uint8)))
    assert error.max() <= 1, f"off by {error.max()} of 255"


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_transparency_lies_over_the_background(depth: Any) -> None:
    most = np.iinfo(depth).max
    pixels: npt.NDArray[Any] = np.zeros((1, 3, 4), depth)
    pixels[0, :, 0] = most
    pixels[0, :, 3] = (0, most // 2, most)
    assert to_srgb(Picture(pixels)).tolist() == [[[255, 255, 255], [255, 128, 128], [255, 0, 0]]]
    assert to_srgb(Picture(pixels), MID_GREY)[0, 0].tolist() == [128, 128, 128]
