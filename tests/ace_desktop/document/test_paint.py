"""Colour is mixed as the compositor would, and bits that are not covered stay."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.compose import compose_layers
from ace_desktop.document.geometry import Rect
from ace_desktop.document.paint import erased, moved_towards, painted
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer
from tests.ace_desktop.document.drawings import noise

RECT = Rect(0, 0, 30, 20)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.sampled_from((8, 16)), st.tuples(*[st.integers(0, 255)] * 3))
def test_painting_is_composing_a_layer_of_the_colour(seed: int, depth: int, colour: tuple[int, int, int]) -> None:
    pixels, mask = noise(seed, 30, 20, depth=depth), noise(seed + 1, 30, 20, 1)
    found = painted(pixels, mask[..., 0] / np.float32(255), colour)
    full = 255 if depth == 8 else 65535
    ink = np.full((20, 30, 4), [*(value * (full // 255) for value in colour), full], pixels.dtype)
    above = RasterLayer(pixels=Plane.of(ink), name="ink", mask=Plane.of(mask))
    expected = compose_layers([RasterLayer(pixels=Plane.of(pixels), name="below"), above], RECT, depth)
    seen = expected[..., 3] > 0
    assert np.abs(found[seen].astype(int) - expected[seen]).max(initial=0) <= 1
    assert np.array_equal(found[mask[..., 0] == 0], pixels[mask[..., 0] == 0])


@pytest.mark.parametrize("depth", [8, 16])
def test_what_is_transparent_takes_the_colour_alone_as_it_does_beside_what_is_not(depth: int) -> None:
    pixels, mask = noise(5, 60, 40, depth=depth), noise(6, 60, 40, 1)
    pixels[:20, :, 3] = 0
    cover = mask[..., 0] * np.float32(0.7 / 255)
    together = painted(pixels, cover, (9, 200, 31))
    assert np.array_equal(painted(pixels[:20], cover[:20], (9, 200, 31)), together[:20])
    assert together[:20, :, 3].any()


@pytest.mark.parametrize("depth", [8, 16])
def test_what_is_not_covered_keeps_every_bit(depth: int) -> None:
    pixels, nothing = noise(5, 300, 300, depth=depth), np.zeros((300, 300), np.float32)
    assert np.array_equal(painted(pixels, nothing, (1, 2, 3)), pixels)
    assert np.array_equal(painted(pixels, nothing, (1, 2, 3), lock_alpha=True), pixels)
    assert np.array_equal(erased(pixels, nothing), pixels)
    assert np.array_equal(moved_towards(pixels[..., :1], nothing, 255), pixels[..., :1])


def test_erasing_takes_its_share_of_the_alpha_and_masks_move_their_share() -> None:
    quarter = np.full((1, 1), 0.25, np.float32)
    assert erased(np.full((1, 1, 4), 200, np.uint8), quarter)[0, 0].tolist() == [200, 200, 200, 150]
    assert moved_towards(np.full((1, 1, 1), 100, np.uint8), quarter, 200)[0, 0, 0] == 125
