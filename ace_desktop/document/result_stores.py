"""The results of all projects: a folder each, and what becomes of those that nothing leads to."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from pathlib import Path
from typing import Final

from .results import BUDGET, CLAIMED, ResultStore

_UNCLAIMED: Final = 30 * 24 * 3600.0
"""Seconds that results are kept to which no file leads."""


class ResultStores:
    """The stores of all projects, each made once, in a folder each of its id.

    A project that is known by a file is to be claimed; results of others, which nobody finds again once their
    document is closed, go after a month.
    """

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self.folder, self.budget = folder, budget
        self._stores: dict[str, ResultStore] = {}
        self._guard = threading.Lock()

    def claim(self, project: str) -> ResultStore:
        """Say that a file leads to a project, and give its store; may write a mark."""
        store = self.of(project)
        store.claimed = True
        if store.folder.is_dir():
            store.mark_claimed()
        return store

    def sweep(self) -> None:
        """Remove the results of projects that nothing leads to, where the last is older than a month; slow."""
        with contextlib.suppress(OSError):
            for place in self.folder.iterdir():
                if place.name in self._stores or (place / CLAIMED).exists():
                    continue
                newest = max((path.stat().st_mtime for path in place.glob("*")), default=0.0)
                if time.time() - newest > _UNCLAIMED:
                    shutil.rmtree(place, ignore_errors=True)

    def of(self, project: str) -> ResultStore:
        """Give a project's store; quick."""
        with self._guard:
            if project not in self._stores:
                self._stores[project] = ResultStore(self.folder / project, self.budget)
            return self._stores[project]
