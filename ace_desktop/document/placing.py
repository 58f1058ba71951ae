"""Pictures from outside put into a document as layers, and layers taken out as pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlx_model.conditioning.colour import as_depth, from_srgb, into_srgb, strips
from mlx_model.request import Picture

from .compose import compose_layers
from .geometry import Rect
from .plane import Pixels, Plane
from .resample import scaling, warped
from .state import RasterLayer, State, extent
from .target import SELECTION, mask_of
from .tree import add_above_active, find, parent_origin


def placed(state: State, picture: Picture, name: str, centre: tuple[float, float]) -> State:
    """Put a picture above the active layer, its middle at a place of the document.

    Its colours are converted to the document's profile; what is larger than the frame is scaled down to fit into it.
    """
    width, height = picture.size
    plane = Plane.of(in_profile(picture, state.profile))
    scale = min(1.0, state.width / width, state.height / height)
    if scale < 1:
        plane = warped(plane, scaling(scale, scale))
    x, y = (round(middle - side * scale / 2) for middle, side in zip(centre, (width, height), strict=True))
    return add_above_active(state, RasterLayer(pixels=plane, name=name, x=x, y=y))


def in_profile(picture: Picture, profile: bytes | None) -> Pixels:
    """Give a picture's pixels in another profile (None: sRGB), at its own depth."""
    if picture.profile == profile:
        return picture.pixels
    inward, outward = into_srgb(picture.profile), from_srgb(profile)
    out = np.array(picture.pixels)
    factor = np.uint16(1 if out.dtype == np.uint16 else 257)
    for rows in strips(out):
        codes = out[rows][..., :3].astype(np.uint16) * factor
        out[rows][..., :3] = as_depth(outward(inward(codes)), out.dtype)
    return out


def layer_picture(state: State, layer_id: str) -> Picture | None:
    """Give a layer as it is seen alone, cut to what it holds inside the frame; None where that is nothing."""
    (x, y) = parent_origin(state, layer_id)
    layer = replace(find(state, layer_id), visible=True, opacity=1.0, blend="normal")
    rect = extent(layer).moved(x, y) & state.frame
    return _trimmed(compose_layers([layer], rect.moved(-x, -y)), state.profile) if rect else None


def selected_picture(state: State) -> tuple[Picture, NDArray[np.uint8]] | None:
    """Give what is selected of the whole picture: its pixels, and the selection (h x w) as their mask."""
    selection = mask_of(state, SELECTION)
    rect = selection.content() & state.frame
    if not rect:
        return None
    picture = Picture(compose_layers(state.layers, rect).astype(np.uint8, copy=False), state.profile)
    return picture, selection.read(rect)[..., 0].astype(np.uint8)


def _trimmed(pixels: Pixels, profile: bytes | None) -> Picture | None:
    content: Rect = Plane.of(pixels).content()
    if not content:
        return None
    inside = pixels[content.y : content.bottom, content.x : content.right]
    return Picture(np.ascontiguousarray(inside).astype(np.uint8, copy=False), profile)
