"""Adapters act beside the layers as if merged into them, in every layout, and come off without a trace.

The known answers: tests/golden/lora_* (made with the authors' code) and diffusers_flux.* (made with diffusers).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlx_model.networks.modulation import schedule_modulation
from mlx_model.networks.transformer import Transformer
from mlx_model.request import RequestError
from mlx_model.runtime import mx, nn, tree
from mlx_model.weights.config import QuantizationConfig, TransformerConfig
from mlx_model.weights.layouts import diffusers_places, from_diffusers, is_modulation, linear_shapes
from mlx_model.weights.lora import (
    AdaptedLinear,
    LoadedAdapter,
    acting_on,
    attach,
    detach,
    read_adapter,
    with_updates,
)
from mlx_model.weights.model_folder import load_weights, read_tensors
from mlx_model.weights.quantize import QuantizedLinear, quantize
from tests.known_answers import GOLDEN, Case, golden_case, golden_config, relative_error

KOHYA = GOLDEN / "lora_comfyui.safetensors"
CONFIG = golden_config(384)
BOUND = 1e-5


def delta(adapters: Sequence[LoadedAdapter], name: str, shape: tuple[int, ...]) -> mx.array:
    """Return what adapters add to the weight of a layer, (outputs, inputs) being its shape."""
    outputs, inputs = shape
    return with_updates(mx.zeros((inputs, outputs)), mx.eye(inputs), acting_on(adapters, name)).T


def merged_case(adapters: list[LoadedAdapter]) -> Case:
    """Bake adapters into the golden Fill transformer's weights: what the side paths must equal."""
    case = golden_case("fill")
    for name in {name for adapter in adapters for name in adapter.updates}:
        if is_modulation(name):
            weight = case.modulation[name + ".weight"]
            case.modulation[name + ".weight"] = weight + delta(adapters, name, weight.shape)
        else:
            layer = dict(case.transformer.named_modules())[name]
            layer.weight = layer.weight + delta(adapters, name, layer.weight.shape)
    return case


def random_adapter(seed: int, names: tuple[str, ...], rank: int = 2) -> dict[str, mx.array]:
    """Make an adapter in the released names for some layers of the golden Fill transformer."""
    weights = read_tensors(GOLDEN / "transformer_fill.weights.safetensors")
    tensors: dict[str, mx.array] = {}
    for i, name in enumerate(names):
        rows, columns = weights[name + ".weight"].shape
        down, up = mx.random.split(mx.random.key(100 * seed + i))
        tensors[f"{name}.lora_A.weight"] = mx.random.normal((rank, columns), key=down) * 0.2
        tensors[f"{name}.lora_B.weight"] = mx.random.normal((rows, rank), key=up) * 0.2
    return tensors


def test_a_kohya_adapter_equals_the_weights_that_the_authors_merged() -> None:
    """Alpha is 2 and rank 4 there, so a port that forgets alpha / rank fails."""
    case = golden_case("fill")
    before = read_tensors(GOLDEN / "transformer_fill.weights.safetensors")
    adapter = read_adapter(KOHYA, CONFIG, 0.8, dtype=mx.float32)
    for key, merged in read_tensors(GOLDEN / "lora_merged_scale0.8.safetensors").items():
        ours = delta([adapter], key.removesuffix(".weight"), merged.shape)
        error = relative_error(ours, merged - before[key])
        assert error <= BOUND, f"{key}: relative error of the update {error:.1e}"
    attach(case.transformer, [adapter])
    error = relative_error(case.velocity([adapter]), merged_case([adapter]).velocity())
    assert error <= BOUND, f"velocity: relative error {error:.1e}"


def test_the_adapter_moves_the_velocity_and_so_does_its_modulation_part_alone() -> None:
    case = golden_case("fill")
    adapter = read_adapter(KOHYA, CONFIG, dtype=mx.float32)
    plain, modulation_only = case.velocity(), case.velocity([adapter])
    attach(case.transformer, [adapter])
    both = case.velocity([adapter])
    for moved in (modulation_only, both):
        assert relative_error(moved, plain) > 0.001
    assert relative_error(both, modulation_only) > 0.001


