"""Scenes of task instruct: one thing of several is recoloured or reshaped by its name, or the background is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from .backgrounds import draw_background, named_background
from .scene import Draw, Scene, clear_of, painted, pick, pixels, scatter
from .shapes import COLOURS, SHAPES, Canvas, Mask, Place, Thing, clear_colours, jittered, paint, second_tone
from .wordings import IMAGE_WORD, draw_instruction

_RESHAPED = 0.5  # of the variants: it takes a model longest to learn


def instruct(draw: Draw) -> Scene:
    """Draw an arrangement and one change of it."""
    arrangement = _arranged(draw)
    return _asked(draw, arrangement, _draw_change(draw, arrangement))


@dataclass(frozen=True, eq=False)
class _Arrangement:
    """An empty background and the things that stand on it; the first is the one that is changed."""

    empty: Canvas
    things: list[tuple[Thing, Place]]


@dataclass(frozen=True, eq=False)
class _Change:
    """One change of an arrangement: its wording and words, the first thing changed or (None) the background named."""

    wording: str
    words: dict[str, str]
    changed: Thing | None


def _arranged(draw: Draw) -> _Arrangement:
    empty = draw_background(draw.rng, draw.height, draw.width)
    things = scatter(draw, empty.copy(), None, 1 + int(draw.rng.integers(3)), set(), set())
    return _Arrangement(empty, things)


def _draw_change(draw: Draw, arrangement: _Arrangement, reshaped: float = 0.2) -> _Change:
    """Draw what to ask for: another background (10 %), a reshaped thing (20 % unless told) or a recoloured one."""
    rng, things = draw.rng, arrangement.things
    thing, place = things[0]
    shapes, colours = {one.shape for one, _ in things}, {one.colour for one, _ in things}
    words = {"shape": thing.shape, "colour": thing.colour}
    grounds = clear_colours(
        [one.rgb for one, _ in things] + [one.tone for one, _ in things if one.texture != "plain"]
    )
    kind = rng.random()
    if kind < 0.1:
        words["ground"] = pick(rng, grounds)
        return _Change("background", words, None)
    if kind < 0.1 + reshaped:
        words["to"] = pick(rng, [shape for shape in SHAPES if shape not in shapes])
        return _Change("reshape", words, replace(thing, shape=words["to"]))
    clear = [name for name in clear_of(arrangement.empty, place) if name not in colours]
    words["new"] = pick(rng, clear or [name for name in COLOURS if name not in colours])
    rgb = jittered(rng, words["new"])
    return _Change("recolour", words, replace(thing, colour=words["new"], rgb=rgb, tone=second_tone(rgb)))


def _asked(draw: Draw, arrangement: _Arrangement, change: _Change) -> Scene:
    """Paint the arrangement before and after the change, and word it."""
    rng, empty, things = draw.rng, arrangement.empty, arrangement.things
    image, _ = painted(empty, things)
    if change.changed is None:
        canvas, objects = painted(named_background(change.words["ground"], draw.height, draw.width), things)
        mask = ~objects
    else:
        canvas, mask = _repainted(empty, things, change.changed)
    instruction = draw_instruction(rng, change.wording, change.words)
    if rng.random() < 0.05:
        instruction = f"{IMAGE_WORD} {instruction}"
    return Scene("instruct", instruction, pixels(image), draw.everywhere(), None, (), pixels(canvas), mask, (), 0.0)


def draw_instruct_variants(seed: int, size: tuple[int, int] = (128, 128), changes: int = 4) -> list[Scene]:
    """Draw instruct scenes of the training split that share an arrangement: each change of it, most also undone.

    The pictures are few (one more than the changes) and the instructions many, so that the words alone tell which
    target belongs to a picture. A change of the background has no way back: the old one has no name.
    """
    height, width = size
    key = zlib.crc32(f"instruct variants/{height}x{width}".encode())
    rng = np.random.default_rng([key, seed])
    draw = Draw(rng, rng, height, width, False)
    arrangement = _arranged(draw)
    scenes: list[Scene] = []
    for _ in range(changes):
        first = int(rng.integers(len(arrangement.things)))
        turned = _Arrangement(arrangement.empty, arrangement.things[first:] + arrangement.things[:first])
        change = _draw_change(draw, turned, reshaped=_RESHAPED)
        scenes.append(_asked(draw, turned, change))
        if change.changed is None:
            continue
        (thing, place), *others = turned.things
        after = _Arrangement(turned.empty, [(change.changed, place), *others])
        words = {
            "shape": change.changed.shape,
            "colour": change.changed.colour,
            "to": thing.shape,
            "new": thing.colour,
        }
        scenes.append(_asked(draw, after, _Change(change.wording, words, thing)))
    return scenes


def _repainted(empty: Canvas, things: list[tuple[Thing, Place]], changed: Thing) -> tuple[Canvas, Mask]:
    """Paint the things with the first one changed; also give the changed one's pixels."""
    canvas = empty.copy()
    mask = paint(canvas, changed, things[0][1])
    for thing, place in things[1:]:
        paint(canvas, thing, place)
    return canvas, mask
