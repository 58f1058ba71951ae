"""The arithmetic that this processor is fast in: bfloat16 where it has instructions for it, float32 elsewhere.

Without AVX512-BF16 or AMX torch multiplies bfloat16 matrices a hundred times slower than float32 ones.
"""

from __future__ import annotations

from pathlib import Path

import torch

_FLAGS = Path("/proc/cpuinfo")
FAST = _FLAGS.exists() and any(flag in _FLAGS.read_text() for flag in ("avx512_bf16", "amx_bf16"))
DTYPE = torch.bfloat16 if FAST else torch.float32


def autocast() -> torch.autocast:
    """Compute in bfloat16 inside, where that is the faster type."""
    return torch.autocast("cpu", torch.bfloat16, enabled=FAST)
