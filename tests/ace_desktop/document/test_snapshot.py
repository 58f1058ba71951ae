"""What is asked of the model is what the document shows, and what cannot work is said before."""

from __future__ import annotations

import ast
import re
import weakref
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeGuard

import numpy as np
import pytest

import mlx_model
from ace_desktop.document.canvas_size import expand
from ace_desktop.document.compose import compose, compose_layers
from ace_desktop.document.edit import mask_box, settings_of, with_settings
from ace_desktop.document.geometry import Rect
from ace_desktop.document.picture_sources import PictureSources
from ace_desktop.document.plane import Plane
from ace_desktop.document.references import (
    add_reference,
    change_reference,
    reference_picture,
    references_of,
    set_reference_mask,
)
from ace_desktop.document.refusals import REFUSALS, refusal_of
from ace_desktop.document.snapshot import LARGEST_SIDE, frame_of, problems, snapshot
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.document.tree import add, with_properties
from ace_desktop.engine.jobs import names_of
from mlx_model import stages
from mlx_model.editor import Editor
from mlx_model.pictures.read import read_picture
from mlx_model.pictures.write import encode_picture
from mlx_model.request import Picture, RequestError, digest
from mlx_model.tasks import recipe_for
from mlx_model.weights.config import ModelConfig
from tests.ace_desktop.document.conftest import POCKET
from tests.ace_desktop.document.drawings import noise, plain, raster
from tests.ace_desktop.document.scenes import PROJECT, scene, square
from tests.mlx_model.pictures.profiles import srgb_profile


def fields(state: State, config: ModelConfig | None, folder: Path | None = None) -> dict[str, bool]:
    return {problem.field: problem.blocks for problem in problems(state, config, folder)}


def asking(state: State, **values: object) -> State:
    return with_settings(state, replace(settings_of(state), **values))  # pyright: ignore[reportArgumentType]


# What the model gets


def test_the_picture_is_what_can_be_seen_and_the_mask_what_is_selected(config: ModelConfig) -> None:
    state = scene()
    state = add(state, raster((0, 0, 255, 255), Rect(2, 2, 20, 20)))
    hidden = raster((255, 0, 0, 255), Rect(0, 0, 99, 99))
    state = with_properties(add(state, hidden), hidden.id, visible=False)
    made = snapshot(state, config)
    [request] = made.requests
    assert request.picture is not None
    assert request.mask is not None
    assert np.array_equal(made.pictures[request.picture].pixels, compose(state))
    selected = state.edit_mask.read(state.frame)[..., 0] > 128
    assert np.array_equal(made.pictures[request.mask].pixels[..., 0] > 0, selected)
    assert all(digest(picture) == name for name, picture in made.pictures.items())
    assert (made.task, made.document, made.title, request.seed) == ("repaint", PROJECT, "a red star", 7)


def test_depth_and_profile_are_the_documents_own(config: ModelConfig) -> None:
    pixels = noise(1, 64, 48, depth=16)
    layer = RasterLayer(pixels=Plane.of(pixels), name="deep")
    state = State(width=64, height=48, layers=(layer,), profile=srgb_profile())
    made = snapshot(asking(state, instruction="make it red"), config)
    picture = made.pictures[made.requests[0].picture or ""]
    assert picture.profile == srgb_profile()
    assert np.array_equal(picture.pixels, compose_layers(state.layers, state.frame, 16))


def test_variations_count_up_from_the_seed(config: ModelConfig) -> None:
    made = snapshot(asking(scene(), variations=3, seed=2**64 - 1), config)
    assert [request.seed for request in made.requests] == [2**64 - 1, 0, 1]
    assert len({replace(request, seed=0) for request in made.requests}) == 1


def test_references_go_along_in_order_with_crop_and_mask_and_the_control_picture_apart(config: ModelConfig) -> None:
    state = scene()
    for number in range(3):
        state = add_reference(state, noise(number, 40, 30), f"{number}")
    first, second, third = references_of(state)
    state = change_reference(state, first.id, crop=(4, 4, 20, 10))
    state = set_reference_mask(state, first.id, np.full((30, 40), 255, np.uint8))
    state = asking(change_reference(state, third.id, on=False), control_reference=second.id)
    made = snapshot(state, config)
    [request] = made.requests
    [reference] = request.references
    wanted, cutout = reference_picture(state, first.id)
    assert cutout is not None
    assert np.array_equal(made.pictures[reference.picture].pixels, wanted.pixels)
    assert made.pictures[reference.mask or ""].size == (20, 10)
    assert made.pictures[request.control_picture or ""].size == (state.width, state.height)


