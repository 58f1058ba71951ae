"""The model's process: works off what it is told to, in its main thread, and ends with the pipe.

The only module of the application that loads MLX, and only inside `main`: that runs in the process that
`process.ModelProcess` starts. MLX's arrays belong to the thread that made them, so one thread does all of it; another
reads the pipe, so that a cancel is heard while it computes.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mlx_model.checkpoint import Checkpoint
from mlx_model.request import (
    Cancelled,
    EditRequest,
    EditResult,
    OutOfMemory,
    Picture,
    Precision,
    Progress,
    RequestError,
    UnusableNumbers,
)

from .protocol import (
    Advanced,
    Alive,
    Cancel,
    Failed,
    Finished,
    FromModel,
    Made,
    Ready,
    Saved,
    Stopped,
    Taken,
    ToModel,
    Trouble,
    Work,
)
from .shared_pictures import Numbered, look_at_checkpoint, look_at_picture, share, share_checkpoint, share_picture

if TYPE_CHECKING:
    from mlx_model.editor import Editor

NICE: Final = 5
"""How far the process steps back behind the window's (nice(2))."""
BEGUN_ANEW: Final = "the saved step no longer fits the model or its settings, so this was begun anew"
_ALIVE_EVERY: Final = 0.25
_DETAILS: Final = 6000
_NOTHING: Final = Picture(np.zeros((0, 0, 4), np.uint8))


def main(pipe: Connection, prefix: str, log: Path) -> None:
    """Work until the other side hangs up; `prefix` names the blocks made here, `log` takes what is printed."""
    _print_to(log)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the window, which then hangs up
    os.nice(NICE)
    inbox = Inbox(pipe)
    inbox.start()

    from mlx_model.cli.machine import device

    pipe.send(Ready(device()))
    worker = Worker(pipe.send, Numbered(prefix), inbox.cancelled)
    while True:
        worker.work_off(inbox.work.get())


def _print_to(log: Path) -> None:
    """Let all that is printed here and by libraries go to a file, with the Python stack of a crash."""
    with contextlib.suppress(OSError):  # the disk is full or locked: an edit needs no log
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
    faulthandler.enable(2)


