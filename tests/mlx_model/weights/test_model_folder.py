"""Tensors are read and loaded strictly: what is missing, unknown, mis-shaped or damaged is named."""

import json
from pathlib import Path

import pytest

from mlx_model.networks.transformer import Transformer
from mlx_model.request import RequestError
from mlx_model.runtime import mx
from mlx_model.weights.layouts import is_modulation
from mlx_model.weights.model_folder import load_weights, read_tensors, read_tensors_and_metadata
from tests.known_answers import GOLDEN, golden_config


def golden_weights() -> dict[str, mx.array]:
    """Read the golden FFT weights without modulation."""
    tensors = read_tensors(GOLDEN / "transformer_fft.weights.safetensors")
    return {name: tensor for name, tensor in tensors.items() if not is_modulation(name)}


def test_all_that_does_not_fit_is_named_in_one_error() -> None:
    weights = golden_weights()
    del weights["txt_in.bias"]
    weights["double_blocks.7.img_attn.proj.bias"] = mx.zeros((64,))
    weights["img_in.weight"] = mx.zeros((64, 384))
    with pytest.raises(RequestError) as error:
        load_weights(Transformer(golden_config(448)), weights)
    for part in (
        "missing: txt_in.bias",
        "unknown: double_blocks.7.img_attn.proj.bias",
        "wrong shape: img_in.weight is (64, 384), not (64, 448)",
    ):
        assert part in str(error.value)


def test_a_refused_file_leaves_the_module_as_it_was() -> None:
    model = Transformer(golden_config(448))
    load_weights(model, golden_weights())
    before = mx.array(model.img_in.weight)
    with pytest.raises(RequestError):
        load_weights(model, {name: w + 1 for name, w in golden_weights().items() if name != "txt_in.bias"})
    assert mx.array_equal(model.img_in.weight, before)


def test_a_long_list_is_shortened() -> None:
    with pytest.raises(RequestError, match=r"and \d+ more"):
        load_weights(Transformer(golden_config(448)), {})


def test_weights_are_converted_to_the_type_that_is_computed_in() -> None:
    model = Transformer(golden_config(448))
    load_weights(model, golden_weights(), dtype=mx.bfloat16)
    assert model.img_in.weight.dtype == mx.bfloat16


def test_the_text_of_a_header_is_read(tmp_path: Path) -> None:
    mx.save_safetensors(str(tmp_path / "a.safetensors"), {"a": mx.zeros((2,))}, {"made": "here"})
    tensors, metadata = read_tensors_and_metadata(tmp_path / "a.safetensors")
    assert list(tensors) == ["a"]
    assert metadata["made"] == "here"


def test_a_missing_damaged_or_cut_file_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is missing"):
        read_tensors(tmp_path / "nothing.safetensors")
    whole = (GOLDEN / "lora_comfyui.safetensors").read_bytes()
    damages = {
        "empty": b"", "text": b"<html>not found</html>", "header cut": whole[:100], "data cut": whole[:-4],
        "list": (2).to_bytes(8, "little") + b"[]", "bad entry": (8).to_bytes(8, "little") + b'{"a": 1}',
    }  # fmt: skip
    for what, content in damages.items():
        path = tmp_path / f"{what}.safetensors"
        path.write_bytes(content)
        with pytest.raises(RequestError, match=r"cannot be read: .+; install it again"):
            read_tensors(path)


@pytest.mark.parametrize(
    ("shape", "offsets", "why"),
    [
        ([1 << 40], [0, 16], "makes no sense"),
        ([4], [-16, 0], "makes no sense"),
        ([2], [8, 16], "overlap or leave holes"),
        ([1 << 62], [0, 1 << 64], "cut short|makes no sense"),
        ([2], [0, 8], "but its tensors end at"),
    ],
    ids=["a shape beyond the bytes", "before the beginning", "a hole", "beyond the end", "bytes of no tensor"],
)
def test_a_header_that_lies_is_never_believed(tmp_path: Path, shape: list[int], offsets: list[int], why: str) -> None:
    """MLX alone would open these, and fail, or read elsewhere, once a tensor is used."""
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}).encode()
    path = tmp_path / "lora.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 16)
    with pytest.raises(RequestError, match=rf"cannot be read: it .*({why}).*; install it again"):
        read_tensors(path)
