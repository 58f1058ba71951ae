"""The layouts in which the parts of FLUX.1 and ACE++ are released, as tables: their names onto ours.

A layout is recognised from tensor names alone. The transformer's two are in :mod:`mlx_model.weights.layouts`; the
others are renamings, written as patterns on our names. Free of arrays.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mlx_model.weights.config import AutoencoderConfig, ModelConfig
from mlx_model.weights.layouts import Place, diffusers_places
from mlx_model.weights.policy import Part

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Renaming: TypeAlias = Sequence[tuple[str, str]]
"""Patterns on our names, each replaced in turn, which makes the source's name."""


@dataclass(frozen=True)
class Layout:
    """One way to name the tensors of a part.

    ``marks`` matches names that only this layout has; ``places`` makes, from the names and shapes of our tensors,
    the place of every tensor of the source; ``beside`` matches what such files carry and no part needs. The tensor
    ``twin[1]`` holds the same as ``twin[0]`` and stands in where that is missing.
    """

    parts: tuple[Part, ...]
    name: str
    marks: re.Pattern[str]
    places: Callable[[Shapes, ModelConfig], dict[str, Place]]
    beside: re.Pattern[str] | None = None
    twin: tuple[str, str] | None = None


def recognise(names: Iterable[str]) -> Layout | None:
    """Find the layout that most of the names speak for; None where no name is known."""
    counts = dict.fromkeys(range(len(LAYOUTS)), 0)
    for name in names:
        for index, layout in enumerate(LAYOUTS):
            counts[index] += layout.marks.search(name) is not None
    best = max(counts, key=lambda index: counts[index])
    return LAYOUTS[best] if counts[best] else None


def with_twin(layout: Layout, places: Mapping[str, Place], names: Collection[str]) -> dict[str, Place]:
    """Put the twin in its place where the tensor itself is missing."""
    if layout.twin is None or layout.twin[0] in names or layout.twin[1] not in names:
        return dict(places)
    return {(layout.twin[1] if name == layout.twin[0] else name): place for name, place in places.items()}


def _renamed(*renaming: tuple[str, str], prefix: str = "") -> Callable[[Shapes, ModelConfig], dict[str, Place]]:
    return lambda shapes, _: _by_patterns(shapes, renaming, prefix)


def _by_patterns(shapes: Shapes, renaming: Renaming, prefix: str = "") -> dict[str, Place]:
    places: dict[str, Place] = {}
    for ours, shape in shapes.items():
        theirs = ours
        for pattern, replacement in renaming:
            theirs = re.sub(pattern, replacement, theirs)
        places[prefix + theirs] = Place(ours, ((0, shape[0]),))
    return places


def _diffusers_transformer(shapes: Shapes, config: ModelConfig) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for theirs, place in diffusers_places(config.transformer).items():
        norm = place.name.endswith("_norm")
        kinds = {"weight": "scale"} if norm else {"weight": "weight", "bias": "bias"}
        for their_kind, our_kind in kinds.items():
            if (ours := f"{place.name}.{our_kind}") in shapes:
                places[f"{theirs}.{their_kind}"] = Place(ours, place.pieces)
    return places


def _diffusers_autoencoder(shapes: Shapes, config: ModelConfig) -> dict[str, Place]:
    sizes = config.autoencoder
    last = len(sizes.ch_mult) - 1 if isinstance(sizes, AutoencoderConfig) else 0
    levels: list[tuple[str, str]] = []
    for level in range(last + 1):  # diffusers counts the decoder's levels as they are walked, from the lowest
        levels.append((rf"\.up\.{level}\.block\.(\d+)\.", rf".up_blocks.{last - level}.resnets.\1."))
        levels.append((rf"\.up\.{level}\.upsample\.", f".up_blocks.{last - level}.upsamplers.0."))
    return _by_patterns(shapes, [*_DIFFUSERS_AUTOENCODER, *levels])


def _diffusers_tiny(shapes: Shapes, _: ModelConfig) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for ours, shape in shapes.items():
        part, index, rest = ours.split(".", 2)
        # diffusers does not count the clamp that begins the decoder
        places[f"{part}.layers.{int(index) - (part == 'decoder')}.{rest}"] = Place(ours, ((0, shape[0]),))
    return places


