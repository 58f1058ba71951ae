"""What the next edit is to be: settings that live in the document, so that they are undone and saved with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from mlx_model.request import Box, EditRequest, Reference
from mlx_model.tasks import CONTROLS, TASKS, infer_task

from .description import frozen, plain
from .geometry import EMPTY, Rect
from .plane import Pixels, Plane, tile_rect
from .references import BoardReference, references_of
from .state import Layer, RasterLayer, State, extent, walk

SETTINGS: Final = "edit"
"""Under this name a document's settings hold those of the edit."""
SELECTED: Final = 128
"""Of 255: what lies above it in the edit mask may change, as the model's own code reads a mask."""
PROJECT: Final = "project"
"""Under this name a document's settings hold the id by which its results are found."""

_MOST_VARIATIONS: Final = 64
_FARTHEST: Final = 2**30
_BEYOND_SEEDS: Final = 2**64
_LARGEST: Final = 10.0**6
"""Of strengths and the like; what a control shows a hundred times as large still fits it."""
_ID: Final = re.compile("[0-9a-f]{32}")


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
    known = {
        "variations": 1 <= values.get("variations", 1) <= _MOST_VARIATIONS,
        "task": values.get("task") in TASKS,
        "control": values.get("control") in CONTROLS,
    }
    return EditSettings(**{name: value for name, value in values.items() if known.get(name, True)})


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
    used, masked = used_references(state), bool(mask_box(state))
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


def used_references(state: State) -> tuple[BoardReference, ...]:
    """List the references that go into an edit: those that are on, without the one that is the control picture."""
    control = settings_of(state).control_reference
    return tuple(reference for reference in references_of(state) if reference.on and reference.id != control)


def project_of(state: State) -> str | None:
    """Give the project's id; None for a document that has none yet."""
    held = state.settings.get(PROJECT)
    return held if isinstance(held, str) and _ID.fullmatch(held) else None


def with_project(state: State, project: str) -> State:
    """Give the document with the id of a project."""
    return replace(state, settings=frozen({**state.settings, PROJECT: project}))


def has_picture(state: State) -> bool:
    """Tell whether anything can be seen in the frame that could be edited (by whole tiles)."""
    return any(bool(extent(layer) & state.frame) for layer in state.layers if _shows(layer))


def _shows(layer: Layer) -> bool:
    if not layer.visible or layer.opacity <= 0:
        return False
    return any(isinstance(inner, RasterLayer) and inner.visible for inner in walk((layer,)))


def mask_box(state: State) -> Rect:
    """Find the smallest rectangle of the frame around all that the edit mask selects; empty for nothing."""
    return selected_box(state.edit_mask, state.frame)


@lru_cache(maxsize=4)  # planes never change, and this is asked several times after each stroke
def selected_box(mask: Plane, frame: Rect) -> Rect:
    """Find the smallest rectangle of the frame around all values of a mask above SELECTED, 0..255."""
    if mask.default > SELECTED:
        return _selected(mask.read(frame)).moved(frame.x, frame.y)
    found, bounds = EMPTY, mask.bounds
    # Those at the edges first: most that lie between them need no look.
    for index in sorted(mask.tiles, key=lambda index: _inside(tile_rect(index), bounds)):
        whole = tile_rect(index)
        part = whole & frame
        if part not in found:
            x, y = part.x - whole.x, part.y - whole.y
            values = mask.tiles[index][y : y + part.height, x : x + part.width]
            found |= _selected(values).moved(part.x, part.y)
    return found


def _inside(tile: Rect, bounds: Rect) -> bool:
    return bounds.x < tile.x and tile.right < bounds.right and bounds.y < tile.y and tile.bottom < bounds.bottom


def _selected(values: Pixels) -> Rect:
    selected = values[..., 0] > SELECTED
    rows, columns = np.flatnonzero(selected.any(1)), np.flatnonzero(selected.any(0))
    if not len(rows):
        return EMPTY
    return Rect.of_edges(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is missing")
    return value.encode("utf-8", "replace").decode()  # half a character can be neither shown nor kept


def _whole_number(value: Any) -> int:
    if type(value) is not int or abs(value) >= _BEYOND_SEEDS:
        raise ValueError("a whole number is missing")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= _LARGEST:  # also what is no number
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
