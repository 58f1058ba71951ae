"""Results as layers: what was shown is what the document becomes, and a change below is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.below import below, digest_of
from ace_desktop.document.canvas_size import crop, expand, flip_document, image_size, rotate_document
from ace_desktop.document.compose import compose, compose_layers
from ace_desktop.document.edit import mask_box
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.export import recipe_of
from ace_desktop.document.geometry import Rect
from ace_desktop.document.openraster_read import read_openraster
from ace_desktop.document.openraster_write import write_openraster
from ace_desktop.document.plane import Plane
from ace_desktop.document.result_files import from_json, to_json
from ace_desktop.document.result_layers import (
    accept,
    accept_again,
    box_now,
    is_stale,
    mask_of_layer,
    request_of_layer,
    rerun,
    result_of_layer,
    shift_of,
)
from ace_desktop.document.results import Result, ResultStore
from ace_desktop.document.snapshot import snapshot
from ace_desktop.document.state import GroupLayer, RasterLayer, State
from ace_desktop.document.target import Target, with_plane
from ace_desktop.document.tree import add, find, group, replaced, with_properties
from mlx_model.editor import Editor
from mlx_model.request import EditResult, Picture
from mlx_model.weights.config import ModelConfig
from tests.ace_desktop.document.drawings import noise, raster, states
from tests.ace_desktop.document.scenes import scene, square
from tests.mlx_model.pictures.profiles import srgb_profile

MASK = Rect(30, 30, 20, 16)
BOX = Rect(20, 20, 60, 50)


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


@pytest.fixture
def painted(store: ResultStore, config: ModelConfig) -> Callable[..., tuple[Result, Picture]]:
    """Give what makes a result for a document without a model: green under the mask, half over a ring around it."""

    def paint(state: State, depth: int = 8) -> tuple[Result, Picture]:
        state = replace(state, edit_mask=square(MASK))
        made = snapshot(state, config)
        full = 255 if depth == 8 else 65535
        pixels = np.zeros((state.height, state.width, 4), np.uint8 if depth == 8 else np.uint16)
        pixels[28:48, 28:52] = (0, full, 0, full // 2)
        pixels[30:46, 30:50] = (0, full, 0, full)
        patch = Picture(pixels, state.profile)  # pyright: ignore[reportArgumentType] uint8 or uint16
        [asked] = made.requests
        box = (BOX.x, BOX.y, BOX.width, BOX.height)
        done = EditResult(patch, patch, replace(asked, steps=8), "pocket", box, (60, 50), (64, 64), {}, {})
        # The digest has to be that of the box in which this was "painted".
        made = replace(made, below=digest_of(state.layers, BOX, state.profile))
        result = store.add(done, made)
        return result, store.patch(result.id)

    return paint


def test_a_real_result_as_a_layer_is_the_picture_that_the_model_gave(
    store: ResultStore, config: ModelConfig, editor: Editor
) -> None:
    state = scene()
    made = snapshot(state, config)
    given = editor.edit(made.requests[0], made.pictures)
    result = store.add(given, made)
    after = accept(state, result, store.patch(result.id))
    composed, before = compose(after), compose(state)
    assert np.abs(composed.astype(int) - given.picture.pixels).max() <= 1
    untouched = given.patch.pixels[..., 3] == 0
    assert untouched.mean() > 0.3
    assert np.array_equal(composed[untouched], before[untouched])
    layer = find(after, after.active or "")
    assert request_of_layer(layer) == given.request
    assert result_of_layer(layer) == result.id
    assert layer.mask is not None
    assert not is_stale(after, layer.id)
    exported = recipe_of(after)
    assert exported is not None
    assert exported.request == given.request


def test_an_accepted_result_goes_through_the_project_file(
    tmp_path: Path, painted: Callable[..., tuple[Result, Picture]]
) -> None:
    state = accept(scene(), *painted(scene()))
    write_openraster(tmp_path / "a.ora", state)
    opened = read_openraster(tmp_path / "a.ora")
    layer = find(opened, opened.active or "")
    assert request_of_layer(layer) == request_of_layer(find(state, state.active or ""))
    assert not is_stale(opened, layer.id)


# Where it lies


@pytest.mark.parametrize("deep", [False, True])
def test_it_lies_above_the_active_layer_and_all_that_was_seen(
    painted: Callable[..., tuple[Result, Picture]], deep: bool
) -> None:
    """Whatever is active: the picture becomes the one that was shown, and nothing is stale."""
    over = raster((200, 100, 0, 255), Rect(40, 25, 60, 60), name="over", opacity=0.5)
    beside = raster((1, 2, 3, 255), Rect(100, 100, 20, 20), name="beside")
    state = add(add(scene(), over), beside)
    if deep:
        state = group(state, [over.id, beside.id], "inside")
        found = state.layers[-1]
        state = with_properties(state, found.id, opacity=0.7)
    for active in [layer.id for layer in (over, beside)] + [state.layers[0].id]:
        now = replace(state, active=active)
        result, patch = painted(now)
        after = accept(now, result, patch)
        layer = find(after, after.active or "")
        assert layer.name == "a red star"
        assert not is_stale(after, layer.id)
        wanted = compose_layers((*state.layers, replace(layer, x=BOX.x, y=BOX.y)), state.frame)
        assert np.abs(compose(after).astype(int) - wanted).max() <= 1


def test_it_goes_into_a_group_that_shows_everything_as_it_is(painted: Callable[..., tuple[Result, Picture]]) -> None:
    state = scene()
    state = group(state, [state.layers[0].id], "inside")
    [inside] = state.layers
    assert isinstance(inside, GroupLayer)
    state = replace(state, layers=(replace(inside, x=7, y=-3),), active=inside.children[0].id)
    result, patch = painted(state)
    after = accept(state, result, patch)
    [holder] = after.layers
    assert isinstance(holder, GroupLayer)
    assert len(holder.children) == 2
    assert not is_stale(after, holder.children[1].id)
    assert (compose(after)[38, 40] == (0, 255, 0, 255)).all()


def test_another_profile_and_depth_of_the_document_are_met(painted: Callable[..., tuple[Result, Picture]]) -> None:
    state = scene()
    result, patch = painted(state, 16)
    assert patch.pixels.dtype == np.uint16
    in_profile = replace(state, profile=srgb_profile())
    after = accept(in_profile, result, patch)
    layer = find(after, after.active or "")
    assert isinstance(layer, RasterLayer)
    assert layer.pixels.depth == 16
    assert np.abs(compose(after)[38, 40].astype(int) - (0, 255, 0, 255)).max() <= 1


def test_what_does_not_fit_is_refused_with_a_sentence(painted: Callable[..., tuple[Result, Picture]]) -> None:
    state = scene()
    result, patch = painted(state)
    with pytest.raises(DocumentError, match="no longer fits"):
        accept(crop(state, Rect(0, 0, 20, 90)), result, patch)
    with pytest.raises(DocumentError, match="another picture"):
        accept(state, replace(result, foreign=True), patch)
    assert accept(crop(state, Rect(0, 0, 21, 90)), result, patch).active != state.active


FRAMES: dict[str, Callable[[State], State]] = {
    "cropped": lambda state: crop(state, Rect(25, 10, 80, 90)),
    "cropped through it": lambda state: crop(state, Rect(40, 35, 20, 20)),
    "with room": lambda state: expand(state, 13, 0, 5, 7),
    "mirrored": lambda state: flip_document(state, "horizontal"),
    "turned": lambda state: rotate_document(state, 270),
    "smaller": lambda state: image_size(state, state.width // 2, state.height // 4),
    "larger": lambda state: image_size(state, state.width * 2, state.height * 3),
    "turned and cropped": lambda state: crop(rotate_document(state, 90), Rect(9, 9, 100, 100)),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_result_finds_its_place_whatever_became_of_the_frame_meanwhile(
    painted: Callable[..., tuple[Result, Picture]], name: str
) -> None:
    change = FRAMES[name]
    result, patch = painted(scene())
    late, early = accept(change(scene()), result, patch), change(accept(scene(), result, patch))
    assert np.array_equal(compose(late), compose(early))


def test_a_result_of_a_cropped_picture_fits_the_whole_one_too(
    painted: Callable[..., tuple[Result, Picture]],
) -> None:
    cropped = crop(scene(), Rect(5, 7, 110, 100))
    result, patch = painted(cropped)
    assert from_json(to_json(result)) == result
    after = accept(scene(), result, patch)
    assert find(after, after.active or "").x == BOX.x + 5
    assert np.array_equal(compose(after)[7:107, 5:115], compose(accept(cropped, result, patch)))
    assert box_now(scene(), result.box, result.place) == (BOX.x + 5, BOX.y + 7, BOX.width, BOX.height)
    assert box_now(image_size(scene(), 30, 30), result.box, result.place) is None


# Stale


def changed_below(state: State, photo: str) -> dict[str, State]:
    pixels = state.layers[0]
    assert isinstance(pixels, RasterLayer)
    dotted = pixels.pixels.written(noise(1, 4, 4), 40, 40)
    hole = Plane(1, default=255).written(np.zeros((9, 9, 1), np.uint8), 40, 40)
    return {
        "painted": with_plane(state, Target("pixels", photo), dotted),
        "hidden": with_properties(state, photo, visible=False),
        "weaker": with_properties(state, photo, opacity=0.5),
        "mode": with_properties(state, photo, blend="multiply"),
        "masked": with_plane(state, Target("layer mask", photo), hole),
        "moved": replace(state, layers=(replace(pixels, x=1), *state.layers[1:])),
        "added": add(state, raster((1, 2, 3, 99), Rect(40, 40, 9, 9)), above=photo),
        "profile": replace(state, profile=srgb_profile()),
    }  # fmt: skip


def unchanged_below(state: State, photo: str, top: str) -> dict[str, State]:
    pixels = state.layers[0]
    assert isinstance(pixels, RasterLayer)
    outside = pixels.pixels.written(noise(1, 9, 9), 100, 100)
    return {
        "renamed": with_properties(state, photo, name="other"),
        "locked": with_properties(state, photo, locked=True),
        "outside the frame": with_plane(state, Target("pixels", photo), outside),
        "above": add(state, raster((1, 2, 3, 255))),
        "empty layer": add(state, raster((0, 0, 0, 0)), above=photo),
        "hidden layer": add(state, replace(raster((1, 2, 3, 255)), visible=False), above=photo),
        "invisible layer": add(state, raster((1, 2, 3, 255), opacity=0.0), above=photo),
        "itself": with_properties(state, top, opacity=0.5),
        "hidden itself": with_properties(state, top, visible=False),
        "cropped": crop(state, Rect(10, 15, 90, 80)),
        "edit mask": replace(state, edit_mask=Plane(1)),
    }


def test_what_changes_the_picture_below_makes_it_stale_and_nothing_else_does(
    painted: Callable[..., tuple[Result, Picture]],
) -> None:
    state = scene()
    photo = state.layers[0].id
    state = accept(state, *painted(state))
    top = state.active or ""
    for what, after in changed_below(state, photo).items():
        assert is_stale(after, top), what
    for what, after in unchanged_below(state, photo, top).items():
        assert not is_stale(after, top), what
    assert not is_stale(state, photo)
    hidden_and_back = with_properties(with_properties(state, photo, visible=False), photo, visible=True)
    assert not is_stale(hidden_and_back, top)


@given(states(), states(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_digest_sees_every_difference_of_the_picture(one: State, other: State, same: bool) -> None:
    """Equal digests mean equal pictures; a copy with other tiles, ids and names has the same digest."""
    rect = Rect(-10, -10, 60, 50)
    if same:
        other = replace(one, layers=tuple(_copied(layer) for layer in one.layers))
    digests = [digest_of(state.layers, rect, None) for state in (one, other)]
    if same:
        assert digests[0] == digests[1]
    if digests[0] == digests[1]:
        assert np.array_equal(compose(one, rect), compose(other, rect))


def _copied(layer: RasterLayer | GroupLayer) -> RasterLayer | GroupLayer:
    def plane(old: Plane) -> Plane:
        return old.with_tiles({index: tile.copy() for index, tile in old.tiles.items()})

    mask = None if layer.mask is None else plane(layer.mask)
    if isinstance(layer, GroupLayer):
        children = tuple(_copied(child) for child in layer.children)
        return replace(layer, id="x" + layer.id, name="copy", mask=mask, children=children)
    return replace(layer, id="x" + layer.id, name="copy", mask=mask, pixels=plane(layer.pixels))


def test_below_is_what_lies_below_in_the_groups() -> None:
    state = add(add(scene(), raster((1, 1, 1, 255), name="middle")), raster((2, 2, 2, 255), name="top"))
    photo, middle, top = (layer.id for layer in state.layers)
    state = group(state, [middle, top], "group")
    [first, second] = below(state, top)
    assert first.id == photo
    assert isinstance(second, GroupLayer)
    assert [layer.id for layer in second.children] == [middle]
    assert [layer.id for layer in below(state, middle)][:1] == [photo]
    assert below(state, photo) == ()
    with pytest.raises(ValueError):
        below(state, "nobody")


# Again


def test_a_stale_layer_is_run_again_on_what_lies_below_it_now(
    store: ResultStore, painted: Callable[..., tuple[Result, Picture]]
) -> None:
    state = scene()
    photo = state.layers[0].id
    result, patch = painted(state)
    state = with_properties(accept(state, result, patch), photo, opacity=0.5)
    layer_id = state.active or ""
    state = with_properties(add(state, raster((9, 9, 9, 255))), layer_id, opacity=0.4, name="mine")
    mask = store.mask(result.id)
    assert mask is not None
    under = rerun(state, layer_id, Plane.of(np.ascontiguousarray(mask.pixels[..., :1])))  # pyright: ignore[reportArgumentType]
    assert np.array_equal(compose(under), compose(replace(state, layers=state.layers[:1])))
    assert mask_box(under) == MASK
    assert mask_box(rerun(state, layer_id)) == MASK  # its own mask where it is full: the same here
    cropped = crop(state, Rect(10, 12, 100, 100))
    moved = rerun(cropped, layer_id, Plane.of(np.ascontiguousarray(mask.pixels[..., :1])))  # pyright: ignore[reportArgumentType]
    assert mask_box(moved) == MASK.moved(-10, -12)
    again, patch = painted(under)
    after = accept_again(state, layer_id, again, patch)
    layer = find(after, layer_id)
    assert (layer.name, layer.opacity, result_of_layer(layer)) == ("mine", 0.4, again.id)
    assert [other.id for other in after.layers] == [other.id for other in state.layers]
    assert is_stale(state, layer_id)
    assert not is_stale(after, layer_id)
    with pytest.raises(ValueError):
        rerun(state, photo)


def test_a_layer_that_was_mirrored_or_resized_has_its_own_mask_and_one_that_moved_the_edits(
    painted: Callable[..., tuple[Result, Picture]],
) -> None:
    state = scene()
    state = accept(state, *painted(state))
    layer_id, made_with = state.active or "", square(MASK)
    mask, moved_only = mask_of_layer(crop(state, Rect(3, 2, 120, 120)), layer_id, made_with)
    assert moved_only
    assert mask.equals(square(MASK.moved(-3, -2)))
    mirrored = flip_document(state, "horizontal")
    mask, moved_only = mask_of_layer(mirrored, layer_id, made_with)
    assert not moved_only
    assert mask.content() == Rect(128 - MASK.right, MASK.y, MASK.width, MASK.height)
    mask, moved_only = mask_of_layer(image_size(state, 256, 256), layer_id, made_with)
    assert not moved_only
    assert mask.content() in Rect(58, 58, 44, 36)


def test_other_layers_have_no_request_and_damaged_notes_are_none() -> None:
    layer = raster((1, 2, 3, 255))
    assert request_of_layer(layer) is None
    assert result_of_layer(layer) is None
    odd = replace(layer, extra=MappingProxyType({"recipe": {"x": 1}, "result": 7, "below": "x", "box": ["a"]}))
    assert request_of_layer(odd) is None
    assert result_of_layer(odd) is None
    state = State(width=40, height=30, layers=(odd,))
    assert not is_stale(state, odd.id)
    with pytest.raises(ValueError):
        rerun(state, odd.id)


def test_asking_again_after_a_stroke_costs_little() -> None:
    """24 megapixels below: only the tiles of the stroke are read anew."""
    import time

    whole = Rect(0, 0, 6000, 4000)
    photo = RasterLayer(
        pixels=Plane.of(np.random.default_rng(1).integers(0, 256, (4000, 6000, 4), np.uint8)), name="p"
    )
    digest_of((photo,), whole, None)
    stroked = replace(photo, pixels=photo.pixels.written(noise(1, 300, 300), 1000, 1000))
    start = time.process_time()
    digest_of((stroked,), whole, None)
    assert time.process_time() - start < 0.1


def test_resizing_makes_it_stale(painted: Callable[..., tuple[Result, Picture]]) -> None:
    state = accept(scene(), *painted(scene()))
    assert is_stale(image_size(state, 256, 256), state.active or "")


@pytest.mark.parametrize(
    "junk",
    [[0, 0, 2**60, 2**60, 0, 0], [0, 0, 2**30, 2**30, 0, 0], [2**70, 0, 9, 9, 0, 0], [0, 0, -1, 5, 0, 0], ["a"] * 6,
     [0, 0, 9, 9, 1.5, None], 7],
    ids=str,
)  # fmt: skip
def test_a_box_that_cannot_be_holds_nobody_up(painted: Callable[..., tuple[Result, Picture]], junk: object) -> None:
    state = accept(scene(), *painted(scene()))
    layer = find(state, state.active or "")
    state = replaced(state, replace(layer, extra=MappingProxyType({**layer.extra, "box": junk})))
    assert not is_stale(state, layer.id)
    assert shift_of(state, layer.id) == (0, 0)
    with pytest.raises(ValueError, match="not made by an edit"):
        rerun(state, layer.id)
