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

    def part(self, project: str, copy: str) -> None:
        """Let a project that is saved as another file go on as that one, under its own id; slow.

        The store that is in use becomes that of the copy, with all results; those of the project stay where they are.

        Raises:
            DocumentError: a mark cannot be written.
            OSError: the disk is full, or cannot be written to.
        """
        store = self.of(project)
        store.move_to(self.folder / copy)
        with self._guard:
            self._stores[copy] = store
            if self._stores.get(project) is store:
                del self._stores[project]

    def change_budget(self, budget: int) -> None:
        """Let each project take so many bytes from now on; nothing is deleted by that alone."""
        with self._guard:
            self.budget = budget
            for store in self._stores.values():
                store.budget = budget

    def of(self, project: str) -> ResultStore:
        """Give a project's store; quick."""
        with self._guard:
            if project not in self._stores:
                self._stores[project] = ResultStore(self.folder / project, self.budget)
            return self._stores[project]
