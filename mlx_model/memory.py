"""How much memory a request needs, whether this machine has it, and which parts can stay loaded.

The estimate is weights + pictures + the largest activations of any one stage. With L = image + text tokens, h =
hidden size, m = the MLP's width, N x M pixels, in numbers of 4 bytes (fitted to measured peaks of MLX's CPU backend,
where attention keeps its scores and a convolution unfolds its input; a GPU with fused kernels needs less, and the
streams of text and denoising are as wide there as the type computed in):

- text: L (8 inner + 4 d_model) + (2 heads + 1) L^2, L being T5's length
- denoise: L (18 h + 4 m) + heads L^2 (no L^2 on a GPU) + 2 * image tokens * in_channels, and the modulation of the
  whole schedule
- encode and decode: the tiny autoencoder 34 N M channels; the full one, by strips of R rows, about
  (1.2 + 16 R / N) N M channels to encode and (1.6 + 28 R / N) N M channels to decode
- preview of a step by TAEF1's decoder: as the tiny autoencoder, at 512 pixels a side or less, beside the modulation
- finish, in bytes: the delivered picture and 2 for each of its pixels, and 100 for each pixel of a strip; for an
  edit the patch as well, which is as large, and 3 and 180. What is drawn before takes less

Weights are counted as they lie in memory: floating-point ones in the type computed in, quantized ones as stored.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mlx_model.conditioning.paste_back import STRIP_PIXELS
from mlx_model.networks.autoencoder import STRIP_ROWS
from mlx_model.networks.tiny_autoencoder import PREVIEW_DECODER, preview_channels
from mlx_model.request import RequestError
from mlx_model.runtime import COMPUTE_TYPE, ON_GPU, mx
from mlx_model.sampling.preview import thinning
from mlx_model.weights.config import ModelConfig, TinyAutoencoderConfig
from mlx_model.weights.lora import adapter_bytes
from mlx_model.weights.model_folder import read_tensors

FLOAT: Final = 4
RAM_SHARE: Final = 0.85
"""Of the memory of a machine without a GPU: the rest is left to the system."""
_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUPS: Final = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Weights:
    """Bytes of a model's parts in memory; ``preview_channels`` of the preview decoder, 0 where none is used."""

    transformer: int
    modulation: int
    text: int
    autoencoder: int
    adapters: int = 0
    preview_channels: int = 0


@dataclass(frozen=True)
class Pictures:
    """The bytes that are given, and what is delivered: pixels of so many bytes each, an edit's with a patch."""

    given: int = 0
    pixels: int = 0
    pixel_bytes: int = 4
    patch: bool = False


@dataclass(frozen=True)
class Work:
    """What is computed: (width, height) in pixels of the whole canvas, references included, and of the part that is
    decoded, the denoising steps, and the pictures.
    """  # noqa: D205

    canvas: tuple[int, int]
    target: tuple[int, int]
    steps: int
    pictures: Pictures = Pictures()


@dataclass(frozen=True)
class Need:
    """Bytes that a request needs: the weights, the pictures that are given, and the activations of each stage."""

    weights: Weights
    text: int
    encode: int
    denoise: int
    decode: int
    finish: int = 0
    pictures: int = 0

    @property
    def stages(self) -> dict[str, int]:
        """Bytes resident at each stage where as little as possible is kept, by its name."""
        weights = self.weights
        painting = weights.transformer + weights.adapters + weights.autoencoder
        held = {"text": weights.text + self.text}
        held |= {"encode": painting + self.encode, "denoise": painting + self.denoise}
        held |= {"decode": painting + self.decode, "finish": painting + self.finish}
        return {stage: size + self.pictures for stage, size in held.items()}

    @property
    def all_kept(self) -> int:
        """The peak with every part kept loaded, so that the next request starts at once."""
        weights = self.weights
        kept = weights.transformer + weights.modulation + weights.text + weights.autoencoder + weights.adapters
        return kept + self.pictures + max(self.text, self.encode, self.denoise, self.decode, self.finish)

    @property
    def text_released(self) -> int:
        """The peak while an instruction is encoded beside a loaded transformer, the modulation's weights let go."""
        weights = self.weights
        beside = weights.transformer + weights.adapters + weights.autoencoder
        return max(beside + weights.text + self.text + self.pictures, self.least)

    @property
    def least(self) -> int:
        """The peak with the text encoders and all the rest in turn: less is not possible."""
        return max(self.stages.values())


def weights_of(folder: Path, adapters: Sequence[Path] = (), previews: bool = False) -> Weights:
    """Count the weights of a model folder and of adapters from the headers of their files.

    With ``previews`` the decoder for step previews is counted too, where the folder has one.

    Raises:
        RequestError: a file is missing or damaged.
    """
    compute = COMPUTE_TYPE.size
    autoencoder, channels = _bytes(folder / "autoencoder.safetensors", FLOAT), 0
    if previews and (decoder := folder / PREVIEW_DECODER).exists():
        autoencoder += _bytes(decoder, FLOAT)
        channels = preview_channels(read_tensors(decoder))
    return Weights(
        transformer=_bytes(folder / "transformer.safetensors", compute),
        modulation=_bytes(folder / "modulation.safetensors", compute),
        text=_bytes(folder / "t5.safetensors", compute) + _bytes(folder / "clip.safetensors", compute),
        autoencoder=autoencoder,
        adapters=sum(map(adapter_bytes, adapters)),
        preview_channels=channels,
    )


def _bytes(path: Path, compute: int) -> int:
    return sum(
        tensor.size * (compute if mx.issubdtype(tensor.dtype, mx.floating) else tensor.dtype.size)
        for tensor in read_tensors(path).values()
    )


