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
from enum import IntEnum
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mlx_model.conditioning.paste_back import STRIP_PIXELS
from mlx_model.networks.autoencoder import STRIP_ROWS, THIN_ROWS
from mlx_model.networks.tiny_autoencoder import PREVIEW_DECODER, preview_channels
from mlx_model.request import RequestError
from mlx_model.runtime import COMPUTE_TYPE, ON_GPU, mx
from mlx_model.sampling.preview import thinning
from mlx_model.weights.config import ModelConfig, TinyAutoencoderConfig
from mlx_model.weights.lora import adapter_bytes
from mlx_model.weights.model_folder import read_tensors
from mlx_model.work import Pictures, Work

FLOAT: Final = 4
RAM_SHARE: Final = 0.85
"""Of the memory of a machine without a GPU: the rest is left to the system."""
_CERTAIN: Final = 1.25
"""How many times the estimate a request may take."""
_SHORTAGE: Final = ("alloc", "out of memory", "outofmemory", "insufficient memory")
"""What MLX, its drivers and OpenCV say where they are given no memory."""
_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUPS: Final = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Weights:
    """Bytes of a model's parts in memory.

    ``preview`` and ``preview_channels`` are those of the decoder for step previews, 0 where none is used;
    ``stream_bytes`` of a number in the networks' streams, None meaning as :data:`~mlx_model.runtime.COMPUTE_TYPE`.
    """

    transformer: int
    modulation: int
    text: int
    autoencoder: int
    adapters: int = 0
    preview: int = 0
    preview_channels: int = 0
    stream_bytes: int | None = None

    @property
    def painting(self) -> int:
        """What makes pictures: everything but the text encoders and the modulation."""
        return self.transformer + self.adapters + self.autoencoder + self.preview


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
        painting = self.weights.painting
        held = {"text": self.weights.text + self.text}
        held |= {"encode": painting + self.encode, "denoise": painting + self.denoise}
        held |= {"decode": painting + self.decode, "finish": painting + self.finish}
        return {stage: size + self.pictures for stage, size in held.items()}

    @property
    def all_kept(self) -> int:
        """The peak with every part kept loaded, so that the next request starts at once."""
        weights = self.weights
        kept = weights.painting + weights.modulation + weights.text
        return kept + self.pictures + max(self.text, self._painting)

    @property
    def modulation_kept(self) -> int:
        """The peak with the text encoders let go once an instruction is encoded, and all the rest kept."""
        weights = self.weights
        kept = weights.painting + weights.modulation
        return kept + self.pictures + max(weights.text + self.text, self._painting)

    @property
    def text_released(self) -> int:
        """The peak while an instruction is encoded beside a loaded transformer, the modulation's weights let go."""
        return max(self.weights.painting + self.weights.text + self.text + self.pictures, self.least)

    @property
    def least(self) -> int:
        """The peak with the text encoders and all the rest in turn: less is not possible."""
        return max(self.stages.values())

    @property
    def _painting(self) -> int:
        """The largest activations of a stage after the text."""
        return max(self.encode, self.denoise, self.decode, self.finish)

    def peak(self, release: "Release") -> int:
        """Return the peak where so much is let go on the way."""
        return (self.all_kept, self.modulation_kept, self.text_released, self.least)[release]


class Release(IntEnum):
    """How much is let go on the way for want of memory, each step including those before it."""

    NOTHING = 0
    TEXT = 1
    """The text encoders, when they have read the instruction."""
    MODULATION = 2
    """The modulation's weights, read layer by layer."""
    ALL = 3
    """The whole rest of the model while the text encoders are loaded."""


_RELEASED: Final = {
    Release.TEXT: ("text", "to save memory the text encoder is unloaded once the instruction is read"),
    Release.MODULATION: (
        "modulation",
        "to save memory only what is needed next stays loaded, so another instruction takes longer",
    ),
    Release.ALL: ("all", "to save memory the model is loaded part by part, so every new instruction takes longer"),
}
_ROUGH_PREVIEWS: Final = ("preview", "to save memory the previews are rough")
_THIN_STRIPS: Final = ("strips", "to save memory the result is decoded in thinner strips")


@dataclass(frozen=True)
class Fit:
    """How a request fits into memory: what it needs, what is let go, and what is done otherwise.

    ``rough_previews``: without their decoder; ``thin_strips``: the result is decoded in these.
    """

    need: Need
    release: Release
    rough_previews: bool = False
    thin_strips: bool = False

    @property
    def strip_rows(self) -> int:
        """The rows of a strip in which the result is decoded."""
        return THIN_ROWS if self.thin_strips else STRIP_ROWS

    @property
    def peak(self) -> int:
        """Bytes needed at the peak."""
        return self.need.peak(self.release)

    @property
    def released(self) -> dict[str, str]:
        """What is let go, by name, with a sentence for the person; the most that is done says the rest."""
        steps = [_RELEASED[self.release]] if self.release else []
        steps += [_ROUGH_PREVIEWS] if self.rough_previews else []
        return dict([*steps, _THIN_STRIPS] if self.thin_strips else steps)


