"""The tree of layers: find, add, move, group, merge. Each edit gives the next state.

Raises ValueError for layers that do not exist and for edits that make no sense; ask `find`, `can_move` or
`can_merge_down` before offering them. `active` always names a layer that exists, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from .plane import Pixels, Plane
from .state import BLEND_MODES, GroupLayer, Layer, State, new_id, walk

PROPERTIES = frozenset({"name", "visible", "opacity", "locked", "blend", "mask_enabled"})


def find(state: State, layer_id: str) -> Layer:
    """Give the layer of this id."""
    for layer in walk(state.layers):
        if layer.id == layer_id:
            return layer
    raise ValueError(f"there is no layer {layer_id}")


def ancestors(state: State, layer_id: str) -> list[GroupLayer]:
    """List the groups around a layer, the outermost first."""

    def search(layers: Sequence[Layer]) -> list[GroupLayer] | None:
        for layer in layers:
            if layer.id == layer_id:
                return []
            if isinstance(layer, GroupLayer) and (found := search(layer.children)) is not None:
                return [layer, *found]
        return None

    found = search(state.layers)
    if found is None:
        raise ValueError(f"there is no layer {layer_id}")
    return found


def parent_origin(state: State, layer_id: str) -> tuple[int, int]:
    """Give where the origin of a layer's parent stands, in document pixels."""
    groups = ancestors(state, layer_id)
    return sum(group.x for group in groups), sum(group.y for group in groups)


def origin(state: State, layer_id: str) -> tuple[int, int]:
    """Give where the origin of a layer's own pixels stands, in document pixels."""
    (x, y), layer = parent_origin(state, layer_id), find(state, layer_id)
    return x + layer.x, y + layer.y


def editable(state: State, layer_id: str) -> bool:
    """Tell whether a layer's pixels may be changed: neither it nor a group around it is locked."""
    return not (find(state, layer_id).locked or any(group.locked for group in ancestors(state, layer_id)))


def siblings(state: State, layer_id: str) -> tuple[Layer, ...]:
    """Give the list that a layer stands in, the lowest first."""
    groups = ancestors(state, layer_id)
    return groups[-1].children if groups else state.layers


def changed(state: State, layer_id: str, change: Callable[[Layer], Sequence[Layer]]) -> State:
    """Give the state with a layer replaced by those that `change` makes of it."""

    def rebuilt(layers: Sequence[Layer], path: Sequence[str]) -> tuple[Layer, ...]:
        out: list[Layer] = []
        for layer in layers:
            if layer.id != path[0]:
                out.append(layer)
            elif len(path) == 1:
                out.extend(change(layer))
            elif isinstance(layer, GroupLayer):
                out.append(replace(layer, children=rebuilt(layer.children, path[1:])))
        return tuple(out)

    path = [*(group.id for group in ancestors(state, layer_id)), layer_id]
    return replace(state, layers=rebuilt(state.layers, path))


def replaced(state: State, layer: Layer) -> State:
    """Give the state with the layer of the same id replaced by this one."""
    return changed(state, layer.id, lambda _: [layer])


def add(
    state: State, layer: Layer, *, above: str | None = None, below: str | None = None, into: str | None = None
) -> State:
    """Put a layer above or below another, on top of what a group holds, or on top of all; it becomes active."""
    if above is not None:
        after = changed(state, above, lambda other: [other, layer])
    elif below is not None:
        after = changed(state, below, lambda other: [layer, other])
    elif into is not None:
        group = find(state, into)
        if not isinstance(group, GroupLayer):
            raise ValueError(f"{group.name} is no group")
        after = replaced(state, replace(group, children=(*group.children, layer)))
    else:
        after = replace(state, layers=(*state.layers, layer))
    return replace(after, active=layer.id)


def add_above_active(state: State, layer: Layer) -> State:
    """Put a layer whose offset is in document pixels above the active one, or on top; it becomes active."""
    if state.active is None:
        return add(state, layer)
    x, y = parent_origin(state, state.active)
    return add(state, replace(layer, x=layer.x - x, y=layer.y - y), above=state.active)


def remove(state: State, ids: Iterable[str]) -> State:
    """Take layers away; what stood next to the active one becomes active."""
    after, active = state, state.active
    for layer_id in topmost(state, ids):
        beside, groups = siblings(after, layer_id), ancestors(after, layer_id)
        at = [layer.id for layer in beside].index(layer_id)
        gone = {layer.id for layer in walk((beside[at],))}
        if active in gone:
            near = [*reversed(beside[:at]), *beside[at + 1 :], *reversed(groups)]
            active = near[0].id if near else None
        after = changed(after, layer_id, lambda _: [])
    return replace(after, active=active)


