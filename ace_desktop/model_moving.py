"""Moving the installed models to another folder: in a thread, told as it goes on, and stopped without loss."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from .background import Background
from .model_sentences import library_said

if TYPE_CHECKING:
    from mlx_model.library.moving import Move


_ASK_MS = 200


class ModelMover(QObject):
    """Moves models one folder at a time. All calls return at once and belong to the GUI thread.

    `used` tells whether a model in a folder is being worked with: the copies that were left there are deleted when it
    no longer is.
    """

    changed = Signal()
    """It has begun, is further or has ended."""
    moved = Signal(object)
    """The Move that is done: everything is at its new place."""
    failed = Signal(str)
    """A sentence why it is not; everything is at its old place."""
    _copied = Signal(object)
    _arrived = Signal()

    def __init__(self, used: Callable[[Path], bool] = lambda _: False, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.move: Move | None = None
        """What is being moved."""
        self.copied = 0
        """Bytes of it that are there already."""
        self._background = Background(1, self)
        self._used = used
        self._stopped, self._free = threading.Event(), threading.Event()
        self._there: Move | None = None
        self._left = Path()
        self._copied.connect(self._show)
        self._arrived.connect(self._tell)
        self._asking = QTimer(self, interval=_ASK_MS)
        self._asking.timeout.connect(self._ask)

    def settle(self, here: Path, done: Callable[[], None], only_to: Path | None = None) -> None:
        """Make an end of what a killed program left in a folder of models, then call `done`.

        With `only_to` only where it was moving them to that folder.
        """

        def work() -> Move | None:
            from mlx_model.library.moving import settle_move

            return settle_move(here, only_to)

        def settled(move: Move | None) -> None:
            if move is not None:
                self.moved.emit(move)
            done()

        def failed(error: Exception) -> None:
            done()
            raise error  # not foreseen: it is told as such

        self._background.run(work, settled, failed, self)

    def plan(self, here: Path, there: Path, planned: Callable[[Move], None], asks: QObject) -> None:
        """Look what there is to be moved; `planned` gets it, unless `asks` is gone by then."""

        def work() -> Move:
            from mlx_model.library.moving import plan_move

            return plan_move(here, there)

        self._background.run(work, planned, self._failed, asks)

    def begin(self, move: Move) -> None:
        """Move; nothing happens while another one is under way."""
        if self.move is not None:
            return
        self.move, self.copied = move, 0
        self._stopped.clear()
        self._free.clear()

        def arrived() -> None:
            self._there = move
            self._arrived.emit()
            if move.copied:
                self._free.wait()

        def work() -> None:
            from mlx_model.library.moving import move_models

            move_models(move, self._tick, arrived)

        self._background.run(work, lambda _: None, self._failed, self)
        self.changed.emit()

    def stop(self) -> None:
        """Leave everything where it was."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, and wait until what was copied is gone again, or what it was copied of; nothing is used any more."""
        self.stop()
        self._asking.stop()
        self._free.set()
        self._background.close()
        self._tell()  # too late to be stopped, and not told yet
        self._asking.stop()

    def _tick(self, copied: int) -> None:
        """Go on, or not; in the thread."""
        if self._stopped.is_set():
            raise _Stopped
        self._copied.emit(copied)

    def _show(self, copied: int) -> None:
        self.copied = copied
        self.changed.emit()

    def _tell(self) -> None:
        """Tell that everything is at its new place."""
        move, self._there = self._there, None
        if move is not None:
            self.move, self._left = None, move.here
            self.moved.emit(move)
            self.changed.emit()
            self._asking.start()
            self._ask()

    def _ask(self) -> None:
        if not self._used(self._left):
            self._asking.stop()
            self._free.set()

    def _failed(self, error: Exception) -> None:
        from mlx_model.request import RequestError

        self.move = None
        self.changed.emit()
        if isinstance(error, RequestError | OSError):
            self.failed.emit(library_said(str(error)))
        elif not isinstance(error, _Stopped):
            raise error  # not foreseen: it is told as such


class _Stopped(Exception):
    """The person does not want to wait any longer."""
