"""The drawn objects of the training scenes: ten upright shapes in ten colours and four textures.

Everything about an object except its place and size is in `Thing`, in coordinates of the object itself
(-1..1 over its bounding square), so that the same thing looks the same, pattern included, wherever and
however large it is drawn: a reference and the target made from it agree exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.float32]  # H x W x 3, sRGB 0..255
Picture = NDArray[np.uint8]  # H x W x 3, sRGB
Mask = NDArray[np.bool_]  # H x W
Colour = tuple[float, float, float]

COLOURS: dict[str, Colour] = {
    "red": (214, 34, 40),
    "orange": (245, 140, 25),
    "yellow": (247, 222, 50),
    "green": (38, 150, 62),
    "cyan": (60, 205, 215),
    "blue": (36, 74, 205),
    "purple": (135, 52, 172),
    "pink": (247, 150, 192),
    "white": (246, 246, 246),
    "black": (28, 28, 30),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "hexagon", "cross", "moon", "ring")
TEXTURES = ("plain", "striped", "dotted", "checked")

# The smallest CIE76 distance at which an object stands out clearly from what is behind or beside it.
CLEAR = 30.0
_SUPERSAMPLING = 4
_SHIFT = 4  # fractional bits of fillPoly's coordinates


@dataclass(frozen=True)
class Thing:
    """An object: shape, colour name, exact colour, and its texture with the second tone."""

    shape: str
    colour: str
    rgb: Colour
    texture: str = "plain"
    tone: Colour = (0.0, 0.0, 0.0)
    angle: float = 0.0
    period: float = 0.5


@dataclass(frozen=True)
class Place:
    """Centre and side (pixels) of an object's bounding square."""

    x: float
    y: float
    size: float


