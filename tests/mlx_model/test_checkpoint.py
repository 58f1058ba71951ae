"""Checkpoints on disk: they come back as they were, or one sentence says why not; others' are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_model.checkpoint import Checkpoint, read_checkpoint, require_same_run, write_checkpoint
from mlx_model.request import Adapter, EditRequest, Reference, RequestError

REQUEST = EditRequest(
    "a red star", references=(Reference("r"),), seed=2**64 - 1, steps=4, adapters=(Adapter("a", 0.5),)
)


def checkpoint(shape: tuple[int, int, int, int] = (1, 2, 4, 16), step: int = 2) -> Checkpoint:
    latent = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return Checkpoint(latent, step, REQUEST, "pocket", "digest", "float32")


def same(first: Checkpoint, second: Checkpoint) -> bool:
    plain = [(one.step, one.request, one.model, one.weights, one.precision) for one in (first, second)]
    return plain[0] == plain[1] and np.array_equal(first.latent, second.latent)


@given(st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 9), st.just(16)), st.integers(1, 1000), st.text())
@settings(max_examples=30, deadline=None)
def test_what_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, shape: tuple[int, int, int, int], step: int, words: str
) -> None:
    path = tmp_path_factory.mktemp("kept") / "step.npz"
    kept = replace(checkpoint(shape, step), request=replace(REQUEST, instruction=words))
    write_checkpoint(path, kept)
    assert same(read_checkpoint(path), kept)
    assert [file.name for file in path.parent.iterdir()] == ["step.npz"], "no part is left beside it"


def test_a_damaged_file_is_told_in_a_sentence_or_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "step.npz"
    kept = checkpoint()
    write_checkpoint(path, kept)
    whole = path.read_bytes()
    spoilt = [whole[:end] for end in range(0, len(whole), 7)]
    for at in range(0, len(whole), 2):
        spoilt += [whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :] for bits in (1, 255)]
    told: list[str] = []
    for data in spoilt:
        path.write_bytes(data)
        try:
            assert same(read_checkpoint(path), kept), "what is read is what was written"
        except RequestError as error:
            told.append(str(error))
    assert len(told) > len(spoilt) / 2
    assert all("from the beginning" in sentence for sentence in told)


def test_a_missing_file_and_one_of_another_kind_are_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no step of this edit was kept"):
        read_checkpoint(tmp_path / "none.npz")
    path = tmp_path / "step.npz"
    for bad in (np.zeros((1, 2, 2, 16)), np.zeros((2, 2), np.float32), np.full((1, 2, 2, 16), np.nan, np.float32)):
        write_checkpoint(path, replace(checkpoint(), latent=bad))
        with pytest.raises(RequestError, match="damaged"):
            read_checkpoint(path)
    np.savez(path, latent=np.array([object()], dtype=object), about=np.zeros(3, np.uint8))
    with pytest.raises(RequestError, match="damaged"):
        read_checkpoint(path)


def test_a_later_version_s_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlx_model.checkpoint._FORMAT", 2)
    write_checkpoint(tmp_path / "step.npz", checkpoint())
    monkeypatch.undo()
    with pytest.raises(RequestError, match="a later version"):
        read_checkpoint(tmp_path / "step.npz")


@pytest.mark.parametrize(
    ("request_", "weights", "shape", "says"),
    [
        (REQUEST, "digest", (1, 2, 4, 16), None),
        (REQUEST, "others", (1, 2, 4, 16), "belongs to other weights"),
        (replace(REQUEST, seed=1), "digest", (1, 2, 4, 16), "belongs to another edit"),
        (replace(REQUEST, steps=5), "digest", (1, 2, 4, 16), "belongs to another edit"),
        (REQUEST, "digest", (1, 4, 2, 16), "is of another size"),
    ],
)
def test_only_the_same_run_goes_on(
    request_: EditRequest, weights: str, shape: tuple[int, ...], says: str | None
) -> None:
    if says is None:
        require_same_run(checkpoint(), request_, weights, shape, "float32")
        return
    with pytest.raises(RequestError, match=says):
        require_same_run(checkpoint(), request_, weights, shape, "float32")


@pytest.mark.parametrize("step", [0, 5, -1])
def test_a_step_that_the_run_never_had_is_refused(step: int) -> None:
    with pytest.raises(RequestError, match=f"number {step} of 4"):
        require_same_run(checkpoint(step=step), REQUEST, "digest", (1, 2, 4, 16), "float32")


def test_a_step_of_another_precision_is_refused() -> None:
    """Half of the way in each would be pixels that no run gives again."""
    with pytest.raises(RequestError, match="was computed in float32"):
        require_same_run(checkpoint(), REQUEST, "digest", (1, 2, 4, 16), "bfloat16")
