"""Whether released files are a part of a model: names and shapes of all their tensors, and nothing else, are read."""

from collections.abc import Sequence
from pathlib import Path

from mlx_model.library.tensor_files import LocalSource, TensorFile
from mlx_model.request import RequestError
from mlx_model.weights.config import ModelConfig
from mlx_model.weights.lora import read_adapter
from mlx_model.weights.plan import plan
from mlx_model.weights.policy import Part


def misfit(part: Part | None, files: Sequence[Path], config: ModelConfig) -> str | None:
    """Say why files are not a part of a model of these sizes, None where they are one.

    ``part`` is what the converter calls it; None is an adapter, in one file.
    """
    try:
        if part is None:
            read_adapter(files[0], config.transformer)
        else:
            plan(part, [entry for file in files for entry in TensorFile(LocalSource(file)).entries], config, None)
    except RequestError as error:
        return str(error)
    return None
