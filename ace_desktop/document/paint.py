"""Colour laid on pixels, taken away from them, and masks moved towards a value, by a coverage of 0..1 per pixel.

Pixels are h x w x channels, uint8 or uint16; `cover` is float32, h x w. Where it is 0 every bit stays as it was.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .plane import Pixels

Rgb: TypeAlias = tuple[int, int, int]  # 0..255
Cover: TypeAlias = NDArray[np.floating[Any]]

_LEAST = np.float32(1e-20)
"""Changes no alpha but 0, which is not divided by: it is less than the last bit of any other."""


def painted(pixels: Pixels, cover: Cover, colour: Rgb, *, lock_alpha: bool = False) -> Pixels:
    """Lay a colour over RGBA pixels of straight alpha; with `lock_alpha` their alpha stays."""
    full = 255 if pixels.dtype == np.uint8 else 65535
    *planes, alpha = cv2.split(pixels)
    values = [value * full / 255 for value in colour]
    share = cover
    if lock_alpha:
        share = cover * (alpha > 0)
    elif not alpha.any():  # nothing to mix with, as on a new layer
        shown = cover > 0
        planes = [
            np.where(shown, plane.dtype.type(value), plane) for plane, value in zip(planes, values, strict=True)
        ]
        return np.asarray(cv2.merge([*planes, _rounded(cover * np.float32(full), pixels.dtype)]), pixels.dtype)
    elif alpha.min() < full:
        after, rest = np.multiply(alpha, np.float32(1 / full)), 1 - cover
        after *= rest  # in place: what is not made anew is still in the processor's cache
        after += cover
        share = np.divide(cover, np.add(after, _LEAST, out=rest), out=rest)
        after *= np.float32(full)
        alpha = _rounded(after, pixels.dtype)
    mixed = [_towards(plane, share, value) for plane, value in zip(planes, values, strict=True)]
    return np.asarray(cv2.merge([*mixed, alpha]), pixels.dtype)


def erased(pixels: Pixels, cover: Cover) -> Pixels:
    """Take alpha away from RGBA pixels; their colours stay."""
    out = pixels.copy()
    out[..., 3] = _towards(pixels[..., 3], cover, 0)
    return out


def moved_towards(pixels: Pixels, cover: Cover, value: int) -> Pixels:
    """Move a mask (one channel) towards a value of 0..255."""
    return _towards(pixels[..., 0], cover, value)[..., None]


def _towards(plane: NDArray[np.generic], cover: Cover, value: float) -> Pixels:
    mixed = np.subtract(np.float32(value), plane, dtype=np.float32)
    mixed *= cover
    mixed += plane
    return _rounded(mixed, plane.dtype)


def _rounded(values: NDArray[np.floating[Any]], dtype: np.dtype[np.generic]) -> Pixels:
    values += np.float32(0.5)
    return values.astype(dtype)  # pyright: ignore[reportReturnType] uint8 or uint16
