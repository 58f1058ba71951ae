"""A thread that keeps a journal up to date while a person works."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from .journal import Journal
from .state import State

INTERVAL: Final = 2.0
"""Seconds between two writes; with the writing itself, less than 5 seconds of work are ever unwritten."""


class Autosave:
    """Writes the state that was noted last, at most every `interval` seconds; `note` costs nothing."""

    def __init__(self, journal: Journal, interval: float = INTERVAL) -> None:
        self._journal, self._interval = journal, interval
        self._news = threading.Condition()
        self._noted: State | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="autosave", daemon=True)
        self._thread.start()

    def note(self, state: State) -> None:
        """Say what the document is now; from any thread."""
        with self._news:
            self._noted = state
            self._news.notify()

    def rename(self, title: str, path: Path | None) -> None:
        """Say what the document is called now, and where it was saved; the next write has it."""
        self._journal.title, self._journal.path = title, path

    def close(self) -> None:
        """End the work and remove the journal: the document was saved, or is not wanted."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()
        self._journal.close()

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._closing or self._noted is not None)
                if self._closing:
                    return
                state, self._noted = self._noted, None
            if state is not None:
                self._journal.write(state)
            with self._news:
                self._news.wait_for(lambda: self._closing, self._interval)
