"""Adapters (LoRA): low-rank updates beside linear layers, never baked into the weights.

Read are kohya's layout (``lora_unet_….lora_down``), PEFT's and diffusers' (``transformer.….lora_A``), and the
released names (``double_blocks.0.img_attn.qkv.lora_A``). The update of a layer is
``strength * alpha / rank * up @ down``; where no alpha is given it equals the rank. diffusers keeps q, k, v and a
single block's MLP apart: each changes its own rows of the fused layer and is kept as small as it came.

The layers of FLUX.1's models differ in ``img_in`` alone, which few LoRAs change; of the others only what their file
says about itself (kohya's ``ss_…``, the Stability AI model specification's ``modelspec.…``) tells the base.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from mlx_model.request import RequestError
from mlx_model.runtime import COMPUTE_TYPE, mx, nn, tree
from mlx_model.weights.config import TransformerConfig
from mlx_model.weights.layouts import Place, diffusers_places, linear_shapes
from mlx_model.weights.model_folder import read_tensors_and_metadata

_TEXT_ENCODER: Final = ("lora_te", "text_encoder")
_PREFIXES: Final = ("base_model.model.", "transformer.", "diffusion_model.", "lora_unet_", "lora_transformer_")
_PARTS: Final = {
    ".lora_down.weight": "down", ".lora_A.weight": "down", ".lora_A.default.weight": "down",
    ".lora_up.weight": "up", ".lora_B.weight": "up", ".lora_B.default.weight": "up", ".alpha": "alpha",
}  # fmt: skip


_BASE_KINDS: Final = ("modelspec.architecture", "ss_base_model_version")
_BASE_NAME: Final = "ss_sd_model_name"
_FILL_INPUTS, _FFT_INPUTS = 384, 448
_BASE_BY_INPUTS: Final = {64: "FLUX.1 [dev]", _FILL_INPUTS: "FLUX.1 Fill [dev]", _FFT_INPUTS: "ACE++ FFT"}


class LowRank(NamedTuple):
    """The update ``up @ down`` of a layer's rows from ``first`` on, scale included.

    ``down`` is (rank, inputs), ``up`` (rows, rank).
    """

    down: mx.array
    up: mx.array
    first: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.down.nbytes + self.up.nbytes


@dataclass(frozen=True, eq=False)
class LoadedAdapter:
    """An adapter in memory: updates by released layer name, those of modulation layers included.

    ``warnings`` are sentences for the person: of a part of the file that was left out, of a base that is another or
    cannot be told. For another strength, ``dataclasses.replace`` it and attach again.
    """

    name: str
    strength: float
    updates: Mapping[str, tuple[LowRank, ...]]
    warnings: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(update.nbytes for updates in self.updates.values() for update in updates)


class Acting(NamedTuple):
    """An update and how strongly it acts."""

    update: LowRank
    strength: float


def read_adapter(
    source: Path | Mapping[str, mx.array],
    config: TransformerConfig,
    strength: float = 1.0,
    name: str = "adapter",
    dtype: mx.Dtype = COMPUTE_TYPE,
    *,
    comes_with_model: bool = False,
) -> LoadedAdapter:
    """Read a LoRA from a safetensors file (then named after it), or from its tensors.

    Of one that ``comes_with_model`` it is not asked which base it was made for.

    Raises:
        RequestError: the file cannot be read, or a key or a shape has no place in a transformer of these sizes.
    """
    if isinstance(source, Path):
        name = source.stem
        tensors, metadata = read_tensors_and_metadata(source)
        settings = _peft_settings(source, metadata)
    else:
        tensors, settings, metadata = source, {}, {}
    shapes, places = linear_shapes(config), _places_by_any_name(config)
    layers: dict[str, dict[str, mx.array]] = defaultdict(dict)
    left_out = False
    for key, tensor in tensors.items():
        if _is_of_text_encoder(key):
            left_out = True
            continue
        suffix = next((suffix for suffix in _PARTS if key.endswith(suffix)), None)
        layer = _without_prefix(key.removesuffix(suffix or ""))
        if suffix is None or layer not in places:
            raise RequestError(f"the adapter {name} does not fit this model: it has the unknown key {key}")
        layers[layer][_PARTS[suffix]] = tensor
    parts: dict[str, list[LowRank]] = defaultdict(list)
    for layer, halves in layers.items():
        place = places[layer]
        update = _update(name, layer, halves, place, shapes[place.name], settings)
        parts[place.name].append(LowRank(update.down.astype(dtype), update.up.astype(dtype), update.first))
    if not parts:
        raise RequestError(f"the adapter {name} holds no update of the transformer")
    warnings = [f"the adapter {name} also changes the text encoder; that part is left out"] if left_out else []
    if isinstance(source, Path) and not comes_with_model and "img_in" not in parts:
        warnings += _about_base(name, metadata, config)
    updates = {layer: tuple(updates) for layer, updates in parts.items()}
    return LoadedAdapter(name, strength, updates, tuple(warnings))


def adapter_bytes(path: Path, dtype: mx.Dtype = COMPUTE_TYPE) -> int:
    """Count the bytes that a LoRA file's updates will take in memory, from its header.

    Raises:
        RequestError: the file cannot be read.
    """
    tensors = read_tensors_and_metadata(path)[0]
    halves = [tensor for key, tensor in tensors.items() if not _is_of_text_encoder(key) and tensor.ndim == 2]
    return sum(half.size for half in halves) * dtype.size


class AdaptedLinear(nn.Module):
    """A linear layer, quantized or not, with low-rank side paths."""

    def __init__(self, base: nn.Module, acting: Sequence[Acting]):
        super().__init__()
        self.base, self.acting = base, tuple(acting)

    def __call__(self, x: mx.array) -> mx.array:
        """(..., inputs) to (..., outputs)."""
        return with_updates(self.base(x), x, self.acting)


def acting_on(adapters: Sequence[LoadedAdapter], layer: str) -> tuple[Acting, ...]:
    """List what the adapters do to one layer; the arrays are the adapters' own."""
    return tuple(
        Acting(update, adapter.strength)
        for adapter in adapters
        if adapter.strength
        for update in adapter.updates.get(layer, ())
    )


