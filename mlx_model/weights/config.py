"""What a model folder's ``config.json`` says, as frozen dataclasses; free of MLX.

Every size and default of a model stands here, none in the code: the field names are those of the file. Lists become
tuples. A field that is missing, unknown or of the wrong kind is an error that names it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from mlx_model.request import RequestError
from mlx_model.typed_json import read_typed

FORMAT: Final = 1
"""The version of the folder's layout that this program writes, and the newest that it reads."""


@dataclass(frozen=True)
class TransformerConfig:
    """The MM-DiT, fields as in the FLUX.1 release.

    ``in_channels`` counts the numbers of an input token (384 for Fill, 448 for ACE++ FFT), ``out_channels`` those of
    an output token. ``axes_dim`` splits a head over the position's axes (text, row, column).
    """

    in_channels: int
    out_channels: int
    hidden_size: int
    num_heads: int
    axes_dim: tuple[int, ...]
    theta: float
    vec_in_dim: int
    context_in_dim: int
    mlp_ratio: float
    qkv_bias: bool
    depth: int
    depth_single_blocks: int
    guidance_embed: bool

    @property
    def mlp_size(self) -> int:
        """Width of the MLPs' hidden layer."""
        return int(self.hidden_size * self.mlp_ratio)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the ``transformer`` part of a ``config.json``; RequestError names a wrong field."""
        return read_typed(values, cls, "config.json", "transformer")


@dataclass(frozen=True)
class AutoencoderConfig:
    """FLUX.1's autoencoder, fields as in its release."""

    architecture: Literal["full"]
    resolution: int
    in_channels: int
    ch: int
    out_ch: int
    ch_mult: tuple[int, ...]
    num_res_blocks: int
    z_channels: int


@dataclass(frozen=True)
class TinyAutoencoderConfig:
    """An autoencoder of TAESD's architecture (TAEF1: 64 channels, 16 latent channels)."""

    architecture: Literal["tiny"]
    channels: int
    latent_channels: int


@dataclass(frozen=True)
class LatentConfig:
    """The transformer's latents from the autoencoder's: ``z = scale * (raw - shift)``."""

    scale: float
    shift: float


@dataclass(frozen=True)
class T5Config:
    """The T5 v1.1 encoder (gated tanh GELU), fields as in its release."""

    d_model: int
    d_kv: int
    d_ff: int
    num_layers: int
    num_heads: int
    relative_attention_num_buckets: int
    relative_attention_max_distance: int
    vocab_size: int
    layer_norm_epsilon: float


@dataclass(frozen=True)
class ClipConfig:
    """CLIP's text encoder, fields as in its release; ``eos_token_id`` marks the pooled position."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    vocab_size: int
    max_position_embeddings: int
    layer_norm_eps: float
    hidden_act: str
    eos_token_id: int


@dataclass(frozen=True)
class PromptConfig:
    """How words become tokens: padded lengths, tokens added to T5's vocabulary in order, and whether to clean."""

    t5_length: int
    clip_length: int
    added_tokens: tuple[str, ...]
    clean: bool


@dataclass(frozen=True)
class ShiftConfig:
    """Shift of the noise levels: ``mu`` is linear in the image tokens, through these two points."""

    tokens: tuple[float, float]
    mu: tuple[float, float]


@dataclass(frozen=True)
class SamplingConfig:
    """Defaults of sampling."""

    steps: int
    guidance: float
    shift: ShiftConfig


@dataclass(frozen=True)
class SizeConfig:
    """``native`` is the side in pixels that the model was made for, ``max_tokens`` the budget of a whole canvas
    (tokens of 16 x 16 pixels, references included); sides are multiples of ``multiple`` pixels. A model with
    ``references_in_place`` sees the references of a masked edit where the mask is, not at their own size.
    """  # noqa: D205

    native: int
    max_tokens: int
    multiple: int
    references_in_place: bool = False


@dataclass(frozen=True)
class PreviewConfig:
    """A linear map from scaled latents to RGB in [-1, 1]: a row (r, g, b) per latent channel, and a bias."""

    matrix: tuple[tuple[float, float, float], ...]
    bias: tuple[float, float, float]


@dataclass(frozen=True)
class QuantizationConfig:
    """Affine quantization of linear layers in MLX's own packing.

    In a model's config it only describes: how a layer is packed is read from the shapes of its tensors.
    """

    group_size: int
    bits: int


@dataclass(frozen=True)
class ModelConfig:
    """A whole ``config.json``. ``kind`` is "fft" (448 input channels, every task) or "fill" (384, LoRAs)."""

    format: int
    name: str
    title: str
    kind: Literal["fft", "fill"]
    licence: str
    source: str
    note: str
    transformer: TransformerConfig
    autoencoder: AutoencoderConfig | TinyAutoencoderConfig
    latent: LatentConfig
    t5: T5Config
    clip: ClipConfig
    prompt: PromptConfig
    sampling: SamplingConfig
    size: SizeConfig
    preview: PreviewConfig
    quantization: QuantizationConfig | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the values of a ``config.json``; RequestError names the field that is wrong."""
        if isinstance(values.get("format"), int) and values["format"] > FORMAT:
            raise RequestError(f"config.json is of format {values['format']}, newer than this program; update it")
        return read_typed(values, cls, "config.json")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``folder/config.json``.

        Raises:
            RequestError: there is no such model, or its config.json cannot be used; the message says why.
        """
        if not folder.is_dir():
            raise RequestError(f"there is no model folder {folder}; give the folder that holds its config.json")
        path = folder / "config.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                raise RequestError("config.json does not hold a JSON object")
            return cls.from_dict(values)
        except FileNotFoundError:
            raise RequestError(f"{folder} is not a model folder: it has no config.json") from None
        except (OSError, ValueError, RecursionError) as error:  # RequestError is a ValueError
            raise RequestError(f"the model in {folder} cannot be used: {error}; install it again") from error

    def save(self, folder: Path) -> None:
        """Write ``folder/config.json``."""
        settings = asdict(self)
        if not self.size.references_in_place:
            del settings["size"]["references_in_place"]  # earlier versions refuse what they do not know
        text = json.dumps(settings, ensure_ascii=False, indent=1)
        (folder / "config.json").write_text(text + "\n", encoding="utf-8")
