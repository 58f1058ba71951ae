"""Actions of the layer menu."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..document.plane import Plane
from ..document.state import RasterLayer, State, depth_of, walk
from ..document.target import EDIT_MASK, SELECTION, Target
from ..document.tree import (
    add,
    add_above_active,
    duplicate,
    find,
    group,
    move,
    remove,
    replaced,
    siblings,
    ungroup,
    with_properties,
)
from ..translation import tr
from .doing import (
    Command,
    active,
    chosen,
    edit,
    edit_active,
    edit_active_slowly,
    edit_chosen,
    edit_slowly,
    session_of,
)

if TYPE_CHECKING:
    from ..main_window import MainWindow


def _numbered(state: State, name: str) -> str:
    """Give a name with the first number that no layer has."""
    taken = {layer.name for layer in walk(state.layers)}
    return next(full for number in range(1, len(taken) + 2) if (full := f"{name} {number}") not in taken)


def _new(state: State) -> State:
    layer = RasterLayer(pixels=Plane(4, depth_of(state.layers)), name=_numbered(state, tr("Layer")))
    return add_above_active(state, layer) if state.layers else add(state, layer)


def _raised(state: State, layer_id: str) -> State:
    beside = [layer.id for layer in siblings(state, layer_id)]
    return move(state, [layer_id], above=beside[beside.index(layer_id) + 1])


def _lowered(state: State, layer_id: str) -> State:
    beside = [layer.id for layer in siblings(state, layer_id)]
    return move(state, [layer_id], below=beside[beside.index(layer_id) - 1])


def _flipped(which: str) -> Callable[[State, Iterable[str], bool], State]:
    def change(state: State, ids: Iterable[str], value: bool) -> State:
        for layer_id in ids:
            state = with_properties(state, layer_id, **{which: value})
        return state

    return change


def _toggle(which: str, label: str) -> Command:
    """Make a command that turns a property of all chosen layers to what the active one has not."""

    def command(window: MainWindow) -> None:
        session = session_of(window)
        value = not getattr(active(window), which)
        session.do(label, _flipped(which)(session.state, chosen(window), value))

    return command


def _removed(state: State, ids: Iterable[str]) -> State:
    return remove(state, [layer_id for layer_id in ids if not find(state, layer_id).locked])


def _with_mask(state: State, layer_id: str, mask: Plane | None) -> State:
    return replaced(state, replace(find(state, layer_id), mask=mask, mask_enabled=True))


def _masked_by(source: Target) -> Callable[[State, str], State]:
    def change(state: State, layer_id: str) -> State:
        from ..document.masks import copied

        return copied(state, source, Target("layer mask", layer_id))

    return change


def _mask_inverted(state: State, layer_id: str) -> State:
    mask = find(state, layer_id).mask or Plane(1, default=255)
    tiles = {index: 255 - tile for index, tile in mask.tiles.items()}
    return _with_mask(state, layer_id, Plane(1, default=255 - mask.default).with_tiles(tiles))


def _flip(how: str) -> Callable[[State, str], State]:
    def change(state: State, layer_id: str) -> State:
        from ..document.transform import flip

        return flip(state, layer_id, "horizontal" if how == "horizontal" else "vertical")

    return change


def _rotate(degrees: float) -> Callable[[State, str], State]:
    def change(state: State, layer_id: str) -> State:
        from ..document.transform import rotate

        return rotate(state, layer_id, degrees)

    return change


def _merge_down(state: State, layer_id: str) -> State:
    from ..document.merge import merge_down

    return merge_down(state, layer_id)


def _merge_visible(state: State) -> State:
    from ..document.merge import merge_visible

    return merge_visible(state)


def _stamp(state: State) -> State:
    from ..document.merge import stamp_visible

    return stamp_visible(state, _numbered(state, tr("Visible")))


def _flatten(state: State) -> State:
    from ..document.merge import flatten

    return flatten(state, tr("Picture"))


def _rename(window: MainWindow) -> None:
    if window.layers is not None:
        window.layers.rename()


def _paint_mask(window: MainWindow) -> None:
    window.paint_on_mask(not window.paints_mask)


def _show_mask(window: MainWindow) -> None:
    window.show_mask_alone(Target("layer mask", active(window).id))


COMMANDS: Mapping[str, Command] = {
    "layer.new": edit("New layer", _new),
    "layer.duplicate": edit_chosen("Duplicate layer", duplicate),
    "layer.delete": edit_chosen("Delete layer", _removed),
    "layer.rename": _rename,
    "layer.visible": _toggle("visible", "Show or hide layer"),
    "layer.locked": _toggle("locked", "Lock or unlock layer"),
    "layer.raise": edit_active("Reorder layers", _raised),
    "layer.lower": edit_active("Reorder layers", _lowered),
    "layer.group": edit_chosen("Group layers", lambda state, ids: group(state, ids, _numbered(state, tr("Group")))),
    "layer.ungroup": edit_active("Ungroup", ungroup),
    "layer.mask_add": edit_active("Add mask", lambda state, name: _with_mask(state, name, Plane(1, default=255))),
    "layer.mask_from_selection": edit_active_slowly("Mask from selection", _masked_by(SELECTION)),
    "layer.mask_from_edit": edit_active_slowly("Mask from edit mask", _masked_by(EDIT_MASK)),
    "layer.mask_paint": _paint_mask,
    "layer.mask_show": _show_mask,
    "layer.mask_enabled": _toggle("mask_enabled", "Enable or disable mask"),
    "layer.mask_invert": edit_active("Invert mask", _mask_inverted),
    "layer.mask_delete": edit_active("Delete mask", lambda state, name: _with_mask(state, name, None)),
    "layer.flip_horizontal": edit_active_slowly("Flip layer horizontally", _flip("horizontal")),
    "layer.flip_vertical": edit_active_slowly("Flip layer vertically", _flip("vertical")),
    "layer.rotate_left": edit_active_slowly("Rotate layer left", _rotate(-90)),
    "layer.rotate_right": edit_active_slowly("Rotate layer right", _rotate(90)),
    "layer.merge_down": edit_active_slowly("Merge down", _merge_down),
    "layer.merge_visible": edit_slowly("Merge visible", _merge_visible),
    "layer.stamp": edit_slowly("New layer from visible", _stamp),
    "layer.flatten": edit_slowly("Flatten image", _flatten),
}


def _is(which: str) -> Callable[[MainWindow], bool]:
    def checked(window: MainWindow) -> bool:
        state = window.session.state if window.session else None
        return bool(state and state.active and getattr(find(state, state.active), which))

    return checked


CHECKED: Mapping[str, Callable[[MainWindow], bool]] = {
    "layer.visible": _is("visible"),
    "layer.locked": _is("locked"),
    "layer.mask_enabled": lambda window: _is("mask")(window) and _is("mask_enabled")(window),
    "layer.mask_show": lambda window: window.view.alone not in (None, EDIT_MASK),
    "layer.mask_paint": lambda window: window.paints_mask,
}
