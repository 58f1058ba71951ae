"""Released files are compared with a model by every name and shape before anything is made of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mlx_model.library.catalogue import load_catalogue
from mlx_model.library.released_files import search, without_misfits
from mlx_model.runtime import mx
from mlx_model.weights.fitting import misfit
from mlx_model.weights.model_folder import read_tensors
from tests.known_answers import GOLDEN
from tests.mlx_model.sample_requests import lora
from tests.mlx_model.tiny_model import tiny_config

CONFIG = tiny_config()
Tensors = dict[str, mx.array]


def saved(path: Path, tensors: Tensors) -> Path:
    mx.save_safetensors(str(path), tensors)
    return path


def without(name: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {other: tensor for other, tensor in tensors.items() if other != name}


def with_one(name: str, shape: tuple[int, ...]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: tensors | {name: mx.zeros(shape)}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (dict[str, mx.array], None),
        (without("decoder.1.bias"), "missing: decoder.1.bias"),
        (with_one("encoder.99.weight", (1, 1, 1, 1)), "unknown: encoder.99.weight"),
        (with_one("decoder.1.bias", (3,)), r"wrong shape: decoder.1.bias is (3,), not (8,)"),
    ],
    ids=["whole", "a tensor less", "a tensor more", "another shape"],
)
def test_a_kept_autoencoder_is_compared_tensor_by_tensor(
    tiny_model: Path, tmp_path: Path, change: Callable[[Tensors], Tensors], why: str | None
) -> None:
    path = saved(tmp_path / "ae.safetensors", change(read_tensors(tiny_model / "autoencoder.safetensors")))
    said = misfit("autoencoder", [path], CONFIG)
    assert said is None if why is None else said is not None and why in said, said


def test_a_lora_of_another_width_is_noticed_before_it_is_used(tmp_path: Path) -> None:
    ours = saved(tmp_path / "local.safetensors", lora(("double_blocks.0.img_attn.qkv",)))
    assert misfit(None, [ours], CONFIG) is None
    stem = "lora_unet_double_blocks_0_img_attn_qkv"
    wider = {f"{stem}.lora_down.weight": mx.zeros((2, 64)), f"{stem}.lora_up.weight": mx.zeros((192, 2))}
    said = misfit(None, [saved(tmp_path / "wide.safetensors", wider)], CONFIG)
    assert said == (
        "the adapter wide does not fit this model: double_blocks_0_img_attn_qkv has (192, 2) x (2, 64), the layer is "
        "(96, 32)"
    )
    deeper = misfit(None, [GOLDEN / "lora_comfyui.safetensors"], CONFIG)
    assert deeper is not None
    assert "it has the unknown key lora_unet_double_blocks_1_" in deeper


def test_what_does_not_fit_is_passed_over_with_the_reason(tmp_path: Path) -> None:
    """By the sizes of the full model: an adapter for a small transformer, and a preview decoder's bare file."""
    saved(tmp_path / "local_style.safetensors", lora(("double_blocks.0.img_attn.qkv",)))
    catalogue = load_catalogue()
    found = search(tmp_path, catalogue, "ace-plus-fill")
    assert [one.part for one in found.found] == ["adapter_local"]
    kept = without_misfits(found, catalogue, "ace-plus-fill", misfit)
    assert kept.found == ()
    ((path, why),) = kept.passed_over
    assert path.name == "local_style.safetensors"
    assert "double_blocks_0_img_attn_qkv has (96, 2) x (2, 32), the layer is (9216, 3072)" in why


def test_the_bare_decoder_of_taef1_is_a_preview_decoder(tiny_model: Path, tmp_path: Path) -> None:
    tensors = read_tensors(tiny_model / "autoencoder.safetensors")
    bare = {name.removeprefix("decoder."): t for name, t in tensors.items() if name.startswith("decoder.")}
    path = saved(tmp_path / "taef1_decoder.safetensors", bare)
    catalogue = load_catalogue()
    found = without_misfits(search(path, catalogue, "ace-plus-fft"), catalogue, "ace-plus-fft", misfit)
    assert [one.part for one in found.found] == ["preview_decoder"], found.passed_over
