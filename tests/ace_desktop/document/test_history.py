"""Undo gives back the very states, keeps what fits in memory, and a view repaints all that looks different."""

from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.history import History, changed_rect
from ace_desktop.document.plane import TILE, Plane
from ace_desktop.document.state import BLEND_MODES, GroupLayer, Layer, RasterLayer, State
from tests.ace_desktop.document.drawings import FRAME, layers, noise, planes, raster, states

TILE_BYTES = TILE * TILE * 4


def numbered(count: int) -> list[State]:
    """Return states that differ in one layer of one tile."""
    return [
        State(width=9, height=9, layers=(raster((n, 0, 0, 255), Rect(0, 0, 9, 9), name=str(n)),))
        for n in range(count)
    ]


def test_a_fresh_document_has_nothing_to_undo_and_is_saved() -> None:
    history = History(State(width=1, height=1))
    assert (history.undo_label, history.redo_label, history.changed) == (None, None, False)
    assert history.undo() is history.redo() is history.state


def test_undo_and_redo_walk_over_the_very_states() -> None:
    steps = numbered(4)
    history = History(steps[0])
    for number, state in enumerate(steps[1:], 1):
        history.do(f"step {number}", state)
    assert history.undo_label == "step 3"
    assert [history.undo() for _ in range(3)] == steps[2::-1]
    assert history.redo_label == "step 1"
    assert history.labels == (["step 1", "step 2", "step 3"], 0)
    assert [history.redo() for _ in range(3)] == steps[1:]
    history.undo()
    history.do("other", steps[0])
    assert history.labels == (["step 1", "step 2", "other"], 3)
    assert history.redo_label is None


def test_steps_with_one_key_are_one_until_they_are_undone_or_saved() -> None:
    a, b, c, d, e, f = numbered(6)
    history = History(a)
    history.do("opacity", b, key=("opacity", "x"))
    history.do("opacity", c, key=("opacity", "x"))
    assert history.labels == (["opacity"], 1)
    assert history.undo() is a
    assert history.redo() is c
    history.do("opacity", d, key=("opacity", "x"))
    history.mark_saved(d)
    history.do("opacity", e, key=("opacity", "x"))
    history.do("opacity", f, key=("opacity", "y"))
    assert history.labels[0] == ["opacity"] * 4


def test_a_document_is_changed_unless_the_present_state_is_the_saved_one() -> None:
    a, b, c = numbered(3)
    history = History(a)
    history.do("b", b)
    assert history.changed
    history.do("c", c)
    history.mark_saved(b)  # saving ended after the next step was made
    assert history.changed
    history.undo()
    assert not history.changed
    history.amend(replace(b, active=None))
    assert not history.changed
    history.do("other", a)
    history.undo()
    assert not history.changed


def test_the_oldest_go_when_memory_is_full_and_the_present_stays() -> None:
    steps = numbered(6)
    history = History(steps[0], limit_bytes=2 * TILE_BYTES)
    for state in steps[1:]:
        history.do(state.layers[0].name, state)
    assert history.nbytes == 2 * TILE_BYTES
    assert history.labels == (["4", "5"], 2)
    assert history.undo() is steps[4]
    assert history.undo() is steps[3]
    assert history.undo_label is None
    nothing_fits = History(steps[0], limit_bytes=0)
    nothing_fits.do("1", steps[1])
    assert nothing_fits.state is steps[1]
    assert nothing_fits.undo_label is None


def test_only_what_the_present_does_not_hold_counts_and_each_thing_once() -> None:
    big = RasterLayer(pixels=Plane.of(noise(1, 600, 600)), name="big")
    first = State(width=600, height=600, layers=(big,))
    history = History(first)
    for x in range(3):  # a stroke in the same tile
        layer = replace(big, pixels=history.state.layers[0].pixels.written(noise(x + 2, 5, 5), x, 0))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        history.do("stroke", replace(first, layers=(layer,)))
    assert history.nbytes == 3 * TILE_BYTES
    attached = replace(history.state, attachments=MappingProxyType({"result.png": bytes(1000)}))
    history.do("result", attached)
    history.undo()
    assert history.nbytes == 3 * TILE_BYTES + 1000
    for _ in range(3):
        history.undo()
    history.do("other", replace(first, active="x"))
    assert history.nbytes == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(("do", "undo", "redo", "amend", "key")), max_size=25), st.integers(0, 6))
