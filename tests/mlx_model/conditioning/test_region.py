"""The model sees a box around the mask, as large as it needs to be, within one token budget."""

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlx_model.conditioning.region import (
    KEPT_HEIGHT,
    LONGEST_ASPECT,
    MAX_ENLARGED,
    Region,
    bounding_box,
    plan_region,
)
from mlx_model.request import Box, RequestError
from mlx_model.weights.config import SizeConfig

FULL = SizeConfig(native=1024, max_tokens=4096, multiple=16)
POCKET = SizeConfig(native=128, max_tokens=256, multiple=16)
IN_PLACE = SizeConfig(native=128, max_tokens=192, multiple=16, references_in_place=True)

sides = st.one_of(st.integers(1, 40), st.integers(41, 1200), st.integers(1201, 12000))
sizes = st.tuples(sides, sides)
reference_lists = st.lists(sizes, max_size=3)
configs = st.sampled_from([FULL, POCKET, SizeConfig(native=1024, max_tokens=8192, multiple=16)])


@st.composite
def extents(draw: st.DrawFn, size: tuple[int, int]) -> Box:
    left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
    return left, top, draw(st.integers(1, size[0] - left)), draw(st.integers(1, size[1] - top))


def _holds(outer: Box, inner: Box) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[0] + inner[2] <= outer[0] + outer[2]
        and inner[1] + inner[3] <= outer[1] + outer[3]
    )


