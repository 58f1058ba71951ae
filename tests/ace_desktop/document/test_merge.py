"""Merged layers look as they did, keep their depth, and refuse what would lose something unseen."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from ace_desktop.document.compose import compose, compose_layers
from ace_desktop.document.geometry import Rect
from ace_desktop.document.merge import can_merge_down, flatten, merge_down, merge_visible, stamp_visible, thumbnail
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.document.tree import with_properties
from tests.ace_desktop.document.drawings import FRAME, noise, raster, states


@settings(max_examples=40, deadline=None)
@given(states())
def test_flattening_and_stamping_change_no_look(state: State) -> None:
    flat = flatten(state, "flat")
    assert len(flat.layers) == 1
    assert np.array_equal(compose(flat), compose(state))
    stamped = stamp_visible(state, "stamp")
    assert stamped.layers[:-1] == state.layers
    assert stamped.active == stamped.layers[-1].id
    assert np.array_equal(compose_layers(stamped.layers[-1:], FRAME), compose(state))


def test_merging_down_keeps_the_look_and_the_lower_layers_name() -> None:
    base = raster((10, 20, 30, 255), name="base")
    below = replace(RasterLayer(pixels=Plane.of(noise(1, 30, 20)), name="below"), x=3, opacity=0.5)
    above = RasterLayer(pixels=Plane.of(noise(2, 30, 20)), name="above", y=-4, blend="normal")
    before = State(width=40, height=30, layers=(base, below, above), active=above.id)
    after = merge_down(before, above.id)
    assert [layer.name for layer in after.layers] == ["base", "below"]
    assert after.active == after.layers[1].id == below.id
    assert np.abs(compose(after).astype(int) - compose(before)).max() <= 1


def test_what_is_hidden_locked_or_lowest_is_not_merged() -> None:
    layers = tuple(raster((n, n, n, 255), name=str(n)) for n in range(3))
    state = State(width=40, height=30, layers=layers)
    assert can_merge_down(state, layers[1].id)
    for wrong, id_ in (
        (state, layers[0].id),
        (with_properties(state, layers[0].id, locked=True), layers[1].id),
        (with_properties(state, layers[1].id, visible=False), layers[1].id),
    ):
        assert not can_merge_down(wrong, id_)
        with pytest.raises(ValueError):
            merge_down(wrong, id_)


def test_merging_the_visible_ones_leaves_the_hidden_ones() -> None:
    layers = tuple(raster((n, n, n, 99), name=str(n)) for n in range(4))
    state = with_properties(
        State(width=40, height=30, layers=layers, active=layers[3].id), layers[1].id, visible=False
    )
    after = merge_visible(state)
    assert [layer.name for layer in after.layers] == ["0", "1"]
    assert after.active == after.layers[0].id
    assert np.array_equal(compose(after), compose(state))
    with pytest.raises(ValueError, match="locked"):
        merge_visible(with_properties(state, layers[3].id, locked=True))


def test_16_bits_stay_16_bits() -> None:
    deep = RasterLayer(pixels=Plane.of(noise(3, 40, 30, depth=16)), name="deep")
    state = State(width=40, height=30, layers=(raster((1, 2, 3, 255)), deep))
    flat = flatten(state, "flat").layers[0]
    assert isinstance(flat, RasterLayer)
    assert flat.pixels.depth == 16
    assert np.array_equal(flat.pixels.read(FRAME), compose_layers(state.layers, FRAME, 16))


@pytest.mark.parametrize(
    ("width", "height", "size"), [(1000, 700, 64), (700, 1000, 301), (40, 30, 64), (3000, 7, 48)]
)
def test_a_thumbnail_has_the_mean_colours_and_no_dark_edges(width: int, height: int, size: int) -> None:
    half = raster((200, 100, 50, 255), Rect(0, 0, width // 2, height))
    small = thumbnail([half], Rect(0, 0, width, height), size)
    assert max(small.shape[:2]) == min(size, max(width, height))
    assert abs(small.shape[1] / small.shape[0] - width / height) <= max(
        0.05 * width / height, 1 if height < 9 else 0
    ) or (small.shape[0] == 1)
    assert small[..., 3].mean() == pytest.approx(127.5, abs=3)
    seen = small[small[..., 3] > 0][:, :3].astype(int)
    assert np.abs(seen - [200, 100, 50]).max() <= 1