def with_updates(output: mx.array, x: mx.array, acting: Sequence[Acting]) -> mx.array:
    """Add what updates make of a layer's inputs ``x`` (..., inputs) to its ``output`` (..., outputs).

    Those that change part of the rows are joined first, so that none is padded to the whole width.
    """
    parts: dict[int, mx.array] = {}
    for (down, up, first), strength in acting:
        inner = x @ down.T
        added = (inner if strength == 1 else inner * strength) @ up.T
        if added.shape[-1] == output.shape[-1]:
            output = output + added
        else:  # the layouts' parts of a layer are the same rows or others, they never overlap otherwise
            parts[first] = parts[first] + added if first in parts else added
    if not parts:
        return output
    pieces: list[mx.array] = []
    at = 0
    for first in sorted(parts):
        stop = first + parts[first].shape[-1]
        pieces += [output[..., at:first], output[..., first:stop] + parts[first]]
        at = stop
    return mx.concatenate([*pieces, output[..., at:]], axis=-1)


def attach(module: nn.Module, adapters: Sequence[LoadedAdapter]) -> None:
    """Put these adapters, and no others, beside the linear layers of ``module``; its own weights stay untouched.

    Modulation layers are not in the transformer: give the adapters to
    :func:`~mlx_model.networks.modulation.schedule_modulation` too.
    """
    detach(module)
    adapted = [
        (name, AdaptedLinear(layer, acting))
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear | nn.QuantizedLinear) and (acting := acting_on(adapters, name))
    ]
    module.update_modules(tree.tree_unflatten(adapted))


def detach(module: nn.Module) -> None:
    """Take all adapters off."""
    bases = [(name, layer.base) for name, layer in module.named_modules() if isinstance(layer, AdaptedLinear)]
    module.update_modules(tree.tree_unflatten(bases))


