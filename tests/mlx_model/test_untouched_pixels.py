"""Whatever the task, the picture and the mask: pixels beyond the paste-back mask come out bit by bit."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_model.conditioning.region import LONGEST_ASPECT
from mlx_model.editor import Editor
from mlx_model.request import EditRequest, Picture, Reference, RequestError, digest
from mlx_model.tasks import TASKS
from tests.mlx_model.conditioning.rgb_profiles import SRGB_COLUMNS, display_p3, gamma_curve, matrix_profile

PROFILES = (None, display_p3(), matrix_profile(SRGB_COLUMNS, gamma_curve(1.8)))
REFERENCE = Picture(np.random.default_rng(1).integers(0, 256, (24, 32, 4), np.uint8))


@pytest.fixture(scope="module")
def editor(tiny_model: Path) -> Editor:
    return Editor(tiny_model)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Draw noise of any size and depth, in a few profiles, opaque, half transparent or with holes."""
    width, height = draw(st.integers(1, 150)), draw(st.integers(1, 150))
    depth = draw(st.sampled_from([np.uint8, np.uint16]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    most = int(np.iinfo(depth).max)
    pixels = rng.integers(0, most, (height, width, 4), depth, endpoint=True)
    alpha = draw(st.sampled_from(["opaque", "holes", "any"]))
    if alpha != "any":
        pixels[..., 3] = most if alpha == "opaque" else most * (rng.random((height, width)) < 0.5)
    return Picture(pixels, draw(st.sampled_from(PROFILES)))


@st.composite
def masks(draw: st.DrawFn, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Draw one to three rectangles, often at a border."""
    mask = np.zeros((height, width), np.bool_)
    for _ in range(draw(st.integers(1, 3))):
        left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        mask[top : top + draw(st.integers(1, height)), left : left + draw(st.integers(1, width))] = True
    return mask


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    pictures(),
    st.sampled_from([name for name, task in TASKS.items() if task.needs_picture]),
    st.integers(0, 6),
    st.integers(0, 6),
    st.booleans(),
)
def test_pixels_beyond_the_mask_are_bit_identical(
    editor: Editor, data: st.DataObject, picture: Picture, task: str, grow: int, fade: int, masked: bool
) -> None:
    width, height = picture.size
    mask = data.draw(masks(width, height)) if masked or TASKS[task].needs_mask else None
    given_pictures = {digest(picture): picture, digest(REFERENCE): REFERENCE}
    name = None
    if mask is not None:
        levels = np.where(mask[..., None], 255, 0).astype(np.uint8).repeat(4, axis=2)
        levels[..., 3] = 255
        name = digest(Picture(levels))
        given_pictures[name] = Picture(levels)
    request = EditRequest(
        "a star", picture=digest(picture), mask=name, task=task, steps=1, grow=grow, fade=fade,
        references=(Reference(digest(REFERENCE)),) if TASKS[task].needs_reference else (),
    )  # fmt: skip
    before = picture.pixels.copy()
    result = editor.edit(request, given_pictures)
    assert np.array_equal(picture.pixels, before), "the input itself was written to"

    left, top, wide, high = result.seen_box
    may_change = np.zeros((height, width), np.bool_)
    may_change[top : top + high, left : left + wide] = True
    if mask is not None:
        distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        may_change &= mask if grow == 0 or mask.all() else distance <= grow
    out = result.picture
    assert (out.size, out.pixels.dtype, out.profile) == (picture.size, picture.pixels.dtype, picture.profile)
    beyond = (out.pixels != picture.pixels).any(axis=-1) & ~may_change
    assert not beyond.any(), f"{beyond.sum()} pixels beyond the mask changed"
    assert not result.patch.pixels[~may_change].any(), "the patch is empty beyond the mask"
    if mask is None and max(width, height) <= LONGEST_ASPECT * min(width, height):
        assert result.seen_box == (0, 0, width, height), "without a mask all of the picture is edited"


@settings(max_examples=10, deadline=None)
@given(pictures(), st.tuples(*[st.integers(-20, 160)] * 2), st.tuples(*[st.integers(-5, 160)] * 2))
def test_nothing_beyond_a_region_changes_either(
    editor: Editor, picture: Picture, corner: tuple[int, int], size: tuple[int, int]
) -> None:
    request = EditRequest("make it blue", picture=digest(picture), region=(*corner, *size), steps=1)
    try:
        result = editor.edit(request, {digest(picture): picture})
    except RequestError:
        return
    left, top, wide, high = result.seen_box
    changed = (result.picture.pixels != picture.pixels).any(axis=-1)
    changed[top : top + high, left : left + wide] = False
    assert not changed.any()
    assert max(corner[0], 0) == left
    assert max(corner[1], 0) == top
