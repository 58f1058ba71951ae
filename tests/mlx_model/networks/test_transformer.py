"""The transformer agrees with the authors' own code, and every known trap of a port is caught.

The known answers are tests/golden/transformer_*; errors are relative L2 errors of the velocity.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlx_model.networks import transformer as module
from mlx_model.networks.modulation import ModulationLayers
from mlx_model.networks.transformer import Rope, Transformer
from mlx_model.request import Cancelled
from mlx_model.runtime import mx, nn, tree
from mlx_model.sampling.denoise import denoise
from mlx_model.sampling.schedule import sigmas
from mlx_model.weights.config import ShiftConfig, TransformerConfig
from tests.known_answers import CHECKPOINTS, Case, channels_last, golden_case, golden_config, pack, relative_error

BOUND = 1e-5
CASES = ("fft", "fill", "tiny_qk")


def full_config(in_channels: int) -> TransformerConfig:
    """Return the config of the released models."""
    return TransformerConfig(
        in_channels, 64, 3072, 24, (16, 56, 56), 10000.0, 768, 4096, 4.0, qkv_bias=True, depth=19,
        depth_single_blocks=38, guidance_embed=True,
    )  # fmt: skip


def shapes_of(*modules: nn.Module) -> dict[str, list[int]]:
    """List all parameters' shapes by name; nothing is evaluated, so nothing is allocated."""
    parameters: list[Any] = [pair for m in modules for pair in tree.tree_flatten(m.parameters())]
    return {name: list(array.shape) for name, array in parameters}


@pytest.mark.parametrize(("file", "in_channels"), [("ace_plus_fft", 448), ("flux1_fill_dev", 384)])
def test_names_and_shapes_are_those_of_the_released_file(file: str, in_channels: int) -> None:
    released = json.loads((CHECKPOINTS / f"{file}.json").read_text())
    config = full_config(in_channels)
    assert shapes_of(Transformer(config), ModulationLayers(config)) == released


def test_a_model_without_guidance_has_no_guidance_layers_and_ignores_guidance() -> None:
    model = Transformer(replace(golden_config(448), guidance_embed=False))
    assert not any("guidance" in name for name in shapes_of(model))
    one, other = (model.vector(mx.array([0.5]), mx.array([g]), mx.ones((1, 40))) for g in (1.0, 50.0))
    assert mx.array_equal(one, other)


@pytest.mark.parametrize("name", CASES)
def test_the_velocity_is_the_golden_one(name: str) -> None:
    error = golden_case(name).error()
    assert error <= BOUND, f"{name}: relative error {error:.1e}, allowed {BOUND:.0e}"


def test_six_euler_steps_end_at_the_golden_latent() -> None:
    case = golden_case("trajectory_fill")
    rows, columns = case.grid
    steps: Any = case.tensors["steps"].item()
    levels = sigmas(steps, rows * columns, ShiftConfig((256, 4096), (0.5, 1.15)))
    latent = denoise(case.stepper(mx.array(levels[:-1])), case.noise, levels)
    error = relative_error(latent, pack(channels_last(case.tensors["latent"])))
    assert error <= 3e-5, f"trajectory: relative error {error:.1e}, allowed 3e-5"


# The traps: each is put in, and the check above must then fail.


def exact_gelu_in_the_image_stream(case: Case, _: pytest.MonkeyPatch) -> None:
    for block in case.transformer.double_blocks:
        block.img_mlp[1] = nn.GELU()


def exact_gelu_in_the_single_stream(case: Case, _: pytest.MonkeyPatch) -> None:
    for block in case.transformer.single_blocks:
        block.mlp_act = nn.GELU()


def wrong_epsilon_of_the_query_key_norm(_: Case, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "QK_NORM_EPS", 1e-5)


def final_modulation_bias_dropped(case: Case, _: pytest.MonkeyPatch) -> None:
    name = "final_layer.adaLN_modulation.1.bias"
    case.modulation[name] = mx.zeros_like(case.modulation[name])


def rope_tables_in_bfloat16(_: Case, patch: pytest.MonkeyPatch) -> None:
    right: Callable[..., Rope] = module.rope_tables

    def rounded(*arguments: Any) -> Rope:
        rope = right(*arguments)
        return Rope(rope.cos.astype(mx.bfloat16), rope.sin.astype(mx.bfloat16))

    patch.setattr(module, "rope_tables", rounded)


def sigma_in_bfloat16(_: Case, patch: pytest.MonkeyPatch) -> None:
    right = module.embed_number

    def rounded(values: mx.array) -> mx.array:
        return right(values.astype(mx.bfloat16))

    patch.setattr(module, "embed_number", rounded)


def sines_before_cosines(_: Case, patch: pytest.MonkeyPatch) -> None:
    right = module.embed_number

    def swapped(values: mx.array) -> mx.array:
        return mx.roll(right(values), 128, -1)

    patch.setattr(module, "embed_number", swapped)


def frequencies_of_another_exp(_: Case, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "_FREQUENCIES", (10000.0 ** (-mx.arange(128) / 128)))


