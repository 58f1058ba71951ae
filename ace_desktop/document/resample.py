"""Planes moved by an affine matrix: without loss where pixels fall on pixels, else resampled without dark edges.

A matrix is 3 x 3 and maps where a pixel was to where it goes; pixels' edges are whole numbers. Colours are resampled
multiplied by their alpha, in float32, tile by tile.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import Rect
from .plane import Pixels, Plane

Matrix: TypeAlias = NDArray[np.floating[Any]]
Floats: TypeAlias = NDArray[np.float32]

EXACT = 1e-6
"""How far a matrix may be from whole numbers to count as such."""

MARGIN = 3
"""How many pixels around a place bicubic interpolation looks at, and one to spare."""


def translation(dx: float, dy: float) -> Matrix:
    """Give the matrix that moves to the right and down."""
    return np.array([[1.0, 0, dx], [0, 1, dy], [0, 0, 1]])


def scaling(across: float, down: float, centre: tuple[float, float] = (0, 0)) -> Matrix:
    """Give the matrix that scales around a place; negative numbers mirror."""
    return around(np.diag([across, down, 1.0]), centre)


def rotation(degrees: float, centre: tuple[float, float] = (0, 0)) -> Matrix:
    """Give the matrix that turns clockwise around a place; quarter turns are exact."""
    quarters, rest = divmod(degrees, 90)
    turn = math.radians(rest)
    cos, sin = (math.cos(turn), math.sin(turn)) if rest else (1.0, 0.0)
    for _ in range(int(quarters) % 4):
        cos, sin = -sin, cos
    return around(np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]), centre)


def around(matrix: Matrix, centre: tuple[float, float]) -> Matrix:
    """Give the matrix with this place in the role of the origin."""
    x, y = centre
    return translation(x, y) @ matrix @ translation(-x, -y)


def whole_shift(matrix: Matrix) -> tuple[int, int] | None:
    """Give the pixels to the right and down if the matrix does nothing but move by whole ones."""
    dx, dy = round(float(matrix[0, 2])), round(float(matrix[1, 2]))
    return (dx, dy) if np.allclose(matrix, translation(dx, dy), atol=EXACT) else None


def mapped_rect(matrix: Matrix, rect: Rect) -> tuple[float, float, float, float]:
    """Give left, top, right and bottom of where a rectangle goes."""
    corners = [(x, y, 1) for x in (rect.x, rect.right) for y in (rect.y, rect.bottom)]
    x, y, _ = matrix @ np.array(corners, np.float64).T
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def warped(plane: Plane, matrix: Matrix) -> Plane:
    """Give the plane moved by an affine matrix.

    Whole pixels, mirroring and quarter turns onto whole pixels lose nothing. Shrinking averages over the area that
    falls into a pixel; everything else is interpolated bicubically.

    Raises:
        ValueError: the matrix leaves no area.
    """
    if abs(np.linalg.det(matrix[:2, :2])) < 1e-9:
        raise ValueError("a transformation must leave an area")
    if not plane.tiles:
        return plane
    if (shift := whole_shift(matrix)) is not None:
        return plane.moved(*shift)
    rounded = np.rint(matrix)
    if np.allclose(matrix, rounded, atol=EXACT) and np.array_equal(np.abs(rounded[:2, :2]).sum(0), [1, 1]):
        return _turned(plane, rounded.astype(int))
    upright = abs(matrix[0, 1]) < EXACT and abs(matrix[1, 0]) < EXACT
    if upright and min(matrix[0, 0], matrix[1, 1]) < 0:
        mirror = np.diag([*np.sign(np.diag(matrix)[:2]), 1])
        return warped(_turned(plane, mirror.astype(int)), matrix @ mirror)
    across, down = (float(np.linalg.norm(matrix[:2, axis])) for axis in (0, 1))
    across, down = (factor if factor < 1 - EXACT else 1.0 for factor in (across, down))
    if upright and across < 1 and down < 1:
        return _averaged(plane, matrix)
    if across < 1 or down < 1:
        shrink = scaling(across, down)
        if upright:  # so that hard edges fall on whole pixels here already
            shrink[:2, 2] = np.where(np.array([across, down]) < 1, matrix[:2, 2], 0)
        plane, matrix = _averaged(plane, shrink), matrix @ np.linalg.inv(shrink)
    return _interpolated(plane, matrix, upright)


def _turned(plane: Plane, matrix: NDArray[np.int_]) -> Plane:
    """Mirror and turn by quarters: every pixel falls on one."""
    bounds = plane.bounds
    left, top, _, _ = mapped_rect(matrix.astype(np.float64), bounds)
    pixels = plane.read(bounds)
    if matrix[0, 1]:
        pixels = pixels.transpose(1, 0, 2)
    rows, columns = matrix[1, :2].sum(), matrix[0, :2].sum()
    return _like(plane).written(pixels[::rows, ::columns], round(left), round(top))


def _averaged(plane: Plane, matrix: Matrix) -> Plane:
    """Shrink, each pixel becoming the mean of the area that falls into it."""
    left, top, right, bottom = mapped_rect(matrix, plane.content())
    rect = Rect.of_edges(*(math.floor(left + EXACT), math.floor(top + EXACT)),
                         *(math.ceil(right - EXACT), math.ceil(bottom - EXACT)))  # fmt: skip

    def mean(_: Pixels, part: Rect) -> Pixels | None:
        columns = (np.arange(part.x, part.right + 1) - matrix[0, 2]) / matrix[0, 0]
        rows = (np.arange(part.y, part.bottom + 1) - matrix[1, 2]) / matrix[1, 1]
        edges = math.floor(columns[0]), math.floor(rows[0]), math.ceil(columns[-1]) + 1, math.ceil(rows[-1]) + 1
        source = Rect.of_edges(*edges)
        if plane.peek(source) is None:
            return None
        values = multiplied(plane.read(source))
        values = _means(values, rows - source.y)
        values = _means(values.swapaxes(0, 1), columns - source.x).swapaxes(0, 1)
        return _divided(np.ascontiguousarray(values), plane)

    return _like(plane).mapped(rect, mean)


def _means(values: Floats, edges: NDArray[np.float64]) -> Floats:
    """Average the rows between neighbouring edges, which may cut rows: differences of their running sum."""
    sums = np.zeros((values.shape[0] + 1, *values.shape[1:]), np.float64)
    np.cumsum(values, axis=0, dtype=np.float64, out=sums[1:])
    whole = np.minimum(edges.astype(int), values.shape[0] - 1)
    part = (edges - whole)[:, None, None]
    at = sums[whole] + part * values[whole]
    return (np.diff(at, axis=0) / np.diff(edges)[:, None, None]).astype(np.float32)


def _interpolated(plane: Plane, matrix: Matrix, upright: bool) -> Plane:
    """Interpolate bicubically; what stays upright keeps hard edges, on the nearest whole pixel."""
    content = plane.content()
    left, top, right, bottom = mapped_rect(matrix, content)
    if upright:
        rect = Rect.of_edges(
            round(left), round(top), max(round(right), 1 + round(left)), max(round(bottom), 1 + round(top))
        )
    else:
        rect = Rect.of_edges(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)).grown(1)
    back = np.linalg.inv(matrix)

    def interpolated(_: Pixels, part: Rect) -> Pixels | None:
        edges = mapped_rect(back, part)
        source = Rect.of_edges(*(math.floor(edge) for edge in edges[:2]), *(math.ceil(edge) for edge in edges[2:]))
        source = source.grown(MARGIN)
        if plane.peek(source) is None:
            return None
        pixels = _clamped(plane, source, content) if upright else plane.read(source)
        move = translation(-source.x - 0.5, -source.y - 0.5) @ back @ translation(part.x + 0.5, part.y + 0.5)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        values = cv2.warpAffine(multiplied(pixels), move[:2], (part.width, part.height), flags=flags)
        return _divided(np.asarray(values, np.float32).reshape(part.height, part.width, -1), plane)

    return _like(plane).mapped(rect, interpolated)


def _clamped(plane: Plane, rect: Rect, content: Rect) -> Pixels:
    """Read a rectangle; beyond the content its outermost pixels go on."""
    rows = np.clip(np.arange(rect.y, rect.bottom), content.y, content.bottom - 1)
    columns = np.clip(np.arange(rect.x, rect.right), content.x, content.right - 1)
    inner = Rect.of_edges(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return plane.read(inner)[np.ix_(rows - inner.y, columns - inner.x)]


def multiplied(pixels: Pixels) -> Floats:
    """Give 0..1, colours multiplied by alpha."""
    step = np.float32(1 / np.iinfo(pixels.dtype).max)
    if pixels.shape[2] == 1:
        return pixels * step
    *colour, alpha = (np.multiply(plane, step) for plane in cv2.split(pixels))
    return np.asarray(cv2.merge([*(plane * alpha for plane in colour), alpha]), np.float32)


def _divided(values: Floats, plane: Plane) -> Pixels:
    """Give pixels of the plane's kind, straight alpha."""
    full, dtype = np.float32(255 if plane.depth == 8 else 65535), plane.dtype
    if values.shape[2] == 1:
        return (np.clip(values, 0, 1) * full + np.float32(0.5)).astype(dtype)
    *colour, alpha = cv2.split(values)
    steps = np.where(alpha * full < 0.5, np.float32(0), full / np.maximum(alpha, np.float32(1e-6)))
    straight = [(np.clip(plane * steps, 0, full) + np.float32(0.5)).astype(dtype) for plane in colour]
    return np.asarray(cv2.merge([*straight, (np.clip(alpha, 0, 1) * full + np.float32(0.5)).astype(dtype)]), dtype)


def _like(plane: Plane) -> Plane:
    return Plane(plane.channels, plane.depth, plane.default)