def test_several_adapters_act_at_once_and_their_strengths_are_live() -> None:
    case = golden_case("fill")
    layers = ("single_blocks.0.linear1", "double_blocks.0.img_attn.qkv", "double_blocks.1.txt_mod.lin", "img_in")
    first = read_adapter(KOHYA, CONFIG, dtype=mx.float32)
    second = read_adapter(random_adapter(1, layers), CONFIG, name="second", dtype=mx.float32)
    for strengths in ((1.0, 0.5), (0.3, -0.7), (0.0, 1.0)):
        both = [replace(adapter, strength=s) for adapter, s in zip((first, second), strengths, strict=True)]
        attach(case.transformer, both)
        error = relative_error(case.velocity(both), merged_case(both).velocity())
        assert error <= BOUND, f"strengths {strengths}: relative error {error:.1e}"


def test_taking_adapters_off_leaves_the_very_same_weights() -> None:
    case = golden_case("fill")
    before, names = case.velocity(), [name for name, _ in tree.tree_flatten(case.transformer.parameters())]
    weight = case.transformer.img_in.weight
    files = (KOHYA, random_adapter(1, ("img_in",)))
    adapters = [read_adapter(file, CONFIG, dtype=mx.float32) for file in files]
    attach(case.transformer, adapters)
    assert isinstance(case.transformer.img_in, AdaptedLinear)
    detach(case.transformer)
    assert case.transformer.img_in.weight is weight
    assert [name for name, _ in tree.tree_flatten(case.transformer.parameters())] == names
    assert mx.array_equal(case.velocity(), before)


def test_an_adapter_stands_beside_a_quantized_layer() -> None:
    case = golden_case("fill")
    adapter = read_adapter(KOHYA, CONFIG, dtype=mx.float32)
    quantize(case.transformer, QuantizationConfig(64, 4), lambda name: name != "img_in")
    attach(case.transformer, [adapter])
    layer = case.transformer.single_blocks[0].linear1
    assert isinstance(layer, AdaptedLinear)
    assert isinstance(layer.base, QuantizedLinear)
    x = mx.random.normal((5, 64), key=mx.random.key(4))
    update = delta([adapter], "single_blocks.0.linear1", (448, 64))
    error = relative_error(layer(x) - layer.base(x), x @ update.T)
    assert error <= BOUND, f"the update through a 4-bit layer: relative error {error:.1e}"


def test_a_bfloat16_stream_stays_bfloat16_beside_an_adapter() -> None:
    adapter = read_adapter(KOHYA, CONFIG, 0.8, dtype=mx.bfloat16)
    acting = acting_on([adapter], "single_blocks.0.linear2")
    assert acting
    layer = nn.Linear(320, 64)
    layer.set_dtype(mx.bfloat16)
    assert AdaptedLinear(layer, acting)(mx.zeros((1, 320), mx.bfloat16)).dtype == mx.bfloat16


# Layouts.


def diffusers_case() -> tuple[TransformerConfig, Callable[[list[LoadedAdapter]], mx.array], dict[str, mx.array]]:
    """Load diffusers' model; returns its config, its velocity given adapters, and the known answers."""
    values = json.loads((GOLDEN / "diffusers_flux_config.json").read_text())
    grid = values.pop("rows"), values.pop("columns")
    config = TransformerConfig.from_dict(values)
    weights = from_diffusers(read_tensors(GOLDEN / "diffusers_flux.weights.safetensors"), config)
    model = Transformer(config)
    load_weights(model, {n: w for n, w in weights.items() if not is_modulation(n)}, dtype=mx.float32)
    case = read_tensors(GOLDEN / "diffusers_flux.case.safetensors")

    def velocity(adapters: list[LoadedAdapter]) -> mx.array:
        attach(model, adapters)
        vectors = model.vector(case["t"], case["guidance"], case["pooled"])
        modulation = {name: w for name, w in weights.items() if is_modulation(name)}
        step = schedule_modulation(config, modulation, vectors, adapters, dtype=mx.float32)[0]
        rope = model.rope(case["context"].shape[1], *grid)
        return model(case["tokens"], model.embed_text(case["context"]), step, rope)

    return config, velocity, case


