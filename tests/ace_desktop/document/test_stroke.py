"""Strokes cover what the brush swept, stay inside the selection, and leave every other bit and state alone."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import GroupLayer, RasterLayer, State
from ace_desktop.document.stroke import Brush, Stroke, dab
from ace_desktop.document.target import EDIT_MASK, SELECTION, Target, mask_of, plane_of
from ace_desktop.document.tree import with_properties
from tests.ace_desktop.document.drawings import noise, plain

SIZE = 400
FRAME = Rect(0, 0, SIZE, SIZE)
PIXELS = Target("pixels", "photo")

places = st.tuples(st.floats(-50, 450), st.floats(-50, 450), st.floats(0.1, 1))


def document(x: int = 0, y: int = 0, depth: int = 8) -> State:
    """Return a document with one layer of noise at an offset, the same on the screen wherever that is."""
    pixels = Plane.of(noise(1, SIZE, SIZE, depth=depth), -x, -y)
    return State(width=SIZE, height=SIZE, layers=(RasterLayer(pixels=pixels, name="photo", id="photo", x=x, y=y),))


def drawn(state: State, target: Target, brush: Brush, *points: tuple[float, float, float]) -> State:
    stroke = Stroke(state, target, brush)
    for point in points:
        stroke.to(*point)
    return stroke.state()


def read(state: State, target: Target = PIXELS) -> np.ndarray:
    plane = plane_of(state, target) or Plane(1)
    layer = state.layers[0]
    return plane.read(FRAME.moved(-layer.x, -layer.y) if target == PIXELS else FRAME)


def test_a_hard_line_covers_the_pixels_that_are_near_enough() -> None:
    mask = read(drawn(document(), EDIT_MASK, Brush(80, 1), (100, 100, 1), (300, 250, 1)), EDIT_MASK)[..., 0]
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    along = np.clip(((x - 100) * 200 + (y - 100) * 150) / (200**2 + 150**2), 0, 1)
    distance = np.hypot(x - 100 - along * 200, y - 100 - along * 150)
    assert (mask[distance < 38.8] == 255).all()
    assert (mask[distance > 40.9] == 0).all()


def test_a_dab_falls_off_from_its_hardness_to_its_edge() -> None:
    soft = dab(100, 0.5, 60, 60)[60]
    assert soft[60:84].min() == 255
    assert np.all(np.diff(soft[60:].astype(int)) <= 0)
    assert (soft[85:108] > 0).all()
    assert not soft[112:].any()
    small = dab(1, 1, 2.5, 2.5)
    assert (small[2, 2], int(small.sum())) == (255, 255)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(places, min_size=1, max_size=4),
    st.sampled_from((1.0, 7.5, 60.0, 230.0)),
    st.sampled_from((0.0, 1.0)),
    st.sampled_from((0.0, 0.25, 1.5)),
    st.booleans(),
    st.booleans(),
    st.sampled_from((8, 16)),
)
def test_only_what_it_tells_changes_and_what_was_handed_out_stays(
    points: list[tuple[float, float, float]],
    size: float,
    hardness: float,
    spacing: float,
    erase: bool,
    pressure: bool,
    depth: int,
) -> None:
    before = document(depth=depth)
    brush = Brush(
        size, hardness, 0.7, spacing, erase, (9, 200, 30), pressure_size=pressure, pressure_opacity=pressure
    )
    stroke, one_go = Stroke(before, PIXELS, brush), Stroke(before, PIXELS, brush)
    handed_out: list[tuple[State, np.ndarray]] = []
    for point in points:
        last = read(stroke.state())
        rect = stroke.to(*point)
        assert one_go.to(*point) == rect
        now = stroke.state()
        same = (read(now) == last).all(-1)
        for part in stroke.dirty:
            assert part in rect
            same[max(part.y, 0) : max(part.bottom, 0), max(part.x, 0) : max(part.right, 0)] = True
        assert same.all()
        handed_out.append((now, read(now)))
    for state, pixels in handed_out:
        assert np.array_equal(read(state), pixels)
    assert np.array_equal(read(one_go.state()), read(stroke.state()))
    assert np.array_equal(read(before), read(document(depth=depth)))


def worked_out_plainly(state: State, brush: Brush, points: list[tuple[float, float, float]]) -> np.ndarray:
    """Lay every dab on the whole frame and mix every pixel of it once, by the formulas as they are written down."""
    side, reach = SIZE, 1200
    cover = np.zeros((side + 2 * reach, side + 2 * reach), np.uint8)
    places = [points[0]]
    for (x0, y0, p0), (x1, y1, p1) in pairwise(points):
        way = math.hypot(x1 - x0, y1 - y0)
        count = max(1, math.ceil(way / math.sqrt(brush.size)))
        parts = [way * (n + 1) / count / way if way else 1.0 for n in range(count)]
        places += [(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part, p0 + (p1 - p0) * part) for part in parts]
    for x, y, pressure in places:
        x, y = round(x), round(y)  # as large brushes stand
        left, top = math.floor(x - brush.size / 2 - 1), math.floor(y - brush.size / 2 - 1)
        stamp = dab(brush.size, brush.hardness, x - left, y - top)
        if brush.pressure_opacity:
            stamp = (stamp * np.float32(pressure) + np.float32(0.5)).astype(np.uint8)
        there = cover[top + reach : top + reach + len(stamp), left + reach : left + reach + len(stamp)]
        there[:] = np.maximum(there, stamp)
    share = cover[reach:-reach, reach:-reach] * np.float32(brush.opacity / 255)
    pixels = read(state)
    full = np.float32(np.iinfo(pixels.dtype).max)
    out, half = pixels.copy(), np.float32(0.5)
    if brush.erase:
        alpha = (0 - pixels[..., 3].astype(np.float32)) * share + pixels[..., 3]
        out[..., 3] = (alpha + half).astype(pixels.dtype)
        return out
    after = share + pixels[..., 3] * (1 / full) * (1 - share)
    if pixels[..., 3].min() < full:
        out[..., 3] = (after * full + half).astype(pixels.dtype)
        share = share / np.maximum(after, np.float32(1e-20))
    for channel, value in enumerate(brush.colour):
        below = pixels[..., channel]
        mixed = (np.float32(value * float(full) / 255) - below.astype(np.float32)) * share + below
        out[..., channel] = (mixed + half).astype(pixels.dtype)
    return out


@settings(max_examples=25, deadline=None)
@given(
    st.lists(places, min_size=1, max_size=4),
    st.sampled_from((200.0, 310.0, 1000.0)),
    st.sampled_from((0.0, 0.8, 1.0)),
    st.booleans(),
    st.booleans(),
    st.sampled_from((8, 16)),
)
@example([(200.0, 200.0, 1.0), (230.0, 200.0, 1.0), (230.0, 260.0, 1.0)], 310.0, 0.8, False, False, 8)
def test_a_large_stroke_is_bit_for_bit_what_every_dab_on_every_pixel_makes(
    points: list[tuple[float, float, float]], size: float, hardness: float, erase: bool, pressure: bool, depth: int
) -> None:
    brush = Brush(size, hardness, 0.7, erase=erase, colour=(9, 200, 30), pressure_opacity=pressure)
    state = document(depth=depth)
    found = read(drawn(state, PIXELS, brush, *points))
    assert np.array_equal(found, worked_out_plainly(state, brush, points))


@pytest.mark.parametrize(("x", "y"), [(0, 0), (-37, 300), (256, -256)])
def test_where_the_layers_origin_stands_changes_nothing(x: int, y: int) -> None:
    brush = Brush(90, 0.3, 0.8, colour=(255, 0, 0))
    selected = replace(document(x, y), selection=plain((200,), Rect(50, 50, 200, 300)))
    expected = replace(document(), selection=selected.selection)
    points = ((10, 10, 1), (250.25, 200, 1), (20, 333, 1))
    assert np.array_equal(
        read(drawn(selected, PIXELS, brush, *points)), read(drawn(expected, PIXELS, brush, *points))
    )


def test_crossing_itself_is_not_darker() -> None:
    brush = Brush(60, 1, 0.5)
    once = drawn(document(), EDIT_MASK, brush, (100, 100, 1), (300, 100, 1))
    twice = drawn(document(), EDIT_MASK, brush, (100, 100, 1), (300, 100, 1), (100, 100, 1))
    assert np.array_equal(read(once, EDIT_MASK), read(twice, EDIT_MASK))
    assert read(once, EDIT_MASK).max() == 128


def test_the_selection_bounds_every_target_but_itself() -> None:
    state = replace(document(), selection=plain((255,), Rect(0, 0, 200, SIZE)))
    points = ((150, 200, 1), (250, 200, 1))
    assert not read(drawn(state, EDIT_MASK, Brush(), *points), EDIT_MASK)[:, 200:].any()
    assert np.array_equal(read(drawn(state, PIXELS, Brush(), *points))[:, 200:], read(state)[:, 200:])
    assert read(drawn(state, SELECTION, Brush(), *points), SELECTION)[200, 280, 0] == 255


def test_colour_comes_at_full_depth_and_transparent_pixels_take_it_over() -> None:
    found = read(drawn(document(depth=16), PIXELS, Brush(50, 1, colour=(255, 128, 1)), (100, 100, 1)))
    assert found[100, 100].tolist() == [65535, 128 * 257, 257, 65535]
    empty = State(width=9, height=9, layers=(RasterLayer(pixels=Plane(4), name="photo", id="photo"),))
    half = drawn(empty, PIXELS, Brush(4, 1, 0.5, colour=(255, 128, 1)), (4.5, 4.5, 1))
    assert compose(half)[4, 4].tolist() == [255, 128, 1, 128]


def test_a_stroke_goes_on_beyond_the_layers_tiles() -> None:
    empty = State(width=9, height=9, layers=(RasterLayer(pixels=Plane(4), name="photo", id="photo"),))
    after = drawn(empty, PIXELS, Brush(10, 1), (-300, 4, 1), (700, 4, 1))
    assert (compose(after, Rect(-299, 4, 998, 1)) == [0, 0, 0, 255]).all()


def test_locked_alpha_keeps_every_alpha_and_unseen_colours() -> None:
    before = document()
    after = drawn(before, PIXELS, Brush(100, 0.5, 0.9, colour=(1, 2, 3), lock_alpha=True), (200, 200, 1))
    assert np.array_equal(read(after)[..., 3], read(before)[..., 3])
    unseen = read(before)[..., 3] == 0
    assert np.array_equal(read(after)[unseen], read(before)[unseen])
    assert not np.array_equal(read(after), read(before))


def test_erasing_takes_alpha_and_keeps_colours() -> None:
    before = document()
    after = drawn(before, PIXELS, Brush(100, 1, erase=True), (200, 200, 1))
    assert not read(after)[190:210, 190:210, 3].any()
    assert np.array_equal(read(after)[..., :3], read(before)[..., :3])


def test_a_mask_that_is_erased_takes_no_memory() -> None:
    masked = replace(document(), edit_mask=plain((255,), Rect(0, 0, 5, 5)))
    after = drawn(masked, EDIT_MASK, Brush(30, 1, erase=True), (2, 2, 1))
    assert not after.edit_mask.tiles
    assert not drawn(after, EDIT_MASK, Brush(30, 1, erase=True), (2, 2, 1)).edit_mask.tiles


def test_masks_that_do_not_exist_begin_where_it_makes_sense() -> None:
    state = document()
    painted = drawn(state, SELECTION, Brush(20, 1), (50, 50, 1))
    assert (read(painted, SELECTION)[50, 50, 0], read(painted, SELECTION)[200, 200, 0]) == (255, 0)
    erased = drawn(state, SELECTION, Brush(20, 1, erase=True), (50, 50, 1))
    assert (read(erased, SELECTION)[50, 50, 0], read(erased, SELECTION)[200, 200, 0]) == (0, 255)
    target = Target("layer mask", "photo")
    hidden = drawn(state, target, Brush(20, 1, erase=True), (50, 50, 1))
    assert compose(hidden)[50, 50, 3] == 0
    assert mask_of(hidden, target).read(Rect(300, 300, 1, 1))[0, 0, 0] == 255


def test_pressure_makes_dabs_smaller_or_weaker() -> None:
    small = drawn(document(), EDIT_MASK, Brush(100, 1, pressure_size=True), (200, 200, 0.5))
    assert small.edit_mask.content().width == pytest.approx(50, abs=2)
    weak = drawn(document(), EDIT_MASK, Brush(100, 1, pressure_opacity=True), (200, 200, 0.5))
    assert weak.edit_mask.content().width == pytest.approx(100, abs=2)
    assert read(weak, EDIT_MASK).max() == 128


def test_a_wide_spacing_leaves_gaps_that_do_not_depend_on_the_events() -> None:
    brush = Brush(10, 1, spacing=2)
    at_once = drawn(document(), EDIT_MASK, brush, (20, 20, 1), (120, 20, 1))
    bit_by_bit = drawn(document(), EDIT_MASK, brush, *((20 + 4 * n, 20, 1) for n in range(26)))
    assert np.array_equal(read(at_once, EDIT_MASK), read(bit_by_bit, EDIT_MASK))
    starts = np.flatnonzero(np.diff((read(at_once, EDIT_MASK)[20, :, 0] > 127).astype(int)) == 1)
    assert np.diff(starts).tolist() == [20] * 4


def test_nothing_drawn_is_the_same_state() -> None:
    state = document()
    stroke = Stroke(state, PIXELS, Brush())
    assert stroke.state() is state
    stroke.to(3, 3)
    assert stroke.state() is stroke.state()


def test_locked_layers_and_groups_are_not_painted_on() -> None:
    locked = with_properties(document(), "photo", locked=True)
    for target in (PIXELS, Target("layer mask", "photo")):
        with pytest.raises(ValueError, match="locked"):
            Stroke(locked, target, Brush())
    group = State(width=9, height=9, layers=(GroupLayer(children=(), name="group", id="photo"),))
    with pytest.raises(ValueError, match="no pixels"):
        Stroke(group, PIXELS, Brush())
