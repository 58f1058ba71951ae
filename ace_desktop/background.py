"""Slow work (reading, writing, thumbnails) in threads of its own, with the answers given in the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal
from shiboken6 import isValid

_Result = TypeVar("_Result")


class Background(QObject):
    """A pool of threads; what a piece of work returns or raises comes back as a call in the GUI thread."""

    _answered = Signal(object)

    def __init__(self, threads: int = 2, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)
        self._answered.connect(self._answer, Qt.ConnectionType.QueuedConnection)
        self.running = 0
        """How many pieces of work have not been answered yet."""

    def run(
        self,
        work: Callable[[], _Result],
        done: Callable[[_Result], None],
        failed: Callable[[Exception], None],
        asks: QObject,
    ) -> None:
        """Do the work in a thread, then call `done` or `failed` here, unless `asks` is gone by then."""
        self.running += 1

        def job() -> None:
            try:
                result = work()
            except Exception as error:
                caught = error  # `error` is unbound after the block

                def answer() -> None:
                    failed(caught)
            else:

                def answer() -> None:
                    done(result)

            self._answered.emit((asks, answer))

        self._pool.start(job)

    def _answer(self, answer: tuple[QObject, Callable[[], None]]) -> None:
        self.running -= 1
        asks, call = answer
        if isValid(asks):
            call()

    def close(self) -> None:
        """Wait for all work that was begun; its answers are no longer given."""
        self._pool.waitForDone()
        self._answered.disconnect(self._answer)