def estimate(config: ModelConfig, weights: Weights, work: Work) -> Need:
    """Estimate what a request needs."""
    return Need(
        weights,
        _text(config),
        _encode(config, work.canvas),
        max(_denoise(config, work), _preview(config, weights.preview_channels, work)),
        _decode(config, work.target),
        _finish(work.pictures),
        work.pictures.given,
    )


def _finish(pictures: Pictures) -> int:
    strip = min(pictures.pixels, STRIP_PIXELS)
    if pictures.patch:
        return pictures.pixels * (2 * pictures.pixel_bytes + 3) + 180 * strip
    return pictures.pixels * (pictures.pixel_bytes + 2) + 100 * strip


def _text(config: ModelConfig) -> int:
    t5, length = config.t5, config.prompt.t5_length
    stream = length * (8 * t5.num_heads * t5.d_kv + 4 * t5.d_model)
    return COMPUTE_TYPE.size * stream + FLOAT * (2 * t5.num_heads + 1) * length**2


def _denoise(config: ModelConfig, work: Work) -> int:
    sizes = config.transformer
    tokens = work.canvas[0] * work.canvas[1] // 256  # a token is 16 x 16 pixels
    length = tokens + config.prompt.t5_length
    stream = length * (18 * sizes.hidden_size + 4 * sizes.mlp_size)
    scores = 0 if ON_GPU else sizes.num_heads * length**2
    numbers = COMPUTE_TYPE.size * stream + FLOAT * (scores + 2 * tokens * sizes.in_channels)
    return numbers + _modulation(config, work.steps)


def _modulation(config: ModelConfig, steps: int) -> int:
    sizes = config.transformer
    vectors = (12 * sizes.depth + 3 * sizes.depth_single_blocks + 2) * sizes.hidden_size
    return COMPUTE_TYPE.size * steps * vectors


def _preview(config: ModelConfig, channels: int, work: Work) -> int:
    if not channels:
        return 0
    every = thinning(max(work.target) // 8)
    width, height = (side // every for side in work.target)
    return _tiny(width, height, channels) + _modulation(config, work.steps)


def _encode(config: ModelConfig, size: tuple[int, int]) -> int:
    return _convolutions(config, size, 1.2, 16)


def _decode(config: ModelConfig, size: tuple[int, int]) -> int:
    return _convolutions(config, size, 1.6, 28)


def _convolutions(config: ModelConfig, size: tuple[int, int], kept: float, strip: float) -> int:
    width, height = size
    autoencoder = config.autoencoder
    if isinstance(autoencoder, TinyAutoencoderConfig):
        return _tiny(width, height, autoencoder.channels)
    share = kept + strip * min(STRIP_ROWS / height, 1)
    return int(share * width * height * autoencoder.ch * FLOAT)


def _tiny(width: int, height: int, channels: int) -> int:
    return 34 * width * height * channels * FLOAT


def machine_limit() -> int:
    """Bytes that this machine can give: Metal's recommended working set, or a share of the memory.

    In a container that may use less than the machine has, that is what it is a share of.
    """
    working_set = mx.device_info().get("max_recommended_working_set_size", 0)
    if ON_GPU and isinstance(working_set, int) and working_set > 0:
        return working_set
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(min([physical, *container_limits(_CGROUPS, _OWN_CGROUPS)]) * RAM_SHARE)


def container_limits(mounted: Path, own: Path) -> list[int]:
    """Return the bytes that Linux' control groups (cgroups(7), both versions) allow this process, the outer ones too.

    ``mounted`` is where they are mounted, ``own`` the file that names the process's own; none without such files.
    """
    limits: list[int] = []
    try:
        lines = own.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return limits
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, name = (mounted / "memory", "memory.limit_in_bytes") if controllers else (mounted, "memory.max")
        innermost = root / place.lstrip("/")
        for folder in (innermost, *innermost.parents):
            try:
                limits.append(int((folder / name).read_text()))
            except (OSError, ValueError):  # not a group of ours, or "max"
                continue
    return limits


def check(config: ModelConfig, weights: Weights, work: Work, limit: int) -> Need:
    """Return what a request needs.

    Raises:
        RequestError: it needs more than ``limit`` bytes; the message says how much, and what would fit.
    """
    need = estimate(config, weights, work)
    if need.least <= limit:
        return need
    says = f"this needs {_gigabytes(need.least)} of memory and {_gigabytes(limit)} can be used"
    side = largest_side(config, weights, work, limit)
    if side is None and largest_side(config, weights, replace(work, pictures=Pictures()), limit) is not None:
        taken = _gigabytes(need.pictures + need.finish)
        raise RequestError(f"{says}; the pictures alone need {taken}: scale them down first")
    if side is None:
        raise RequestError(f"{says}; no picture size would fit: choose a smaller or quantized model")
    beside = ", references included" if work.canvas != work.target else ""
    raise RequestError(
        f"{says}; a smaller region, size or reference would fit: "
        f"about {side} x {side} pixels on the model's canvas{beside} instead of {work.canvas[0]} x {work.canvas[1]}"
    )


def largest_side(config: ModelConfig, weights: Weights, work: Work, limit: int) -> int | None:
    """Return the side of the largest square canvas that fits, of which the target has the same share, or None."""
    multiple, area = config.size.multiple, work.canvas[0] * work.canvas[1]
    share = work.target[0] * work.target[1] / area
    for side in range(int(math.sqrt(area)) // multiple * multiple, 0, -multiple):
        smaller = replace(work, canvas=(side, side), target=(max(1, round(side * share)), side))
        if estimate(config, weights, smaller).least <= limit:
            return side
    return None


def _gigabytes(count: int) -> str:
    gigabytes = count / 2**30
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{max(1, round(count / 2**20))} MB"
