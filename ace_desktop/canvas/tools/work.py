"""Slow parts of tools in a thread of the application's pool, one at a time, with the answer in the GUI thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal

_Result = TypeVar("_Result")


class Work(QObject):
    """At most one piece of work whose answer is wanted; one that is forgotten runs to its end unheard."""

    failed = Signal(str)
    """The work raised an exception; its words, for people who report it (the log has the rest)."""
    _answered = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._wanted: object = None
        self._answered.connect(self._answer, Qt.ConnectionType.QueuedConnection)

    @property
    def running(self) -> bool:
        """Whether an answer is waited for."""
        return self._wanted is not None

    def start(self, work: Callable[[], _Result], done: Callable[[_Result], None]) -> None:
        """Do the work in a thread and then call `done`, unless other work is started or this forgotten by then."""
        token = self._wanted = object()

        def job() -> None:
            try:
                result = work()
            except Exception as error:
                logging.getLogger(__name__).exception("a tool's work failed")
                words = str(error)
                self._answered.emit((token, lambda: self.failed.emit(words)))
            else:
                self._answered.emit((token, lambda: done(result)))

        QThreadPool.globalInstance().start(job)

    def forget(self) -> None:
        """Want no answer any more."""
        self._wanted = None

    def _answer(self, answer: tuple[object, Callable[[], None]]) -> None:
        token, call = answer
        if token is self._wanted:
            self._wanted = None
            call()
