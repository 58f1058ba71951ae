"""Simple drawn people for portrait consistency: a head with features of its own, and exchangeable clothes.

The pose, the place and the scale are always the same, so the model can learn to carry the person over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .backgrounds import named_background
from .shapes import COLOURS, Colour, Mask, Picture, clear_colours, nearest

SKINS: tuple[Colour, ...] = (
    (250, 220, 196),
    (238, 192, 158),
    (214, 162, 122),
    (178, 122, 84),
    (134, 86, 56),
    (88, 56, 40),
)
HAIRS: tuple[Colour, ...] = (
    (34, 28, 28),
    (92, 56, 32),
    (164, 104, 48),
    (232, 200, 110),
    (188, 66, 28),
    (190, 190, 196),
)
EYES: tuple[Colour, ...] = ((70, 42, 24), (40, 110, 190), (50, 130, 70), (110, 110, 120))
STYLES = ("short", "long", "bun", "curly")
GLASSES = ("none", "round", "square")

_SUPERSAMPLING = 3
_SHIFT = 4
_FRAME = 128.0  # all lengths below are in a frame of this side


@dataclass(frozen=True)
class Person:
    """What makes a person the same person."""

    skin: int
    hair: int
    style: str
    glasses: str
    smiling: bool
    eyes: int
    beard: bool

    def who(self, rng: np.random.Generator) -> str:
        """Choose a word that fits this person."""
        if rng.random() < 0.5:
            return "person"
        if self.beard:
            return "man"
        return "woman" if self.style in ("long", "bun") else "person"


def draw_person(rng: np.random.Generator) -> Person:
    """Draw a person whose hair and skin are told apart easily."""
    while True:
        skin, hair = int(rng.integers(len(SKINS))), int(rng.integers(len(HAIRS)))
        if nearest(SKINS[skin], [HAIRS[hair]]) >= 18:
            break
    style = STYLES[int(rng.integers(len(STYLES)))]
    beard = style in ("short", "curly") and bool(rng.random() < 0.4)
    glasses = GLASSES[int(rng.integers(3))]
    return Person(skin, hair, style, glasses, bool(rng.random() < 0.5), int(rng.integers(len(EYES))), beard)


def differences(one: Person, other: Person) -> int:
    """Count in how many of the features seen from afar two people differ."""
    seen = (one.skin != other.skin, one.hair != other.hair, one.style != other.style)
    return sum((*seen, one.glasses != other.glasses, one.beard != other.beard))


def background_colours(person: Person) -> list[str]:
    """List the named colours against which the head stands out."""
    return clear_colours([SKINS[person.skin], HAIRS[person.hair]], 25.0)


def shirt_colours(person: Person, background: str) -> list[str]:
    """List the named colours of a shirt that stands out from the background, the skin and the hair."""
    return clear_colours([SKINS[person.skin], HAIRS[person.hair], COLOURS[background]], 22.0)


def paint_portrait(
    person: Person, shirt: Colour, background: Colour, height: int, width: int
) -> tuple[Picture, Mask]:
    """Paint the portrait (uint8, height x width x 3); also give the mask of the head with hair and glasses."""
    drawing = _Drawing(named_background(background, height, width))
    skin, hair = SKINS[person.skin], HAIRS[person.hair]
    neck: Colour = (skin[0] * 0.86, skin[1] * 0.86, skin[2] * 0.86)
    if person.style == "long":
        drawing.ellipse((64, 56), (36, 38), hair)
        drawing.polygon([(28, 56), (100, 56), (96, 100), (32, 100)], hair)
    if person.style == "bun":
        drawing.ellipse((64, 15), (13, 11), hair)
    drawing.body(shirt, neck)
    if person.style == "curly":
        for x, y in ((36, 52), (38, 38), (48, 27), (64, 22), (80, 27), (90, 38), (92, 52)):
            drawing.ellipse((x, y), (12, 12), hair)
    drawing.ellipse((39, 62), (4.5, 6.5), skin)
    drawing.ellipse((89, 62), (4.5, 6.5), skin)
    drawing.ellipse((64, 60), (25, 31), skin)
    if person.beard:
        drawing.ellipse((64, 60), (25.4, 31.4), hair, 12, 168)
    drawing.hairline(hair, person.style)
    _paint_features(drawing, person, skin, hair)
    return drawing.finished()


def _paint_features(drawing: _Drawing, person: Person, skin: Colour, hair: Colour) -> None:
    dark: Colour = (30, 24, 24)
    for x in (54.0, 74.0):
        drawing.ellipse((x, 58), (5.6, 3.9), (250, 250, 250))
        drawing.ellipse((x, 58), (3.4, 3.4), EYES[person.eyes])
        drawing.ellipse((x, 58), (1.5, 1.5), dark)
        drawing.polygon([(x - 6, 50.4), (x + 6, 50.4), (x + 6, 52.6), (x - 6, 52.6)], hair)
    drawing.polygon([(64, 60), (67.5, 70), (60.5, 70)], (skin[0] * 0.8, skin[1] * 0.8, skin[2] * 0.8))
    lips: Colour = (196, 60, 66)
    if person.smiling:
        drawing.ellipse((64, 74), (10, 7), lips, 0, 180)
    else:
        drawing.polygon([(56, 75.6), (72, 75.6), (72, 79), (56, 79)], lips)
    if person.glasses == "none":
        return
    for x in (54.0, 74.0):
        if person.glasses == "round":
            drawing.ring((x, 58), 9.0, 6.9, dark)
        else:
            drawing.frame((x, 58), 9.0, 7.0, 2.2, dark)
    drawing.polygon([(62, 56), (66, 56), (66, 58), (62, 58)], dark)
    drawing.polygon([(39, 56), (46, 56), (46, 58), (39, 58)], dark)
    drawing.polygon([(82, 56), (89, 56), (89, 58), (82, 58)], dark)


class _Drawing:
    """A supersampled picture and head mask, painted on in frame coordinates."""

    def __init__(self, background: NDArray[np.float32]) -> None:
        self.height, self.width = background.shape[:2]
        fine = (self.width * _SUPERSAMPLING, self.height * _SUPERSAMPLING)
        self._pixels = cv2.resize(np.rint(background).astype(np.uint8), fine, interpolation=cv2.INTER_NEAREST)
        self._head = np.zeros(fine[::-1], np.uint8)
        self._scale = min(self.height, self.width) / _FRAME
        self._left = self.width / 2 - self._scale * _FRAME / 2
        self._top = self.height / 2 - self._scale * _FRAME / 2

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour, head: bool = True) -> None:
        self._fill([np.asarray(points, np.float64)], colour, head)

    def ellipse(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        colour: Colour,
        start: float = 0.0,
        end: float = 360.0,
        head: bool = True,
    ) -> None:
        self._fill([_arc(centre, radii, start, end)], colour, head)

    def ring(self, centre: tuple[float, float], outer: float, inner: float, colour: Colour) -> None:
        circles = [_arc(centre, (outer, outer), 0, 360), _arc(centre, (inner, inner), 0, 360)]
        self._fill(circles, colour, True)

    def frame(
        self, centre: tuple[float, float], half_width: float, half_height: float, thick: float, colour: Colour
    ) -> None:
        corners = np.asarray([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
        outer = corners * (half_width, half_height) + centre
        inner = corners * (half_width - thick, half_height - thick) + centre
        self._fill([outer, inner], colour, True)

    def body(self, shirt: Colour, neck: Colour) -> None:
        bottom = (self.height - self._top) / self._scale + 2
        self.ellipse((64, 134), (50, 37), shirt, head=False)
        if bottom > 132:
            self.polygon([(14, 134), (114, 134), (114, bottom), (14, bottom)], shirt, head=False)
        self.polygon([(53, 80), (75, 80), (77, 102), (64, 110), (51, 102)], neck, head=False)

    def hairline(self, hair: Colour, style: str) -> None:
        """Paint the hair over the forehead: a parting for long hair, a straight fringe otherwise."""
        outer = _arc((64, 56), (27, 31), 180, 360)
        if style == "long":
            inner = np.asarray([(90, 62), (84, 48), (64, 34), (44, 48), (38, 62)], np.float64)
        else:
            inner = np.asarray([(90, 54), (84, 44), (44, 44), (38, 54)], np.float64)
        self._fill([np.concatenate([outer, inner])], hair, True)

    def finished(self) -> tuple[Picture, Mask]:
        size = (self.width, self.height)
        picture = cv2.resize(self._pixels, size, interpolation=cv2.INTER_AREA)
        head = cv2.resize(self._head, size, interpolation=cv2.INTER_AREA)
        return picture.astype(np.uint8), np.asarray(head >= 128, np.bool_)

    def _fill(self, contours: list[NDArray[np.float64]], colour: Colour, head: bool) -> None:
        origin = np.asarray((self._left, self._top))
        factor = _SUPERSAMPLING * (1 << _SHIFT)
        half = (1 << _SHIFT) / 2
        points = [np.rint((points * self._scale + origin) * factor - half).astype(np.int32) for points in contours]
        cv2.fillPoly(self._pixels, points, colour, cv2.LINE_8, _SHIFT)
        cv2.fillPoly(self._head, points, 255 if head else 0, cv2.LINE_8, _SHIFT)


def _arc(centre: tuple[float, float], radii: tuple[float, float], start: float, end: float) -> NDArray[np.float64]:
    angles = np.radians(np.linspace(start, end, 48))
    return np.stack([centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], 1)
