"""Results on their way to the disk, of documents that become others meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot

from ace_desktop.arrivals import Arrivals
from ace_desktop.background import Background
from ace_desktop.desktop import Desktop
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.result_stores import ResultStores
from ace_desktop.document.results import ResultStore
from ace_desktop.engine.jobs import Job, JobStatus
from ace_desktop.engine.sentences import job_said
from tests.ace_desktop.conftest import ExpectLog
from tests.ace_desktop.document.made_up_results import made_up


class Jobs(QObject):
    """One job, as the engine shows it."""

    made = Signal(str, int, object)

    def __init__(self, document: str) -> None:
        super().__init__()
        self.document, self.held, self.sentence = document, 0, ""
        _, self.snapshot = made_up()

    def status(self, _job_id: str) -> JobStatus:
        """Give the job as it is now."""
        made = self.snapshot
        return JobStatus(Job(made.requests, made.pictures, Path(), document=self.document, below=made.below))

    def hold(self, _job_id: str) -> None:
        """Count."""
        self.held += 1

    def release(self, _job_id: str, lost: int | None = None, sentence: str = "") -> None:  # noqa: ARG002
        """Count, and keep what is said."""
        self.held -= 1
        self.sentence = sentence


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


FULL = "the disk is full; make room or save on another disk"


@pytest.mark.parametrize("error", [DocumentError(f"a.png could not be saved: {FULL}"), MemoryError(), OSError()])
def test_why_a_result_could_not_be_kept_follows_the_language(
    desktop: Desktop,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    expect_log: ExpectLog,
) -> None:
    """The list of edits keeps the sentence, also until the next start."""

    def add(*_: object, **__: object) -> None:
        raise error

    if isinstance(error, OSError):
        expect_log("unexpected")
    monkeypatch.setattr(ResultStore, "add", add)
    desktop.kept.change(language="ko")
    jobs = Jobs("a" * 32)
    Arrivals(jobs, ResultStores(tmp_path), desktop.background, desktop)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.made.emit("job", 0, made_up()[0])
    qtbot.waitUntil(lambda: not desktop.background.running)
    assert re.search("[가-힣]", job_said(jobs.sentence))
    desktop.kept.change(language="en")
    assert not re.search("[가-힣]", job_said(jobs.sentence))
