"""Undo: whole states, which share what they have in common, and what a view has to repaint between two of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from .geometry import Rect
from .plane import Plane
from .state import GroupLayer, Layer, RasterLayer, State, extent, walk

LIMIT_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class _Step:
    """A state, and what led to it."""

    label: str
    state: State
    key: Hashable = None


class History:
    """The states of a document: the present one, those before it and those that were undone.

    Keeps as many as need no more than `limit_bytes` of tiles and attachments beyond those of the present state; the
    oldest go first, then those undone longest ago; the present one stays.
    """

    def __init__(self, state: State, limit_bytes: int = LIMIT_BYTES) -> None:
        self._steps = [_Step("", state)]
        self._at = 0
        self._limit = limit_bytes
        self._saved: _Step | None = self._steps[0]
        self._held: dict[int, list[int]] = {}  # of each tile or attachment: how many states hold it, its bytes
        self._bytes = 0
        self._hold(state)

    @property
    def state(self) -> State:
        """The present state."""
        return self._steps[self._at].state

    @property
    def undo_label(self) -> str | None:
        """What `undo` would take back; None where there is nothing."""
        return self._steps[self._at].label if self._at else None

    @property
    def redo_label(self) -> str | None:
        """What `redo` would do again; None where there is nothing."""
        return self._steps[self._at + 1].label if self._at + 1 < len(self._steps) else None

    @property
    def labels(self) -> tuple[list[str], int]:
        """The labels of all steps, oldest first, and how many of them are done."""
        return [step.label for step in self._steps[1:]], self._at

    @property
    def changed(self) -> bool:
        """Whether the present state is another than the one that was saved last."""
        return self._steps[self._at] is not self._saved

    @property
    def nbytes(self) -> int:
        """The bytes of tiles and attachments that are kept only for other states than the present one."""
        return self._bytes - sum({id(part): _size(part) for part in _parts(self.state)}.values())

    def do(self, label: str, state: State, key: Hashable = None) -> None:
        """Make this the present state; forget what was undone.

        A step with the same `key` (other than None) as the one before it replaces that one's state, so that dragging
        a slider is one step; not across an undo or a save.
        """
        if state is self.state:
            return
        here = self._steps[self._at]
        merge = key is not None and here.key == key and self.redo_label is None and here is not self._saved
        first = self._at if merge else self._at + 1
        self._drop(first, len(self._steps))
        self._steps.append(_Step(label, state, key))
        self._hold(state)
        self._at = first
        self._shrink()

    def amend(self, state: State) -> None:
        """Replace the present state by one that makes no step, such as one with another active layer."""
        here = self._steps[self._at]
        self._hold(state)
        self._release(here.state)
        self._steps[self._at] = _Step(here.label, state, here.key)
        if self._saved is here:
            self._saved = self._steps[self._at]

    def undo(self) -> State:
        """Go one step back and give the state there; stays where there is none."""
        self._at = max(self._at - 1, 0)
        self._end_merging()
        return self.state

    def redo(self) -> State:
        """Go one step forward again and give the state there; stays where there is none."""
        self._at = min(self._at + 1, len(self._steps) - 1)
        self._end_merging()
        return self.state

    def mark_saved(self, state: State) -> None:
        """Note that this state is what the file holds; it may be an earlier one by the time that saving ends."""
        self._saved = next((step for step in self._steps if step.state is state), None)

    def _end_merging(self) -> None:
        here = self._steps[self._at]
        if here.key is not None:
            self._steps[self._at] = _Step(here.label, here.state)
            if self._saved is here:
                self._saved = self._steps[self._at]

    def _shrink(self) -> None:
        while len(self._steps) > 1 and self.nbytes > self._limit:
            if self._at:
                self._drop(0, 1)
                self._at -= 1
            else:
                self._drop(len(self._steps) - 1, len(self._steps))

    def _drop(self, first: int, last: int) -> None:
        for step in self._steps[first:last]:
            self._release(step.state)
        del self._steps[first:last]

    def _hold(self, state: State) -> None:
        for part in _parts(state):
            held = self._held.setdefault(id(part), [0, _size(part)])
            if not held[0]:
                self._bytes += held[1]
            held[0] += 1

    def _release(self, state: State) -> None:
        for part in _parts(state):
            held = self._held[id(part)]
            held[0] -= 1
            if not held[0]:
                self._bytes -= held[1]
                del self._held[id(part)]


def _parts(state: State) -> Iterator[object]:
    """Walk over everything large that the state holds; what it holds twice comes twice."""
    yield from state.attachments.values()
    for plane in _planes(state):
        yield from plane.tiles.values()


def _planes(state: State) -> Iterator[Plane]:
    yield state.edit_mask
    if state.selection is not None:
        yield state.selection
    yield from state.masks.values()
    for layer in walk(state.layers):
        if isinstance(layer, RasterLayer):
            yield layer.pixels
        if layer.mask is not None:
            yield layer.mask


def _size(part: object) -> int:
    return len(part) if isinstance(part, bytes) else int(getattr(part, "nbytes", 0))


def changed_rect(before: State, after: State) -> list[Rect]:
    """List rectangles of the frame outside of which the picture, the edit mask and the selection look the same."""
    frame = after.frame
    if before.frame != frame or before.profile != after.profile:
        return [frame]
    found = set(_changed_layers(before.layers, after.layers, 0, 0))
    found.update(_changed_masks(before.edit_mask, after.edit_mask, frame))
    found.update(_changed_masks(before.selection, after.selection, frame))
    clipped = {rect & frame for rect in found}
    return sorted(rect for rect in clipped if rect)


def _changed_masks(before: Plane | None, after: Plane | None, whole: Rect) -> list[Rect]:
    if before is after:
        return []
    if before is None or after is None or before.default != after.default:
        return [whole]
    return after.changed(before)


def _changed_layers(before: tuple[Layer, ...], after: tuple[Layer, ...], x: int, y: int) -> Iterator[Rect]:
    """Walk over what changed between two lists of layers whose parent's origin stands at x, y."""
    if before is after:
        return
    old, new = {layer.id: layer for layer in before}, {layer.id: layer for layer in after}
    for layer in before:
        if layer.id not in new:
            yield from _shown(layer, x, y)
    for layer in after:
        if layer.id not in old:
            yield from _shown(layer, x, y)
    in_place = _longest_in_order([layer.id for layer in before if layer.id in new], [layer.id for layer in after])
    for layer in after:
        if layer.id in old:
            if layer.id not in in_place:
                yield from _shown(layer, x, y)
            yield from _changed_layer(old[layer.id], layer, x, y)