def weights_of(
    folder: Path, adapters: Sequence[Path] = (), previews: bool = False, dtype: mx.Dtype = COMPUTE_TYPE
) -> Weights:
    """Count the weights of a model folder and of adapters, computed with in ``dtype``, from their files' headers.

    With ``previews`` the decoder for step previews is counted too, where the folder has one.

    Raises:
        RequestError: a file is missing or damaged.
    """
    compute, preview, channels = dtype.size, 0, 0
    if previews and (decoder := folder / PREVIEW_DECODER).exists():
        preview, channels = _bytes(decoder, FLOAT), preview_channels(read_tensors(decoder))
    return Weights(
        transformer=_bytes(folder / "transformer.safetensors", compute),
        modulation=_bytes(folder / "modulation.safetensors", compute),
        text=_bytes(folder / "t5.safetensors", compute) + _bytes(folder / "clip.safetensors", compute),
        autoencoder=_bytes(folder / "autoencoder.safetensors", FLOAT),
        adapters=sum(adapter_bytes(adapter, dtype) for adapter in adapters),
        preview=preview,
        preview_channels=channels,
        stream_bytes=compute,
    )


def _bytes(path: Path, compute: int) -> int:
    return sum(
        tensor.size * (compute if mx.issubdtype(tensor.dtype, mx.floating) else tensor.dtype.size)
        for tensor in read_tensors(path).values()
    )


def estimate(config: ModelConfig, weights: Weights, work: Work, strip_rows: int = STRIP_ROWS) -> Need:
    """Estimate what a request needs whose result is decoded in strips of so many rows."""
    number = weights.stream_bytes or COMPUTE_TYPE.size
    return Need(
        weights,
        _text(config, number),
        _encode(config, work.canvas),
        max(_denoise(config, work, number), _preview(config, weights.preview_channels, work, number)),
        _decode(config, work.target, strip_rows),
        _finish(work.pictures),
        work.pictures.given,
    )


def _finish(pictures: Pictures) -> int:
    strip = min(pictures.pixels, STRIP_PIXELS)
    if pictures.patch:
        return pictures.pixels * (2 * pictures.pixel_bytes + 3) + 180 * strip
    return pictures.pixels * (pictures.pixel_bytes + 2) + 100 * strip


def _text(config: ModelConfig, number: int) -> int:
    t5, length = config.t5, config.prompt.t5_length
    stream = length * (8 * t5.num_heads * t5.d_kv + 4 * t5.d_model)
    return number * stream + FLOAT * (2 * t5.num_heads + 1) * length**2


def _denoise(config: ModelConfig, work: Work, number: int) -> int:
    sizes = config.transformer
    tokens = work.canvas[0] * work.canvas[1] // 256  # a token is 16 x 16 pixels
    length = tokens + config.prompt.t5_length
    stream = length * (18 * sizes.hidden_size + 4 * sizes.mlp_size)
    scores = 0 if ON_GPU else sizes.num_heads * length**2
    numbers = number * stream + FLOAT * (scores + 2 * tokens * sizes.in_channels)
    return numbers + _modulation(config, work.steps, number)


def _modulation(config: ModelConfig, steps: int, number: int) -> int:
    sizes = config.transformer
    vectors = (12 * sizes.depth + 3 * sizes.depth_single_blocks + 2) * sizes.hidden_size
    return number * steps * vectors


