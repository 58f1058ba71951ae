"""A state is a value that needs no picture library, and knows where its layers can show."""

import subprocess
import sys

import numpy as np
from hypothesis import given, settings

from ace_desktop.document.compose import compose_layers
from ace_desktop.document.geometry import Rect
from ace_desktop.document.state import GroupLayer, Layer, extent, walk
from tests.ace_desktop.document.drawings import layers, raster


def test_importing_it_loads_no_picture_library() -> None:
    told = (
        "import sys, ace_desktop.document.state; print(sorted({'cv2', 'PIL', 'PySide6', 'mlx'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_walking_meets_each_layer_once_groups_before_their_children() -> None:
    inner = GroupLayer(children=(raster((1, 1, 1, 1), name="b"),), name="inner")
    outer = GroupLayer(children=(raster((1, 1, 1, 1), name="a"), inner), name="outer")
    found = [layer.name for layer in walk((outer, raster((1, 1, 1, 1), name="c")))]
    assert found == ["outer", "a", "inner", "b", "c"]


@settings(max_examples=60, deadline=None)
@given(layers(2))
def test_nothing_shows_outside_the_extent(layer: Layer) -> None:
    whole, inside = Rect(-700, -700, 1400, 1400), extent(layer)
    shown = compose_layers([layer], whole)
    x, y = inside.x - whole.x, inside.y - whole.y
    shown[y : y + inside.height, x : x + inside.width] = 0
    assert inside in whole
    assert not np.any(shown)
