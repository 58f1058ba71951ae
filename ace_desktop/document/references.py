"""The reference board: pictures that an edit may look at, kept in the document.

What is said about each stands in the document's settings; the pictures are PNG files among its attachments, which
states share, so that undo and the journal hold each but once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from mlx_model.request import Box, Picture

from .description import frozen, plain, whole
from .geometry import Rect
from .plane import Plane
from .plane_png import decode_png
from .state import State, new_id

REFERENCES: Final = "references"
"""Under this name a document's settings list the references; their files lie in a folder of this name."""
ROLES: Final = ("subject", "face", "object", "pattern")
PLACING: Final = "put this here"
"""What a dropped reference is put there with where no words are."""
_MOST_NAME: Final = 200
_HALF: Final = 128

Rgba = NDArray[np.uint8]
Grey = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class BoardReference:
    """A picture on the board: `width` x `height` pixels, of which `crop` is used (None: all).

    `role` is one of ROLES. Only those that are `on` go into an edit. `has_mask`: what of it counts is cut out.
    """

    id: str
    name: str
    role: str = "object"
    on: bool = True
    crop: Box | None = None
    has_mask: bool = False
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class NewReference:
    """A picture that was made ready for the board, which takes long; `put_reference` is quick."""

    reference: BoardReference
    files: Mapping[str, bytes]


def references_of(state: State) -> tuple[BoardReference, ...]:
    """List the references in their order; damaged ones and those whose picture is gone are left out."""
    held = state.settings.get(REFERENCES)
    if not isinstance(held, list | tuple):
        return ()
    found: dict[str, BoardReference] = {}
    for item in held:  # pyright: ignore[reportUnknownVariableType] JSON
        try:
            reference = _read(item)
        except (TypeError, ValueError, KeyError):
            continue
        if picture_path(reference.id) in state.attachments:
            has_mask = reference.has_mask and mask_path(reference.id) in state.attachments
            found.setdefault(reference.id, replace(reference, has_mask=has_mask))
    return tuple(found.values())


def picture_path(reference_id: str) -> str:
    """Say under which path a reference's picture is attached."""
    return f"{REFERENCES}/{reference_id}.png"


def mask_path(reference_id: str) -> str:
    """Say under which path a reference's mask is attached."""
    return f"{REFERENCES}/{reference_id}.mask.png"


def new_reference(
    pixels: Rgba, name: str, profile: bytes | None = None, role: str = "object", mask: Grey | None = None
) -> NewReference:
    """Make a picture (uint8 RGBA) ready for the board; slow, for a thread.

    `mask` (h x w, 255 counts) is of the picture's size.

    Raises:
        ValueError: an unknown role, no pixels, or a mask of another size.
    """
    height, width = pixels.shape[:2]
    _check_role(role)
    if min(width, height) < 1:
        raise ValueError("a reference has at least one pixel")
    if mask is not None and mask.shape != (height, width):
        raise ValueError("the mask of a reference has its size")
    if mask is not None and not (mask > _HALF).any():
        mask = None  # nothing would be left of it
    made = BoardReference(
        id=new_id(), name=name[:_MOST_NAME], role=role, has_mask=mask is not None, width=width, height=height
    )
    files = {picture_path(made.id): _png(Picture(pixels, profile))}
    if mask is not None:
        files[mask_path(made.id)] = _mask_png(mask, made)
    return NewReference(made, MappingProxyType(files))


def put_reference(state: State, new: NewReference) -> State:
    """Give the document with a reference last on the board."""
    attachments = MappingProxyType({**state.attachments, **new.files})
    return _listed(replace(state, attachments=attachments), (*references_of(state), new.reference))


def add_reference(
    state: State,
    pixels: Rgba,
    name: str,
    profile: bytes | None = None,
    role: str = "object",
    mask: Grey | None = None,
) -> State:
    """Give the document with a picture last on the board; as `new_reference` and `put_reference`."""
    return put_reference(state, new_reference(pixels, name, profile, role, mask))


def remove_reference(state: State, reference_id: str) -> State:
    """Give the document without a reference and its files.

    Raises:
        ValueError: there is none of this id.
    """
    find_reference(state, reference_id)
    gone = {picture_path(reference_id), mask_path(reference_id)}
    attachments = {path: data for path, data in state.attachments.items() if path not in gone}
    kept = [reference for reference in references_of(state) if reference.id != reference_id]
    return _listed(replace(state, attachments=MappingProxyType(attachments)), kept)


def move_reference(state: State, reference_id: str, index: int) -> State:
    """Give the document with a reference at this place of the list (counted without it).

    Raises:
        ValueError: there is none of this id.
    """
    moved = find_reference(state, reference_id)
    others = [reference for reference in references_of(state) if reference.id != reference_id]
    others.insert(max(index, 0), moved)
    return _listed(state, others)


def change_reference(state: State, reference_id: str, **changes: Any) -> State:
    """Give the document with another name, role, crop or switch of a reference.

    Raises:
        ValueError: there is none of this id, or such a value cannot be.
    """
    unknown = changes.keys() - {"name", "role", "on", "crop"}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} of a reference cannot be set like this")
    changed = replace(find_reference(state, reference_id), **changes)
    _check(changed)
    return _listed(state, [changed if other.id == reference_id else other for other in references_of(state)])


def set_reference_mask(state: State, reference_id: str, mask: Grey | None) -> State:
    """Give the document with what counts of a reference cut out (h x w of the whole picture, 255 counts), or all.

    Raises:
        ValueError: there is none of this id, or the mask is of another size.
    """
    found = find_reference(state, reference_id)
    attachments = {path: data for path, data in state.attachments.items() if path != mask_path(reference_id)}
    if mask is not None and mask.shape == (found.height, found.width) and not (mask > _HALF).any():
        mask = None  # nothing would be left of it
    if mask is not None:
        attachments[mask_path(reference_id)] = _mask_png(mask, found)
    changed = replace(found, has_mask=mask is not None)
    after = replace(state, attachments=MappingProxyType(attachments))
    return _listed(after, [changed if other.id == reference_id else other for other in references_of(state)])


