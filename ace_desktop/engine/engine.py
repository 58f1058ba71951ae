"""The door to the model for the window: a queue of jobs, worked off in a process of their own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, Signal

from mlx_model.request import Box, EditRequest, Picture, Precision, Progress, RequestError
from mlx_model.weights.config import ModelConfig
from mlx_model.work import expected_seconds, stage_work, work_of

from ..background import Background
from ..sentences import as_sentence
from . import child, queue
from .awake import Awake, Standstill
from .driver import Driver, Task
from .events import Event, HasAdvanced, HasEnded, HasMade, HasSaved, HasStuck
from .faults import PROGRAM_ENDED, STUCK
from .jobs import Job, JobStatus, Phase
from .kept_jobs import KeptJobs
from .process import Entry
from .sentences import in_english
from .times import Times, read_times, write_times

log = logging.getLogger(__name__)

_CLOSING: Final = 2.0


class Engine(QObject):
    """Works jobs off in their order; every call returns at once and belongs to the GUI thread.

    `folder` is where jobs, times and the log of the model's process are kept; what an earlier run of the program left
    undone is in `jobs` again soon after the start, as interrupted. `memory_limit` is in bytes, None as the machine
    has it, and so is `precision`; after `idle_minutes` without a job (0: never) the model is let go. Tests set the
    rest: `entry` runs in the process, `patience` and `save_after` are seconds, `awake` and `standstill` know of sleep
    (`driver.Driver`).
    """

    jobs_changed = Signal()
    """The list, or the phase of something in it."""
    progressed = Signal(str, object)
    """A job's id and the Progress of the request that is worked on; its status has index and time left."""
    made = Signal(str, int, object)
    """A job's id, the index of its request, the EditResult: each variation as soon as it is there."""
    finished = Signal(str)
    """A job's id: all its requests have results."""
    failed = Signal(str)
    """A job's id; its status has sentence and details."""

    _told = Signal(object)

    def __init__(
        self,
        folder: Path,
        memory_limit: int | None = None,
        parent: QObject | None = None,
        *,
        idle_minutes: float = 10,
        precision: Precision | None = None,
        entry: Entry = child.main,
        patience: float = 30.0,
        save_after: float = 60.0,
        awake: Awake | None = None,
        standstill: Standstill | None = None,
    ) -> None:
        super().__init__(parent)
        self.folder: Final = folder
        self._memory_limit = memory_limit
        self._precision: Precision | None = precision
        self._queue: queue.Queue = ()
        self._order: tuple[str, ...] = ()
        self._working, self._folder = "", Path()
        self._began = 0.0
        self._times = Times()
        self._loaded: tuple[int | None, str, Precision | None] = (None, "", None)
        self._closed = False
        self._held: dict[str, int] = {}
        self._kept: KeptJobs | None = None
        self._disk = Background(1, self)
        self._disk.run(self._open, self._opened, self._cannot_keep, self)
        self._told.connect(self._hear, Qt.ConnectionType.QueuedConnection)
        self._driver = Driver(
            folder / "model.log",
            self._told.emit,
            entry=entry,
            patience=patience,
            save_after=save_after,
            idle_seconds=60 * idle_minutes or None,
            awake=awake,
            standstill=standstill,
        )
        self._driver.start()

    # What is asked of it

    @property
    def jobs(self) -> tuple[JobStatus, ...]:
        """All jobs that are known, in their order; finished ones stay for a while."""
        return self._queue

    def status(self, job_id: str) -> JobStatus | None:
        """Where a job stands; None where it is not known (any more)."""
        return queue.find(self._queue, job_id)

    @property
    def busy(self) -> bool:
        """Whether a job waits or runs."""
        return any(status.phase in (Phase.waiting, Phase.running) for status in self._queue)

    @property
    def working(self) -> bool:
        """Whether the model's process has a job in hand: a cancelled one for a moment more."""
        return bool(self._working)

    def works_in(self, folder: Path) -> bool:
        """Whether the job that the model's process has in hand needs a model in this folder."""
        return self.working and self._folder.is_relative_to(folder)

    @property
    def process_id(self) -> int | None:
        """The number of the model's process; None where none runs."""
        return self._driver.pid

    def submit(self, job: Job) -> str:
        """Put a job last in the queue; returns its id."""
        self._change(queue.added(self._queue, job))
        self._keep(job.id)
        return job.id

    def cancel(self, job_id: str) -> None:
        """Cancel a job that waits or runs; it stays in the list and can be run again."""
        before = self.status(job_id)
        if before is not None and before.phase in (Phase.waiting, Phase.running):
            if before.phase is Phase.running:
                self._driver.cancel(job_id)
            self._change(queue.moved_on(self._queue, job_id, Phase.cancelled, progress=None, sentence=""))
            self._keep(job_id)

    def cancel_all(self) -> None:
        """Cancel all that wait or run."""
        for status in reversed(self._queue):  # the running one last, or the next would begin
            self.cancel(status.id)

    def move(self, job_id: str, index: int) -> None:
        """Put a job at a place of `jobs`; those that wait run in this order."""
        self._change(queue.moved(self._queue, job_id, index))

    def run_again(self, job_id: str, *, afresh: bool = False) -> None:
        """Let a failed, cancelled or interrupted job wait again, for what has no result yet.

        It goes on from its last saved step where there is one, unless `afresh`.
        """
        if afresh:
            self._forget_step(job_id)
        self._change(queue.waits_again(self._queue, job_id))
        self._keep(job_id)

    def remove(self, job_id: str) -> None:
        """Take a job out of the list, cancelled before if need be, and forget what was kept of it."""
        self.cancel(job_id)
        self._change(queue.without(self._queue, job_id))
        self._put_away(job_id)

    def hand_over(self, document: str, to: str) -> None:
        """Let the jobs of a document belong to another from now on: it was saved as that."""
        for status in self._queue:
            if status.job.document == document:
                self._queue = queue.changed(self._queue, status.id, job=replace(status.job, document=to))
                self._keep(status.id)
        self.jobs_changed.emit()

    def models_moved(self, before: Path, now: Path) -> None:
        """Look for the models of jobs in another folder from now on."""
        for status in self._queue:
            if status.job.folder.is_relative_to(before):
                folder = now / status.job.folder.relative_to(before)
                self._queue = queue.changed(self._queue, status.id, job=replace(status.job, folder=folder))
                self._keep(status.id)

    def hold(self, job_id: str) -> None:
        """Keep a job's pictures, and do not note yet that it has made something: results are being put on the disk.

        Each needs its `release`. A program that is killed in between makes them once more rather than losing them.
        """
        self._held[job_id] = self._held.get(job_id, 0) + 1

    def release(self, job_id: str, lost: int | None = None, sentence: str = "") -> None:
        """Note what a job has made, and let it go if it is done.

        A result (by the index of its request) that was `lost` since it could not be put on the disk counts as not
        made: the job fails with that sentence, and can be run again for it.
        """
        status = self.status(job_id)
        if status is not None and lost is not None:
            made = status.made - {lost}
            self._queue = queue.changed(self._queue, job_id, made=made, sentence=sentence)
            if status.phase is Phase.done:
                self._fail(job_id, sentence)
        left = self._held.pop(job_id, 1) - 1
        if left:
            self._held[job_id] = left
        else:
            self._put_away(job_id)

    def end_stuck(self, job_id: str) -> None:
        """End the process of a job that is stuck; the job fails and can be run again."""
        self._driver.end(job_id)

    def expected_seconds(
        self,
        request: EditRequest,
        size: tuple[int, int] | None,
        model: ModelConfig,
        extent: Box | None = None,
        references: Sequence[tuple[int, int]] = (),
    ) -> float | None:
        """Say how long one request will take on this machine; None while no earlier run tells.

        `size` is the picture's (width, height), None for a new picture; `extent` the bounding box of the mask;
        `references` the sizes of the reference pictures.
        """
        paces = self._times.of(self._precision).get(model.name, {})
        try:
            work = work_of(request, model, size, extent, references)
        except RequestError:
            return None
        warm = self._driver.pid is not None and self._loaded == (self._driver.pid, model.name, self._precision)
        return expected_seconds(stage_work(work, model, ["load"] if warm else []), paces)

    def change(self, *, memory_limit: int | None, idle_minutes: float, precision: Precision | None = None) -> None:
        """Take new settings, as the constructor has them; they hold from the next job on."""
        self._memory_limit, self._precision = memory_limit, precision
        self._driver.let_go_after(60 * idle_minutes or None)

    def close(self) -> None:
        """End the process and all threads, within 2 seconds; what is undone is kept for the next start."""
        if self._closed:
            return
        self._closed = True
        self._driver.close()
        self._driver.join(_CLOSING)
        self._disk.close()
        if self._kept is not None:
            self._kept.close()

    # What the driving thread tells

    def _hear(self, event: Event) -> None:
        status = self.status(event.job)
        running = status is not None and status.phase is Phase.running
        match event:
            case HasEnded():
                self._ended(event)
            case _ if status is None or not running:
                pass  # it was cancelled meanwhile
            case HasAdvanced():
                self._advanced(status, event.index, event.progress)
            case HasMade():
                made = status.made | {event.index}
                notes = _united(status.notes, event.result.notes)
                self._on_disk(lambda kept: kept.forget_step(event.job))  # also one that is being saved
                self._change(queue.changed(self._queue, event.job, made=made, notes=notes, resume_step=0))
                self.made.emit(event.job, event.index, event.result)
                self._put_away(event.job)
            case HasSaved():
                self._on_disk(lambda kept: kept.save(event.job, event.checkpoint), lambda _: self._saved_step(event))
            case HasStuck():
                stuck = event.seconds is not None
                sentence = STUCK.format(seconds=round(event.seconds or 0)) if stuck else ""
                self._change(queue.changed(self._queue, event.job, stuck=stuck, sentence=sentence))

    def _advanced(self, status: JobStatus, index: int, progress: Progress) -> None:
        if status.progress is None or status.index != index:
            self._began = time.monotonic()
        left = progress.seconds_left
        if left is not None:
            whole = time.monotonic() - self._began + left
            left += whole * (len(status.left) - 1)
        self._queue = queue.changed(
            self._queue,
            status.id,
            index=index,
            progress=progress,
            seconds_left=left,
            notes=_united(status.notes, progress.notes),
        )
        self.progressed.emit(status.id, progress)

    def _saved_step(self, event: HasSaved) -> None:
        status = self.status(event.job)
        if status is not None and event.index not in status.made:
            self._change(queue.changed(self._queue, event.job, resume_step=event.checkpoint.step))

    def _ended(self, event: HasEnded) -> None:
        before = self.status(event.job)
        self._working = ""
        if event.learnt is not None:
            learnt = event.learnt
            self._loaded = self._driver.pid, learnt.model, learnt.precision
            self._times = times = self._times.learnt(
                learnt.machine, learnt.model, learnt.paces, learnt.silences, learnt.precision
            )
            self._on_disk(lambda _: write_times(self.folder / "times.json", times))
        if before is None or before.phase is not Phase.running:
            self._change(self._queue)
        elif event.cancelled:
            self._change(queue.moved_on(self._queue, event.job, Phase.cancelled, progress=None))
            self._keep(event.job)
        elif event.sentence:
            self._loaded = (None, "", None)  # in what state the process is nobody knows
            self._fail(event.job, in_english(event.said) or as_sentence(event.sentence), event.details)
        elif before.left:
            self._fail(event.job, before.sentence)
        else:
            self._change(queue.moved_on(self._queue, event.job, Phase.done, progress=None))
            self._put_away(event.job)
            self.finished.emit(event.job)

    def _fail(self, job_id: str, sentence: str, details: str = "") -> None:
        self._change(queue.moved_on(self._queue, job_id, Phase.failed, sentence=sentence, details=details))
        self._keep(job_id)
        self.failed.emit(job_id)

    def _change(self, now: queue.Queue) -> None:
        """Take a new queue, and begin what is next in it."""
        self._queue, gone = queue.trimmed(now)
        order = tuple(status.id for status in self._queue)
        if order != self._order:
            self._order = order
            self._on_disk(lambda kept: kept.keep_order(order))
        for job_id in gone:
            self._on_disk(partial(_forget, job_id))
        status = queue.next_waiting(self._queue)
        if status is not None and not self._working:
            self._working, self._folder = status.id, status.job.folder
            self._queue = queue.moved_on(self._queue, status.id, Phase.running, progress=None, sentence="")
            checkpoint = partial(self._saved, status.id) if status.resume_step else None
            limit, precision, times = self._memory_limit, self._precision, self._times
            paces = times.of(precision)
            self._driver.work(Task(status.job, status.left, limit, precision, paces, times.silences, checkpoint))
        self.jobs_changed.emit()

    # What is kept on the disk

    def _open(self) -> tuple[list[JobStatus], Times]:
        times = read_times(self.folder / "times.json")
        self._kept = KeptJobs(self.folder / "jobs")
        return self._kept.take_over(), times

    def _opened(self, found: tuple[list[JobStatus], Times]) -> None:
        jobs, times = found
        if times.machine and not self._times.machine:
            self._times = times
        if jobs:
            told = (replace(s, sentence=PROGRAM_ENDED) if s.phase is Phase.interrupted else s for s in jobs)
            self._change((*told, *self._queue))

    def _saved(self, job_id: str) -> Any:
        return None if self._kept is None else self._kept.saved(job_id)

    def _forget_step(self, job_id: str) -> None:
        status = self.status(job_id)
        if status is not None and status.resume_step:
            self._queue = queue.changed(self._queue, job_id, resume_step=0)
            self._on_disk(lambda kept: kept.forget_step(job_id))

    def _keep(self, job_id: str) -> None:
        """Bring a job up to date on the disk, from where its pictures are read from then on."""
        status = self.status(job_id)
        if status is None or status.phase is Phase.done:
            return

        def kept(pictures: Mapping[str, Picture]) -> None:
            now = self.status(job_id)
            if now is not None and now.phase is not Phase.done:
                self._queue = queue.changed(self._queue, job_id, job=replace(now.job, pictures=pictures))

        self._on_disk(lambda disk: disk.write(status), kept)

    def _put_away(self, job_id: str) -> None:
        """Bring what is kept of a job to where it stands; one that is done or gone is let go."""
        status = self.status(job_id)
        if job_id in self._held:
            return
        if status is not None and status.phase is not Phase.done:
            self._keep(job_id)
            return
        if status is not None:
            self._queue = queue.changed(self._queue, job_id, job=replace(status.job, pictures={}))
        self._on_disk(lambda kept: kept.forget(job_id))

    def _on_disk(self, work: Callable[[KeptJobs], Any], done: Callable[[Any], None] = lambda _: None) -> None:
        def guarded() -> Any:
            if self._kept is None:
                raise OSError("there is no folder to keep jobs in")
            return work(self._kept)

        if not self._closed:
            self._disk.run(guarded, done, self._cannot_keep, self)

    def _cannot_keep(self, error: Exception) -> None:
        """Go on without: what is lost is only what a crash would take."""
        log.info("jobs cannot be kept: %s", error)


def _forget(job_id: str, kept: KeptJobs) -> None:
    kept.forget(job_id)


def _united(notes: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Add the model's notes to those that were told already."""
    return tuple(dict.fromkeys((*notes, *(in_english(note) or as_sentence(note) for note in more))))
