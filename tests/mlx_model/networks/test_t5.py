"""The T5 encoder agrees with transformers' own on random weights."""

import json
from pathlib import Path

import numpy as np
import pytest

from mlx_model.networks.t5 import T5Encoder, relative_buckets, released_tensors
from mlx_model.request import Cancelled, RequestError
from mlx_model.runtime import mx, nn
from mlx_model.weights.config import T5Config
from mlx_model.weights.model_folder import load_weights, read_tensors
from tests.known_answers import relative_error

GOLDEN = Path(__file__).parents[2] / "golden"
CONFIG = T5Config(**json.loads((GOLDEN / "text_configs.json").read_text())["t5"])
CASE = read_tensors(GOLDEN / "t5.safetensors")
WEIGHTS = {name.removeprefix("weights."): t for name, t in CASE.items() if name.startswith("weights.")}


def loaded(dtype: mx.Dtype = mx.float32) -> T5Encoder:
    model = T5Encoder(CONFIG)
    load_weights(model, released_tensors(WEIGHTS), dtype=dtype)
    return model


def error_of(model: T5Encoder) -> float:
    return relative_error(model(CASE["ids"]), CASE["hidden"])


def test_the_last_hidden_state_agrees_with_transformers() -> None:
    error = error_of(loaded())
    assert error <= 1e-5, f"T5 differs by {error:.2e}"


def test_exact_gelu_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn, "gelu_approx", nn.gelu)
    error = error_of(loaded())
    assert error > 1e-5, f"the exact GELU differs by {error:.2e} only"


def test_bfloat16_stays_bfloat16_and_near() -> None:
    model = loaded(mx.bfloat16)
    assert model(CASE["ids"]).dtype == mx.bfloat16
    error = error_of(model)
    assert error < 0.12, f"bfloat16 differs by {error:.1%} (torch's own by 6.1 % on these weights)"


def test_float16_is_refused() -> None:
    with pytest.raises(TypeError, match="float16"):
        loaded(mx.float16)(CASE["ids"])


def test_every_distance_falls_into_transformers_bucket() -> None:
    ours = relative_buckets(np.array(CASE["distance"]), 32, 128)
    np.testing.assert_array_equal(ours, np.array(CASE["buckets"]))


def test_the_embedding_may_be_stored_under_either_name() -> None:
    twin, own = "encoder.embed_tokens.weight", "shared.weight"
    assert released_tensors({twin: CASE["ids"]}) == {own: CASE["ids"]}
    assert set(released_tensors(WEIGHTS)) == set(WEIGHTS) - {twin}


def test_an_unknown_weight_is_named() -> None:
    with pytest.raises(RequestError, match=r"decoder\.block\.0"):
        load_weights(T5Encoder(CONFIG), {**released_tensors(WEIGHTS), "decoder.block.0": mx.zeros(1)})


def test_the_callback_comes_after_every_half_block_and_can_stop() -> None:
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    loaded()(CASE["ids"], count)
    assert calls == 2 * CONFIG.num_layers

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        loaded()(CASE["ids"], cancel)
