"""Opening OpenRaster files: our own exactly as they were saved, other programs' as far as they say more than we know.

Our description is believed only while `stack.xml` and every picture are the ones that we wrote: where another program
changed anything, its layers count, and of ours the masks, the selection and the settings are taken.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from .archive import MAX_BYTES, Archive
from .description import MAX_PIXELS, check_ids, restored, whole
from .errors import DocumentError, Warn, ignore
from .openraster_stack import IMAGE_ATTRIBUTES, KEPT, OPERATORS, Element, read_elements
from .openraster_write import DOCUMENT, FORMAT, MERGED, MIMETYPE, PLANES, STACK, THUMBNAIL
from .plane import Plane
from .plane_png import decode_png, png_size
from .state import GroupLayer, Layer, RasterLayer, State, new_id, walk

_TEXT_BYTES: Final = 2**26
_PNG_BYTES: Final = 2**31
_BESIDE_PIXELS: Final = 2**24
_MODES: Final = {operator: blend for blend, operator in OPERATORS.items()}
_LAYER_ATTRIBUTES: Final = frozenset(
    {"name", "opacity", "visibility", "composite-op", "edit-locked", "src", "x", "y"}
)
_IMAGE_ATTRIBUTES: Final = frozenset({"version", "w", "h", "xres", "yres"})


def read_openraster(path: Path, warn: Warn = ignore) -> State:
    """Open an OpenRaster file; `warn` is told in a sentence what of it is not kept.

    Raises:
        DocumentError: it is none, it is damaged, or it was made to do harm.
    """
    archive = Archive(path, path.name)
    try:
        return _read(archive, warn)
    except DocumentError:
        raise
    except MemoryError as error:
        raise DocumentError(
            f"{path.name} is too large for the memory of this machine; close other documents"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        raise DocumentError(
            f"{path.name} is damaged and cannot be read; use a copy, or open it in another program"
        ) from error
    finally:
        archive.close()


class _Pictures:
    """The pictures of one archive, and what they may still unpack to."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.used, self.left = archive, {MERGED, THUMBNAIL}, MAX_BYTES
        self.profiles: dict[str, bytes | None] = {}

    def read(self, source: str) -> Any:
        """Decode an entry to RGBA."""
        data = self.archive.read(source, _PNG_BYTES)
        width, height, bits = png_size(data)
        size = width * height * (8 if bits == 16 else 4)
        if not 0 < width * height <= MAX_PIXELS or size > self.left:
            raise DocumentError(
                f"{self.archive.name} holds more pixels than can be read; scale it down where it was made"
            )
        self.left -= size
        self.used.add(source)
        pixels, self.profiles[source] = decode_png(data)
        return pixels


def _read(archive: Archive, warn: Warn) -> State:
    if STACK not in archive.entries:
        raise DocumentError(f"{archive.name} is a zip file, but no picture; open a .ora file")
    if "mimetype" in archive.entries and archive.read("mimetype", _TEXT_BYTES).strip() != MIMETYPE.encode():
        raise DocumentError(f"{archive.name} is no OpenRaster file; open it in the program that made it")
    stack = archive.read(STACK, _TEXT_BYTES)
    pictures = _Pictures(archive)
    ours = _ours(archive)
    planes: dict[str, Plane] = {}

    def plane(value: Any) -> Plane:
        key = json.dumps(value)
        if key not in planes:
            planes[key] = _plane(value, pictures)
        return planes[key]

    if ours is not None and _unchanged(ours, stack, archive):
        state = restored(ours["document"], plane)
        check_ids(layer.id for layer in walk(state.layers))
    else:
        state = _foreign(read_elements(stack, archive.name), pictures, warn)
        if ours is not None:
            state = _with_ours(state, ours, plane)
    return _with_attachments(state, archive, pictures.used | _pictures_of(ours))


def _ours(archive: Archive) -> dict[str, Any] | None:
    if DOCUMENT not in archive.entries:
        return None
    ours = json.loads(archive.read(DOCUMENT, _TEXT_BYTES))
    if type(ours["format"]) is not int or ours["format"] < 1:
        raise ValueError("format")
    if ours["format"] > FORMAT:
        raise DocumentError(f"{archive.name} was saved by a later version of this program; update it")
    return ours


def _unchanged(ours: Mapping[str, Any], stack: bytes, archive: Archive) -> bool:
    entries = archive.entries
    return ours["stack"] == hashlib.sha256(stack).hexdigest() and all(
        name in entries and checksum == entries[name].CRC for name, checksum in ours["checksums"].items()
    )


