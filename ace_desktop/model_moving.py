"""Moving the installed models to another folder: in a thread, told as it goes on, and stopped without loss."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from .background import Background
from .model_sentences import library_said

if TYPE_CHECKING:
    from mlx_model.library.moving import Move


class ModelMover(QObject):
    """Moves models one folder at a time. All calls return at once and belong to the GUI thread."""

    changed = Signal()
    """It has begun, is further or has ended."""
    moved = Signal(object)
    """The Move that is done: everything is at its new place."""
    failed = Signal(str)
    """A sentence why it is not; everything is at its old place."""
    _copied = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.move: Move | None = None
        """What is being moved."""
        self.copied = 0
        """Bytes of it that are there already."""
        self._background = Background(1, self)
        self._stopped = threading.Event()
        self._arrived: Move | None = None
        self._copied.connect(self._show)

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

        def work() -> None:
            from mlx_model.library.moving import move_models

            move_models(move, self._tick)
            self._arrived = move

        self._background.run(work, partial(self._done, move), self._failed, self)
        self.changed.emit()

    def stop(self) -> None:
        """Leave everything where it was."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, and wait until what was copied is gone again."""
        self.stop()
        self._background.close()
        if self._arrived is not None:  # too late to be stopped, and its answer is no longer given
            self._done(self._arrived, None)

    def _tick(self, copied: int) -> None:
        """Go on, or not; in the thread."""
        if self._stopped.is_set():
            raise _Stopped
        self._copied.emit(copied)

    def _show(self, copied: int) -> None:
        self.copied = copied
        self.changed.emit()

    def _done(self, move: Move, _nothing: None) -> None:
        if self._arrived is None:
            return
        self.move = self._arrived = None
        self.moved.emit(move)
        self.changed.emit()

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