def test_the_count_of_memory_is_that_of_the_states(commands: list[str], tiles: int) -> None:
    history = History(numbered(1)[0], limit_bytes=tiles * TILE_BYTES)
    for command in commands:
        if command in ("do", "key"):
            history.do(command, numbered(1)[0], key="k" if command == "key" else None)
        elif command == "amend":
            history.amend(numbered(1)[0])
        else:
            getattr(history, command)()
        others = len(history.labels[0])  # every state has one tile of its own
        assert history.nbytes == others * TILE_BYTES
        assert command in ("undo", "redo", "amend") or history.nbytes <= tiles * TILE_BYTES


def edited(data: DataObject, state: State) -> State:
    """Return a state after a random change of what a view shows."""
    kind = data.draw(st.sampled_from(("layer", "layer", "order", "add", "remove", "edit mask", "selection", "size")))
    found = list(state.layers)
    at = data.draw(st.integers(0, max(len(found) - 1, 0)))
    if kind == "layer" and found:
        found[at] = changed_layer(data, found[at])
    elif kind == "order":
        found = data.draw(st.permutations(found))
    elif kind == "add":
        found.insert(at, data.draw(layers()))
    elif kind == "remove":
        del found[at : at + 1]
    elif kind == "edit mask":
        return replace(state, edit_mask=data.draw(planes(1)))
    elif kind == "selection":
        return replace(state, selection=data.draw(st.none() | planes(1)))
    elif kind == "size":
        return replace(state, width=data.draw(st.integers(1, 60)))
    return replace(state, layers=tuple(found))


def changed_layer(data: DataObject, layer: Layer) -> Layer:
    if isinstance(layer, GroupLayer) and layer.children and data.draw(st.booleans()):
        first = changed_layer(data, layer.children[0])
        return replace(layer, children=(*layer.children[1:], first))
    change = data.draw(
        st.sampled_from(
            (
                {"visible": not layer.visible},
                {"opacity": 0.25},
                {"x": layer.x + 7},
                {"y": layer.y - 300},
                {"mask_enabled": not layer.mask_enabled},
                {"mask": None},
                {"mask": data.draw(planes(1))},
                {"blend": data.draw(st.sampled_from(BLEND_MODES))},
                {"name": "other"},
            )
        )
    )
    if isinstance(layer, RasterLayer) and data.draw(st.booleans()):
        patch = noise(data.draw(st.integers(0, 99)), 8, 8, depth=layer.pixels.depth)
        at = st.integers(-40, 40)
        change = {"pixels": layer.pixels.written(patch, data.draw(at), data.draw(at))}
    return replace(layer, **change)


@settings(max_examples=80, deadline=None)
@given(states(), st.data())
def test_what_lies_outside_the_changed_rectangles_looks_the_same(before: State, data: DataObject) -> None:
    after = edited(data, before)
    rects = changed_rect(before, after)
    if before.frame != after.frame:
        assert rects == [after.frame]
        return
    same = compose(before) == compose(after)
    for one, other in ((before.edit_mask, after.edit_mask), (before.selection, after.selection)):
        all_selected = Plane(1, default=255)
        same &= (one or all_selected).read(FRAME) == (other or all_selected).read(FRAME)
    for rect in rects:
        assert rect in after.frame
        same[rect.y : rect.bottom, rect.x : rect.right] = True
    assert np.all(same)


def test_a_stroke_repaints_its_tiles_and_a_hidden_or_renamed_layer_nothing() -> None:
    layer = RasterLayer(pixels=Plane.of(noise(1, 1000, 1000)), name="photo", x=10)
    before = State(width=1000, height=1000, layers=(layer, raster((1, 2, 3, 4))))
    painted = replace(layer, pixels=layer.pixels.written(noise(2, 5, 5), 300, 300))
    after = replace(before, layers=(painted, before.layers[1]))
    assert changed_rect(before, after) == [Rect(266, 256, 256, 256)]
    hidden = [replace(state, layers=(replace(state.layers[0], visible=False),)) for state in (before, after)]
    assert changed_rect(*hidden) == []
    assert changed_rect(before, replace(before, layers=(replace(layer, name="x"), before.layers[1]))) == []


def test_a_layer_that_jumps_repaints_only_itself() -> None:
    dots = [raster((n, n, n, 255), Rect(256 * n, 0, 9, 9), name=str(n)) for n in range(5)]
    before = State(width=2000, height=300, layers=tuple(dots))
    after = replace(before, layers=(dots[4], *dots[:4]))
    assert changed_rect(before, after) == [Rect(1024, 0, 256, 256)]
    for one, other in pairwise(numbered(2)):
        assert changed_rect(one, other) == [Rect(0, 0, 9, 9)]
