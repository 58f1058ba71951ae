"""The noise levels against the authors' own, computed in float32."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from mlx_model.sampling.schedule import sigmas
from mlx_model.weights.config import ShiftConfig

FLUX = ShiftConfig(tokens=(256, 4096), mu=(0.5, 1.15))
GOLDEN: dict[str, list[float]] = json.loads(
    (Path(__file__).parents[2] / "golden/sigmas.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", GOLDEN)
def test_levels_agree_with_the_authors(name: str) -> None:
    _, size, _, steps = name.split("_")
    rows, columns = map(int, size.split("x"))
    levels = sigmas(int(steps), rows * columns // 4, FLUX)
    difference = float(np.abs(np.subtract(levels, GOLDEN[name])).max())
    assert difference <= 1e-6, f"{name}: {difference:.1e}"


def test_golden_schedules_lie_on_both_sides_of_the_line_s_end() -> None:
    """The check above would not notice a line that stops at 4096 tokens unless a larger canvas is among them."""
    counts = [int(a) * int(b) // 4 for a, b in (name.split("_")[1].split("x") for name in GOLDEN)]
    assert min(counts) < 4096 < max(counts), counts


def test_levels_fall_from_one_to_zero() -> None:
    for steps in (1, 2, 50):
        levels = sigmas(steps, 64, FLUX)
        assert len(levels) == steps + 1
        assert (levels[0], levels[-1]) == (1.0, 0.0)
        assert all(a > b for a, b in itertools.pairwise(levels)), levels


def test_no_step_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        sigmas(0, 256, FLUX)
