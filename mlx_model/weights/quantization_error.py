"""How far quantized weights take the velocity from that of full precision, and how small they are.

The weights are replaced by what their packed form means and everything is computed in float32, so what is measured is
the quantization and nothing else. Full precision is bfloat16, as models are released.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from mlx_model.library.tensor_files import LocalSource, TensorFile
from mlx_model.networks.modulation import schedule_modulation
from mlx_model.networks.transformer import DoubleBlock, SingleBlock, Transformer, rope_tables
from mlx_model.request import RequestError
from mlx_model.runtime import mx, nn, tree
from mlx_model.weights.config import ModelConfig, QuantizationConfig, TransformerConfig
from mlx_model.weights.layouts import is_modulation, linear_shapes
from mlx_model.weights.model_folder import load_weights, read_tensors
from mlx_model.weights.number_formats import quantized
from mlx_model.weights.plan import plan
from mlx_model.weights.policy import fills_groups, keeping

SIGMAS: Final = (0.9, 0.6, 0.3)
_FILES: Final = ("transformer.safetensors", "modulation.safetensors")
_TEXT_TOKENS: Final = 16

Scope = Literal["all", "modulation", "blocks"]


@dataclass(frozen=True)
class Measured:
    """A packing: the velocity's relative error (L2, mean of noise levels), and the bytes of the transformer's files.

    ``full_size`` are their bytes without quantization.
    """

    quantization: QuantizationConfig | None
    error: float
    size: int
    full_size: int


def measure(
    folder: Path, packings: Sequence[QuantizationConfig | None], grid: tuple[int, int] = (8, 8), scope: Scope = "all"
) -> list[Measured]:
    """Measure a model folder that is not quantized, on random tokens of ``grid`` rows and columns.

    ``scope`` quantizes a part of the layers only, in which case the sizes are still those of all.

    Raises:
        RequestError: there is no such model, or it is quantized already.
    """
    config = ModelConfig.load(folder)
    files = [TensorFile(LocalSource(folder / name)) for name in _FILES]
    entries = [entry for file in files for entry in file.entries]
    if any(entry.name.endswith(".scales") for entry in entries):
        raise RequestError(f"the model in {folder} is quantized already; measure one in full precision")
    tensors = {name: t.astype(mx.float32) for file in _FILES for name, t in read_tensors(folder / file).items()}
    known = _velocities(config, tensors, grid)
    full_size = plan("transformer", entries, config, None).size
    measured: list[Measured] = []
    for packing in packings:
        ours = _velocities(config, meant(tensors, packing, scope), grid)
        errors = [_relative(a, b) for a, b in zip(ours, known, strict=True)]
        size = plan("transformer", entries, config, packing).size
        measured.append(Measured(packing, sum(errors) / len(errors), size, full_size))
    return measured


def meant(
    tensors: Mapping[str, mx.array], packing: QuantizationConfig | None, scope: Scope = "all"
) -> dict[str, mx.array]:
    """Replace the transformer's weights that the policy quantizes by what their packed form means, in float32."""

    def chosen(name: str, tensor: mx.array) -> bool:
        return (
            packing is not None
            and keeping("transformer", name) == "quantized"
            and fills_groups(tensor.shape, packing.group_size)
            and (scope == "all" or is_modulation(name) == (scope == "modulation"))
        )

    return {
        name: quantized(tensor, packing).values() if packing and chosen(name, tensor) else tensor
        for name, tensor in tensors.items()
    }


def _relative(ours: mx.array, known: mx.array) -> float:
    return float(mx.linalg.norm(ours - known)) / float(mx.linalg.norm(known))


