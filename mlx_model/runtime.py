"""The one door to MLX: it loads a fast BLAS first, because MLX binds to it on its first import.

On Linux the BLAS inside the MLX wheel does about 5 GFLOP/s in float32 and OpenBLAS about 300 on two cores.
"""

import ctypes
import sys
from typing import Final

from mlx_model.request import Precision


def _load_openblas() -> bool:
    if sys.platform != "linux":
        return True
    try:
        ctypes.CDLL("libopenblas.so.0", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


OPENBLAS_LOADED: Final = _load_openblas()

import mlx.core as mx  # noqa: E402  (after OpenBLAS, or MLX binds to its slow one)
import mlx.nn as nn  # noqa: E402
import mlx.optimizers as optimizers  # noqa: E402
import mlx.utils as tree  # noqa: E402

ON_GPU: Final = mx.default_device() == mx.Device(mx.gpu)
if not ON_GPU:
    mx.disable_compile()  # on the CPU it calls a C++ compiler at run time, for no gain

COMPUTE_TYPE: Final = mx.bfloat16 if ON_GPU else mx.float32
"""Type of the networks' streams: only float32 is fast on a CPU, bfloat16 halves memory and time on Metal."""

DTYPES: Final[dict[Precision, mx.Dtype]] = {"float32": mx.float32, "bfloat16": mx.bfloat16}
"""The types that the streams can have (T5 overflows in float16)."""


def slow_reason() -> str | None:
    """Say in one line why this machine computes slowly and what to install, or None if it does not."""
    if ON_GPU or OPENBLAS_LOADED:
        return None
    return (
        "OpenBLAS is not installed, so editing is about 50 times slower than it could be; "
        "install it with: apt-get install libopenblas0-pthread"
    )


__all__ = ["COMPUTE_TYPE", "DTYPES", "ON_GPU", "OPENBLAS_LOADED", "mx", "nn", "optimizers", "slow_reason", "tree"]
