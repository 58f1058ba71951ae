"""A run of the built-in model goes on from a kept step, in another editor, to the very same pixels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlx_model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from mlx_model.editor import Editor
from mlx_model.request import Cancelled, EditRequest, EditResult, Progress, Reference, RequestError, digest
from mlx_model.weights.model_folder import read_tensors
from tests.mlx_model.sample_requests import LOCAL, PICTURES, POCKET, REFERENCE
from tests.mlx_model.tiny_model import write_tiny_model

REQUEST = replace(LOCAL, references=(Reference(digest(REFERENCE)),), steps=5, seed=7)


@pytest.fixture(scope="module")
def editor() -> Editor:
    return Editor(POCKET)


@pytest.fixture(scope="module")
def run(editor: Editor) -> tuple[EditResult, list[Checkpoint]]:
    """Return a run that nothing interrupted, and the steps that it offered to keep."""
    kept: list[Checkpoint] = []
    return editor.edit(REQUEST, PICTURES, on_checkpoint=kept.append), kept


def test_steps_are_offered_every_now_and_then_and_at_the_end(run: tuple[EditResult, list[Checkpoint]]) -> None:
    result, kept = run
    assert [one.step for one in kept] == [4, 5]
    width, height = result.canvas_size
    for one in kept:
        assert one.latent.shape == (1, height // 8, width // 8, 16)
        assert one.latent.dtype == np.float32
        assert (one.request, one.model, one.precision) == (result.request, "pocket", "float32")


@pytest.mark.parametrize("index", [0, 1])
def test_going_on_gives_the_same_pixels(run: tuple[EditResult, list[Checkpoint]], tmp_path: Path, index: int) -> None:
    """From the file, in an editor that has seen nothing of it, with the request as asked and as settled."""
    result, kept = run
    write_checkpoint(tmp_path / "step.npz", kept[index])
    checkpoint = read_checkpoint(tmp_path / "step.npz")
    told: list[Progress] = []
    request = (REQUEST, result.request)[index]
    again = Editor(POCKET).edit(request, PICTURES, told.append, resume=checkpoint, previews=True)
    assert digest(again.picture) == digest(result.picture)
    assert digest(again.patch) == digest(result.patch)
    assert again.request == result.request
    assert [p.step for p in told if p.preview is not None] == list(range(checkpoint.step + 1, 6)), "no step twice"
    assert {p.steps for p in told if p.stage == "denoise"} == {5}


def test_a_cancelled_run_goes_on_too(editor: Editor, run: tuple[EditResult, list[Checkpoint]]) -> None:
    kept: list[Checkpoint] = []
    with pytest.raises(Cancelled):
        editor.edit(REQUEST, PICTURES, cancelled=lambda: bool(kept), on_checkpoint=kept.append)
    assert [one.step for one in kept] == [4]
    more: list[Checkpoint] = []
    again = editor.edit(REQUEST, PICTURES, resume=kept[0], on_checkpoint=more.append)
    assert digest(again.picture) == digest(run[0].picture)
    assert [one.step for one in more] == [5], "and may be interrupted again"


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (replace(REQUEST, seed=8), "belongs to another edit"),
        (replace(REQUEST, steps=6), "belongs to another edit"),
        (replace(REQUEST, instruction="a blue star"), "belongs to another edit"),
        (replace(REQUEST, max_tokens=100), "belongs to another edit"),
    ],
)
def test_another_request_s_step_is_refused(
    editor: Editor, run: tuple[EditResult, list[Checkpoint]], request_: EditRequest, says: str
) -> None:
    with pytest.raises(RequestError, match=says):
        editor.edit(request_, PICTURES, resume=run[1][0])


def test_another_size_s_and_another_model_s_steps_are_refused(
    editor: Editor, run: tuple[EditResult, list[Checkpoint]], tmp_path: Path
) -> None:
    checkpoint = run[1][0]
    with pytest.raises(RequestError, match="is of another size"):
        editor.edit(REQUEST, PICTURES, resume=replace(checkpoint, latent=checkpoint.latent[:, 1:]))
    with pytest.raises(RequestError, match="belongs to other weights"):
        Editor(write_tiny_model(tmp_path / "tiny")).edit(REQUEST, PICTURES, resume=checkpoint)


def test_the_same_model_trained_anew_is_another_one(tmp_path: Path) -> None:
    """The config alone does not tell two sets of weights apart."""
    kept: list[Checkpoint] = []
    folder = write_tiny_model(tmp_path / "tiny")
    Editor(folder).edit(LOCAL, PICTURES, on_checkpoint=kept.append)
    before = set(read_tensors(folder / "transformer.safetensors"))
    write_tiny_model(folder, seed=1)
    assert set(read_tensors(folder / "transformer.safetensors")) == before
    with pytest.raises(RequestError, match="belongs to other weights"):
        Editor(folder).edit(LOCAL, PICTURES, resume=kept[0])
