"""How much memory a request needs, whether this machine has it, and which parts can stay loaded.

The estimate is weights + the largest activations of any one stage. With L = image + text tokens, h = hidden size,
m = the MLP's width, N x M pixels, in numbers of 4 bytes (fitted to measured peaks of MLX's CPU backend, where
attention keeps its scores and a convolution unfolds its input; a GPU with fused kernels needs less):

- text: L (8 inner + 4 d_model) + (2 heads + 1) L^2, L being T5's length
- denoise: L (18 h + 4 m) + heads L^2 (no L^2 on a GPU) + 2 * image tokens * in_channels, and the modulation of the
  whole schedule
- encode and decode: the tiny autoencoder 34 N M channels; the full one, by strips of R rows, about
  (1.2 + 16 R / N) N M channels to encode and (1.6 + 28 R / N) N M channels to decode

Weights are counted as they lie in memory: floating-point ones in the type computed in, quantized ones as stored.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlx_model.networks.autoencoder import STRIP_ROWS
from mlx_model.request import RequestError
from mlx_model.runtime import COMPUTE_TYPE, ON_GPU, mx
from mlx_model.weights.config import ModelConfig, TinyAutoencoderConfig
from mlx_model.weights.model_folder import read_tensors

FLOAT: Final = 4
RAM_SHARE: Final = 0.85
"""Of the memory of a machine without a GPU: the rest is left to the system."""


@dataclass(frozen=True)
class Weights:
    """Bytes of a model's parts in memory."""

    transformer: int
    modulation: int
    text: int
    autoencoder: int
    adapters: int = 0


@dataclass(frozen=True)
class Need:
    """Bytes that a request needs: the weights, and the activations of each stage."""

    weights: Weights
    text: int
    encode: int
    denoise: int
    decode: int

    @property
    def all_kept(self) -> int:
        """The peak with every part kept loaded, so that the next request starts at once."""
        weights = self.weights
        kept = weights.transformer + weights.modulation + weights.text + weights.autoencoder + weights.adapters
        return kept + max(self.text, self.encode, self.denoise, self.decode)

    @property
    def text_released(self) -> int:
        """The peak while an instruction is encoded beside a loaded transformer, the modulation's weights let go."""
        weights = self.weights
        beside = weights.transformer + weights.adapters + weights.autoencoder
        return max(beside + weights.text + self.text, self.least)

    @property
    def least(self) -> int:
        """The peak with text encoders and transformer in turn: less is not possible."""
        weights = self.weights
        painting = weights.transformer + weights.adapters + weights.autoencoder
        return max(weights.text + self.text, painting + max(self.encode, self.denoise, self.decode))


def weights_of(folder: Path, adapters: Sequence[Path] = ()) -> Weights:
    """Count the weights of a model folder and of adapters from the headers of their files.

    Raises:
        RequestError: a file is missing or damaged.
    """
    compute = COMPUTE_TYPE.size
    return Weights(
        transformer=_bytes(folder / "transformer.safetensors", compute),
        modulation=_bytes(folder / "modulation.safetensors", compute),
        text=_bytes(folder / "t5.safetensors", compute) + _bytes(folder / "clip.safetensors", compute),
        autoencoder=_bytes(folder / "autoencoder.safetensors", FLOAT),
        adapters=sum(_bytes(path, compute) for path in adapters),
    )


def _bytes(path: Path, compute: int) -> int:
    return sum(
        tensor.size * (compute if mx.issubdtype(tensor.dtype, mx.floating) else tensor.dtype.size)
        for tensor in read_tensors(path).values()
    )


def estimate(
    config: ModelConfig, weights: Weights, canvas: tuple[int, int], target: tuple[int, int], steps: int
) -> Need:
    """Estimate what a request needs.

    ``canvas`` is the (width, height) in pixels of the whole canvas, references included, ``target`` that of the part
    that is decoded.
    """
    return Need(
        weights, _text(config), _encode(config, canvas), _denoise(config, canvas, steps), _decode(config, target)
    )


def _text(config: ModelConfig) -> int:
    t5, length = config.t5, config.prompt.t5_length
    stream = length * (8 * t5.num_heads * t5.d_kv + 4 * t5.d_model)
    return FLOAT * (stream + (2 * t5.num_heads + 1) * length**2)


def _denoise(config: ModelConfig, canvas: tuple[int, int], steps: int) -> int:
    sizes = config.transformer
    tokens = canvas[0] * canvas[1] // 256  # a token is 16 x 16 pixels
    length = tokens + config.prompt.t5_length
    stream = length * (18 * sizes.hidden_size + 4 * sizes.mlp_size) + 2 * tokens * sizes.in_channels
    scores = 0 if ON_GPU else sizes.num_heads * length**2
    vectors = (12 * sizes.depth + 3 * sizes.depth_single_blocks + 2) * sizes.hidden_size
    return FLOAT * (stream + scores) + steps * vectors * COMPUTE_TYPE.size


def _encode(config: ModelConfig, size: tuple[int, int]) -> int:
    return _convolutions(config, size, 1.2, 16)


def _decode(config: ModelConfig, size: tuple[int, int]) -> int:
    return _convolutions(config, size, 1.6, 28)


def _convolutions(config: ModelConfig, size: tuple[int, int], kept: float, strip: float) -> int:
    width, height = size
    autoencoder = config.autoencoder
    if isinstance(autoencoder, TinyAutoencoderConfig):
        return 34 * width * height * autoencoder.channels * FLOAT
    share = kept + strip * min(STRIP_ROWS / height, 1)
    return int(share * width * height * autoencoder.ch * FLOAT)


def machine_limit() -> int:
    """Bytes that this machine can give: Metal's recommended working set, or a share of the memory."""
    working_set = mx.device_info().get("max_recommended_working_set_size", 0)
    if ON_GPU and isinstance(working_set, int) and working_set > 0:
        return working_set
    return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * RAM_SHARE)


def check(
    config: ModelConfig, weights: Weights, canvas: tuple[int, int], target: tuple[int, int], steps: int, limit: int
) -> Need:
    """Return what a request needs.

    Raises:
        RequestError: it needs more than ``limit`` bytes; the message says how much, and what would fit.
    """
    need = estimate(config, weights, canvas, target, steps)
    if need.least <= limit:
        return need
    says = f"this needs {_gigabytes(need.least)} of memory and {_gigabytes(limit)} can be used"
    side = largest_side(config, weights, canvas, target, steps, limit)
    if side is None:
        raise RequestError(f"{says}; no picture size would fit: choose a smaller or quantized model")
    beside = ", references included" if canvas != target else ""
    raise RequestError(
        f"{says}; a smaller region, size or reference would fit: "
        f"about {side} x {side} pixels on the model's canvas{beside} instead of {canvas[0]} x {canvas[1]}"
    )


def largest_side(
    config: ModelConfig, weights: Weights, canvas: tuple[int, int], target: tuple[int, int], steps: int, limit: int
) -> int | None:
    """Return the side of the largest square canvas that fits, of which the target has the same share, or None."""
    multiple = config.size.multiple
    share = target[0] * target[1] / (canvas[0] * canvas[1])
    for side in range(int(math.sqrt(canvas[0] * canvas[1])) // multiple * multiple, 0, -multiple):
        part = (max(1, round(side * share)), side)
        if estimate(config, weights, (side, side), part, steps).least <= limit:
            return side
    return None


def _gigabytes(count: int) -> str:
    gigabytes = count / 2**30
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{max(1, round(count / 2**20))} MB"
