"""Journals of open documents with unsaved work: begun when something changes, ended when it is saved or given up."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from .background import Background
from .settings import Kept, Settings

if TYPE_CHECKING:
    from .document.autosave import Autosave
    from .document.journal import Journal
    from .main_window import MainWindow

log = logging.getLogger(__name__)


class Autosaves(QObject):
    """One journal per window whose document has unsaved work."""

    failed = Signal(str)
    """Why work cannot be kept; comes from the journal's thread."""

    def __init__(self, folder: Path, background: Background, kept: Kept, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder, self._background, self._kept = folder, background, kept
        self._running: dict[MainWindow, Autosave] = {}
        self._refused = False
        kept.changed.connect(self._settings_changed)

    def follow(self, window: MainWindow) -> None:
        """Keep the journal of the document that the window shows from now on."""
        self._end(window)
        session = window.session
        if session is not None:

            def changed() -> None:
                if isValid(window) and window.session is session:
                    self._note(window)

            session.history_changed.connect(changed)
            session.path_changed.connect(changed)
            self._note(window)

    def forget(self, window: MainWindow) -> None:
        """End a window's journal: its document is saved, or not wanted."""
        self._end(window)

    def adopt(self, window: MainWindow, journal: Journal) -> None:
        """Go on with a journal that was begun for a document before it had a window."""
        from .document.autosave import Autosave

        self._end(window)
        self._running[window] = Autosave(journal, float(self._kept.value.autosave_seconds or 5))
        self._note(window)

    def close(self) -> None:
        """End all journals."""
        for window in list(self._running):
            self._end(window)

    def _note(self, window: MainWindow) -> None:
        session = window.session
        if session is None or not session.modified or self._kept.value.autosave_seconds == 0:
            self._end(window)
            return
        if window not in self._running and not self._refused:
            self._begin(window)
        if (running := self._running.get(window)) is not None:
            running.rename(window.name, session.path)
            state = session.state
            running.note(state if window.editing is None else window.editing.named(state))

    def _begin(self, window: MainWindow) -> None:
        from .document.autosave import Autosave
        from .document.errors import DocumentError
        from .document.journal import Journal

        path = window.session.path if window.session else None
        try:
            journal = Journal(self._folder, window.name, path, self.failed.emit)
        except DocumentError as error:
            self._refused = True
            window.fail(error)
            return
        self._running[window] = Autosave(journal, float(self._kept.value.autosave_seconds))

    def _end(self, window: MainWindow) -> None:
        if (running := self._running.pop(window, None)) is not None:
            self._background.run(running.close, lambda _: None, lambda error: log.info("%s", error), self)

    def _settings_changed(self, before: Settings) -> None:
        if self._kept.value.autosave_seconds != before.autosave_seconds:
            for window in list(self._running):
                self._end(window)
                self._note(window)
