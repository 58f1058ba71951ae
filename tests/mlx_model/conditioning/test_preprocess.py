"""Each control shows what it says, inside the mask only."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mlx_model.conditioning.preprocess import apply_control, canny, contour, grey, mosaic
from mlx_model.request import RequestError

PHOTO = Path(__file__).parents[2] / "photos" / "astronaut.png"


def _photo() -> npt.NDArray[np.uint8]:
    with Image.open(PHOTO) as image:
        return np.array(image.convert("RGB").resize((320, 256)))


def _disc(inside: tuple[int, int, int], outside: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    picture = np.full((200, 240, 3), outside, np.uint8)
    cv2.circle(picture, (120, 100), 60, inside, -1, cv2.LINE_AA)
    return picture


def test_canny_is_white_on_black_with_the_thresholds_of_the_release() -> None:
    picture = _photo()
    edges = canny(picture)
    assert np.array_equal(edges[..., 1], cv2.Canny(picture, 100, 200))
    assert set(np.unique(edges)) == {0, 255}
    assert 0.02 < (edges > 0).mean() < 0.3


def test_contour_is_dark_on_white_and_thin() -> None:
    lines = contour(_photo())
    ink = (lines[..., 0] < 128).mean()
    assert (lines[..., 0] > 250).mean() > 0.6, "most of a line drawing is paper"
    assert 0.02 < ink < 0.25, f"{ink:.1%} of the photo is ink"


@pytest.mark.parametrize(
    ("inside", "outside"),
    [((200, 60, 60), (230, 230, 230)), ((20, 20, 20), (250, 250, 250)), ((190, 90, 90), (70, 140, 60))],
    ids=["colour on white", "black on white", "equal lightness"],
)
def test_contour_draws_the_whole_outline_and_nothing_in_flat_areas(
    inside: tuple[int, int, int], outside: tuple[int, int, int]
) -> None:
    lines = contour(_disc(inside, outside))[..., 0]
    radius = np.hypot(*np.mgrid[-100:100, -120:120])
    near, away = np.abs(radius - 60) < 3, np.abs(radius - 60) > 8
    assert lines[away].min() == 255, "flat areas stay white"
    angles = np.arctan2(*np.mgrid[-100:100, -120:120])[near]
    drawn = angles[lines[near] < 160]
    gaps = np.histogram(drawn, bins=72, range=(-np.pi, np.pi))[0]
    assert gaps.min() > 0, f"{(gaps == 0).sum()} of 72 sectors of the outline are missing"


def test_contour_draws_nothing_on_an_even_picture_or_a_soft_gradient() -> None:
    assert contour(np.full((64, 64, 3), 90, np.uint8)).min() == 255
    gradient = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None], 64, axis=0)
    assert contour(np.repeat(gradient[..., None], 3, axis=2)).min() == 255


@pytest.mark.parametrize(("width", "height"), [(256, 192), (640, 130), (63, 20), (1, 1)])
def test_mosaic_has_a_block_per_64_pixels_and_at_least_one(width: int, height: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    shown = mosaic(picture)
    assert shown.shape == picture.shape
    colours = np.unique(shown.reshape(-1, 3), axis=0)
    assert len(colours) <= max(1, width // 64) * max(1, height // 64)
    assert len(np.unique(shown[0], axis=0)) == max(1, width // 64)


def test_grey_has_three_equal_channels_with_red_and_blue_exchanged() -> None:
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert grey(primaries)[0].tolist() == [[29] * 3, [150] * 3, [76] * 3, [255] * 3]


@pytest.mark.parametrize("name", ["canny", "contour", "mosaic", "grey", "as-is"])
def test_a_control_shows_inside_the_mask_only(name: str) -> None:
    picture = _photo()
    mask = np.zeros(picture.shape[:2], np.bool_)
    mask[50:200, 80:250] = True
    own = picture[::-1] if name == "as-is" else None
    shown = apply_control(name, picture, mask, own)
    assert np.array_equal(shown[~mask], picture[~mask])
    assert (shown[mask] != picture[mask]).any(axis=1).mean() > 0.5
    nothing = np.zeros_like(mask)
    everywhere = apply_control(name, picture, nothing, own)
    assert np.array_equal(everywhere[mask], shown[mask]), "the control is made from the whole picture"
    assert (everywhere[~mask] != picture[~mask]).any(), "an empty mask means everything"


def test_a_control_can_be_made_from_another_picture() -> None:
    picture = _photo()
    mask = np.ones(picture.shape[:2], np.bool_)
    assert np.array_equal(apply_control("canny", picture, mask, picture[:, ::-1]), canny(picture[:, ::-1]))


def test_what_cannot_be_shown_is_said_in_a_sentence() -> None:
    picture, mask = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.bool_)
    with pytest.raises(RequestError, match="depth model, which is not installed"):
        apply_control("depth", picture, mask)
    with pytest.raises(RequestError, match="give one"):
        apply_control("as-is", picture, mask)
    with pytest.raises(RequestError, match="choose one of: canny"):
        apply_control("sketch", picture, mask)
    with pytest.raises(RequestError, match="9 x 8 pixels"):
        apply_control("as-is", picture, mask, np.zeros((8, 9, 3), np.uint8))
