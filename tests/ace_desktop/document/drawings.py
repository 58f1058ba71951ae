"""Documents that tests draw: small, in many tiles, with every kind of layer."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Pixels, Plane
from ace_desktop.document.state import BLEND_MODES, GroupLayer, Layer, RasterLayer, State

FRAME = Rect(0, 0, 40, 30)


def noise(seed: int, width: int, height: int, channels: int = 4, depth: int = 8) -> Pixels:
    """Return random pixels in which fully transparent and fully opaque ones are frequent."""
    random = np.random.default_rng(seed)
    full = 255 if depth == 8 else 65535
    pixels = random.integers(0, full + 1, (height, width, channels), np.uint8 if depth == 8 else np.uint16)
    which = random.integers(0, 4, (height, width))
    pixels[..., -1][which == 0] = 0
    pixels[..., -1][which == 1] = full
    return pixels


def plain(colour: tuple[int, ...], rect: Rect = FRAME, depth: int = 8) -> Plane:
    """Return a plane that holds one colour in a rectangle."""
    pixels = np.full((rect.height, rect.width, len(colour)), colour, np.uint8 if depth == 8 else np.uint16)
    return Plane.of(pixels, rect.x, rect.y)


def raster(colour: tuple[int, int, int, int], rect: Rect = FRAME, *, name: str = "plain", blend: str = "normal",
           opacity: float = 1.0) -> RasterLayer:  # fmt: skip
    """Return a layer of one colour."""
    return RasterLayer(pixels=plain(colour, rect), name=name, blend=blend, opacity=opacity)


def rects() -> SearchStrategy[Rect]:
    """Draw rectangles near the border between four tiles."""
    return st.builds(Rect, st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 50), st.integers(1, 50))


@st.composite
def planes(draw: DrawFn, channels: int = 4, depth: int = 8) -> Plane:
    """Draw a plane of noise around the origin; a mask may hold 255 outside."""
    rect = draw(rects())
    default = draw(st.sampled_from((0, 255))) if channels == 1 else 0
    pixels = noise(draw(st.integers(0, 1000)), rect.width, rect.height, channels, depth)
    return Plane.of(pixels, rect.x, rect.y, default)


@st.composite
def layers(draw: DrawFn, groups: int = 1) -> Layer:
    """Draw a layer, or a group that is at most this deep."""
    mask = draw(st.none() | planes(1))
    group = bool(groups) and draw(st.integers(0, 3)) == 0
    visible, enabled = draw(st.integers(0, 4)) > 0, draw(st.integers(0, 3)) > 0
    opacity = draw(st.sampled_from((1.0, 1.0, 0.5, 0.0)))
    blend = draw(st.sampled_from(("normal", *BLEND_MODES)))
    x, y = draw(st.integers(-20, 20)), draw(st.integers(-20, 20))
    if group:
        children = tuple(draw(st.lists(layers(groups - 1), max_size=3)))
        return GroupLayer(children=children, name="group", visible=visible, opacity=opacity, blend=blend, x=x, y=y,
                          mask=mask, mask_enabled=enabled)  # fmt: skip
    pixels = draw(planes(4, draw(st.sampled_from((8, 8, 16)))))
    return RasterLayer(pixels=pixels, name="raster", visible=visible, opacity=opacity, blend=blend, x=x, y=y,
                       mask=mask, mask_enabled=enabled)  # fmt: skip


@st.composite
def states(draw: DrawFn) -> State:
    """Draw a document of up to four layers at the top, with masks and a selection."""
    found = tuple(draw(st.lists(layers(), min_size=1, max_size=4)))
    return State(
        width=FRAME.width,
        height=FRAME.height,
        layers=found,
        active=found[-1].id,
        edit_mask=plain((255,), Rect(5, 5, 10, 10)),
        selection=draw(st.none() | planes(1)),
        masks=MappingProxyType({"sky": plain((128,), Rect(0, 0, 20, 10))}),
    )
