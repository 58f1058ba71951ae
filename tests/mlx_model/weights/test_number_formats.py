"""Every number format of a source is read as it is meant."""

import numpy as np
import pytest

from mlx_model.runtime import mx
from mlx_model.weights.config import QuantizationConfig
from mlx_model.weights.number_formats import decoded, packed, plain, row_bytes
from mlx_model.weights.policy import BITS, GROUP_SIZES
from tests.known_answers import relative_error


@pytest.mark.parametrize("bits", BITS)
def test_words_are_packed_as_mlx_packs_them(bits: int) -> None:
    """Numbers that float32 scales hold exactly: steps of 1 from 0 to the greatest in every group."""
    counts = np.random.default_rng(bits).integers(0, 2**bits, (3, 128)).astype(np.float32)
    counts[:, ::32], counts[:, 1::32] = 0, 2**bits - 1
    weight, scales, _ = mx.quantize(mx.array(counts), 32, bits)
    ours = [np.frombuffer(part, np.uint8) for part in packed(mx.array(counts), QuantizationConfig(32, bits), "F32")]
    assert mx.abs(scales).tolist() == [[1.0] * 4] * 3
    assert np.array_equal(ours[0].view("<u4").reshape(3, -1), np.array(weight))


def test_every_fp8_number_is_the_one_that_mlx_reads() -> None:
    every = np.arange(256, dtype=np.uint8)[None]
    ours, known = np.array(decoded("F8_E4M3", every)), np.array(mx.from_fp8(mx.array(every), mx.float32))
    assert np.array_equal(ours, known, equal_nan=True)
    assert np.isnan(ours).sum() == 2
    assert np.nanmax(ours) == 448


def test_the_other_fp8_is_half_of_a_float16() -> None:
    numbers = np.array([[0x3C, 0xC0, 0x01, 0x7B]], np.uint8)
    assert np.array(decoded("F8_E5M2", numbers)).tolist() == [[1.0, -2.0, 2.0**-16, 57344.0]]


@pytest.mark.parametrize(("dtype", "kind"), [("BF16", mx.bfloat16), ("F16", mx.float16), ("F32", mx.float32)])
def test_plain_numbers_come_back_from_bytes(dtype: str, kind: mx.Dtype) -> None:
    values = mx.random.normal((3, 5), key=mx.random.key(1)).astype(kind).astype(mx.float32)
    data = np.frombuffer(next(plain(values, dtype)), np.uint8).reshape(3, row_bytes(dtype, 5))
    assert mx.array_equal(decoded(dtype, data), values)
    assert mx.array_equal(decoded(dtype, data, 3.0), values * 3)


def test_float64_is_read() -> None:
    data = np.array([[1.5, -2.25]]).view(np.uint8)
    assert decoded("F64", data).tolist() == [[1.5, -2.25]]


@pytest.mark.parametrize("group_size", GROUP_SIZES)
@pytest.mark.parametrize("bits", BITS)
def test_packed_rows_are_as_near_as_mlxs_own(bits: int, group_size: int) -> None:
    values = mx.random.normal((4, 256), key=mx.random.key(2))
    weight, scales, biases = packed(values, QuantizationConfig(group_size, bits), "BF16")
    back = mx.dequantize(
        mx.array(np.frombuffer(weight, "<u4").reshape(4, -1)),
        *(decoded("BF16", np.frombuffer(part, np.uint8).reshape(4, -1)) for part in (scales, biases)),
        group_size=group_size,
        bits=bits,
    )
    theirs = mx.dequantize(*mx.quantize(values, group_size, bits), group_size=group_size, bits=bits)
    ours, known = (relative_error(weights, values) for weights in (back, theirs))
    assert ours < 1.1 * known, f"{ours:.2%} with scales in bfloat16, {known:.2%} with MLX's own in float32"


def test_rows_are_quantized_each_on_its_own() -> None:
    values = mx.random.normal((6, 64), key=mx.random.key(3))
    packing = QuantizationConfig(32, 5)
    whole = [bytes(part) for part in packed(values, packing, "BF16")]
    halves = [[bytes(part) for part in packed(rows, packing, "BF16")] for rows in (values[:2], values[2:])]
    assert whole == [first + second for first, second in zip(*halves, strict=True)]
