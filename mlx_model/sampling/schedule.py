"""Noise levels: a straight line from 1 to 0, shifted towards 1 the more tokens the canvas has (FLUX.1, ACE++)."""

import math

import numpy as np

from mlx_model.weights.config import ShiftConfig


def sigmas(steps: int, tokens: int, shift: ShiftConfig) -> list[float]:
    """List the ``steps + 1`` noise levels of a run, from 1 down to 0, each of them a float32 number.

    ``tokens`` counts the image tokens of the whole canvas, references included; ``shift`` says how strongly the
    levels lean towards 1 at two such counts, on a line that is continued beyond them.

    Raises:
        ValueError: there is not even one step.
    """
    if steps < 1:
        raise ValueError(f"a run has at least one step, not {steps}")
    (few, many), (low, high) = shift.tokens, shift.mu
    weight = math.exp(low + (high - low) * (tokens - few) / (many - few))
    line = [1 - step / steps for step in range(steps + 1)]
    return [
        float(np.float32(weight * s / (weight * s + 1 - s))) for s in line
    ]  # e^mu / (e^mu + 1/s - 1), without dividing by 0
