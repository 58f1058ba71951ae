"""Planes are moved without loss where they can be, without dark edges or shifts where they cannot."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.resample import Matrix, mapped_rect, rotation, scaling, translation, warped
from tests.ace_desktop.document.drawings import noise, plain, planes

WHOLE = Rect(-400, -400, 800, 800)


@settings(max_examples=30, deadline=None)
@given(planes(), st.integers(-3, 9), st.integers(-20, 20), st.integers(-20, 20), st.booleans())
def test_quarter_turns_and_mirroring_move_every_pixel_to_its_place(
    plane: Plane, quarters: int, x: int, y: int, mirror: bool
) -> None:
    matrix = rotation(90 * quarters, (x, y)) @ (scaling(-1, 1, (0.5, 0)) if mirror else np.eye(3))
    found = warped(plane, matrix)
    rows, columns = np.nonzero(plane.read(WHOLE).any(-1))
    places = matrix @ np.stack([columns - 400 + 0.5, rows - 400 + 0.5, np.ones(len(rows))])
    moved_columns, moved_rows = (np.floor(places[:2]).astype(int) + 400).tolist()
    expected = np.zeros_like(plane.read(WHOLE))
    expected[moved_rows, moved_columns] = plane.read(WHOLE)[rows, columns]
    assert np.array_equal(found.read(WHOLE), expected)
    assert warped(found, np.linalg.inv(matrix)).equals(plane)


def test_a_quarter_turn_is_clockwise() -> None:
    turned = warped(plain((9, 9, 9, 255), Rect(0, 0, 10, 2)), rotation(90))
    assert turned.content() == Rect(-2, 0, 2, 10)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    "matrix",
    [
        rotation(33, (60, 60)),
        scaling(0.37, 0.61),
        scaling(2.3, 1.7),
        scaling(0.4, 3.0),
        scaling(-1.5, 0.5),
        translation(0.5, 0.25),
        rotation(200) @ scaling(0.3, 2),
    ],
)
def test_one_colour_stays_that_colour_and_keeps_its_area(matrix: Matrix, depth: int) -> None:
    full = 255 if depth == 8 else 65535
    square = plain((full, full // 2, 0, full), Rect(20, 30, 100, 80), depth)
    found = warped(square, matrix).read(Rect(-700, -700, 1400, 1400))
    seen = found[..., 3] > full // 100
    assert np.abs(found[seen][:, :3].astype(int) - [full, full // 2, 0]).max() <= 2 * full / 255
    area = abs(np.linalg.det(matrix[:2, :2])) * 100 * 80
    assert found[..., 3].sum() / full == pytest.approx(area, rel=0.02)
    rows, columns = np.nonzero(seen)
    edges = mapped_rect(matrix, Rect(20, 30, 100, 80))
    found_edges = (columns.min() - 700, rows.min() - 700, columns.max() - 699, rows.max() - 699)
    assert np.abs(np.subtract(edges, found_edges)).max() <= 2


def test_shrinking_is_the_mean_of_the_area_wherever_tiles_end() -> None:
    pixels = noise(1, 600, 560)
    pixels[..., 3] = 255
    found = warped(Plane.of(pixels), scaling(1 / 4, 1 / 7)).read(Rect(0, 0, 150, 80))
    assert np.abs(found.astype(int) - cv2.resize(pixels, (150, 80), interpolation=cv2.INTER_AREA)).max() <= 1
    odd = warped(Plane.of(pixels, 3, 5), translation(-3 * 0.37, -5 * 0.61) @ scaling(0.37, 0.61))
    exact = cv2.resize(pixels.astype(np.float32), None, fx=0.37, fy=0.61, interpolation=cv2.INTER_AREA)
    assert np.abs(odd.read(Rect(0, 0, 220, 340)) - exact[:340, :220]).max() <= 1.01


def test_enlarging_is_bicubic_with_hard_edges_wherever_tiles_end() -> None:
    pixels = np.asarray(cv2.GaussianBlur(noise(2, 150, 130), (0, 0), 2), np.uint8)
    pixels[..., 3] = 255
    found = warped(Plane.of(pixels), scaling(4, 3))
    assert found.content() == Rect(0, 0, 600, 390)
    expected = cv2.resize(pixels, (600, 390), interpolation=cv2.INTER_CUBIC)
    assert np.abs(found.read(Rect(0, 0, 600, 390)).astype(int) - expected).max() <= 2
    assert (found.read(Rect(0, 0, 600, 390))[..., 3] == 255).all()


def test_turning_back_gives_nearly_the_same() -> None:
    pixels = np.asarray(cv2.GaussianBlur(noise(3, 300, 280), (0, 0), 3), np.uint8)
    pixels[..., 3] = 255
    back = warped(warped(Plane.of(pixels), rotation(25, (150, 140))), rotation(-25, (150, 140)))
    inner = Rect(20, 20, 260, 240)
    assert np.abs(back.read(inner).astype(int) - Plane.of(pixels).read(inner)).max() <= 3


@pytest.mark.parametrize("default", [0, 255])
def test_masks_keep_what_they_hold_outside(default: int) -> None:
    mask = Plane(1, 8, default).written(np.full((60, 60, 1), 100, np.uint8), 10, 10)
    for matrix in (rotation(30), scaling(0.5, 0.5), scaling(3, 3), rotation(90)):
        found = warped(mask, matrix)
        assert (found.default, found.channels) == (default, 1)
        x, y, _ = (matrix @ (40, 40, 1)).astype(int).tolist()
        assert found.read(Rect(x, y, 1, 1))[0, 0, 0] == 100
        assert found.read(Rect(-390, 300, 1, 1))[0, 0, 0] == default


def test_nothing_is_left_of_nothing() -> None:
    assert not warped(Plane(4), rotation(30)).tiles
    with pytest.raises(ValueError, match="area"):
        warped(plain((1, 1, 1, 1)), scaling(0, 1))
