"""Small pictures of layers and masks, read from every so-manieth pixel of their tiles; safe in any thread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from ..document.geometry import Rect
from ..document.plane import Plane, indices, tile_rect

SIDE = 64  # device pixels: enough for a row of the list on a screen of twice the density
_FINER = 2  # read that many times more than is shown, and average


def thumbnail_size(rect: Rect, side: int = SIDE) -> tuple[int, int]:
    """Give the largest size of the rectangle's shape that fits a square; each side at least 1."""
    scale = side / max(rect.width, rect.height, 1)
    return max(1, round(rect.width * scale)), max(1, round(rect.height * scale))


def sampled(plane: Plane, rect: Rect, width: int, height: int) -> NDArray[np.unsignedinteger]:
    """Read height x width x channels pixels, evenly spread over the rectangle."""
    out = np.full((height, width, plane.channels), plane.default, plane.dtype)
    columns = rect.x + ((np.arange(width) + 0.5) * rect.width / width).astype(int)
    rows = rect.y + ((np.arange(height) + 0.5) * rect.height / height).astype(int)
    for index in indices(rect):
        tile, place = plane.tiles.get(index), tile_rect(index)
        if tile is None:
            continue
        left, right = np.searchsorted(columns, (place.x, place.right))
        top, bottom = np.searchsorted(rows, (place.y, place.bottom))
        here = tile[rows[top:bottom] - place.y][:, columns[left:right] - place.x]
        out[top:bottom, left:right] = here
    return out


def plane_thumbnail(plane: Plane, rect: Rect, side: int = SIDE) -> QImage:
    """Show a rectangle of a plane: colours on nothing, or a mask as grey."""
    width, height = thumbnail_size(rect, side)
    pixels = sampled(plane, rect, width * _FINER, height * _FINER)
    if pixels.dtype == np.uint16:
        pixels = pixels >> 8
    values = pixels.reshape(height, _FINER, width, _FINER, plane.channels).astype(np.uint32)
    if plane.channels == 1:
        grey = np.ascontiguousarray(values.mean((1, 3))[..., 0].astype(np.uint8))
        return QImage(grey.data, width, height, width, QImage.Format.Format_Grayscale8).copy()
    alpha = values[..., 3:]
    colour = (values[..., :3] * alpha).sum((1, 3)) // np.maximum(alpha.sum((1, 3)), 1)
    straight = np.dstack([colour, alpha.mean((1, 3))]).astype(np.uint8)
    return QImage(straight.data, width, height, width * 4, QImage.Format.Format_RGBA8888).copy()


def small_image(pixels: NDArray[np.uint8], side: int = SIDE, profile: bytes | None = None) -> QImage:
    """Make a picture (h x w x 4, straight alpha) small enough for a square, in sRGB; safe in any thread."""
    import cv2  # not before there is a picture: it takes its time to load

    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if pixels[..., 3].min() == 255:
        return straight_image(shown_colours(_shrunk(pixels, size), profile))
    alpha = np.ascontiguousarray(pixels[..., 3])  # what is transparent must not tint what is beside it
    weighted = cv2.multiply(np.ascontiguousarray(pixels[..., :3]), cv2.merge([alpha] * 3), scale=1 / 255)
    small = _shrunk(np.dstack([np.asarray(weighted, np.uint8), alpha]), size).astype(np.float32)
    colour = np.clip(small[..., :3] * 255 / np.maximum(small[..., 3:], 1), 0, 255)
    return straight_image(shown_colours(np.dstack([colour, small[..., 3]]).round().astype(np.uint8), profile))


def _shrunk(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def shown_colours(pixels: NDArray[np.uint8], profile: bytes | None) -> NDArray[np.uint8]:
    """Convert RGBA from a profile (None: sRGB) to the window's colours."""
    if profile is None:
        return pixels
    from ..document.export import in_srgb

    return np.asarray(in_srgb(pixels, profile), np.uint8)


def straight_image(pixels: NDArray[np.uint8]) -> QImage:
    """Make Qt's picture of pixels (h x w x 4, straight alpha); without an alpha channel where all is opaque."""
    height, width = pixels.shape[:2]
    opaque = bool((pixels[..., 3] == 255).all())
    form = QImage.Format.Format_RGBX8888 if opaque else QImage.Format.Format_RGBA8888
    rows = np.ascontiguousarray(pixels)
    return QImage(rows.data, width, height, width * 4, form).copy()