class Inbox(threading.Thread):
    """Reads the pipe: work goes into a queue, cancelled jobs into a set."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__(name="inbox", daemon=True)
        self._pipe = pipe
        self.work: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self.cancelled: set[str] = set()

    def run(self) -> None:
        """Read until the other side hangs up; then end the process, whatever it is doing."""
        try:
            while True:
                self.take(self._pipe.recv())
        except (EOFError, OSError):
            sys.stderr.flush()
            os._exit(0)

    def take(self, message: ToModel) -> None:
        """Note a message; a cancel counts for the run before it."""
        if isinstance(message, Cancel):
            self.cancelled.add(message.job)
        else:
            self.cancelled.discard(message.job)  # it came when that run had ended
            self.work.put(message)


class Worker:
    """Works off jobs with one model at a time, which stays loaded."""

    def __init__(self, send: Callable[[FromModel], None], names: Numbered, cancelled: set[str]) -> None:
        self._send, self._names, self._cancelled = send, names, cancelled
        self._editor: Editor | None = None
        self._made_for: tuple[Path, int | None, Precision | None] | None = None

    def work_off(self, work: Work) -> None:
        """Do a job, or say why not; only what ends the process goes through."""
        run = _Run(work, self._send, self._names, self._cancelled)
        try:
            editor = self._edit(work, run)
        except Cancelled:
            self._send(Stopped(work.job))
        except Exception as error:
            trouble = next((t for kind, t in _TROUBLES if isinstance(error, kind)), Trouble.unexpected)
            if trouble is not Trouble.request:
                self._editor, self._made_for = None, None  # in what state it is nobody knows
            details = "".join(traceback.format_exception(error))[-_DETAILS:]
            self._send(Failed(work.job, trouble, str(error), details))
        else:
            self._send(Finished(work.job, editor.model.name, editor.paces, run.silences))

    def _edit(self, work: Work, run: _Run) -> Editor:
        pictures = {digest: look_at_picture(shared) for digest, shared in work.pictures.items()}
        checkpoint = None if work.checkpoint is None else look_at_checkpoint(work.checkpoint)
        self._send(Taken(work.job))
        editor = self._ready_editor(work)
        for index, request in work.requests:
            run.begin(index)
            fitted = editor.fitted(request, pictures, previews=True, cancelled=run.cancelled)
            run.notes = fitted.notes

            def edit(resume: Checkpoint | None, request: EditRequest = fitted.request) -> EditResult:
                return editor.edit(request, pictures, run.progress, run.cancelled, True, resume, run.checkpoint)

            try:
                run.result(edit(checkpoint))
            except (UnusableNumbers, OutOfMemory):
                raise
            except RequestError:
                if checkpoint is None:
                    raise
                run.notes += (BEGUN_ANEW,)  # of another version of the model, or with another limit
                run.result(edit(None))
            checkpoint = None  # it was the first request's
        return editor

    def _ready_editor(self, work: Work) -> Editor:
        wanted = (work.folder, work.memory_limit, work.precision)
        if self._editor is None or self._made_for != wanted:
            from mlx_model.editor import Editor
            from mlx_model.runtime import ON_GPU
            from mlx_model.text_store import default_store

            self._editor, self._made_for = None, None  # two models at once may be too much
            store = default_store()
            precision = computed_in(work.precision, on_gpu=ON_GPU)
            self._editor = Editor(work.folder, work.memory_limit, text_store=store, precision=precision)
            self._editor.paces = work.paces.get(self._editor.model.name, {})
            self._made_for = wanted
        return self._editor


def computed_in(wanted: Precision | None, *, on_gpu: bool) -> Precision | None:
    """Give what the networks compute in: only float32 is fast on a processor, whatever is wanted there."""
    return wanted if on_gpu else None


_TROUBLES: Final = (
    (UnusableNumbers, Trouble.numbers),
    (OutOfMemory, Trouble.memory),
    (MemoryError, Trouble.memory),
    (RequestError, Trouble.request),
)


class _Run:
    """Tells how one job goes, and knows whether it was cancelled."""

    def __init__(self, work: Work, send: Callable[[FromModel], None], names: Numbered, cancelled: set[str]) -> None:
        self._work, self._send, self._names, self._cancelled = work, send, names, cancelled
        self._index, self._stage = 0, ""
        self._began = self._last = self._told = time.monotonic()
        self._left: float | None = None
        self.silences: dict[str, float] = {}
        self.notes: tuple[str, ...] = ()
        """What was given up before the request was begun."""

    def begin(self, index: int) -> None:
        """Turn to a request."""
        self._index = index

    def cancelled(self) -> bool:
        """Tell whether the person has had enough; being asked is a sign of life."""
        now = time.monotonic()
        self.silences[self._stage] = max(self.silences.get(self._stage, 0.0), now - self._last)
        self._last = now
        if now - self._told >= _ALIVE_EVERY:
            self._told = now
            self._send(Alive(self._work.job, self._stage))
        return self._work.job in self._cancelled

    def progress(self, progress: Progress) -> None:
        """Tell how far the request is."""
        self._stage, self._left = progress.stage, progress.seconds_left
        preview = None if progress.preview is None else share(progress.preview, self._names)
        told = replace(progress, preview=None, notes=self._all_notes(progress.notes))
        self._send(Advanced(self._work.job, self._index, told, preview))

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Hand over a state, where the job is long enough for somebody to miss it."""
        if time.monotonic() - self._began + (self._left or 0.0) >= self._work.save_after:
            self._send(Saved(self._work.job, self._index, share_checkpoint(checkpoint, self._names)))

    def result(self, result: EditResult) -> None:
        """Hand over a result."""
        picture = share_picture(result.picture, self._names)
        patch = None if result.patch is result.picture else share_picture(result.patch, self._names)
        bare = replace(result, picture=_NOTHING, patch=_NOTHING, notes=self._all_notes(result.notes))
        self._send(Made(self._work.job, self._index, bare, picture, patch))

    def _all_notes(self, notes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.notes, *notes)))
