"""Layers are found, dropped, grouped and released without moving on the screen, and one of them stays active."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from ace_desktop.document import tree
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.state import GroupLayer, RasterLayer, State, walk
from tests.ace_desktop.document.drawings import FRAME, plain, raster, states

INK = (0, 0, 0, 255)


def dot(name: str, x: int = 0, y: int = 0) -> RasterLayer:
    return RasterLayer(pixels=plain((*name.encode()[:1] * 3, 255), Rect(0, 0, 2, 2)), name=name, id=name, x=x, y=y)


def document() -> State:
    """Return a, g(b, h(c), d), e; the groups stand at 10, 5 and 3, 1."""
    inner = GroupLayer(children=(dot("c", 7),), name="h", id="h", x=3, y=1)
    outer = GroupLayer(children=(dot("b"), inner, dot("d", 4)), name="g", id="g", x=10, y=5)
    return State(width=40, height=30, layers=(dot("a"), outer, dot("e", 1, 1)), active="d")


def shape(state: State) -> str:
    def told(layers: tuple[RasterLayer | GroupLayer, ...]) -> str:
        return " ".join(f"{x.name}({told(x.children)})" if isinstance(x, GroupLayer) else x.name for x in layers)

    return told(state.layers)


def test_layers_are_found_with_the_groups_around_them() -> None:
    state = document()
    assert [group.id for group in tree.ancestors(state, "c")] == ["g", "h"]
    assert tree.origin(state, "c") == (20, 6)
    assert tree.parent_origin(state, "c") == (13, 6)
    assert [layer.id for layer in tree.siblings(state, "d")] == ["b", "h", "d"]
    for lost in (tree.find, tree.ancestors):
        with pytest.raises(ValueError, match="no layer x"):
            lost(state, "x")


def test_a_lock_holds_for_all_that_a_group_holds() -> None:
    state = tree.with_properties(document(), "g", locked=True)
    assert [layer.id for layer in walk(state.layers) if tree.editable(state, layer.id)] == ["a", "e"]


def test_a_layer_is_added_above_below_into_or_on_top_and_becomes_active() -> None:
    state, new = document(), dot("n")
    assert shape(tree.add(state, new)) == "a g(b h(c) d) e n"
    assert shape(tree.add(state, new, above="a")) == "a n g(b h(c) d) e"
    assert shape(tree.add(state, new, below="b")) == "a g(n b h(c) d) e"
    assert shape(tree.add(state, new, into="h")) == "a g(b h(c n) d) e"
    assert tree.add(state, new, into="h").active == "n"
    beside = tree.add_above_active(state, dot("n", 12, 9))
    assert shape(beside) == "a g(b h(c) d n) e"
    assert tree.origin(beside, "n") == (12, 9)
    with pytest.raises(ValueError, match="no group"):
        tree.add(state, new, into="a")


def test_what_stands_beside_a_removed_layer_becomes_active() -> None:
    state = document()
    assert shape(tree.remove(state, ["c", "h", "a"])) == "g(b d) e"
    assert tree.remove(state, ["d"]).active == "h"
    assert tree.remove(replace(state, active="b"), ["b"]).active == "h"
    assert tree.remove(replace(state, active="c"), ["c"]).active == "h"
    assert tree.remove(replace(state, active="c"), ["g"]).active == "a"
    assert tree.remove(state, ["a"]).active == "d"
    assert tree.remove(state, ["a", "g", "e"]).active is None


@pytest.mark.parametrize(
    ("ids", "where", "expected"),
    [
        (["a"], {"above": "e"}, "g(b h(c) d) e a"),
        (["e"], {"below": "a"}, "e a g(b h(c) d)"),
        (["e", "a"], {"into": "h"}, "g(b h(c a e) d)"),
        (["c", "d"], {"above": "a"}, "a c d g(b h()) e"),
        (["c", "d"], {"below": "a"}, "c d a g(b h()) e"),
        (["h"], {"above": "g"}, "a g(b d) h(c) e"),
        (["b"], {"into": "g"}, "a g(h(c) d b) e"),
    ],
)
def test_dropped_layers_keep_their_order_and_their_place(
    ids: list[str], where: dict[str, str], expected: str
) -> None:
    before = document()
    after = tree.move(before, ids, **where)
    assert shape(after) == expected
    assert after.active == "d"
    for layer in walk(before.layers):
        assert tree.origin(after, layer.id) == tree.origin(before, layer.id)


@pytest.mark.parametrize("target", ["g", "h", "c"])
def test_a_group_is_never_dropped_into_itself(target: str) -> None:
    state = document()
    assert not tree.can_move(state, ["g"], target)
    for where in ("above", "into"):
        with pytest.raises(ValueError, match="into themselves"):
            tree.move(state, ["g"], **{where: target})


def test_copies_have_names_of_their_own() -> None:
    after = tree.duplicate(document(), ["g", "c", "a"])
    assert shape(after) == "a a g(b h(c) d) g(b h(c) d) e"
    ids = [layer.id for layer in walk(after.layers)]
    assert len(set(ids)) == len(ids)
    assert after.active == after.layers[3].id


def test_properties_are_set_and_nonsense_is_refused() -> None:
    state = tree.with_properties(document(), "c", name="sky", opacity=0.5, blend="screen", visible=False)
    found = tree.find(state, "c")
    assert (found.name, found.opacity, found.blend, found.visible) == ("sky", 0.5, "screen", False)
    nonsense: list[dict[str, object]] = [{"opacity": 1.5}, {"blend": "dissolve"}, {"x": 3}]
    for properties in nonsense:
        with pytest.raises(ValueError):
            tree.with_properties(state, "c", **properties)


def test_grouping_and_releasing_changes_no_place() -> None:
    before = document()
    grouped = tree.group(before, ["e", "c", "a"], "new")
    assert shape(grouped) == "g(b h() d) new(a c e)"
    assert grouped.active == grouped.layers[1].id
    released = tree.ungroup(grouped, grouped.layers[1].id)
    assert shape(released) == "g(b h() d) a c e"
    assert released.active == "e"
    for layer in walk(before.layers):
        assert tree.origin(released, layer.id) == tree.origin(before, layer.id)


def test_released_layers_look_as_the_group_made_them() -> None:
    child = replace(raster((200, 100, 50, 200), Rect(3, 3, 20, 20)), x=2, mask=plain((128,), Rect(0, 0, 15, 15)))
    group = GroupLayer(children=(child,), name="g", x=1, opacity=0.5, mask=plain((255,), Rect(5, 5, 9, 30)))
    state = State(width=40, height=30, layers=(raster((0, 0, 0, 255)), group))
    after = tree.ungroup(state, group.id)
    assert len(after.layers) == 2
    assert np.abs(compose(after).astype(int) - compose(state)).max() <= 1
    hidden = tree.ungroup(tree.with_properties(state, group.id, visible=False), group.id)
    assert not hidden.layers[1].visible


@settings(max_examples=30, deadline=None)
@given(states(), st.data())
def test_whatever_is_done_a_layer_that_exists_is_active(state: State, data: DataObject) -> None:
    for _ in range(4):
        ids = [layer.id for layer in walk(state.layers)]
        if not ids:
            break
        some, one = (
            data.draw(st.lists(st.sampled_from(ids), min_size=1, unique=True)),
            data.draw(st.sampled_from(ids)),
        )
        command = data.draw(st.sampled_from(("move", "remove", "group", "ungroup", "duplicate")))
        if command == "move" and tree.can_move(state, some, one):
            state = tree.move(state, some, above=one)
        elif command == "remove":
            state = tree.remove(state, some)
        elif command == "group":
            state = tree.group(state, some, "group")
        elif command == "ungroup" and isinstance(tree.find(state, one), GroupLayer):
            state = tree.ungroup(state, one)
        elif command == "duplicate":
            state = tree.duplicate(state, [one])
        left = [layer.id for layer in walk(state.layers)]
        assert len(set(left)) == len(left)
        assert state.active in left or (state.active is None and not left)
    assert state.frame == FRAME
