"""Results as layers that know how they were made, and whether what they were made of is still there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from mlx_model.conditioning.colour import as_depth, from_srgb, into_srgb, strips
from mlx_model.pictures.recipe import recipe_from_json
from mlx_model.request import Box, EditRequest, Picture, RequestError
from mlx_model.tasks import TASKS

from .below import below, digest_of, shows
from .description import MAX_PIXELS, plain, whole
from .errors import DocumentError
from .frame_place import Place, between, place_of
from .geometry import Rect
from .pictures import RECIPE
from .plane import Plane
from .resample import Matrix, mapped_rect, whole_shift
from .results import Result
from .state import GroupLayer, Layer, RasterLayer, State
from .transform import transformed
from .tree import add, find, origin, parent_origin, replaced

RESULT: Final = "result"
"""Under this name a layer's `extra` has the id of its result."""
_BELOW: Final = "below"
_BOX: Final = "box"
"""Where the model looked, in the layer's own coordinates, since it goes with the layer; and where it was then."""
_BOX_NUMBERS: Final = 6
_FULL: Final = 255
_ALIKE: Final = 0.7
"""Of what either of two masks selects: what both do. Growing makes a layer's mask larger than the edit's was."""
_LONGEST_NAME: Final = 60


def accept(state: State, result: Result, patch: Picture) -> State:
    """Give the document with a result as a new layer; it becomes active.

    It lies above the active layer, and above all that can be seen in its box, since the model saw that too: the
    picture is then the one that was shown. What was painted through a mask has that as its layer mask.

    Raises:
        DocumentError: the result was made for another picture, or its place lies outside this one.
    """
    layer = _layer(state, result, patch)
    anchor = _anchor(state, _reach(state, result))
    if anchor is None:
        return add(state, layer)
    x, y = parent_origin(state, anchor)
    return add(state, replace(layer, x=layer.x - x, y=layer.y - y), above=anchor)


def document_of(result: Result, base: Picture, patch: Picture, name: str) -> State:
    """Make a document of a result that belongs into none: the picture that it was made of, and its layer.

    `base` is the whole picture, of the result's frame; `name` is that of its layer.
    """
    width, height = base.size
    layer = RasterLayer(name=name, pixels=Plane.of(base.pixels))
    state = State(width=width, height=height, layers=(layer,), active=layer.id, profile=base.profile)
    below = digest_of(state.layers, state.frame, state.profile)
    return accept(state, replace(result, foreign=False, below=below, place=()), patch)


def accept_again(state: State, layer_id: str, result: Result, patch: Picture) -> State:
    """Give the document with a result in the place of what a layer held before: its request was run again.

    Name, opacity and blend mode of the layer stay, and its place where it shows a new picture.

    Raises:
        DocumentError: as `accept`.
        ValueError: there is no such layer.
    """
    old, new = find(state, layer_id), _layer(state, result, patch)
    x, y = parent_origin(state, layer_id)
    kept = {name: getattr(old, name) for name in ("id", "name", "opacity", "locked", "blend")}
    place = (new.x - x, new.y - y) if result.request.picture is not None else (old.x, old.y)
    return replaced(state, replace(new, **kept, x=place[0], y=place[1]))


def request_of_layer(layer: Layer) -> EditRequest | None:
    """Give the request that made a layer, with nothing left open; None for other layers."""
    if RECIPE not in layer.extra:
        return None
    try:
        return recipe_from_json(json.dumps(plain(layer.extra[RECIPE])), layer.name).request
    except RequestError:
        return None


def result_of_layer(layer: Layer) -> str | None:
    """Give the id of the result that a layer was made of; None for other layers."""
    held = layer.extra.get(RESULT)
    return held if isinstance(held, str) else None


def is_stale(state: State, layer_id: str) -> bool:
    """Tell whether what lies below a result's layer is no longer what it was made of; False for other layers.

    Quick while few tiles have changed since it was asked last; see `below.digest_of`.
    """
    layer = find(state, layer_id)
    wanted, box = layer.extra.get(_BELOW), _box_of(layer)
    if not wanted or box is None:
        return False
    x, y = origin(state, layer_id)
    return digest_of(below(state, layer_id), box.moved(x, y), state.profile) != wanted


def rerun(state: State, layer_id: str, mask: Plane | None = None) -> State:
    """Give what a layer's request is run on when it is run again: what lies below the layer, with its mask.

    `mask` is as `mask_of_layer` takes it.

    Raises:
        ValueError: the layer was not made by an edit.
    """
    layer = find(state, layer_id)
    if _box_of(layer) is None or not isinstance(layer, RasterLayer):
        raise ValueError(f"{layer.name} was not made by an edit")
    found, _ = mask_of_layer(state, layer_id, mask)
    return replace(state, layers=below(state, layer_id), active=None, edit_mask=found, selection=None)


def mask_of_layer(state: State, layer_id: str, made_with: Plane | None = None) -> tuple[Plane, bool]:
    """Give the edit mask of a result's layer as the document is now, and whether the layer only moved since.

    `made_with` is the mask that the result was made with, as it lay in the picture then. Where the layer was turned,
    mirrored or resized since, or another mask was painted on it, the layer's own mask counts where it is full.
    """
    x, y = origin(state, layer_id)
    own = find(state, layer_id).mask
    full = Plane(1)
    if own is not None:
        full = own.mapped(own.bounds, lambda values, _: np.where(values == _FULL, _FULL, 0).astype(np.uint8))
        full = full.moved(x, y).cut(state.frame)
    if made_with is None:
        return full, own is None
    moved = made_with.moved(*shift_of(state, layer_id)).cut(state.frame)
    if own is None or _alike(full, moved):
        return moved, True
    return full, False


