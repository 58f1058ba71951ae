"""The tasks of the training scenes: each draws inputs and the picture that a perfect answer would be.

A target follows from its inputs (up to the exact tone of a colour that is only named): new objects stand
in the middle of the mask at a fixed share of it, subjects in the middle of the frame, portraits always in
the same pose. What varies is everything that is given: places, sizes, backgrounds, light, words.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from . import faces
from .backgrounds import draw_backdrop, draw_background, named_background, samples
from .instruct import instruct
from .regions import FILL, LOOSE, Region, draw_region
from .scene import SCENERY_TEXTURED, Draw, Scene, clear_of, pick, pixels, scatter
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
    surface,
)
from .wordings import draw_instruction

SUBJECT_SIZE = 0.55  # of the frame's shorter side
DISTRACTORS = 4
_REFERENCE_TEXTURED = 0.35
_REFERENCE_PATTERN = 0.25  # share of the references that show a pattern instead of a thing


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
    draw = Draw(
        np.random.default_rng([key, seed, 0]),
        np.random.default_rng([key, seed, 1]),
        height,
        width,
        distractors,
    )
    return _TASKS[task](draw)


def _generate(draw: Draw) -> Scene:
    rng = draw.rng
    ground = pick(rng, list(COLOURS))
    thing = draw_thing(rng, pick(rng, SHAPES), pick(rng, clear_colours([COLOURS[ground]])))
    target, mask = _subject_picture(draw, thing, ground)
    words = {"shape": thing.shape, "colour": thing.colour, "ground": ground}
    instruction = draw_instruction(rng, "generate", words)
    return Scene("generate", instruction, None, draw.everywhere(), None, (), target, mask, (), 1.0)


def _repaint(draw: Draw) -> Scene:
    rng = draw.rng
    canvas, region = draw_background(rng, draw.height, draw.width), draw_region(rng, draw.height, draw.width)
    place = region.centre()
    colours = clear_of(canvas, place)
    new = draw_thing(rng, pick(rng, SHAPES), pick(rng, colours))
    scatter(draw, canvas, region, int(rng.integers(3)), {new.shape}, {new.colour})
    image = canvas.copy()
    over = bool(rng.random() < 0.6)
    if over:
        _paint_covered(draw, image, region, new)
    mask = paint(canvas, new, place)
    words = {"shape": new.shape, "colour": new.colour}
    instruction = draw_instruction(rng, "repaint over" if over else "repaint", words)
    return _masked("repaint", instruction, image, region, canvas, mask)


def _remove(draw: Draw) -> Scene:
    rng = draw.rng
    canvas, region = draw_background(rng, draw.height, draw.width), draw_region(rng, draw.height, draw.width)
    place = region.somewhere(rng, region.shorter / (1 + 2 * rng.uniform(0.1, 0.3)))
    thing = draw_thing(rng, pick(rng, SHAPES), pick(rng, clear_of(canvas, place)), SCENERY_TEXTURED)
    scatter(draw, canvas, region, int(rng.integers(3)), {thing.shape}, {thing.colour})
    image = canvas.copy()
    mask = paint(image, thing, place)
    instruction = draw_instruction(rng, "remove", {"shape": thing.shape, "colour": thing.colour})
    if rng.random() < 0.08:
        instruction = ""
    return _masked("remove", instruction, image, region, canvas, mask)


def _control(draw: Draw) -> Scene:
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
    old = draw_thing(rng, pick(rng, SHAPES), pick(rng, visible))
    colour = pick(rng, clear_colours([*map(tuple, behind), old.rgb]))
    new = draw_thing(rng, old.shape, colour)
    scatter(draw, canvas, region, int(rng.integers(2)), {new.shape}, {new.colour})
    image = canvas.copy()
    paint(image, old, place)
    mask = paint(canvas, new, place)
    instruction = draw_instruction(rng, "control", {"shape": new.shape, "colour": new.colour})
    scene = _masked("control", instruction, image, region, canvas, mask)
    return replace(scene, control=control, repainting_scale=0.0)


def draw_patterned_reference(seed: int, size: tuple[int, int] = (128, 128)) -> Scene:
    """Draw a scene of task reference, of the training split, whose thing always has a pattern.

    Patterns take a model longest to learn; of the scenes of `draw_scene` about a half have one.
    """
    height, width = size
    key = zlib.crc32(f"patterned references/{height}x{width}".encode())
    rng = np.random.default_rng([key, seed])
    return _reference(Draw(rng, rng, height, width, False), textured=1.0)


def _reference(draw: Draw, textured: float = _REFERENCE_TEXTURED) -> Scene:
    rng = draw.rng
    canvas, region = draw_background(rng, draw.height, draw.width), draw_region(rng, draw.height, draw.width)
    place = region.centre()
    clear = clear_of(canvas, place)
    shape = pick(rng, SHAPES)
    pattern = bool(rng.random() < _REFERENCE_PATTERN)
    thing = _patterned(rng, shape, clear) if pattern else draw_thing(rng, shape, pick(rng, clear), textured)
    scatter(draw, canvas, region, int(rng.integers(3)), {shape}, {thing.colour})
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
                pick(rng, [name for name in SHAPES if name != shape]),
                pick(rng, [name for name in COLOURS if name != thing.colour]),
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
        wrong.append(pixels(changed))
    mask = paint(canvas, thing, place)
    scene = _masked("reference", instruction, image, region, canvas, mask)
    return replace(scene, references=references, distractors=tuple(wrong))


def _subject(draw: Draw) -> Scene:
    rng = draw.rng
    ground = pick(rng, list(COLOURS))
    clear = clear_colours([COLOURS[ground]])
    thing = draw_thing(rng, pick(rng, SHAPES), pick(rng, clear), _REFERENCE_TEXTURED)
    reference = _reference_picture(draw, thing)
    instruction = draw_instruction(rng, "subject", {"shape": thing.shape, "ground": ground})
    target, mask = _subject_picture(draw, thing, ground)
    others = _other_things(draw, thing, clear, False)
    wrong = tuple(_subject_picture(draw, other, ground)[0] for other in others)
    return Scene("subject", instruction, None, draw.everywhere(), None, (reference,), target, mask, wrong, 1.0)


def _portrait(draw: Draw) -> Scene:
    rng = draw.rng
    person = faces.draw_person(rng)
    who = person.who(rng)
    grounds = faces.background_colours(person)
    while True:
        old_ground, ground = pick(rng, grounds), pick(rng, grounds)
        wording = pick(rng, ("portrait shirt", "portrait background", "portrait both"))
        if wording == "portrait shirt":
            ground = old_ground
        shirts = faces.shirt_colours(person, ground)
        old_shirts = faces.shirt_colours(person, old_ground)
        old_shirt = pick(rng, old_shirts)
        shirt = old_shirt if wording == "portrait background" else pick(rng, shirts)
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


_TASKS: dict[str, Callable[[Draw], Scene]] = {
    "generate": _generate,
    "repaint": _repaint,
    "instruct": instruct,
    "control": _control,
    "remove": _remove,
    "reference": _reference,
    "subject": _subject,
    "portrait": _portrait,
}
TASKS: tuple[str, ...] = tuple(_TASKS)


def _masked(task: str, instruction: str, image: Canvas, region: Region, target: Canvas, objects: Mask) -> Scene:
    """Make a local edit; the mask grows by the odd corner that a brushed blob left out."""
    before, after = pixels(image), pixels(target)
    mask = region.mask | objects | (before != after).any(2)
    return Scene(task, instruction, before, mask, None, (), after, objects, (), 1.0)


def _sixteens(length: float) -> int:
    return 16 * max(round(length / 16), 3)


def _paint_covered(draw: Draw, image: Canvas, region: Region, new: Thing) -> None:
    """Paint an old object, unlike the new one, that the mask covers with a margin."""
    rng = draw.rng
    place = region.somewhere(rng, region.shorter / (1 + 2 * rng.uniform(0.1, 0.3)))
    shape = pick(rng, [name for name in SHAPES if name != new.shape])
    colours = [name for name in clear_of(image, place) if name != new.colour]
    colour = pick(rng, colours or [name for name in COLOURS if name != new.colour])
    paint(image, draw_thing(rng, shape, colour, SCENERY_TEXTURED), place)


def _subject_picture(draw: Draw, thing: Thing, ground: str) -> tuple[Picture, Mask]:
    canvas = named_background(ground, draw.height, draw.width)
    size = SUBJECT_SIZE * min(draw.height, draw.width)
    mask = paint(canvas, thing, Place(draw.width / 2, draw.height / 2, size))
    return pixels(canvas), mask


def _reference_picture(draw: Draw, thing: Thing) -> Picture:
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
    return pixels(canvas)


def _patterned(rng: np.random.Generator, shape: str, clear: list[str]) -> Thing:
    """Draw a thing in a pattern of two different colours."""
    colour = pick(rng, clear)
    texture, angle, period = draw_texture(rng, 1.0)
    first = jittered(rng, colour)
    apart = clear_colours([first])
    second = jittered(rng, pick(rng, [name for name in apart if name in clear] or apart))
    return Thing(shape, colour, first, texture, second, angle, period)


def _swatch(draw: Draw, thing: Thing) -> Picture:
    """Paint the thing's pattern over a whole reference picture: what a thing that fills as much of it would show."""
    side = _sixteens(float(draw.rng.choice((0.5, 0.625, 0.75))) * min(draw.height, draw.width))
    line = (((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1) / FILL).astype(np.float32)
    return pixels(surface(thing, line[None, :], line[:, None], FILL * side / 2, shading=0.0))


def _other_things(draw: Draw, thing: Thing, clear: list[str], pattern: bool) -> list[Thing]:
    """Draw four things as another reference might have shown them: the same shape, clearly another colour."""
    if not draw.distractors:
        return []
    rng = draw.others
    far = [name for name in clear if nearest(thing.rgb, [COLOURS[name]]) >= 25]
    far = far or [name for name in COLOURS if nearest(thing.rgb, [COLOURS[name]]) >= 25]
    names = [pick(rng, far) for _ in range(DISTRACTORS)]
    if pattern:
        return [_patterned(rng, thing.shape, far) for _ in names]
    return [draw_thing(rng, thing.shape, name, _REFERENCE_TEXTURED) for name in names]