def test_a_diffusers_adapter_on_every_layer_gives_the_velocity_that_diffusers_gives() -> None:
    """Separate q, k, v and proj_mlp land on fused layers, norm_out's halves are exchanged, alpha is in the header."""
    config, velocity, case = diffusers_case()
    adapter = read_adapter(GOLDEN / "diffusers_flux.lora.safetensors", config, 0.7, dtype=mx.float32)
    error = relative_error(velocity([adapter]), case["velocity_lora"])
    assert error <= BOUND, f"relative error {error:.1e}, allowed {BOUND:.0e}"
    assert relative_error(velocity([]), case["velocity_lora"]) > 0.1


def renamed(tensors: Mapping[str, mx.array], *changes: tuple[str, str]) -> dict[str, mx.array]:
    """Replace parts of all keys."""
    result: dict[str, mx.array] = {}
    for key, tensor in tensors.items():
        for old, new in changes:
            key = key.replace(old, new)
        result[key] = tensor
    return result


@pytest.mark.parametrize(
    "changes",
    [
        [("transformer.", "base_model.model.", )],
        [(".lora_A.", ".lora_A.default."), (".lora_B.", ".lora_B.default.")],
        [("transformer.", "")],
    ],
    ids=["PEFT", "PEFT with an adapter's name", "no prefix"],
)  # fmt: skip
def test_spellings_of_diffusers_names_mean_the_same(changes: list[tuple[str, str]]) -> None:
    config, _, _ = diffusers_case()
    tensors = read_tensors(GOLDEN / "diffusers_flux.lora.safetensors")
    same_as(read_adapter(tensors, config), read_adapter(renamed(tensors, *changes), config), config)


def test_kohya_names_over_diffusers_layers_mean_the_same() -> None:
    config, _, _ = diffusers_case()
    tensors = read_tensors(GOLDEN / "diffusers_flux.lora.safetensors")
    kohya: dict[str, mx.array] = {}
    for key, tensor in tensors.items():
        layer, half = key.removeprefix("transformer.").split(".lora_")
        kohya[f"lora_unet_{layer.replace('.', '_')}.lora_{ {'A': 'down', 'B': 'up'}[half[0]] }.weight"] = tensor
    same_as(read_adapter(tensors, config), read_adapter(kohya, config), config)


def in_diffusers_names(kohya: Mapping[str, mx.array], config: TransformerConfig) -> dict[str, mx.array]:
    """Write an adapter over the released layers as diffusers would: q, k, v and proj_mlp with a ``down`` each."""
    tensors: dict[str, mx.array] = {}
    for theirs, place in diffusers_places(config).items():
        stem = "lora_unet_" + place.name.replace(".", "_")
        if f"{stem}.alpha" in kohya:
            down, up = kohya[f"{stem}.lora_down.weight"], kohya[f"{stem}.lora_up.weight"]
            rows = [up[first : first + count] for first, count in place.pieces]
            scale = kohya[f"{stem}.alpha"] / down.shape[0]
            tensors[f"transformer.{theirs}.lora_A.weight"] = down
            tensors[f"transformer.{theirs}.lora_B.weight"] = mx.concatenate(rows, axis=0) * scale
    return tensors


def test_an_adapter_and_its_twin_in_diffusers_names_give_the_same_velocity_and_nothing_is_padded() -> None:
    case = golden_case("fill")
    tensors = in_diffusers_names(read_tensors(KOHYA), CONFIG)
    for strengths in ((1.0,), (0.6,), (0.6, 0.3)):
        made: list[mx.array] = []
        for file in (KOHYA, tensors):
            adapters = [read_adapter(file, CONFIG, strength, dtype=mx.float32) for strength in strengths]
            attach(case.transformer, adapters)
            made.append(case.velocity(adapters))
        error = relative_error(made[1], made[0])
        assert error <= BOUND, f"strengths {strengths}: relative error {error:.1e}"
    adapter = read_adapter(tensors, CONFIG, dtype=mx.float32)
    assert adapter.nbytes == sum(tensor.nbytes for tensor in tensors.values())


