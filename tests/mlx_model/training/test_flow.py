"""The rectified-flow trainer at work: losses fall, resumed runs go on bit for bit, the result is a model folder."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.parts import Parts
from mlx_model.runtime import mx, tree
from mlx_model.training.flow import FlowModel, Training, draw, flow_loss, learning_rate, train
from mlx_model.training.pocket import write_model
from mlx_model.weights.config import ModelConfig
from tests.mlx_model.training.tiny_training import AUTOENCODER, SETTINGS, examples, tokenizers


def loss_on(model: FlowModel, steps: range) -> float:
    """Measure the loss on batches that are the same for every model."""
    fixed = replace(SETTINGS, seed=99, stage_one=0)
    drawn = [draw(examples(), fixed, step) for step in steps]
    return float(np.mean([flow_loss(model, d.batch, d.noise, d.sigma).item() for d in drawn]))


def test_the_loss_falls_in_both_stages_and_the_average_follows(tmp_path: Path) -> None:
    training = Training(tokenizers()[1], SETTINGS)
    before = loss_on(training.model, range(8))
    train(training, examples(), tmp_path)
    after = loss_on(training.model, range(8))
    training.model.update(tree.tree_unflatten(list(training.average.items())))
    averaged = loss_on(training.model, range(8))
    assert after < 0.75 * before, f"loss {before:.3f} before, {after:.3f} after {SETTINGS.steps} steps"
    assert averaged < 0.85 * before, f"loss {before:.3f} before, {averaged:.3f} with averaged weights"
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30, 40, 50, 60]
    assert {"step", "loss", "lr", "seconds"} <= set(lines[0])


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    config, settings = tokenizers()[1], replace(SETTINGS, steps=6, stage_one=3)
    whole = Training(config, settings)
    train(whole, examples(), tmp_path / "whole")
    first = Training(config, settings)
    for _ in range(4):
        first.advance(examples())
    first.save(tmp_path / "cut")
    second = Training(config, settings)
    second.resume(tmp_path / "cut")
    assert second.step == 4
    train(second, examples(), tmp_path / "cut")
    for part in ("model", "average", "optimizer"):
        one, other = state_of(whole, part), state_of(second, part)
        different = [name for name in one if not np.array_equal(one[name], other[name])]
        assert not different, f"{part} differs after resuming: {different[:5]}"


def state_of(training: Training, part: str) -> dict[str, npt.NDArray[np.float32]]:
    """Return one part of a run's state as numpy arrays."""
    parts = {"model": training.model.parameters(), "average": training.average, "optimizer": training.optimizer.state}
    return {name: np.array(value) for name, value in tree.tree_flatten(parts[part])}


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    config = tokenizers()[1]
    Training(config, SETTINGS).save(tmp_path)
    with pytest.raises(ValueError, match="other settings"):
        Training(config, replace(SETTINGS, seed=5)).resume(tmp_path)


def test_stage_one_has_no_references_and_stage_two_has_them_as_often_as_asked() -> None:
    grids = [draw(examples(), replace(SETTINGS, reference_share=0.5), step).batch.grid for step in range(150)]
    wide = [columns > rows for rows, columns in grids]
    assert not any(wide[:30])
    share = float(np.mean(wide[30:]))
    assert 0.38 < share < 0.62, f"references in {share:.0%} of the batches of stage two, asked for 50 %"


def test_the_learning_rate_warms_up_and_falls_as_a_cosine() -> None:
    rates = [learning_rate(SETTINGS, step) / SETTINGS.learning_rate for step in range(SETTINGS.steps)]
    assert rates[0] == pytest.approx(0.2, abs=0.01)
    assert max(rates) == rates[4]
    assert rates[30] == pytest.approx(0.51, abs=0.01)
    assert rates[-1] == pytest.approx(0.02 + 0.49 * (1 + math.cos(math.pi * 59 / 60)))


def test_the_loss_of_the_true_velocity_is_zero_and_weights_matter() -> None:
    drawn = draw(examples(), SETTINGS, 0)

    def perfect(*_: object) -> mx.array:
        return drawn.noise - drawn.batch.target

    def wrong_at_first_token(*_: object) -> mx.array:
        wrong = drawn.noise - drawn.batch.target
        wrong[:, 0] += 1
        return wrong

    assert flow_loss(perfect, drawn.batch, drawn.noise, drawn.sigma).item() == 0  # pyright: ignore[reportArgumentType]
    measured = flow_loss(wrong_at_first_token, drawn.batch, drawn.noise, drawn.sigma).item()  # pyright: ignore[reportArgumentType]
    weight = np.array(drawn.batch.weight).mean(2)
    assert measured == pytest.approx((weight[:, 0] / weight.sum(1)).mean(), rel=1e-4)


def test_what_was_trained_is_read_as_a_model_folder(tmp_path: Path) -> None:
    words, config = tokenizers()
    training = Training(config, SETTINGS)
    for name, tokenizer in (("tokenizer_t5", words.t5), ("tokenizer_clip", words.clip)):
        (tmp_path / name).mkdir()
        tokenizer.save(str(tmp_path / name / "tokenizer.json"))
    autoencoder = TinyAutoencoder(AUTOENCODER)
    write_model(tmp_path, config, training.average, autoencoder)
    read = ModelConfig.load(tmp_path)
    assert read == config
    parts = Parts(tmp_path, read)
    pixels = mx.random.uniform(-1, 1, (1, 16, 16, 3), key=mx.random.key(0))
    loaded = parts.autoencoder(lambda: None).encode(pixels)
    difference = float(np.abs(np.array(loaded - autoencoder.encode(pixels))).max())
    assert difference < 0.05, f"the autoencoder differs by {difference:.3f} after bfloat16"
    ids = mx.array(np.zeros((1, config.prompt.t5_length), np.int32))
    t5 = parts.text(lambda: None).t5(ids)
    assert np.abs(np.array(t5 - training.model.t5(ids))).max() < 0.05
