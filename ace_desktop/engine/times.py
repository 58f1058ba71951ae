"""What earlier runs on this machine tell about the next one: seconds per unit of work, and the longest silences."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from mlx_model.progress import STAGES, Stage
from mlx_model.request import Precision

_FORMAT: Final = 1
_LONGEST_SILENCE: Final = 60.0
"""A machine that slept in between was not silent for so long."""


@dataclass(frozen=True)
class Times:
    """Of all models that ran on `machine`; those of another machine count for nothing.

    `paces` are seconds per unit of work (`mlx_model.work.stage_work`) by model and stage, those with a precision of
    the user's choice by "model@precision"; `silences` the longest seconds between two signs of life by stage.
    """

    machine: str = ""
    paces: Mapping[str, Mapping[Stage, float]] = field(default_factory=dict[str, Mapping[Stage, float]])
    silences: Mapping[str, float] = field(default_factory=dict[str, float])

    def of(self, precision: Precision | None) -> dict[str, Mapping[Stage, float]]:
        """Give the paces of all models that were computed in this (None: what suits the machine), by model."""
        named = [(*name.partition("@")[::2], paces) for name, paces in self.paces.items()]
        return {model: paces for model, computed_in, paces in named if computed_in == (precision or "")}

    def learnt(
        self,
        machine: str,
        model: str,
        paces: Mapping[Stage, float],
        silences: Mapping[str, float],
        precision: Precision | None = None,
    ) -> Times:
        """Take in what a run of a model measured."""
        known = self if machine == self.machine else Times(machine)
        longest = dict(known.silences)
        for stage, seconds in silences.items():
            longest[stage] = max(min(seconds, _LONGEST_SILENCE), longest.get(stage, 0.0))
        name = model if precision is None else f"{model}@{precision}"
        return Times(machine, {**known.paces, name: {**known.paces.get(name, {}), **paces}}, longest)


def read_times(path: Path) -> Times:
    """Read what was written; nothing where there is none, or it cannot be used."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != _FORMAT:
            return Times()
        paces: dict[str, Mapping[Stage, float]] = {
            str(model): {stage: _seconds(stages[stage]) for stage in STAGES if stage in stages}
            for model, stages in found["paces"].items()
        }
        silences = {str(stage): _seconds(seconds) for stage, seconds in found["silences"].items()}
        return Times(str(found["machine"]), paces, silences)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Times()


def _seconds(held: float) -> float:
    seconds = float(held)
    if not 0 <= seconds < math.inf:  # no number is not either
        raise ValueError("seconds are missing")
    return seconds


def write_times(path: Path, times: Times) -> None:
    """Write them, whole or not at all.

    Raises:
        OSError: the folder cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"format": _FORMAT, **asdict(times)}, indent=1), encoding="utf-8")
    part.replace(path)
