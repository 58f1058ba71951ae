"""A plane is a value that behaves as one endless array, and states share every tile that is equal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import TILE, Pixels, Plane, tile_rect
from tests.ace_desktop.document.drawings import noise, planes, rects

WHOLE = Rect(-600, -600, 1200, 1200)

wide = st.builds(Rect, st.integers(-400, 300), st.integers(-400, 300), st.integers(1, 290), st.integers(1, 290))
writes = st.lists(st.tuples(wide, st.integers(0, 99), st.booleans()), max_size=5)


def within(rect: Rect) -> tuple[slice, slice]:
    x, y = rect.x - WHOLE.x, rect.y - WHOLE.y
    return slice(y, y + rect.height), slice(x, x + rect.width)


@settings(max_examples=30, deadline=None)
@given(writes, wide, st.sampled_from((1, 4)), st.sampled_from((8, 16)), st.sampled_from((0, 255)))
def test_any_writes_are_those_on_one_big_array(
    writes: list[tuple[Rect, int, bool]], read: Rect, channels: int, depth: int, default: int
) -> None:
    plane = Plane(channels, depth, default)
    big = np.full((WHOLE.height, WHOLE.width, channels), default, plane.dtype)
    for rect, seed, clear in writes:
        before, kept = plane, big.copy()
        pixels = noise(seed, rect.width, rect.height, channels, depth)
        if clear:
            pixels[:] = default
        plane = plane.written(pixels, rect.x, rect.y)
        big[within(rect)] = pixels
        assert np.array_equal(before.read(WHOLE), kept)
    assert np.array_equal(plane.read(WHOLE), big)
    assert np.array_equal(plane.read(read), big[within(read)])
    seen = plane.peek(read)
    assert np.array_equal(seen if seen is not None else np.full_like(big[within(read)], default), big[within(read)])
    assert all((tile != default).any() for tile in plane.tiles.values())
    rows, columns = np.nonzero(big[..., -1] != default)
    content = plane.content().moved(-WHOLE.x, -WHOLE.y)
    assert (content.area > 0) == (len(rows) > 0)
    if len(rows):
        edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert (content.x, content.y, content.right, content.bottom) == edges


def test_tiles_that_come_out_equal_stay_shared() -> None:
    before = Plane.of(noise(1, 600, 600))
    after = before.written(noise(2, 10, 10), 300, 20)
    assert {index for index in before.tiles if before.tiles[index] is not after.tiles[index]} == {(0, 1)}
    assert after.changed(before) == [tile_rect((0, 1))]
    again = after.written(after.read(Rect(0, 0, 600, 600)), 0, 0)
    assert again.changed(after) == []
    assert again.equals(after)
    assert not again.equals(before)


def test_what_is_cleared_takes_no_memory() -> None:
    plane = Plane.of(noise(1, 600, 600))
    assert plane.nbytes == 9 * TILE * TILE * 4
    assert plane.written(np.zeros((600, 600, 4), np.uint8), 0, 0).nbytes == 0


def test_pixels_of_another_kind_are_refused() -> None:
    plane = Plane.of(noise(1, 5, 5))
    wrong: list[Pixels] = [noise(1, 5, 5, 1), noise(1, 5, 5, depth=16)]
    for pixels in wrong:
        with pytest.raises(ValueError, match="does not fit"):
            plane.written(pixels, 0, 0)


def test_nobody_writes_into_a_tile_of_a_plane() -> None:
    plane = Plane.of(noise(1, 5, 5))
    with pytest.raises(ValueError, match="read-only"):
        plane.tiles[0, 0][0, 0] = 1


@settings(max_examples=30, deadline=None)
@given(planes(), st.sampled_from((-512, -256, -3, 0, 5, 256)), st.sampled_from((-256, -70, 0, 256, 257)))
def test_moving_moves_all(plane: Plane, dx: int, dy: int) -> None:
    assert np.array_equal(plane.moved(dx, dy).read(WHOLE.moved(dx, dy)), plane.read(WHOLE))
    if dx % TILE == 0 and dy % TILE == 0:
        assert {id(tile) for tile in plane.moved(dx, dy).tiles.values()} == {id(t) for t in plane.tiles.values()}


@settings(max_examples=30, deadline=None)
@given(planes(1), rects())
def test_cutting_leaves_what_lies_inside(plane: Plane, rect: Rect) -> None:
    expected = np.full_like(plane.read(WHOLE), plane.default)
    expected[within(rect)] = plane.read(rect)
    assert np.array_equal(plane.cut(rect).read(WHOLE), expected)


@settings(deadline=None)
@given(planes(1), planes(1))
def test_equal_means_the_same_pixels_everywhere(a: Plane, b: Plane) -> None:
    assert a.equals(b) == (a.default == b.default and np.array_equal(a.read(WHOLE), b.read(WHOLE)))
    assert a.equals(a.written(a.read(WHOLE), WHOLE.x, WHOLE.y))
