"""Nothing outside the paste-back mask changes, and what comes back has the picture's own colours and depth."""

import time
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_model.conditioning.canvas import build_canvas, see, see_mask
from mlx_model.conditioning.colour import as_depth, from_srgb
from mlx_model.conditioning.paste_back import (
    MAX_GAIN,
    MAX_SHIFT,
    fit_colours,
    match_colours,
    new_picture,
    paste_back,
    paste_mask,
)
from mlx_model.conditioning.region import Region, bounding_box, plan_region
from mlx_model.request import EditRequest, Picture, Reference
from mlx_model.tasks import TASKS, recipe_for
from mlx_model.weights.config import SizeConfig
from tests.mlx_model.conditioning.rgb_profiles import (
    SRGB_COLUMNS,
    display_p3,
    gamma_curve,
    matrix_profile,
)

Bits = npt.NDArray[Any]

POCKET = SizeConfig(native=128, max_tokens=256, multiple=16)
FULL = SizeConfig(native=1024, max_tokens=4096, multiple=16)
EDITS = [name for name, task in TASKS.items() if task.needs_picture]
PROFILES = (None, matrix_profile(SRGB_COLUMNS, gamma_curve(2.2)), display_p3())

sides = st.one_of(st.sampled_from([1, 2, 15, 16, 17]), st.integers(3, 300))


