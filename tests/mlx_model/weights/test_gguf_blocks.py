"""GGUF's blocks become MLX's groups without loss, and K-quants the numbers that the gguf package reads in them."""

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_model.library.errors import Damaged
from mlx_model.library.gguf_header import gguf_entries
from mlx_model.runtime import mx
from mlx_model.weights.gguf_blocks import BLOCKS, STRAIGHT, Bytes, repacked, unpacked

SCALES = {"Q4_K": (0, 2), "Q5_K": (0, 2), "Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,), "IQ4_XS": (0,)}
"""Where a block of a packing has its float16 scales; the small ones have theirs first."""


def random_blocks(packing: str, rows: int, blocks: int, seed: int = 0) -> Bytes:
    """Return rows of valid blocks: any bits, but scales that are numbers."""
    random = np.random.default_rng(seed)
    size = BLOCKS[packing][1]
    data = random.integers(0, 256, (rows, blocks, size), np.uint8)
    for at in SCALES.get(packing, (0, 2) if packing.endswith("_1") else (0,)):
        scales = random.normal(0, 0.05, (rows, blocks, 1)).astype(np.float16)
        data[..., at : at + 2] = scales.view(np.uint8)
    return data.reshape(rows, -1)


def by_gguf(packing: str, rows: Bytes) -> np.ndarray:
    return gguf.dequantize(rows, gguf.GGMLQuantizationType[packing])


def by_mlx(packing: str, rows: Bytes) -> np.ndarray:
    weight, scales, biases = repacked(packing, rows)
    unpacked_by_mlx = mx.dequantize(
        mx.array(weight.view("<u4")),
        mx.array(scales.astype(np.float32)),
        mx.array(biases.astype(np.float32)),
        group_size=32,
        bits=STRAIGHT[packing].bits,
    )
    return np.array(unpacked_by_mlx)


@pytest.mark.parametrize("packing", STRAIGHT)
def test_what_is_taken_over_means_exactly_the_same_numbers(packing: str) -> None:
    rows = random_blocks(packing, 7, 6)
    assert np.array_equal(by_mlx(packing, rows), by_gguf(packing, rows))


@pytest.mark.parametrize("packing", STRAIGHT)
def test_what_the_gguf_package_packs_is_taken_over_exactly(packing: str) -> None:
    values = np.random.default_rng(1).normal(0, 0.02, (16, 128)).astype(np.float32)
    rows = gguf.quantize(values, gguf.GGMLQuantizationType[packing])
    ours = by_mlx(packing, rows)
    assert np.array_equal(ours, by_gguf(packing, rows))
    assert np.linalg.norm(ours - values) < 0.1 * np.linalg.norm(values)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(STRAIGHT)), st.binary(min_size=34, max_size=34), st.floats(-200, 200, width=16))
def test_any_block_is_taken_over_exactly(packing: str, block: bytes, scale: float) -> None:
    data = np.frombuffer(block, np.uint8).copy()[None, : BLOCKS[packing][1]]
    data[:, :2] = np.array([[scale]], np.float16).view(np.uint8)
    if packing == "Q4_1":
        data[:, 2:4] = np.array([[-scale / 3]], np.float16).view(np.uint8)
    assert np.array_equal(by_mlx(packing, data), by_gguf(packing, data))


@pytest.mark.parametrize("packing", ["Q8_0", "Q4_0"])
@pytest.mark.parametrize("scale", [np.inf, np.nan, 60_000])
def test_a_scale_that_is_no_number_is_told(packing: str, scale: float) -> None:
    rows = random_blocks(packing, 1, 1)
    rows[:, :2] = np.array([[scale]], np.float16).view(np.uint8)
    with np.errstate(over="ignore"), pytest.raises(Damaged, match="scale is no number"):
        repacked(packing, rows)


@pytest.mark.parametrize("packing", BLOCKS)
def test_every_packing_is_unpacked_as_the_gguf_package_does(packing: str) -> None:
    rows = random_blocks(packing, 3, 2)
    ours = unpacked(packing, rows)
    assert ours.shape == (3, 2 * BLOCKS[packing][0])
    assert np.isfinite(ours).all()
    assert np.array_equal(ours, by_gguf(packing, rows))
    kind = gguf.GGMLQuantizationType[packing]
    assert gguf.GGML_QUANT_SIZES[kind] == BLOCKS[packing]


def test_the_header_reader_knows_every_packing_that_can_be_unpacked() -> None:
    class File:
        """A GGUF file with one empty matrix of each packing."""

        title = "x.gguf"

        def __init__(self) -> None:
            records = b""
            for name in BLOCKS:
                number = gguf.GGMLQuantizationType[name].value
                text = name.encode()
                records += len(text).to_bytes(8, "little") + text + (2).to_bytes(4, "little")
                records += (256).to_bytes(8, "little") + bytes(8) + number.to_bytes(4, "little") + bytes(8)
            counts = (3).to_bytes(4, "little") + len(BLOCKS).to_bytes(8, "little") + bytes(8)
            data = b"GGUF" + counts + records
            self.data = data + bytes(-len(data) % 32)
            self.size = len(self.data)

        def read(self, start: int, stop: int) -> bytes:
            return self.data[start:stop]

    assert {entry.dtype for entry in gguf_entries(File()).entries} == set(BLOCKS)
