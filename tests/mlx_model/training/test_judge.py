"""The judge of results: right pictures pass, and every way of being wrong that could look right fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mlx_model.training.colour_difference import to_lab
from mlx_model.training.controls import unchanged
from mlx_model.training.judge import Judge, Verdict
from mlx_model.training.scenes import TASKS, Scene, draw_scene

Picture = NDArray[np.uint8]
Chance = np.random.Generator

SEEDS = range(1000, 1025)
WITH_OBJECT = tuple(task for task in TASKS if task != "remove")
MASKED = ("repaint", "control", "remove", "reference")


@cache
def scenes(task: str) -> tuple[tuple[Scene, Judge], ...]:
    drawn = [draw_scene(task, seed, split="evaluate", distractors=True) for seed in SEEDS]
    return tuple((scene, Judge(scene)) for scene in drawn)


def recolours_background(scene: Scene) -> bool:
    return bool(scene.object_mask[0].all())


def behind(scene: Scene) -> Picture:
    """Fill in the target without its object."""
    hole = cv2.dilate(scene.object_mask.astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.asarray(cv2.inpaint(scene.target, hole, 3, cv2.INPAINT_TELEA), np.uint8)


def judged(task: str, change: Callable[[Scene, Chance], Picture | None]) -> list[Verdict]:
    """Judge the changed target of every scene of a task; None leaves a scene out."""
    drawn = enumerate(scenes(task))
    pictures = [(judge, change(scene, np.random.default_rng(seed))) for seed, (scene, judge) in drawn]
    return [judge(picture) for judge, picture in pictures if picture is not None]


def passing(verdicts: list[Verdict]) -> float:
    assert len(verdicts) >= 0.7 * len(SEEDS), "the change applies to too few scenes to say something"
    return sum(verdict.clean for verdict in verdicts) / len(verdicts)


def succeeding(verdicts: list[Verdict]) -> float:
    return sum(verdict.success for verdict in verdicts) / len(verdicts)


def contrasting(colours: Picture) -> Picture:
    return np.where(colours.mean(0) < 128, 230, 25).astype(np.uint8)


def perfect(scene: Scene, _: Chance) -> Picture:
    return scene.target


def slightly_off(scene: Scene, chance: Chance) -> Picture:
    """Soften, shift by less than a pixel, tint a little and add noise, as a good model's decoder does."""
    height, width = scene.target.shape[:2]
    move = np.array([[1, 0, chance.uniform(-0.7, 0.7)], [0, 1, chance.uniform(-0.7, 0.7)]])
    moved = cv2.warpAffine(scene.target, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(moved.astype(np.float32), (0, 0), 0.8)
    return np.clip(soft + chance.normal(0, 1, 3) + chance.normal(0, 2, soft.shape), 0, 255).astype(np.uint8)


def wrong_colour(scene: Scene, _: Chance) -> Picture | None:
    """Turn the hue and lightness of what had to appear."""
    lab = to_lab(scene.target)
    lab[..., 0] = np.where(lab[..., 0] > 55, lab[..., 0] - 25, lab[..., 0] + 25)
    lab[..., 1:] = -lab[..., 1:]
    other = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255, np.float32)
    return np.where(scene.object_mask[..., None], other, scene.target).clip(0, 255).astype(np.uint8)


def half_back(occupied: NDArray[np.bool_]) -> int:
    """Give half the length of what is occupied, backwards where there is no room ahead."""
    first, last = int(np.flatnonzero(occupied)[0]), int(np.flatnonzero(occupied)[-1])
    half = (last - first) // 2
    return -half if last + half >= len(occupied) else half


def shifted(scene: Scene, _: Chance) -> Picture | None:
    """Move the object by half of its size."""
    if recolours_background(scene):
        return None
    down, across = (half_back(np.asarray(scene.object_mask.any(axis))) for axis in (1, 0))
    objects = np.roll(scene.object_mask, (down, across), (0, 1))[..., None]
    return np.where(objects, np.roll(scene.target, (down, across), (0, 1)), behind(scene))


def missing(scene: Scene, _: Chance) -> Picture | None:
    return None if recolours_background(scene) else behind(scene)


def blurred(scene: Scene, _: Chance) -> Picture | None:
    if recolours_background(scene):
        return None
    return np.asarray(cv2.GaussianBlur(scene.target, (0, 0), 5), np.uint8)


def other_background(scene: Scene, _: Chance) -> Picture:
    """Tint and darken everything but the object."""
    lab = to_lab(scene.target)
    lab += np.where(lab[..., :1] > 50, -1, 1) * np.array((12, 0, 0), np.float32) + np.array((0, 6, 8), np.float32)
    other = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255, np.float32)
    return np.where(scene.object_mask[..., None], scene.target, other.clip(0, 255)).astype(np.uint8)


def the_input(scene: Scene, _: Chance) -> Picture:
    return unchanged(scene)


