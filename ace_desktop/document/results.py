"""What edits made, kept on disk for each project: lossless, searchable, with its recipe and what it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlx_model.request import Box, EditRequest, EditResult, Picture


@dataclass(frozen=True)
class Result:
    """One picture that an edit made.

    `created` is ISO 8601 in UTC. `asked` is the request as it was made, `request` the same with nothing left open.
    `run` is shared by the results of one run. `box` is where the patch lies in a picture of `frame` (width, height);
    `below` is the digest of what lay below the edit. `foreign`: it was made for another picture than the document.
    `seconds` it took; `size` in bytes on disk.
    """

    id: str
    created: str
    task: str
    words: str
    model: str
    seed: int
    request: EditRequest
    asked: EditRequest
    run: str
    parents: tuple[str, ...]
    starred: bool
    rejected: bool
    accepted: bool
    seconds: float
    size: int
    box: Box
    frame: tuple[int, int]
    below: str
    foreign: bool = False
    warnings: tuple[str, ...] = ()


class Made(Protocol):
    """What a result is filed under: a job or a snapshot (both have these)."""

    @property
    def pictures(self) -> Mapping[str, Picture]: ...
    @property
    def requests(self) -> tuple[EditRequest, ...]: ...
    @property
    def task(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def below(self) -> str: ...


class ResultStore:
    """The results of one project in a folder; may be used from any thread.

    What only looks at the list is quick; what reads or writes pictures is slow. `budget` is in bytes.
    """

    def __init__(self, folder: Path, budget: int = 2 * 2**30) -> None:
        self.folder, self.budget = folder, budget

    def add(
        self, result: EditResult, made: Made, index: int = 0, run: str = "", parents: tuple[str, ...] = ()
    ) -> Result:
        """Keep what came back for the request at `index`; slow.

        Raises:
            DocumentError: it cannot be written.
        """
        raise NotImplementedError

    def all(self) -> tuple[Result, ...]:
        """List all results, newest first."""
        raise NotImplementedError

    def get(self, result_id: str) -> Result | None:
        """Give the result of this id."""
        raise NotImplementedError

    def search(self, words: str = "", task: str | None = None) -> tuple[Result, ...]:
        """List those whose words contain all of these, and of this task, newest first."""
        raise NotImplementedError

    def star(self, result_id: str, on: bool = True) -> None:
        """Mark a result as good, or no longer; quick, `flush` writes it."""
        raise NotImplementedError

    def reject(self, result_id: str, on: bool = True) -> None:
        """Mark a result as bad, or no longer; quick, `flush` writes it."""
        raise NotImplementedError

    def accept(self, result_id: str) -> None:
        """Note that a result became a layer; quick, `flush` writes it."""
        raise NotImplementedError

    def flush(self) -> None:
        """Write the marks that are not on disk yet."""
        raise NotImplementedError

    def delete(self, result_id: str) -> None:
        """Take a result away; `restore` brings it back until the store is opened anew."""
        raise NotImplementedError

    def restore(self, result_id: str) -> None:
        """Bring back what was deleted since the store was opened."""
        raise NotImplementedError

    def patch(self, result_id: str) -> Picture:
        """Read what was painted, of the box's size, its alpha the mask over which it is laid; slow.

        Raises:
            DocumentError: there is none, or its file is damaged and was set aside.
        """
        raise NotImplementedError

    def picture(self, result_id: str) -> Picture:
        """Read what the model saw with what it painted, of the box's size; slow. Raises as `patch`."""
        raise NotImplementedError

    def thumbnail(self, result_id: str, side: int) -> NDArray[np.uint8]:
        """Give the picture small, sRGB RGBA of at most `side` pixels; read once, then kept on disk. Raises as `patch`."""
        raise NotImplementedError

    @property
    def bytes_used(self) -> int:
        """The bytes of all results and their inputs on disk."""
        raise NotImplementedError

    def tidy(self) -> tuple[Result, ...]:
        """Delete rejected results, the oldest first, while the budget is exceeded; returns what went."""
        raise NotImplementedError

    def offer(self) -> tuple[Result, ...]:
        """List what a person might let go to keep to the budget: accepted and not starred, the oldest first."""
        raise NotImplementedError

    def entries(self) -> dict[str, Path]:
        """Name the files of all results as they lie in a project file."""
        raise NotImplementedError

    def take(self, entries: Mapping[str, bytes]) -> None:
        """Take in what a project file held, beside what is here; slow."""
        raise NotImplementedError

    @property
    def troubles(self) -> Iterable[str]:
        """Sentences about what was damaged and set aside."""
        raise NotImplementedError
