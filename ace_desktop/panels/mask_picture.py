"""A layer's mask as a picture of its own."""

from __future__ import annotations

import numpy as np

from ..document.geometry import Rect
from ..document.plane import Pixels, Plane
from ..document.state import RasterLayer, State
from ..document.target import Target, mask_of


def mask_as_picture(state: State) -> State:
    """Show the active layer's mask inside the frame, white where the layer shows and black where it does not."""
    if state.active is None:
        return state
    mask = mask_of(state, Target("layer mask", state.active))

    def grey(_old: Pixels, part: Rect) -> Pixels:
        values = mask.read(part)
        return np.dstack([values, values, values, np.full_like(values, 255)])

    layer = RasterLayer(pixels=Plane(4).mapped(state.frame, grey), name="mask")
    return State(width=state.width, height=state.height, layers=(layer,))
