"""Tensors from files into modules, strictly: whatever is missing, unknown or mis-shaped is named.

The sizes of a model come from its ``config.json`` (:class:`mlx_model.weights.config.ModelConfig`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlx_model.library.safetensors_header import safetensors_entries
from mlx_model.request import RequestError
from mlx_model.runtime import COMPUTE_TYPE, mx, nn, tree
from mlx_model.weights.quantize import prepare


def read_tensors(path: Path) -> dict[str, mx.array]:
    """Open a safetensors file; a tensor is read when it is first evaluated, in the thread that opened the file.

    Raises:
        RequestError: the file is missing, unreadable or cut short.
    """
    return read_tensors_and_metadata(path)[0]


def read_tensors_and_metadata(path: Path) -> tuple[dict[str, mx.array], dict[str, str]]:
    """Like :func:`read_tensors`, with the text entries of the file's header."""
    try:
        headed = safetensors_entries(_File(path, path.stat().st_size))  # MLX believes whatever stands there
        tensors: dict[str, mx.array] = mx.load(str(path), format="safetensors")  # pyright: ignore[reportAssignmentType]
    except FileNotFoundError:
        raise RequestError(f"{path} is missing; install the model again") from None
    except (OSError, ValueError, RuntimeError) as error:  # RequestError is a ValueError
        raise RequestError(f"{path} cannot be read: {error}; install it again") from error
    return tensors, dict(headed.metadata)


@dataclass(frozen=True)
class _File:
    """A file as the reader of headers wants it; errors speak of it as "it"."""

    path: Path
    size: int
    title: str = "it"

    def read(self, start: int, stop: int) -> bytes:
        """Read a few bytes."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)


def load_weights(module: nn.Module, tensors: Mapping[str, mx.array], dtype: mx.Dtype = COMPUTE_TYPE) -> None:
    """Put ``tensors`` into ``module`` and evaluate them; floating-point ones are converted to ``dtype``.

    The linear layers that ``tensors`` holds in quantized form become quantized layers first, each with the bits and
    the group size that its shapes show.

    Raises:
        RequestError: a parameter has no tensor, a tensor no parameter, or the shapes differ, all of which is named;
            or a layer is quantized in a way that is not known.
    """
    prepare(module, tensors)
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
    if problems := misfits(wanted, {name: tensor.shape for name, tensor in tensors.items()}):
        raise RequestError(f"the weights do not fit the model ({problems}); install it again")


def misfits(wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> str:
    """Name what is missing, unknown or of the wrong shape, empty where all fits."""
    shapes = [
        f"{name} is {found[name]}, not {shape}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    return "; ".join(
        f"{what}: {_shortened(names)}"
        for what, names in (
            ("missing", [name for name in wanted if name not in found]),
            ("unknown", [name for name in found if name not in wanted]),
            ("wrong shape", shapes),
        )
        if names
    )


def _shortened(names: Sequence[str], at_most: int = 8) -> str:
    rest = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {rest} more" if rest > 0 else "")