def test_an_adapter_of_some_rows_of_a_fused_layer_leaves_the_others_alone() -> None:
    """Most adapters change q and v only; one of them here stands beside one of the whole layer."""
    case = golden_case("fill")
    whole = read_adapter(random_adapter(8, ("single_blocks.0.linear1",)), CONFIG, dtype=mx.float32)
    tensors = in_diffusers_names(read_tensors(KOHYA), CONFIG)
    some = {key: tensor for key, tensor in tensors.items() if ".to_q." in key or ".to_v." in key}
    part = read_adapter(some, CONFIG, dtype=mx.float32)
    update = delta([part], "single_blocks.0.linear1", (448, 64))
    assert not mx.any(update[64:128]).item()
    assert not mx.any(update[192:]).item()
    assert mx.any(update[:64]).item()
    both = [whole, replace(part, strength=0.5)]
    attach(case.transformer, both)
    error = relative_error(case.velocity(both), merged_case(both).velocity())
    assert error <= BOUND, f"relative error {error:.1e}"


@pytest.mark.parametrize("prefix", ["", "diffusion_model.", "transformer."])
def test_the_released_names_with_peft_endings_mean_the_same_as_kohyas(prefix: str) -> None:
    layers = ("single_blocks.0.linear1", "double_blocks.1.img_attn.qkv", "final_layer.adaLN_modulation.1")
    tensors = random_adapter(2, layers)
    kohya: dict[str, mx.array] = {}
    for layer in layers:
        stem = "lora_unet_" + layer.replace(".", "_")
        kohya[f"{stem}.lora_down.weight"] = tensors[f"{layer}.lora_A.weight"]
        kohya[f"{stem}.lora_up.weight"] = tensors[f"{layer}.lora_B.weight"]
        kohya[f"{stem}.alpha"] = mx.array(2.0)  # equals the rank
    with_prefix = {prefix + key: tensor for key, tensor in tensors.items()}
    same_as(read_adapter(kohya, CONFIG), read_adapter(with_prefix, CONFIG), CONFIG)


def same_as(one: LoadedAdapter, other: LoadedAdapter, config: TransformerConfig) -> None:
    """Assert that two adapters hold the same updates."""
    assert one.updates.keys() == other.updates.keys()
    shapes = linear_shapes(config)
    for name in one.updates:
        ours, others = (delta([adapter], name, shapes[name]) for adapter in (one, other))
        assert mx.allclose(ours, others, 1e-5, 1e-7), name


@pytest.mark.parametrize(
    ("settings", "scale"),
    [({"lora_alpha": 8}, 4.0), ({"lora_alpha": 8, "alpha_pattern": {"linear1": 1}}, 0.5),
     ({"lora_alpha": 8, "alpha_pattern": {"ear1": 1}}, 4.0), ({"lora_alpha": 4, "use_rslora": True}, 4 / 2**0.5)],
)  # fmt: skip
def test_alpha_is_found_where_peft_keeps_it(settings: dict[str, object], scale: float, tmp_path: Path) -> None:
    tensors = random_adapter(3, ("single_blocks.0.linear1",))
    mx.save_safetensors(str(tmp_path / "adapter_model.safetensors"), tensors)
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    files = (tensors, tmp_path / "adapter_model.safetensors")
    adapters = (read_adapter(file, CONFIG, dtype=mx.float32) for file in files)
    plain, ours = (delta([adapter], "single_blocks.0.linear1", (448, 64)) for adapter in adapters)
    error = relative_error(ours, scale * plain)
    assert error <= BOUND, f"relative error {error:.1e}"


# What does not fit.


