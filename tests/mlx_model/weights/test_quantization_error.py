"""What is measured of a packing is what a converted model then does."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from mlx_model.library.tensor_files import LocalSource, TensorFile
from mlx_model.request import RequestError
from mlx_model.runtime import mx
from mlx_model.weights.config import ModelConfig, QuantizationConfig
from mlx_model.weights.convert import convert_part
from mlx_model.weights.model_folder import read_tensors
from mlx_model.weights.quantization_error import meant, measure, measure_block
from tests.mlx_model.tiny_model import tiny_config

POCKET = Path(__file__).parents[3] / "resources" / "models" / "pocket"
CONFIG = ModelConfig.load(POCKET)
FILES = ("transformer", "modulation")


def test_sizes_and_numbers_are_those_of_a_converted_model(tmp_path: Path) -> None:
    packing = QuantizationConfig(32, 4)
    files = [TensorFile(LocalSource(POCKET / f"{name}.safetensors")) for name in FILES]
    converted = convert_part("transformer", files, tmp_path, CONFIG, packing)
    (measured,) = measure(POCKET, [packing], (2, 2))
    assert measured.size == sum(file.size for file in converted.files)
    shipped = sum((POCKET / f"{name}.safetensors").stat().st_size for name in FILES)
    assert measured.full_size == pytest.approx(shipped, rel=0.01)
    ours = read_tensors(tmp_path / "transformer.safetensors")
    known = read_tensors(POCKET / "transformer.safetensors")
    name = "single_blocks.5.linear2"
    weight, scales, biases = (ours[f"{name}.{part}"] for part in ("weight", "scales", "biases"))
    floats = [part.astype(mx.float32) for part in (scales, biases)]
    expected = mx.dequantize(weight, *floats, group_size=32, bits=4)
    found = meant({f"{name}.weight": known[f"{name}.weight"].astype(mx.float32)}, packing)[f"{name}.weight"]
    assert mx.allclose(found, expected, rtol=0, atol=1e-6)


def test_more_bits_are_nearer_and_larger() -> None:
    packings = [QuantizationConfig(32, bits) for bits in (3, 4, 8)]
    three, four, eight = measure(POCKET, packings, (2, 2))
    assert three.error > 1.5 * four.error > 3 * eight.error > 0
    assert three.size < four.size < eight.size < eight.full_size
    (plain,) = measure(POCKET, [None], (2, 2))
    assert (plain.error, plain.size) == (0, plain.full_size)


def test_a_part_of_the_layers_can_be_measured() -> None:
    packing = [QuantizationConfig(32, 4)]
    errors = {scope: measure(POCKET, packing, (2, 2), scope)[0].error for scope in ("all", "modulation", "blocks")}
    assert 0 < errors["modulation"] < errors["all"]
    assert 0 < errors["blocks"] < errors["all"]


def test_a_block_is_measured() -> None:
    sizes = replace(tiny_config().transformer, hidden_size=64, num_heads=4)
    numbers: dict[Literal["double", "single"], int] = {
        "double": 2 * 64 * 64 * (6 + 3 + 1 + 2 + 2),  # modulation, qkv, proj, MLP in and out
        "single": 64 * 64 * (3 + 5 + 3),
    }
    for kind, linears in numbers.items():
        four, plain = measure_block(kind, sizes, [QuantizationConfig(64, 4), None], (2, 2))
        assert 0.01 < four.error < 0.3
        assert plain.error == 0
        assert plain.size == linears * 2
        assert four.size == linears * 4.5 / 8


def test_a_quantized_model_has_no_full_precision_to_compare_with(tmp_path: Path) -> None:
    files = [TensorFile(LocalSource(POCKET / f"{name}.safetensors")) for name in FILES]
    convert_part("transformer", files, tmp_path, CONFIG, QuantizationConfig(32, 4))
    CONFIG.save(tmp_path)
    with pytest.raises(RequestError, match="is quantized already"):
        measure(tmp_path, [None])
