"""Rectangles meet, join, move and grow as sets of pixels do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.geometry import EMPTY, Rect, around

small = st.builds(Rect, st.integers(-6, 6), st.integers(-6, 6), st.integers(-1, 6), st.integers(-1, 6))


def pixels(rect: Rect) -> set[tuple[int, int]]:
    return {(x, y) for y in range(rect.y, rect.bottom) for x in range(rect.x, rect.right)}


@settings(deadline=None)
@given(small, small)
def test_meeting_is_the_set_of_common_pixels(a: Rect, b: Rect) -> None:
    assert pixels(a & b) == pixels(a) & pixels(b)
    assert (a in b) == (pixels(a) <= pixels(b))
    assert a.area == len(pixels(a))
    assert bool(a) == bool(pixels(a))


@settings(deadline=None)
@given(small, small)
def test_joining_is_the_smallest_around_both(a: Rect, b: Rect) -> None:
    whole = a | b
    assert a in whole
    assert b in whole
    both = pixels(a) | pixels(b)
    if both:
        assert whole.x == min(x for x, _ in both)
        assert whole.right == max(x for x, _ in both) + 1
        assert whole.y == min(y for _, y in both)
        assert whole.bottom == max(y for _, y in both) + 1
    assert around([a, b]) == whole
    assert around([]) == EMPTY


@settings(deadline=None)
@given(small, st.integers(-9, 9), st.integers(-9, 9))
def test_moving_moves_every_pixel_and_the_empty_one_stays_itself(rect: Rect, dx: int, dy: int) -> None:
    assert pixels(rect.moved(dx, dy)) == {(x + dx, y + dy) for x, y in pixels(rect)}
    assert EMPTY.moved(dx, dy) == EMPTY.grown(dx) == EMPTY


@settings(deadline=None)
@given(small, st.integers(0, 5))
def test_growing_is_undone_by_shrinking(rect: Rect, by: int) -> None:
    assert rect.grown(by).grown(-by) == rect
    assert not rect.grown(-3)  # none is wider than 6


def test_every_rectangle_without_pixels_is_the_same() -> None:
    assert Rect(5, 5, 0, 3) == Rect(1, 2, 3, -4) == EMPTY
