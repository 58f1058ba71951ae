"""What the window's process and the model's process say to each other: frozen dataclasses over one pipe.

Arrays lie in shared memory (`shared_pictures`), so that every message is short: one system call writes it whole, and
the pipe holds it where the other side does not listen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from mlx_model.progress import Stage
from mlx_model.request import EditRequest, EditResult, Precision, Progress

from .shared_pictures import SharedArray, SharedCheckpoint, SharedPicture

# To the model's process


@dataclass(frozen=True, eq=False)
class Work:
    """Work off these requests, (index, request) in order.

    `paces` are seconds per unit of work from earlier runs, by model and stage. `checkpoint` is where the first
    request goes on. A state is saved every few steps once the job has taken, or will take, more than `save_after`
    seconds.
    """

    job: str
    requests: tuple[tuple[int, EditRequest], ...]
    pictures: Mapping[str, SharedPicture]
    folder: Path
    memory_limit: int | None
    precision: Precision | None
    paces: Mapping[str, Mapping[Stage, float]]
    checkpoint: SharedCheckpoint | None
    save_after: float


@dataclass(frozen=True)
class Cancel:
    """Stop working on this job."""

    job: str


ToModel: TypeAlias = Work | Cancel

# From the model's process


class Trouble(StrEnum):
    """Why a job failed while its process lives on."""

    request = "request"
    memory = "memory"
    numbers = "numbers"
    unexpected = "unexpected"


@dataclass(frozen=True)
class Ready:
    """The process runs; `machine` names what it computes on, so that times of another machine are not believed."""

    machine: str


@dataclass(frozen=True)
class Taken:
    """The job's pictures are copied: their blocks can go."""

    job: str


@dataclass(frozen=True)
class Alive:
    """The job has passed a checkpoint; said a few times a second at most."""

    job: str
    stage: str


@dataclass(frozen=True, eq=False)
class Advanced:
    """A request of the job is so far; the progress' preview lies beside it."""

    job: str
    index: int
    progress: Progress
    preview: SharedArray | None


@dataclass(frozen=True, eq=False)
class Made:
    """A request is done. The result's pictures are empty: they lie beside it; a patch of None is the picture."""

    job: str
    index: int
    result: EditResult
    picture: SharedPicture
    patch: SharedPicture | None


@dataclass(frozen=True)
class Saved:
    """A state from which the request can go on."""

    job: str
    index: int
    checkpoint: SharedCheckpoint


@dataclass(frozen=True)
class Finished:
    """All requests of the job are done. `paces` are those of `model` by now; `silences` the longest seconds between
    two signs of life by stage.
    """  # noqa: D205

    job: str
    model: str
    paces: Mapping[Stage, float]
    silences: Mapping[str, float]


@dataclass(frozen=True)
class Stopped:
    """The job was cancelled."""

    job: str


@dataclass(frozen=True)
class Failed:
    """The job cannot be done: a sentence (English) where the model's side has one, and what a developer reads."""

    job: str
    trouble: Trouble
    sentence: str
    details: str


FromModel: TypeAlias = Ready | Taken | Alive | Advanced | Made | Saved | Finished | Stopped | Failed
