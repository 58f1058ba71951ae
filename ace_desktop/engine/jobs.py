"""The vocabulary of the queue: what is to be done, and where it stands. Plain data, without Qt and MLX."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mlx_model.request import EditRequest, Picture, Progress


class Phase(StrEnum):
    """Where a job stands. `interrupted`: the program or the model's process ended before it was done."""

    waiting = "waiting"
    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"
    interrupted = "interrupted"


ENDED = frozenset({Phase.done, Phase.failed, Phase.cancelled, Phase.interrupted})
REPEATABLE = frozenset({Phase.failed, Phase.cancelled, Phase.interrupted})
"""What `Engine.run_again` takes up; a finished job's pictures are let go."""


@dataclass(frozen=True, eq=False)
class Job:
    """Requests that are worked off one after another by one model, and the immutable snapshot that they speak of.

    `requests` are the variations, or one request over several pictures; `pictures` has every picture that they name,
    by digest: they may lie on the disk, so look at them in the background. `folder` is the model's, `model` its key.
    `title` is what people read; `task` a key of `mlx_model.tasks.TASKS`; `document` a project's id, `below` the
    digest of what lay below, `parents` the ids of results that this one comes from, `place` where the document's
    picture lay, `replaces` the layer whose place the result takes: they are given back with the results and mean
    nothing to the engine.
    """

    requests: tuple[EditRequest, ...]
    pictures: Mapping[str, Picture]
    folder: Path
    model: str = "pocket"
    title: str = ""
    task: str = ""
    document: str = ""
    below: str = ""
    parents: tuple[str, ...] = ()
    place: tuple[float, ...] = ()
    replaces: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(8))


def names_of(request: EditRequest) -> frozenset[str]:
    """Name the pictures that a request speaks of."""
    names = {request.picture, request.mask, request.control_picture}
    for reference in request.references:
        names |= {reference.picture, reference.mask}
    return frozenset(name for name in names if name)


@dataclass(frozen=True, eq=False)
class JobStatus:
    """Where a job stands.

    `made` are the indices of the requests that have results, `done` their number and `total` the number of all;
    `progress` is the last one of the request that is worked on, `index` which that is. `seconds_left` is for the
    whole job, None while there is nothing to estimate from. `sentence` says for the person why it failed, was
    interrupted or is stuck, `details` what can be copied; `notes` what was done otherwise than asked (less memory, a
    smaller frame): in English, for `sentences.job_said`. `stuck`: no sign of life for longer than it should take; it
    may be ended. `resume_step` is the step from which it would go on if it were run again, 0 where it begins anew.
    """

    job: Job
    phase: Phase = Phase.waiting
    made: frozenset[int] = frozenset()
    index: int = 0
    progress: Progress | None = None
    seconds_left: float | None = None
    sentence: str = ""
    details: str = ""
    notes: tuple[str, ...] = ()
    stuck: bool = False
    resume_step: int = 0

    @property
    def id(self) -> str:
        """The job's."""
        return self.job.id

    @property
    def done(self) -> int:
        """How many requests have results."""
        return len(self.made)

    @property
    def total(self) -> int:
        """How many requests there are."""
        return len(self.job.requests)

    @property
    def left(self) -> tuple[int, ...]:
        """The indices of the requests that have no result yet."""
        return tuple(index for index in range(self.total) if index not in self.made)