def _plane(value: Any, pictures: _Pictures) -> Plane:
    channels, depth, default = (whole(value[name], 0) for name in ("channels", "depth", "default"))
    if channels not in (1, 4) or depth not in (8, 16) or default >= 2**depth:
        raise ValueError("plane")
    empty = Plane(channels, depth, default)
    if "source" not in value:
        return empty
    pixels = pictures.read(value["source"])
    if value["alpha"] is not None:
        alpha = pictures.read(value["alpha"])
        if alpha.shape != pixels.shape or alpha.dtype != pixels.dtype:
            raise ValueError("alpha")
        pixels[..., 3] = alpha[..., 0]
    return empty.written(pixels[..., :channels], whole(value["x"]), whole(value["y"]))


def _foreign(image: Element, pictures: _Pictures, warn: Warn) -> State:
    if image.tag != "image":
        raise ValueError("no image")
    width, height = whole(int(image.attributes["w"]), 1), whole(int(image.attributes["h"]), 1)
    if width * height > MAX_PIXELS:
        raise DocumentError(
            f"{pictures.archive.name} is {width}×{height}, more than can be opened; scale it down first"
        )
    unknown: set[str] = set()
    stacks = [child for child in image.children if child.tag == "stack"]
    layers = _layers(stacks[0], 0, 0, pictures, unknown) if stacks else ()
    if unknown:
        warn(
            f"unknown here, and shown as normal or left out of {pictures.archive.name}: {', '.join(sorted(unknown))}"
        )
    profiles = list(pictures.profiles.values())
    kept = {name: value for name, value in image.attributes.items() if name not in _IMAGE_ATTRIBUTES}
    return State(
        width=width,
        height=height,
        layers=layers,
        active=next((layer.id for layer in reversed(layers)), None),
        profile=next((profile for profile in profiles if profile), None),
        resolution=_resolution(image.attributes.get("xres")),
        attachments={IMAGE_ATTRIBUTES: json.dumps(kept).encode()} if kept else {},
    )


def _resolution(text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        return 72.0
    return value if math.isfinite(value) and 0 < value < 2**20 else 72.0


def _layers(stack: Element, x: int, y: int, pictures: _Pictures, unknown: set[str]) -> tuple[Layer, ...]:
    def made() -> Iterator[Layer]:
        for element in reversed(stack.children):
            if element.tag in ("layer", "stack"):
                yield _layer(element, x, y, pictures, unknown)
            else:
                unknown.add(f"<{element.tag}>")

    return tuple(made())


def _layer(element: Element, x: int, y: int, pictures: _Pictures, unknown: set[str]) -> Layer:
    held = element.attributes
    left, top = _offset(held.get("x")), _offset(held.get("y"))
    kept = {name: value for name, value in held.items() if name not in _LAYER_ATTRIBUTES}
    if kept.get("isolation") == "isolate":
        del kept["isolation"]  # as all our groups are
    operator = held.get("composite-op", "svg:src-over")
    if operator not in _MODES:
        unknown.add(operator)
        kept["composite-op"] = operator
    opacity = float(held.get("opacity", "1"))
    if not math.isfinite(opacity):
        raise ValueError("opacity")
    common: dict[str, Any] = {
        "name": held.get("name", ""),
        "id": new_id(),
        "visible": held.get("visibility", "visible") != "hidden",
        "opacity": min(max(opacity, 0.0), 1.0),
        "locked": held.get("edit-locked") == "true",
        "blend": _MODES.get(operator, "normal"),
        "extra": MappingProxyType({KEPT: kept}) if kept else MappingProxyType({}),
    }
    if element.tag == "stack":
        return GroupLayer(children=_layers(element, x + left, y + top, pictures, unknown), **common)
    source = held["src"]
    return RasterLayer(pixels=Plane.of(pictures.read(source)), x=whole(x + left), y=whole(y + top), **common)


def _offset(text: str | None) -> int:
    return 0 if text is None else whole(round(float(text)))


def _with_ours(state: State, ours: Mapping[str, Any], plane: Callable[[Any], Plane]) -> State:
    """Take masks, selection and settings from our description where another program changed the layers."""
    document = restored(dict(ours["document"]) | {"layers": []}, plane)
    return replace(
        state,
        edit_mask=document.edit_mask,
        selection=document.selection,
        masks=document.masks,
        settings=document.settings,
    )


def _pictures_of(ours: Mapping[str, Any] | None) -> set[str]:
    """Name the pictures that belong to our description, used or not."""
    return set() if ours is None else {name for name in ours["checksums"] if name.startswith((PLANES, "data/"))}


def _with_attachments(state: State, archive: Archive, used: set[str]) -> State:
    known = used | {"mimetype", STACK, DOCUMENT}
    others = {
        name: archive.read(name) for name in archive.entries if name not in known and not name.startswith(PLANES)
    }
    return replace(state, attachments=MappingProxyType({**others, **state.attachments}))
