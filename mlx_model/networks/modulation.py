"""The modulation of the MM-DiT: shifts, scales and gates from time, guidance and pooled text alone.

These layers hold 27 % of FLUX.1's parameters and never see a token, so they are no part of
:class:`~mlx_model.networks.transformer.Transformer`: :func:`schedule_modulation` computes a whole schedule's
modulation once, reading the weights layer by layer and letting them go.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from mlx_model.request import Adapter
from mlx_model.runtime import COMPUTE_TYPE, mx, nn
from mlx_model.weights.config import TransformerConfig
from mlx_model.weights.layouts import is_modulation, linear_shapes
from mlx_model.weights.lora import AdaptedLinear, LoadedAdapter, acting_on, with_updates
from mlx_model.weights.model_folder import require_fit
from mlx_model.weights.quantize import dequantize


@dataclass(frozen=True)
class ModulationKey:
    """Everything that a schedule's modulation depends on: equal keys mean that it can be used again."""

    prompt: str
    guidance: float
    sigmas: tuple[float, ...]
    adapters: tuple[Adapter, ...]


@dataclass(frozen=True, eq=False)
class StepModulation:
    """The vectors of one step, each (B, 1, k * hidden): k is 6 for a double block's (image, text) pair (shift, scale
    and gate of the attention, then of the MLP), 3 for a single block, 2 (shift, scale) for the final layer.
    """  # noqa: D205

    double: tuple[tuple[mx.array, mx.array], ...]
    single: tuple[mx.array, ...]
    final: mx.array


def in_type(step: StepModulation, dtype: mx.Dtype) -> StepModulation:
    """Return the vectors in the type of the stream, which they would otherwise promote to their own."""
    double = tuple((img.astype(dtype), txt.astype(dtype)) for img, txt in step.double)
    return StepModulation(double, tuple(vectors.astype(dtype) for vectors in step.single), step.final.astype(dtype))


def arrange(config: TransformerConfig, outputs: Mapping[str, mx.array]) -> StepModulation:
    """Order the outputs of the modulation layers, (B, 1, k * hidden) by released name, by block."""
    return StepModulation(
        tuple(
            (outputs[f"double_blocks.{i}.img_mod.lin"], outputs[f"double_blocks.{i}.txt_mod.lin"])
            for i in range(config.depth)
        ),
        tuple(outputs[f"single_blocks.{i}.modulation.lin"] for i in range(config.depth_single_blocks)),
        outputs["final_layer.adaLN_modulation.1"],
    )


def schedule_modulation(
    config: TransformerConfig,
    tensors: MutableMapping[str, mx.array],
    vectors: mx.array,
    adapters: Sequence[LoadedAdapter] = (),
    dtype: mx.Dtype = COMPUTE_TYPE,
    on_layer: Callable[[], None] | None = None,
) -> list[StepModulation]:
    """Compute the modulation of a whole schedule, in float32, handed out in ``dtype``.

    Args:
        config: sizes.
        tensors: the modulation layers by released name. It is EMPTIED on the way, so that each weight can be let go
            when it was used; pass a copy of the mapping to keep the weights.
        vectors: (S, hidden) from :meth:`Transformer.vector`, a row per step.
        adapters: LoRAs, those parts of them that reach into these layers.
        dtype: the type of the network's stream.
        on_layer: called after each layer was computed; may raise to stop.

    Returns:
        One :class:`StepModulation` per row of ``vectors``.

    Raises:
        RequestError: ``tensors`` are not the modulation of a transformer of these sizes.
    """
    require_fit(_wanted(config, tensors), tensors)
    vectors = nn.silu(vectors.astype(mx.float32))[:, None]
    outputs: dict[str, mx.array] = {}
    for name in filter(is_modulation, linear_shapes(config)):
        weight = dequantize(tensors, name, config.hidden_size)
        output = mx.addmm(tensors.pop(name + ".bias").astype(mx.float32), vectors, weight.T)
        outputs[name] = with_updates(output, vectors, acting_on(adapters, name)).astype(dtype)
        mx.eval(outputs[name])
        if on_layer is not None:
            on_layer()
    steps = range(vectors.shape[0])
    return [arrange(config, {name: output[i : i + 1] for name, output in outputs.items()}) for i in steps]


def _wanted(config: TransformerConfig, tensors: Mapping[str, mx.array]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the modulation's tensors; of quantized ones only the rows are known."""
    wanted: dict[str, tuple[int, ...]] = {}
    for name, shape in linear_shapes(config).items():
        if is_modulation(name):
            wanted |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
            if f"{name}.scales" in tensors:
                for part in (f"{name}.weight", f"{name}.scales", f"{name}.biases"):
                    wanted[part] = (shape[0], *tensors[part].shape[1:]) if part in tensors else ()
    return wanted


class ModulationLayers(nn.Module):
    """The same layers as a module, parameters under their released names: what training uses."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        hidden = config.hidden_size
        self.double_blocks = [
            {stream: {"lin": nn.Linear(hidden, 6 * hidden)} for stream in ("img_mod", "txt_mod")}
            for _ in range(config.depth)
        ]
        self.single_blocks = [
            {"modulation": {"lin": nn.Linear(hidden, 3 * hidden)}} for _ in range(config.depth_single_blocks)
        ]
        self.final_layer = {"adaLN_modulation": [nn.SiLU(), nn.Linear(hidden, 2 * hidden)]}

    def __call__(self, vectors: mx.array) -> StepModulation:
        """(B, hidden) from :meth:`Transformer.vector` to the modulation of a batch."""
        vectors = nn.silu(vectors)[:, None]
        layers = {name: layer for name, layer in self.named_modules() if isinstance(layer, nn.Linear | AdaptedLinear)}
        return arrange(self.config, {name: layer(vectors) for name, layer in layers.items()})
