"""The CLIP text encoder agrees with transformers' own on random weights."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlx_model.networks.clip import ClipTextEncoder, released_tensors
from mlx_model.request import Cancelled, RequestError
from mlx_model.runtime import mx
from mlx_model.weights.config import ClipConfig
from mlx_model.weights.model_folder import load_weights, read_tensors
from tests.known_answers import relative_error

GOLDEN = Path(__file__).parents[2] / "golden"
CONFIGS = json.loads((GOLDEN / "text_configs.json").read_text())
KINDS = ("clip_quick_legacy", "clip_gelu_padded")


def case_of(kind: str) -> tuple[ClipConfig, dict[str, mx.array], mx.array, mx.array]:
    """Config, weights, ids (2, L) and pooled outputs (2, hidden)."""
    file = read_tensors(GOLDEN / f"{kind}.safetensors")
    weights = {name.removeprefix("weights."): t for name, t in file.items() if name.startswith("weights.")}
    return ClipConfig(**CONFIGS[kind]), weights, file["ids"], file["pooled"]


def error_of(config: ClipConfig, weights: dict[str, mx.array], ids: mx.array, pooled: mx.array) -> float:
    model = ClipTextEncoder(config)
    load_weights(model, weights, dtype=mx.float32)
    return relative_error(model(ids), pooled)


@pytest.mark.parametrize("kind", KINDS)
def test_the_pooled_output_agrees_with_transformers(kind: str) -> None:
    error = error_of(*case_of(kind))
    assert error <= 1e-5, f"{kind} differs by {error:.2e}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_activation_would_show(kind: str) -> None:
    config, weights, ids, pooled = case_of(kind)
    other = replace(config, hidden_act="gelu" if config.hidden_act == "quick_gelu" else "quick_gelu")
    error = error_of(other, weights, ids, pooled)
    assert error > 1e-3, f"{other.hidden_act} differs by {error:.2e} only"


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="relu"):
        ClipTextEncoder(replace(case_of(KINDS[0])[0], hidden_act="relu"))


def test_what_files_carry_beside_the_encoder_is_left_out() -> None:
    _, weights, ids, _ = case_of(KINDS[0])
    beside = {"text_model.embeddings.position_ids": ids, "logit_scale": ids, "text_projection.weight": ids}
    assert set(released_tensors({**weights, **beside})) == set(weights)


def test_a_missing_weight_is_named() -> None:
    config, weights, *_ = case_of(KINDS[0])
    del weights["text_model.encoder.layers.1.mlp.fc1.bias"]
    with pytest.raises(RequestError, match=r"layers\.1\.mlp\.fc1\.bias"):
        load_weights(ClipTextEncoder(config), weights)


def test_work_stops_when_the_callback_raises() -> None:
    config, weights, ids, _ = case_of(KINDS[0])
    model = ClipTextEncoder(config)
    load_weights(model, weights)

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        model(ids, cancel)
