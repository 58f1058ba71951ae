"""What people read about a running edit: what it is doing, and how long that will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .translation import marked as _
from .translation import tr

if TYPE_CHECKING:
    from mlx_model.request import Progress

STAGES: dict[str, str] = {
    "load": _("Loading the model"),
    "text": _("Reading the words"),
    "encode": _("Looking at the picture"),
    "modulation": _("Getting ready"),
    "denoise": _("Painting"),
    "decode": _("Finishing"),
    "finish": _("Finishing"),
}
"""By `Progress.stage`."""


def stage(progress: Progress | None) -> str:
    """Say what is being done, with the step where there are steps."""
    if progress is None:
        return tr("Starting")
    if progress.stage == "denoise" and progress.steps:
        return tr("Painting, step {step} of {steps}", step=progress.step, steps=progress.steps)
    return tr(STAGES.get(progress.stage, "Getting ready"))


def stage_in_short(progress: Progress | None) -> str:
    """Say it where there is little room: while steps are counted, by their number alone."""
    if progress is not None and progress.stage == "denoise" and progress.steps and progress.step:
        return tr("Step {step} of {steps}", step=progress.step, steps=progress.steps)
    return tr(STAGES.get(progress.stage, "Getting ready")) if progress is not None else tr("Starting")


def share(progress: Progress | None, index: int, total: int) -> float:
    """Give how much of a job is done, 0..1: its requests one after another, each by its steps."""
    if progress is None:
        inside = 0.0
    elif progress.stage in ("decode", "finish"):
        inside = 0.97
    else:
        inside = 0.05 + 0.9 * progress.step / progress.steps if progress.steps and progress.step else 0.03
    return min((index + inside) / max(total, 1), 1.0)


def about(seconds: float) -> str:
    """Say a time as roughly as it is known: "about 40 s"."""
    if seconds < 10:
        return tr("about {number} s", number=max(round(seconds), 1))
    if seconds < 57:
        return tr("about {number} s", number=5 * round(seconds / 5))
    if seconds < 57 * 60:
        return tr("about {number} min", number=max(round(seconds / 60), 1))
    return tr("about {number} h", number=max(round(seconds / 3600), 1))


def left(seconds: float) -> str:
    """Say how much time is left."""
    if seconds < 57:
        return tr("{number} s left", number=max(round(seconds) if seconds < 10 else 5 * round(seconds / 5), 1))
    return tr("{number} min left", number=max(round(seconds / 60), 1))
