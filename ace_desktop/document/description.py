"""A document in words: JSON for everything but pixels, for the project file and the journal alike.

Where a plane stands, the description has what the caller's `Describe` made of it, and the caller's `Restore` turns
that back. Reading is strict: whatever is missing, of the wrong kind or out of range raises ValueError.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from .errors import DocumentError
from .plane import Plane
from .state import BLEND_MODES, NOTHING, GroupLayer, Layer, RasterLayer, State

Json: TypeAlias = Mapping[str, Any]
Describe: TypeAlias = Callable[[Plane], Any]
Restore: TypeAlias = Callable[[Any], Plane]

MAX_DEPTH: Final = 100
"""Groups inside groups."""
MAX_PIXELS: Final = 2**28
"""Of the frame, and of each picture in it."""
_FARTHEST: Final = 2**30


def describe(state: State, plane: Describe) -> dict[str, Any]:
    """Describe a document, all but its attachments.

    Raises:
        DocumentError: groups lie more than MAX_DEPTH deep.
    """
    return {
        "width": state.width,
        "height": state.height,
        "layers": [_describe_layer(layer, plane, 1) for layer in state.layers],
        "active": state.active,
        "edit_mask": plane(state.edit_mask),
        "selection": None if state.selection is None else plane(state.selection),
        "masks": {name: plane(mask) for name, mask in state.masks.items()},
        "settings": plain(state.settings),
        "profile": None if state.profile is None else base64.b64encode(state.profile).decode(),
        "resolution": state.resolution,
    }


def _describe_layer(layer: Layer, plane: Describe, depth: int) -> dict[str, Any]:
    check_depth(depth)
    common = {
        "name": layer.name,
        "id": layer.id,
        "visible": layer.visible,
        "opacity": layer.opacity,
        "locked": layer.locked,
        "blend": layer.blend,
        "x": layer.x,
        "y": layer.y,
        "mask": None if layer.mask is None else plane(layer.mask),
        "mask_enabled": layer.mask_enabled,
        "extra": plain(layer.extra),
    }
    if isinstance(layer, GroupLayer):
        return common | {"children": [_describe_layer(child, plane, depth + 1) for child in layer.children]}
    return common | {"pixels": plane(layer.pixels)}


def restored(value: Any, plane: Restore, attachments: Mapping[str, bytes] = NOTHING) -> State:
    """Make the document that was described.

    Raises:
        ValueError: the description is damaged, or of another version.
    """
    held = _group(value)
    width, height = whole(held["width"], 1), whole(held["height"], 1)
    if width * height > MAX_PIXELS:
        raise ValueError("the frame is too large")
    layers = _layers(held["layers"], plane, 1)
    profile, resolution = held["profile"], _number(held["resolution"])
    if resolution <= 0:
        raise ValueError("resolution")
    return State(
        width=width,
        height=height,
        layers=layers,
        active=None if held["active"] is None else _text(held["active"]),
        edit_mask=_mask(held["edit_mask"], plane),
        selection=None if held["selection"] is None else _mask(held["selection"], plane),
        masks=MappingProxyType({name: _mask(mask, plane) for name, mask in _group(held["masks"]).items()}),
        settings=frozen(_group(held["settings"])),
        profile=None if profile is None else base64.b64decode(_text(profile), validate=True),
        resolution=resolution,
        attachments=MappingProxyType(dict(attachments)),
    )


def _layers(value: Any, plane: Restore, depth: int) -> tuple[Layer, ...]:
    check_depth(depth)
    return tuple(_layer(item, plane, depth) for item in _list(value))


def _layer(value: Any, plane: Restore, depth: int) -> Layer:
    held = _group(value)
    common: dict[str, Any] = {
        "name": _text(held["name"]),
        "id": _text(held["id"]),
        "visible": _flag(held["visible"]),
        "opacity": opacity(held["opacity"]),
        "locked": _flag(held["locked"]),
        "blend": _text(held["blend"]),
        "x": whole(held["x"]),
        "y": whole(held["y"]),
        "mask": None if held["mask"] is None else _mask(held["mask"], plane),
        "mask_enabled": _flag(held["mask_enabled"]),
        "extra": frozen(_group(held["extra"])),
    }
    if common["blend"] not in BLEND_MODES:
        raise ValueError("blend mode")
    if "children" in held:
        return GroupLayer(children=_layers(held["children"], plane, depth + 1), **common)
    pixels = plane(held["pixels"])
    if pixels.channels != 4:
        raise ValueError("channels")
    return RasterLayer(pixels=pixels, **common)


def check_depth(depth: int) -> None:
    """Refuse trees so deep that programs fall over them.

    Raises:
        DocumentError: it is more than MAX_DEPTH.
    """
    if depth > MAX_DEPTH:
        raise DocumentError(f"groups lie inside each other more than {MAX_DEPTH} deep; take some apart")


def check_ids(ids: Iterable[str]) -> None:
    """Refuse layers of the same name, which tools could not tell apart.

    Raises:
        ValueError: two are the same.
    """
    held = list(ids)
    if len(set(held)) != len(held):
        raise ValueError("layer ids")


def whole(value: Any, least: int = -_FARTHEST) -> int:
    """Return a whole number within what documents may have.

    Raises:
        ValueError: it is none, or out of range.
    """
    if type(value) is not int or not least <= value <= _FARTHEST:
        raise ValueError("a whole number is missing")
    return value


def opacity(value: Any) -> float:
    """Return a number from 0 to 1.

    Raises:
        ValueError: it is none.
    """
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError("opacity")
    return number


def plain(value: Any) -> Any:
    """Return settings as JSON has them: mappings become dicts, tuples lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return settings that nobody writes to."""
    return MappingProxyType(dict(value)) if value else NOTHING


def _mask(value: Any, plane: Restore) -> Plane:
    mask = plane(value)
    if mask.channels != 1 or mask.depth != 8:
        raise ValueError("a mask has one channel of 8 bits")
    return mask


def _group(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("a group is missing")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("a list is missing")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is missing")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("a yes or no is missing")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("a number is missing")
    return float(value)
