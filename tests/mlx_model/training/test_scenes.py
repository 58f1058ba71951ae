"""The training scenes: repeatable, fair to the words in them, and honest about what may change."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mlx_model.training.scenes import (
    TASKS,
    Scene,
    all_instructions,
    draw_instruct_variants,
    draw_patterned_reference,
    draw_scene,
)
from mlx_model.training.scenes.backgrounds import PHOTOS
from mlx_model.training.scenes.shapes import COLOURS, SHAPES, lab, outlines
from mlx_model.training.scenes.wordings import ENGLISH_WORDINGS, KOREAN_WORDINGS, fill

SEEDS = range(60)
MASKED = ("repaint", "control", "remove", "reference")
WITH_REFERENCE = ("reference", "subject", "portrait")


def korean(text: str) -> bool:
    return any("가" <= letter <= "힣" for letter in text)


@cache
def instructions() -> tuple[str, ...]:
    """Return what a hundred scenes of every task ask for."""
    return tuple(draw_scene(task, seed).instruction for task in TASKS for seed in range(100))


def same(one: Scene, other: Scene) -> bool:
    pictures = (
        (one.target, other.target),
        (one.mask, other.mask),
        (one.object_mask, other.object_mask),
        *zip(one.references, other.references, strict=False),
    )
    return (
        one.instruction == other.instruction
        and len(one.references) == len(other.references)
        and all(np.array_equal(first, second) for first, second in pictures)
        and (one.image is None) == (other.image is None)
        and (one.image is None or other.image is None or np.array_equal(one.image, other.image))
    )


def far_from(picture: NDArray[np.uint8], where: NDArray[np.bool_], name: str) -> float:
    """Measure the CIE76 distance between the median colour of these pixels and the named colour."""
    median = np.median(picture[where].astype(np.float32), axis=0)
    both = lab(np.stack([median.astype(np.float32), np.asarray(COLOURS[name], np.float32)]))
    return float(np.linalg.norm(both[0] - both[1]))


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_draws_the_same_scene_and_another_seed_or_split_a_different_one(task: str) -> None:
    scene = draw_scene(task, 7)
    assert same(scene, draw_scene(task, 7))
    assert not same(scene, draw_scene(task, 8))
    assert not same(scene, draw_scene(task, 7, split="evaluation"))


def test_variants_share_their_pictures_and_every_change_of_a_thing_is_also_undone() -> None:
    for seed in SEEDS:
        scenes = draw_instruct_variants(seed)
        assert all(same(one, other) for one, other in zip(scenes, draw_instruct_variants(seed), strict=True))
        steps: list[tuple[bytes, bytes]] = []
        for scene in scenes:
            assert scene.image is not None
            steps.append((scene.image.tobytes(), scene.target.tobytes()))
        assert len({picture for step in steps for picture in step}) <= 5
        for scene, (before, after) in zip(scenes, steps, strict=True):
            assert before != after
            background = bool(scene.object_mask[0].all())
            assert background != ((after, before) in steps)


def test_a_patterned_reference_has_two_tones_in_every_scene_and_puts_them_into_the_target() -> None:
    for seed in SEEDS:
        scene = draw_patterned_reference(seed)
        assert scene.task == "reference"
        assert same(scene, draw_patterned_reference(seed))
        drawn = lab(scene.target[scene.object_mask].astype(np.float32))
        middle = np.median(drawn, axis=0)
        other_tone = (np.linalg.norm(drawn - middle, axis=1) > 12).mean()
        assert other_tone > 0.1, f"seed {seed}: {other_tone:.0%} of the object is of another tone"


@pytest.mark.parametrize("task", WITH_REFERENCE)
def test_asking_for_distractors_changes_nothing_else_and_gives_four_other_targets(task: str) -> None:
    for seed in SEEDS:
        scene = draw_scene(task, seed, distractors=True)
        assert same(scene, draw_scene(task, seed))
        assert len(scene.distractors) == 4
        for wrong in scene.distractors:
            assert wrong.shape == scene.target.shape
            differs = (wrong != scene.target).any(2)[scene.object_mask].mean()
            assert differs > 0.1, f"seed {seed}: a distractor shares {1 - differs:.0%} of the object"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [(128, 128), (96, 160), (256, 192)])
def test_pictures_and_masks_have_the_sizes_promised(task: str, size: tuple[int, int]) -> None:
    for seed in range(12):
        scene = draw_scene(task, seed, size)
        assert scene.target.shape == (*size, 3)
        assert scene.target.dtype == np.uint8
        assert scene.mask.shape == scene.object_mask.shape == size
        assert scene.mask.dtype == scene.object_mask.dtype == np.bool_
        assert (scene.image is None) == (task in ("generate", "subject", "portrait"))
        assert (scene.control is not None) == (task == "control")
        assert bool(scene.references) == (task in WITH_REFERENCE)
        assert scene.repainting_scale == (0.0 if task in ("instruct", "control") else 1.0)
        assert all(side % 16 == 0 for one in scene.references for side in one.shape[:2])


@pytest.mark.parametrize("size", [(100, 128), (128, 80), (272, 128)])
def test_a_size_out_of_range_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiples of 16 from 96 to 256"):
        draw_scene("repaint", 0, size)


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match="no training task is called 'outpaint'"):
        draw_scene("outpaint", 0)


@pytest.mark.parametrize("task", MASKED)
@pytest.mark.parametrize(("size", "seeds"), [((128, 128), range(75)), ((160, 256), range(75, 150))])
def test_only_masked_pixels_change_and_some_do(task: str, size: tuple[int, int], seeds: range) -> None:
    for seed in seeds:
        scene = draw_scene(task, seed, size)
        assert scene.image is not None
        changed = (scene.image != scene.target).any(2)
        assert not (changed & ~scene.mask).any(), f"seed {seed}: {(changed & ~scene.mask).sum()} pixels outside"
        assert not (scene.object_mask & ~scene.mask).any(), f"seed {seed}: the object leaves the mask"
        assert changed[scene.object_mask].mean() > 0.9, f"seed {seed}: the input is already the answer"
        assert 0 < scene.mask.mean() < 0.5


@pytest.mark.parametrize("task", TASKS)
def test_whole_image_tasks_may_change_everything_and_the_object_is_large_enough_to_judge(task: str) -> None:
    for seed in SEEDS:
        scene = draw_scene(task, seed)
        assert task in MASKED or scene.mask.all()
        assert scene.object_mask.sum() >= 60, f"seed {seed}: {scene.object_mask.sum()} pixels"


@pytest.mark.parametrize("task", ["repaint", "control", "generate"])
def test_the_object_has_the_colour_that_the_instruction_names(task: str) -> None:
    judged = 0
    for seed in range(120):
        scene = draw_scene(task, seed)
        named = [word for word in scene.instruction.split() if word in COLOURS]
        if task == "generate" and "with" in scene.instruction:
            named = named[::-1]
        if named:
            distance = far_from(scene.target, scene.object_mask, named[0])
            assert distance < 12, f"seed {seed}: {scene.instruction!r} is {distance:.1f} away"
            judged += 1
    assert judged > 60


def test_a_new_object_stands_in_the_middle_of_the_mask_at_four_fifths_of_it() -> None:
    judged = 0
    for seed in range(150):
        scene = draw_scene("repaint", seed)
        if "circle" not in scene.instruction:
            continue
        rows, columns = np.nonzero(scene.mask)
        box = np.asarray((rows.min(), rows.max() + 1, columns.min(), columns.max() + 1))
        rows, columns = np.nonzero(scene.object_mask)
        object_box = np.asarray((rows.min(), rows.max() + 1, columns.min(), columns.max() + 1))
        middle, size = (box[::2] + box[1::2]) / 2, min(box[1] - box[0], box[3] - box[2])
        assert np.abs((object_box[::2] + object_box[1::2]) / 2 - middle).max() <= 1
        assert abs((object_box[1] - object_box[0]) - 0.8 * 0.96 * size) <= 2
        judged += 1
    assert judged >= 5


def test_an_instruction_on_the_whole_image_touches_one_object_alone() -> None:
    kinds: set[str] = set()
    for seed in range(120):
        scene = draw_scene("instruct", seed)
        assert scene.image is not None
        if "background" in scene.instruction or "배경" in scene.instruction:
            kinds.add("background")
            continue
        changed = (scene.image != scene.target).any(2)
        rows, columns = np.nonzero(changed)
        side = max(np.ptp(rows), np.ptp(columns)) + 1
        assert side <= 58, f"seed {seed}: {scene.instruction!r} changes {side} pixels across"
        kinds.add("object")
    assert kinds == {"background", "object"}


def test_an_ordinary_colour_word_recolours_the_named_object() -> None:
    judged = 0
    for seed in range(150):
        scene = draw_scene("instruct", seed)
        words = scene.instruction.removeprefix("{image} ").split()
        if words[0] in ("make", "paint") and words[-1] in COLOURS and "background" not in words:
            assert scene.image is not None
            assert far_from(scene.image, scene.object_mask, words[-1]) > 15
            judged += 1
    assert judged > 10


def test_a_subject_keeps_its_colour_on_the_named_background() -> None:
    for seed in SEEDS:
        scene = draw_scene("subject", seed)
        words = [word for word in scene.instruction.split() if word in COLOURS]
        if words:
            corner = np.zeros_like(scene.mask)
            corner[40:88, :8] = True
            assert far_from(scene.target, corner, words[-1]) < 8


def test_a_portrait_shows_the_same_head_as_its_reference() -> None:
    for seed in SEEDS:
        scene = draw_scene("portrait", seed, distractors=True)
        reference = cv2.resize(scene.references[0], (128, 128), interpolation=cv2.INTER_LINEAR)
        inside = cv2.erode(scene.object_mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0

        def off(
            picture: NDArray[np.uint8],
            inside: NDArray[np.bool_] = inside,
            reference: NDArray[np.generic] = reference,
        ) -> float:
            return float(np.abs(picture[inside].astype(float) - reference[inside]).mean())

        assert off(scene.target) < 12, f"seed {seed}: the head differs by {off(scene.target):.1f}"
        assert off(scene.target) < min(off(wrong) for wrong in scene.distractors)
        assert (scene.target != scene.distractors[0]).any(2)[~scene.object_mask].mean() < 0.35


def test_instructions_are_short_and_a_quarter_are_korean() -> None:
    texts = instructions()
    share = np.mean([korean(text) for text in texts])
    assert 0.18 < share < 0.32, f"{share:.0%} Korean"
    assert max(len(text.split()) for text in texts) <= 16
    assert any(text.startswith("{image} ") for text in texts)
    assert "" in texts


def test_the_tokenizer_sample_holds_every_word_that_scenes_use() -> None:
    known = {word for text in all_instructions() for word in text.split()}
    drawn = {word for text in instructions() for word in text.split()}
    assert drawn <= known, f"missing: {sorted(drawn - known)}"
    assert all("{" not in text.removeprefix("{image}") and "/" not in text for text in all_instructions())


def test_every_kind_of_wording_has_enough_of_both_languages() -> None:
    assert ENGLISH_WORDINGS.keys() == KOREAN_WORDINGS.keys()
    assert min(len(templates) for templates in ENGLISH_WORDINGS.values()) >= 4
    assert min(len(templates) for templates in KOREAN_WORDINGS.values()) >= 2


@pytest.mark.parametrize(
    ("shape", "text"),
    [("star", "별을 별로"), ("heart", "하트를 하트로"), ("circle", "원을 원으로"), ("moon", "달을 달로")],
)
def test_korean_particles_follow_the_last_sound(shape: str, text: str) -> None:
    assert fill("{shape}을/를 {shape}으로/로", {"shape": shape}, korean=True) == text


def test_the_english_article_follows_the_next_sound() -> None:
    assert fill("a {colour} {shape}", {"colour": "orange", "shape": "star"}, korean=False) == "an orange star"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_fills_its_square_without_leaving_it(shape: str) -> None:
    points = np.concatenate(outlines(shape))
    assert 0.75 <= np.abs(points).max() <= 1.0, f"reaches {np.abs(points).max():.2f}"


def test_every_background_photo_is_listed_with_its_licence() -> None:
    listed = (PHOTOS / "README.md").read_text(encoding="utf-8")
    names = [path.name for path in PHOTOS.glob("*.jpg")]
    assert names
    assert all(f"`{name}`" in listed for name in names)
    assert sum(path.stat().st_size for path in PHOTOS.glob("*.jpg")) < 400_000
