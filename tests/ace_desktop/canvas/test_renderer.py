"""What is rendered while one layer changes is what rendering anew gives, bit for bit, and nothing old is kept."""

import gc
import weakref
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.canvas.render import render
from ace_desktop.canvas.renderer import Renderer
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import TILE, Plane
from ace_desktop.document.state import GroupLayer, Layer, RasterLayer, State
from ace_desktop.document.stroke import Brush, Stroke
from ace_desktop.document.target import Target
from tests.ace_desktop.document.drawings import layers, noise, rects


def repainted(layer: Layer, seed: int) -> Layer:
    """Return the layer as another one: with other pixels or, for a group, other opacity."""
    if isinstance(layer, GroupLayer):
        return replace(layer, opacity=seed % 10 / 10)
    return replace(layer, pixels=layer.pixels.written(noise(seed, 20, 30, depth=layer.pixels.depth), -5, -5))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(layers(), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.lists(rects(), min_size=1, max_size=2)), max_size=4),
    st.sampled_from((0, TILE * TILE * 4, 1 << 30)),
)
def test_whatever_changes_it_is_the_same_as_rendered_anew(
    found: list[Layer], changes: list[tuple[int, int, list[Rect]]], limit: int
) -> None:
    renderer = Renderer(limit)
    now = tuple(found)
    for which, times, places in [(0, 1, [Rect(-30, -30, 60, 60)]), *changes]:
        for time in range(times):
            index = which % len(now)
            now = (*now[:index], repainted(now[index], 10 * which + time), *now[index + 1 :])
            for rect in places:
                assert np.array_equal(renderer.render(now, rect), render(now, rect))
        now = now[1:] if times == 0 and len(now) > 1 else now


def test_a_stroke_renders_only_the_layer_that_it_is_on_and_keeps_no_older_one() -> None:
    stack = tuple(RasterLayer(pixels=Plane.of(noise(n, TILE, TILE)), name=str(n), id=str(n)) for n in range(5))
    state = State(width=TILE, height=TILE, layers=stack)
    renderer = Renderer()
    stroke = Stroke(state, Target("pixels", "2"), Brush(40, colour=(255, 0, 0)))
    old: list[weakref.ref[Layer]] = []
    for x in range(0, 200, 20):
        stroke.to(x, 50)
        now = stroke.state().layers
        assert np.array_equal(renderer.render(now, state.frame), render(now, state.frame))
        old.append(weakref.ref(now[2]))
        del now
    assert renderer.nbytes == 3 * TILE * TILE * 4  # the two below are one
    gc.collect()
    assert [layer() is None for layer in old[:-1]] == [True] * 9
    above = weakref.ref(stack[4])
    del stack, state, stroke
    gc.collect()
    assert above() is None, "what a layer above looked like is kept, not the layer"


def test_it_keeps_no_more_than_it_may() -> None:
    limit = 8 * TILE * TILE * 4
    renderer = Renderer(limit)
    stack = tuple(RasterLayer(pixels=Plane.of(noise(n, 1024, 1024)), name=str(n)) for n in range(3))
    for seed in range(4):
        stack = (stack[0], replace(stack[1], opacity=seed / 4), stack[2])
        for y in range(0, 1024, TILE):
            for x in range(0, 1024, TILE):
                rect = Rect(x + 8, y + 8, 40, 40)
                assert np.array_equal(renderer.render(stack, rect), render(stack, rect))
                assert renderer.nbytes <= limit
