"""Masks made from masks: grown, shrunk, feathered, inverted, combined, copied from one place to another.

All masks here are planes of one channel in document coordinates; results hold 0 outside the frame. What is done to
which mask of a document stands in `target`: `with_mask(state, EDIT_MASK, grown(mask_of(state, EDIT_MASK), ...))`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .compose import compose_layers
from .geometry import Rect
from .plane import Pixels, Plane
from .state import State
from .target import SELECTION, Target, mask_of, with_mask
from .tree import find, parent_origin

Combine: TypeAlias = Literal["replace", "add", "subtract", "intersect"]
Grey: TypeAlias = NDArray[np.uint8]  # h x w

_COMBINED: Mapping[Combine, Callable[[Pixels, Pixels], Pixels]] = MappingProxyType(
    {
        "replace": lambda _, new: new,
        "add": np.maximum,
        "subtract": lambda old, new: np.minimum(old, 255 - new),
        "intersect": np.minimum,
    }
)

_DISC = 10
"""A disc of more pixels is made of several of at most this radius: the sum of discs is nearly a disc, and faster."""


def everything(frame: Rect) -> Plane:
    """Give a mask of the whole frame."""
    return Plane(1).mapped(frame, lambda old, _: np.full_like(old, 255))


def inverted(mask: Plane, frame: Rect) -> Plane:
    """Give what the mask leaves out inside the frame."""
    return Plane(1).mapped(frame, lambda _, part: 255 - mask.read(part))


def combined(mask: Plane, other: Plane, how: Combine, frame: Rect) -> Plane:
    """Replace a mask by another, join them (the larger value), take the other away, or keep what both have."""
    mix = _COMBINED[how]
    return Plane(1).mapped(frame, lambda _, part: mix(mask.read(part), other.read(part)))


def copied(state: State, source: Plane | Target, target: Target, how: Combine = "replace") -> State:
    """Give the state with a mask, which may be another one of it, combined into a target (also a new saved mask).

    Adding to no selection makes one; anything else takes it for everything.
    """
    new = mask_of(state, source) if isinstance(source, Target) else source
    if how == "replace":
        return with_mask(state, target, new)
    nothing = how == "add" and target == SELECTION and state.selection is None
    old = Plane(1) if nothing else mask_of(state, target)
    return with_mask(state, target, combined(old, new, how, state.frame))


def renamed(state: State, name: str, new: str) -> State:
    """Give a saved mask another name, at the same place in their order.

    Raises:
        ValueError: there is none of this name, or already one of the new name.
    """
    if name not in state.masks or (new in state.masks and new != name):
        raise ValueError(f"mask {name} cannot be renamed to {new}")
    masks = {new if key == name else key: mask for key, mask in state.masks.items()}
    return replace(state, masks=MappingProxyType(masks))


def alpha_of(state: State, layer_id: str) -> Plane:
    """Make a mask from what a layer or group covers, its own mask included, whether visible or not."""
    layer = replace(find(state, layer_id), visible=True, opacity=1.0)
    x, y = parent_origin(state, layer_id)
    return Plane(1).mapped(
        state.frame, lambda _, part: compose_layers([layer], part.moved(-x, -y))[..., 3:].astype(np.uint8, copy=False)
    )


def grown(mask: Plane, frame: Rect, radius: int) -> Plane:
    """Grow a mask by `radius` pixels in every direction; soft edges stay as soft as they are."""
    return _filtered(mask, frame, radius, lambda grey: _morphed(grey, radius, cv2.dilate))


def shrunk(mask: Plane, frame: Rect, radius: int) -> Plane:
    """Shrink a mask by `radius` pixels, not from the frame's border inwards; soft edges stay as soft as they are."""
    return _filtered(mask, frame, radius, lambda grey: _morphed(grey, radius, cv2.erode))


def feathered(mask: Plane, frame: Rect, sigma: float) -> Plane:
    """Soften a mask's edges by a Gaussian of this standard deviation, in pixels; the frame's border stays hard."""
    if sigma <= 0:
        return mask
    return _filtered(mask, frame, int(3 * sigma) + 2, lambda grey: _blurred(grey, sigma))


def _filtered(mask: Plane, frame: Rect, reach: int, change: Callable[[Grey], Grey]) -> Plane:
    """Change the part of a mask that can change: what it holds, and `reach` pixels around."""
    rect = frame if mask.default else (mask.content() & frame).grown(reach) & frame
    if not rect:
        return Plane(1)
    return Plane(1).written(change(grey_of(mask, rect))[..., None], rect.x, rect.y)


def grey_of(mask: Plane, rect: Rect) -> Grey:
    """Copy a mask's values in a rectangle, h x w."""
    return mask.read(rect)[..., 0].astype(np.uint8, copy=False)


def _morphed(grey: Grey, radius: int, operation: Callable[..., cv2.typing.MatLike]) -> Grey:
    while radius > 0:
        step = min(radius, _DISC)
        squares = np.arange(-step, step + 1) ** 2
        disc = (np.add.outer(squares, squares) <= step * step).astype(np.uint8)
        grey = np.asarray(operation(grey, disc), np.uint8)
        radius -= step
    return grey


def _blurred(grey: Grey, sigma: float) -> Grey:
    if sigma <= 12:
        return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)
    # What a wide Gaussian leaves has no detail: it can be made of fewer pixels.
    factor = int(sigma / 6)
    height, width = grey.shape
    padded = cv2.copyMakeBorder(grey, 0, -height % factor, 0, -width % factor, cv2.BORDER_REPLICATE)
    small = cv2.resize(padded, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA).astype(np.float32)
    # Averaging over the factor and interpolating linearly each blur a little themselves.
    own = (factor * factor - 1) / 12 + (factor * factor) / 6
    rest = float(np.sqrt(sigma * sigma - own)) / factor
    soft = cv2.GaussianBlur(small, (0, 0), rest, borderType=cv2.BORDER_REPLICATE)
    size = (padded.shape[1], padded.shape[0])
    large = cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR)[:height, :width]
    return np.rint(large).astype(np.uint8)
