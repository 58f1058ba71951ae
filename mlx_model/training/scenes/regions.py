"""Masked regions of the training scenes: rectangles, ellipses and brushed blobs, and places inside them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .shapes import Mask, Place

FILL = 0.8  # a new object's size in shorter sides of the region's bounding box
GRID = 8  # most things lie on whole latents: a small model draws what it has often drawn
LOOSE = 0.12  # share of the places that ignore the grid


@dataclass(frozen=True)
class Region:
    """A mask, its bounding box (right and bottom exclusive), and whether it fills that box."""

    mask: Mask
    left: int
    top: int
    right: int
    bottom: int
    rectangular: bool

    @property
    def shorter(self) -> int:
        """The shorter side of the bounding box."""
        return min(self.right - self.left, self.bottom - self.top)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The bounding box as left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom

    def centre(self) -> Place:
        """Give the place of a new object: in the middle, 0.8 of the shorter side."""
        return Place((self.left + self.right) / 2, (self.top + self.bottom) / 2, FILL * self.shorter)

    def somewhere(self, rng: np.random.Generator, size: float) -> Place:
        """Choose a place for an object of this size (or a little less) that the mask covers wholly."""
        middle = self.centre()
        if self.rectangular:
            size = min(size, self.shorter - 3.0)
            across = (self.right - self.left - size) / 2 - 1.0
            down = (self.bottom - self.top - size) / 2 - 1.0
        else:
            size = min(size, (self.shorter - 3.0) / 1.16)
            across = down = (self.shorter - 1.16 * size) / 2 - 1.0
        x, y = rng.uniform(-1, 1, 2)
        return Place(middle.x + x * max(across, 0.0), middle.y + y * max(down, 0.0), size)


def middle(rng: np.random.Generator, half: float, length: int, loose: bool, edge: float = 2.0) -> float:
    """Draw where the middle of something that reaches ``half`` to both sides lies in a frame of this length.

    It keeps ``edge`` from the borders and lies on the `GRID`, unless loose.
    """
    low, high = half + edge, length - half - edge
    first, last = math.ceil(low / GRID), math.floor(high / GRID)
    if loose or first > last:
        return float(rng.uniform(low, max(high, low)))
    return float(GRID * rng.integers(first, last + 1))


def draw_region(rng: np.random.Generator, height: int, width: int) -> Region:
    """Draw a region with sides of 40 to 80 pixels of a 128-pixel frame (larger frames in proportion).

    Its sides are whole steps of the `GRID` and so is its middle, but for the few that are `LOOSE`.
    """
    scale = min(height, width) / 128
    across = rng.uniform(38, 82)
    down = float(np.clip(across * rng.uniform(0.75, 1.33), 38, 82))
    loose = bool(rng.random() < LOOSE)
    box_w, box_h = (round(side * scale) if loose else GRID * round(side * scale / GRID) for side in (across, down))
    left = round(middle(rng, box_w / 2, width, loose) - box_w / 2)
    top = round(middle(rng, box_h / 2, height, loose) - box_h / 2)
    mask = np.zeros((height, width), np.bool_)
    kind = rng.random()
    if kind < 0.75:
        mask[top : top + box_h, left : left + box_w] = True
    else:
        wobble = np.zeros(3) if kind < 0.87 else rng.uniform(0.02, 0.07, 3)
        exponent = 2.0 if kind < 0.87 else float(rng.uniform(2.2, 3.5))
        mask[top : top + box_h, left : left + box_w] = _blob(rng, box_h, box_w, exponent, wobble)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    return Region(mask, left, top, int(columns[-1]) + 1, int(rows[-1]) + 1, bool(kind < 0.75))


def _blob(rng: np.random.Generator, height: int, width: int, exponent: float, wobble: NDArray[np.float64]) -> Mask:
    """Fill a superellipse with a wavy outline that holds the circle in the middle of its box."""
    angles = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    cos, sin = np.cos(angles), np.sin(angles)
    radius = (np.abs(cos) ** exponent + np.abs(sin) ** exponent) ** (-1 / exponent)
    for waves, amount in zip((2, 3, 5), wobble, strict=True):
        radius = radius * (1 + amount * np.sin(waves * angles + rng.uniform(0, 2 * np.pi)))
    points = np.stack([radius * cos, radius * sin], 1)
    low, high = points.min(0), points.max(0)
    points = (points - low) / (high - low) * (width - 1, height - 1)
    filled = np.zeros((height, width), np.uint8)
    cv2.fillPoly(filled, [np.rint(points * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    middle, shorter = ((width - 1) * 8, (height - 1) * 8), min(height, width)
    cv2.circle(filled, middle, round((shorter / 2 - 0.5) * 16), 1, cv2.FILLED, cv2.LINE_8, 4)
    return filled.astype(np.bool_)


def overlaps(place: Place, boxes: list[tuple[float, float, float, float]], gap: float) -> bool:
    """Tell whether the place's square comes nearer than the gap to one of the boxes (left, top, right, bottom)."""
    half = place.size / 2 + gap
    return any(
        place.x + half > left and place.x - half < right and place.y + half > top and place.y - half < bottom
        for left, top, right, bottom in boxes
    )


def box_of(place: Place) -> tuple[float, float, float, float]:
    """Give the place's square as left, top, right, bottom."""
    half = place.size / 2
    return place.x - half, place.y - half, place.x + half, place.y + half
