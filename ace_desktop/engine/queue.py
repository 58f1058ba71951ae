"""The queue as a value: each change is a function from one tuple of statuses to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from .jobs import Job, JobStatus, Phase

Queue: TypeAlias = tuple[JobStatus, ...]

FOLLOWS: Final[Mapping[Phase, frozenset[Phase]]] = MappingProxyType(
    {
        Phase.waiting: frozenset({Phase.running, Phase.cancelled}),
        Phase.running: frozenset({Phase.done, Phase.failed, Phase.cancelled}),
        Phase.done: frozenset({Phase.failed}),  # what it made could not be kept
        Phase.failed: frozenset({Phase.waiting}),
        Phase.cancelled: frozenset({Phase.waiting}),
        Phase.interrupted: frozenset({Phase.waiting}),
    }
)
"""What may come after each phase; `interrupted` is how a kept job begins."""

_KEPT_ENDS: Final = 20


def find(queue: Queue, job_id: str) -> JobStatus | None:
    """Give a job's status; None where it is not in the queue."""
    return next((status for status in queue if status.id == job_id), None)


def added(queue: Queue, job: Job) -> Queue:
    """Put a job last."""
    return (*queue, JobStatus(job))


def changed(queue: Queue, job_id: str, **changes: Any) -> Queue:
    """Change a job's status; one that is not in the queue changes nothing."""
    return tuple(replace(status, **changes) if status.id == job_id else status for status in queue)


def moved_on(queue: Queue, job_id: str, phase: Phase, **changes: Any) -> Queue:
    """Bring a job into a phase, if that may follow the one it is in; otherwise nothing changes."""
    status = find(queue, job_id)
    if status is None or phase not in FOLLOWS[status.phase]:
        return queue
    return changed(queue, job_id, phase=phase, stuck=False, seconds_left=None, **changes)


def waits_again(queue: Queue, job_id: str) -> Queue:
    """Let a job that ended without all its results wait at the end of those that wait."""
    status = find(queue, job_id)
    queue = moved_on(queue, job_id, Phase.waiting, progress=None, sentence="", details="")
    if status is None or find(queue, job_id) is status:
        return queue
    return moved(queue, job_id, len(queue))


def moved(queue: Queue, job_id: str, index: int) -> Queue:
    """Put a job at a place of the queue."""
    status = find(queue, job_id)
    if status is None:
        return queue
    others = without(queue, job_id)
    index = min(max(index, 0), len(others))
    return (*others[:index], status, *others[index:])


def without(queue: Queue, job_id: str) -> Queue:
    """Take a job out."""
    return tuple(status for status in queue if status.id != job_id)


def next_waiting(queue: Queue) -> JobStatus | None:
    """Give the job whose turn it is; None where one runs or none waits."""
    if any(status.phase is Phase.running for status in queue):
        return None
    return next((status for status in queue if status.phase is Phase.waiting), None)


def trimmed(queue: Queue) -> tuple[Queue, tuple[str, ...]]:
    """Forget the oldest of the finished and cancelled jobs, of which twenty stay; returns their ids as well."""
    ends = [status.id for status in queue if status.phase in (Phase.done, Phase.cancelled)]
    gone = frozenset(ends[:-_KEPT_ENDS])
    return tuple(status for status in queue if status.id not in gone), tuple(gone)