def _preview(config: ModelConfig, channels: int, work: Work, number: int) -> int:
    if not channels:
        return 0
    every = thinning(max(work.target) // 8)
    width, height = (side // every for side in work.target)
    return _tiny(width, height, channels) + _modulation(config, work.steps, number)


def _encode(config: ModelConfig, size: tuple[int, int]) -> int:
    return _convolutions(config, size, 1.2, 16, STRIP_ROWS)


def _decode(config: ModelConfig, size: tuple[int, int], rows: int) -> int:
    return _convolutions(config, size, 1.6, 28, rows)


def _convolutions(config: ModelConfig, size: tuple[int, int], kept: float, strip: float, rows: int) -> int:
    width, height = size
    autoencoder = config.autoencoder
    if isinstance(autoencoder, TinyAutoencoderConfig):
        return _tiny(width, height, autoencoder.channels)
    share = kept + strip * min(rows / height, 1)
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


def fit(config: ModelConfig, weights: Weights, work: Work, limit: int) -> Fit:
    """Return the first way down a ladder of smaller choices in which a request fits into ``limit`` bytes.

    They are: to keep everything, to let go ever more on the way, to do without the decoder for previews, to decode
    in thinner strips where that needs less. Where none is enough, the last one is returned.
    """
    need = estimate(config, weights, work)
    rough = need.least > limit and weights.preview_channels > 0
    if rough:
        weights = replace(weights, preview=0, preview_channels=0)
        need = estimate(config, weights, work)
    thinner = estimate(config, weights, work, THIN_ROWS)
    thin = need.least > limit and thinner.least < need.least
    need = thinner if thin else need
    release = next((release for release in Release if need.peak(release) <= limit), Release.ALL)
    return Fit(need, release, rough, thin)


def check(config: ModelConfig, weights: Weights, work: Work, limit: int) -> Fit:
    """Return how a request fits into ``limit`` bytes, as :func:`fit`.

    Raises:
        RequestError: it does not; the message says how much it needs, and what would fit.
    """
    found = fit(config, weights, work, limit)
    if found.peak > limit:
        raise refusal(config, found, work, limit)
    return found


def refusal(config: ModelConfig, fit: Fit, work: Work, limit: int) -> RequestError:
    """Return the error that says how much a request needs that does not fit, and what would."""
    need, weights = fit.need, fit.need.weights
    says = f"this needs {_gigabytes(need.least)} of memory and {_gigabytes(limit)} can be used"
    side = largest_side(config, weights, work, limit)
    if side is None and largest_side(config, weights, replace(work, pictures=Pictures()), limit) is not None:
        taken = _gigabytes(need.pictures + need.finish)
        return RequestError(f"{says}; the pictures alone need {taken}: scale them down first")
    return RequestError(f"{says}; {_what_would_fit(work, side)}")


def ran_out(config: ModelConfig, weights: Weights, work: Work, had: int) -> str:
    """Say in a sentence that memory could not be had, and what would fit into the ``had`` bytes that could."""
    side = largest_side(config, replace(weights, preview=0, preview_channels=0), work, int(had / _CERTAIN))
    return f"the memory ran out: end other programs, or try less; {_what_would_fit(work, side)}"


def is_shortage(error: Exception) -> bool:
    """Whether an error of Python, OpenCV or MLX says that memory could not be had."""
    says = str(error).lower()
    from_below = isinstance(error, RuntimeError | cv2.error) and any(words in says for words in _SHORTAGE)
    return isinstance(error, MemoryError) or from_below


def require_room(fit: Fit, limit: int) -> None:
    """Make sure, before anything is loaded, that the system would give what a request needs beside what is held.

    MLX's CPU backend writes to address 0 where it is given nothing, which ends the process: no error to be caught.

    Raises:
        MemoryError: it would not.
    """
    if not ON_GPU:
        held = mx.get_active_memory() + mx.get_cache_memory() + fit.need.pictures
        np.empty(max(0, min(int(fit.peak * _CERTAIN), limit) - held), np.uint8)  # address space alone


def room(most: int) -> int:
    """Return how many bytes the system would give beside what is held, at most ``most``."""
    low, high = 0, most
    while high - low > 1 << 20:
        middle = (low + high) // 2
        try:
            np.empty(middle, np.uint8)
            low = middle
        except MemoryError:
            high = middle
    return low


def _what_would_fit(work: Work, side: int | None) -> str:
    if side is None:
        return "no picture size would fit: choose a smaller or quantized model"
    beside = ", references included" if work.canvas != work.target else ""
    return (
        "a smaller region, size or reference would fit: "
        f"about {side} x {side} pixels on the model's canvas{beside} instead of {work.canvas[0]} x {work.canvas[1]}"
    )


def largest_side(config: ModelConfig, weights: Weights, work: Work, limit: int) -> int | None:
    """Return the side of the largest square canvas that fits, of which the target has the same share, or None."""
    multiple, area = config.size.multiple, work.canvas[0] * work.canvas[1]
    share = work.target[0] * work.target[1] / area
    for side in range(int(math.sqrt(area)) // multiple * multiple, 0, -multiple):
        smaller = replace(work, canvas=(side, side), target=(max(1, round(side * share)), side))
        if estimate(config, weights, smaller, THIN_ROWS).least <= limit:
            return side
    return None


def _gigabytes(count: int) -> str:
    gigabytes = count / 2**30
    return f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{max(1, round(count / 2**20))} MB"
