"""Which layers of a part are quantized and which stay in full precision: one table, read from above.

A layer that the table quantizes stays bfloat16 all the same where its inputs do not fill whole groups, or where no
quantization is asked for. Free of MLX.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mlx_model.request import RequestError
from mlx_model.weights.config import QuantizationConfig

Part: TypeAlias = Literal["transformer", "t5", "clip", "autoencoder", "preview_decoder"]
Keeping: TypeAlias = Literal["quantized", "bfloat16", "source"]

BITS: Final = (3, 4, 5, 6, 8)
GROUP_SIZES: Final = (32, 64, 128)


@dataclass(frozen=True)
class Rule:
    """What is done with the tensors of a part whose names match: quantized, bfloat16, or as the source has them."""

    part: Part
    what: str
    names: re.Pattern[str]
    keeping: Keeping
    why: str


def _rule(part: Part, what: str, names: str, keeping: Keeping, why: str) -> Rule:
    return Rule(part, what, re.compile(names), keeping, why)


POLICY: Final = (
    _rule("transformer", "input embeddings", r"^(img|txt)_in\.", "bfloat16", "everything passes through them"),
    _rule("transformer", "time, guidance and pooled text", r"^(time|guidance|vector)_in\.", "bfloat16",
          "every modulation is made from them; 0.3 % of the parameters"),
    _rule("transformer", "output layer", r"^final_layer\.linear\.", "bfloat16", "its error is the velocity's"),
    _rule("transformer", "norms and biases", r"(_norm\.scale|\.bias)$", "bfloat16", "no matrices"),
    _rule("transformer", "modulation, in a file of its own",
          r"(_mod\.lin|\.modulation\.lin|adaLN_modulation\.1)\.weight$", "quantized", "27 % of the parameters"),
    _rule("transformer", "attention and MLP of all blocks", r"^(double|single)_blocks\..*\.weight$", "quantized",
          "what has to fit into memory while denoising"),
    _rule("t5", "token embedding", r"^shared\.weight$", "bfloat16", "a table of rows, read a few at a time"),
    _rule("t5", "relative position bias and norms", r"(relative_attention_bias|layer_norm)\.weight$", "bfloat16",
          "no matrices"),
    _rule("t5", "attention and feed-forward", r"\.(SelfAttention|DenseReluDense)\.\w+\.weight$", "quantized",
          "97 % of the encoder's parameters"),
    _rule("clip", "everything", r"", "source", "1 % of the model"),
    _rule("autoencoder", "everything", r"", "source", "computed in float32: its error is the picture's"),
    _rule("preview_decoder", "everything", r"", "source", "5 MB"),
)  # fmt: skip
"""The policy; the first rule of the part that matches a tensor's name (as in our files) holds."""


def keeping(part: Part, name: str) -> Keeping:
    """Return what the policy does with a tensor; LookupError for one that no rule knows."""
    for rule in POLICY:
        if rule.part == part and rule.names.search(name):
            return rule.keeping
    raise LookupError(f"no rule of the policy knows {name} of the part {part}")


def fills_groups(shape: tuple[int, ...], group_size: int) -> bool:
    """Whether a tensor is a matrix whose inputs (columns) fill whole groups."""
    return len(shape) == 2 and shape[1] % group_size == 0


def require_supported(quantization: QuantizationConfig | None) -> None:
    """Raise RequestError unless MLX can pack weights so."""
    if quantization and (quantization.bits not in BITS or quantization.group_size not in GROUP_SIZES):
        raise RequestError(
            f"weights cannot be quantized to {quantization.bits} bits in groups of {quantization.group_size}; "
            f"choose {', '.join(map(str, BITS))} bits and groups of {', '.join(map(str, GROUP_SIZES))}"
        )
