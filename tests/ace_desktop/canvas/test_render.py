"""What the screen shows of layers is what a saved file holds, within what 8 premultiplied bits can tell."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from ace_desktop.canvas.render import render
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import BLEND_MODES, RasterLayer, State
from tests.ace_desktop.document.drawings import FRAME, noise, plain, raster, rects, states


def shown(state: State, rect: Rect) -> NDArray[np.int64]:
    return render(state.layers, rect)[..., [2, 1, 0, 3]].astype(np.int64)


def exact(state: State, rect: Rect) -> NDArray[np.int64]:
    pixels = compose(state, rect).astype(np.float64)
    pixels[..., :3] *= pixels[..., 3:] / 255
    return np.rint(pixels).astype(np.int64)


@pytest.mark.parametrize("blend", BLEND_MODES)
def test_five_layers_are_within_two_steps_but_for_one_number_in_ten_thousand(blend: str) -> None:
    rect = Rect(0, 0, 300, 280)
    layers = [RasterLayer(pixels=Plane.of(noise(seed, 300, 280)), name=str(seed), blend=blend) for seed in range(5)]
    opaque = noise(9, 300, 280)
    opaque[..., 3] = 255
    below = RasterLayer(pixels=Plane.of(opaque), name="photograph")
    state = State(width=300, height=280, layers=(below, *(replace(layer, opacity=0.7) for layer in layers[:4])))
    apart = np.abs(shown(state, rect) - exact(state, rect))
    assert apart.max() <= 3
    assert (apart > 2).mean() < 1e-4


@settings(max_examples=60, deadline=None)
@given(states(), rects())
def test_any_document_is_within_two_steps(state: State, rect: Rect) -> None:
    assert np.abs(shown(state, rect) - exact(state, rect)).max() <= 2


def test_an_opaque_picture_comes_out_bit_for_bit() -> None:
    pixels = noise(3, 300, 280)
    pixels[..., 3] = 255
    state = State(width=300, height=280, layers=(RasterLayer(pixels=Plane.of(pixels), name="photograph"),))
    assert np.array_equal(shown(state, Rect(17, 30, 250, 240)), pixels[30:270, 17:267])


def test_sixteen_bits_are_rounded_not_cut() -> None:
    layer = RasterLayer(pixels=plain((65535, 32896, 32767, 65535), depth=16), name="deep")
    state = State(width=FRAME.width, height=FRAME.height, layers=(layer,))
    assert shown(state, Rect(0, 0, 1, 1)).tolist() == [[[255, 128, 127, 255]]]


def test_nothing_is_transparent() -> None:
    assert not shown(State(width=9, height=9, layers=(raster((255, 0, 0, 0)),)), Rect(0, 0, 9, 9)).any()
