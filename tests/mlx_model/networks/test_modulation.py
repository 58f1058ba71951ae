"""A whole schedule's modulation is computed at once, and its weights are let go on the way."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlx_model.networks.modulation import ModulationKey, ModulationLayers, StepModulation, schedule_modulation
from mlx_model.request import Adapter, Cancelled, RequestError
from mlx_model.runtime import mx, tree
from mlx_model.weights.config import TransformerConfig
from mlx_model.weights.layouts import is_modulation, linear_shapes
from mlx_model.weights.model_folder import load_weights, read_tensors
from tests.known_answers import golden_case, golden_config, relative_error

CONFIG = golden_config(448)


def flat(step: StepModulation) -> mx.array:
    """Join all vectors of a step."""
    return mx.concatenate(
        [array.flatten() for array in (*(a for pair in step.double for a in pair), *step.single, step.final)]
    )


def test_a_schedule_at_once_equals_step_by_step_and_the_module_used_in_training() -> None:
    case = golden_case("fft")
    layers = ModulationLayers(case.config)
    load_weights(layers, case.modulation, dtype=mx.float32)
    levels = mx.array([1.0, 0.7, 0.2])
    vectors = case.transformer.vector(levels, mx.full((3,), 50.0), case.tensors["pooled"])
    together = schedule_modulation(case.config, dict(case.modulation), vectors, dtype=mx.float32)
    assert len(together) == 3
    for i, step in enumerate(together):
        alone = schedule_modulation(case.config, dict(case.modulation), vectors[i : i + 1], dtype=mx.float32)[0]
        for other in (alone, layers(vectors[i : i + 1])):
            error = relative_error(flat(step), flat(other))
            assert error < 1e-6, f"step {i}: relative error {error:.1e}"
    assert relative_error(flat(together[0]), flat(together[1])) > 0.01  # the steps do differ


def test_every_weight_is_taken_and_the_callback_can_stop() -> None:
    case = golden_case("fft")
    tensors, calls = dict(case.modulation), []
    schedule_modulation(case.config, tensors, mx.zeros((1, 64)), on_layer=lambda: calls.append(1))
    assert tensors == {}
    assert len(calls) == len([name for name in linear_shapes(case.config) if is_modulation(name)])

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        schedule_modulation(case.config, dict(case.modulation), mx.zeros((1, 64)), on_layer=stop)


def test_weights_that_do_not_fit_are_named() -> None:
    case = golden_case("fft")
    wrong = dict(case.modulation) | {"img_in.weight": mx.zeros((64, 448))}
    wrong["final_layer.adaLN_modulation.1.bias"] = mx.zeros((64,))
    del wrong["single_blocks.1.modulation.lin.weight"]
    with pytest.raises(RequestError) as error:
        schedule_modulation(case.config, wrong, mx.zeros((1, 64)))
    for part in (
        "missing: single_blocks.1.modulation.lin.weight",
        "unknown: img_in.weight",
        "wrong shape: final_layer.adaLN_modulation.1.bias is (64,), not (128,)",
    ):
        assert part in str(error.value)


def save_modulation(path: Path, config: TransformerConfig, dtype: mx.Dtype = mx.float32) -> int:
    """Write random modulation layers of ``config``; returns their size in bytes."""
    layers = ModulationLayers(config)
    tensors = {name: array.astype(dtype) for name, array in dict(tree.tree_flatten(layers.parameters())).items()}
    mx.save_safetensors(str(path), tensors)
    return sum(tensor.nbytes for tensor in tensors.values())


def test_a_file_is_read_layer_by_layer_and_let_go(tmp_path: Path) -> None:
    config = replace(CONFIG, hidden_size=256, depth=4, depth_single_blocks=8)
    size = save_modulation(tmp_path / "modulation.safetensors", config)
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    steps = schedule_modulation(config, read_tensors(tmp_path / "modulation.safetensors"), mx.zeros((4, 256)))
    peak = mx.get_peak_memory() - before
    assert len(steps) == 4
    assert peak < size / 4, f"peak {peak / 2**20:.1f} MiB for {size / 2**20:.1f} MiB of weights"


def test_bfloat16_weights_are_used_in_float32_and_the_result_has_the_streams_type(tmp_path: Path) -> None:
    save_modulation(tmp_path / "modulation.safetensors", CONFIG, mx.bfloat16)
    vectors = mx.random.normal((2, 64), key=mx.random.key(1))
    weights = read_tensors(tmp_path / "modulation.safetensors")
    exact = schedule_modulation(
        CONFIG, {name: w.astype(mx.float32) for name, w in weights.items()}, vectors, dtype=mx.float32
    )
    ours = schedule_modulation(CONFIG, dict(weights), vectors, dtype=mx.float32)
    assert mx.array_equal(flat(ours[1]), flat(exact[1]))
    rounded = schedule_modulation(CONFIG, dict(weights), vectors, dtype=mx.bfloat16)
    assert rounded[0].final.dtype == mx.bfloat16


def test_the_key_of_a_cache_tells_apart_what_modulation_depends_on() -> None:
    key = ModulationKey("a red star", 50.0, (1.0, 0.5), (Adapter("portrait", 1.0),))
    assert key == ModulationKey("a red star", 50.0, (1.0, 0.5), (Adapter("portrait", 1.0),))
    others = {
        replace(key, prompt="a blue star"), replace(key, guidance=30.0), replace(key, sigmas=(1.0, 0.4)),
        replace(key, adapters=(Adapter("portrait", 0.9),)), replace(key, adapters=()),
    }  # fmt: skip
    assert len(others | {key}) == 6
