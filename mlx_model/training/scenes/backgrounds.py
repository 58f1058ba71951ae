"""Backgrounds of the training scenes: plain, gradients, soft stripes and blurred photo crops.

All are muted and smooth: what lies under an object that is removed or replaced can be told from what lies
around it, and a small autoencoder can reproduce it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .shapes import COLOURS, Canvas, Colour

PHOTOS = Path(__file__).resolve().parents[3] / "resources" / "training" / "backgrounds"


def draw_background(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Draw a muted background: 35 % plain, 35 % gradients, 10 % stripes, 20 % photo crops."""
    kind = rng.random()
    if kind < 0.35:
        return np.zeros((height, width, 3), np.float32) + _muted(rng)
    if kind < 0.70:
        return _gradient(rng, height, width)
    if kind < 0.80:
        return _stripes(rng, height, width)
    return _photo(rng, height, width)


def draw_backdrop(rng: np.random.Generator, side: int) -> Canvas:
    """Draw the quiet background of a reference picture: light, grey, coloured or a gradient."""
    kind = rng.random()
    if kind < 0.4:
        level = float(rng.uniform(150, 235))
        return np.zeros((side, side, 3), np.float32) + np.float32(level) + rng.normal(0, 3, 3).astype(np.float32)
    if kind < 0.7:
        return np.zeros((side, side, 3), np.float32) + _muted(rng)
    return _gradient(rng, side, side)


def named_background(colour: Colour | str, height: int, width: int) -> Canvas:
    """Paint a plain background of a named (or exact) colour, always with the same slight shading."""
    rgb = np.asarray(COLOURS[colour] if isinstance(colour, str) else colour, np.float32)
    shade = np.linspace(1.03, 0.93, height, dtype=np.float32)[:, None, None]
    return np.clip(rgb * shade, 0.0, 255.0) + np.zeros((1, width, 1), np.float32)


def samples(canvas: Canvas, x: float, y: float, size: float) -> NDArray[np.float32]:
    """Take nine mean colours (9 x 3) of the square of this centre and side: what an object there stands on."""
    height, width = canvas.shape[:2]
    half = size / 2
    left, right = max(int(x - half), 0), min(int(x + half) + 1, width)
    top, bottom = max(int(y - half), 0), min(int(y + half) + 1, height)
    small = cv2.resize(canvas[top:bottom, left:right], (3, 3), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(9, 3)


def _muted(rng: np.random.Generator) -> NDArray[np.float32]:
    hue, value = float(rng.uniform(0, 360)), float(rng.uniform(0.32, 0.86))
    saturation = float(rng.uniform(0.03, 0.34))
    pixel = np.asarray([[[hue, saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] * 255, np.float32)


def _near(rng: np.random.Generator, rgb: NDArray[np.float32], spread: float) -> NDArray[np.float32]:
    return np.clip(rgb + rng.normal(0, spread, 3) + rng.normal(0, spread), 60, 225).astype(np.float32)


def _ramp(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Draw a ramp of 0..1 over the picture (H x W) along a random direction."""
    angle = float(rng.uniform(0, 2 * np.pi))
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    ramp = x + y
    low, high = float(ramp.min()), float(ramp.max())
    return ((ramp - low) / np.float32(high - low)).astype(np.float32)


def _gradient(rng: np.random.Generator, height: int, width: int) -> Canvas:
    first = _muted(rng)
    second = _near(rng, first, 26.0)
    if rng.random() < 0.6:
        amount = _ramp(rng, height, width)
    else:
        x = np.arange(width, dtype=np.float32)[None, :] - np.float32(rng.uniform(0.2, 0.8) * width)
        y = np.arange(height, dtype=np.float32)[:, None] - np.float32(rng.uniform(0.2, 0.8) * height)
        amount = np.minimum(np.hypot(x, y) / np.float32(0.9 * min(height, width)), 1.0)
    return (first + amount[..., None] * (second - first)).astype(np.float32)


def _stripes(rng: np.random.Generator, height: int, width: int) -> Canvas:
    first = _muted(rng)
    second = _near(rng, first, 10.0)
    angle = float(rng.integers(4)) * np.pi / 4
    period = float(rng.uniform(0.14, 0.3)) * min(height, width)
    y = np.arange(height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    x = np.arange(width, dtype=np.float32)[None, :] * np.float32(np.cos(angle))
    wave = 0.5 + 0.5 * np.sin((x + y) * np.float32(2 * np.pi / period) + np.float32(rng.uniform(0, 6.28)))
    return (first + wave[..., None] * (second - first)).astype(np.float32)


@cache
def _photos() -> tuple[Canvas, ...]:
    pictures: list[Canvas] = []
    for path in sorted(PHOTOS.glob("*.jpg")):
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ValueError(f"{path} is not a readable picture")
        pictures.append(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.float32))
    if not pictures:
        raise FileNotFoundError(f"no background photos in {PHOTOS}: run the training from a clone of the repository")
    return tuple(pictures)


def photo_crop(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Cut a crop of a photograph, scaled and perhaps mirrored."""
    photos = _photos()
    picture = photos[int(rng.integers(len(photos)))]
    rows, columns = picture.shape[:2]
    largest = min(rows / height, columns / width)
    zoom = float(rng.uniform(0.35, 1.0)) * largest
    crop_h, crop_w = int(zoom * height), int(zoom * width)
    top, left = int(rng.integers(rows - crop_h + 1)), int(rng.integers(columns - crop_w + 1))
    crop = cv2.resize(
        picture[top : top + crop_h, left : left + crop_w], (width, height), interpolation=cv2.INTER_AREA
    )
    return (crop[:, ::-1] if rng.random() < 0.5 else crop).astype(np.float32)


def _photo(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Cut a crop, blurred, tinted and lowered in contrast by random amounts."""
    crop = photo_crop(rng, height, width)
    sigma = float(rng.uniform(1.6, 4.5)) * min(height, width) / 128
    blurred = cv2.GaussianBlur(crop, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    mean = blurred.mean((0, 1))
    contrast = np.float32(rng.uniform(0.3, 0.7))
    centre = np.float32(0.6) * mean + np.float32(0.4) * _muted(rng)
    return np.clip(centre + contrast * (blurred - mean), 25, 235).astype(np.float32)