def test_the_frame_is_the_one_that_the_editor_plans(config: ModelConfig) -> None:
    small = scene()
    large = expand(small, 300, 40, 500, 200)
    large = replace(large, edit_mask=square(Rect(320, 60, 30, 40)))
    far = State(width=1400, height=90, layers=(raster((90, 90, 90, 255), Rect(0, 0, 1400, 90)),))
    spots = Plane(1).written(square(Rect(0, 0, 20, 20)).read(Rect(0, 0, 20, 20)), 3, 30)
    spots = spots.written(np.full((40, 40, 1), 255, np.uint8), 1350, 20)
    far = asking(replace(far, edit_mask=spots), instruction="a red star")
    for state in (small, large, asking(large, region=(300, 30, 160, 130)), asking(small, task="instruct"), far):
        made = snapshot(state, config)
        [request] = made.requests
        region = stages.plan(request, recipe_for(request, config.kind), made.pictures, config).region
        assert frame_of(state, config) == (region.box, region.content)


def test_a_new_picture_is_as_large_as_the_document_and_leaves_it_out(config: ModelConfig, editor: Editor) -> None:
    state = add_reference(scene(masked=False), noise(1, 30, 30), "star", role="subject")
    made = snapshot(asking(state, instruction="the star on a pink background"), config)
    [request] = made.requests
    assert (made.task, request.picture, request.size, made.below) == ("subject", None, (128, 128), "")
    assert editor.edit(request, made.pictures).picture.size == (128, 128)


def test_many_references_or_pictures_make_one_request_each(config: ModelConfig) -> None:
    state = scene()
    for number in range(3):
        state = add_reference(state, noise(number, 40, 30), f"{number}")
    state = asking(state, task="reference")
    ids = [reference.id for reference in references_of(state)]
    made = snapshot(state, config, ids[1:])
    assert [len(request.references) for request in made.requests] == [1, 1]
    assert len({request.references for request in made.requests}) == 2
    assert len({request.picture for request in made.requests}) == 1
    assert made.below
    other, larger = Picture(noise(9, 128, 128)), Picture(noise(8, 200, 160))
    made = snapshot(scene(), config, [other])
    assert made.pictures[made.requests[0].picture or ""] is other
    assert made.requests[0].mask is not None
    assert made.below == ""
    made = snapshot(asking(scene(masked=False), instruction="make it red"), config, [other, larger])
    assert [made.pictures[request.picture or ""] for request in made.requests] == [other, larger]
    with pytest.raises(RequestError, match="same size"):
        snapshot(scene(), config, [larger])


