"""Training examples as latents: scenes are drawn and encoded once, the flow is trained on tokens.

An example is the target's tokens, the tokens of the condition (edit and modify latent, mask), the ids of its words
and the weights of its loss. Batches hold examples of one canvas size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlx_model.conditioning.packing import condition_tokens, pack
from mlx_model.conditioning.prompt import PromptTokenizers, tokenize
from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.runtime import mx
from mlx_model.training.canvases import Canvases, canvases
from mlx_model.training.scenes import draw_scene
from mlx_model.weights.config import LatentConfig

Grid: TypeAlias = tuple[int, int]
"""Rows and columns of a canvas' tokens (16 x 16 pixels)."""

REFERENCE_TASKS: Final = frozenset({"reference", "subject", "portrait"})
TASK_WEIGHTS: Final[Mapping[str, float]] = {
    "generate": 0.3, "repaint": 0.9, "instruct": 3.0, "control": 0.9, "remove": 0.4,
    "reference": 2.2, "subject": 0.7, "portrait": 0.8,
}  # fmt: skip
"""How often a task is trained on, relative to the others of its stage."""


@dataclass(frozen=True, eq=False)
class Example:
    """One scene; numpy, half precision where that is enough.

    ``target`` is (N, 64), ``condition`` (N, 384), ``weight`` (N, 4) one per latent position of a token, ``t5`` and
    ``clip`` are ids.
    """

    task: str
    grid: Grid
    target: NDArray[np.float16]
    condition: NDArray[np.float16]
    weight: NDArray[np.float16]
    t5: NDArray[np.int32]
    clip: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of one canvas size, stacked: the fields of :class:`Example` with a leading axis."""

    grid: Grid
    target: mx.array
    condition: mx.array
    weight: mx.array
    t5: mx.array
    clip: mx.array


def encode_scene(
    task: str,
    seed: int,
    autoencoder: TinyAutoencoder,
    latent: LatentConfig,
    tokenizers: PromptTokenizers,
    size: tuple[int, int] = (128, 128),
) -> Example:
    """Draw the scene of this task, seed and size (height, width) and turn it into an example."""
    scene = draw_scene(task, seed, size)
    drawn = canvases(scene)
    target, edit, modify = (
        latent.scale * (autoencoder.encode(mx.array(pixels)[None]) - latent.shift)
        for pixels in (drawn.target, drawn.edit, drawn.modify)
    )
    condition = condition_tokens(edit, mx.array(drawn.mask)[None], modify)
    ids = tokenize(tokenizers, scene.instruction)
    return Example(
        task,
        (drawn.mask.shape[0] // 16, drawn.mask.shape[1] // 16),
        np.array(pack(target)[0]).astype(np.float16),
        np.array(condition[0]).astype(np.float16),
        _weights(drawn),
        ids.t5,
        ids.clip,
    )


def _weights(drawn: Canvases) -> NDArray[np.float16]:
    rows, columns = drawn.weight.shape
    patches = drawn.weight.reshape(rows // 2, 2, columns // 2, 2).transpose(0, 2, 1, 3)
    return patches.reshape(-1, 4).astype(np.float16)


class ExampleSet:
    """Examples by canvas size, drawn from so that tasks are as frequent as ``TASK_WEIGHTS`` say."""

    def __init__(self, examples: Sequence[Example]):
        self._by_grid: dict[Grid, list[Example]] = {}
        for example in examples:
            self._by_grid.setdefault(example.grid, []).append(example)
        counts = {task: sum(example.task == task for example in examples) for task in TASK_WEIGHTS}
        self._chances = {
            grid: np.array([TASK_WEIGHTS[example.task] / counts[example.task] for example in group])
            for grid, group in self._by_grid.items()
        }

    def batch(self, rng: np.random.Generator, references: bool, tokens: int) -> Batch:
        """Draw a batch of about ``tokens`` image tokens, of tasks with references or of those without.

        Raises:
            ValueError: there is no such example.
        """
        grids = [g for g, group in self._by_grid.items() if (group[0].task in REFERENCE_TASKS) == references]
        if not grids:
            raise ValueError(f"there are no examples {'with' if references else 'without'} references")
        shares = np.array([self._chances[grid].sum() for grid in grids])
        grid = grids[int(rng.choice(len(grids), p=shares / shares.sum()))]
        group, chances = self._by_grid[grid], self._chances[grid]
        count = max(1, round(tokens / (grid[0] * grid[1])))
        picked = [group[int(i)] for i in rng.choice(len(group), count, p=chances / chances.sum())]

        def stacked(name: str) -> mx.array:
            values = mx.array(np.stack([getattr(example, name) for example in picked]))
            return values.astype(mx.float32) if mx.issubdtype(values.dtype, mx.floating) else values

        names = ("target", "condition", "weight", "t5", "clip")
        return Batch(grid, *(stacked(name) for name in names))
