"""The evaluation: the same road as an edit, controls that answer something else, and a table that can be repeated."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlx_model.editor import Editor
from mlx_model.library.folders import find_model
from mlx_model.training.colour_difference import difference, to_lab
from mlx_model.training.controls import swapped, unchanged
from mlx_model.training.evaluate import Share, main
from mlx_model.training.painter import Painter, request_of
from mlx_model.training.scenes import TASKS, draw_scene
from mlx_model.weights.config import ModelConfig
from tests.mlx_model.tiny_model import write_tiny_model


def worst(one: Any, other: Any) -> int:
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


@pytest.mark.parametrize("task", ["generate", "subject", "portrait", "repaint", "control", "reference"])
def test_a_painted_scene_is_what_the_editor_makes_of_the_same_request(tiny_model: Path, task: str) -> None:
    scene = draw_scene(task, 3)
    painter = Painter(tiny_model)
    painted = painter.paint([painter.order(scene, 5)], painter.trained())[0]
    request, pictures = request_of(scene, 5)
    edited = Editor(tiny_model).edit(replace(request, grow=0, fade=0, colour_match=False), pictures).picture
    off = worst(edited.pixels[..., :3][scene.mask], painted[scene.mask])
    assert off <= 1, f"off by up to {off} of 255"


def test_scenes_come_out_the_same_alone_and_in_a_batch_and_in_their_order(tiny_model: Path) -> None:
    painter = Painter(tiny_model)
    networks = painter.trained()
    scenes = [draw_scene(task, seed) for seed in range(3) for task in ("repaint", "portrait", "subject")]
    orders = [painter.order(scene, seed) for seed, scene in enumerate(scenes)]
    together = painter.paint(orders, networks)
    alone = [painter.paint([order], networks)[0] for order in orders]
    off = max(worst(one, other) for one, other in zip(together, alone, strict=True))
    assert off <= 1, f"off by up to {off} of 255"
    assert worst(alone[0], alone[3]) > 8, "two scenes came out alike, so their order was not tested"


def test_a_scene_that_has_no_room_at_its_own_size_comes_back_at_it(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "narrow")
    config = ModelConfig.load(folder)
    replace(config, size=replace(config.size, max_tokens=80)).save(folder)
    painter = Painter(folder)
    order = painter.order(draw_scene("portrait", 1), 1)
    assert order.canvas.mask.shape[0] < 128
    assert painter.paint([order], painter.trained())[0].shape == (128, 128, 3)


def test_a_coded_picture_is_what_the_autoencoder_makes_of_it(tiny_model: Path) -> None:
    picture = draw_scene("repaint", 2).target
    coded = Painter(tiny_model).coded(picture)
    trained = Painter(find_model(None)).coded(picture)
    assert coded.shape == trained.shape == picture.shape
    off = difference(to_lab(picture), to_lab(trained)).mean()
    assert off < 3, f"the built-in autoencoder is off by {off:.1f} on average"
    assert off < difference(to_lab(picture), to_lab(coded)).mean(), "a random one does as well"


def test_untrained_networks_follow_from_their_seed_and_are_not_the_trained_ones(tiny_model: Path) -> None:
    painter = Painter(tiny_model)
    orders = [painter.order(draw_scene("generate", 1), 1)]
    first, again, other = (painter.paint(orders, painter.untrained(seed))[0] for seed in (1, 1, 2))
    assert worst(first, again) == 0
    assert worst(first, other) > 0
    assert worst(first, painter.paint(orders, painter.trained())[0]) > 0


@pytest.mark.parametrize("task", TASKS)
def test_a_swapped_scene_asks_for_something_else_and_differs_in_nothing_but_what_is_swapped(task: str) -> None:
    scenes = [draw_scene(task, seed, split="evaluate", distractors=True) for seed in range(30)]
    for scene, wrong in zip(scenes, swapped(scenes), strict=True):
        if task == "remove":
            kept = replace(wrong, mask=scene.mask)
            covered = (wrong.mask & scene.object_mask).sum() / scene.object_mask.sum()
            assert covered <= 0.1, f"the other mask covers {covered:.0%} of the object"
        else:
            other = next(
                one
                for one in scenes
                if one is not scene
                and (one.references is wrong.references if scene.references else one.instruction == wrong.instruction)
            )
            looks = [np.median(to_lab(one.target)[one.object_mask], axis=0) for one in (scene, other)]
            apart = float(difference(*looks))
            assert apart > 12, f"the other object differs by no more than {apart:.1f}"
            kept = replace(wrong, references=scene.references, instruction=scene.instruction)
        assert all(getattr(kept, name) is getattr(scene, name) for name in ("image", "mask", "target", "instruction"))


def test_to_swap_there_must_be_two_scenes() -> None:
    with pytest.raises(ValueError, match="two scenes"):
        swapped([draw_scene("repaint", 1)])


@pytest.mark.parametrize("task", TASKS)
def test_what_was_given_has_the_size_of_the_target(task: str) -> None:
    scene = draw_scene(task, 2)
    assert unchanged(scene).shape == scene.target.shape
    assert unchanged(scene).dtype == np.uint8


def test_the_interval_is_wilsons() -> None:
    # Values of Wilson's formula from Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    for successes, scenes, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        interval = Share(successes, scenes).interval
        assert interval == pytest.approx((low, high), abs=5e-5), f"{successes} of {scenes}: {interval}"


def test_the_command_judges_every_scene_and_gives_the_same_figures_again(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--scenes", "2", "--controls", "2"]
    asked = ["--model", str(tiny_model), *few, "--task", "reference", "--task", "remove"]
    runs: list[Any] = []
    for _ in range(2):
        assert main([*asked, "--json", "--save", str(tmp_path / "pictures")]) == 0
        runs.append(json.loads(capsys.readouterr().out))
        for task in runs[-1]["tasks"]:
            assert task.pop("seconds") > 0
    assert runs[0] == runs[1]
    assert [task["task"] for task in runs[0]["tasks"]] == ["reference", "remove"]
    for task in runs[0]["tasks"]:
        assert len(task["results"]) == 2
        assert 0 <= task["limit"]["clean"] <= task["limit"]["successes"] <= 2
        assert {name: share["scenes"] for name, share in task["controls"].items()} == {
            "untrained": 2,
            "input": 2,
            "swapped": 2,
        }
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 4
    assert "<img" in (tmp_path / "pictures" / "remove.html").read_text(encoding="utf-8")


def test_the_command_prints_a_table_with_a_row_per_task_that_fits_a_terminal(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", str(tiny_model), "--scenes", "2", "--controls", "2", "--task", "generate"]) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.strip().startswith("generate") and "%" in line)
    assert row.split()[1:5] == ["0%", "(0–66)", "0%", "0%"], row
    assert max(map(len, out.splitlines())) <= 120
    assert "…" not in out


def test_a_model_that_is_not_there_or_only_fills_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, words in (
        (tmp_path / "none", "there is no model"),
        (write_tiny_model(tmp_path / "f", "fill"), "only"),
    ):
        assert main(["--model", str(folder), "--scenes", "1"]) == 2
        assert words in capsys.readouterr().err


def test_scenes_may_be_of_another_size_and_an_impossible_one_is_refused(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--model", str(tiny_model), "--scenes", "1", "--controls", "0", "--task", "remove", "--json"]
    assert main([*asked, "--side", "160", "--save", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["side"] == 160
    with pytest.raises(SystemExit, match="2"):
        main([*asked, "--side", "100"])
    assert "100 is not a multiple of 16" in capsys.readouterr().err
