"""The door to the model for the window: a queue of jobs, worked off in a process of its own."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from mlx_model.request import EditRequest
from mlx_model.weights.config import ModelConfig

from .jobs import Job, JobStatus


class Engine(QObject):
    """Works jobs off in their order; every call returns at once and belongs to the GUI thread.

    `folder` is where jobs, times and the process's log are kept; what an earlier run of the program left unfinished is
    in `jobs` again soon after the start, as interrupted. `memory_limit` is in bytes, None as the machine has it.
    """

    jobs_changed = Signal()
    """The list, or the phase of something in it."""
    progressed = Signal(str, object)
    """A job's id and the Progress of the request that is worked on; its status has time left and index."""
    made = Signal(str, int, object)
    """A job's id, the index of its request, the EditResult: each variation as soon as it is there."""
    failed = Signal(str)
    """A job's id; its status has sentence and details."""

    def __init__(
        self,
        folder: Path,
        memory_limit: int | None = None,
        parent: QObject | None = None,
        *,
        idle_minutes: float = 10,
    ) -> None:
        super().__init__(parent)

    @property
    def jobs(self) -> tuple[JobStatus, ...]:
        """All jobs that are known, in their order; the finished ones stay for a while."""
        raise NotImplementedError

    def status(self, job_id: str) -> JobStatus | None:
        """Where a job stands; None where it is not known (any more)."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether a job is waiting or running."""
        raise NotImplementedError

    def submit(self, job: Job) -> str:
        """Put a job last in the queue; returns its id."""
        raise NotImplementedError

    def cancel(self, job_id: str) -> None:
        """Cancel a job that waits or runs; it stays in the list and can be run again."""
        raise NotImplementedError

    def cancel_all(self) -> None:
        """Cancel all that wait or run."""
        raise NotImplementedError

    def move(self, job_id: str, index: int) -> None:
        """Put a job at a place of `jobs`; those that wait run in this order."""
        raise NotImplementedError

    def run_again(self, job_id: str, *, afresh: bool = False) -> None:
        """Let a failed, cancelled or interrupted job wait again, for what has no result yet.

        It goes on from its last saved step where there is one, unless `afresh`.
        """
        raise NotImplementedError

    def remove(self, job_id: str) -> None:
        """Take a job out of the list, cancelled before if need be, and forget what was kept of it."""
        raise NotImplementedError

    def end_stuck(self, job_id: str) -> None:
        """End the process of a job that is stuck; the job fails and can be run again."""
        raise NotImplementedError

    def expected_seconds(self, request: EditRequest, size: tuple[int, int], model: ModelConfig) -> float | None:
        """Say how long one request over a picture of `size` (width, height) will take on this machine.

        None while no earlier run tells.
        """
        raise NotImplementedError

    def change(self, *, memory_limit: int | None, idle_minutes: float) -> None:
        """Take new settings; they hold from the next job on. Without jobs the model is let go after the minutes."""
        raise NotImplementedError

    def close(self) -> None:
        """End the process and all threads, within 2 seconds; what was not finished is kept for the next start."""
        raise NotImplementedError
