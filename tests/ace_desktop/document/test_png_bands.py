"""A PNG put together from bands is one that everybody reads."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ace_desktop.document.geometry import Rect
from ace_desktop.document.png_bands import Band, adler_of_both, png_of_bands, rows_of
from mlx_model.pictures.read import read_picture
from tests.ace_desktop.document.drawings import noise


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_checksums_of_pieces_make_the_checksum_of_the_whole(one: bytes, other: bytes) -> None:
    assert adler_of_both(zlib.adler32(one), zlib.adler32(other), len(other)) == zlib.adler32(one + other)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 4])
@given(st.integers(1, 40), st.integers(-300, 300), st.integers(1, 600))
@settings(max_examples=15, deadline=None)
def test_bands_come_back_as_one_picture(depth: int, channels: int, width: int, y: int, height: int) -> None:
    """Through Pillow, which checks every checksum; whatever the rectangle's place among the tiles."""
    pixels, rect = noise(1, width, height, channels, depth), Rect(3, y, width, height)
    bands = [Band(row, lambda row=row: pixels[row.y - y : row.bottom - y], None) for row in rows_of(rect)]
    data = png_of_bands((width, height), channels, depth, bands, {}, {})
    with Image.open(io.BytesIO(data)) as image:
        image.load()
    back = read_picture(data).pixels[..., :channels]
    assert back.dtype == pixels.dtype
    assert np.array_equal(back, pixels)


def test_a_band_that_was_packed_is_not_asked_for_its_pixels() -> None:
    packed = {}
    first = png_of_bands((4, 3), 4, 8, [Band("a", lambda: noise(1, 4, 3), None)], {}, packed)

    def unwanted() -> np.ndarray:
        raise AssertionError

    assert png_of_bands((4, 3), 4, 8, [Band("a", unwanted, None)], packed, {}) == first
