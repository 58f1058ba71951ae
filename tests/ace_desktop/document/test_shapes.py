"""Shapes cover what geometry says, and the outline of a mask is that mask again."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.geometry import Rect
from ace_desktop.document.masks import everything, grey_of
from ace_desktop.document.plane import Plane
from ace_desktop.document.shapes import ellipse, outline, polygon, rectangle

FRAME = Rect(0, 0, 300, 280)
SQUARE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]


def square(x: float, y: float, side: float) -> list[tuple[float, float]]:
    return [(x + side * a, y + side * b) for a, b in SQUARE]


def test_a_rectangle_is_its_pixels_inside_the_frame() -> None:
    assert rectangle(Rect(-5, 3, 20, 270), FRAME).content() == Rect(0, 3, 15, 270)
    assert polygon([square(5, 7, 20)], FRAME).equals(rectangle(Rect(5, 7, 20, 20), FRAME))


def test_half_covered_pixels_are_half_selected() -> None:
    values = grey_of(polygon([square(10.5, 20.25, 4)], FRAME), Rect(9, 19, 8, 8))
    assert values[3].tolist() == [0, 128, 255, 255, 255, 128, 0, 0]
    assert values[:, 3].tolist() == [0, 191, 255, 255, 255, 64, 0, 0]


@pytest.mark.parametrize("size", [(1, 1), (20, 9), (200, 250)])
def test_an_ellipse_has_its_area_and_place(size: tuple[int, int]) -> None:
    mask = ellipse(30.5, 20, *size, FRAME)
    assert grey_of(mask, FRAME).sum() / 255 == pytest.approx(math.pi / 4 * size[0] * size[1], rel=0.01)
    assert mask.content() in Rect(30, 20, size[0] + 1, size[1])


def test_a_lasso_that_crosses_itself_leaves_out_what_it_surrounds_twice() -> None:
    hole = polygon([square(0, 0, 100), square(25, 25, 50)], FRAME)
    assert grey_of(hole, FRAME).sum() / 255 == 100 * 100 - 50 * 50
    star = [(50 + 50 * math.sin(4 * math.pi / 5 * k), 50 - 50 * math.cos(4 * math.pi / 5 * k)) for k in range(5)]
    assert grey_of(polygon([star], FRAME), FRAME)[50, 50] == 0


def test_nothing_and_lines_select_nothing() -> None:
    assert not polygon([], FRAME).tiles
    assert not polygon([[(3, 3), (50, 50)]], FRAME).tiles
    assert not polygon([square(1000, 50, 9)], FRAME).tiles
    assert polygon([square(-50, -50, 900)], FRAME).equals(everything(FRAME))


place = st.integers(-1000, 4000).map(lambda tenths: tenths / 10)
points = st.lists(st.tuples(place, place), min_size=3, max_size=7)


@settings(max_examples=25, deadline=None)
@given(points)
def test_a_polygon_selects_the_pixels_whose_middle_is_inside(corners: list[tuple[float, float]]) -> None:
    mask = grey_of(polygon([corners], FRAME), FRAME)
    y, x = np.mgrid[5:280:13, 5:300:13] + 0.5
    inside, near = np.zeros(x.shape, bool), np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            cross = ax + (y - ay) / np.float64(by - ay) * (bx - ax)
        inside ^= ((ay > y) != (by > y)) & (x < cross)
        length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
        along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
        near |= np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)) < 1
    found = mask[5:280:13, 5:300:13]
    assert (found[inside & ~near] == 255).all()
    assert not found[~inside & ~near].any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.95), st.integers(1, 40), st.integers(1, 40))
def test_what_an_outline_surrounds_is_the_mask(seed: int, share: float, width: int, height: int) -> None:
    values = np.where(np.random.default_rng(seed).random((height, width)) < share, 255, 0).astype(np.uint8)
    mask = Plane.of(values, 7, 250)
    contours = outline(mask, FRAME)
    for contour in contours:
        step = np.roll(contour, -1, axis=0) - contour
        assert ((step == 0).sum(1) == 1).all()  # along the edges, and no corner twice
    assert polygon(contours, FRAME).equals(mask.cut(FRAME))


def test_the_outline_of_everything_is_the_frame() -> None:
    for mask in (everything(FRAME), Plane(1, default=255)):
        (contour,) = outline(mask, FRAME)
        assert sorted(map(tuple, contour.tolist())) == [(0, 0), (0, 280), (300, 0), (300, 280)]
    assert outline(Plane(1), FRAME) == []
