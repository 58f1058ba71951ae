"""Any sequence of edits, all undone, gives back the same bytes, and redone the same again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from ace_desktop.document import canvas_size, masks, merge, pixels, shapes, smart_select, transform, tree
from ace_desktop.document.geometry import Rect
from ace_desktop.document.history import History
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import GroupLayer, Layer, RasterLayer, State, walk
from ace_desktop.document.stroke import Brush, Stroke
from ace_desktop.document.target import EDIT_MASK, SELECTION, Target, mask_of, with_mask
from tests.ace_desktop.document.drawings import noise, raster, rects, states

Command: TypeAlias = Callable[[State, str, DataObject], State]  # the state, one of its layers, and what to draw from


def told(layer: Layer) -> tuple[object, ...]:
    """Return all of a layer but the objects that hold it."""
    inside = told_plane(layer.pixels) if isinstance(layer, RasterLayer) else [told(child) for child in layer.children]
    look = layer.visible, layer.opacity, layer.blend, layer.x, layer.y, layer.mask_enabled
    return layer.id, layer.name, layer.locked, look, told_plane(layer.mask), inside


def told_plane(plane: Plane | None) -> object:
    if plane is None:
        return None
    tiles = sorted((index, sha256(tile.tobytes()).hexdigest()) for index, tile in plane.tiles.items())
    return plane.channels, plane.depth, plane.default, tiles


def fingerprint(state: State) -> tuple[object, ...]:
    """Return everything a document is, its bytes as digests."""
    kept = [told_plane(plane) for plane in (state.edit_mask, state.selection, *state.masks.values())]
    return state.frame, [told(layer) for layer in state.layers], kept, list(state.masks), state.active


def stroke(state: State, target: Target, data: DataObject) -> State:
    brush = Brush(
        data.draw(st.sampled_from((3.0, 40.0))), 0.5, 0.8, erase=data.draw(st.booleans()), colour=(9, 99, 199)
    )
    drawn = Stroke(state, target, brush)
    for _ in range(data.draw(st.integers(1, 3))):
        drawn.to(data.draw(st.integers(-30, 60)), data.draw(st.integers(-30, 60)))
    return drawn.state()


def moved(state: State, layer_id: str, data: DataObject) -> State:
    others = [layer.id for layer in walk(state.layers) if tree.can_move(state, [layer_id], layer.id)]
    return tree.move(state, [layer_id], below=data.draw(st.sampled_from(others))) if others else state


def selected(state: State, _: str, data: DataObject) -> State:
    shape = shapes.rectangle(data.draw(rects()), state.frame)
    how = data.draw(st.sampled_from(("replace", "add", "subtract", "intersect")))
    return masks.copied(state, shape, data.draw(st.sampled_from((SELECTION, EDIT_MASK))), how)


def wand(state: State, layer_id: str, data: DataObject) -> State:
    x, y = (data.draw(st.integers(0, side - 1)) for side in (state.width, state.height))
    return with_mask(state, SELECTION, smart_select.magic_wand(state, x, y, 40, layer_id=layer_id))


def pasted(state: State, layer_id: str, _: DataObject) -> State:
    after, clip = pixels.cut(state, layer_id)
    return after if clip is None else pixels.paste(after, clip, "pasted", (0, 0))


def cropped(state: State, _: str, data: DataObject) -> State:
    return canvas_size.crop(state, data.draw(rects()), keep_outside=data.draw(st.booleans()))


COMMANDS: Mapping[str, Command] = {
    "paint": lambda state, id_, data: stroke(state, Target("pixels", id_), data),
    "paint the mask of a layer": lambda state, id_, data: stroke(state, Target("layer mask", id_), data),
    "paint the edit mask": lambda state, _, data: stroke(state, EDIT_MASK, data),
    "paint the selection": lambda state, _, data: stroke(state, SELECTION, data),
    "move in the tree": moved,
    "remove": lambda state, id_, _: tree.remove(state, [id_]),
    "duplicate": lambda state, id_, _: tree.duplicate(state, [id_]),
    "group": lambda state, id_, _: tree.group(state, [id_], "group"),
    "ungroup": lambda state, id_, _: tree.ungroup(state, id_),
    "set": lambda state, id_, data: tree.with_properties(state, id_, opacity=data.draw(st.floats(0, 1))),
    "lock": lambda state, id_, _: tree.with_properties(state, id_, locked=True),
    "merge down": lambda state, id_, _: merge.merge_down(state, id_),
    "merge visible": lambda state, _, __: merge.merge_visible(state),
    "flatten": lambda state, _, __: merge.flatten(state, "flat"),
    "stamp": lambda state, _, __: merge.stamp_visible(state, "stamp"),
    "select": selected,
    "wand": wand,
    "grow": lambda state, _, __: with_mask(state, EDIT_MASK, masks.grown(state.edit_mask, state.frame, 4)),
    "feather": lambda state, _, __: with_mask(state, EDIT_MASK, masks.feathered(state.edit_mask, state.frame, 2)),
    "invert": lambda state, _, __: with_mask(
        state, SELECTION, masks.inverted(mask_of(state, SELECTION), state.frame)
    ),
    "save a mask": lambda state, _, __: masks.copied(state, SELECTION, Target("saved mask", "new")),
    "fill": lambda state, id_, _: pixels.fill(state, id_, (1, 2, 3), 0.5),
    "bucket": lambda state, id_, _: pixels.bucket_fill(state, id_, 0, 0, (1, 2, 3), 90),
    "clear": lambda state, id_, _: pixels.clear(state, id_),
    "cut and paste": pasted,
    "move": lambda state, id_, _: transform.move(state, [id_], 5, -300),
    "rotate": lambda state, id_, data: transform.rotate(state, id_, data.draw(st.sampled_from((90, 33)))),
    "scale": lambda state, id_, data: transform.scale(state, id_, data.draw(st.sampled_from((0.6, 1.5))), 1.2),
    "flip": lambda state, id_, _: transform.flip(state, id_, "vertical"),
    "crop": cropped,
    "expand": lambda state, _, __: canvas_size.expand(state, 3, 4, 5, 6),
    "resize": lambda state, _, __: canvas_size.image_size(state, 33, 27),
    "turn": lambda state, _, __: canvas_size.rotate_document(state, 90),
}

REFUSALS = "locked|is no group|is a group|cannot be merged down|nothing to merge"  # what the state does not allow


@settings(max_examples=40, deadline=None)
@given(states(), st.data())
def test_undoing_all_gives_back_the_same_bytes_and_redoing_the_same_again(state: State, data: DataObject) -> None:
    history = History(state)
    seen = [fingerprint(state)]
    for _ in range(data.draw(st.integers(1, 7))):
        ids = [layer.id for layer in walk(history.state.layers)]
        if not ids:
            break
        name = data.draw(st.sampled_from(sorted(COMMANDS)))
        try:
            after = COMMANDS[name](history.state, data.draw(st.sampled_from(ids)), data)
        except ValueError as refused:
            assert any(reason in str(refused) for reason in REFUSALS.split("|")), refused  # noqa: PT017
            continue
        if after is not history.state:
            history.do(name, after)
            seen.append(fingerprint(after))
    for expected in reversed(seen):
        assert fingerprint(history.state) == expected
        history.undo()
    for expected in seen:
        assert fingerprint(history.state) == expected
        history.redo()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_changes_a_document_that_allows_it(name: str) -> None:
    below, above = raster((200, 9, 9, 255)), RasterLayer(pixels=Plane.of(noise(1, 20, 21), 3, 3), name="noise")
    group = GroupLayer(children=(raster((9, 9, 200, 255), Rect(0, 0, 9, 9)),), name="group")
    selection = shapes.rectangle(Rect(2, 2, 15, 15), Rect(0, 0, 40, 30))
    state = State(width=40, height=30, layers=(below, above, group), edit_mask=selection, selection=selection)
    changed: list[bool] = []

    @settings(max_examples=10, deadline=None, database=None, derandomize=True)
    @given(st.data())
    def tried(data: DataObject) -> None:
        after = COMMANDS[name](state, group.id if name == "ungroup" else above.id, data)
        changed.append(fingerprint(after) != fingerprint(state))

    tried()
    assert any(changed)