def topmost(state: State, ids: Iterable[str]) -> list[str]:
    """List these layers from the lowest up, without those that lie in a group that is listed too."""
    wanted = set(ids)
    unknown = wanted - {layer.id for layer in walk(state.layers)}
    if unknown:
        raise ValueError(f"there is no layer {min(unknown)}")
    found: list[str] = []

    def search(layers: Sequence[Layer]) -> None:
        for layer in layers:
            if layer.id in wanted:
                found.append(layer.id)
            elif isinstance(layer, GroupLayer):
                search(layer.children)

    search(state.layers)
    return found


def can_move(state: State, ids: Iterable[str], target: str) -> bool:
    """Tell whether layers can be dropped beside or into `target`: not if one of them is, or is around, the target."""
    return not set(ids) & {target, *(group.id for group in ancestors(state, target))}


def move(
    state: State, ids: Iterable[str], *, above: str | None = None, below: str | None = None, into: str | None = None
) -> State:
    """Drop layers above or below another, or on top of what a group holds; they keep their order and their place.

    Raises:
        ValueError: the target is one of them or lies inside one, or is no group to drop into.
    """
    moved = topmost(state, ids)
    target = above or below or into
    if target is None or not can_move(state, moved, target):
        raise ValueError("layers cannot be dropped into themselves")
    found = [(find(state, layer_id), parent_origin(state, layer_id)) for layer_id in moved]
    x, y = origin(state, target) if into else parent_origin(state, target)
    after = state
    for layer_id in moved:
        after = changed(after, layer_id, lambda _: [])
    placed = [replace(layer, x=layer.x + px - x, y=layer.y + py - y) for layer, (px, py) in found]
    for layer in reversed(placed) if above else placed:
        after = add(after, layer, above=above, below=below, into=into)
    return replace(after, active=state.active)


def duplicate(state: State, ids: Iterable[str]) -> State:
    """Put a copy with new ids right above each layer; the copy of the topmost becomes active."""
    after = state
    for layer_id in topmost(state, ids):
        after = add(after, renewed(find(after, layer_id)), above=layer_id)
    return after


def renewed(layer: Layer) -> Layer:
    """Give the same layer with new ids throughout."""
    if isinstance(layer, GroupLayer):
        return replace(layer, id=new_id(), children=tuple(renewed(child) for child in layer.children))
    return replace(layer, id=new_id())


def with_properties(state: State, layer_id: str, **properties: Any) -> State:
    """Set any of PROPERTIES of a layer.

    Raises:
        ValueError: another property, an opacity outside 0..1 or an unknown blend mode.
    """
    unknown = properties.keys() - PROPERTIES
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} cannot be set like this")
    if not 0 <= properties.get("opacity", 1) <= 1:
        raise ValueError("an opacity lies between 0 and 1")
    if properties.get("blend", "normal") not in BLEND_MODES:
        raise ValueError(f"there is no blend mode {properties['blend']}")
    return replaced(state, replace(find(state, layer_id), **properties))


def group(state: State, ids: Iterable[str], name: str) -> State:
    """Put layers into a new group at the place of the highest of them; it becomes active."""
    members = topmost(state, ids)
    if not members:
        raise ValueError("a group needs at least one layer")
    made = GroupLayer(children=(), name=name)
    after = add(state, made, above=members[-1])
    return replace(move(after, members, into=made.id), active=made.id)


def ungroup(state: State, layer_id: str) -> State:
    """Put a group's children in its place; each takes over the group's opacity, mask and visibility."""
    found = find(state, layer_id)
    if not isinstance(found, GroupLayer):
        raise ValueError(f"{found.name} is no group")

    def released(child: Layer) -> Layer:
        mask = child.mask if child.mask_enabled else None
        if found.mask is not None and found.mask_enabled:
            around = found.mask.moved(-child.x, -child.y)
            mask = around if mask is None else _multiplied(mask, around)
        return replace(
            child,
            x=child.x + found.x,
            y=child.y + found.y,
            visible=child.visible and found.visible,
            opacity=child.opacity * found.opacity,
            mask=child.mask if mask is None else mask,
            mask_enabled=child.mask_enabled if mask is None else True,
        )

    children = [released(child) for child in found.children]
    after = changed(state, layer_id, lambda _: children)
    if state.active != layer_id:
        return after
    near = [layer.id for layer in children] or [layer.id for layer in remove(state, [layer_id]).layers]
    return replace(after, active=near[-1] if near else None)


def _multiplied(a: Plane, b: Plane) -> Plane:
    def product(pixels: Pixels, other: Pixels) -> Pixels:
        return ((pixels.astype("uint16") * other + 127) // 255).astype("uint8")

    made = Plane(1, 8, (a.default * b.default + 127) // 255)
    return made.mapped(a.bounds | b.bounds, lambda _, part: product(a.read(part), b.read(part)))
