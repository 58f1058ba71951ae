"""Names and shapes of the transformer's layers: the released (original) layout, and diffusers' mapped onto it.

Free of MLX arrays' values: a layout is a table, and :func:`from_diffusers` follows it.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mlx_model.request import RequestError
from mlx_model.runtime import mx
from mlx_model.weights.config import TransformerConfig

TIME_CHANNELS: Final = 256


def linear_shapes(config: TransformerConfig) -> dict[str, tuple[int, int]]:
    """Every linear layer of the whole model, modulation included, by released name: (outputs, inputs)."""
    hidden, inner = config.hidden_size, config.mlp_size
    shapes = {"img_in": (hidden, config.in_channels), "txt_in": (hidden, config.context_in_dim)}
    embedders = {"time_in": TIME_CHANNELS, "vector_in": config.vec_in_dim}
    if config.guidance_embed:
        embedders["guidance_in"] = TIME_CHANNELS
    for name, channels in embedders.items():
        shapes |= {f"{name}.in_layer": (hidden, channels), f"{name}.out_layer": (hidden, hidden)}
    for i in range(config.depth):
        for stream in (f"double_blocks.{i}.img", f"double_blocks.{i}.txt"):
            shapes |= {
                f"{stream}_mod.lin": (6 * hidden, hidden),
                f"{stream}_attn.qkv": (3 * hidden, hidden),
                f"{stream}_attn.proj": (hidden, hidden),
                f"{stream}_mlp.0": (inner, hidden),
                f"{stream}_mlp.2": (hidden, inner),
            }
    for i in range(config.depth_single_blocks):
        shapes |= {
            f"single_blocks.{i}.modulation.lin": (3 * hidden, hidden),
            f"single_blocks.{i}.linear1": (3 * hidden + inner, hidden),
            f"single_blocks.{i}.linear2": (hidden, hidden + inner),
        }
    return shapes | {
        "final_layer.linear": (config.out_channels, hidden),
        "final_layer.adaLN_modulation.1": (2 * hidden, hidden),
    }


def is_modulation(name: str) -> bool:
    """Whether a layer or tensor belongs to the modulation, which lies in a file of its own."""
    return any(part in name for part in ("_mod.lin", ".modulation.lin", "adaLN_modulation"))


@dataclass(frozen=True)
class Place:
    """Where the rows of a tensor go: to ``name``, as pieces (first row, number of rows) in the order they come."""

    name: str
    pieces: tuple[tuple[int, int], ...]


def diffusers_places(config: TransformerConfig) -> dict[str, Place]:
    """Every layer of diffusers' ``FluxTransformer2DModel`` and its place in the released layout.

    Layers are named without ``.weight`` or ``.bias``. diffusers keeps q, k, v (and a single block's MLP) apart, and
    its final modulation has scale before shift.
    """
    hidden = config.hidden_size
    shapes = linear_shapes(config)
    places: dict[str, Place] = {}

    def put(theirs: str, ours: str, *pieces: tuple[int, int]) -> None:
        places[theirs] = Place(ours, pieces or ((0, shapes[ours][0]),))

    put("x_embedder", "img_in")
    put("context_embedder", "txt_in")
    for theirs, ours in (("timestep", "time_in"), ("text", "vector_in"), ("guidance", "guidance_in")):
        if f"{ours}.in_layer" in shapes:
            put(f"time_text_embed.{theirs}_embedder.linear_1", f"{ours}.in_layer")
            put(f"time_text_embed.{theirs}_embedder.linear_2", f"{ours}.out_layer")
    put("norm_out.linear", "final_layer.adaLN_modulation.1", (hidden, hidden), (0, hidden))
    put("proj_out", "final_layer.linear")
    norm = (0, hidden // config.num_heads)
    for i in range(config.depth):
        block = f"transformer_blocks.{i}"
        for ours, mod, q, k, v, proj, ff, norm_of in (
            (f"double_blocks.{i}.img", "norm1", "to_q", "to_k", "to_v", "to_out.0", "ff", "norm_"),
            (
                f"double_blocks.{i}.txt",
                "norm1_context", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "ff_context", "norm_added_",
            ),
        ):  # fmt: skip
            put(f"{block}.{mod}.linear", f"{ours}_mod.lin")
            for row, part in enumerate((q, k, v)):
                put(f"{block}.attn.{part}", f"{ours}_attn.qkv", (row * hidden, hidden))
            put(f"{block}.attn.{proj}", f"{ours}_attn.proj")
            put(f"{block}.{ff}.net.0.proj", f"{ours}_mlp.0")
            put(f"{block}.{ff}.net.2", f"{ours}_mlp.2")
            put(f"{block}.attn.{norm_of}q", f"{ours}_attn.norm.query_norm", norm)
            put(f"{block}.attn.{norm_of}k", f"{ours}_attn.norm.key_norm", norm)
    for i in range(config.depth_single_blocks):
        block, ours = f"single_transformer_blocks.{i}", f"single_blocks.{i}"
        put(f"{block}.norm.linear", f"{ours}.modulation.lin")
        for row, part in enumerate(("to_q", "to_k", "to_v")):
            put(f"{block}.attn.{part}", f"{ours}.linear1", (row * hidden, hidden))
        put(f"{block}.proj_mlp", f"{ours}.linear1", (3 * hidden, config.mlp_size))
        put(f"{block}.proj_out", f"{ours}.linear2")
        put(f"{block}.attn.norm_q", f"{ours}.norm.query_norm", norm)
        put(f"{block}.attn.norm_k", f"{ours}.norm.key_norm", norm)
    return places


def from_diffusers(tensors: Mapping[str, mx.array], config: TransformerConfig) -> dict[str, mx.array]:
    """Rename and join a transformer in diffusers' layout into the released one (lazily).

    Raises:
        RequestError: a tensor has no place in a transformer of these sizes, or has the wrong number of rows. (What
            is missing is found by the strict loading that follows.)
    """
    places = diffusers_places(config)
    joined: dict[str, dict[int, mx.array]] = defaultdict(dict)
    for full_name, tensor in tensors.items():
        layer, _, kind = full_name.rpartition(".")
        place = places.get(layer)
        if place is None or tensor.shape[0] != sum(rows for _, rows in place.pieces):
            raise RequestError(f"{full_name} {tensor.shape} has no place in a transformer of these sizes")
        if place.name.endswith("_norm"):
            kind = "scale"
        start = 0
        for first, rows in place.pieces:
            joined[f"{place.name}.{kind}"][first] = tensor[start : start + rows]
            start += rows
    return {
        name: mx.concatenate([pieces[row] for row in sorted(pieces)], axis=0) if len(pieces) > 1 else pieces[0]
        for name, pieces in joined.items()
    }
