"""Layers are moved as a whole, groups as one and masks with them, and locked ones stay."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document import transform as tf
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.resample import rotation, translation
from ace_desktop.document.state import GroupLayer, RasterLayer, State
from ace_desktop.document.tree import find, with_properties
from tests.ace_desktop.document.drawings import noise, plain, states

WHOLE = Rect(-100, -100, 300, 300)


def document() -> State:
    """Return a masked layer in a masked group, both away from the origin."""
    layer = RasterLayer(
        pixels=Plane.of(noise(1, 41, 30)), name="photo", id="photo", x=5, y=-4, mask=plain((200,), Rect(3, 2, 30, 25))
    )
    other = RasterLayer(pixels=plain((9, 200, 9, 255), Rect(0, 0, 8, 8)), name="dot", id="dot", x=30, y=30)
    group = GroupLayer(
        children=(layer, other), name="group", id="group", x=20, y=10, mask=plain((255,), Rect(0, 0, 36, 36))
    )
    return State(width=100, height=80, layers=(group,), active="photo")


def seen(state: State) -> np.ndarray:
    return compose(state, WHOLE)


@pytest.mark.parametrize("layer_id", ["photo", "group"])
def test_four_quarter_turns_and_two_flips_are_nothing(layer_id: str) -> None:
    before = document()
    for degrees, times in ((90, 4), (180, 2), (270, 4), (-90, 4)):
        after = before
        for _ in range(times):
            after = tf.rotate(after, layer_id, degrees, (50, 40))
        assert np.array_equal(seen(after), seen(before))
    for how in ("horizontal", "vertical"):
        once = tf.flip(before, layer_id, how)
        assert not np.array_equal(seen(once), seen(before))
        assert np.array_equal(seen(tf.flip(once, layer_id, how)), seen(before))
        assert tf.middle(once, layer_id) == tf.middle(before, layer_id)


def test_a_quarter_turn_of_a_group_is_that_of_what_it_shows() -> None:
    before = document()
    after = tf.rotate(before, "group", 90, (50, 50))
    assert np.array_equal(seen(after), np.rot90(seen(before), -1))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_quarter_turn_loses_nothing_even_around_an_odd_middle(degrees: int) -> None:
    before = document()
    after = tf.rotate(before, "photo", degrees)
    layer, turned = find(before, "photo"), find(after, "photo")
    assert isinstance(layer, RasterLayer)
    assert isinstance(turned, RasterLayer)
    old, new = layer.pixels.read(layer.pixels.content()), turned.pixels.read(turned.pixels.content())
    assert np.array_equal(np.rot90(old, -degrees // 90), new)
    assert np.abs(np.subtract(tf.middle(after, "photo"), tf.middle(before, "photo"))).max() <= 1


@settings(max_examples=20, deadline=None)
@given(states(), st.integers(-300, 300), st.integers(-300, 300))
def test_moving_all_layers_moves_the_picture(state: State, dx: int, dy: int) -> None:
    after = tf.move(state, [layer.id for layer in state.layers], dx, dy)
    assert np.array_equal(compose(after, WHOLE.moved(dx, dy)), seen(state))


def test_any_matrix_of_a_group_is_that_of_its_parts() -> None:
    before = replace(document(), layers=(replace(document().layers[0], mask=None),))
    matrix = translation(3.5, 0) @ rotation(20, (40, 40))
    as_one = tf.transform(before, "group", matrix)
    one_by_one = tf.transform(tf.transform(before, "photo", matrix), "dot", matrix)
    assert np.array_equal(seen(as_one), seen(one_by_one))
    assert not np.array_equal(seen(as_one), seen(before))


def test_scaling_stays_in_its_middle() -> None:
    after = tf.scale(document(), "dot", 2, 0.5)
    assert tf.content(find(after, "dot")) == Rect(26, 32, 16, 4)
    assert tf.content(find(after, "group")) == Rect(5, -4, 41, 40).moved(20, 10)


def test_locked_layers_stay_also_as_a_part_of_a_group() -> None:
    for locked, moved in (("photo", "photo"), ("photo", "group"), ("group", "photo")):
        state = with_properties(document(), locked, locked=True)
        with pytest.raises(ValueError, match="locked"):
            tf.move(state, [moved], 1, 0)
