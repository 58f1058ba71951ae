"""Results on their way to the disk, of documents that become others meanwhile."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot

from ace_desktop.arrivals import Arrivals
from ace_desktop.background import Background
from ace_desktop.document.result_stores import ResultStores
from ace_desktop.engine.jobs import Job, JobStatus
from tests.ace_desktop.document.made_up_results import made_up


class Jobs(QObject):
    """One job, as the engine shows it."""

    made = Signal(str, int, object)

    def __init__(self, document: str) -> None:
        super().__init__()
        self.document, self.held = document, 0
        _, self.snapshot = made_up()

    def status(self, _job_id: str) -> JobStatus:
        """Give the job as it is now."""
        made = self.snapshot
        return JobStatus(Job(made.requests, made.pictures, Path(), document=self.document, below=made.below))

    def hold(self, _job_id: str) -> None:
        """Count."""
        self.held += 1

    def release(self, _job_id: str) -> None:
        """Count."""
        self.held -= 1


def test_a_result_of_a_document_that_is_saved_as_another_meanwhile_is_told_to_that_one(
    qtbot: QtBot, tmp_path: Path
) -> None:
    jobs, background, told = Jobs("a" * 32), Background(1), list[str]()
    arrivals = Arrivals(jobs, ResultStores(tmp_path), background)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def note(document: str, _result: object) -> None:
        told.append(document)

    arrivals.arrived.connect(note)
    jobs.made.emit("job", 0, made_up()[0])
    jobs.document = "c" * 32  # as `Engine.hand_over` does
    qtbot.waitUntil(lambda: not background.running)
    assert told == ["c" * 32]
    assert jobs.held == 0
    background.close()
