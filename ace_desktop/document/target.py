"""What a tool works on: the pixels of a layer, or one of the masks of a document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

from .plane import Plane
from .state import RasterLayer, State
from .tree import editable, find, origin, replaced

Kind: TypeAlias = Literal["pixels", "layer mask", "edit mask", "selection", "saved mask"]


@dataclass(frozen=True)
class Target:
    """`name` is the id of a layer (pixels, layer mask) or the name of a saved mask."""

    kind: Kind
    name: str = ""


EDIT_MASK = Target("edit mask")
SELECTION = Target("selection")


def plane_of(state: State, target: Target) -> Plane | None:
    """Give the target's plane in its own coordinates; None for no selection and a layer without a mask.

    Raises:
        ValueError: there is no such layer or saved mask, or it is a group and has no pixels.
    """
    if target.kind == "edit mask":
        return state.edit_mask
    if target.kind == "selection":
        return state.selection
    if target.kind == "saved mask":
        if target.name not in state.masks:
            raise ValueError(f"there is no mask {target.name}")
        return state.masks[target.name]
    layer = find(state, target.name)
    if target.kind == "layer mask":
        return layer.mask
    if not isinstance(layer, RasterLayer):
        raise ValueError(f"{layer.name} is a group and has no pixels")
    return layer.pixels


def with_plane(state: State, target: Target, plane: Plane | None) -> State:
    """Give the state with another plane there; None takes the selection, a layer's or a saved mask away.

    Raises:
        ValueError: there is no such layer, it is locked, or the target cannot do without.
    """
    if target.kind == "selection":
        return replace(state, selection=plane)
    if target.kind == "saved mask":
        masks = {**state.masks} | ({} if plane is None else {target.name: plane})
        if plane is None:
            masks.pop(target.name, None)
        return replace(state, masks=MappingProxyType(masks))
    if target.kind in ("pixels", "layer mask") and not editable(state, target.name):
        raise ValueError("the layer is locked")
    if target.kind == "layer mask":
        return replaced(state, replace(find(state, target.name), mask=plane))
    if plane is None:
        raise ValueError(f"there is no document without {target.kind}")
    if target.kind == "edit mask":
        return replace(state, edit_mask=plane)
    layer = find(state, target.name)
    if not isinstance(layer, RasterLayer):
        raise ValueError(f"{layer.name} is a group and has no pixels")
    return replaced(state, replace(layer, pixels=plane))


def origin_of(state: State, target: Target) -> tuple[int, int]:
    """Give where the origin of the target's plane stands, in document pixels."""
    return origin(state, target.name) if target.kind in ("pixels", "layer mask") else (0, 0)


def mask_of(state: State, target: Target) -> Plane:
    """Give a mask in document coordinates; no selection and no layer mask are 255 everywhere."""
    plane, (x, y) = plane_of(state, target), origin_of(state, target)
    return Plane(1, default=255) if plane is None else plane.moved(x, y)


def with_mask(state: State, target: Target, mask: Plane) -> State:
    """Give the state with this mask, which is in document coordinates, as the target."""
    x, y = origin_of(state, target)
    return with_plane(state, target, mask.moved(-x, -y))
