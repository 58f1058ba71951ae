"""What this machine is: the facts that a recipe records and ``ace info`` shows."""

import platform
from collections.abc import Mapping
from importlib.metadata import version

import cv2
import numpy as np

import mlx_model
from mlx_model.runtime import ON_GPU, mx


def versions() -> dict[str, str]:
    """Return the versions that decide which pixels come out."""
    return {
        "ace": mlx_model.__version__,
        "mlx": version("mlx"),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "python": platform.python_version(),
    }


def device() -> str:
    """Return the kind of device that computes."""
    facts: Mapping[str, object] = mx.device_info()
    name = facts.get("device_name") or platform.processor() or platform.machine()
    return f"{'GPU' if ON_GPU else 'CPU'} {name}"
