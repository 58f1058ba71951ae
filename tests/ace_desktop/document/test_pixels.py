"""Filling, cutting, copying and pasting change what is selected and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from ace_desktop.document import pixels as px
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import GroupLayer, RasterLayer, State
from ace_desktop.document.target import Target, plane_of
from ace_desktop.document.tree import with_properties
from tests.ace_desktop.document.drawings import noise, plain, raster

FRAME = Rect(0, 0, 300, 280)
PART = Rect(40, 50, 230, 60)


def document(depth: int = 8, selected: Rect | None = PART, x: int = -7) -> State:
    """Return a layer of noise that reaches beyond the frame, in a group, with a selection."""
    layer = RasterLayer(
        pixels=Plane.of(noise(1, 340, 300, depth=depth), -10, -10), name="photo", id="photo", x=x, y=3
    )
    group = GroupLayer(children=(layer,), name="group", id="group", x=2)
    selection = None if selected is None else plain((255,), selected)
    return State(width=300, height=280, layers=(group,), active="photo", selection=selection)


def all_pixels(state: State) -> np.ndarray:
    plane = plane_of(state, Target("pixels", "photo"))
    assert plane is not None
    return plane.read(Rect(-100, -100, 500, 500))


def inside(state: State, rect: Rect) -> np.ndarray:
    plane = plane_of(state, Target("pixels", "photo"))
    assert plane is not None
    return plane.read(rect.moved(5, -3))


def outside_is_the_same(before: State, after: State, rect: Rect) -> bool:
    same = (all_pixels(before) == all_pixels(after)).all(-1)
    x, y = rect.x + 5 + 100, rect.y - 3 + 100
    same[y : y + rect.height, x : x + rect.width] = True
    return bool(same.all())


@pytest.mark.parametrize(("depth", "step"), [(8, 1), (16, 257)])
@pytest.mark.parametrize("selected", [PART, None])
def test_filling_colours_the_selection_or_the_frame(depth: int, step: int, selected: Rect | None) -> None:
    before = document(depth, selected)
    after = px.fill(before, "photo", (10, 20, 30))
    assert (inside(after, selected or FRAME) == np.array([10, 20, 30, 255]) * step).all()
    assert outside_is_the_same(before, after, selected or FRAME)


def test_clearing_takes_the_selection_or_everything() -> None:
    before = document()
    after = px.clear(before, "photo")
    assert not inside(after, PART)[..., 3].any()
    assert outside_is_the_same(before, after, PART)
    assert not all_pixels(px.clear(document(selected=None), "photo")).any()


@pytest.mark.parametrize("depth", [8, 16])
def test_what_is_cut_and_pasted_looks_as_before(depth: int) -> None:
    before = document(depth)
    after, clip = px.cut(before, "photo")
    assert clip is not None
    assert Rect(clip.x, clip.y, clip.pixels.shape[1], clip.pixels.shape[0]) == PART
    assert not np.array_equal(compose(after), compose(before))
    pasted = px.paste(after, clip, "pasted")
    assert np.array_equal(compose(pasted), compose(before))
    group = pasted.layers[0]
    assert isinstance(group, GroupLayer)
    assert [layer.name for layer in group.children] == ["photo", "pasted"]
    assert pasted.active == group.children[1].id


def test_half_selected_pixels_are_copied_half() -> None:
    state = replace(document(16), selection=plain((128,), PART))
    clip = px.copy(state, "photo")
    assert clip is not None
    whole = inside(state, PART)[..., 3].astype(int)
    assert np.abs(clip.pixels[..., 3] - whole * 128 / 255).max() <= 0.51


def test_copying_what_is_empty_gives_nothing() -> None:
    for selected in (Rect(1000, 0, 5, 5), Rect(0, 0, 0, 0)):
        state = replace(document(), selection=plain((255,), selected) if selected else Plane(1))
        assert px.copy(state, "photo") is None
        assert px.copy_merged(state) is None
        assert px.layer_via_copy(state, "photo", "x") is state
    unseen = raster((1, 1, 1, 0), name="unseen")
    assert px.copy(State(width=9, height=9, layers=(unseen,)), unseen.id) is None


def test_copying_the_picture_takes_all_that_is_seen() -> None:
    state = document(selected=Rect(100, 100, 20, 10))
    state = replace(state, layers=(*state.layers, raster((200, 0, 0, 99), FRAME)))
    clip = px.copy_merged(state)
    assert clip is not None
    assert np.array_equal(clip.pixels, compose(state, Rect(100, 100, 20, 10)))
    placed = px.paste(replace(state, active=None), clip, "middle", centre=(50, 60))
    assert (placed.layers[-1].x, placed.layers[-1].y) == (40, 55)


def test_a_layer_by_copy_stands_above_its_source() -> None:
    after = px.layer_via_copy(replace(document(), active=None), "photo", "part")
    group = after.layers[0]
    assert isinstance(group, GroupLayer)
    assert [layer.name for layer in group.children] == ["photo", "part"]
    assert np.array_equal(compose(with_properties(after, "photo", visible=False), PART), compose(document(), PART))


def test_the_bucket_fills_what_is_alike_inside_the_selection() -> None:
    two = raster((10, 10, 10, 255), Rect(0, 0, 100, 50), name="two")
    two = replace(two, id="two", pixels=two.pixels.written(np.full((50, 50, 4), 90, np.uint8), 50, 0))
    state = State(width=100, height=50, layers=(two,), selection=plain((255,), Rect(0, 0, 100, 25)))
    after = compose(px.bucket_fill(state, "two", 3, 3, (255, 0, 0), 20))
    assert (after[:25, :50] == [255, 0, 0, 255]).all()
    assert np.array_equal(after[25:], compose(state)[25:])
    assert np.array_equal(after[:, 50:], compose(state)[:, 50:])
    above = raster((10, 10, 10, 255), Rect(0, 0, 100, 50), name="above")
    seen = replace(state, layers=(two, above))
    layer = plane_of(px.bucket_fill(seen, "two", 3, 3, (255, 0, 0), 20, whole_picture=True), Target("pixels", "two"))
    assert layer is not None
    assert (layer.read(Rect(0, 0, 100, 25)) == [255, 0, 0, 255]).all()


def test_picking_gives_the_mean_of_what_is_seen() -> None:
    left, right = raster((200, 100, 0, 255), Rect(0, 0, 5, 9)), raster((7, 7, 7, 0), Rect(5, 0, 5, 9))
    state = State(width=10, height=9, layers=(left, right))
    assert px.pick(state, 2, 4) == (200, 100, 0, 255)
    assert px.pick(state, 4, 4, 3) == (200, 100, 0, 170)
    assert px.pick(state, 0, 0, 5) == (200, 100, 0, 255)
    assert px.pick(state, 2, 4, layer_id=right.id) == (0, 0, 0, 0)
    assert px.pick(state, 10, 4) is None


def test_locked_layers_and_groups_keep_their_pixels() -> None:
    locked = with_properties(document(), "group", locked=True)
    for edit in (
        lambda: px.fill(locked, "photo", (1, 2, 3)),
        lambda: px.clear(locked, "photo"),
        lambda: px.cut(locked, "photo"),
        lambda: px.bucket_fill(locked, "photo", 1, 1, (1, 2, 3), 5),
    ):
        with pytest.raises(ValueError, match="locked"):
            edit()
    with pytest.raises(ValueError, match="no pixels"):
        px.fill(document(), "group", (1, 2, 3))
