"""Tensors from files into modules, strictly: whatever is missing, unknown or mis-shaped is named.

The sizes of a model come from its ``config.json`` (:class:`mlx_model.weights.config.ModelConfig`).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlx_model.request import RequestError
from mlx_model.runtime import COMPUTE_TYPE, mx, nn, tree
from mlx_model.weights.config import QuantizationConfig
from mlx_model.weights.quantize import quantize


def read_tensors(path: Path) -> dict[str, mx.array]:
    """Open a safetensors file; a tensor is read when it is first evaluated, in the thread that opened the file.

    Raises:
        RequestError: the file is missing, unreadable or cut short.
    """
    return read_tensors_and_metadata(path)[0]


def read_tensors_and_metadata(path: Path) -> tuple[dict[str, mx.array], dict[str, str]]:
    """Like :func:`read_tensors`, with the text entries of the file's header."""
    try:
        with path.open("rb") as file:
            header_size = int.from_bytes(file.read(8), "little")
            if not 2 <= header_size < 2**28:
                raise ValueError("it is not a safetensors file")
            header = json.loads(file.read(header_size))
        end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
        if path.stat().st_size < 8 + header_size + end:
            raise ValueError("it is cut short")
        tensors: dict[str, mx.array] = mx.load(str(path), format="safetensors")  # pyright: ignore[reportAssignmentType]
    except FileNotFoundError:
        raise RequestError(f"{path} is missing; install the model again") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise RequestError(f"{path} cannot be read: {error}; install it again") from error
    return tensors, header.get("__metadata__") or {}


def load_weights(
    module: nn.Module,
    tensors: Mapping[str, mx.array],
    quantization: QuantizationConfig | None = None,
    dtype: mx.Dtype = COMPUTE_TYPE,
) -> None:
    """Put ``tensors`` into ``module`` and evaluate them; floating-point ones are converted to ``dtype``.

    With ``quantization``, the linear layers that ``tensors`` holds in quantized form become quantized layers first.

    Raises:
        RequestError: a parameter has no tensor, a tensor no parameter, or the shapes differ; all of them are named.
    """
    if quantization:
        quantize(module, quantization, lambda name: f"{name}.scales" in tensors)
    parameters: dict[str, mx.array] = dict(tree.tree_flatten(module.parameters()))
    require_fit({name: parameter.shape for name, parameter in parameters.items()}, tensors)
    converted = (
        (name, tensor.astype(dtype) if mx.issubdtype(tensor.dtype, mx.floating) else tensor)
        for name, tensor in tensors.items()
    )
    module.update(tree.tree_unflatten(list(converted)))
    mx.eval(module.parameters())


def require_fit(wanted: Mapping[str, tuple[int, ...]], tensors: Mapping[str, mx.array]) -> None:
    """Raise RequestError unless ``tensors`` has exactly the wanted names and shapes; what differs is named."""
    shapes = [
        f"{name} is {tensors[name].shape}, not {shape}"
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    problems = [
        f"{what}: {_shortened(names)}"
        for what, names in (
            ("missing", [name for name in wanted if name not in tensors]),
            ("unknown", [name for name in tensors if name not in wanted]),
            ("wrong shape", shapes),
        )
        if names
    ]
    if problems:
        raise RequestError(f"the weights do not fit the model ({'; '.join(problems)}); install it again")


def _shortened(names: Sequence[str], at_most: int = 8) -> str:
    rest = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {rest} more" if rest > 0 else "")
