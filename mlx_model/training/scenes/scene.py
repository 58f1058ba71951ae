"""The tasks of the training scenes: each draws inputs and the picture that a perfect answer would be.

A target follows from its inputs (up to the exact tone of a colour that is only named): new objects stand
in the middle of the mask at a fixed share of it, subjects in the middle of the frame, portraits always in
the same pose. What varies is everything that is given: places, sizes, backgrounds, light, words.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from . import faces
from .backgrounds import draw_backdrop, draw_background, named_background, samples
from .regions import FILL, GRID, LOOSE, Region, box_of, draw_region, middle, overlaps
from .shapes import (
    COLOURS,
    SHAPES,
    Canvas,
    Mask,
    Picture,
    Place,
    Thing,
    clear_colours,
    draw_texture,
    draw_thing,
    jittered,
    nearest,
    paint,
    second_tone,
    surface,
)
from .wordings import IMAGE_WORD, draw_instruction

SUBJECT_SIZE = 0.55  # of the frame's shorter side
DISTRACTORS = 4
_SCENERY_TEXTURED, _REFERENCE_TEXTURED = 0.08, 0.35


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
class _Draw:
    """What a task draws with: two streams of chance (the second for distractors alone) and the frame."""

    rng: np.random.Generator
    others: np.random.Generator
    height: int
    width: int
    distractors: bool

    @property
    def scale(self) -> float:
        return min(self.height, self.width) / 128

    def everywhere(self) -> Mask:
        return np.ones((self.height, self.width), np.bool_)


def draw_scene(
    task: str, seed: int, size: tuple[int, int] = (128, 128), split: str = "train", distractors: bool = False
) -> Scene:
    """Draw the scene of this task, seed, size (height, width) and split; always the same for the same four.

    Sides are multiples of 16 from 96 to 256. Scenes of different splits share no seed. `distractors`
    adds four targets of other references and changes nothing else.
    """
    if task not in _TASKS:
        raise ValueError(f"no training task is called {task!r}; there are {', '.join(TASKS)}")
    height, width = size
    if any(side % 16 or not 96 <= side <= 256 for side in size):
        raise ValueError(f"a scene's sides are multiples of 16 from 96 to 256, not {height} x {width}")
    key = zlib.crc32(f"{task}/{split}/{height}x{width}".encode())
    draw = _Draw(
        np.random.default_rng([key, seed, 0]),
        np.random.default_rng([key, seed, 1]),
        height,
        width,
        distractors,
    )
    return _TASKS[task](draw)


def _generate(draw: _Draw) -> Scene:
    rng = draw.rng
    ground = _pick(rng, list(COLOURS))
    thing = draw_thing(rng, _pick(rng, SHAPES), _pick(rng, clear_colours([COLOURS[ground]])))
    target, mask = _subject_picture(draw, thing, ground)
    words = {"shape": thing.shape, "colour": thing.colour, "ground": ground}
    instruction = draw_instruction(rng, "generate", words)
    return Scene("generate", instruction, None, draw.everywhere(), None, (), target, mask, (), 1.0)


def _repaint(draw: _Draw) -> Scene:
    rng = draw.rng
    canvas, region = draw_background(rng, draw.height, draw.width), draw_region(rng, draw.height, draw.width)
    place = region.centre()
    colours = _clear_of(canvas, place)
    new = draw_thing(rng, _pick(rng, SHAPES), _pick(rng, colours))
    _scatter(draw, canvas, region, int(rng.integers(3)), {new.shape}, {new.colour})
    image = canvas.copy()
    over = bool(rng.random() < 0.6)
    if over:
        _paint_covered(draw, image, region, new)
    mask = paint(canvas, new, place)
    words = {"shape": new.shape, "colour": new.colour}
    instruction = draw_instruction(rng, "repaint over" if over else "repaint", words)
    return _masked("repaint", instruction, image, region, canvas, mask)


def _remove(draw: _Draw) -> Scene:
    rng = draw.rng
    canvas, region = draw_background(rng, draw.height, draw.width), draw_region(rng, draw.height, draw.width)
    place = region.somewhere(rng, region.shorter / (1 + 2 * rng.uniform(0.1, 0.3)))
    thing = draw_thing(rng, _pick(rng, SHAPES), _pick(rng, _clear_of(canvas, place)), _SCENERY_TEXTURED)
    _scatter(draw, canvas, region, int(rng.integers(3)), {thing.shape}, {thing.colour})
    image = canvas.copy()
    mask = paint(image, thing, place)
    instruction = draw_instruction(rng, "remove", {"shape": thing.shape, "colour": thing.colour})
    if rng.random() < 0.08:
        instruction = ""
    return _masked("remove", instruction, image, region, canvas, mask)


def _control(draw: _Draw) -> Scene:
    rng = draw.rng
    canvas, region = draw_background(rng, draw.height, draw.width), draw_region(rng, draw.height, draw.width)
    control = str(rng.choice(("canny", "contour", "grey", "mosaic"), p=(0.35, 0.3, 0.25, 0.1)))
    # A mosaic leaves nothing of an outline: there the object stands where a repainted one would.
    size = float(rng.uniform(0.5, 0.84)) * region.shorter
    place = region.centre() if control == "mosaic" else region.somewhere(rng, size)
    behind = samples(canvas, place.x, place.y, place.size)
    # Seen through edges or grey, the old object has to differ from its background in lightness.
    lightness = behind.mean(0) @ np.asarray((0.299, 0.587, 0.114), np.float32)
    lit = {name: abs(float(np.dot(rgb, (0.299, 0.587, 0.114))) - lightness) for name, rgb in COLOURS.items()}
    visible = [name for name in clear_colours(behind) if lit[name] >= 35] or [max(lit, key=lambda name: lit[name])]
    old = draw_thing(rng, _pick(rng, SHAPES), _pick(rng, visible))
    colour = _pick(rng, clear_colours([*map(tuple, behind), old.rgb]))
    new = draw_thing(rng, old.shape, colour)
    _scatter(draw, canvas, region, int(rng.integers(2)), {new.shape}, {new.colour})
    image = canvas.copy()
    paint(image, old, place)
    mask = paint(canvas, new, place)
    instruction = draw_instruction(rng, "control", {"shape": new.shape, "colour": new.colour})
    scene = _masked("control", instruction, image, region, canvas, mask)
    return replace(scene, control=control, repainting_scale=0.0)


def _instruct(draw: _Draw) -> Scene:
    rng = draw.rng
    empty = draw_background(rng, draw.height, draw.width)
    image = empty.copy()
    things = _scatter(draw, image, None, 1 + int(rng.integers(3)), set(), set())
    thing, place = things[0]
    shapes, colours = {one.shape for one, _ in things}, {one.colour for one, _ in things}
    words = {"shape": thing.shape, "colour": thing.colour}
    grounds = clear_colours(
        [one.rgb for one, _ in things] + [one.tone for one, _ in things if one.texture != "plain"]
    )
    kind = rng.random()
    if kind < 0.1:
        words["ground"] = _pick(rng, grounds)
        canvas = named_background(words["ground"], draw.height, draw.width)
        objects = draw.everywhere() & False
        for one, where in things:
            objects |= paint(canvas, one, where)
        mask, wording = ~objects, "background"
    elif kind < 0.3:
        words["to"] = _pick(rng, [shape for shape in SHAPES if shape not in shapes])
        changed = Thing(words["to"], thing.colour, thing.rgb, thing.texture, thing.tone, thing.angle, thing.period)
        canvas, mask = _repainted(empty, things, changed)
        wording = "reshape"
    else:
        clear = [name for name in _clear_of(empty, place) if name not in colours]
        words["new"] = _pick(rng, clear or [name for name in COLOURS if name not in colours])
        rgb = jittered(rng, words["new"])
        changed = Thing(thing.shape, words["new"], rgb, thing.texture, second_tone(rgb), thing.angle, thing.period)
        canvas, mask = _repainted(empty, things, changed)
        wording = "recolour"
    instruction = draw_instruction(rng, wording, words)
    if rng.random() < 0.05:
        instruction = f"{IMAGE_WORD} {instruction}"
    return Scene("instruct", instruction, _pixels(image), draw.everywhere(), None, (), _pixels(canvas), mask, (), 0.0)


def _reference(draw: _Draw) -> Scene:
    rng = draw.rng
    canvas, region = draw_background(rng, draw.height, draw.width), draw_region(rng, draw.height, draw.width)
    place = region.centre()
    clear = _clear_of(canvas, place)
    shape = _pick(rng, SHAPES)
    pattern = bool(rng.random() < 0.25)
    thing = (
        _patterned(rng, shape, clear) if pattern else draw_thing(rng, shape, _pick(rng, clear), _REFERENCE_TEXTURED)
    )
    _scatter(draw, canvas, region, int(rng.integers(3)), {shape}, {thing.colour})
    image = canvas.copy()
    if rng.random() < 0.3:
        _paint_covered(draw, image, region, thing)
    words = {"shape": shape, "texture": thing.texture}
    if pattern:
        references, wording = (_swatch(draw, thing),), "pattern"
    else:
        references = (_reference_picture(draw, thing),)
        wording = "reference" if thing.texture == "plain" else "reference textured"
        if rng.random() < 0.05:
            second = draw_thing(
                rng,
                _pick(rng, [name for name in SHAPES if name != shape]),
                _pick(rng, [name for name in COLOURS if name != thing.colour]),
                _REFERENCE_TEXTURED,
            )
            references = (*references, _reference_picture(draw, second))
            if rng.random() < 0.5:
                references = references[::-1]
            wording = "reference of two"
    instruction = draw_instruction(rng, wording, words)
    wrong: list[Picture] = []
    for other in _other_things(draw, thing, clear, pattern):
        paint(changed := canvas.copy(), other, place)
        wrong.append(_pixels(changed))
    mask = paint(canvas, thing, place)
    scene = _masked("reference", instruction, image, region, canvas, mask)
    return replace(scene, references=references, distractors=tuple(wrong))


def _subject(draw: _Draw) -> Scene:
    rng = draw.rng
    ground = _pick(rng, list(COLOURS))
    clear = clear_colours([COLOURS[ground]])
    thing = draw_thing(rng, _pick(rng, SHAPES), _pick(rng, clear), _REFERENCE_TEXTURED)
    reference = _reference_picture(draw, thing)
    instruction = draw_instruction(rng, "subject", {"shape": thing.shape, "ground": ground})
    target, mask = _subject_picture(draw, thing, ground)
    others = _other_things(draw, thing, clear, False)
    wrong = tuple(_subject_picture(draw, other, ground)[0] for other in others)
    return Scene("subject", instruction, None, draw.everywhere(), None, (reference,), target, mask, wrong, 1.0)


def _portrait(draw: _Draw) -> Scene:
    rng = draw.rng
    person = faces.draw_person(rng)
    who = person.who(rng)
    grounds = faces.background_colours(person)
    while True:
        old_ground, ground = _pick(rng, grounds), _pick(rng, grounds)
        wording = _pick(rng, ("portrait shirt", "portrait background", "portrait both"))
        if wording == "portrait shirt":
            ground = old_ground
        shirts = faces.shirt_colours(person, ground)
        old_shirts = faces.shirt_colours(person, old_ground)
        old_shirt = _pick(rng, old_shirts)
        shirt = old_shirt if wording == "portrait background" else _pick(rng, shirts)
        changed = (shirt != old_shirt, ground != old_ground)
        if shirt in shirts and changed == (wording != "portrait background", wording != "portrait shirt"):
            break
    side = _sixteens(0.75 * min(draw.height, draw.width))
    old_colours = jittered(rng, old_shirt), jittered(rng, old_ground)
    colours = (
        old_colours[0] if wording == "portrait background" else COLOURS[shirt],
        old_colours[1] if wording == "portrait shirt" else COLOURS[ground],
    )
    reference, _ = faces.paint_portrait(person, *old_colours, side, side)
    target, mask = faces.paint_portrait(person, *colours, draw.height, draw.width)
    instruction = draw_instruction(rng, wording, {"who": who, "shirt": shirt, "ground": ground})
    wrong: list[Picture] = []
    while draw.distractors and len(wrong) < DISTRACTORS:
        other = faces.draw_person(draw.others)
        if (person.skin, person.hair) != (other.skin, other.hair) and faces.differences(person, other) >= 2:
            wrong.append(faces.paint_portrait(other, *colours, draw.height, draw.width)[0])
    return Scene(
        "portrait", instruction, None, draw.everywhere(), None, (reference,), target, mask, tuple(wrong), 1.0
    )


_TASKS: dict[str, Callable[[_Draw], Scene]] = {
    "generate": _generate,
    "repaint": _repaint,
    "instruct": _instruct,
    "control": _control,
    "remove": _remove,
    "reference": _reference,
    "subject": _subject,
    "portrait": _portrait,
}
TASKS: tuple[str, ...] = tuple(_TASKS)


def _masked(task: str, instruction: str, image: Canvas, region: Region, target: Canvas, objects: Mask) -> Scene:
    """Make a local edit; the mask grows by the odd corner that a brushed blob left out."""
    before, after = _pixels(image), _pixels(target)
    mask = region.mask | objects | (before != after).any(2)
    return Scene(task, instruction, before, mask, None, (), after, objects, (), 1.0)


def _pick(rng: np.random.Generator, names: list[str] | tuple[str, ...]) -> str:
    return names[int(rng.integers(len(names)))]


def _pixels(canvas: Canvas) -> Picture:
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _sixteens(length: float) -> int:
    return 16 * max(round(length / 16), 3)


def _clear_of(canvas: Canvas, place: Place) -> list[str]:
    return clear_colours(samples(canvas, place.x, place.y, place.size))


def _scatter(
    draw: _Draw, canvas: Canvas, region: Region | None, count: int, shapes: set[str], colours: set[str]
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
        free = [name for name in _clear_of(canvas, place) if name not in colours]
        if not free:
            continue
        shape = _pick(rng, [name for name in SHAPES if name not in shapes])
        thing = draw_thing(rng, shape, _pick(rng, free), _SCENERY_TEXTURED)
        paint(canvas, thing, place)
        things.append((thing, place))
        boxes.append(box_of(place))
        shapes.add(shape)
        colours.add(thing.colour)
    if not things and region is None:
        size = 40.0 * draw.scale
        place = Place(draw.width / 2, draw.height / 2, size)
        thing = draw_thing(rng, _pick(rng, SHAPES), _pick(rng, _clear_of(canvas, place)))
        paint(canvas, thing, place)
        things.append((thing, place))
    return things


def _paint_covered(draw: _Draw, image: Canvas, region: Region, new: Thing) -> None:
    """Paint an old object, unlike the new one, that the mask covers with a margin."""
    rng = draw.rng
    place = region.somewhere(rng, region.shorter / (1 + 2 * rng.uniform(0.1, 0.3)))
    shape = _pick(rng, [name for name in SHAPES if name != new.shape])
    colours = [name for name in _clear_of(image, place) if name != new.colour]
    colour = _pick(rng, colours or [name for name in COLOURS if name != new.colour])
    paint(image, draw_thing(rng, shape, colour, _SCENERY_TEXTURED), place)


def _repainted(empty: Canvas, things: list[tuple[Thing, Place]], changed: Thing) -> tuple[Canvas, Mask]:
    """Paint the things with the first one changed; also give the changed one's pixels."""
    canvas = empty.copy()
    mask = paint(canvas, changed, things[0][1])
    for thing, place in things[1:]:
        paint(canvas, thing, place)
    return canvas, mask


