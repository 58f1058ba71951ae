"""The wand takes like colours, and a scribble becomes the object under it, on pictures drawn for it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from ace_desktop.document.geometry import Rect
from ace_desktop.document.masks import grey_of
from ace_desktop.document.plane import Plane
from ace_desktop.document.smart_select import magic_wand, quick_select
from ace_desktop.document.state import GroupLayer, RasterLayer, State
from tests.ace_desktop.document.drawings import plain, raster


def two_squares() -> State:
    """Return a grey picture with two red squares, the second a little darker, and a hidden layer above."""
    pixels = np.full((100, 300, 4), (100, 100, 100, 255), np.uint8)
    pixels[20:60, 20:60] = (200, 10, 10, 255)
    pixels[20:60, 200:240] = (190, 10, 10, 255)
    photo = RasterLayer(pixels=Plane.of(pixels, 5, 0), name="photo", id="photo", x=-5)
    hidden = replace(raster((0, 0, 0, 255), Rect(0, 0, 300, 100)), visible=False)
    return State(width=300, height=100, layers=(photo, hidden))


@pytest.mark.parametrize("layer_id", [None, "photo"])
def test_the_wand_takes_what_is_no_further_off_than_the_tolerance(layer_id: str | None) -> None:
    state = two_squares()
    first, second = Rect(20, 20, 40, 40), Rect(200, 20, 40, 40)
    connected = magic_wand(state, 30, 30, 10, layer_id=layer_id)
    assert connected.equals(plain((255,), first))
    everywhere = magic_wand(state, 30, 30, 10, contiguous=False, layer_id=layer_id)
    assert everywhere.equals(plain((255,), first).written(np.full((40, 40, 1), 255, np.uint8), second.x, second.y))
    assert magic_wand(state, 30, 30, 9, contiguous=False, layer_id=layer_id).equals(plain((255,), first))


def test_the_wand_takes_nothing_outside_and_knows_transparent_pixels() -> None:
    state = two_squares()
    assert not magic_wand(state, 300, 5, 10).tiles
    empty = State(width=20, height=20, layers=(raster((0, 0, 0, 255), Rect(0, 0, 10, 20)),))
    assert magic_wand(empty, 15, 5, 10).content() == Rect(10, 0, 10, 20)


def test_the_wand_looks_at_a_layer_alone_as_it_is_and_at_a_group() -> None:
    faint = replace(raster((9, 9, 9, 255), Rect(0, 0, 10, 20), name="faint"), opacity=0.2, mask=Plane(1))
    group = GroupLayer(children=(raster((80, 0, 0, 255), Rect(5, 5, 4, 4)),), name="group", id="group", x=2)
    state = State(width=20, height=20, layers=(raster((90, 90, 90, 255)), faint, group))
    assert magic_wand(state, 3, 3, 5, layer_id=faint.id).content() == Rect(0, 0, 10, 20)
    assert magic_wand(state, 8, 6, 5, layer_id="group").content() == Rect(7, 5, 4, 4)


def scene(width: int, height: int) -> tuple[State, np.ndarray]:
    """Return a noisy picture with a striped background and a red blob, and where the blob is."""
    y, x = np.mgrid[0:height, 0:width]
    blob = np.hypot((x - 0.55 * width) / (0.22 * width), (y - 0.5 * height) / (0.3 * height)) < 1
    blob |= (abs(x - 0.55 * width) < 0.05 * width) & (y > 0.5 * height) & (y < 0.9 * height)
    rgb = np.stack([60 + x * 80 // width, 90 + y * 90 // height, 120 + 25 * (x * 16 // width % 2)], 2)
    rgb[blob] = (190, 70, 50)
    rgb = rgb + np.random.default_rng(0).normal(0, 8, rgb.shape)
    pixels = np.dstack([rgb.clip(0, 255), np.full(x.shape, 255)]).astype(np.uint8)
    return State(width=width, height=height, layers=(RasterLayer(pixels=Plane.of(pixels), name="photo"),)), blob


def scribble(state: State, *lines: tuple[float, float, float, float]) -> Plane:
    """Return a mask with thick lines, in parts of the width and height."""
    drawn = np.zeros((state.height, state.width), np.uint8)
    for x0, y0, x1, y1 in lines:
        start, end = ((int(x * state.width), int(y * state.height)) for x, y in ((x0, y0), (x1, y1)))
        cv2.line(drawn, start, end, 255, max(3, state.width // 60))
    return Plane.of(drawn)


@pytest.mark.parametrize(("width", "height"), [(200, 150), (1200, 900)])
def test_a_scribble_becomes_the_object_under_it(width: int, height: int) -> None:
    state, blob = scene(width, height)
    rough = scribble(state, (0.45, 0.4, 0.65, 0.5), (0.55, 0.5, 0.55, 0.8))
    mask = grey_of(quick_select(state, rough), state.frame)
    found = mask >= 128
    assert (found & blob).sum() / (found | blob).sum() > 0.97
    assert ((mask > 0) & (mask < 255)).mean() < 0.02
    assert np.array_equal(mask, grey_of(quick_select(state, rough), state.frame))


def test_what_is_marked_as_background_is_left_out() -> None:
    state, _ = scene(200, 150)
    rough, not_this = scribble(state, (0.5, 0.35, 0.6, 0.4)), scribble(state, (0.55, 0.75, 0.55, 0.88))
    mask = grey_of(quick_select(state, rough, not_this), state.frame)
    assert not mask[grey_of(not_this, state.frame) > 0].any()
    assert mask[60, 110] == 255


def test_no_scribble_selects_nothing_and_one_over_all_selects_all() -> None:
    state, _ = scene(60, 40)
    assert not quick_select(state, Plane(1)).tiles
    assert not quick_select(state, plain((255,), Rect(-50, -50, 20, 20))).tiles
    everything = plain((255,), state.frame)
    assert quick_select(state, everything).equals(everything)
