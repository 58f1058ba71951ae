"""What is done to the whole document is done to its layers, masks and selection alike."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings

from ace_desktop.document import canvas_size as cs
from ace_desktop.document.compose import compose
from ace_desktop.document.edit import EditSettings, settings_of, with_settings
from ace_desktop.document.frame_place import PLACE, place_of
from ace_desktop.document.geometry import Rect
from ace_desktop.document.masks import grey_of
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import GroupLayer, RasterLayer, State
from tests.ace_desktop.document.drawings import noise, plain, states

FRAME = Rect(0, 0, 60, 40)
SPOT = Rect(10, 5, 20, 10)


def document() -> State:
    """Return a picture that fills the frame and reaches beyond, with the same spot in every mask."""
    pixels = noise(1, 90, 70)
    pixels[..., 3] = 255
    layer = RasterLayer(pixels=Plane.of(pixels), name="photo", id="photo", x=-13, y=-9)
    spot = plain((255,), SPOT)
    return State(
        width=60,
        height=40,
        layers=(GroupLayer(children=(layer,), name="group", x=-2, y=-6),),
        edit_mask=spot,
        selection=spot,
        masks=MappingProxyType({"sky": spot}),
    )


def masks(state: State) -> list[np.ndarray]:
    assert state.selection is not None
    return [grey_of(mask, state.frame) for mask in (state.edit_mask, state.selection, state.masks["sky"])]


def exactly(state: State, before: State, expected: Callable[[np.ndarray], np.ndarray]) -> None:
    assert np.array_equal(compose(state), expected(compose(before)))
    for mask, old in zip(masks(state), masks(before), strict=True):
        assert np.array_equal(mask, expected(old))


def test_cropping_leaves_the_rectangle_and_nothing_around_it() -> None:
    before = document()
    after = cs.crop(before, Rect(5, 3, 30, 20))
    exactly(after, before, lambda a: a[3:23, 5:35])
    assert not compose(after, Rect(-50, -50, 50, 300)).any()
    assert after.edit_mask.content() == SPOT.moved(-5, -3)
    kept = cs.crop(before, Rect(5, 3, 30, 20), keep_outside=True)
    assert np.array_equal(compose(kept, FRAME.moved(-5, -3)), compose(before))
    with pytest.raises(ValueError, match="one pixel"):
        cs.crop(before, Rect(3, 3, 0, 9))


def test_the_frame_of_the_edit_goes_with_the_picture() -> None:
    before = with_settings(document(), EditSettings(region=(10, 5, 20, 10)))
    regions = {
        (5, 2, 20, 10): cs.crop(before, Rect(5, 3, 30, 20)),
        (13, 9, 20, 10): cs.expand(before, 3, 4, 0, 0),
        (20, 10, 40, 20): cs.image_size(before, 120, 80),
        (30, 5, 20, 10): cs.flip_document(before, "horizontal"),
        (25, 10, 10, 20): cs.rotate_document(before, 90),
    }
    assert {region: settings_of(state).region for region, state in regions.items()} == {
        region: region for region in regions
    }


@pytest.mark.parametrize("junk", [7, "abc", [1, 2], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, float("nan"), 0], [None] * 6])
def test_a_damaged_place_counts_for_nothing(junk: object) -> None:
    before = replace(document(), settings={PLACE: junk, "edit": {"region": junk}})
    assert place_of(before.settings) == ()
    after = cs.crop(before, Rect(5, 3, 30, 20))
    assert place_of(after.settings) == (1, 0, -5, 0, 1, -3)
    assert settings_of(after) == EditSettings()
    assert PLACE not in cs.crop(after, FRAME.moved(-5, -3)).settings


def test_new_room_is_in_the_edit_mask_and_transparent() -> None:
    before = cs.crop(document(), FRAME)
    after = cs.expand(before, 300, 2, 3, 4)
    assert after.frame == Rect(0, 0, 363, 46)
    inside = FRAME.moved(300, 2)
    new = np.ones((46, 363), bool)
    new[inside.y : inside.bottom, inside.x : inside.right] = False
    assert not compose(after)[new].any()
    assert np.array_equal(compose(after, inside), compose(before))
    mask = grey_of(after.edit_mask, after.frame)
    assert (mask[new] == 255).all()
    assert np.array_equal(grey_of(after.edit_mask, inside), masks(before)[0])
    assert after.masks["sky"].content() == SPOT.moved(300, 2)
    with pytest.raises(ValueError, match="never taken"):
        cs.expand(before, -1, 0, 0, 0)


def test_room_that_layers_reach_into_shows_them() -> None:
    before = document()
    assert np.array_equal(compose(cs.expand(before, 5, 5, 5, 5)), compose(before, FRAME.grown(5)))


@pytest.mark.parametrize(
    ("anchor", "corner"), [((0.0, 0.0), (0, 0)), ((1.0, 1.0), (20, 10)), ((0.5, 0.5), (10, 5)), ((0.0, 1.0), (0, 10))]
)
def test_the_anchor_says_where_the_picture_lies(anchor: tuple[float, float], corner: tuple[int, int]) -> None:
    before = cs.crop(document(), FRAME)
    after = cs.canvas_size(before, 80, 50, anchor)
    assert np.array_equal(compose(after, FRAME.moved(*corner)), compose(before))
    assert np.array_equal(compose(cs.canvas_size(after, 60, 40, anchor)), compose(before))


def test_turning_and_mirroring_lose_nothing() -> None:
    before = document()
    exactly(cs.rotate_document(before, 90), before, lambda a: np.rot90(a, -1))
    exactly(cs.rotate_document(before, 180), before, lambda a: np.rot90(a, 2))
    exactly(cs.rotate_document(before, 270), before, lambda a: np.rot90(a))
    exactly(cs.flip_document(before, "horizontal"), before, lambda a: a[:, ::-1])
    exactly(cs.flip_document(before, "vertical"), before, lambda a: a[::-1])
    assert cs.rotate_document(before, 90).frame == Rect(0, 0, 40, 60)


@settings(max_examples=20, deadline=None)
@given(states())
def test_any_document_turned_all_the_way_is_the_same(state: State) -> None:
    after = cs.flip_document(cs.flip_document(state, "vertical"), "horizontal")
    for _ in range(2):
        after = cs.rotate_document(after, 270)
    assert np.array_equal(compose(after), compose(state))
    assert after.edit_mask.equals(state.edit_mask)
    assert (after.selection is None) == (state.selection is None)
    assert after.selection is None or after.selection.equals(state.selection or Plane(1))


@pytest.mark.parametrize("size", [(30, 20), (45, 28), (121, 79), (20, 100)])
def test_resampling_keeps_the_picture_and_hard_borders(size: tuple[int, int]) -> None:
    state = cs.crop(document(), FRAME)
    blocks = np.kron(noise(5, 6, 4)[..., :3], np.ones((10, 10, 1), np.uint8))
    pixels = np.dstack([blocks, np.full((40, 60), 255, np.uint8)])
    layer = RasterLayer(pixels=Plane.of(pixels, 700, 0), name="photo", x=-700)
    after = cs.image_size(replace(state, layers=(layer,)), *size)
    assert after.frame == Rect(0, 0, *size)
    found = compose(after)
    assert (found[..., 3] == 255).all()
    across, down = size[0] / 60, size[1] / 40
    middles = found[np.ix_((np.arange(5, 40, 10) * down).astype(int), (np.arange(5, 60, 10) * across).astype(int))]
    assert np.abs(middles[..., :3].astype(int) - pixels[5::10, 5::10, :3]).max() <= 3
    for mask in masks(after):
        assert mask.sum() / 255 == pytest.approx(SPOT.area * across * down, rel=0.06)
    with pytest.raises(ValueError, match="one pixel"):
        cs.image_size(state, 0, 5)
