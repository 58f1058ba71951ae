"""The parts of a model in memory: loaded when first needed, kept until told otherwise.

All of it happens in the one thread that made the :class:`Parts`: MLX's lazy arrays cannot be evaluated elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from mlx_model.conditioning.prompt import PromptTokenizers, load_tokenizers
from mlx_model.memory import Weights
from mlx_model.networks import clip, t5
from mlx_model.networks.autoencoder import Autoencoder, channels_last
from mlx_model.networks.tiny_autoencoder import PREVIEW_DECODER, TinyAutoencoder, preview_channels
from mlx_model.networks.transformer import Transformer
from mlx_model.places import is_file
from mlx_model.progress import Tick
from mlx_model.request import Adapter, Precision, RequestError
from mlx_model.runtime import COMPUTE_TYPE, DTYPES, mx
from mlx_model.weights.config import AutoencoderConfig, ModelConfig, TinyAutoencoderConfig
from mlx_model.weights.lora import LoadedAdapter, attach, read_adapter
from mlx_model.weights.model_folder import load_weights, read_tensors

AnyAutoencoder: TypeAlias = Autoencoder | TinyAutoencoder


@dataclass(frozen=True, eq=False)
class TextEncoders:
    """What reads an instruction: the tokens' states for the transformer's stream, the pooled ones for modulation."""

    t5: t5.T5Encoder
    clip: clip.ClipTextEncoder


class Parts:
    """Loads, hands out and lets go the parts of the model in ``folder``.

    Adapters are found by name in ``folder/adapters`` and in ``adapters`` beside the folder, or by their path. The
    networks' streams, all but the autoencoders', are of ``dtype``.
    """

    def __init__(self, folder: Path, config: ModelConfig, dtype: mx.Dtype = COMPUTE_TYPE):
        self.folder, self.config, self.dtype = folder, config, dtype
        self.adapter_folders = (folder / "adapters", folder.parent / "adapters")
        self._text: TextEncoders | None = None
        self._transformer: Transformer | None = None
        self._autoencoder: AnyAutoencoder | None = None
        self._preview: TinyAutoencoder | None = None
        self._modulation: dict[str, mx.array] | None = None
        self._adapters: dict[Path, LoadedAdapter] = {}
        self._attached: tuple[Adapter, ...] = ()

    @cached_property
    def tokenizers(self) -> PromptTokenizers:
        """The two tokenizers."""
        return load_tokenizers(self.folder, self.config.prompt)

    def text(self, tick: Tick) -> TextEncoders:
        """Return T5 and CLIP."""
        if self._text is None:
            encoders = TextEncoders(t5.T5Encoder(self.config.t5), clip.ClipTextEncoder(self.config.clip))
            load_weights(encoders.t5, t5.released_tensors(self._read("t5", tick)), self.dtype)
            load_weights(encoders.clip, clip.released_tensors(self._read("clip", tick)), self.dtype)
            self._text = encoders
        return self._text

    def autoencoder(self, tick: Tick) -> AnyAutoencoder:
        """Return the autoencoder, in float32 everywhere: bfloat16 has fewer levels than a picture."""
        if self._autoencoder is None:
            autoencoder = autoencoder_for(self.config.autoencoder)
            tensors = channels_last(self._read("autoencoder", tick, mx.float32))
            load_weights(autoencoder, tensors, dtype=mx.float32)
            self._autoencoder = autoencoder
        return self._autoencoder

    def preview_decoder(self, tick: Tick) -> TinyAutoencoder | None:
        """Return the small decoder for step previews (TAEF1), None where the folder has none."""
        if self._preview is None and (self.folder / PREVIEW_DECODER).exists():
            tensors = channels_last(_evaluated(self.folder / PREVIEW_DECODER, mx.float32, tick))
            config = TinyAutoencoderConfig("tiny", preview_channels(tensors), tensors["decoder.1.weight"].shape[3])
            decoder = TinyAutoencoder(config, encoder=False)
            load_weights(decoder, {n: t for n, t in tensors.items() if n.startswith("decoder.")}, dtype=mx.float32)
            self._preview = decoder
        return self._preview

    def transformer(self, adapters: Sequence[Adapter], tick: Tick) -> tuple[Transformer, list[LoadedAdapter]]:
        """Return the transformer with exactly these adapters beside its layers, and the adapters themselves."""
        loaded = [self._adapter(adapter, tick) for adapter in adapters]
        if self._transformer is None:
            transformer = Transformer(self.config.transformer)
            load_weights(transformer, self._read("transformer", tick), self.dtype)
            self._transformer, self._attached = transformer, ()
        if self._attached != tuple(adapters):
            attach(self._transformer, loaded)
            self._attached = tuple(adapters)
        return self._transformer, loaded

    def modulation(self, keep: bool) -> dict[str, mx.array]:
        """Return the modulation's tensors, in a mapping that may be emptied; with ``keep`` they stay in memory."""
        tensors = self._modulation if self._modulation is not None else self._open("modulation")
        self._modulation = tensors if keep else None
        return dict(tensors)

    def release_text(self) -> None:
        """Let the text encoders go."""
        self._text = None
        mx.clear_cache()

    def share_to_load(self, weights: Weights, text: bool) -> float:
        """Return which part of the model's bytes is still to be loaded, with the ``text`` encoders or without."""
        sizes = (
            (weights.transformer, self._transformer is None),
            (weights.autoencoder, self._autoencoder is None),
            (weights.text, text and self._text is None),
        )
        return sum(size for size, missing in sizes if missing) / (sum(size for size, _ in sizes) or 1)

    @property
    def precision(self) -> Precision:
        """What the networks compute in."""
        return next(precision for precision, dtype in DTYPES.items() if dtype == self.dtype)

    def idle_adapter_bytes(self, adapters: Sequence[Adapter]) -> int:
        """Count what is held of adapters other than these."""
        wanted = {self.adapter_path(adapter) for adapter in adapters}
        return sum(adapter.nbytes for path, adapter in self._adapters.items() if path not in wanted)

    def release_idle(self, adapters: Sequence[Adapter], modulation: bool = True) -> None:
        """Let go what painting with these adapters can do without: other adapters, the modulation's weights."""
        if modulation:
            self._modulation = None
        wanted = {self.adapter_path(adapter) for adapter in adapters}
        if self._transformer is not None and self._adapters.keys() - wanted:
            attach(self._transformer, [])
            self._attached = ()
            self._adapters = {path: adapter for path, adapter in self._adapters.items() if path in wanted}
        mx.clear_cache()

    def release_all_but_text(self) -> None:
        """Let the transformer, its modulation and adapters, the autoencoder and the preview decoder go."""
        self._transformer, self._modulation, self._adapters = None, None, {}
        self._autoencoder, self._preview = None, None
        mx.clear_cache()

    def adapter_path(self, adapter: Adapter) -> Path:
        """Find an adapter's file.

        Raises:
            RequestError: there is none; the message says what to install, and where.
        """
        if adapter.name.endswith(".safetensors"):
            if not is_file(Path(adapter.name)):
                raise RequestError(f"there is no adapter file {adapter.name}; give the path of a LoRA")
            return Path(adapter.name)
        for folder in self.adapter_folders:
            if is_file(path := folder / f"{adapter.name}.safetensors"):
                return path
        raise RequestError(
            f'the adapter "{adapter.name}" is not installed: put its LoRA at '
            f"{self.adapter_folders[-1] / adapter.name}.safetensors, or give the path of one"
        )

    def _adapter(self, adapter: Adapter, tick: Tick) -> LoadedAdapter:
        path = self.adapter_path(adapter)
        if path not in self._adapters:
            own = path.parent == self.folder / "adapters"
            self._adapters[path] = read_adapter(path, self.config.transformer, dtype=self.dtype, comes_with_model=own)
            for updates in self._adapters[path].updates.values():
                mx.eval([(update.down, update.up) for update in updates])
                tick()
        return replace(self._adapters[path], strength=adapter.strength)

    def _open(self, part: str) -> dict[str, mx.array]:
        return read_tensors(self.folder / f"{part}.safetensors")

    def _read(self, part: str, tick: Tick, dtype: mx.Dtype | None = None) -> dict[str, mx.array]:
        return _evaluated(self.folder / f"{part}.safetensors", dtype or self.dtype, tick)


def autoencoder_for(config: AutoencoderConfig | TinyAutoencoderConfig) -> AnyAutoencoder:
    """Make the autoencoder that a config describes, its weights not loaded yet."""
    return TinyAutoencoder(config) if isinstance(config, TinyAutoencoderConfig) else Autoencoder(config)


def _evaluated(path: Path, dtype: mx.Dtype, tick: Tick) -> dict[str, mx.array]:
    """Read a file tensor by tensor, converting each before the next, so that no second copy of all is held."""
    tensors = read_tensors(path)
    for name in list(tensors):
        if mx.issubdtype(tensors[name].dtype, mx.floating):
            tensors[name] = tensors[name].astype(dtype)
        mx.eval(tensors[name])
        tick()
    return tensors
