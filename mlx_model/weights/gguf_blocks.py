"""GGUF's blocks: three packings that become MLX's own without loss, and all of them unpacked.

A block of 32 numbers with one scale d is what MLX calls a group: ``d * q + bias``. Q4_0 is ``d * (q - 8)``, Q8_0
``d * q`` with q signed, Q4_1 ``d * q + m``; so only bits have to be put in MLX's order, and 8 d or 128 d is exact in
float16. (Blocks as in the format's public specification, ggml-common.h.)
"""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from mlx_model.library.errors import Damaged
from mlx_model.weights.config import QuantizationConfig

STRAIGHT: Final = {
    "Q4_0": QuantizationConfig(32, 4),
    "Q4_1": QuantizationConfig(32, 4),
    "Q8_0": QuantizationConfig(32, 8),
}
"""The packings that are taken over, and what they are in MLX."""
BLOCKS: Final = {
    "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34), "Q2_K": (256, 84),
    "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210), "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136),
}  # fmt: skip
"""Numbers and bytes of a block."""

Bytes: TypeAlias = npt.NDArray[np.uint8]


def repacked(packing: str, rows: Bytes) -> tuple[Bytes, npt.NDArray[np.float16], npt.NDArray[np.float16]]:
    """Turn rows of Q4_0, Q4_1 or Q8_0 blocks, (rows, bytes), into MLX's weight, scales and biases.

    The weight is (rows, bytes), to be read as little-endian uint32; scales and biases are (rows, blocks).

    Raises:
        Damaged: a bias is beyond float16, as no weights are that work.
    """
    blocks = rows.reshape(len(rows), -1, BLOCKS[packing][1])
    scales = _halves(blocks, 0)
    if packing == "Q8_0":
        weight = blocks[..., 2:] ^ 0x80  # from signed to counted from -128
        biases = (scales * np.float16(-128)).astype(np.float16)
    else:
        biases = _halves(blocks, 2) if packing == "Q4_1" else (scales * np.float16(-8)).astype(np.float16)
        nibbles = blocks[..., -16:]
        numbers = np.concatenate([nibbles & 15, nibbles >> 4], axis=-1)  # low nibbles are the first sixteen
        weight = numbers[..., 0::2] | numbers[..., 1::2] << 4
    if not np.isfinite(scales).all() or not np.isfinite(biases).all():
        raise Damaged("the file holds a quantized tensor whose scale is no number; fetch or copy it again")
    return weight.astype(np.uint8).reshape(len(rows), -1), scales, biases


def unpacked(packing: str, rows: Bytes) -> npt.NDArray[np.float32]:
    """Turn rows of blocks, (rows, bytes), into numbers, (rows, columns)."""
    import gguf  # it takes a while to load, and few conversions need it

    return gguf.dequantize(rows, gguf.GGMLQuantizationType[packing])


def _halves(blocks: Bytes, at: int) -> npt.NDArray[np.float16]:
    return np.ascontiguousarray(blocks[..., at : at + 2]).view(np.float16)[..., 0]