def test_of_many_pictures_one_is_in_memory_at_a_time(
    config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read from their files, or the board, when they are asked for; one that has changed is not taken."""
    paths = [tmp_path / f"{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        path.write_bytes(encode_picture("png", Picture(noise(number, 500, 400))))
    read: list[weakref.ref[Picture]] = []
    alive: list[int] = []

    def watched(path: Path) -> Picture:
        alive.append(sum(ref() is not None for ref in read))
        picture = read_picture(path)
        read.append(weakref.ref(picture))
        return picture

    monkeypatch.setattr("ace_desktop.document.snapshot.read_picture", watched)
    state = asking(scene(masked=False), instruction="make it red")
    made = snapshot(state, config, paths)
    assert len(alive) == 8
    assert max(alive) <= 1, "the last one goes when the next is there"
    assert all(ref() is None for ref in read)
    for number, request in enumerate(made.requests):
        assert np.array_equal(made.pictures[request.picture or ""].pixels, noise(number, 500, 400))
    assert set(made.pictures) == {request.picture for request in made.requests}
    assert len(made.pictures) == 8
    paths[0].write_bytes(paths[1].read_bytes())
    paths[2].unlink()
    for number in (0, 2):
        with pytest.raises(ValueError, match=r"changed|no file"):
            made.pictures[made.requests[number].picture or ""]
    with pytest.raises(RequestError):
        snapshot(state, config, [tmp_path / "missing.png"])
    board = scene()
    for number in range(3):
        board = add_reference(board, noise(number, 40, 30), f"{number}")
    many = snapshot(asking(board, task="reference"), config, [one.id for one in references_of(board)])
    assert isinstance(many.pictures, PictureSources)
    assert set(many.pictures.held) == {many.requests[0].picture, many.requests[0].mask}
    for number, request in enumerate(many.requests):
        (reference,) = request.references
        assert np.array_equal(many.pictures[reference.picture].pixels, noise(number, 40, 30))


def test_of_many_references_one_may_be_the_control_picture(config: ModelConfig) -> None:
    board = scene()
    for number in range(2):
        board = add_reference(board, noise(number, 40, 30), f"{number}")
    first, second = (one.id for one in references_of(board))
    asked = asking(board, instruction="a red star", control_reference=first)
    made = snapshot(asked, config, [first, second])
    assert [len(request.references) for request in made.requests] == [0, 1]
    assert all(name in made.pictures for request in made.requests for name in names_of(request))


# New area that the crop tool has added


@pytest.mark.parametrize("words", ["a red star", ""])
def test_added_area_is_painted_opaque_and_the_old_picture_stays(
    config: ModelConfig, editor: Editor, words: str
) -> None:
    """The model sees nothing of the white under transparent pixels: the same comes out over any other colour."""
    state = asking(expand(scene(words=words), 0, 0, 48, 0), steps=3)
    state = replace(state, edit_mask=state.edit_mask.cut(Rect(128, 0, 48, 128)))
    made = snapshot(state, config)
    result = editor.edit(made.requests[0], made.pictures)
    pixels, before = result.picture.pixels, compose(state)
    assert (pixels[..., 3] == 255).all()
    assert np.array_equal(pixels[:, :124], before[:, :124])
    filled = add(state, raster((20, 200, 90, 255), Rect(128, 0, 48, 128)))
    over = snapshot(filled, config)
    again = editor.edit(over.requests[0], over.pictures).picture.pixels
    assert np.abs(again[:, 132:].astype(int) - pixels[:, 132:]).mean() < 1
    # As the scene goes on: near the old edge the new ground has the old one's colour.
    near, old = pixels[:, 132:140, :3].reshape(-1, 3), before[:, 116:124, :3].reshape(-1, 3)
    assert np.abs(np.median(near, 0) - np.median(old, 0)).max() < 40


# What is said before


def test_a_document_that_is_ready_has_no_problems(config: ModelConfig) -> None:
    assert problems(scene(), config, POCKET) == ()
    assert problems(scene(words="빨간 별"), config, POCKET) == ()
    assert problems(scene(words=""), config) == ()  # a mask and no words: remove


def test_everything_that_is_missing_is_said_at_once(config: ModelConfig) -> None:
    blank = asking(scene(masked=False, words=""), task="reference")
    assert fields(blank, config) == {"instruction": True, "mask": True, "references": True}
    mask = next(problem for problem in problems(blank, config) if problem.field == "mask")
    assert "where the reference should go" in mask.sentence
    nothing = State(width=64, height=64, settings=blank.settings)
    assert fields(asking(nothing, task="repaint"), config) == {"picture": True, "instruction": True, "mask": True}
    assert fields(blank, None)["model"] is True


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"task": "remove", "control": "canny"}, "control"),
        ({"control": "depth"}, "control"),
        ({"control": "as-is"}, "control"),
        ({"control_reference": "gone"}, "control"),
        ({"control": "canny", "strength": 1.0}, "strength"),
        ({"strength": 1.5}, "strength"),
        ({"steps": 0}, "steps"),
        ({"guidance": -1.0}, "guidance"),
        ({"seed": -1}, "seed"),
        ({"grow": -1}, "mask"),
        ({"adapters": (("local", 99.0),)}, "adapters"),
        ({"region": (500, 0, 20, 20)}, "region"),
        ({"region": (0, 0, 128, 8)}, "region"),
        ({"region": (0, 0, 16, 16)}, "region"),
    ],
)
def test_what_cannot_be_is_said_beside_its_control(
    config: ModelConfig, values: dict[str, object], field: str
) -> None:
    state = asking(scene(), **values)
    assert fields(state, config) == {field: True}
    with pytest.raises(RequestError):
        snapshot(state, config)


def test_a_mask_between_the_corners_of_the_frame_but_not_in_it_is_said(config: ModelConfig) -> None:
    """Its bounding box touches the frame, none of its pixels does."""
    mask = square(Rect(0, 0, 20, 20)).written(np.full((20, 20, 1), 255, np.uint8), 100, 100)
    state = asking(replace(scene(), edit_mask=mask), region=(40, 40, 40, 40))
    assert fields(state, config) == {"region": True}


def test_what_would_stay_as_it_is_since_the_model_does_not_see_it_is_said_before(config: ModelConfig) -> None:
    mask = mask_box(scene())
    half = asking(scene(), region=(mask.x - 8, mask.y - 8, mask.width // 2 + 16, mask.height + 16))
    assert "enlarge the frame" in found(half, config, "region")
    assert fields(asking(scene(), region=(0, 0, 128, 128)), config) == {}
    long = State(width=1000, height=64, layers=(raster((9, 9, 9, 255), Rect(0, 0, 1000, 64)),))
    assert "picture is too long" in found(asking(long, instruction="red"), config, "size")
    assert fields(asking(long, instruction="red", region=(0, 0, 200, 64)), config) == {}
    whole = replace(long, edit_mask=square(Rect(0, 0, 1000, 64)))
    assert "mask is too long" in found(asking(whole, instruction="red"), config, "size")
    spots = square(Rect(0, 0, 30, 60)).written(np.full((50, 30, 1), 255, np.uint8), 960, 5)
    assert "mask is too long" in found(asking(replace(long, edit_mask=spots), instruction="red"), config, "size")
    assert fields(asking(replace(long, edit_mask=square(Rect(400, 0, 60, 60))), instruction="red"), config) == {}


def found(state: State, config: ModelConfig, field: str) -> str:
    [problem] = problems(state, config)
    assert (problem.field, problem.blocks) == (field, False)
    return problem.sentence


def test_too_many_references_and_sizes_out_of_range_are_said(config: ModelConfig) -> None:
    crowded = scene()
    for number in range(20):
        crowded = add_reference(crowded, np.full((20, 80, 4), number, np.uint8), "wide")
    assert fields(crowded, config) == {"references": False}
    few = replace(config, size=replace(config.size, max_tokens=16))
    assert fields(crowded, few) == {"references": True}
    tiny = State(width=10, height=10, layers=(raster((9, 9, 9, 255)),))
    assert fields(asking(tiny, instruction="red"), config) == {"size": True}
    for width, height in ((LARGEST_SIDE + 1, 4000), (640, 64)):
        wide = State(width=width, height=height)
        assert fields(asking(wide, instruction="a star"), config) == {"size": True}
    assert stages.LARGEST_SIDE == LARGEST_SIDE


def test_a_model_that_only_fills_says_so_and_its_adapters_have_to_be_there(
    config: ModelConfig, tmp_path: Path
) -> None:
    fill, folder = replace(config, kind="fill"), tmp_path / "model"
    assert fields(asking(scene(masked=False), instruction="make it red"), fill, folder) == {"model": True}
    assert fields(scene(), fill, folder) == {"adapters": True}
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters" / "local.safetensors").write_bytes(b"")
    assert fields(scene(), fill, folder) == {}
    by_path = asking(scene(), adapters=((str(tmp_path / "adapters" / "local.safetensors"), 1.0), ("other", 0.5)))
    [problem] = problems(by_path, fill, folder)
    assert "other" in problem.sentence


def test_a_mask_that_a_new_picture_does_not_use_is_mentioned(config: ModelConfig) -> None:
    assert fields(asking(scene(), task="generate"), config) == {"mask": False}


def test_every_rule_that_a_document_can_break_is_known() -> None:
    """Each sentence of the rules' modules belongs to a row, and each row to a sentence."""
    package = Path(mlx_model.__file__).parent
    spoken: list[str] = []
    for name in ("tasks", "conditioning/region", "conditioning/preprocess"):
        for node in ast.walk(ast.parse((package / f"{name}.py").read_text(encoding="utf-8"))):
            spoken += [_text(node.args[0])] if _refuses(node) else []
    assert len(spoken) > 20
    assert [sentence for sentence in spoken if refusal_of(sentence) is None] == []
    assert [row.pattern.pattern for row in REFUSALS if not any(row.pattern.search(text) for text in spoken)] == []


def _refuses(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RequestError"


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in parts)


def test_asking_is_cheap_for_a_large_picture(config: ModelConfig) -> None:
    """24 megapixels with a mask over all of it: it is asked after every stroke."""
    import time

    whole = Rect(0, 0, 6000, 4000)
    state = State(width=6000, height=4000, layers=(RasterLayer(pixels=plain((1, 2, 3, 255), whole), name="large"),))
    state = asking(replace(state, edit_mask=square(whole)), instruction="a red star")
    start = time.process_time()
    assert problems(state, config) == ()
    frame_of(state, config)
    assert time.process_time() - start < 0.25
    assert mask_box(state) == whole


def test_results_below_the_edit_become_its_parents(config: ModelConfig) -> None:
    state = scene()
    layer = replace(raster((1, 2, 3, 255), Rect(40, 40, 20, 20)), extra=MappingProxyType({"result": "r1"}))
    hidden = replace(raster((1, 2, 3, 255)), extra=MappingProxyType({"result": "r2"}), visible=False)
    state = add(add(state, layer), hidden)
    assert snapshot(state, config).parents == ("r1",)
    assert re.fullmatch("[0-9a-f]{32}", snapshot(state, config).below)
