"""Quantized layers compute what their unpacked weights compute, in the type of the stream."""

from dataclasses import replace

import pytest

from mlx_model.networks.modulation import schedule_modulation
from mlx_model.networks.transformer import Transformer
from mlx_model.request import RequestError
from mlx_model.runtime import ON_GPU, mx, nn, tree
from mlx_model.weights.config import QuantizationConfig
from mlx_model.weights.layouts import is_modulation, linear_shapes
from mlx_model.weights.model_folder import load_weights
from mlx_model.weights.policy import BITS, GROUP_SIZES
from mlx_model.weights.quantize import QuantizedLinear, dequantize, packing_of, quantize
from tests.known_answers import golden_case, relative_error

EIGHT_BITS = QuantizationConfig(group_size=64, bits=8)


@pytest.mark.parametrize(("dtype", "bound"), [(mx.float32, 1e-6), (mx.bfloat16, 4e-3)])
def test_a_quantized_layer_computes_with_its_unpacked_weights_and_keeps_the_type(
    dtype: mx.Dtype, bound: float
) -> None:
    layer = nn.Linear(128, 96)
    layer.set_dtype(dtype)
    ours = QuantizedLinear.from_linear(layer, 64, 4)
    x = mx.random.normal((3, 5, 128), key=mx.random.key(2)).astype(dtype)
    exact = QuantizedLinear.from_linear(layer, 64, 4)
    exact.set_dtype(mx.float32)  # the packed weights stay as they are
    known = nn.QuantizedLinear.__call__(exact, x.astype(mx.float32))
    assert ours(x).dtype == dtype
    error = relative_error(ours(x), known)
    assert error < bound, f"relative error {error:.1e}, allowed {bound:.0e}"


def test_eight_bits_stay_near_the_golden_velocity_and_are_not_it() -> None:
    case = golden_case("fft")
    quantize(case.transformer, EIGHT_BITS)
    assert isinstance(case.transformer.double_blocks[0].img_attn.qkv, QuantizedLinear)
    assert not isinstance(case.transformer.txt_in, QuantizedLinear)  # 56 inputs do not fill a group
    error = case.error()
    assert 1e-4 < error < 0.02, f"relative error {error:.2%}"


def test_only_chosen_layers_are_quantized() -> None:
    case = golden_case("fft")
    quantize(case.transformer, EIGHT_BITS, lambda name: "img_mlp" in name)
    quantized = [name for name, layer in case.transformer.named_modules() if isinstance(layer, QuantizedLinear)]
    assert sorted(quantized) == [f"double_blocks.{i}.img_mlp.{j}" for i in (0, 1) for j in (0, 2)]


def test_quantized_tensors_are_loaded_into_quantized_layers() -> None:
    case = golden_case("fft")
    quantize(case.transformer, EIGHT_BITS, lambda name: "single" in name)
    known = case.velocity()
    loaded = Transformer(case.config)
    load_weights(loaded, dict(tree.tree_flatten(case.transformer.parameters())), dtype=mx.float32)
    assert loaded.single_blocks[0].linear1.weight.dtype == mx.uint32
    assert mx.array_equal(replace(case, transformer=loaded).velocity(), known)


def test_every_layer_is_loaded_as_its_own_shapes_say() -> None:
    case = golden_case("fft")
    packings = {
        f"double_blocks.{i}.{stream}_mlp.{j}": QuantizationConfig(group_size, bits)
        for (i, stream, j, group_size), bits in zip(
            [(0, "img", 0, 32), (0, "img", 2, 64), (0, "txt", 2, 128), (1, "img", 2, 32), (1, "txt", 0, 64)],
            BITS,
            strict=True,
        )
    }
    for name, packing in packings.items():
        quantize(case.transformer, packing, lambda layer, name=name: layer == name)
    known = case.velocity()
    loaded = Transformer(case.config)
    load_weights(loaded, dict(tree.tree_flatten(case.transformer.parameters())), dtype=mx.float32)
    layers = {n: layer for n, layer in loaded.named_modules() if isinstance(layer, QuantizedLinear)}
    assert {n: QuantizationConfig(layer.group_size, layer.bits) for n, layer in layers.items()} == packings
    assert mx.array_equal(replace(case, transformer=loaded).velocity(), known)


@pytest.mark.parametrize("group_size", GROUP_SIZES)
@pytest.mark.parametrize("bits", BITS)
def test_a_packing_is_read_from_the_shapes(bits: int, group_size: int) -> None:
    weight, scales, biases = mx.quantize(mx.zeros((4, 384)), group_size, bits)
    tensors = {"a.weight": weight, "a.scales": scales, "a.biases": biases}
    assert packing_of(tensors, "a", 384) == QuantizationConfig(group_size, bits)
    for inputs in (320, 416):
        with pytest.raises(RequestError, match=r"a is quantized in a way that is not known"):
            packing_of(tensors, "a", inputs)


@pytest.mark.parametrize("damage", ["scales", "biases", "rows", "columns", "bits"])
def test_quantized_tensors_that_do_not_belong_together_are_named(damage: str) -> None:
    case = golden_case("fft")
    quantize(case.transformer, EIGHT_BITS, lambda name: "single" in name)
    tensors: dict[str, mx.array] = dict(tree.tree_flatten(case.transformer.parameters()))
    name = "single_blocks.0.linear1"
    if damage in ("scales", "biases"):
        del tensors[f"{name}.{damage}"]
    elif damage == "rows":
        tensors[f"{name}.scales"] = tensors[f"{name}.scales"][1:]
    elif damage == "columns":
        tensors[f"{name}.weight"] = tensors[f"{name}.weight"][:, 1:]
    else:  # 7 bits, and 2
        tensors[f"{name}.weight"] = tensors[f"{name}.weight"][:, :14]
    with pytest.raises(RequestError, match=r"single_blocks\.0\.linear1"):
        load_weights(Transformer(case.config), tensors)


def test_quantized_modulation_is_unpacked() -> None:
    case = golden_case("fft")
    tensors = dict(case.modulation)
    for name in filter(is_modulation, linear_shapes(case.config)):
        weight = tensors[name + ".weight"]
        tensors[name + ".weight"], tensors[name + ".scales"], tensors[name + ".biases"] = mx.quantize(weight, 64, 8)
    vectors = mx.random.normal((1, 64), key=mx.random.key(3))
    exact = schedule_modulation(case.config, dict(case.modulation), vectors, dtype=mx.float32)[0].final
    ours = schedule_modulation(case.config, dict(tensors), vectors, dtype=mx.float32)[0].final
    error = relative_error(ours, exact)
    assert 0 < error < 0.01, f"relative error {error:.2%}"
    del tensors["final_layer.adaLN_modulation.1.biases"]
    with pytest.raises(RequestError, match=r"final_layer.* is quantized in a way that is not known"):
        dequantize(dict(tensors), "final_layer.adaLN_modulation.1", 64)


@pytest.mark.skipif(ON_GPU, reason="a GPU multiplies with packed weights directly")
def test_a_cpu_does_not_multiply_with_packed_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> mx.array:
        raise AssertionError("quantized_matmul is 40 times slower on a CPU")

    monkeypatch.setattr(mx, "quantized_matmul", slow)
    layer = QuantizedLinear.from_linear(nn.Linear(64, 8), 64, 8)
    assert layer(mx.ones((1, 64))).shape == (1, 8)
