"""What a document is at one moment: a frozen tree of layers, the masks and the selection.

Every edit is a function from one state to the next; the states share their layers and tiles, so undo keeps whole
states. Colours are in the document's profile. Coordinates are document pixels; a layer's pixels, mask and children
are in the layer's own, whose origin stands at its offset (x, y) within its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias
from uuid import uuid4

from .geometry import EMPTY, Rect
from .plane import Plane

BLEND_MODES: tuple[str, ...] = (
    "normal",
    "multiply",
    "screen",
    "overlay",
    "soft-light",
    "darken",
    "lighten",
    "colour",
    "luminosity",
)

NOTHING: Mapping[str, Any] = MappingProxyType({})


def new_id() -> str:
    """Make a name for a layer that no other has."""
    return uuid4().hex


@dataclass(frozen=True, eq=False, kw_only=True)
class _Properties:
    """What every layer has.

    `opacity` is 0..1. `mask` (1 channel, 8 bits, 255 shows) moves with the layer. `extra` is JSON that other rooms
    keep with the layer, such as the request that made it; it is saved and never read here.
    """

    name: str
    id: str = field(default_factory=new_id)
    visible: bool = True
    opacity: float = 1.0
    locked: bool = False
    blend: str = "normal"
    x: int = 0
    y: int = 0
    mask: Plane | None = None
    mask_enabled: bool = True
    extra: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, eq=False, kw_only=True)
class RasterLayer(_Properties):
    """Pixels: a plane of 4 channels, straight alpha, 8 or 16 bits."""

    pixels: Plane


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupLayer(_Properties):
    """Layers blended together first, then as one; the first of `children` is the lowest."""

    children: tuple[Layer, ...]


Layer: TypeAlias = RasterLayer | GroupLayer


@dataclass(frozen=True, eq=False, kw_only=True)
class State:
    """A document at one moment.

    `layers`: the first is the lowest. `active` names the layer that tools work on. `edit_mask` (255: the model may
    change it) and `selection` are planes of one channel; no selection (None) means that everything is selected.
    `masks` are the masks that were saved, by name. `settings` is JSON of the edit (instruction, task, seed ...) that
    the panels keep here so that it is undone and saved with the rest. `profile` is ICC, None for sRGB; `resolution`
    pixels per inch. `attachments` are whole files that travel with the document (references, results, and what
    other programs had put into it), by path.
    """

    width: int
    height: int
    layers: tuple[Layer, ...] = ()
    active: str | None = None
    edit_mask: Plane = field(default_factory=lambda: Plane(1))
    selection: Plane | None = None
    masks: Mapping[str, Plane] = field(default_factory=lambda: MappingProxyType({}))
    settings: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    profile: bytes | None = None
    resolution: float = 72.0
    attachments: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def frame(self) -> Rect:
        """The rectangle of the picture."""
        return Rect(0, 0, self.width, self.height)


def walk(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    """Walk over all layers, lowest first, each group before its children."""
    for layer in layers:
        yield layer
        if isinstance(layer, GroupLayer):
            yield from walk(layer.children)


def extent(layer: Layer) -> Rect:
    """Give a rectangle of the layer's parent outside of which the layer shows nothing (whole tiles)."""
    if isinstance(layer, RasterLayer):
        inside = layer.pixels.bounds
    else:
        inside = EMPTY
        for child in layer.children:
            inside |= extent(child)
    if layer.mask is not None and layer.mask_enabled and layer.mask.default == 0:
        inside &= layer.mask.bounds
    return inside.moved(layer.x, layer.y)


def depth_of(layers: Iterable[Layer]) -> int:
    """Give the depth of the deepest pixels that are visible among layers and what they hold; 8 for none."""
    found = (layer for layer in walk(tuple(layers)) if isinstance(layer, RasterLayer) and layer.visible)
    return max((layer.pixels.depth for layer in found), default=8)
