"""Shapes as masks with smooth edges, and outlines of masks, in document pixels (pixels begin at whole numbers)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import Rect
from .masks import grey_of
from .plane import Plane

Points: TypeAlias = Sequence[tuple[float, float]] | NDArray[Any]  # n x 2: x, y

ROWS = 16
"""Into how many rows a pixel is cut: its coverage is exact across, and in these steps downwards."""


def rectangle(rect: Rect, frame: Rect) -> Plane:
    """Give a mask of a rectangle of whole pixels."""
    return Plane(1).mapped(rect & frame, lambda old, _: np.full_like(old, 255))


def ellipse(x: float, y: float, width: float, height: float, frame: Rect) -> Plane:
    """Give a mask of the ellipse inside the rectangle with its corner at x, y."""
    count = max(32, int(16 * math.sqrt(max(abs(width), abs(height)))))  # within a fiftieth of a pixel
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    across = x + width / 2 * (1 + np.cos(turn))
    down = y + height / 2 * (1 + np.sin(turn))
    return polygon([np.stack([across, down], 1)], frame)


def polygon(contours: Sequence[Points], frame: Rect) -> Plane:
    """Give a mask of what lies inside an odd number of closed contours, such as a lasso that crosses itself."""
    found = [_crossings(np.asarray(points, np.float64).reshape(-1, 2), frame) for points in contours]
    if not found:
        return Plane(1)
    rows = np.concatenate([row for row, _ in found])
    columns = np.concatenate([column for _, column in found])
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    if not len(rows):
        return Plane(1)
    # From the first crossing of a row on all is inside, from the second on outside, and so on.
    sign = np.where(np.arange(len(rows)) % 2, -1.0, 1.0)  # every row has an even number
    left, right = int(columns.min()), min(int(columns.max()) + 1, frame.width)
    plane = Plane(1)
    for top in range(int(rows[0]) // ROWS, int(rows[-1]) // ROWS + 1, 256):
        first, last = np.searchsorted(rows, (top * ROWS, (top + 256) * ROWS))
        if first < last:
            strip = _strip(rows[first:last] // ROWS - top, columns[first:last] - left, sign[first:last], right - left)
            plane = plane.written(strip[: frame.height - top, :, None], frame.x + left, frame.y + top)
    return plane


def _crossings(points: NDArray[np.float64], frame: Rect) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find where a closed contour crosses the middles of the cut rows: rows, and columns clipped to the frame."""
    x = points[:, 0] - frame.x
    y = (points[:, 1] - frame.y) * ROWS - 0.5  # the middle of row n stands at n
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    top, bottom = np.minimum(y, next_y), np.maximum(y, next_y)
    first = np.ceil(np.clip(top, 0, frame.height * ROWS)).astype(np.int64)
    last = np.ceil(np.clip(bottom, 0, frame.height * ROWS)).astype(np.int64)
    count = last - first
    edge = np.repeat(np.arange(len(points)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    along = (row - y[edge]) / (next_y - y)[edge]
    return row, np.clip(x[edge] + along * (next_x - x)[edge], 0, frame.width)


def _strip(
    rows: NDArray[np.int64], columns: NDArray[np.float64], sign: NDArray[np.float64], width: int
) -> NDArray[np.uint8]:
    """Add up the coverage of 256 rows of pixels: each crossing turns all right of it on or off."""
    whole = columns.astype(np.int64)
    part = columns - whole
    at = rows * (width + 2) + whole
    steps = np.bincount(at, sign * (1 - part), 256 * (width + 2)) + np.bincount(
        at + 1, sign * part, 256 * (width + 2)
    )
    covered = np.cumsum(steps.reshape(256, width + 2)[:, :width], axis=1)
    return np.rint(covered * (255 / ROWS)).clip(0, 255).astype(np.uint8)


def outline(mask: Plane, frame: Rect) -> list[NDArray[np.int32]]:
    """Trace a mask at half of its range: closed contours along the pixels' edges, each n x 2 corners (x, y)."""
    rect = frame if mask.default else mask.content() & frame
    if not rect:
        return []
    inside = cv2.copyMakeBorder(
        (grey_of(mask, rect) >= 128).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0
    )
    doubled = cv2.resize(inside, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    found, _ = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    corner = np.array([rect.x - 1, rect.y - 1], np.int32)
    return [_corners(np.asarray(points, np.int32)[:, 0]) + corner for points in found]


def _corners(points: NDArray[np.int32]) -> NDArray[np.int32]:
    """Turn a contour of a mask of doubled size, which runs inside it, into the corners of the pixels' edges.

    The left half of a pixel stands for its left edge, the right half for its right edge; steps from one pixel to the
    next vanish, so every step that is left runs along one edge.
    """
    path = (points + 1) // 2
    path = path[(path != np.roll(path, 1, axis=0)).any(1)]
    before, behind = path - np.roll(path, 1, axis=0), np.roll(path, -1, axis=0) - path
    return path[(before != behind).any(1)]
