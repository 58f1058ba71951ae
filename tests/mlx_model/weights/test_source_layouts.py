"""Foreign names are those that their own software uses."""

import gguf
import pytest

from mlx_model.weights.layouts import Place
from mlx_model.weights.part_tensors import part_tensors
from mlx_model.weights.source_layouts import LAYOUTS, recognise
from tests.mlx_model.weights.sources import FULL_SIZE, golden_weights, released


def test_t5s_names_in_gguf_files_are_llama_cpps() -> None:
    shapes = part_tensors("t5", FULL_SIZE)["t5.safetensors"]
    layout = next(layout for layout in LAYOUTS if layout.name == "llama.cpp")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5ENCODER, FULL_SIZE.t5.num_layers)
    known = {
        names.get_name(ours, try_suffixes=(".weight",)): Place(ours, ((0, shape[0]),))
        for ours, shape in shapes.items()
    }
    assert layout.places(shapes, FULL_SIZE) == known


@pytest.mark.parametrize(
    ("names", "part", "layout"),
    [
        ([entry.name for entry in released("ace_plus_fft")], "transformer", "original"),
        ([f"model.diffusion_model.{e.name}" for e in released("flux1_fill_dev")], "transformer", "ComfyUI"),
        ([entry.name for entry in released("ae")], "autoencoder", "original"),
        (golden_weights("diffusers_flux.weights"), "transformer", "diffusers"),
        (golden_weights("diffusers_autoencoder.weights"), "autoencoder", "diffusers"),
        (golden_weights("t5", "weights."), "t5", "transformers"),
        (golden_weights("clip_quick_legacy", "weights."), "clip", "transformers"),
        (["encoder.layers.3.mlp.fc1.weight", "final_layer_norm.bias"], "clip", "transformers without prefix"),
        (["single_transformer_blocks.37.proj_mlp.weight"], "transformer", "diffusers"),
        (["decoder.layers.2.conv.0.weight", "encoder.layers.0.bias"], "autoencoder", "diffusers"),
        (["1.weight", "3.conv.0.bias"], "preview_decoder", "original decoder"),
    ],
)
def test_files_are_recognised_from_their_names(names: list[str], part: str, layout: str) -> None:
    found = recognise(names)
    assert found is not None
    assert (found.parts[0], found.name) == (part, layout)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["blk.0.attn_q.weight", "output_norm.weight"],
        list(golden_weights("lora_comfyui")),
        list(golden_weights("diffusers_flux.lora")),
        ["double_blocks.0.img_attn.qkv.lora_A.weight"],
        ["transformer_blocks.0.attn.to_q.lora_A.weight"],
    ],
    ids=[
        "nothing",
        "a language model",
        "kohya",
        "PEFT",
        "original names with a LoRA",
        "diffusers' names with a LoRA",
    ],
)
def test_what_is_no_part_of_a_model_is_not_taken_for_one(names: list[str]) -> None:
    found = recognise(names)
    assert found is None, found.name