def test_text_encoder_keys_are_left_out_with_one_warning() -> None:
    tensors = random_adapter(4, ("img_in",))
    assert read_adapter(tensors, CONFIG).warnings == ()
    for key in (
        "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
        "lora_te2_encoder_block_0_layer_0_SelfAttention_q.alpha",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight",
    ):
        tensors[key] = mx.zeros((2, 8))
    adapter = read_adapter(tensors, CONFIG, name="style")
    assert adapter.warnings == ("the adapter style also changes the text encoder; that part is left out",)
    assert list(adapter.updates) == ["img_in"]


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("lora_unet_double_blocks_7_img_attn_qkv.lora_down.weight", (2, 64)),  # the model has two double blocks
        ("transformer.transformer_blocks.0.attn.to_x.lora_A.weight", (2, 64)),
        ("lora_unet_single_blocks_0_linear1.dora_scale", (448,)),
        ("double_blocks.0.img_attn.norm.query_norm.lora_A.weight", (2, 64)),
    ],
)
def test_an_unknown_key_of_the_transformer_is_an_error_that_names_it(key: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(RequestError, match=f"unknown key {key}"):
        read_adapter(random_adapter(5, ("img_in",)) | {key: mx.zeros(shape)}, CONFIG)


FFT_BASE = "the adapter x says that it was made for another model than this one: flux-1-dev/lora, flux1-fill-dev"


@pytest.mark.parametrize(
    ("metadata", "channels", "says"),
    [
        ({}, 384, "the adapter x does not say which model it was made for, and its layers fit all of FLUX.1's"),
        ({"ss_base_model_version": "None"}, 384, "does not say which model"),
        ({"ss_base_model_version": "flux1"}, 384, None),
        ({"modelspec.architecture": "Flux.1-dev/lora"}, 448, None),
        ({"modelspec.architecture": "flux-1-dev/lora", "ss_sd_model_name": "flux1-fill-dev"}, 384, None),
        ({"modelspec.architecture": "flux-1-dev/lora", "ss_sd_model_name": "flux1-fill-dev"}, 448, FFT_BASE),
        ({"ss_sd_model_name": "ace_plus_fft.safetensors"}, 384, "another model than this one: ace_plus_fft"),
        ({"ss_base_model_version": "chroma"}, 384, "another model than this one: chroma"),
    ],
)
def test_the_base_of_an_adapter_is_told_by_its_file_or_by_nothing(
    metadata: dict[str, str], channels: int, says: str | None, tmp_path: Path
) -> None:
    """Without ``img_in`` it fits Fill and FFT alike."""
    mx.save_safetensors(str(tmp_path / "x.safetensors"), random_adapter(7, ("single_blocks.0.linear1",)), metadata)
    config = replace(CONFIG, in_channels=channels)
    warnings = read_adapter(tmp_path / "x.safetensors", config).warnings
    assert len(warnings) == (0 if says is None else 1), warnings
    assert says is None or says in warnings[0]
    assert read_adapter(tmp_path / "x.safetensors", config, comes_with_model=True).warnings == ()


def test_the_base_of_an_adapter_of_the_first_layer_is_known_by_its_inputs(tmp_path: Path) -> None:
    mx.save_safetensors(str(tmp_path / "x.safetensors"), random_adapter(7, ("img_in",)))
    assert read_adapter(tmp_path / "x.safetensors", CONFIG).warnings == ()
    with pytest.raises(RequestError, match=r"the layer is \(64, 448\); it was made for FLUX.1 Fill \[dev\]$"):
        read_adapter(tmp_path / "x.safetensors", replace(CONFIG, in_channels=448))


def test_shapes_that_do_not_fit_and_halves_that_are_missing_are_named() -> None:
    tensors = random_adapter(6, ("img_in",))
    wrong = tensors | {"img_in.lora_A.weight": mx.zeros((2, 64))}  # an adapter for a model with other inputs
    with pytest.raises(RequestError, match=r"img_in has \(64, 2\) x \(2, 64\), the layer is \(64, 384\)"):
        read_adapter(wrong, CONFIG)
    del tensors["img_in.lora_A.weight"]
    with pytest.raises(RequestError, match="img_in has only up"):
        read_adapter(tensors, CONFIG)
    with pytest.raises(RequestError, match="holds no update"):
        read_adapter({}, CONFIG)
    for name, shape in (("lora_A.weight", ()), ("lora_A.weight", (0, 384)), ("lora_B.weight", (64,))):
        with pytest.raises(RequestError, match=r"img_in has .*, the layer is \(64, 384\)"):
            read_adapter(random_adapter(6, ("img_in",)) | {f"img_in.{name}": mx.zeros(shape)}, CONFIG)
    with pytest.raises(RequestError, match="has an alpha of img_in that is not one number"):
        read_adapter(random_adapter(6, ("img_in",)) | {"img_in.alpha": mx.zeros((2,))}, CONFIG)