def find_reference(state: State, reference_id: str) -> BoardReference:
    """Give the reference of this id.

    Raises:
        ValueError: there is none.
    """
    for reference in references_of(state):
        if reference.id == reference_id:
            return reference
    raise ValueError(f"there is no reference {reference_id}")


def reference_pixels(state: State, reference_id: str) -> tuple[Rgba, Grey | None]:
    """Decode what is used of a reference, cropped: uint8 RGBA, and its mask (h x w) if it has one; slow.

    Raises:
        ValueError: there is none of this id, or its file is damaged.
    """
    picture, mask = reference_picture(state, reference_id)
    return np.asarray(picture.pixels, np.uint8), mask


def reference_picture(state: State, reference_id: str) -> tuple[Picture, Grey | None]:
    """Decode what is used of a reference with its profile; as `reference_pixels`."""
    reference = find_reference(state, reference_id)
    pixels, profile = decode_png(state.attachments[picture_path(reference_id)])
    if pixels.shape[:2] != (reference.height, reference.width):
        raise ValueError("the picture of a reference has another size")
    mask = None
    if reference.has_mask:
        mask = decode_png(state.attachments[mask_path(reference_id)])[0][..., 0].astype(np.uint8)
        if mask.shape != pixels.shape[:2]:
            raise ValueError("the mask of a reference has another size")
    if reference.crop is not None:
        left, top, width, height = reference.crop
        part = (slice(top, top + height), slice(left, left + width))
        pixels, mask = np.ascontiguousarray(pixels[part]), None if mask is None else np.ascontiguousarray(mask[part])
    return Picture(pixels.astype(np.uint8, copy=False), profile), mask


def _listed(state: State, references: Sequence[BoardReference]) -> State:
    listed = [_described(reference) for reference in references]
    others = {name: value for name, value in state.settings.items() if name != REFERENCES}
    return replace(state, settings=frozen(others | ({REFERENCES: listed} if listed else {})))


def _described(reference: BoardReference) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(BoardReference)}
    return {name: plain(value) for name, value in asdict(reference).items() if value != defaults[name]}


def _read(held: Any) -> BoardReference:
    if not isinstance(held, Mapping):
        raise ValueError("a reference is missing")
    crop = held.get("crop")
    found = BoardReference(
        id=_text(held["id"]),
        name=_text(held["name"]),
        role=_text(held.get("role", "object")),
        on=_flag(held.get("on", True)),
        crop=None if crop is None else _box(crop),
        has_mask=_flag(held.get("has_mask", False)),
        width=whole(held["width"], 1),
        height=whole(held["height"], 1),
    )
    _check(found)
    return found


def _text(held: Any) -> str:
    if not isinstance(held, str):
        raise ValueError("a text is missing")
    return held


def _flag(held: Any) -> bool:
    if not isinstance(held, bool):
        raise ValueError("a yes or no is missing")
    return held


def _box(held: Any) -> Box:
    left, top, width, height = (whole(number) for number in held)
    return left, top, width, height


def _check(reference: BoardReference) -> None:
    _check_role(reference.role)
    if reference.crop is not None:
        left, top, width, height = reference.crop
        if min(left, top) < 0 or min(width, height) < 1:
            raise ValueError("a crop lies within the picture")
        if left + width > reference.width or top + height > reference.height:
            raise ValueError("a crop lies within the picture")


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ValueError(f"there is no role {role}")


def _png(picture: Picture) -> bytes:
    from mlx_model.pictures.write import encode_picture

    return encode_picture("png", picture)


def _mask_png(mask: Grey, reference: BoardReference) -> bytes:
    if mask.shape != (reference.height, reference.width):
        raise ValueError("the mask of a reference has its size")
    pixels = np.empty((*mask.shape, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = mask[..., None], 255
    return _png(Picture(pixels))


def place_reference(state: State, reference_id: str, centre: tuple[float, float], width: float) -> State:
    """Give the document ready to put a reference there, `width` pixels wide: drag-and-drop compositing.

    The edit mask is its outline, it alone is on, the task is "reference", and words are filled in where there are
    none. Slow where the reference is large.

    Raises:
        ValueError: there is none of this id, or its place lies outside the picture.
    """
    from .edit import settings_of, with_settings  # which reads the references itself

    picture, mask = reference_picture(state, reference_id)
    wide = max(1, round(width))
    high = max(1, round(width * picture.size[1] / picture.size[0]))
    alpha = picture.pixels[..., 3] if mask is None else np.minimum(picture.pixels[..., 3], mask)
    outline = np.where(cv2.resize(alpha, (wide, high), interpolation=cv2.INTER_AREA) >= _HALF, 255, 0).astype(
        np.uint8
    )
    place = Rect(round(centre[0] - wide / 2), round(centre[1] - high / 2), wide, high)
    edit_mask = Plane.of(outline, place.x, place.y).cut(state.frame)
    if not edit_mask.content():
        raise ValueError("the reference lies outside the picture")
    for other in references_of(state):
        state = change_reference(state, other.id, on=other.id == reference_id)
    settings = settings_of(state)
    words = settings.instruction if settings.instruction.strip() else PLACING
    changed = replace(
        settings, task="reference", instruction=words, region=None, control=None, control_reference=None
    )
    return with_settings(replace(state, edit_mask=edit_mask), changed)
