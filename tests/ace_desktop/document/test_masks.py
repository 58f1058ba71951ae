"""Masks grow, shrink, soften and combine by the pixels stated, inside the frame, wherever they are kept."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.geometry import Rect
from ace_desktop.document.masks import (
    Combine,
    alpha_of,
    combined,
    copied,
    everything,
    feathered,
    grey_of,
    grown,
    inverted,
    renamed,
    shrunk,
)
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import GroupLayer, State
from ace_desktop.document.target import EDIT_MASK, SELECTION, Target, mask_of
from tests.ace_desktop.document.drawings import noise, plain, planes, raster

FRAME = Rect(0, 0, 300, 280)
SAVED = Target("saved mask", "sky")


def spots(seed: int = 1) -> Plane:
    """Return a mask of a few single pixels."""
    values = np.zeros((FRAME.height, FRAME.width), np.uint8)
    values[tuple(np.random.default_rng(seed).integers(0, 280, (2, 12)))] = 255
    return Plane.of(values)


def distance(mask: Plane) -> np.ndarray:
    """Return how far every pixel of the frame is from the mask."""
    return cv2.distanceTransform((grey_of(mask, FRAME) == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


@pytest.mark.parametrize("radius", [0, 1, 2, 7, 10])
def test_growing_takes_all_pixels_within_the_radius(radius: int) -> None:
    values = grey_of(grown(spots(), FRAME, radius), FRAME)
    assert np.array_equal(values == 255, distance(spots()) <= radius + 1e-3)


@pytest.mark.parametrize("radius", [13, 40, 75])
def test_growing_far_is_a_disc_within_four_percent(radius: int) -> None:
    values = grey_of(grown(spots(), FRAME, radius), FRAME)
    assert (values[distance(spots()) <= 0.95 * radius] == 255).all()
    assert not values[distance(spots()) > radius + 0.01].any()


@pytest.mark.parametrize("radius", [1, 7, 25])
def test_shrinking_is_growing_of_what_is_left_out_but_not_from_the_border(radius: int) -> None:
    mask = inverted(spots(), FRAME)
    smaller = grey_of(shrunk(mask, FRAME, radius), FRAME)
    assert np.array_equal(smaller, 255 - grey_of(grown(spots(), FRAME, radius), FRAME))
    assert np.array_equal(grey_of(shrunk(everything(FRAME), FRAME, radius), FRAME), np.full((280, 300), 255))
    assert shrunk(plain((255,), Rect(50, 60, 70, 80)), FRAME, 5).content() == Rect(55, 65, 60, 70)


def test_soft_edges_are_moved_and_stay_as_soft() -> None:
    ramp = np.zeros((280, 300), np.uint8)
    ramp[:, 100:151] = np.arange(0, 255, 5)[::-1]
    ramp[:, :100] = 255
    moved = grey_of(grown(Plane.of(ramp), FRAME, 20), FRAME)
    assert np.array_equal(moved[:, 20:], ramp[:, :-20])


@pytest.mark.parametrize("sigma", [0.7, 5.0, 12.5, 30.0])
def test_feathering_is_a_gaussian(sigma: float) -> None:
    mask = plain((255,), Rect(0, 70, 140, 140))
    soft = grey_of(feathered(mask, FRAME, sigma), FRAME)
    exact = cv2.GaussianBlur(grey_of(mask, FRAME).astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    assert np.abs(soft - exact).max() <= 3
    assert soft[140, 0] >= 250  # the frame's border stays hard
    assert feathered(mask, FRAME, 0) is mask


@settings(max_examples=40, deadline=None)
@given(planes(1), planes(1), st.sampled_from(("replace", "add", "subtract", "intersect")))
def test_combining_is_that_of_the_values(a: Plane, b: Plane, how: Combine) -> None:
    old, new = grey_of(a, FRAME).astype(int), grey_of(b, FRAME).astype(int)
    expected = {
        "replace": new,
        "add": np.maximum(old, new),
        "subtract": np.minimum(old, 255 - new),
        "intersect": np.minimum(old, new),
    }
    found = combined(a, b, how, FRAME)
    assert np.array_equal(grey_of(found, FRAME), expected[how])
    assert found.content() in FRAME


@settings(max_examples=40, deadline=None)
@given(planes(1))
def test_inverting_twice_is_the_mask_inside_the_frame(mask: Plane) -> None:
    twice = inverted(inverted(mask, FRAME), FRAME)
    assert np.array_equal(grey_of(twice, FRAME), grey_of(mask, FRAME))
    assert twice.content() in FRAME


def document() -> State:
    layer = raster((1, 2, 3, 200), Rect(0, 0, 50, 40))
    group = GroupLayer(children=(layer,), name="group", id="group", x=30, y=20, visible=False, opacity=0.5)
    return State(width=300, height=280, layers=(group,), active=layer.id)


def test_masks_go_from_any_place_to_any_other() -> None:
    state = document()
    mask = plain((255,), Rect(10, 10, 90, 30))
    layer_mask = Target("layer mask", str(state.active))
    at_edit = copied(state, mask, EDIT_MASK)
    saved = copied(at_edit, EDIT_MASK, SAVED)
    loaded = copied(copied(saved, SAVED, SELECTION), SELECTION, layer_mask)
    for target in (EDIT_MASK, SAVED, SELECTION, layer_mask):
        assert mask_of(loaded, target).equals(mask)
    less = copied(loaded, plain((255,), Rect(10, 10, 45, 30)), SELECTION, "subtract")
    assert mask_of(less, SELECTION).content() == Rect(55, 10, 45, 30)
    assert list(renamed(saved, "sky", "ground").masks) == ["ground"]
    for wrong in (("none", "x"), ("sky", "sea")):
        with pytest.raises(ValueError, match="cannot be renamed"):
            renamed(replace(saved, masks={"sky": mask, "sea": mask}), *wrong)


def test_without_a_selection_adding_makes_one_and_taking_away_takes_it_from_all() -> None:
    state, shape = document(), plain((255,), Rect(10, 10, 20, 20))
    assert mask_of(copied(state, shape, SELECTION, "add"), SELECTION).equals(shape)
    assert mask_of(copied(state, shape, SELECTION, "intersect"), SELECTION).equals(shape)
    rest = mask_of(copied(state, shape, SELECTION, "subtract"), SELECTION)
    assert rest.equals(inverted(shape, FRAME))


def test_a_layers_alpha_is_a_mask_where_the_layer_lies_even_if_hidden() -> None:
    state = document()
    for layer_id in ("group", str(state.active)):
        mask = alpha_of(state, layer_id)
        assert mask.content() == Rect(30, 20, 50, 40)
        assert grey_of(mask, Rect(30, 20, 1, 1))[0, 0] == 200


def test_what_lies_outside_the_frame_does_not_reach_in() -> None:
    outside = Plane.of(noise(1, 50, 50, 1), -60, -60)
    assert not grown(outside, FRAME, 30).tiles
    assert not feathered(outside, FRAME, 30).tiles