def _check_sizes(region: Region, picture: tuple[int, int], config: SizeConfig) -> None:
    """Check what holds for every region: in the picture, aligned, within budget and bounds, not stretched."""
    assert _holds((0, 0, *picture), region.box)
    assert min(region.box[2:]) >= 1
    width, height = region.canvas_size
    assert width % 16 == height % 16 == 0
    assert (width // 16) * (height // 16) <= config.max_tokens, f"{width} x {height} is over budget"
    for box_side, content, worked in zip(region.box[2:], region.content, region.worked, strict=True):
        assert worked == -(-content // 16) * 16, "filled up by less than one multiple"
        assert content <= math.ceil(box_side * MAX_ENLARGED)
    across, down = (content / side for content, side in zip(region.content, region.box[2:], strict=True))
    # Each side is rounded to whole pixels; one more pixel of the box may be squeezed in to fill the worked size.
    assert abs(across - down) <= max(1.0, across, down) * (1 / region.box[2] + 1 / region.box[3])
    assert max(region.box[2:]) <= LONGEST_ASPECT * min(region.box[2:])
    for column, (left, top, wide, high) in zip(region.columns, region.references, strict=True):
        assert min(left, top) >= 0
        assert min(wide, high) >= 1
        assert left + wide <= column
        assert top + high <= region.worked[1]


@settings(max_examples=150, deadline=None)
@given(st.data(), sizes, reference_lists, configs, st.booleans())
def test_a_region_around_a_mask(
    data: st.DataObject, picture: tuple[int, int], references: list[tuple[int, int]], config: SizeConfig, keep: bool
) -> None:
    extent = data.draw(extents(picture))
    region = plan_region(picture, extent, references, config, keep_pixels=keep)
    _check_sizes(region, picture, config)
    width, height = region.box[2:]
    context = max(max(picture) / 16, (extent[2] + extent[3]) / 4)
    wanted = (min(picture[0], extent[2] + 2 * context), min(picture[1], extent[3] + 2 * context))
    if max(wanted) > LONGEST_ASPECT * min(wanted) or max(picture) > LONGEST_ASPECT * min(picture):
        return  # the picture is too narrow for the box that the mask asks for
    assert _holds(region.box, extent)
    assert not region.cut
    assert width >= math.floor(wanted[0])
    assert height >= math.floor(wanted[1])
    for side, whole in zip((width, height), picture, strict=True):
        assert side >= min(whole, config.native / 2), "no smaller than half the native side"
    # Context on each side, unless the picture ends there.
    assert region.box[0] <= max(0, extent[0] - math.floor(context))
    assert region.box[1] <= max(0, extent[1] - math.floor(context))
    assert region.box[0] + width >= min(picture[0], extent[0] + extent[2] + math.floor(context))
    assert region.box[1] + height >= min(picture[1], extent[1] + extent[3] + math.floor(context))


@settings(max_examples=150, deadline=None)
@given(sizes, reference_lists, configs, st.booleans())
def test_a_whole_image_task_sees_the_whole_image(
    picture: tuple[int, int], references: list[tuple[int, int]], config: SizeConfig, keep: bool
) -> None:
    region = plan_region(picture, None, references, config, keep_pixels=keep)
    _check_sizes(region, picture, config)
    if max(picture) <= LONGEST_ASPECT * min(picture):
        assert region.box == (0, 0, *picture)
        assert not region.cut
    else:
        assert region.cut
        middle = (region.box[0] + region.box[2] / 2, region.box[1] + region.box[3] / 2)
        assert abs(middle[0] - picture[0] / 2) <= 1
        assert abs(middle[1] - picture[1] / 2) <= 1


@settings(max_examples=100, deadline=None)
@given(st.data(), sizes, reference_lists, configs, st.booleans())
def test_a_given_region_is_kept(
    data: st.DataObject, picture: tuple[int, int], references: list[tuple[int, int]], config: SizeConfig, keep: bool
) -> None:
    box = data.draw(extents(picture))
    assume(max(box[2:]) <= LONGEST_ASPECT * min(box[2:]))
    extent = data.draw(st.one_of(st.none(), st.just(box)))
    region = plan_region(picture, extent, references, config, keep_pixels=keep, region=box)
    _check_sizes(region, picture, config)
    assert region.box == box
    assert region.cut == (extent is None and box != (0, 0, *picture))


@settings(max_examples=100, deadline=None)
@given(sizes, st.lists(sizes, min_size=1, max_size=3), configs, st.booleans())
def test_references_keep_their_shape_and_never_grow_when_they_keep_their_pixels(
    picture: tuple[int, int], references: list[tuple[int, int]], config: SizeConfig, keep: bool
) -> None:
    region = plan_region(picture, None, references, config, keep_pixels=keep)
    for (own_width, own_height), column, box in zip(references, region.columns, region.references, strict=True):
        left, top, width, height = box
        assert column == left + width < width + 16, "at the column's right edge"
        assert top == (region.worked[1] - height) // 2, "at mid-height"
        own_width, own_height = min(own_width, 4 * own_height), min(own_height, 4 * own_width)
        assert abs(width - own_width * height / own_height) <= 1.01
        if keep:
            assert height <= max(1, KEPT_HEIGHT * region.worked[1])
            assert height <= own_height
        else:
            assert height == region.worked[1]


@settings(max_examples=150, deadline=None)
@given(st.data(), sizes, st.lists(sizes, min_size=1, max_size=3))
def test_references_in_place_fill_the_masks_box_as_far_as_their_shape_allows(
    data: st.DataObject, picture: tuple[int, int], references: list[tuple[int, int]]
) -> None:
    extent = data.draw(extents(picture))
    region = plan_region(picture, extent, references, IN_PLACE, keep_pixels=True)
    _check_sizes(region, picture, IN_PLACE)
    assert region.columns == (region.worked[0],) * len(references)
    scale = [content / side for content, side in zip(region.content, region.box[2:], strict=True)]
    start = [max(extent[axis] - region.box[axis], 0) * scale[axis] for axis in (0, 1)]
    end = [min(extent[axis] + extent[axis + 2] - region.box[axis], region.box[axis + 2]) for axis in (0, 1)]
    for (own_width, own_height), (left, top, width, height) in zip(references, region.references, strict=True):
        for axis, (first, length) in enumerate(((left, width), (top, height))):
            assert first >= math.floor(start[axis] + 1e-6)
            assert first + length <= math.ceil(max(end[axis] * scale[axis], start[axis] + 1) - 1e-6)
        own_width, own_height = min(own_width, 4 * own_height), min(own_height, 4 * own_width)
        assert abs(width / own_width - height / own_height) <= max(1 / own_width, 1 / own_height), "not stretched"
        fills = [
            length >= math.floor((end[axis] * scale[axis]) - start[axis])
            for axis, length in enumerate((width, height))
        ]
        assert any(fills), "as large as the mask's box on one side"


def test_without_a_mask_references_are_not_put_in_place() -> None:
    plain = SizeConfig(native=128, max_tokens=192, multiple=16)
    wanted = plan_region((128, 128), None, [(64, 80)], plain, keep_pixels=True)
    assert plan_region((128, 128), None, [(64, 80)], IN_PLACE, keep_pixels=True) == wanted


@settings(max_examples=150, deadline=None)
@given(st.data(), sizes, reference_lists, configs, st.booleans(), st.tuples(*[st.integers(16, 4000)] * 2))
def test_a_working_size_is_filled_as_far_as_it_goes_or_refused_with_one_that_fits(
    data: st.DataObject,
    picture: tuple[int, int],
    references: list[tuple[int, int]],
    config: SizeConfig,
    keep: bool,
    wanted: tuple[int, int],
) -> None:
    extent = data.draw(st.one_of(st.none(), extents(picture)))

    def planned(size: tuple[int, int]) -> Region:
        return plan_region(picture, extent, references, config, keep_pixels=keep, working_size=size)

    try:
        region = planned(wanted)
    except RequestError as error:
        refused = str(error)
        if "give fewer" in refused:
            return
        fits = re.search(r"(\d+) x (\d+) is the largest that fits", refused)
        assert fits is not None, refused
        assert int(fits[1]) * int(fits[2]) < wanted[0] * wanted[1]
        wanted = int(fits[1]), int(fits[2])
        region = planned(wanted)
    assert region.worked[0] <= wanted[0]
    assert region.worked[1] <= wanted[1]
    width, height = region.canvas_size
    assert (width // 16) * (height // 16) <= config.max_tokens
    left = [side // 16 * 16 - worked for side, worked in zip(wanted, region.worked, strict=True)]
    assert min(left) == 0, "one side at least is used up"


def test_a_working_size_below_one_multiple_is_refused() -> None:
    with pytest.raises(RequestError, match="at least 16 pixels, not 300 x 15"):
        plan_region((100, 100), None, [], FULL, keep_pixels=True, working_size=(300, 15))


def test_a_small_mask_in_a_large_photo_is_seen_at_full_size() -> None:
    region = plan_region((6000, 4000), (3000, 2000, 200, 180), [], FULL, keep_pixels=True)
    assert region.scale == 1
    assert region.box[2] >= 200 + 2 * 375
    assert region.box[2] < 1100


def test_regions_that_the_picture_has_room_for_are_not_resampled_at_scale_one() -> None:
    region = plan_region((6000, 4000), (3000, 2000, 200, 190), [], FULL, keep_pixels=True)
    assert region.content == region.worked == region.box[2:]


def test_a_small_region_is_enlarged_towards_the_native_side_at_most_twice() -> None:
    assert plan_region((256, 256), None, [], FULL, keep_pixels=True).worked == (512, 512)
    assert plan_region((800, 800), None, [], FULL, keep_pixels=True).worked == (1024, 1024)
    assert plan_region((200, 200), None, [], POCKET, keep_pixels=True).content == (200, 200)


def test_a_square_reference_shares_the_budget() -> None:
    # What the authors' canvas comes to: a 1024² picture with a square reference is worked on at 720² each, or 724.
    region = plan_region((1024, 1024), None, [(1024, 1024)], FULL, keep_pixels=False)
    assert region.worked == (720, 720)
    assert region.canvas_size == (1440, 720)
    kept = plan_region((1024, 1024), None, [(1024, 1024)], FULL, keep_pixels=True)
    assert kept.worked[1] > 720, "a reference of 0.8 of the height leaves more for the picture"


def test_a_box_at_a_border_is_shifted() -> None:
    region = plan_region((6000, 4000), (5980, 3990, 20, 10), [], FULL, keep_pixels=True)
    assert region.box[0] + region.box[2] == 6000
    assert region.box[1] + region.box[3] == 4000
    assert min(region.box[2:]) >= 512


def test_a_long_mask_gets_a_squarish_box() -> None:
    _, _, width, height = plan_region((4000, 4000), (500, 2000, 3000, 10), [], FULL, keep_pixels=True).box
    assert width / height < 1.6


def test_the_bounding_box_of_a_mask() -> None:
    mask = np.zeros((50, 60), np.bool_)
    assert bounding_box(mask) is None
    mask[10, 20] = mask[12, 24] = True
    assert bounding_box(mask) == (20, 10, 5, 3)


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ((100, 0, 10, 10), "outside the picture"),
        ((0, 0, 0, 10), "outside the picture"),
        ((0, 0, 90, 10), "longer than 4 : 1"),
        ((0, 0, 20, 20), "mask lies outside the region"),
    ],
)
def test_a_region_that_cannot_be_used_is_refused(region: Box, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        plan_region((100, 100), (50, 50, 10, 10), [], FULL, keep_pixels=True, region=region)


def test_more_references_than_fit_are_refused() -> None:
    with pytest.raises(RequestError, match="give fewer"):
        plan_region((100, 100), None, [(100, 100)] * 300, POCKET, keep_pixels=False)
    with pytest.raises(RequestError, match="at least 1 pixel"):
        plan_region((100, 0), None, [], POCKET, keep_pixels=False)
