"""Adapters (LoRA): low-rank updates beside linear layers, never baked into the weights.

Read are kohya's layout (``lora_unet_….lora_down``), PEFT's and diffusers' (``transformer.….lora_A``), and the
released names (``double_blocks.0.img_attn.qkv.lora_A``). The update of a layer is
``strength * alpha / rank * up @ down``; where no alpha is given it equals the rank.
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


class LowRank(NamedTuple):
    """The update ``up @ down`` of a layer, scale included: ``down`` is (rank, inputs), ``up`` (outputs, rank)."""

    down: mx.array
    up: mx.array


@dataclass(frozen=True, eq=False)
class LoadedAdapter:
    """An adapter in memory: updates by released layer name, those of modulation layers included.

    ``warning`` is a sentence for the person where a part of the file was left out. For another strength,
    ``dataclasses.replace`` it and attach again.
    """

    name: str
    strength: float
    updates: Mapping[str, LowRank]
    warning: str | None = None


def read_adapter(
    source: Path | Mapping[str, mx.array],
    config: TransformerConfig,
    strength: float = 1.0,
    name: str = "adapter",
    dtype: mx.Dtype = COMPUTE_TYPE,
) -> LoadedAdapter:
    """Read a LoRA from a safetensors file (then named after it), or from its tensors.

    Raises:
        RequestError: the file cannot be read, or a key or a shape has no place in a transformer of these sizes.
    """
    if isinstance(source, Path):
        name = source.stem
        tensors, metadata = read_tensors_and_metadata(source)
        settings = _peft_settings(source, metadata)
    else:
        tensors, settings = source, {}
    shapes, places = linear_shapes(config), _places_by_any_name(config)
    layers: dict[str, dict[str, mx.array]] = defaultdict(dict)
    left_out = False
    for key, tensor in tensors.items():
        if key.removeprefix(_PREFIXES[0]).startswith(_TEXT_ENCODER):
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
        parts[place.name].append(_update(name, layer, halves, place, shapes[place.name], settings))
    if not parts:
        raise RequestError(f"the adapter {name} holds no update of the transformer")
    return LoadedAdapter(
        name,
        strength,
        {
            layer: LowRank(*(half.astype(dtype) for half in _side_by_side(updates)))
            for layer, updates in parts.items()
        },
        f"the adapter {name} also changes the text encoder; that part is left out" if left_out else None,
    )


class AdaptedLinear(nn.Module):
    """A linear layer, quantized or not, with a low-rank side path."""

    def __init__(self, base: nn.Module, side: LowRank):
        super().__init__()
        self.base, self.down, self.up = base, side.down, side.up

    def __call__(self, x: mx.array) -> mx.array:
        """(..., inputs) to (..., outputs)."""
        return self.base(x) + (x @ self.down.T) @ self.up.T


def side_path(adapters: Sequence[LoadedAdapter], layer: str) -> LowRank | None:
    """Join what the adapters do to one layer, strengths included, into one update."""
    acting = [(a.updates[layer], a.strength) for a in adapters if layer in a.updates and a.strength]
    return (
        # At full strength the adapter's own arrays are used: a copy of all of it would take as much memory again.
        _side_by_side([u if strength == 1 else LowRank(u.down, u.up * strength) for u, strength in acting])
        if acting
        else None
    )


def attach(module: nn.Module, adapters: Sequence[LoadedAdapter]) -> None:
    """Put these adapters, and no others, beside the linear layers of ``module``; its own weights stay untouched.

    Modulation layers are not in the transformer: give the adapters to
    :func:`~mlx_model.networks.modulation.schedule_modulation` too.
    """
    detach(module)
    adapted = [
        (name, AdaptedLinear(layer, side))
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear | nn.QuantizedLinear) and (side := side_path(adapters, name))
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


def _places_by_any_name(config: TransformerConfig) -> dict[str, Place]:
    """Index the layers by released and diffusers' names, with dots or with kohya's underscores."""
    shapes = linear_shapes(config)
    places = {name: Place(name, ((0, shape[0]),)) for name, shape in shapes.items()}
    places |= {name: place for name, place in diffusers_places(config).items() if place.name in shapes}
    return places | {name.replace(".", "_"): place for name, place in places.items()}


def _without_prefix(layer: str) -> str:
    for prefix in _PREFIXES:
        layer = layer.removeprefix(prefix)
    return layer


def _update(
    adapter: str,
    layer: str,
    halves: Mapping[str, mx.array],
    place: Place,
    shape: tuple[int, int],
    settings: Mapping[str, Any],
) -> LowRank:
    """Check and scale (in float32) one layer's update, and put its rows where the released layer has them."""
    if not {"down", "up"} <= set(halves):
        raise RequestError(f"the adapter {adapter} is incomplete: {layer} has only {', '.join(sorted(halves))}")
    down, up = halves["down"], halves["up"].astype(mx.float32)
    rank, rows = down.shape[0], sum(count for _, count in place.pieces)
    if down.shape != (rank, shape[1]) or up.shape != (rows, rank):
        raise RequestError(
            f"the adapter {adapter} does not fit this model: {layer} has {up.shape} x {down.shape}, "
            f"the layer is {(rows, shape[1])}"
        )
    patterns: dict[str, float] = settings.get("alpha_pattern") or {}
    general = next((a for key, a in patterns.items() if f".{layer}".endswith(f".{key}")), settings.get("lora_alpha"))
    alpha: Any = halves["alpha"].item() if "alpha" in halves else rank if general is None else general
    scaled = up * (alpha / (rank**0.5 if settings.get("use_rslora") else rank))
    whole = mx.zeros((shape[0], rank))
    start = 0
    for first, count in place.pieces:
        whole[first : first + count] = scaled[start : start + count]
        start += count
    return LowRank(down, whole)


def _side_by_side(updates: Sequence[LowRank]) -> LowRank:
    """Add several updates up, as one of greater rank; a single one is itself."""
    if len(updates) == 1:
        return updates[0]
    downs, ups = zip(*updates, strict=True)
    return LowRank(mx.concatenate(list(downs), axis=0), mx.concatenate(list(ups), axis=1))