def _subject_picture(draw: _Draw, thing: Thing, ground: str) -> tuple[Picture, Mask]:
    canvas = named_background(ground, draw.height, draw.width)
    size = SUBJECT_SIZE * min(draw.height, draw.width)
    mask = paint(canvas, thing, Place(draw.width / 2, draw.height / 2, size))
    return _pixels(canvas), mask


def _reference_picture(draw: _Draw, thing: Thing) -> Picture:
    """Paint the thing on a quiet background of its own, mostly in its middle, filling 70 to 85 % of the frame."""
    rng = draw.rng
    side = _sixteens(float(rng.choice((0.5, 0.625, 0.75))) * min(draw.height, draw.width))
    canvas = draw_backdrop(rng, side)
    for _ in range(8):
        if nearest(thing.rgb, samples(canvas, side / 2, side / 2, side)) >= 25:
            break
        canvas = draw_backdrop(rng, side)
    place = Place(side / 2, side / 2, FILL * side)
    if rng.random() < LOOSE:
        size = float(rng.uniform(0.7, 0.85)) * side
        x, y = rng.uniform(-0.5, 0.5, 2) * ((side - size) / 2 - 2) + side / 2
        place = Place(float(x), float(y), size)
    paint(canvas, thing, place)
    return _pixels(canvas)


