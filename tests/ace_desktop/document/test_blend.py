"""The blend modes are those of W3C Compositing and Blending Level 1, by values worked out from its formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.blend import Colour, blended, luminosity
from ace_desktop.document.state import BLEND_MODES


def colour(red: float, green: float, blue: float) -> Colour:
    planes = (np.full((1, 1), value, np.float32) for value in (red, green, blue))
    red_plane, green_plane, blue_plane = planes
    return red_plane, green_plane, blue_plane


def values(mode: str, backdrop: tuple[float, float, float], source: tuple[float, float, float]) -> list[float]:
    return [float(plane[0, 0]) for plane in blended(mode, colour(*backdrop), colour(*source))]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("multiply", (0.04, 0.3, 0.4)),
        ("screen", (0.36, 0.8, 0.9)),
        ("overlay", (0.08, 0.6, 0.8)),  # 2 Cb Cs below 0.5, 1 - 2 (1 - Cb)(1 - Cs) above
        ("soft-light", (0.136 - 0.024, 0.5 + 0.2 * (math.sqrt(0.5) - 0.5), 0.8)),
        ("darken", (0.2, 0.5, 0.5)),
        ("lighten", (0.2, 0.6, 0.8)),
    ],
)
def test_separable_modes_give_the_values_of_the_formulas(mode: str, expected: tuple[float, ...]) -> None:
    if mode == "soft-light":  # first channel: Cs = 0.2, Cb = 0.2: 0.2 - 0.6 * 0.2 * 0.8
        expected = (0.2 - 0.6 * 0.2 * 0.8, *expected[1:])
    assert values(mode, (0.2, 0.5, 0.8), (0.2, 0.6, 0.5)) == pytest.approx(expected, abs=1e-6)


def test_soft_light_brightens_dark_colours_by_the_polynomial() -> None:
    # Cb = 0.1 <= 0.25: D = ((16 * 0.1 - 12) * 0.1 + 4) * 0.1 = 0.296; Cs = 0.75: 0.1 + 0.5 * 0.196
    assert values("soft-light", (0.1, 0.1, 0.1), (0.75, 0.75, 0.75)) == pytest.approx([0.198] * 3, abs=1e-6)


def test_colour_takes_hue_and_saturation_and_keeps_the_luminosity_of_the_backdrop() -> None:
    # Lum(backdrop) = 0.5, Lum(red) = 0.3: red becomes (1.2, 0.2, 0.2), clipped towards 0.5 by 0.5 / 0.7
    assert values("colour", (0.5, 0.5, 0.5), (1, 0, 0)) == pytest.approx([1, 2 / 7, 2 / 7], abs=1e-6)


def test_luminosity_clips_below_zero_towards_the_grey() -> None:
    # Lum(backdrop) = 0.3, wanted 0.1: red becomes (0.8, -0.2, -0.2), clipped towards 0.1 by 0.1 / 0.3
    assert values("luminosity", (1, 0, 0), (0.1, 0.1, 0.1)) == pytest.approx([1 / 3, 0, 0], abs=1e-6)


unit = st.floats(0, 1, width=32)
colours = st.tuples(unit, unit, unit)


@settings(deadline=None)
@given(st.sampled_from(BLEND_MODES[1:]), colours, colours)
def test_every_mode_stays_within_the_range(
    mode: str, backdrop: tuple[float, float, float], source: tuple[float, float, float]
) -> None:
    assert all(-1e-6 <= value <= 1 + 1e-6 for value in values(mode, backdrop, source))


@settings(deadline=None)
@given(colours, colours)
def test_colour_and_luminosity_keep_whose_light_it_is(
    backdrop: tuple[float, float, float], source: tuple[float, float, float]
) -> None:
    kept = luminosity(blended("colour", colour(*backdrop), colour(*source)))
    taken = luminosity(blended("luminosity", colour(*backdrop), colour(*source)))
    assert float(kept[0, 0]) == pytest.approx(float(luminosity(colour(*backdrop))[0, 0]), abs=1e-5)
    assert float(taken[0, 0]) == pytest.approx(float(luminosity(colour(*source))[0, 0]), abs=1e-5)