@st.composite
def masks(draw: st.DrawFn, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Draw a few rectangles, often at the border, sometimes single pixels, sometimes everything or nothing."""
    mask = np.zeros((height, width), np.bool_)
    for _ in range(draw(st.integers(0, 3))):
        left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        mask[top : top + draw(st.integers(1, height)), left : left + draw(st.integers(1, width))] = True
    return mask


def _pixels(seed: int, width: int, height: int, depth: Any, transparent: bool) -> Bits:
    rng = np.random.default_rng(seed)
    most = np.iinfo(depth).max
    pixels = rng.integers(0, most + 1, (height, width, 4), depth)
    if transparent:
        pixels[rng.random((height, width)) < 0.4, 3] = 0
    else:
        pixels[..., 3] = most
    return pixels


def _within(mask: npt.NDArray[np.bool_], reach: int) -> npt.NDArray[np.bool_]:
    """Return what lies no further than ``reach`` pixels from the mask: the mask painted over with a round brush."""
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    brush = (rows**2 + columns**2 <= reach**2).astype(np.uint8)
    return cv2.dilate(mask.astype(np.uint8), brush, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


@settings(max_examples=100, deadline=None)
@given(
    st.data(),
    st.sampled_from(EDITS),
    sides,
    sides,
    st.sampled_from([np.uint8, np.uint16]),
    st.booleans(),
    st.sampled_from(PROFILES),
    st.integers(0, 12),
    st.integers(0, 12),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_pixels_outside_the_paste_back_mask_are_bit_identical(
    data: st.DataObject,
    task: str,
    width: int,
    height: int,
    depth: Any,
    transparent: bool,
    profile: bytes | None,
    grow: int,
    fade: int,
    match: bool,
    seed: int,
) -> None:
    picture = Picture(_pixels(seed, width, height, depth, transparent), profile)
    before = picture.pixels.copy()
    masked = TASKS[task].needs_mask or (task == "control" and data.draw(st.booleans()))
    mask = data.draw(masks(width, height)) if masked else None
    references = [(40, 60)] if TASKS[task].needs_reference else []
    request = EditRequest(
        "a red star", "picture", "mask" if masked else None, (Reference("r"),) * len(references), task, grow=grow
    )
    recipe = recipe_for(request, "fft")
    extent = None if mask is None else bounding_box(mask)
    region = plan_region(picture.size, extent, references, POCKET, keep_pixels=True)
    if region.cut and mask is not None and not mask[_slices(region)].any():
        return  # nothing can be edited: a picture narrower than 1 : 4 whose masks lie far apart

    seen_mask = None if mask is None else see_mask(mask, region)
    reference_pixels = [(np.zeros((h, w, 3), np.uint8), None) for w, h in references]
    canvas = build_canvas(region, see(picture, region), seen_mask, reference_pixels, recipe.repainting_scale)
    made = np.random.default_rng(seed).random((*canvas.mask.shape, 3), np.float32)[:, canvas.reference_width :]

    keep_alpha = recipe.whole_image
    full, patch = paste_back(
        picture, region, made, mask, grow=grow, fade=fade, colour_match=match, keep_alpha=keep_alpha
    )
    assert np.array_equal(picture.pixels, before), "the input itself was written to"
    assert full.pixels.dtype == patch.pixels.dtype == depth
    assert full.pixels.shape == patch.pixels.shape == before.shape
    assert full.profile == patch.profile == profile

    allowed = np.zeros((height, width), np.bool_)
    allowed[_slices(region)] = True
    if mask is not None and mask.any():
        allowed &= _within(mask, grow)
    changed = (full.pixels != before).any(axis=2)
    assert not (changed & ~allowed).any(), f"{int((changed & ~allowed).sum())} pixels changed outside"
    assert not patch.pixels[~allowed].any(), "the patch reaches outside"
    if not keep_alpha:
        assert not (changed & (patch.pixels[..., 3] == 0)).any(), "a change that the patch lacks"
    if mask is not None and mask.any() and grow == 0:
        assert not (changed & ~mask).any(), "grow 0 keeps strictly inside the mask"
    if keep_alpha:
        assert np.array_equal(full.pixels[..., 3], before[..., 3])


def _slices(region: Region) -> tuple[slice, slice]:
    left, top, width, height = region.box
    return slice(top, top + height), slice(left, left + width)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 60), st.integers(1, 60), st.integers(0, 9), st.integers(0, 9))
def test_the_paste_back_mask_is_whole_inside_fades_and_ends(
    data: st.DataObject, width: int, height: int, grow: int, fade: int
) -> None:
    mask = data.draw(masks(width, height))
    region = Region((0, 0, width, height), (width, height), (width, height))
    share = paste_mask(mask, region, (width, height), grow, fade)
    if not mask.any():
        assert (share == 1).all()
        return
    assert (share[mask] == 1).all()
    assert np.array_equal(share > 0, _within(mask, grow)), "it ends exactly where the growth ends"
    assert (share[_within(mask, max(0, grow - fade))] == 1).all(), "only the last pixels of the growth fade"
    rings = [share[_within(mask, reach) & ~_within(mask, reach - 1)] for reach in range(1, grow + 1)]
    lowest = 1.0
    for ring in rings:
        assert ring.size == 0 or ring.max() <= lowest + 1e-5, "further away is never pasted more"
        lowest = min(lowest, float(ring.min())) if ring.size else lowest


def test_a_mask_that_runs_past_the_region_fades_out_inside_it() -> None:
    mask = np.ones((100, 100), np.bool_)
    region = Region((0, 20, 100, 60), (100, 60), (112, 64))
    share = paste_mask(mask, region, (100, 100), 4, 4)
    assert np.allclose(share[:6, 50], [0.2, 0.4, 0.6, 0.8, 1, 1])
    assert np.allclose(share[-6:, 50], [1, 1, 0.8, 0.6, 0.4, 0.2])
    assert (share[30] == 1).all(), "no fade where the picture itself ends"


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("transparent", [False, True])
def test_the_patch_laid_over_the_picture_is_the_edited_picture(depth: Any, transparent: bool) -> None:
    pixels = _pixels(3, 90, 70, depth, transparent)
    most = np.iinfo(depth).max
    mask = np.zeros((70, 90), np.bool_)
    mask[20:50, 30:60] = True
    region = plan_region((90, 70), bounding_box(mask), [], POCKET, keep_pixels=True)
    made = np.random.default_rng(0).random((region.worked[1], region.worked[0], 3), np.float32)
    full, patch = paste_back(Picture(pixels), region, made, mask, grow=5, fade=5)
    over, under = patch.pixels[..., 3:] / most, pixels[..., 3:] / most
    alpha = over + under * (1 - over)
    colour = (patch.pixels[..., :3] * over + pixels[..., :3] * under * (1 - over)) / np.maximum(alpha, 1e-9)
    shown = alpha[..., 0] > 0
    error = np.abs(colour - full.pixels[..., :3])[shown].max()
    assert error <= 1.01, f"off by {error:.2f} of {most}"
    assert np.abs(alpha * most - full.pixels[..., 3:]).max() <= 1.01
    assert (full.pixels[mask, 3] == most).all(), "what is painted inside the mask is opaque"


def test_keeping_alpha_changes_colours_alone() -> None:
    pixels = _pixels(3, 64, 64, np.uint8, True)
    region = plan_region((64, 64), None, [], POCKET, keep_pixels=True)
    made = np.full((region.worked[1], region.worked[0], 3), (1.0, 0.0, 0.0), np.float32)
    full, patch = paste_back(Picture(pixels), region, made, None, grow=4, fade=4, keep_alpha=True)
    assert np.array_equal(full.pixels[..., 3], pixels[..., 3])
    seen = pixels[..., 3] >= 16
    assert (full.pixels[seen, :3] == (255, 0, 0)).all()
    nothing = pixels[..., 3] == 0
    assert np.array_equal(full.pixels[nothing], pixels[nothing]), "where nothing is seen, nothing changes"
    assert np.array_equal(patch.pixels[seen, 3], pixels[seen, 3])


@pytest.mark.parametrize("profile", PROFILES, ids=["sRGB", "gamma 2.2", "Display P3"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_what_the_model_leaves_as_it_is_keeps_its_soft_edges(depth: Any, profile: bytes | None) -> None:
    most = np.iinfo(depth).max
    rng = np.random.default_rng(4)
    # Colours within sRGB: others cannot come through a model that works in it; not near black, where 8 bits are few.
    colours = from_srgb(profile)(rng.integers(16384, 65536, (96, 80, 3)).astype(np.uint16))
    alpha = np.repeat(np.linspace(0, most, 96).astype(depth)[:, None], 80, axis=1)
    pixels: Bits = np.dstack([as_depth(colours, np.dtype(depth)), alpha])
    picture = Picture(pixels, profile)
    region = plan_region(picture.size, None, [], SizeConfig(16, 256, 16), keep_pixels=True)
    assert region.scale == 1
    full, _ = paste_back(picture, region, see(picture, region), None, grow=4, fade=4, keep_alpha=True)
    assert np.array_equal(full.pixels[..., 3], pixels[..., 3])
    error = np.abs(full.pixels[..., :3].astype(int) - pixels[..., :3]).max(axis=2) * (255 / most)
    alpha = alpha * (255 / most)
    opaque = 2 if depth == np.uint8 else 1  # 8 bits of sRGB are all that the model saw
    assert error[alpha >= 16].max() <= opaque, f"off by {error[alpha >= 16].max():.2f} of 255"
    assert not error[alpha == 0].any()


@pytest.mark.parametrize("box", [(0, 0, 300, 300), (100, 100, 64, 64)], ids=["shrunk", "enlarged"])
def test_soft_edges_get_no_white_fringe_where_the_picture_is_resampled(box: tuple[int, int, int, int]) -> None:
    pixels = np.zeros((300, 300, 4), np.uint8)
    pixels[..., :3] = (255, 0, 0)
    disc = np.asarray(cv2.circle(np.zeros((300, 300), np.uint8), (130, 130), 20, 255, -1), np.uint8)
    pixels[..., 3] = cv2.GaussianBlur(disc, (0, 0), 2)
    picture = Picture(pixels)
    region = plan_region((300, 300), None, [], POCKET, keep_pixels=True, region=box)
    assert region.scale != 1
    full, _ = paste_back(picture, region, see(picture, region), None, grow=0, fade=0, keep_alpha=True)
    error = np.abs(full.pixels[pixels[..., 3] >= 16].astype(int) - pixels[pixels[..., 3] >= 16])
    assert error.max() <= 24, f"off by {error.max()} of 255"
    assert error.mean() <= 2, f"{error.mean():.2f} of 255 on average"


def test_strips_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is cut into strips: the mask, the resampling, the colours, the white behind soft edges."""
    pixels = _pixels(3, 200, 150, np.uint16, True)
    picture = Picture(pixels, display_p3())
    mask = np.zeros((150, 200), np.bool_)
    mask[60:90, 80:120] = True
    for chosen, keep_alpha in ((mask, False), (None, True)):
        for config in (POCKET, SizeConfig(16, 36, 16)):
            extent = None if chosen is None else bounding_box(chosen)
            region = plan_region(picture.size, extent, [], config, keep_pixels=True)
            made = np.random.default_rng(0).random((region.worked[1], region.worked[0], 3), np.float32)
            results: list[Bits] = []
            for strip in (2**20, 1000):
                monkeypatch.setattr("mlx_model.conditioning.paste_back.STRIP_PIXELS", strip)
                both = paste_back(picture, region, made, chosen, grow=9, fade=5, keep_alpha=keep_alpha)
                results.append(np.stack([one.pixels for one in both]))
                results.append(new_picture(region, made).pixels)
            assert np.array_equal(results[0], results[2])
            assert np.array_equal(results[1], results[3])


@pytest.mark.parametrize("profile", PROFILES, ids=["sRGB", "gamma 2.2", "Display P3"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_the_result_comes_back_in_the_pictures_own_colours(depth: Any, profile: bytes | None) -> None:
    pixels = _pixels(0, 96, 80, depth, False)
    region = plan_region((96, 80), None, [], SizeConfig(16, 256, 16), keep_pixels=True)
    made = np.random.default_rng(1).integers(0, 256, (80, 96, 3), np.uint8)
    full, _ = paste_back(Picture(pixels, profile), region, made, None, grow=0, fade=0)
    known = from_srgb(profile)(made.astype(np.uint16) * 257)
    unit = 65535 // np.iinfo(depth).max
    error = np.abs(full.pixels[..., :3].astype(int) * unit - known.astype(int)).max()
    assert error <= unit // 2, f"off by {error} of 65535"
    if profile is None:
        assert np.array_equal(full.pixels[..., :3], made.astype(np.uint32) * np.iinfo(depth).max // 255)


def test_what_the_model_leaves_as_it_is_comes_back_as_it_was() -> None:
    """Seen larger (twice) or as it is and pasted back, a soft picture stays what it was to within 2 of 255."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    soft = np.asarray(cv2.GaussianBlur(noise, (0, 0), 4), np.uint8)
    pixels = np.dstack([soft, np.full((300, 300), 255, np.uint8)])
    for config, box in ((POCKET, (50, 60, 64, 64)), (POCKET, (50, 60, 160, 150)), (FULL, (0, 0, 300, 300))):
        region = plan_region((300, 300), None, [], config, keep_pixels=True, region=box)
        full, _ = paste_back(Picture(pixels), region, see(Picture(pixels), region), None, grow=0, fade=0)
        error = np.abs(full.pixels.astype(int) - pixels).max()
        assert error <= 2, f"seen at {region.scale:g}: off by {error} of 255"


def _scene() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    noise = np.random.default_rng(2).integers(0, 256, (160, 160, 3), np.uint8)
    soft = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), 6)
    known = 40 + 175 * (soft - soft.min()) / (soft.max() - soft.min())
    mask = np.zeros((160, 160), np.bool_)
    mask[50:110, 50:110] = True
    return known.astype(np.uint8), mask


def _unit(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.divide(rgb, np.float32(255), dtype=np.float32)


def _lab(rgb: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2Lab), np.float32)


def _drifted(
    known: npt.NDArray[np.uint8], gain: tuple[float, float, float], shift: tuple[float, float, float]
) -> npt.NDArray[np.float32]:
    lab = _lab(_unit(known))
    centre = lab.reshape(-1, 3).mean(axis=0)
    lab = (lab - centre) * np.array(gain, np.float32) + centre + np.array(shift, np.float32)
    return np.clip(np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), np.float32), 0, 1)


@pytest.mark.parametrize(
    ("gain", "shift"),
    [
        ((1.0, 1.0, 1.0), (5.0, -4.0, 6.0)),
        ((0.9, 1.1, 0.88), (0.0, 0.0, 0.0)),
        ((1.12, 0.9, 1.1), (-6.0, 3.0, -5.0)),
        ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
    ],
)
def test_a_known_drift_of_colours_is_undone(
    gain: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    known, mask = _scene()
    made = _drifted(known, gain, shift)
    match = fit_colours(made, known, mask)
    assert match is not None
    before = np.linalg.norm(_lab(made) - _lab(_unit(known)), axis=-1).mean()
    after = np.linalg.norm(_lab(match_colours(made, match)) - _lab(_unit(known)), axis=-1).mean()
    assert after <= 0.6, f"mean ΔE {before:.2f} before, {after:.2f} after"


def test_what_the_model_changed_in_the_ring_does_not_pull_the_colours() -> None:
    known, mask = _scene()
    made = _drifted(known, (1.0, 1.0, 1.0), (4.0, 3.0, -3.0))
    made[30:50, 50:85] = (0.05, 0.05, 0.05)  # a shadow beside the new object, a fifth of the ring
    match = fit_colours(made, known, mask)
    assert match is not None
    assert np.allclose(match.shift, (-4, -3, 3), atol=0.8), f"shift {match.shift}"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["noise", "black", "white", "flat"]))
def test_a_correction_never_exceeds_its_clamp(seed: int, kind: str) -> None:
    known, mask = _scene()
    rng = np.random.default_rng(seed)
    colour = {"black": 0.0, "white": 1.0, "flat": rng.random()}
    made = (
        rng.random((160, 160, 3), np.float32) if kind == "noise" else np.full((160, 160, 3), colour[kind], np.float32)
    )
    match = fit_colours(made, known, mask)
    assert match is not None
    tiny = 1e-5
    assert match.gain.max() <= MAX_GAIN + tiny
    assert match.gain.min() >= 1 / MAX_GAIN - tiny
    assert np.abs(match.shift).max() <= MAX_SHIFT + tiny
    matched = match_colours(made, match)
    assert matched.min() >= 0
    assert matched.max() <= 1


def test_an_even_ring_gives_a_shift_and_no_gain() -> None:
    _, mask = _scene()
    known = np.full((160, 160, 3), (120, 90, 60), np.uint8)
    made = _unit(known) + np.random.default_rng(0).normal(0, 0.004, known.shape).astype(np.float32) + 0.02
    match = fit_colours(np.asarray(made, np.float32), known, mask)
    assert match is not None
    assert np.allclose(match.gain, 1, atol=0.15), f"gain {match.gain}"
    assert match.shift[0] < -1


def test_there_is_no_match_without_a_ring_and_none_when_turned_off() -> None:
    known, mask = _scene()
    assert fit_colours(_unit(known), known, np.ones_like(mask)) is None
    corner = np.ones_like(mask)
    corner[:3, :3] = False
    assert fit_colours(_unit(known), known, corner) is None

    picture = Picture(np.dstack([known, np.full(mask.shape, 255, np.uint8)]))
    region = Region((0, 0, 160, 160), (160, 160), (160, 160))
    made = _drifted(known, (1.0, 1.0, 1.0), (6.0, 0.0, 0.0))
    off, _ = paste_back(picture, region, made, mask, grow=0, fade=0, colour_match=False)
    on, _ = paste_back(picture, region, made, mask, grow=0, fade=0)
    assert np.array_equal(off.pixels[mask, :3], np.rint(np.rint(made[mask] * 65535) / 257))
    assert np.abs(on.pixels[mask].astype(int) - picture.pixels[mask]).mean() < 1.5
    assert np.abs(off.pixels[mask].astype(int) - picture.pixels[mask]).mean() > 5


def test_a_new_picture_has_the_size_that_was_asked_for() -> None:
    region = plan_region((300, 170), None, [], POCKET, keep_pixels=True)
    made = np.full((region.worked[1], region.worked[0], 3), 0.5, np.float32)
    picture = new_picture(region, made)
    assert picture.size == (300, 170)
    assert (picture.pixels == (128, 128, 128, 255)).all()
    assert picture.profile is None


@pytest.mark.parametrize(
    ("size", "whole", "most"),
    [((6000, 4000), False, 6.0), ((3000, 2000), True, 7.5)],
    ids=["24 masked", "6 of the whole image"],
)
def test_megapixels_of_16_bits_take_seconds(size: tuple[int, int], whole: bool, most: float) -> None:
    width, height = size
    pixels = np.empty((height, width, 4), np.uint16)
    pixels[:] = np.arange(width, dtype=np.uint16)[None, :, None] * 10
    pixels[..., 3] = 65535
    picture, mask = Picture(pixels, display_p3()), np.zeros((height, width), np.bool_)
    mask[1500:1900, 2500:2800] = not whole
    start = time.process_time()
    region = plan_region(picture.size, bounding_box(mask), [], FULL, keep_pixels=True)
    seen = see(picture, region)
    full, _ = paste_back(picture, region, seen, mask, grow=4, fade=4)
    seconds = time.process_time() - start
    assert seconds < most, f"{seconds:.1f} s of processor time"
    assert np.array_equal(full.pixels[:100, :100], pixels[:100, :100]) != whole
    assert region.canvas_size[0] * region.canvas_size[1] <= 1024**2
