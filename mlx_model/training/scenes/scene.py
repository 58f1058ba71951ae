"""What a training scene is, and what the tasks draw with: streams of chance, a frame and scattered things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .backgrounds import samples
from .regions import GRID, LOOSE, Region, box_of, middle, overlaps
from .shapes import SHAPES, Canvas, Mask, Picture, Place, Thing, clear_colours, draw_thing, paint

SCENERY_TEXTURED = 0.08  # share of the things in a picture that have a texture


@dataclass(frozen=True)
class Scene:
    """One training or evaluation example.

    Pictures are uint8 H x W x 3 (sRGB), masks bool H x W. `image` is None where the task starts from
    words or a reference alone. `mask` is True where the picture may change. `object_mask` marks what had
    to appear or change in the target (for removal: what had to go). `distractors` are the targets that
    other references would have led to. `repainting_scale` is 1 where the model must not see what is under
    the mask, 0 where it edits what it sees (for task control: the control picture of that kind).
    """

    task: str
    instruction: str
    image: Picture | None
    mask: Mask
    control: str | None
    references: tuple[Picture, ...]
    target: Picture
    object_mask: Mask
    distractors: tuple[Picture, ...]
    repainting_scale: float


@dataclass(frozen=True)
class Draw:
    """What a task draws with: two streams of chance (the second for distractors alone) and the frame."""

    rng: np.random.Generator
    others: np.random.Generator
    height: int
    width: int
    distractors: bool

    @property
    def scale(self) -> float:
        """The shorter side in frames of 128 pixels."""
        return min(self.height, self.width) / 128

    def everywhere(self) -> Mask:
        """Give a mask of the whole frame."""
        return np.ones((self.height, self.width), np.bool_)


def pick(rng: np.random.Generator, names: list[str] | tuple[str, ...]) -> str:
    """Draw one of the names."""
    return names[int(rng.integers(len(names)))]


def pixels(canvas: Canvas) -> Picture:
    """Round a canvas to uint8."""
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def clear_of(canvas: Canvas, place: Place) -> list[str]:
    """List the colours that stand out from what lies at the place."""
    return clear_colours(samples(canvas, place.x, place.y, place.size))


def scatter(
    draw: Draw, canvas: Canvas, region: Region | None, count: int, shapes: set[str], colours: set[str]
) -> list[tuple[Thing, Place]]:
    """Paint up to `count` things (at least one without a region) apart from the region and each other.

    All differ in shape and colour, also from the shapes and colours given.
    """
    rng = draw.rng
    boxes = [region.box] if region else []
    largest = 34.0 if region else (56.0, 48.0, 42.0)[count - 1]
    shapes, colours = set(shapes), set(colours)
    things: list[tuple[Thing, Place]] = []
    for _ in range(count * 12):
        if len(things) == count:
            break
        size = float(rng.uniform(20.0 if region else 28.0, largest)) * draw.scale
        loose = region is not None or bool(rng.random() < LOOSE)
        if not loose:
            size = GRID * max(round(size / GRID), 4)
        x = middle(rng, size / 2, draw.width, loose)
        y = middle(rng, size / 2, draw.height, loose)
        place = Place(x, y, size)
        if overlaps(place, boxes, 3 * draw.scale):
            continue
        free = [name for name in clear_of(canvas, place) if name not in colours]
        if not free:
            continue
        shape = pick(rng, [name for name in SHAPES if name not in shapes])
        thing = draw_thing(rng, shape, pick(rng, free), SCENERY_TEXTURED)
        paint(canvas, thing, place)
        things.append((thing, place))
        boxes.append(box_of(place))
        shapes.add(shape)
        colours.add(thing.colour)
    if not things and region is None:
        size = 40.0 * draw.scale
        place = Place(draw.width / 2, draw.height / 2, size)
        thing = draw_thing(rng, pick(rng, SHAPES), pick(rng, clear_of(canvas, place)))
        paint(canvas, thing, place)
        things.append((thing, place))
    return things


def painted(empty: Canvas, things: list[tuple[Thing, Place]]) -> tuple[Canvas, Mask]:
    """Paint the things on a copy; also give the pixels of all of them."""
    canvas, objects = empty.copy(), np.zeros(empty.shape[:2], np.bool_)
    for thing, place in things:
        objects |= paint(canvas, thing, place)
    return canvas, objects