def _alike(one: Plane, other: Plane) -> bool:
    rect = one.bounds | other.bounds
    first, second = one.read(rect) == _FULL, other.read(rect) == _FULL
    return int((first & second).sum()) >= _ALIKE * int((first | second).sum())


def shift_of(state: State, layer_id: str) -> tuple[int, int]:
    """Say how far a result's layer lies from where it was made: right, down."""
    numbers, (x, y) = _box_numbers(find(state, layer_id)), origin(state, layer_id)
    return (0, 0) if numbers is None else (x - numbers[4], y - numbers[5])


def _layer(state: State, result: Result, patch: Picture) -> RasterLayer:
    """Make the layer of a result, in document coordinates."""
    box = Rect(*result.box)
    if result.foreign:
        raise DocumentError("this result was made of another picture; open it as a document of its own")
    if not _reach(state, result):
        raise DocumentError("this result no longer fits into the picture; undo what made it smaller, or run it again")
    pixels = in_profile(patch, state.profile).pixels
    mask = None
    if result.request.mask is not None:
        shown = pixels[..., 3]
        full = np.iinfo(pixels.dtype).max
        grey = shown if full == 255 else ((shown.astype(np.uint32) + 128) // 257).astype(np.uint8)
        mask = Plane.of(np.asarray(grey, np.uint8))
        pixels = pixels.copy()
        pixels[..., 3] = np.where(shown > 0, full, 0)
    words = result.words.strip() or (TASKS[result.task].title if result.task in TASKS else result.task)
    extra: Mapping[str, Any] = {
        RECIPE: json.loads(result.recipe.to_json()),
        RESULT: result.id,
        _BELOW: result.below,
        _BOX: [0, 0, box.width, box.height, box.x, box.y],
    }
    layer = RasterLayer(
        name=words if len(words) <= _LONGEST_NAME else words[: _LONGEST_NAME - 1].rstrip() + "…",
        pixels=Plane.of(pixels),
        mask=mask,
        x=box.x,
        y=box.y,
        extra=MappingProxyType(extra),
    )
    made = transformed(layer, since(state, result))
    if not isinstance(made, RasterLayer):
        raise TypeError("a layer of pixels stays one")
    return made


def since(state: State, result: Result) -> Matrix:
    """Give what became of a document's picture since a result was made for it: crops and the like, as a matrix."""
    return between(result.place, place_of(state.settings))


def box_now(state: State, box: Box, place: Place) -> Box | None:
    """Say where a box of a document is whose picture lay at that place; None where it was resized or turned since."""
    shift = whole_shift(between(place, place_of(state.settings)))
    return None if shift is None else (box[0] + shift[0], box[1] + shift[1], *box[2:])


def _reach(state: State, result: Result) -> Rect:
    """Give what of the frame a result covers."""
    left, top, right, bottom = mapped_rect(since(state, result), Rect(*result.box))
    return Rect.of_edges(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)) & state.frame


def _anchor(state: State, box: Rect) -> str | None:
    """Find the layer right above which a result belongs; None for on top of all."""
    path: list[Layer] = []
    if state.active is not None:
        path = _path(state.layers, state.active)
    layers, anchor = state.layers, None
    for step in path:
        at = next(index for index, layer in enumerate(layers) if layer.id == step.id)
        higher = [layer for layer in layers[at + 1 :] if shows(layer, box)]
        if higher:
            return higher[-1].id
        anchor = step.id
        if not isinstance(step, GroupLayer) or not _is_plain(step):
            return anchor
        layers, box = step.children, box.moved(-step.x, -step.y)
    return anchor


def _path(layers: Sequence[Layer], layer_id: str) -> list[Layer]:
    """List the groups around a layer and the layer itself."""
    for layer in layers:
        if layer.id == layer_id:
            return [layer]
        if isinstance(layer, GroupLayer) and (inner := _path(layer.children, layer_id)):
            return [layer, *inner]
    return []


def _is_plain(group: GroupLayer) -> bool:
    """Tell whether a group shows what lies in it as it is."""
    masked = group.mask is not None and group.mask_enabled
    return group.visible and group.opacity >= 1 and group.blend == "normal" and not masked


def _box_of(layer: Layer) -> Rect | None:
    numbers = _box_numbers(layer)
    return None if numbers is None else Rect(*numbers[:4])


def _box_numbers(layer: Layer) -> tuple[int, ...] | None:
    """Read what a layer says of its box; None where it says nothing that can be."""
    held: Any = layer.extra.get(_BOX)
    if not isinstance(held, list | tuple) or len(held) != _BOX_NUMBERS:  # pyright: ignore[reportUnknownArgumentType] JSON
        return None
    try:
        x, y, width, height, left, top = (whole(number) for number in held)  # pyright: ignore[reportUnknownVariableType] JSON
    except ValueError:
        return None
    return (x, y, width, height, left, top) if min(width, height) > 0 and width * height <= MAX_PIXELS else None


def in_profile(picture: Picture, profile: bytes | None) -> Picture:
    """Convert a picture into a document's profile; what it has already stays bit for bit."""
    if picture.profile == profile:
        return picture
    pixels, inward, outward = picture.pixels.copy(), into_srgb(picture.profile), from_srgb(profile)
    for rows in strips(pixels):
        colours = pixels[rows, :, :3]
        codes = colours if colours.dtype == np.uint16 else colours.astype(np.uint16) * np.uint16(257)
        pixels[rows, :, :3] = as_depth(outward(inward(codes)), pixels.dtype)  # pyright: ignore[reportArgumentType]
    return Picture(pixels, profile)