def _patterned(rng: np.random.Generator, shape: str, clear: list[str]) -> Thing:
    """Draw a thing in a pattern of two different colours."""
    colour = _pick(rng, clear)
    texture, angle, period = draw_texture(rng, 1.0)
    first = jittered(rng, colour)
    apart = clear_colours([first])
    second = jittered(rng, _pick(rng, [name for name in apart if name in clear] or apart))
    return Thing(shape, colour, first, texture, second, angle, period)


def _swatch(draw: _Draw, thing: Thing) -> Picture:
    """Paint the thing's pattern over a whole reference picture, as it lies over the thing's bounding square."""
    side = _sixteens(float(draw.rng.choice((0.5, 0.625, 0.75))) * min(draw.height, draw.width))
    line = ((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1).astype(np.float32)
    return _pixels(surface(thing, line[None, :], line[:, None], side / 2, shading=0.0))


def _other_things(draw: _Draw, thing: Thing, clear: list[str], pattern: bool) -> list[Thing]:
    """Draw four things as another reference might have shown them: the same shape, clearly another colour."""
    if not draw.distractors:
        return []
    rng = draw.others
    far = [name for name in clear if nearest(thing.rgb, [COLOURS[name]]) >= 25]
    far = far or [name for name in COLOURS if nearest(thing.rgb, [COLOURS[name]]) >= 25]
    names = [_pick(rng, far) for _ in range(DISTRACTORS)]
    if pattern:
        return [_patterned(rng, thing.shape, far) for _ in names]
    return [draw_thing(rng, thing.shape, name, _REFERENCE_TEXTURED) for name in names]
