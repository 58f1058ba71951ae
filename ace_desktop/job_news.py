"""What is told of jobs outside the windows: how far they are on the program's icon, and how one came out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from .attention import Attention
from .engine.sentences import job_said
from .panels.job_row import title_words
from .translation import tr

if TYPE_CHECKING:
    from .engine.engine import Engine
    from .engine.jobs import JobStatus

_UNDER_WAY = ("waiting", "running")
_TOLD = ("done", "failed", "interrupted")


class JobNews(QObject):
    """Follows the queue; jobs that were put into it before it was empty again are one piece of work."""

    def __init__(
        self, engine: Engine, attention: Attention, show: Callable[[], None], parent: QObject | None = None
    ) -> None:
        """`show` brings the window to the front where the user follows a notification."""
        super().__init__(parent)
        self._engine, self._attention, self._show = engine, attention, show
        self._phases: dict[str, str] = {job.id: str(job.phase) for job in engine.jobs}
        self._together: set[str] = set()
        engine.jobs_changed.connect(self._changed)
        engine.progressed.connect(self._progressed)

    def _changed(self) -> None:
        jobs = self._engine.jobs
        before, self._phases = self._phases, {job.id: str(job.phase) for job in jobs}
        self._together |= {job.id for job in jobs if job.phase in _UNDER_WAY}
        for job in jobs:
            if before.get(job.id) in _UNDER_WAY and job.phase in _TOLD:
                self._tell(job)
        if not any(job.phase in _UNDER_WAY for job in jobs):
            self._together.clear()
        self._progressed()

    def _progressed(self, *_news: object) -> None:
        shares = [_share(job) for job in self._engine.jobs if job.id in self._together]
        self._attention.progress("jobs", sum(shares) / len(shares) if shares else None)

    def _tell(self, job: JobStatus) -> None:
        if job.phase == "done":
            count = job.total
            many = tr("{number} pictures are ready to choose from.", number=count)
            self._attention.ended(tr("Your edit is ready"), title_words(job) if job.job.title else many, self._show)
        else:
            self._attention.ended(tr("Your edit needs a look"), job_said(job.sentence), self._show)


def _share(job: JobStatus) -> float:
    """Say how much of a job is done, 0..1."""
    if job.phase not in _UNDER_WAY:
        return 1.0
    now = job.progress
    part = now.step / now.steps if now is not None and now.steps and job.phase == "running" else 0.0
    return (job.done + part * (job.done < job.total)) / max(job.total, 1)
