"""The compositor gives what the specification says, of any rectangle alone, and touches no bit of a single layer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.compose import compose, compose_layers, compose_plane
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import BLEND_MODES, GroupLayer, RasterLayer, State
from tests.ace_desktop.document.drawings import FRAME, noise, plain, raster, rects, states


def document(*layers: RasterLayer | GroupLayer) -> State:
    return State(width=FRAME.width, height=FRAME.height, layers=layers)


def pixel(state: State) -> list[int]:
    found = compose(state)
    assert (found == found[0, 0]).all()
    return found[0, 0].tolist()


def test_nothing_is_transparent() -> None:
    assert not compose(document()).any()
    assert not compose(document(raster((10, 20, 30, 0)))).any()
    assert compose(document()).shape == (FRAME.height, FRAME.width, 4)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("blend", BLEND_MODES)
def test_a_single_layer_comes_out_bit_for_bit(depth: int, blend: str) -> None:
    pixels = noise(1, 300, 280, depth=depth)
    layer = RasterLayer(pixels=Plane.of(pixels), name="only", blend=blend)
    expected = pixels * (pixels[..., 3:] != 0)
    grouped = GroupLayer(children=(layer,), name="around it")
    assert np.array_equal(compose_layers([layer], Rect(0, 0, 300, 280), depth), expected)
    assert np.array_equal(compose_layers([grouped], Rect(0, 0, 300, 280), depth), expected)


def test_an_opaque_layer_hides_what_lies_below() -> None:
    pixels = noise(2, 40, 30)
    pixels[..., 3] = 255
    top = RasterLayer(pixels=Plane.of(pixels), name="top")
    assert np.array_equal(compose(document(raster((1, 2, 3, 200)), top)), pixels)


def test_half_over_opaque_and_half_over_half() -> None:
    assert pixel(document(raster((0, 0, 255, 255)), raster((255, 0, 0, 51)))) == [51, 0, 204, 255]
    # alpha 0.4 + 0.4 * 0.6 = 0.64; red 0.4 / 0.64 = 0.625, blue 0.24 / 0.64 = 0.375
    assert pixel(document(raster((0, 0, 255, 102)), raster((255, 0, 0, 102)))) == [159, 0, 96, 163]


def test_a_mode_counts_only_as_far_as_the_backdrop_is_opaque() -> None:
    # multiply on half a backdrop: 0.5 * 0.8 + 0.5 * 0.8 * 0.2 = 0.48 of 255 at alpha 1
    below, above = raster((51, 51, 51, 128)), raster((204, 204, 204, 255), blend="multiply")
    found = pixel(document(below, above))
    backdrop = 128 / 255
    assert found == [round(255 * 0.8 * (1 - backdrop + 0.2 * backdrop))] * 3 + [255]


def test_opacity_and_mask_weaken_alike() -> None:
    base, white = raster((0, 0, 0, 255)), (255, 255, 255, 255)
    half = raster(white, opacity=128 / 255)
    masked = RasterLayer(pixels=plain(white), name="masked", mask=plain((128,)))
    everywhere = RasterLayer(pixels=plain(white), name="default", mask=Plane(1, default=128))
    assert pixel(document(base, half)) == pixel(document(base, masked)) == pixel(document(base, everywhere))
    assert pixel(document(base, half)) == [128, 128, 128, 255]
    hidden = RasterLayer(pixels=plain(white), name="hidden", mask=Plane(1))
    switched_off = RasterLayer(pixels=plain(white), name="off", mask=Plane(1), mask_enabled=False)
    assert pixel(document(base, hidden)) == [0, 0, 0, 255]
    assert pixel(document(base, switched_off)) == list(white)


def test_a_group_is_isolated_and_weakened_as_one() -> None:
    base = raster((0, 255, 0, 255))
    two = (raster((255, 0, 0, 255)), raster((0, 0, 255, 255)))
    half = GroupLayer(children=two, name="group", opacity=0.5)
    assert pixel(document(base, half)) == [0, 128, 128, 255]
    multiplying = GroupLayer(children=(raster((100, 100, 100, 255), blend="multiply"),), name="group")
    assert pixel(document(base, multiplying)) == [100, 100, 100, 255]  # nothing to multiply with inside the group


def test_offsets_of_groups_and_layers_add_up() -> None:
    child = RasterLayer(pixels=plain((9, 9, 9, 255), Rect(0, 0, 1, 1)), name="dot", x=3, y=4)
    group = GroupLayer(children=(child,), name="group", x=-1, y=2, mask=plain((255,), Rect(3, 4, 1, 1)))
    rows, columns = np.nonzero(compose(document(group))[..., 3])
    assert (rows.tolist(), columns.tolist()) == ([6], [2])


def test_layers_of_16_bits_are_mixed_at_their_depth() -> None:
    below = RasterLayer(pixels=plain((0, 0, 0, 65535), depth=16), name="below")
    above = RasterLayer(pixels=plain((65535, 40000, 1000, 6554), depth=16), name="above")
    found = compose_layers([below, above], Rect(0, 0, 1, 1), 16)[0, 0]
    share = 6554 / 65535
    assert found.tolist() == [round(65535 * share), round(40000 * share), round(1000 * share), 65535]
    assert compose(document(below, above))[0, 0].tolist() == [26, 16, 0, 255]


def by_the_formula(backdrop: list[float], source: list[float]) -> list[float]:
    """Source-over of the specification, of premultiplied colours, for one pixel in Python's own numbers."""
    (*below, alpha_below), (*above, alpha) = backdrop, source
    out = alpha + alpha_below * (1 - alpha)
    mixed = [alpha * s + (1 - alpha) * alpha_below * b for s, b in zip(above, below, strict=True)]
    return [value / out if out else 0.0 for value in mixed] + [out]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_normal_layers_mix_as_numbers_do_elsewhere(seeds: list[int]) -> None:
    drawn = [noise(seed, 4, 3) for seed in seeds]
    found = compose(document(*(RasterLayer(pixels=Plane.of(p), name="l") for p in drawn)), Rect(0, 0, 4, 3))
    for y in range(3):
        for x in range(4):
            backdrop = [0.0] * 4
            for pixels in drawn:
                backdrop = by_the_formula(backdrop, [value / 255 for value in pixels[y, x].tolist()])
            assert np.abs(found[y, x] - np.array(backdrop) * 255).max() <= 0.501


@settings(max_examples=40, deadline=None)
@given(states(), rects())
def test_a_rectangle_is_the_crop_of_the_whole(state: State, rect: Rect) -> None:
    whole = Rect(-100, -100, 300, 300)
    x, y = rect.x + 100, rect.y + 100
    crop = compose(state, whole)[y : y + rect.height, x : x + rect.width]
    assert np.array_equal(compose(state, rect), crop)


@settings(max_examples=20, deadline=None)
@given(states())
def test_as_a_plane_it_is_the_same_and_nothing_lies_outside(state: State) -> None:
    plane = compose_plane(state.layers)
    whole = Rect(-300, -300, 700, 700)
    assert np.array_equal(plane.read(whole), compose(state, whole))
    assert plane.content() in whole
