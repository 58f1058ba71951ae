"""The thread that drives the model's process: hands it a job at a time, passes on what it says, watches over it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final

from mlx_model.checkpoint import Checkpoint
from mlx_model.progress import Stage
from mlx_model.request import Precision

from . import child
from .awake import Awake, Standstill
from .events import Event, HasEnded, HasStuck, Learnt, taken
from .faults import NO_ROOM, NOT_STARTED, PICTURES_LOST, STUCK_ENDED, TROUBLES
from .jobs import Job, names_of
from .process import Entry, ModelProcess
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
    Trouble,
    Work,
)
from .shared_pictures import Numbered, drop, share_checkpoint, share_pictures

log = logging.getLogger(__name__)

_GRACE: Final = 3.0
"""Seconds in which a cancelled job has to stop, or its process is ended; the person was answered long before."""
_LOOK_EVERY: Final = 0.5
_SILENCES: Final = 5
"""How many of the longest silences of earlier runs count as stuck."""


@dataclass(frozen=True, eq=False)
class Task:
    """A job, which of its requests are to be done, and all that the process has to know for it."""

    job: Job
    indices: tuple[int, ...]
    memory_limit: int | None = None
    precision: Precision | None = None
    paces: Mapping[str, Mapping[Stage, float]] = field(default_factory=dict[str, Mapping[Stage, float]])
    silences: Mapping[str, float] = field(default_factory=dict[str, float])
    checkpoint: Callable[[], Checkpoint | None] | None = None
    """Reads where the first request goes on; None where it begins anew."""


@dataclass
class _Running:
    """The task in hand; `heard` is when its process gave the last sign of life, by time.monotonic.

    `parts` are what is still to be handed over, the part in hand first: requests (by index) that speak of the same
    pictures, so that of many the pictures of one are in memory. `taken`: the process has those of the part.
    `again`: it is handed over for the second time. `give_up` is when a cancelled task has to have stopped.
    """

    task: Task
    parts: deque[tuple[int, ...]]
    heard: float
    silences: dict[str, float] = field(default_factory=dict[str, float])
    stage: str = ""
    blocks: list[str] = field(default_factory=list[str])
    taken: bool = False
    again: bool = False
    stuck: bool = False
    give_up: float | None = None


class Driver(threading.Thread):
    """Drives the process. Calls return at once; `tell` is called in this thread.

    `log_file` takes what the process prints. `patience` is the seconds of silence from which on a job may count as
    stuck; `save_after` the seconds from which on states of a job are saved; after `idle_seconds` without a job (None:
    never) the process ends, and with it all the memory that the model takes. `awake` keeps the machine from sleeping
    while a task runs, `standstill` notices where it slept.
    """

    def __init__(
        self,
        log_file: Path,
        tell: Callable[[Event], None],
        *,
        entry: Entry = child.main,
        patience: float = 30.0,
        save_after: float = 60.0,
        idle_seconds: float | None = 600.0,
        awake: Awake | None = None,
        standstill: Standstill | None = None,
    ) -> None:
        super().__init__(name="engine", daemon=True)
        self._idle_seconds = idle_seconds
        self._log_file, self._tell, self._entry = log_file, tell, entry
        self._patience, self._save_after = patience, save_after
        self._orders: deque[Callable[[], None]] = deque()
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        self._closing = False
        self._process: ModelProcess | None = None
        self._running: _Running | None = None
        self._names = Numbered()
        self._awake, self._standstill = awake or Awake(), standstill or Standstill()
        self._idle_since = time.monotonic()

    # From any thread

    @property
    def pid(self) -> int | None:
        """The process's number; None where none runs."""
        process = self._process
        return None if process is None else process.pid

    def work(self, task: Task) -> None:
        """Begin a task; the one before must have ended."""
        self._order(partial(self._begin, task))

    def cancel(self, job_id: str) -> None:
        """Stop a job; where it does not stop, its process is ended."""
        self._order(partial(self._cancel, job_id))

    def end(self, job_id: str) -> None:
        """End the process that is stuck with a job."""
        self._order(partial(self._end, job_id))
        running, process = self._running, self._process
        if running is not None and running.task.job.id == job_id and process is not None:
            process.kill()

    def let_go_after(self, idle_seconds: float | None) -> None:
        """Let the process end after other seconds without a job, None for never."""
        self._idle_seconds = idle_seconds
        self._order(_nothing)

    def close(self) -> None:
        """End the process and the thread; `join` waits for that."""
        self._closing = True
        self._order(_nothing)
        if (process := self._process) is not None:
            process.kill()

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        with contextlib.suppress(OSError):  # a full pipe wakes as well; a closed one has nobody to wake
            os.write(self._wakes, b"\0")

    # In this thread

    def run(self) -> None:
        """Wait for orders, messages and deaths until closed."""
        try:
            while not self._closing:
                try:
                    self._turn()
                except Exception as error:
                    self._failed(error)
        finally:
            if self._process is not None:
                self._end_process(self._process)
            self._drop_blocks()
            self._awake.release()
            for end in (self._woken, self._wakes):
                os.close(end)

    def _turn(self) -> None:
        process = self._process
        sources: list[int | Connection] = [self._woken]
        if process is not None:
            sources += [process.pipe, process.sentinel]
        ready = wait(sources, self._timeout())
        if self._woken in ready:
            os.read(self._woken, 4096)
        while self._orders and not self._closing:
            self._orders.popleft()()
        if process is None or process is not self._process or self._closing:
            return
        for message in process.messages():
            self._hear(process, message)
        if process.sentinel in ready:
            self._died(process)
        else:
            self._watch(process)

    def _timeout(self) -> float | None:
        if self._running is not None:
            return _LOOK_EVERY
        if self._process is None or self._idle_seconds is None:
            return None
        return max(0.0, self._idle_since + self._idle_seconds - time.monotonic())

    def _begin(self, task: Task) -> None:
        self._running = running = _Running(task, parts_of(task), time.monotonic())
        self._awake.hold()
        self._standstill.begin()
        self._hand_over(running)

    def _hand_over(self, running: _Running, *, again: bool = False) -> None:
        """Give the process the part that is first."""
        running.taken, running.again, task = False, again, running.task
        job, indices = task.job, running.parts[0]
        try:
            process = self._process = self._process or ModelProcess(self._log_file, self._entry)
        except OSError as error:
            self._finish(HasEnded(job.id, sentence=NOT_STARTED, details=str(error)))
            return
        try:
            wanted = sorted({name for index in indices for name in names_of(job.requests[index])} & set(job.pictures))
            pictures = share_pictures(((name, job.pictures[name]) for name in wanted), self._names)
            running.blocks += [name for picture in pictures.values() for name in picture.names]
            first = indices == parts_of(task)[0]
            kept = task.checkpoint() if first and task.checkpoint is not None else None
            checkpoint = None if kept is None else share_checkpoint(kept, self._names)
            running.blocks += [] if checkpoint is None else [checkpoint.latent.name]
        except MemoryError as error:
            self._finish(HasEnded(job.id, sentence=NO_ROOM, details=str(error)))
        except (OSError, LookupError, ValueError) as error:  # they were kept on the disk
            self._finish(HasEnded(job.id, sentence=PICTURES_LOST, details=str(error)))
        else:
            requests = tuple((index, job.requests[index]) for index in indices)
            how = task.memory_limit, task.precision, task.paces, checkpoint, self._save_after
            process.send(Work(job.id, requests, pictures, job.folder, *how))
            running.heard = time.monotonic()

    def _cancel(self, job_id: str) -> None:
        running = self._running
        if running is not None and running.task.job.id == job_id and self._process is not None:
            running.give_up = time.monotonic() + _GRACE
            self._process.send(Cancel(job_id))

    def _end(self, job_id: str) -> None:
        running, process = self._running, self._process
        if running is not None and running.task.job.id == job_id and process is not None:
            details = self._end_process(process)
            self._finish(HasEnded(job_id, sentence=STUCK_ENDED, details=details))

    def _hear(self, process: ModelProcess, message: FromModel) -> None:
        running = self._running
        if isinstance(message, Ready) or running is None:
            return
        running.heard = time.monotonic()
        if running.stuck:
            running.stuck = False
            self._tell(HasStuck(message.job, None))
        match message:
            case Taken():
                running.taken = True
                self._drop_blocks()
            case Alive():
                running.stage = message.stage
            case Advanced() | Made() | Saved():
                if isinstance(message, Advanced):
                    running.stage = message.progress.stage
                self._tell(taken(message, process.names))
            case Finished():
                for stage, seconds in message.silences.items():
                    running.silences[stage] = max(seconds, running.silences.get(stage, 0.0))
                running.parts.popleft()
                if running.parts and running.give_up is None:
                    self._drop_blocks()
                    self._hand_over(running)
                    return
                measured = message.model, message.paces, running.silences, running.task.precision
                learnt = Learnt(process.machine or "", *measured)
                self._finish(HasEnded(message.job, bool(running.parts), learnt=learnt))
            case Stopped():
                self._finish(HasEnded(message.job, cancelled=True))
            case Failed():
                said = message.sentence
                usual = TROUBLES.get(message.trouble, said)
                self._finish(HasEnded(message.job, sentence=usual, said=said, details=message.details))

    def _died(self, process: ModelProcess) -> None:
        """Say why, and start another one, unless this one never came to life."""
        end = process.close()
        self._process = None
        running = self._running
        log.info("%s", end.details)
        if running is None:
            return
        if process.machine is not None and not running.taken and not running.again and running.give_up is None:
            self._drop_blocks()
            self._hand_over(running, again=True)  # it died before the job could be to blame
            return
        if process.machine is not None:
            with contextlib.suppress(OSError):  # the next job tries again
                self._process = ModelProcess(self._log_file, self._entry)
        cancelled = running.give_up is not None
        sentence = "" if cancelled else end.sentence
        self._finish(HasEnded(running.task.job.id, cancelled, sentence=sentence, details=end.details))

    def _watch(self, process: ModelProcess) -> None:
        """Look after what does not happen: a sign of life, an answer to a cancel, a next job."""
        now, running = time.monotonic(), self._running
        if running is None:
            if self._idle_seconds is not None and now >= self._idle_since + self._idle_seconds:
                process.close()
                self._process = None
            return
        job_id = running.task.job.id
        if self._standstill.ended():
            running.heard = now  # it had no chance to give a sign of life
        if running.give_up is not None and now > running.give_up:
            self._end_process(process)
            self._finish(HasEnded(job_id, cancelled=True))
        elif not running.stuck:
            silent = now - running.heard
            if silent > max(self._patience, _SILENCES * running.task.silences.get(running.stage, 0.0)):
                running.stuck = True
                self._tell(HasStuck(job_id, silent))

    def _end_process(self, process: ModelProcess) -> str:
        process.kill()
        self._process = None
        return process.close().details

    def _failed(self, error: Exception) -> None:
        """Go on after what should not happen on this side."""
        log.error("the engine's thread", exc_info=error)
        if self._process is not None:
            self._end_process(self._process)
        if self._running is not None:
            sentence = NO_ROOM if isinstance(error, MemoryError) else TROUBLES[Trouble.unexpected]
            details = "".join(traceback.format_exception(error))
            self._finish(HasEnded(self._running.task.job.id, sentence=sentence, details=details))

    def _finish(self, event: HasEnded) -> None:
        self._drop_blocks()
        self._awake.release()
        self._running, self._idle_since = None, time.monotonic()
        self._tell(event)

    def _drop_blocks(self) -> None:
        if self._running is not None:
            drop(self._running.blocks)
            self._running.blocks = []


def parts_of(task: Task) -> deque[tuple[int, ...]]:
    """Divide what is to be done where the pictures become others; there is one part at least."""
    parts: deque[tuple[int, ...]] = deque()
    before: frozenset[str] | None = None
    for index in task.indices:
        names = names_of(task.job.requests[index])
        if names == before:
            parts[-1] = (*parts[-1], index)
        else:
            parts.append((index,))
        before = names
    return parts or deque([()])


def _nothing() -> None:
    """Wake the thread, no more."""
