"""The released layout's table agrees with the released files, and diffusers' layout is carried over exactly."""

import json

import pytest

from mlx_model.networks.modulation import schedule_modulation
from mlx_model.networks.transformer import Transformer
from mlx_model.request import RequestError
from mlx_model.runtime import mx
from mlx_model.weights.config import TransformerConfig
from mlx_model.weights.layouts import diffusers_places, from_diffusers, is_modulation, linear_shapes
from mlx_model.weights.model_folder import load_weights, read_tensors
from tests.known_answers import CHECKPOINTS, GOLDEN, relative_error

VALUES = json.loads((GOLDEN / "diffusers_flux_config.json").read_text())
GRID = VALUES.pop("rows"), VALUES.pop("columns")
CONFIG = TransformerConfig.from_dict(VALUES)


def test_the_table_lists_every_linear_layer_of_the_released_file() -> None:
    released = json.loads((CHECKPOINTS / "ace_plus_fft.json").read_text())
    matrices = {name.removesuffix(".weight"): tuple(shape) for name, shape in released.items() if len(shape) == 2}
    full = TransformerConfig(
        448, 64, 3072, 24, (16, 56, 56), 10000.0, 768, 4096, 4.0, qkv_bias=True, depth=19, depth_single_blocks=38,
        guidance_embed=True,
    )  # fmt: skip
    assert linear_shapes(full) == matrices
    parameters = {True: 0, False: 0}
    for name, (rows, columns) in matrices.items():
        parameters[is_modulation(name)] += rows * columns
    assert round(parameters[True] / 1e9, 2) == 3.25


def test_a_diffusers_transformer_gives_the_velocity_that_diffusers_gives() -> None:
    weights = from_diffusers(read_tensors(GOLDEN / "diffusers_flux.weights.safetensors"), CONFIG)
    model = Transformer(CONFIG)
    load_weights(model, {n: w for n, w in weights.items() if not is_modulation(n)}, dtype=mx.float32)
    case = read_tensors(GOLDEN / "diffusers_flux.case.safetensors")
    vectors = model.vector(case["t"], case["guidance"], case["pooled"])
    modulation = {name: w for name, w in weights.items() if is_modulation(name)}
    step = schedule_modulation(CONFIG, modulation, vectors, dtype=mx.float32)[0]
    rope = model.rope(case["context"].shape[1], *GRID)
    error = relative_error(model(case["tokens"], model.embed_text(case["context"]), step, rope), case["velocity"])
    assert error <= 1e-5, f"relative error {error:.1e}, allowed 1e-5"


def test_every_tensor_of_diffusers_has_exactly_one_place() -> None:
    tensors = read_tensors(GOLDEN / "diffusers_flux.weights.safetensors")
    assert {name.rpartition(".")[0] for name in tensors} == set(diffusers_places(CONFIG))
    rows = sorted(
        (place.name, row)
        for place in diffusers_places(CONFIG).values()
        for a, n in place.pieces
        for row in range(a, a + n)
    )
    assert len(rows) == len(set(rows))


def test_a_tensor_without_a_place_is_named() -> None:
    for name, tensor in (("x_embedder2.weight", mx.zeros((32, 24))), ("x_embedder.weight", mx.zeros((31, 24)))):
        with pytest.raises(RequestError, match=name.replace(".", r"\.")):
            from_diffusers({name: tensor}, CONFIG)