def _peft_settings(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Find alpha where PEFT (a file beside the weights) and diffusers (the header) keep it."""
    try:
        if "lora_adapter_metadata" in metadata:
            values = json.loads(metadata["lora_adapter_metadata"])
            return {key.removeprefix("transformer."): value for key, value in values.items()}
        beside = path.with_name("adapter_config.json")
        return json.loads(beside.read_bytes()) if path.name == "adapter_model.safetensors" and beside.exists() else {}
    except ValueError as error:
        raise RequestError(f"the settings of the adapter {path} cannot be read: {error}") from error


def _about_base(name: str, metadata: Mapping[str, str], config: TransformerConfig) -> list[str]:
    """Warn where a file says that it was made for another model, or does not say for which."""
    told = {key: metadata.get(key, "").strip() for key in (*_BASE_KINDS, _BASE_NAME)}
    told = {key: value for key, value in told.items() if value.isprintable() and value.lower() not in ("", "none")}
    if not told:
        return [f"the adapter {name} does not say which model it was made for, and its layers fit all of FLUX.1's"]
    words = ", ".join(value[:80] for value in told.values())
    kinds = [value.lower() for key, value in told.items() if key in _BASE_KINDS]
    other = {_FFT_INPUTS: "fill", _FILL_INPUTS: "fft"}.get(config.in_channels)
    if (kinds and not any("flux" in kind for kind in kinds)) or (other is not None and other in words.lower()):
        return [f"the adapter {name} says that it was made for another model than this one: {words}"]
    return []


def _places_by_any_name(config: TransformerConfig) -> dict[str, Place]:
    """Index the layers by released and diffusers' names, with dots or with kohya's underscores."""
    shapes = linear_shapes(config)
    places = {name: Place(name, ((0, shape[0]),)) for name, shape in shapes.items()}
    places |= {name: place for name, place in diffusers_places(config).items() if place.name in shapes}
    return places | {name.replace(".", "_"): place for name, place in places.items()}


def _is_of_text_encoder(key: str) -> bool:
    return key.removeprefix(_PREFIXES[0]).startswith(_TEXT_ENCODER)


def _without_prefix(layer: str) -> str:
    for prefix in _PREFIXES:
        layer = layer.removeprefix(prefix)
    return layer


def _made_for(place: Place, down: mx.array) -> str:
    """Name the model that a LoRA of the first layer was made for, by its inputs."""
    base = _BASE_BY_INPUTS.get(down.shape[-1]) if place.name == "img_in" and down.ndim == 2 else None
    return f"; it was made for {base}" if base else ""


def _update(
    adapter: str,
    layer: str,
    halves: Mapping[str, mx.array],
    place: Place,
    shape: tuple[int, int],
    settings: Mapping[str, Any],
) -> LowRank:
    """Check and scale (in float32) one layer's update, its rows in the order that the released layer has."""
    if not {"down", "up"} <= set(halves):
        raise RequestError(f"the adapter {adapter} is incomplete: {layer} has only {', '.join(sorted(halves))}")
    down, up = halves["down"], halves["up"].astype(mx.float32)
    rank, rows = down.shape[0] if down.ndim else 0, sum(count for _, count in place.pieces)
    if down.shape != (rank, shape[1]) or up.shape != (rows, rank) or not rank:
        raise RequestError(
            f"the adapter {adapter} does not fit this model: {layer} has {up.shape} x {down.shape}, "
            f"the layer is {(rows, shape[1])}{_made_for(place, down)}"
        )
    patterns: dict[str, float] = settings.get("alpha_pattern") or {}
    general = next((a for key, a in patterns.items() if f".{layer}".endswith(f".{key}")), settings.get("lora_alpha"))
    if "alpha" in halves and halves["alpha"].size != 1:
        raise RequestError(f"the adapter {adapter} has an alpha of {layer} that is not one number")
    alpha: Any = halves["alpha"].item() if "alpha" in halves else rank if general is None else general
    scaled = up * (alpha / (rank**0.5 if settings.get("use_rslora") else rank))
    if len(place.pieces) == 1:
        return LowRank(down, scaled, place.pieces[0][0])
    pieces: dict[int, mx.array] = {}
    start = 0
    for first, count in place.pieces:
        pieces[first] = scaled[start : start + count]
        start += count
    return LowRank(down, mx.concatenate([pieces[first] for first in sorted(pieces)], axis=0), min(pieces))