def _changed_layer(before: Layer, after: Layer, x: int, y: int) -> Iterator[Rect]:
    if before is after or not (before.visible or after.visible):
        return
    same_kind = isinstance(before, RasterLayer) == isinstance(after, RasterLayer)
    if not same_kind or _appearance(before) != _appearance(after):
        yield from _shown(before, x, y)
        yield from _shown(after, x, y)
        return
    x, y = x + after.x, y + after.y
    if after.mask_enabled:
        inside = (extent(before) | extent(after)).moved(-after.x, -after.y)
        for rect in _changed_masks(before.mask, after.mask, inside):
            yield rect.moved(x, y)
    if isinstance(before, GroupLayer) and isinstance(after, GroupLayer):
        yield from _changed_layers(before.children, after.children, x, y)
    elif isinstance(before, RasterLayer) and isinstance(after, RasterLayer):
        if before.pixels.depth != after.pixels.depth:
            yield from (plane.bounds.moved(x, y) for plane in (before.pixels, after.pixels))
        else:
            yield from (rect.moved(x, y) for rect in after.pixels.changed(before.pixels))


def _appearance(layer: Layer) -> tuple[object, ...]:
    """Give what changes the look of all of a layer's pixels."""
    return layer.visible, layer.opacity, layer.blend, layer.x, layer.y, layer.mask is not None and layer.mask_enabled


def _shown(layer: Layer, x: int, y: int) -> Iterator[Rect]:
    if layer.visible:
        yield extent(layer).moved(x, y)


def _longest_in_order(before: list[str], after: list[str]) -> set[str]:
    """Find as many names as possible that stand in the same order in both (a longest increasing subsequence)."""
    place = {name: index for index, name in enumerate(before)}
    ends: list[int] = []  # the places at which the best runs of each length end
    names: list[str] = []
    previous: dict[str, str | None] = {}
    for name in after:
        if name in place:
            length = bisect_left(ends, place[name])
            ends[length:], names[length:] = [place[name], *ends[length + 1 :]], [name, *names[length + 1 :]]
            previous[name] = names[length - 1] if length else None
    found: set[str] = set()
    last = names[-1] if names else None
    while last is not None:
        found.add(last)
        last = previous[last]
    return found