def lab(rgb: Sequence[Colour] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert N sRGB colours of 0..255 to CIE Lab, N x 3."""
    values = np.asarray(rgb, np.float32).reshape(1, -1, 3) / np.float32(255)
    return np.asarray(cv2.cvtColor(values, cv2.COLOR_RGB2LAB)[0], np.float32)


def nearest(rgb: Colour, others: Sequence[Colour] | NDArray[np.float32]) -> float:
    """Measure the CIE76 distance of a colour from the nearest of the others (sRGB, N x 3)."""
    return float(np.linalg.norm(lab(others) - lab([rgb]), axis=1).min())


@cache
def _palette_lab() -> NDArray[np.float32]:
    return lab(list(COLOURS.values()))


def clear_colours(surroundings: Sequence[Colour] | NDArray[np.float32], minimum: float = CLEAR) -> list[str]:
    """List the colours that stand out from all the surroundings (sRGB, N x 3); at least the best one."""
    apart = np.linalg.norm(_palette_lab()[:, None] - lab(surroundings)[None], axis=2).min(1)
    names = [name for name, value in zip(COLOURS, apart, strict=True) if value >= minimum]
    return names or [list(COLOURS)[int(apart.argmax())]]


def jittered(rng: np.random.Generator, name: str) -> Colour:
    """Draw the named colour with the small variation (about 2 to 3 in Delta E) that every object has."""
    red, green, blue = np.clip(np.asarray(COLOURS[name]) + rng.normal(0.0, 3.0, 3), 0.0, 255.0)
    return float(red), float(green), float(blue)


def second_tone(rgb: Colour) -> Colour:
    """Give the tone that a texture mixes with the colour: darker for light colours, lighter for dark ones."""
    lightness = float(lab([rgb])[0, 0])
    red, green, blue = rgb
    if lightness > 58.0:
        return 0.58 * red, 0.58 * green, 0.58 * blue
    return 128 + 0.5 * red, 128 + 0.5 * green, 128 + 0.5 * blue


def draw_texture(rng: np.random.Generator, textured: float) -> tuple[str, float, float]:
    """Draw a texture (other than plain with the given probability), its angle and its period."""
    if rng.random() >= textured:
        return "plain", 0.0, 0.5
    texture = TEXTURES[1 + int(rng.integers(3))]
    if texture == "striped":
        return texture, float(rng.integers(4)) * np.pi / 4, float(rng.choice((0.8, 1.1)))
    if texture == "dotted":
        return texture, 0.0, float(rng.choice((0.7, 0.9)))
    return texture, float(rng.integers(2)) * np.pi / 4, float(rng.choice((1.0, 1.3)))


def draw_thing(rng: np.random.Generator, shape: str, colour: str, textured: float = 0.0) -> Thing:
    """Draw a thing of this shape and colour, with its own small variation."""
    rgb = jittered(rng, colour)
    texture, angle, period = draw_texture(rng, textured)
    return Thing(shape, colour, rgb, texture, second_tone(rgb), angle, period)


def paint(canvas: Canvas, thing: Thing, place: Place) -> Mask:
    """Draw the thing on the canvas, in place. Returns its pixels (coverage of at least a half).

    The bounding square must lie inside the canvas.
    """
    height, width = canvas.shape[:2]
    half = place.size / 2
    left, top = max(int(place.x - half) - 1, 0), max(int(place.y - half) - 1, 0)
    right, bottom = min(int(place.x + half) + 2, width), min(int(place.y + half) + 2, height)
    alpha = _coverage(thing.shape, place, left, top, right, bottom)
    patch = canvas[top:bottom, left:right]
    u = ((np.arange(left, right, dtype=np.float32) + 0.5 - place.x) / half)[None, :]
    v = ((np.arange(top, bottom, dtype=np.float32) + 0.5 - place.y) / half)[:, None]
    patch += alpha[..., None] * (surface(thing, u, v, half) - patch)
    mask = np.zeros((height, width), np.bool_)
    mask[top:bottom, left:right] = alpha >= 0.5
    return mask


def surface(
    thing: Thing, u: NDArray[np.float32], v: NDArray[np.float32], half: float, shading: float = 0.07
) -> Canvas:
    """Compute the thing's colours at the object coordinates u (1 x W) and v (H x 1); half: pixels per unit."""
    first, second = np.asarray(thing.rgb, np.float32), np.asarray(thing.tone, np.float32)
    shade = (1.0 - np.float32(shading) * np.clip(v, -1.0, 1.0))[..., None]
    if thing.texture == "plain":
        return (np.clip(first * shade, 0.0, 255.0) + np.zeros((1, u.shape[1], 1))).astype(np.float32)
    amount = _pattern(thing, u, v, half)[..., None]
    return np.clip((second + amount * (first - second)) * shade, 0.0, 255.0).astype(np.float32)


def _pattern(thing: Thing, u: NDArray[np.float32], v: NDArray[np.float32], half: float) -> NDArray[np.float32]:
    cos, sin = np.float32(np.cos(thing.angle)), np.float32(np.sin(thing.angle))
    along, across = u * cos + v * sin, v * cos - u * sin
    period = np.float32(thing.period)
    if thing.texture == "dotted":
        off = np.hypot((u / period) % 1.0 - 0.5, (v / period) % 1.0 - 0.5)
        return np.clip(0.5 - (0.33 - off) * period * half, 0.0, 1.0).astype(np.float32)
    bands = _bands(along, period, half)
    if thing.texture == "striped":
        return bands
    others = _bands(across, period, half)
    return (bands * others + (1 - bands) * (1 - others)).astype(np.float32)


def _bands(position: NDArray[np.floating], period: np.float32, half: float) -> NDArray[np.float32]:
    inside = 0.25 - np.abs((position / period + 0.25) % 1.0 - 0.5)
    return np.clip(0.5 + inside * period * half, 0.0, 1.0).astype(np.float32)


def _coverage(shape: str, place: Place, left: int, top: int, right: int, bottom: int) -> NDArray[np.float32]:
    fine = np.zeros(((bottom - top) * _SUPERSAMPLING, (right - left) * _SUPERSAMPLING), np.uint8)
    origin = np.asarray((place.x - left, place.y - top)) * _SUPERSAMPLING - 0.5
    scale = place.size / 2 * _SUPERSAMPLING
    contours = [np.rint((points * scale + origin) * (1 << _SHIFT)).astype(np.int32) for points in outlines(shape)]
    cv2.fillPoly(fine, contours, 255, cv2.LINE_8, _SHIFT)
    coarse = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return coarse.astype(np.float32) / np.float32(255)


@cache
def outlines(shape: str) -> tuple[NDArray[np.float64], ...]:
    """Give the shape's closed outlines (holes by even-odd) as N x 2 points, y down, inside -1..1."""
    if shape == "circle":
        return (_arc(0.0, 2 * np.pi, 0.96),)
    if shape == "ring":
        return _arc(0.0, 2 * np.pi, 0.98), _arc(0.0, 2 * np.pi, 0.5)
    if shape == "square":
        return (np.asarray([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64) * 0.8,)
    if shape == "triangle":
        return (np.asarray([(0, -0.92), (0.98, 0.78), (-0.98, 0.78)]),)
    if shape == "diamond":
        return (np.asarray([(0, -1), (0.72, 0), (0, 1), (-0.72, 0)]),)
    if shape == "hexagon":
        return (_regular(6, 0.0),)
    if shape == "star":
        angles = -np.pi / 2 + np.arange(10) * np.pi / 5
        radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.46)
        return (np.stack([radii * np.cos(angles), radii * np.sin(angles) + 0.06], 1),)
    if shape == "cross":
        arm, end = 0.33, 0.95
        corner = [(-arm, -end), (arm, -end), (arm, -arm), (end, -arm), (end, arm), (arm, arm)]
        return (np.asarray([*corner, *((-x, -y) for x, y in corner)]),)
    if shape == "moon":
        return (_moon(),)
    if shape == "heart":
        t = np.linspace(0.0, 2 * np.pi, 64, endpoint=False)
        x = 16 * np.sin(t) ** 3
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
        return (np.stack([x / 17.0, (y - 2.5) / 17.0], 1),)
    raise ValueError(f"no shape is called {shape!r}; there are {', '.join(SHAPES)}")


def _arc(start: float, end: float, radius: float, x: float = 0.0) -> NDArray[np.float64]:
    angles = np.linspace(start, end, 64)
    return np.stack([x + radius * np.cos(angles), radius * np.sin(angles)], 1)


def _regular(corners: int, start: float) -> NDArray[np.float64]:
    angles = start + np.arange(corners) * 2 * np.pi / corners
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def _moon() -> NDArray[np.float64]:
    """Outline a crescent open to the right: a disc without a smaller disc set to the right of it."""
    radius, inner, shift = 0.96, 0.8, 0.46
    x = (radius**2 - inner**2 + shift**2) / (2 * shift)
    outer_angle = float(np.arccos(x / radius))
    inner_angle = float(np.arccos((x - shift) / inner))
    outer = _arc(outer_angle, 2 * np.pi - outer_angle, radius)
    bite = _arc(2 * np.pi - inner_angle, inner_angle, inner, shift)
    return np.concatenate([outer, bite]) + np.asarray((0.14, 0.0))
