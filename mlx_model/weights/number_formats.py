"""The bytes of a source tensor's rows as numbers, and numbers as the bytes of our files."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mlx_model.runtime import mx
from mlx_model.weights.config import QuantizationConfig
from mlx_model.weights.gguf_blocks import BLOCKS, repacked, unpacked

_NUMPY: Final = {"F64": np.float64, "F32": np.float32, "F16": np.float16}
_MLX: Final = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}
_BYTES: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}


def _fp8_e4m3() -> npt.NDArray[np.float32]:
    """Compute the value of every byte: sign, 4 bits of exponent, 3 of mantissa; no infinities."""
    codes = np.arange(256)
    exponent, mantissa = codes >> 3 & 15, codes & 7
    values = np.where(exponent == 0, mantissa / 8 * 2.0**-6, (1 + mantissa / 8) * 2.0 ** (exponent - 7))
    values = np.where(codes & 127 == 127, np.nan, values)
    return np.where(codes & 128, -values, values).astype(np.float32)


_FP8_E4M3: Final = _fp8_e4m3()


def is_known(dtype: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this format can be read as weights, row by row."""
    return dtype in _BYTES or (dtype in BLOCKS and len(shape) == 2)


def row_bytes(dtype: str, columns: int) -> int:
    """Bytes of a row of so many numbers."""
    if dtype in BLOCKS:
        numbers, size = BLOCKS[dtype]
        return columns // numbers * size
    return columns * _BYTES[dtype]


def decoded(dtype: str, rows: npt.NDArray[np.uint8], scale: float | None = None) -> mx.array:
    """Turn rows of a tensor, (rows, bytes), into float32 (rows, columns), times ``scale``."""
    if dtype == "BF16":
        values = mx.array(rows.view(np.uint16)).view(mx.bfloat16).astype(mx.float32)
    elif dtype == "F8_E4M3":
        values = mx.array(_FP8_E4M3[rows])
    elif dtype == "F8_E5M2":
        values = mx.array((rows.astype(np.uint16) << 8).view(np.float16).astype(np.float32))
    elif dtype in BLOCKS:
        values = mx.array(unpacked(dtype, rows))
    else:
        values = mx.array(rows.view(_NUMPY[dtype]).astype(np.float32))
    return values if scale is None else values * scale


def plain(values: mx.array, dtype: str) -> Iterator[memoryview]:
    """Write numbers as ``dtype``."""
    yield _bytes(values.astype(_MLX[dtype]))


@dataclass(frozen=True, eq=False)
class Counted:
    """Quantized rows: ``counts`` (rows, groups, group_size), times ``scales`` plus ``biases`` (rows, groups)."""

    counts: mx.array
    scales: mx.array
    biases: mx.array

    def values(self) -> mx.array:
        """Return the numbers that are meant, (rows, columns) in float32."""
        scales, biases = (part.astype(mx.float32)[..., None] for part in (self.scales, self.biases))
        return (self.counts * scales + biases).flatten(1)


def quantized(values: mx.array, packing: QuantizationConfig, dtype: str = "BF16") -> Counted:
    """Quantize float32 rows, with scales and biases in ``dtype``.

    They are those of ``mx.quantize``, rounded before the weights are counted in them. MLX counts first, which at 8
    bits in bfloat16 takes the weights half as far again from what they were.
    """
    _, *groups = mx.quantize(values, packing.group_size, packing.bits)
    scales, biases = (part.astype(_MLX[dtype]) for part in groups)
    scale, bias = (part.astype(mx.float32)[..., None] for part in (scales, biases))
    steps = mx.round((mx.unflatten(values, 1, (-1, packing.group_size)) - bias) / scale)
    return Counted(mx.clip(steps, 0, 2**packing.bits - 1), scales, biases)


def packed(values: mx.array, packing: QuantizationConfig, dtype: str) -> Iterator[memoryview]:
    """Quantize float32 rows; yield weight, scales and biases."""
    rows = quantized(values, packing, dtype)
    yield _bytes(_words(rows.counts.astype(mx.uint32).flatten(1), packing.bits))
    yield _bytes(rows.scales)
    yield _bytes(rows.biases)


def _words(counts: mx.array, bits: int) -> mx.array:
    """Pack numbers of so many bits without gaps, the first lowest: (rows, columns) to (rows, columns * bits / 32)."""
    columns = mx.unflatten(counts, 1, (-1, 32)).transpose(2, 0, 1)  # 32 numbers fill whole words
    words = [mx.zeros_like(columns[0]) for _ in range(bits)]
    for index in range(32):
        word, shift = divmod(index * bits, 32)
        words[word] = words[word] | columns[index] << shift
        if shift + bits > 32:
            words[word + 1] = words[word + 1] | columns[index] >> (32 - shift)
    return mx.stack(words, axis=-1).flatten(1)


def straight(packing: str, rows: npt.NDArray[np.uint8]) -> Iterator[memoryview]:
    """Take rows of GGUF blocks over; yield weight, scales and biases."""
    for part in repacked(packing, rows):
        yield np.ascontiguousarray(part).reshape(-1).view(np.uint8).data


def _bytes(values: mx.array) -> memoryview:
    return np.array(values.view(mx.uint8), np.uint8).reshape(-1).data
