"""Results that must fail, to show that success means something: see `swapped` and `unchanged`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from .colour_difference import Array, difference, to_lab
from .judge import ALIKE
from .scenes import Scene
from .scenes.shapes import Picture


def unchanged(scene: Scene) -> Picture:
    """Return what was given: the picture, else the first reference as large as the target, else mid grey."""
    if scene.image is not None:
        return scene.image
    if scene.references:
        height, width = scene.target.shape[:2]
        return np.asarray(cv2.resize(scene.references[0], (width, height)), np.uint8)
    return np.full_like(scene.target, 128)


def swapped(scenes: Sequence[Scene]) -> list[Scene]:
    """Give every scene of a task what belongs to another one, so that a result made so answers something else.

    With references it is the other's references, otherwise the other's instruction; where the words say nothing
    (a removal: the mask says it all) it is the other's mask. The other is the next scene whose object looks
    different (median colours that differ by more than 12), for a removal the one whose mask covers least of the
    object: an instruction that happens to ask for the same would rightly succeed and test nothing.

    Raises:
        ValueError: there are fewer than two scenes.
    """
    if len(scenes) < 2:
        raise ValueError("to swap anything there must be two scenes")
    looks = [np.median(to_lab(scene.target)[scene.object_mask], axis=0) for scene in scenes]
    return [_with_parts_of(scene, scenes[_other(index, scenes, looks)]) for index, scene in enumerate(scenes)]


def _other(index: int, scenes: Sequence[Scene], looks: Sequence[Array]) -> int:
    others = [(index + step) % len(scenes) for step in range(1, len(scenes))]
    scene = scenes[index]
    if scene.task == "remove":
        return min(others, key=lambda other: int((scenes[other].mask & scene.object_mask).sum()))
    apart = {other: float(difference(looks[index], looks[other])) for other in others}
    return next((other for other in others if apart[other] > ALIKE), max(apart, key=lambda other: apart[other]))


def _with_parts_of(scene: Scene, other: Scene) -> Scene:
    if scene.references:
        return replace(scene, references=other.references)
    if scene.task == "remove":
        return replace(scene, mask=other.mask)
    return replace(scene, instruction=other.instruction)
