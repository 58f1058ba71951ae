"""Released files become a model folder's parts, right in every layout and number format."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlx_model.networks.autoencoder import Autoencoder, channels_last
from mlx_model.networks.clip import ClipTextEncoder
from mlx_model.networks.modulation import schedule_modulation
from mlx_model.networks.t5 import T5Encoder
from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.networks.transformer import Transformer
from mlx_model.runtime import mx
from mlx_model.weights.config import (
    AutoencoderConfig,
    ClipConfig,
    QuantizationConfig,
    T5Config,
    TinyAutoencoderConfig,
    TransformerConfig,
)
from mlx_model.weights.convert import convert_part
from mlx_model.weights.layouts import from_diffusers
from mlx_model.weights.model_folder import load_weights, read_tensors, read_tensors_and_metadata
from mlx_model.weights.part_tensors import part_tensors
from mlx_model.weights.policy import keeping
from mlx_model.weights.source_layouts import LAYOUTS
from tests.known_answers import GOLDEN, Case, golden_case, relative_error
from tests.mlx_model.tiny_model import tiny_config
from tests.mlx_model.weights.sources import (
    FOUR_BITS,
    Numbers,
    contents,
    golden_model,
    golden_weights,
    opened,
    require_described,
    save,
    save_blocks,
    save_gguf,
    save_raw,
    shards,
)
from tests.mlx_model.weights.test_gguf_blocks import by_gguf, random_blocks

FFT = golden_model()
TRANSFORMER = GOLDEN / "transformer_fft.weights.safetensors"


def converted_case(folder: Path) -> Case:
    """Load what was converted of the golden FFT transformer."""
    case = golden_case("fft")
    transformer = Transformer(case.config)
    load_weights(transformer, read_tensors(folder / "transformer.safetensors"), dtype=mx.float32)
    return replace(case, transformer=transformer, modulation=read_tensors(folder / "modulation.safetensors"))


# Layouts.


def test_the_original_file_gives_the_golden_velocity(tmp_path: Path) -> None:
    converted = convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, None)
    require_described(converted, tmp_path)
    error = converted_case(tmp_path).error()
    assert error < 2e-2, f"weights in bfloat16 move the velocity by {error:.1e}"
    ours, metadata = read_tensors_and_metadata(tmp_path / "transformer.safetensors")
    assert metadata == {"format": "mlx"}
    known = read_tensors(TRANSFORMER)
    for name, tensor in {**ours, **read_tensors(tmp_path / "modulation.safetensors")}.items():
        assert mx.array_equal(tensor, known.pop(name).astype(mx.bfloat16)), name
    assert not known


def test_diffusers_shards_give_diffusers_velocity(tmp_path: Path) -> None:
    values = json.loads((GOLDEN / "diffusers_flux_config.json").read_text())
    rows, columns = values.pop("rows"), values.pop("columns")
    sizes = TransformerConfig.from_dict(values)
    theirs = golden_weights("diffusers_flux.weights")
    folder = tmp_path / "ours"
    convert_part("transformer", shards(tmp_path, theirs), folder, replace(FFT, transformer=sizes), None)
    modulation = read_tensors(folder / "modulation.safetensors")
    model = Transformer(sizes)
    load_weights(model, read_tensors(folder / "transformer.safetensors"), dtype=mx.float32)
    known = {name: tensor.astype(mx.bfloat16) for name, tensor in from_diffusers(theirs, sizes).items()}
    for name, tensor in {**read_tensors(folder / "transformer.safetensors"), **modulation}.items():
        assert mx.array_equal(tensor, known.pop(name)), name
    assert not known
    case = golden_weights("diffusers_flux.case")
    vectors = model.vector(case["t"], case["guidance"], case["pooled"])
    step = schedule_modulation(sizes, dict(modulation), vectors, dtype=mx.float32)[0]
    text, rope = model.embed_text(case["context"]), model.rope(case["context"].shape[1], rows, columns)
    error = relative_error(model(case["tokens"], text, step, rope), case["velocity"])
    assert error < 2e-2, f"weights in bfloat16 move the velocity by {error:.1e}"


def test_quantized_diffusers_shards_are_byte_for_byte_what_the_original_gives(tmp_path: Path) -> None:
    values = json.loads((GOLDEN / "diffusers_flux_config.json").read_text())
    sizes = TransformerConfig.from_dict({n: v for n, v in values.items() if n not in ("rows", "columns")})
    model = replace(FFT, transformer=sizes)
    theirs = golden_weights("diffusers_flux.weights")
    convert_part("transformer", shards(tmp_path, theirs), tmp_path / "a", model, FOUR_BITS)
    original = save(tmp_path / "x.safetensors", from_diffusers(theirs, sizes))
    convert_part("transformer", [original], tmp_path / "b", model, FOUR_BITS)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert "double_blocks.0.img_attn.qkv.scales" in read_tensors(tmp_path / "a/transformer.safetensors")


def test_comfyuis_prefix_makes_no_difference(tmp_path: Path) -> None:
    known = golden_weights("transformer_fft.weights")
    prefixed = save(tmp_path / "x.safetensors", {f"model.diffusion_model.{n}": t for n, t in known.items()})
    convert_part("transformer", [prefixed], tmp_path / "a", FFT, FOUR_BITS)
    convert_part("transformer", [opened(TRANSFORMER)], tmp_path / "b", FFT, FOUR_BITS)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def fp8(values: mx.array) -> bytes:
    return np.array(mx.to_fp8(values), np.uint8).tobytes()


@pytest.mark.parametrize("suffix", [None, "scale_weight", "weight_scale"])
def test_fp8_is_read_with_its_scales_wherever_they_lie(tmp_path: Path, suffix: str | None) -> None:
    scale = 0.5 if suffix else 1.0
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
    known: dict[str, mx.array] = {}
    for name, tensor in golden_weights("transformer_fft.weights").items():
        if tensor.ndim == 2:
            data = fp8(tensor / scale)
            tensors[name] = ("F8_E4M3", tensor.shape, data)
            stored = mx.array(np.frombuffer(data, np.uint8)).reshape(tensor.shape)
            known[name] = mx.from_fp8(stored, mx.float32) * scale
            if suffix:
                layer = name.removesuffix(".weight")
                tensors[f"{layer}.{suffix}"] = ("F32", (), np.float32(scale).tobytes())
                tensors[f"{layer}.scale_input"] = ("F32", (), np.float32(7).tobytes())
        else:
            tensors[name] = ("F32", tensor.shape, np.array(tensor).tobytes())
            known[name] = tensor
    if suffix:
        tensors["scaled_fp8"] = ("F8_E4M3", (2,), b"\0\0")
    file = save_raw(tmp_path / "x.safetensors", tensors)
    convert_part("transformer", [file], tmp_path / "a", FFT, None)
    for part in ("transformer", "modulation"):
        for name, tensor in read_tensors(tmp_path / f"a/{part}.safetensors").items():
            assert mx.array_equal(tensor, known[name].astype(mx.bfloat16)), name


@pytest.mark.parametrize(("packing", "bound"), [("Q8_0", 0.03), ("Q4_0", 0.5), ("Q4_1", 0.5)])
def test_gguf_blocks_are_taken_over(tmp_path: Path, packing: str, bound: float) -> None:
    weights = golden_weights("transformer_fft.weights")
    file = save_gguf(tmp_path / "x.gguf", weights, packing)
    convert_part("transformer", [file], tmp_path / "a", FFT, QuantizationConfig(64, 8))
    ours = read_tensors(tmp_path / "a/transformer.safetensors")
    kinds = {entry.name: entry.dtype for entry in file.entries}
    name = "double_blocks.1.txt_mlp.2"
    assert kinds[f"{name}.weight"] == packing
    assert ours[f"{name}.scales"].dtype == mx.float16
    assert ours[f"{name}.scales"].shape[1] * 32 == weights[f"{name}.weight"].shape[1]
    assert ours["final_layer.linear.weight"].dtype == mx.bfloat16, "the policy keeps what the file has quantized"
    assert kinds["final_layer.linear.weight"] == packing
    error = converted_case(tmp_path / "a").error()
    assert error < bound, f"{packing} moves the velocity by {error:.1e}"


def test_fewer_bits_than_a_gguf_file_has_are_quantized_again(tmp_path: Path) -> None:
    file = save_gguf(tmp_path / "x.gguf", golden_weights("transformer_fft.weights"), "Q8_0")
    convert_part("transformer", [file], tmp_path / "a", FFT, QuantizationConfig(64, 4))
    scales = read_tensors(tmp_path / "a/transformer.safetensors")["single_blocks.0.linear1.scales"]
    assert (scales.dtype, scales.shape[1]) == (mx.bfloat16, 1)
    convert_part("transformer", [file], tmp_path / "b", FFT, None)
    assert not any(name.endswith(".scales") for name in read_tensors(tmp_path / "b/transformer.safetensors"))


def test_k_quants_are_unpacked_and_quantized_again(tmp_path: Path) -> None:
    model = tiny_config()
    model = replace(model, transformer=replace(model.transformer, hidden_size=128))  # the MLPs have 256 inputs
    blocks: dict[str, Numbers] = {}
    known: dict[str, mx.array] = {}
    for name, shape in part_tensors("transformer", model)["transformer.safetensors"].items():
        blocks[name] = np.random.default_rng(4).normal(0, 0.02, shape).astype(np.float32)
        if keeping("transformer", name) == "quantized" and shape[1] % 256 == 0:
            blocks[name] = random_blocks("Q4_K", shape[0], shape[1] // 256)
    for name, shape in part_tensors("transformer", model)["modulation.safetensors"].items():
        blocks[name] = np.ones(shape, np.float32)
    for name, rows in blocks.items():
        known[name] = mx.array(rows if rows.dtype == np.float32 else by_gguf("Q4_K", rows))
    assert sum(rows.dtype == np.uint8 for rows in blocks.values()) == 2
    six = QuantizationConfig(64, 6)
    convert_part("transformer", [save_blocks(tmp_path / "x.gguf", blocks, "Q4_K")], tmp_path / "a", model, six)
    convert_part("transformer", [save(tmp_path / "x.safetensors", known)], tmp_path / "b", model, six)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_t5_is_read_in_both_its_layouts(tmp_path: Path) -> None:
    sizes = T5Config(**json.loads((GOLDEN / "text_configs.json").read_text())["t5"])
    model, known = replace(FFT, t5=sizes), golden_weights("t5", "weights.")
    known.pop("encoder.embed_tokens.weight", None)
    convert_part("t5", [save(tmp_path / "x.safetensors", known)], tmp_path / "a", model, None)
    encoder = T5Encoder(sizes)
    load_weights(encoder, read_tensors(tmp_path / "a/t5.safetensors"), dtype=mx.float32)
    case = golden_weights("t5")
    error = relative_error(encoder(case["ids"]), case["hidden"])
    assert error < 0.05, f"weights in bfloat16 move the hidden state by {error:.1e}"

    shapes = part_tensors("t5", model)["t5.safetensors"]
    layout = next(layout for layout in LAYOUTS if layout.name == "llama.cpp")
    renamed = {theirs: known[place.name] for theirs, place in layout.places(shapes, model).items()}
    file = save_gguf(tmp_path / "x.gguf", renamed, "Q8_0")
    convert_part("t5", [file], tmp_path / "b", model, QuantizationConfig(32, 8))
    ours = read_tensors(tmp_path / "b/t5.safetensors")
    attention = "encoder.block.0.layer.0.SelfAttention"
    assert ours[f"{attention}.q.scales"].dtype == mx.float16
    assert ours["shared.weight"].dtype == mx.bfloat16
    assert ours[f"{attention}.relative_attention_bias.weight"].dtype == mx.bfloat16
    load_weights(encoder, ours, dtype=mx.float32)
    error = relative_error(encoder(case["ids"]), case["hidden"])
    assert error < 0.2, f"Q8_0 moves the hidden state by {error:.1e}"


@pytest.mark.parametrize("prefix", ["text_model.", ""])
def test_clip_keeps_its_numbers_under_either_name(tmp_path: Path, prefix: str) -> None:
    sizes = ClipConfig(**json.loads((GOLDEN / "text_configs.json").read_text())["clip_quick_legacy"])
    known = golden_weights("clip_quick_legacy", "weights.")
    theirs = {name.replace("text_model.", prefix): tensor for name, tensor in known.items()}
    theirs["text_projection.weight"] = mx.ones((4, 4))
    source = save(tmp_path / "x.safetensors", theirs)
    convert_part("clip", [source], tmp_path / "a", replace(FFT, clip=sizes), FOUR_BITS)
    encoder = ClipTextEncoder(sizes)
    load_weights(encoder, read_tensors(tmp_path / "a/clip.safetensors"), dtype=mx.float32)
    case = golden_weights("clip_quick_legacy")
    error = relative_error(encoder(case["ids"]), case["pooled"])
    assert error <= 1e-5, f"CLIP differs by {error:.2e}"


def test_the_original_autoencoder_keeps_its_numbers(tmp_path: Path) -> None:
    values = json.loads((GOLDEN / "autoencoder_config.json").read_text())
    values = {n: v for n, v in values.items() if n not in ("scale_factor", "shift_factor", "ch_mult")}
    sizes = AutoencoderConfig(architecture="full", **values, ch_mult=(1, 1, 1, 2))
    source = opened(GOLDEN / "autoencoder.weights.safetensors")
    convert_part("autoencoder", [source], tmp_path, replace(FFT, autoencoder=sizes), FOUR_BITS)
    known, ours = golden_weights("autoencoder.weights"), read_tensors(tmp_path / "autoencoder.safetensors")
    assert known.keys() == ours.keys()
    assert all(mx.array_equal(ours[name], known[name]) for name in known)


def test_diffusers_autoencoder_gives_diffusers_pictures(tmp_path: Path) -> None:
    sizes = AutoencoderConfig("full", 64, 3, 32, 3, (1, 2), 1, 4)
    source = opened(GOLDEN / "diffusers_autoencoder.weights.safetensors")
    convert_part("autoencoder", [source], tmp_path, replace(FFT, autoencoder=sizes), FOUR_BITS)
    model = Autoencoder(sizes)
    load_weights(model, channels_last(read_tensors(tmp_path / "autoencoder.safetensors")), dtype=mx.float32)
    case = channels_last(golden_weights("diffusers_autoencoder.case"))
    for what, ours, known in (
        ("encoder", model.encode(case["image"]), case["mean"]),
        ("decoder", model.decode(case["latent"]), case["decoded"]),
    ):
        error = relative_error(ours, known)
        assert error <= 1e-5, f"{what} differs by {error:.2e}"


@pytest.mark.parametrize("layout", ["original", "diffusers", "original decoder"])
def test_the_preview_decoder_is_read_in_its_layouts(tmp_path: Path, layout: str) -> None:
    known = golden_weights("tiny_autoencoder", "weights.")
    theirs: dict[str, mx.array] = {}
    for name, tensor in known.items():
        part, index, rest = name.split(".", 2)
        if layout == "diffusers":  # as tools/golden made the known answers, backwards
            theirs[f"{part}.layers.{int(index) - (part == 'decoder')}.{rest}"] = tensor
        elif layout == "original":
            theirs[name] = tensor
        elif part == "decoder":
            theirs[f"{index}.{rest}"] = tensor
    model = replace(FFT, transformer=replace(FFT.transformer, out_channels=16))
    source = save(tmp_path / "x.safetensors", theirs)
    convert_part("preview_decoder", [source], tmp_path / "a", model, FOUR_BITS)
    ours = read_tensors(tmp_path / "a/preview_decoder.safetensors")
    assert {name for name in known if name.startswith("decoder.")} == set(ours)
    assert all(mx.array_equal(ours[name], known[name]) for name in ours)
    if layout != "original decoder":
        tiny = replace(model, autoencoder=TinyAutoencoderConfig("tiny", 8, 4))
        convert_part("autoencoder", [source], tmp_path / "b", tiny, None)
        decoder = TinyAutoencoder(TinyAutoencoderConfig("tiny", 8, 4))
        load_weights(decoder, channels_last(read_tensors(tmp_path / "b/autoencoder.safetensors")), dtype=mx.float32)
        case = channels_last(golden_weights("tiny_autoencoder"))
        error = relative_error(decoder.decode(case["latent"]), case["decoded"])
        assert error <= 1e-5, f"decoder differs by {error:.2e}"


@pytest.mark.parametrize(("bits", "bound"), [(3, 0.6), (4, 0.3), (5, 0.2), (6, 0.1), (8, 0.03)])
def test_every_bit_width_loads_and_computes(tmp_path: Path, bits: int, bound: float) -> None:
    convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, QuantizationConfig(32, bits))
    error = converted_case(tmp_path).error()
    assert bound / 10 < error < bound, f"{bits} bits move the velocity by {error:.1e}"
