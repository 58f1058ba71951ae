"""The work of a request, counted without MLX, is what the editor counts; paces make seconds of it."""

from dataclasses import replace

import pytest

from mlx_model.conditioning.canvas import binary_mask
from mlx_model.conditioning.region import bounding_box
from mlx_model.editor import Editor
from mlx_model.progress import STAGES, Stage
from mlx_model.request import EditRequest, Progress, digest
from mlx_model.tasks import TASKS
from mlx_model.weights.config import ModelConfig
from mlx_model.work import Work, expected_seconds, stage_work, step_work, work_of
from tests.mlx_model.sample_requests import LOCAL, MASK, PICTURE, PICTURES, POCKET, REQUESTS

CONFIG = ModelConfig.load(POCKET)
PACES: dict[Stage, float] = {"load": 3.0, "text": 2.0, "denoise": 10.0, "decode": 1e-4}


@pytest.fixture(scope="module")
def editor() -> Editor:
    return Editor(POCKET)


def counted(request: EditRequest) -> Work:
    extent = bounding_box(binary_mask(MASK)) if request.mask else None
    sizes = [PICTURES[reference.picture].size for reference in request.references]
    return work_of(request, CONFIG, PICTURE.size if request.picture else None, extent, sizes)


@pytest.mark.parametrize("task", TASKS)
def test_the_canvas_is_the_editor_s(editor: Editor, task: str) -> None:
    for request in (REQUESTS[task], replace(REQUESTS[task], max_tokens=60, steps=3)):
        assert counted(request).canvas == editor.estimate(request, PICTURES).canvas_size
        assert counted(request).steps == (request.steps or CONFIG.sampling.steps)


def test_it_is_what_a_run_goes_by() -> None:
    """With paces from elsewhere the first word about the time left is the time expected for the work."""
    cold = Editor(POCKET)
    assert cold.paces == {}
    cold.paces = PACES
    told: list[Progress] = []
    request = replace(LOCAL, steps=2)
    result = cold.edit(request, PICTURES, told.append)
    work = counted(request)
    assert work.canvas == result.canvas_size
    assert work.pictures.pixels == PICTURE.size[0] * PICTURE.size[1]
    begun = next(p for p in told if p.stage != "load")
    expected = expected_seconds(stage_work(work, CONFIG, ["load"]), PACES)
    assert expected is not None
    assert begun.seconds_left == pytest.approx(expected, abs=0.05)
    assert set(cold.paces) == set(STAGES), "every stage was measured"
    assert cold.paces["denoise"] != PACES["denoise"]
    pace = result.timings["denoise"] / (2 * step_work(CONFIG, work.canvas))
    assert cold.paces["denoise"] == pytest.approx(pace)


def test_a_warm_variation_leaves_the_paces_of_what_it_did_not_do() -> None:
    editor = Editor(POCKET)
    editor.edit(replace(LOCAL, steps=1), PICTURES)
    editor.paces = {**editor.paces, "load": 5.0, "text": 6.0, "encode": 7.0, "modulation": 8.0}
    editor.edit(replace(LOCAL, steps=1, seed=1), PICTURES)
    assert [editor.paces[stage] for stage in STAGES[:4]] == [5.0, 6.0, 7.0, 8.0]


def test_paces_handed_out_and_taken_in_are_copies() -> None:
    editor, paces = Editor(POCKET), dict(PACES)
    editor.paces = paces
    paces["denoise"] = 1.0
    editor.paces["denoise"] = 2.0
    assert editor.paces == PACES


def test_what_is_reused_is_no_work() -> None:
    work = counted(LOCAL)
    whole, less = stage_work(work, CONFIG), stage_work(work, CONFIG, ["load", "text", "encode", "modulation"])
    assert [stage for stage in STAGES if less[stage]] == ["denoise", "decode", "finish"]
    assert all(whole[stage] == less[stage] for stage in STAGES if less[stage])
    seconds = expected_seconds(whole, PACES), expected_seconds(less, PACES)
    assert None not in seconds
    assert seconds[0] == pytest.approx((seconds[1] or 0) + 5.0)


def test_without_a_pace_for_denoising_nothing_is_said() -> None:
    assert expected_seconds(stage_work(counted(LOCAL), CONFIG), {"load": 3.0}) is None
    assert expected_seconds(stage_work(counted(LOCAL), CONFIG), {}) is None


def test_attention_makes_large_canvases_dearer_than_their_area() -> None:
    small, large = (step_work(CONFIG, (side, side)) for side in (256, 1024))
    assert large > 16 * small * 1.5
    assert stage_work(counted(replace(LOCAL, steps=8)), CONFIG)["denoise"] == pytest.approx(
        2 * stage_work(counted(replace(LOCAL, steps=4)), CONFIG)["denoise"]
    )


def test_a_missing_instruction_or_mask_does_not_hinder_counting() -> None:
    """A time can be told while the words are still being typed."""
    assert work_of(EditRequest(picture=digest(PICTURE), task="repaint"), CONFIG, PICTURE.size).target[0] > 0