@pytest.mark.parametrize(
    ("trap", "case_name", "at_least"),
    [
        (exact_gelu_in_the_image_stream, "fft", BOUND),
        (exact_gelu_in_the_single_stream, "fft", BOUND),
        (wrong_epsilon_of_the_query_key_norm, "tiny_qk", BOUND),
        (final_modulation_bias_dropped, "fft", BOUND),
        (rope_tables_in_bfloat16, "fft", BOUND),
        (sigma_in_bfloat16, "fft", 0.05),
        (sines_before_cosines, "fft", 0.05),
        (frequencies_of_another_exp, "fft", BOUND),
    ],
)
def test_a_trap_is_caught(
    trap: Callable[[Case, pytest.MonkeyPatch], None], case_name: str, at_least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = golden_case(case_name)
    trap(case, monkeypatch)
    error = case.error()
    assert error > at_least, (
        f"{trap.__name__} went unnoticed: relative error {error:.1e}, expected over {at_least:.0e}"
    )


def test_the_query_key_epsilon_shows_only_where_queries_and_keys_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QK_NORM_EPS", 1e-5)
    error = golden_case("fill").error()
    assert error <= 1e-4, f"expected to be nearly invisible, relative error {error:.1e}"


# A bfloat16 run.


def stream_types(patch: pytest.MonkeyPatch) -> set[mx.Dtype]:
    """Run a case in bfloat16 and collect the types of what comes out of every block."""
    seen: list[mx.Dtype] = []

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*arguments: Any) -> Any:
            out = call(*arguments)
            seen.extend(array.dtype for array in (out if isinstance(out, tuple) else (out,)))
            return out

        return watching

    patch.setattr(module.DoubleBlock, "__call__", watched(module.DoubleBlock.__call__))
    patch.setattr(module.SingleBlock, "__call__", watched(module.SingleBlock.__call__))
    case = golden_case("fill", mx.bfloat16)
    velocity = case.velocity(dtype=mx.bfloat16)
    assert len(seen) == 2 * case.config.depth + case.config.depth_single_blocks
    assert velocity.dtype == mx.float32  # what the sampler sums up
    return set(seen)


def test_a_bfloat16_stream_stays_bfloat16_after_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stream_types(monkeypatch) == {mx.bfloat16}


def test_rope_that_promotes_the_stream_to_float32_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = module.rotate

    def promoting(x: mx.array, rope: Rope) -> mx.array:
        return right(x.astype(mx.float32), rope)

    monkeypatch.setattr(module, "rotate", promoting)
    assert mx.float32 in stream_types(monkeypatch)


@pytest.mark.parametrize("name", CASES)
def test_a_bfloat16_run_stays_within_two_percent(name: str) -> None:
    error = golden_case(name, mx.bfloat16).error(mx.bfloat16)
    assert error <= 0.02, f"{name} in bfloat16: relative error {error:.2%}, allowed 2 %"


# Evaluating block by block.


def test_a_callback_follows_every_block_and_changes_nothing() -> None:
    case = golden_case("fill")
    blocks = case.config.depth + case.config.depth_single_blocks
    calls: list[int] = []
    watched = case.stepper(case.tensors["t"], on_block=lambda: calls.append(1))(case.noise, 0)
    assert len(calls) == blocks
    assert mx.array_equal(watched, case.velocity())


def test_blocks_can_be_evaluated_in_chunks() -> None:
    case = golden_case("fill")
    calls: list[int] = []
    case.stepper(case.tensors["t"], on_block=lambda: calls.append(1), blocks_at_once=3)(case.noise, 0)
    assert len(calls) == (case.config.depth + case.config.depth_single_blocks) // 3


def test_a_callback_can_stop_the_work_in_the_middle_of_a_step() -> None:
    case = golden_case("fill")
    calls: list[int] = []

    def stop_at_the_second_block() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Cancelled

    step = case.stepper(case.tensors["t"], on_block=stop_at_the_second_block)
    with pytest.raises(Cancelled):
        step(case.noise, 0)
    assert len(calls) == 2


def test_a_batch_is_the_same_as_one_at_a_time() -> None:
    case = golden_case("fill")
    layers = ModulationLayers(case.config)
    layers.update(tree.tree_unflatten(list(case.modulation.items())))
    model = case.transformer
    context = mx.concatenate([case.tensors["context"], -case.tensors["context"]])
    tokens = mx.concatenate([case.noise, case.condition], axis=-1)
    tokens = mx.concatenate([tokens, tokens[:, ::-1]])
    rope = model.rope(context.shape[1], *case.grid)

    def run(rows: slice) -> mx.array:
        levels = mx.array([0.7, 0.3])[rows]
        vectors = model.vector(levels, mx.full(levels.shape, 50.0), case.tensors["pooled"])
        return model(tokens[rows], model.embed_text(context[rows]), layers(vectors), rope)

    together, apart = run(slice(None)), mx.concatenate([run(slice(0, 1)), run(slice(1, 2))])
    error = relative_error(together, apart)
    assert error <= BOUND, f"relative error {error:.1e}"
