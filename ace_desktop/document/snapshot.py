"""From a document to an edit request: what is asked, of which pixels, and what stands in the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mlx_model.request import Box, EditRequest, Picture
from mlx_model.weights.config import ModelConfig

from .state import State

Subject: TypeAlias = "str | Picture"
"""One of the many that a request is run over: a reference by its id, or a picture in place of the document's."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that a job needs, cut loose from the document: the person goes on painting while it runs.

    `requests` are the variations, or one request over many; `pictures` holds what they name, by digest. `document` is
    the project's id, `below` the digest of what lay below the edit within the frame ("" where nothing counts),
    `parents` the ids of the results that can be seen there.
    """

    requests: tuple[EditRequest, ...]
    pictures: Mapping[str, Picture]
    task: str
    model: str
    title: str
    document: str
    below: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Why an edit cannot run (`blocks`), or will hardly do what is wanted; `field` says beside which control.

    One of "instruction", "task", "mask", "references", "control", "strength", "steps", "guidance", "seed", "model",
    "adapters", "region", "size".
    """

    field: str
    sentence: str
    blocks: bool = True


@dataclass(frozen=True)
class Readiness:
    """What `problems` is told beside the document: adapters that are there (None: not known)."""

    adapters: Collection[str] | None = None
    unread: tuple[str, ...] = field(default=())


def problems(state: State, config: ModelConfig | None, readiness: Readiness = Readiness()) -> tuple[Problem, ...]:
    """List what stands in the way of an edit, all at once; cheap enough to be asked after every change."""
    raise NotImplementedError


def frame_of(state: State, config: ModelConfig) -> tuple[Box, tuple[int, int]]:
    """Say what the model will see: the box in document pixels, and the size (width, height) at which it works; cheap.

    Raises:
        RequestError: there is no such frame, as `problems` says.
    """
    raise NotImplementedError


def snapshot(state: State, config: ModelConfig, many: Sequence[Subject] = ()) -> Snapshot:
    """Cut a document's edit loose from it; slow, for a thread.

    Without `many` one request for each variation, otherwise one for each subject.

    Raises:
        RequestError: the edit cannot run; the message is for the person.
    """
    raise NotImplementedError
