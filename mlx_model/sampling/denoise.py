"""The one denoising loop: Euler steps along the velocity that a rectified flow predicts."""

import itertools
from collections.abc import Callable, Sequence
from typing import TypeAlias

from mlx_model.runtime import mx

Velocity: TypeAlias = Callable[[mx.array, int], mx.array]
"""Velocity of a latent (any shape, float32) at a step: noise - picture, as the network predicts it."""


def noise(seed: int, shape: Sequence[int]) -> mx.array:
    """Draw normal float32 noise that depends on the seed and the shape alone, no model or state."""
    return mx.random.normal(list(shape), dtype=mx.float32, key=mx.random.key(seed))


def denoise(
    velocity: Velocity,
    latent: mx.array,
    sigmas: Sequence[float],
    on_step: Callable[[int, mx.array, mx.array], None] | None = None,
    first_step: int = 0,
) -> mx.array:
    """Walk ``latent`` from noise to a picture; the sum is kept in float32 whatever the network computes in.

    ``first_step`` steps were made before, of which ``latent`` is the outcome. After each step ``on_step`` is given
    the number of steps done, the latent, and the picture that the last velocity points at, not yet evaluated: a
    preview costs nothing unless it is looked at. It may raise to stop.

    Raises:
        ArithmeticError: the network gave numbers that are not finite, or one number everywhere: a fault of the
            device, or weights that do not belong to the model.
    """
    latent = latent.astype(mx.float32)
    for step, (sigma, following) in enumerate(itertools.pairwise(sigmas[first_step:]), first_step):
        towards = velocity(latent, step).astype(mx.float32)
        clean = latent - sigma * towards
        latent = latent + (following - sigma) * towards
        usable = mx.all(mx.isfinite(towards)) & (mx.min(towards) < mx.max(towards))
        mx.eval(latent, usable)
        if not usable.item():
            raise ArithmeticError(f"the velocity of step {step + 1} is not finite, or the same everywhere")
        if on_step is not None:
            on_step(step + 1, latent, clean)
    return latent
