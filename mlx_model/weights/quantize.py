"""Linear layers quantized in MLX's own packing (weight, scales, biases; affine)."""

from collections.abc import Callable, MutableMapping

from mlx_model.request import RequestError
from mlx_model.runtime import ON_GPU, mx, nn, tree
from mlx_model.weights.config import QuantizationConfig


class QuantizedLinear(nn.QuantizedLinear):
    """MLX's quantized linear layer, but on a CPU unpacked before use: 40 times faster there."""

    def __call__(self, x: mx.array) -> mx.array:
        """(..., inputs) to (..., outputs) in the type of ``x``."""
        if ON_GPU:
            return super().__call__(x)
        weight = _unpacked(self.weight, self.scales, self.biases, self.group_size, self.bits)
        out = x.astype(mx.float32) @ weight.T
        return (out + self.bias if "bias" in self else out).astype(x.dtype)


def quantize(module: nn.Module, config: QuantizationConfig, chosen: Callable[[str], bool] | None = None) -> None:
    """Replace the chosen linear layers (by name; those whose inputs fill whole groups) with quantized ones.

    Lazy: on a module whose weights were never evaluated this only prepares it for loading quantized tensors.
    """
    replaced = [
        (name, QuantizedLinear.from_linear(layer, config.group_size, config.bits))
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear)
        and layer.weight.shape[1] % config.group_size == 0
        and (chosen is None or chosen(name))
    ]
    module.update_modules(tree.tree_unflatten(replaced))


def dequantize(tensors: MutableMapping[str, mx.array], name: str, config: QuantizationConfig | None) -> mx.array:
    """Take the weight of a layer out of ``tensors``, in float32, unpacked where it is quantized."""
    weight = tensors.pop(name + ".weight")
    if name + ".scales" not in tensors:
        return weight.astype(mx.float32)
    scales, biases = tensors.pop(name + ".scales"), tensors.pop(name + ".biases")
    if config is None:
        raise RequestError(f"{name} is quantized, but the model's config.json does not say how")
    return _unpacked(weight, scales, biases, config.group_size, config.bits)


def _unpacked(weight: mx.array, scales: mx.array, biases: mx.array | None, group_size: int, bits: int) -> mx.array:
    biases = None if biases is None else biases.astype(mx.float32)
    return mx.dequantize(weight, scales.astype(mx.float32), biases, group_size=group_size, bits=bits)
