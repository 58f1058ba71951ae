"""What the driving thread tells the window's thread: plain data with arrays of this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from mlx_model.checkpoint import Checkpoint
from mlx_model.progress import Stage
from mlx_model.request import EditResult, Precision, Progress

from .protocol import Advanced, Made, Saved
from .shared_pictures import Numbered, drop, look, look_at_checkpoint, look_at_picture


@dataclass(frozen=True, eq=False)
class HasAdvanced:
    """A request of a job is so far."""

    job: str
    index: int
    progress: Progress


@dataclass(frozen=True, eq=False)
class HasMade:
    """A request is done."""

    job: str
    index: int
    result: EditResult


@dataclass(frozen=True, eq=False)
class HasSaved:
    """A request can go on from here."""

    job: str
    index: int
    checkpoint: Checkpoint


@dataclass(frozen=True)
class HasStuck:
    """A job has been silent for so many seconds, or None: it moves again."""

    job: str
    seconds: float | None


@dataclass(frozen=True)
class Learnt:
    """What a whole run measured, as `times.Times` takes it."""

    machine: str
    model: str
    paces: Mapping[Stage, float]
    silences: Mapping[str, float]
    precision: Precision | None = None


@dataclass(frozen=True, eq=False)
class HasEnded:
    """The thread is free for the next job.

    `sentence` is empty unless the job failed: a key for `tr`. `said` is the model's own sentence, which knows more
    where it is understood. `learnt` comes with a whole run.
    """

    job: str
    cancelled: bool = False
    sentence: str = ""
    said: str = ""
    details: str = ""
    learnt: Learnt | None = None


Event: TypeAlias = HasAdvanced | HasMade | HasSaved | HasStuck | HasEnded


def taken(message: Advanced | Made | Saved, names: Numbered) -> Event:
    """Take a message's arrays out of shared memory and remove their blocks, which `names` has named."""
    match message:
        case Advanced():
            blocks = [] if message.preview is None else [message.preview.name]
        case Made():
            blocks = message.picture.names + ([] if message.patch is None else message.patch.names)
        case Saved():
            blocks = [message.checkpoint.latent.name]
    try:
        return _looked_at(message)
    finally:
        drop(blocks)
        for name in blocks:
            names.seen(name)


def _looked_at(message: Advanced | Made | Saved) -> Event:
    match message:
        case Advanced():
            preview = None if message.preview is None else look(message.preview)
            return HasAdvanced(message.job, message.index, replace(message.progress, preview=preview))
        case Made():
            picture = look_at_picture(message.picture)
            patch = picture if message.patch is None else look_at_picture(message.patch)
            return HasMade(message.job, message.index, replace(message.result, picture=picture, patch=patch))
        case Saved():
            return HasSaved(message.job, message.index, look_at_checkpoint(message.checkpoint))
