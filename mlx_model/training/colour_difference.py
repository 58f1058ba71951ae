"""CIEDE2000, the difference between two colours as an eye sees it, for whole pictures at once."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def to_lab(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert an sRGB picture (uint8, H x W x 3) to CIE Lab under D65 (L 0..100)."""
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB), np.float32)


def difference(one: Array, other: Array) -> Array:
    """Compute the CIEDE2000 difference of Lab colours (... x 3 each, broadcast together) in their precision.

    Follows Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula" (Color Research and Application
    30, 2005), which fixes what the standard leaves open about hues; all weights are 1.
    """
    l1, a1, b1 = np.moveaxis(one, -1, 0)
    l2, a2, b2 = np.moveaxis(other, -1, 0)
    # Greyish colours get more chroma along a: the standard's correction for neutral blues.
    stretch = 1 + 0.5 * (1 - _saturation((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    coloured = c1 * c2 > 0
    turn = np.where(coloured, h2 - h1, 0)
    # Opposite hues differ by 180 up to rounding; both ways round are equally long, and the first is meant.
    far = np.abs(turn) > 180 + 1e-9
    turn = np.where(far, turn - 360 * np.sign(turn), turn)
    dl, dc = l2 - l1, c2 - c1
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)

    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    total = h1 + h2
    hue = np.where(far, (total + np.where(total < 360, 360, -360)) / 2, total / 2)
    hue = np.where(coloured, hue, total)
    weight = 1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.2 * _cos(4 * hue - 63)
    off = (lightness - 50) ** 2
    dl = dl / (1 + 0.015 * off / np.sqrt(20 + off))
    dc = dc / (1 + 0.045 * chroma)
    dh = dh / (1 + 0.015 * chroma * weight)
    bend = np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))
    mixed = -2 * _saturation(chroma) * np.sin(bend) * dc * dh
    return np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + mixed, 0))


def _saturation(chroma: Array) -> Array:
    square = chroma * chroma
    power = square * square * square * chroma  # a general power takes ten times as long
    return np.sqrt(power / (power + 25.0**7))


def _cos(degrees: Array) -> Array:
    return np.cos(np.radians(degrees))
