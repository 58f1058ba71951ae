"""Optimisers of the torch vehicle: AdamW for vectors and tables, Muon for matrices and convolutions.

Muon: momentum whose matrix is replaced by its nearest semi-orthogonal one (five Newton-Schulz steps, Keller Jordan
2024). Convolutions count as (out, in * height * width) matrices. Fused projections are orthogonalised part by part
through `splits`, because q, k, v and the MLP share a tensor only for speed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .precision import DTYPE

SPLIT = {"qkv": 3, "linear1": 7}


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Nearest semi-orthogonal matrices of a batch (n, rows, columns), computed in the fast type."""
    x = matrices.to(DTYPE)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    if tall:
        x = x.mT
    return x.to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; matrices of one shape are handled in one batch."""

    def __init__(
        self, named: Iterable[tuple[str, nn.Parameter]], lr: float, momentum: float = 0.95, decay: float = 0.01
    ):
        self.names: dict[int, str] = {}
        params: list[nn.Parameter] = []
        for name, parameter in named:
            self.names[id(parameter)] = name
            params.append(parameter)
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            buckets: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor, Tensor]]] = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(state["momentum"], group["momentum"])
                parts = 1
                for key, count in SPLIT.items():
                    if f"{key}.weight" in self.names[id(parameter)]:
                        parts = count
                flat = update.reshape(parameter.shape[0], -1)
                weight = parameter.data.view(parameter.shape[0], -1) if parameter.is_contiguous() else None
                for index in range(parts):
                    rows = slice(index * flat.shape[0] // parts, (index + 1) * flat.shape[0] // parts)
                    part = flat[rows]
                    target = (parameter, rows, weight)
                    buckets.setdefault((part.shape[0], part.shape[1]), []).append((target, part, parameter))
            for (rows_n, columns_n), entries in buckets.items():
                updates = orthogonalise(torch.stack([part for _, part, _ in entries]))
                scale = group["lr"] * max(1.0, math.sqrt(rows_n / columns_n))
                for ((parameter, rows, weight), _, _), update in zip(entries, updates, strict=True):
                    if weight is None:
                        parameter.data.mul_(1 - group["lr"] * group["decay"])
                        parameter.data.add_(update.view(parameter.shape), alpha=-scale)
                    else:
                        weight[rows].mul_(1 - group["lr"] * group["decay"]).add_(update, alpha=-scale)
