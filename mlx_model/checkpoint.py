"""Where a run stands after some of its steps: what is needed to go on from there, to the same pixels.

Plain data without MLX, so that a program may keep it beside its queue while the model runs in another process.
"""

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import numpy.typing as npt

from mlx_model.places import is_file, reason
from mlx_model.request import EditRequest, Precision, RequestError

SUFFIX: Final = ".npz"
_FORMAT: Final = 1
_DAMAGES: Final = (
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    MemoryError,
    RuntimeError,  # a zip file that says it is encrypted, or of a version to come
    zipfile.BadZipFile,
    zlib.error,
)
_TEXTS: Final = ("request", "model", "weights", "precision")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run after ``step`` of its steps.

    ``latent`` is float32, (1, rows, columns, channels) of the whole canvas; ``request`` the request with nothing left
    open; ``model`` the model's name and ``weights`` the digest of its files and of the adapters'.
    """

    latent: npt.NDArray[np.float32]
    step: int
    request: EditRequest
    model: str
    weights: str
    precision: Precision


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint as an .npz file, which appears whole or not at all.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    about = {
        "format": _FORMAT,
        "step": checkpoint.step,
        "request": checkpoint.request.to_json(),
        "model": checkpoint.model,
        "weights": checkpoint.weights,
        "precision": checkpoint.precision,
    }
    try:
        with part.open("wb") as file:
            np.savez(file, latent=checkpoint.latent, about=np.frombuffer(json.dumps(about).encode(), np.uint8))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what :func:`write_checkpoint` wrote.

    Raises:
        RequestError: there is none, it is damaged, or a later version wrote it.
    """
    if not is_file(path):
        raise RequestError("no step of this edit was kept; run it from the beginning")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            latent, about = arrays["latent"], json.loads(arrays["about"].tobytes())
        return _checkpoint(latent, about)
    except RequestError:
        raise
    except OSError as error:
        raise RequestError(
            f"the kept step of this edit cannot be read: {reason(error)}; run it from the beginning"
        ) from error
    except _DAMAGES as error:
        raise RequestError("the kept step of this edit is damaged; run it from the beginning") from error


def _checkpoint(latent: npt.NDArray[Any], about: Mapping[str, Any]) -> Checkpoint:
    if about["format"] != _FORMAT:
        raise RequestError("a later version of this program kept this step; run the edit from the beginning")
    request, model, weights, precision = (about[name] for name in _TEXTS)
    if precision not in get_args(Precision):
        raise ValueError(f"the precision {precision!r} is unknown")
    usable = latent.dtype == np.float32 and latent.ndim == 4 and bool(np.isfinite(latent).all())
    if not usable or type(about["step"]) is not int or not all(isinstance(about[name], str) for name in _TEXTS):
        raise ValueError("what it holds is of another kind")
    return Checkpoint(latent, about["step"], EditRequest.from_json(request), model, weights, precision)


def require_same_run(
    checkpoint: Checkpoint, request: EditRequest, weights: str, shape: tuple[int, ...], precision: Precision
) -> None:
    """Refuse a checkpoint that is not of this settled request, these weights, a latent of this shape and precision.

    Raises:
        RequestError: it is of another model, request, size, number of steps or precision; the message says which.
    """
    steps = request.steps or 0
    if checkpoint.weights != weights:
        problem = f"belongs to other weights (of {checkpoint.model})"
    elif checkpoint.request != request:
        problem = "belongs to another edit"
    elif checkpoint.latent.shape != shape:
        problem = "is of another size"
    elif not 1 <= checkpoint.step <= steps:
        problem = f"is number {checkpoint.step} of {steps}"
    elif checkpoint.precision != precision:
        problem = f"was computed in {checkpoint.precision}"
    else:
        return
    raise RequestError(f"the kept step {problem}, so this edit cannot go on from it; run it from the beginning")
