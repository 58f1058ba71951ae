"""What the next edit is to be: settings that live in the document, so that they are undone and saved with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final

from mlx_model.request import Box, EditRequest, Reference
from mlx_model.tasks import infer_task

from .description import frozen, plain
from .geometry import EMPTY, Rect
from .plane import TILE, Plane, tile_rect
from .references import references_of
from .state import RasterLayer, State, extent, walk

SETTINGS: Final = "edit"
"""Under this name a document's settings hold those of the edit."""
SELECTED: Final = 128
"""Of 255: what lies above it in the edit mask may change, as the model's own code reads a mask."""

_MOST_VARIATIONS: Final = 64
_FARTHEST: Final = 2**30


@dataclass(frozen=True)
class EditSettings:
    """What a person has set; None means "as it is inferred" or "as the model has it".

    `task` and `control` are keys of `mlx_model.tasks.TASKS` and `CONTROLS`; `control_reference` is the id of the
    BoardReference that is the person's own control picture. `seed` is that of the first of `variations`, each other
    has one more. `adapters` are names with strengths. `region` is the frame (left, top, width, height) where the
    person has set it. `grow` and `fade` are pixels, as in `EditRequest`.
    """

    instruction: str = ""
    task: str | None = None
    control: str | None = None
    control_reference: str | None = None
    strength: float | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0
    seed_locked: bool = False
    variations: int = 1
    model: str = "pocket"
    adapters: tuple[tuple[str, float], ...] = ()
    region: Box | None = None
    grow: int = 4
    fade: int = 4
    colour_match: bool = True


NOTHING_SET: Final = EditSettings()


def settings_of(state: State) -> EditSettings:
    """Read the settings of a document; what is damaged or unknown there is as if it had never been set."""
    held = state.settings.get(SETTINGS)
    if not isinstance(held, Mapping):
        return NOTHING_SET
    values: dict[str, Any] = {}
    for field in fields(EditSettings):
        if field.name in held:
            try:
                values[field.name] = _READERS[field.type](held[field.name])
            except (TypeError, ValueError):
                continue
    if not 1 <= values.get("variations", 1) <= _MOST_VARIATIONS:
        del values["variations"]
    return EditSettings(**values)


def with_settings(state: State, settings: EditSettings) -> State:
    """Give the document with these settings; what is at its default is left out."""
    changed = {name: plain(value) for name, value in asdict(settings).items() if value != getattr(NOTHING_SET, name)}
    if changed == state.settings.get(SETTINGS, {}):
        return state
    others = {name: value for name, value in state.settings.items() if name != SETTINGS}
    return replace(state, settings=frozen(others | ({SETTINGS: changed} if changed else {})))


def inferred_task(state: State) -> str:
    """Say what the document asks for while `task` is None: mask, roles of the references, control and words decide.

    A face without a mask is a portrait and a subject a new scene; objects and patterns go under a mask.
    """
    settings = settings_of(state)
    if settings.task is not None:
        return settings.task
    used = [
        reference for reference in references_of(state) if reference.on and reference.id != settings.control_reference
    ]
    masked = bool(mask_box(state))
    if not masked and used:
        if any(reference.role == "face" for reference in used):
            return "portrait"
        if not has_picture(state) or any(reference.role == "subject" for reference in used):
            return "subject"
        return "reference"
    request = EditRequest(
        instruction=settings.instruction,
        picture="picture" if masked or has_picture(state) else None,
        mask="mask" if masked else None,
        references=tuple(Reference(reference.id) for reference in used),
        control=settings.control,
        control_picture=settings.control_reference,
    )
    return infer_task(request)


def has_picture(state: State) -> bool:
    """Tell whether anything can be seen in the frame that could be edited (by whole tiles)."""
    return any(bool(extent(layer) & state.frame) for layer in state.layers if _shows(layer))


def _shows(layer: Any) -> bool:
    if not layer.visible or layer.opacity <= 0:
        return False
    return any(isinstance(inner, RasterLayer) and inner.visible for inner in walk((layer,)))


def mask_box(state: State) -> Rect:
    """Find the smallest rectangle of the frame around all that the edit mask selects; empty where it selects nothing."""
    return selected_box(state.edit_mask, state.frame)


def selected_box(mask: Plane, frame: Rect) -> Rect:
    """Find the smallest rectangle of the frame around all values of a mask above SELECTED; looks at few tiles."""
    if mask.default > SELECTED:
        return frame if _whole(mask, frame) else _box_by_rows(mask, frame)
    found, bounds = EMPTY, mask.bounds

    def at_edge(tile: Rect) -> bool:
        across = tile.x == bounds.x or tile.right == bounds.right
        return across or tile.y == bounds.y or tile.bottom == bounds.bottom

    for index in sorted(mask.tiles, key=lambda index: not at_edge(tile_rect(index))):
        part = tile_rect(index) & frame
        if not part or part in found:
            continue
        x, y = index[1] * TILE, index[0] * TILE
        values = mask.tiles[index][part.y - y : part.bottom - y, part.x - x : part.right - x, 0] > SELECTED
        rows, columns = values.any(1).nonzero()[0], values.any(0).nonzero()[0]
        if len(rows):
            inside = Rect.of_edges(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
            found |= inside.moved(part.x, part.y)
    return found


def _whole(mask: Plane, frame: Rect) -> bool:
    return not any(tile_rect(index) & frame for index in mask.tiles)


def _box_by_rows(mask: Plane, frame: Rect) -> Rect:
    values = mask.read(frame)[..., 0] > SELECTED
    rows, columns = values.any(1).nonzero()[0], values.any(0).nonzero()[0]
    if not len(rows):
        return EMPTY
    return Rect.of_edges(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is missing")
    return value


def _whole_number(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("a whole number is missing")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("a number is missing")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("a yes or no is missing")
    return value


def _adapters(value: Any) -> tuple[tuple[str, float], ...]:
    return tuple((_text(name), _number(strength)) for name, strength in value)


def _box(value: Any) -> Box:
    left, top, width, height = (_whole_number(number) for number in value)
    if min(width, height) < 1 or max(map(abs, (left, top, width, height))) > _FARTHEST:
        raise ValueError("a box is missing")
    return left, top, width, height


_READERS: Mapping[Any, Callable[[Any], Any]] = MappingProxyType(
    {
        "str": _text,
        "str | None": _text,
        "int": _whole_number,
        "int | None": _whole_number,
        "float | None": _number,
        "bool": _flag,
        "tuple[tuple[str, float], ...]": _adapters,
        "Box | None": _box,
    }
)
"""By a field's type as it is written; None is a default and never stored."""