def flat(scene: Scene, _: Chance) -> Picture:
    """Paint the whole picture in the object's mean colour."""
    return np.zeros_like(scene.target) + scene.target[scene.object_mask].mean(0).astype(np.uint8)


def distractor(scene: Scene, chance: Chance) -> Picture:
    return scene.distractors[int(chance.integers(4))]


def rest_of_mask_filled(scene: Scene, _: Chance) -> Picture:
    """Leave the object alone and paint the rest of the mask in a colour of its own."""
    around = cv2.dilate(scene.object_mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    result = scene.target.copy()
    result[scene.mask & ~around] = contrasting(result[scene.mask & ~around])
    return result


def half_removed(scene: Scene, _: Chance) -> Picture:
    """Take only the upper half of the object away."""
    middle = int(np.median(np.flatnonzero(scene.object_mask.any(1))))
    result = scene.target.copy()
    assert scene.image is not None
    result[middle:] = scene.image[middle:]
    return result


def replaced(scene: Scene, _: Chance) -> Picture:
    """Leave something else where the object had to go."""
    result = scene.target.copy()
    result[scene.object_mask] = contrasting(scene.target[scene.object_mask])
    return result


def another_object_changed(scene: Scene, _: Chance) -> Picture | None:
    """Paint over one of the other objects, which the instruction does not name."""
    if scene.object_mask.mean() > 0.3:
        return None
    result = scene.target.copy()
    rows, columns = np.nonzero(cv2.erode((~scene.object_mask).astype(np.uint8), np.ones((57, 57), np.uint8)))
    if not len(rows):
        return None
    at = (int(columns[0]), int(rows[0]))
    colour = contrasting(result[at[1], at[0]][None]).tolist()
    return np.asarray(cv2.circle(result, at, 14, colour, -1), np.uint8)


@pytest.mark.parametrize("task", TASKS)
def test_the_target_itself_succeeds(task: str) -> None:
    share = passing(judged(task, perfect))
    assert share >= 0.99, f"{share:.0%} of the perfect results passed"


@pytest.mark.parametrize("task", TASKS)
def test_what_is_off_by_less_than_an_eye_would_mind_succeeds(task: str) -> None:
    verdicts = judged(task, slightly_off)
    faults = [verdict.faults + verdict.blemishes for verdict in verdicts if not verdict.clean]
    assert passing(verdicts) >= 0.95, f"of {len(verdicts)} results failed: {faults}"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("wrong", [wrong_colour, other_background, the_input])
def test_a_wrong_result_of_any_task_fails(task: str, wrong: Callable[[Scene, Chance], Picture | None]) -> None:
    share = succeeding(judged(task, wrong))
    assert share <= 0.05, f"{share:.0%} of the results passed"


@pytest.mark.parametrize("task", WITH_OBJECT)
@pytest.mark.parametrize("wrong", [shifted, missing])
def test_an_object_that_is_elsewhere_or_missing_is_no_success(
    task: str, wrong: Callable[[Scene, Chance], Picture | None]
) -> None:
    share = succeeding(judged(task, wrong))
    assert share <= 0.05, f"{share:.0%} of the results passed"


@pytest.mark.parametrize("task", WITH_OBJECT)
@pytest.mark.parametrize("wrong", [shifted, missing, blurred, flat])
def test_an_object_that_is_elsewhere_missing_blurred_or_everywhere_is_not_clean(
    task: str, wrong: Callable[[Scene, Chance], Picture | None]
) -> None:
    share = passing(judged(task, wrong))
    assert share <= 0.05, f"{share:.0%} of the results passed"


@pytest.mark.parametrize("task", ["reference", "subject", "portrait"])
def test_what_another_reference_would_have_led_to_fails(task: str) -> None:
    share = succeeding(judged(task, distractor))
    assert share <= 0.05, f"{share:.0%} of the results passed"


@pytest.mark.parametrize("task", MASKED)
def test_rubbish_under_the_mask_beside_a_perfect_object_is_not_clean(task: str) -> None:
    share = passing(judged(task, rest_of_mask_filled))
    assert share <= 0.05, f"{share:.0%} of the results passed"


@pytest.mark.parametrize("wrong", [half_removed, replaced])
def test_an_object_that_is_half_removed_or_replaced_by_another_fails(
    wrong: Callable[[Scene, Chance], Picture | None],
) -> None:
    share = succeeding(judged("remove", wrong))
    assert share <= 0.05, f"{share:.0%} of the results passed"


def test_a_change_that_nobody_asked_for_is_not_clean() -> None:
    share = passing(judged("instruct", another_object_changed))
    assert share <= 0.05, f"{share:.0%} of the results passed"


def test_a_result_of_another_size_and_a_scene_without_distractors_are_refused() -> None:
    scene, judge = scenes("subject")[0]
    with pytest.raises(ValueError, match="a result is"):
        judge(scene.target[:64])
    with pytest.raises(ValueError, match="distractors=True"):
        Judge(draw_scene("subject", 1, split="evaluate"))