def _velocities(config: ModelConfig, tensors: Mapping[str, mx.array], grid: tuple[int, int]) -> list[mx.array]:
    sizes = config.transformer
    model = Transformer(sizes)
    load_weights(model, {n: t for n, t in tensors.items() if not is_modulation(n)}, dtype=mx.float32)
    keys = mx.random.split(mx.random.key(0), 3)
    tokens = mx.random.normal((1, grid[0] * grid[1], sizes.in_channels), key=keys[0])
    text = model.embed_text(mx.random.normal((1, _TEXT_TOKENS, sizes.context_in_dim), key=keys[1]))
    pooled = mx.random.normal((1, sizes.vec_in_dim), key=keys[2])
    guidance = mx.full((len(SIGMAS),), config.sampling.guidance)
    vectors = model.vector(mx.array(SIGMAS), guidance, pooled)
    modulation = {n: t for n, t in tensors.items() if is_modulation(n)}
    rope = model.rope(_TEXT_TOKENS, *grid)
    steps = schedule_modulation(sizes, modulation, vectors, dtype=mx.float32)
    velocities = [model(tokens, text, step, rope) for step in steps]
    mx.eval(velocities)
    return velocities


def measure_block(
    kind: Literal["double", "single"],
    config: TransformerConfig,
    packings: Sequence[QuantizationConfig | None],
    grid: tuple[int, int] = (4, 4),
) -> list[Measured]:
    """Measure one block of a transformer with normally distributed weights (deviation 0.02), modulation included.

    The error is that of what the block adds to the stream; ``size`` and ``full_size`` are its weights' bytes.
    """
    prefix = f"{kind}_blocks.0."
    weights: dict[str, mx.array] = {}
    for index, (name, shape) in enumerate(linear_shapes(config).items()):
        if name.startswith(prefix):
            values = mx.random.normal(shape, scale=0.02, key=mx.random.key(index))
            weights[f"{name}.weight"] = values.astype(mx.bfloat16)
            mx.eval(weights[f"{name}.weight"])
    known = _added(kind, config, weights, None, grid)
    numbers = sum(weight.size for weight in weights.values())
    measured: list[Measured] = []
    for packing in packings:
        error = _relative(_added(kind, config, weights, packing, grid), known)
        bits = packing.bits + 32 / packing.group_size if packing else 16
        measured.append(Measured(packing, error, int(numbers * bits / 8), numbers * 2))
    return measured


def _added(
    kind: Literal["double", "single"],
    config: TransformerConfig,
    weights: Mapping[str, mx.array],
    packing: QuantizationConfig | None,
    grid: tuple[int, int],
) -> mx.array:
    """Run a block whose biases are 0 and norms 1; (1, tokens, hidden), text first, without what came in."""
    hidden = config.hidden_size
    block = DoubleBlock(config) if kind == "double" else SingleBlock(config)
    vector = nn.silu(mx.random.normal((1, 1, hidden), key=mx.random.key(100)))
    x = mx.random.normal((1, _TEXT_TOKENS + grid[0] * grid[1], hidden), key=mx.random.key(101))
    rope = rope_tables(config, _TEXT_TOKENS, *grid)
    prefix = f"{kind}_blocks.0."
    modulation: list[mx.array] = []
    tensors: dict[str, mx.array] = {}
    for name, weight in weights.items():
        matrix = meant({name: weight.astype(mx.float32)}, packing)[name]
        if is_modulation(name):
            modulation.append(vector @ matrix.T)
            mx.eval(modulation)
        else:
            tensors[name.removeprefix(prefix)] = matrix
            mx.eval(matrix)
    parameters: dict[str, mx.array] = dict(tree.tree_flatten(block.parameters()))
    for name, parameter in parameters.items():
        if name not in tensors:
            tensors[name] = (mx.ones if "norm" in name else mx.zeros)(parameter.shape)
    load_weights(block, tensors, dtype=mx.float32)
    if isinstance(block, DoubleBlock):
        txt, img = x[:, :_TEXT_TOKENS], x[:, _TEXT_TOKENS:]
        img_out, txt_out = block(img, txt, (modulation[0], modulation[1]), rope)
        out = mx.concatenate([txt_out, img_out], axis=1)
    else:
        out = block(x, modulation[0], rope)
    added = out - x
    mx.eval(added)
    return added
