"""Pictures put into a document and taken out of it: where they lie, how large, in which colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageCms

from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.placing import in_profile, layer_picture, placed, selected_picture
from ace_desktop.document.state import GroupLayer, RasterLayer, State
from ace_desktop.document.tree import find
from mlx_model.request import Picture
from tests.ace_desktop.document.drawings import plain

RED = (200, 30, 40, 255)


def document(width: int = 64, height: int = 48) -> State:
    layer = RasterLayer(pixels=plain((0, 0, 255, 255), Rect(0, 0, width, height)), name="ground", id="ground")
    return State(width=width, height=height, layers=(layer,), active="ground")


def picture(width: int, height: int, colour: tuple[int, int, int, int] = RED) -> Picture:
    return Picture(np.full((height, width, 4), colour, np.uint8))


def test_a_small_picture_lies_around_its_place_at_its_own_size() -> None:
    after = placed(document(), picture(10, 6), "dropped", (20, 30))
    assert after.active is not None
    layer = find(after, after.active)
    assert (layer.name, layer.x, layer.y) == ("dropped", 15, 27)
    shown = compose(after)
    assert shown[30, 20].tolist() == list(RED)
    assert shown[26, 20].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize(("width", "height"), [(640, 480), (128, 48), (64, 480)])
def test_a_larger_picture_is_made_to_fit_the_frame(width: int, height: int) -> None:
    state = document()
    after = placed(state, picture(width, height), "dropped", (32, 24))
    layer = after.layers[-1]
    assert isinstance(layer, RasterLayer)
    seen = layer.pixels.content().moved(layer.x, layer.y)
    scale = min(64 / width, 48 / height)
    assert abs(seen.width - width * scale) <= 1
    assert abs(seen.height - height * scale) <= 1
    assert seen in state.frame.grown(1)


def test_colours_are_converted_and_depth_is_kept() -> None:
    wide = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = Picture(np.full((2, 2, 4), 1000, np.uint16), wide)
    converted = in_profile(same, None)
    assert converted.dtype == np.uint16
    assert np.abs(converted.astype(int) - 1000).max() <= 257, "the same colours under another name"
    assert in_profile(picture(2, 2), None) is not None


def test_a_layer_is_taken_out_as_it_is_seen_alone() -> None:
    state = document()
    inner = RasterLayer(pixels=plain(RED, Rect(0, 0, 10, 8)), name="square", id="square", x=4, y=2, visible=False)
    group = GroupLayer(children=(inner,), name="group", id="group", x=10, y=20)
    state = replace(state, layers=(*state.layers, replace(group, opacity=0.5)))
    found = layer_picture(state, "square")
    assert found is not None
    assert found.size == (10, 8)
    assert found.pixels[4, 4].tolist() == list(RED), "hidden and half transparent layers are seen whole"
    outside = replace(inner, x=1000)
    assert layer_picture(replace(state, layers=(outside,)), "square") is None


def test_a_selection_comes_with_its_mask() -> None:
    state = document()
    assert selected_picture(replace(state, selection=plain((0,), Rect(0, 0, 4, 4)))) is None
    found = selected_picture(replace(state, selection=plain((128,), Rect(-5, 10, 20, 10))))
    assert found is not None
    assert found[0].size == (15, 10)
    assert found[1].shape == (10, 15)
    assert set(found[1].ravel().tolist()) == {128}