_ORIGINAL: Final = (
    r"(double_blocks\.\d+\.(img|txt)_(mod\.lin|mlp\.[02]|attn\.(qkv|proj))|single_blocks\.\d+\.linear[12])\.weight$"
)
_LLAMA_CPP: Final = (
    (r"^shared\.", "token_embd."),
    (r"^encoder\.final_layer_norm\.", "enc.output_norm."),
    (r"^encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.relative_attention_bias\.", r"enc.blk.\1.attn_rel_b."),
    (r"^encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.", r"enc.blk.\1.attn_"),
    (r"^encoder\.block\.(\d+)\.layer\.0\.layer_norm\.", r"enc.blk.\1.attn_norm."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.layer_norm\.", r"enc.blk.\1.ffn_norm."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wi_0\.", r"enc.blk.\1.ffn_gate."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wi_1\.", r"enc.blk.\1.ffn_up."),
    (r"^encoder\.block\.(\d+)\.layer\.1\.DenseReluDense\.wo\.", r"enc.blk.\1.ffn_down."),
)
_DIFFUSERS_AUTOENCODER: Final = (
    (r"\.nin_shortcut\.", ".conv_shortcut."),
    (r"\.norm_out\.", ".conv_norm_out."),
    (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.norm\.", ".mid_block.attentions.0.group_norm."),
    (r"\.mid\.attn_1\.proj_out\.", ".mid_block.attentions.0.to_out.0."),
    (r"\.mid\.attn_1\.([qkv])\.", r".mid_block.attentions.0.to_\1."),
    (r"\.down\.(\d+)\.block\.(\d+)\.", r".down_blocks.\1.resnets.\2."),
    (r"\.down\.(\d+)\.downsample\.", r".down_blocks.\1.downsamplers.0."),
)
_CLIP_BESIDE: Final = re.compile(r"(^|\.)(position_ids|text_projection\.weight|logit_scale)$")
_TINY: Final[tuple[Part, ...]] = ("autoencoder", "preview_decoder")
_ENCODER: Final = re.compile(r"^encoder\.")

LAYOUTS: Final = (
    Layout(("transformer",), "original", re.compile("^" + _ORIGINAL), _renamed()),
    Layout(("transformer",), "ComfyUI", re.compile(r"^model\.diffusion_model\." + _ORIGINAL),
           _renamed(prefix="model.diffusion_model.")),
    Layout(("transformer",), "diffusers",
           re.compile(r"^(single_)?transformer_blocks\.\d+\.(?!.*lora).*\.weight$"), _diffusers_transformer),
    Layout(("t5",), "transformers", re.compile(r"^encoder\.block\.\d+\.layer\.[01]\."), _renamed(),
           twin=("shared.weight", "encoder.embed_tokens.weight"),
           beside=re.compile(r"^encoder\.embed_tokens\.weight$")),
    Layout(("t5",), "llama.cpp", re.compile(r"^enc\.blk\.\d+\."), _renamed(*_LLAMA_CPP)),
    Layout(("clip",), "transformers", re.compile(r"^text_model\.encoder\.layers\.\d+\."), _renamed(),
           beside=_CLIP_BESIDE),
    Layout(("clip",), "transformers without prefix",
           re.compile(r"^encoder\.layers\.\d+\.(self_attn|mlp|layer_norm[12])\."),
           _renamed((r"^text_model\.", "")), beside=_CLIP_BESIDE),
    Layout(("autoencoder",), "original", re.compile(r"^(en|de)coder\.(down|up|mid)\."), _renamed()),
    Layout(("autoencoder",), "diffusers", re.compile(r"^(en|de)coder\.(down|up|mid)_blocks?\."),
           _diffusers_autoencoder),
    Layout(_TINY, "original", re.compile(r"^(en|de)coder\.\d+\."), _renamed(), beside=_ENCODER),
    Layout(_TINY, "diffusers", re.compile(r"^(en|de)coder\.layers\.\d+\.(conv\.\d\.)?(weight|bias)$"),
           _diffusers_tiny, beside=_ENCODER),
    Layout(("preview_decoder",), "original decoder", re.compile(r"^\d+\.(conv\.\d\.)?(weight|bias)$"),
           _renamed((r"^decoder\.", ""))),
)  # fmt: skip
