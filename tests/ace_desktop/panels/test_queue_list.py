"""The list of jobs and the line in the status bar, over a real engine with the built-in model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication, QTextDocument
from PySide6.QtWidgets import QApplication, QMainWindow
from pytestqt.qtbot import QtBot

from ace_desktop.background import Background
from ace_desktop.desktop import Desktop
from ace_desktop.engine.engine import Engine
from ace_desktop.engine.jobs import JobStatus, Phase
from ace_desktop.panels.controls import plain_tip, shortened
from ace_desktop.panels.job_line import JobLine
from ace_desktop.panels.job_row import JobRow, state_words
from ace_desktop.panels.message_bar import MessageBar
from ace_desktop.panels.popover import Popover
from ace_desktop.panels.queue_list import QueueList, picture_of
from ace_desktop.translation import filled, tr
from mlx_model.request import Progress
from mlx_model.tasks import TASKS
from tests.ace_desktop.engine.sample_jobs import job
from tests.ace_desktop.engine.warm_engine import warm_engine

PATIENCE_MS = 90_000


@pytest.fixture(scope="module")
def warm(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Give the module's engine, whose model stays loaded; every test leaves it idle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACE_CACHE", str(tmp_path_factory.mktemp("cache")))
        with warm_engine(qapp, tmp_path_factory.mktemp("engine")) as made:
            yield made


@pytest.fixture
def engine(warm: Engine, qtbot: QtBot) -> Iterator[Engine]:
    """Give the module's engine with an empty list."""
    yield warm
    for status in warm.jobs:
        warm.remove(status.id)
    qtbot.waitUntil(lambda: not warm.working, timeout=PATIENCE_MS)


@pytest.fixture
def jobs(engine: Engine, background: Background, qtbot: QtBot) -> QueueList:
    """Give the shown list."""
    made = QueueList(engine, background)
    qtbot.addWidget(made)
    made.show()
    return made


def row(jobs: QueueList, job_id: str) -> JobRow:
    found = jobs.row(job_id)
    assert found is not None
    return found


def titles(jobs: QueueList) -> list[str]:
    return [found.status.job.title for found in jobs.list.rows().values()]


def test_an_empty_list_says_what_it_is_for(jobs: QueueList) -> None:
    assert jobs.nothing.isVisible()
    assert "listed here" in jobs.nothing.text()
    assert not jobs.cancel_all.isVisible()


def test_a_job_is_followed_from_waiting_to_done(jobs: QueueList, engine: Engine, qtbot: QtBot) -> None:
    seen: list[str] = []
    job_id = engine.submit(job("a red star", steps=4, title="a red star"))
    following = engine.progressed.connect(lambda: seen.append(row(jobs, job_id).state.text()))
    assert row(jobs, job_id).bar.isVisible()
    assert row(jobs, job_id).close_button.accessibleName() == "Cancel"
    qtbot.waitUntil(lambda: not engine.busy, timeout=PATIENCE_MS)
    engine.progressed.disconnect(following)
    assert any("Painting, step 2 of 4" in words for words in seen)
    done = row(jobs, job_id)
    assert done.state.text() == "Done"
    assert not done.bar.isVisible()
    assert done.picture.image is not None
    done.close_button.click()
    assert jobs.list.count() == 0


def test_waiting_jobs_change_their_order_by_keys_drops_and_menu(
    jobs: QueueList, engine: Engine, qtbot: QtBot
) -> None:
    ids = [engine.submit(job(words, title=words)) for words in ("first", "second", "third")]
    assert titles(jobs) == ["first", "second", "third"]
    jobs.list.setCurrentRow(2)
    qtbot.keyClick(jobs.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert titles(jobs) == ["first", "third", "second"]
    assert jobs.list.chosen == ids[2], "what was moved stays chosen"
    jobs.list.drop_at(QPoint(20, jobs.list.visualItemRect(jobs.list.item(2)).bottom() - 2))
    assert titles(jobs) == ["first", "second", "third"]
    menu = jobs.menu_of(ids[2])
    next(action for action in menu.actions() if action.text() == "Move up").trigger()
    assert titles(jobs) == ["first", "third", "second"]
    menu.deleteLater()
    jobs.list.setCurrentRow(1)
    qtbot.keyClick(jobs.list, Qt.Key.Key_Delete)
    assert row(jobs, ids[2]).state.text() == "Cancelled"
    jobs.cancel_all.click()
    assert {status.phase for status in engine.jobs} == {Phase.cancelled}
    jobs.clear.click()
    assert jobs.list.count() == 0


def test_a_cancelled_job_can_be_run_again(jobs: QueueList, engine: Engine, qtbot: QtBot) -> None:
    job_id = engine.submit(job("a red star", steps=2))
    row(jobs, job_id).close_button.click()
    assert row(jobs, job_id).state.text() == "Cancelled"
    assert row(jobs, job_id).again.isVisible()
    row(jobs, job_id).again.click()
    qtbot.waitUntil(lambda: row(jobs, job_id).state.text() == "Done", timeout=PATIENCE_MS)


def test_a_failed_job_says_why_and_its_details_are_copied(
    jobs: QueueList, engine: Engine, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    job_id = engine.submit(job("a red star", folder=tmp_path / "empty"))
    qtbot.waitUntil(lambda: row(jobs, job_id).state.text() == "Failed", timeout=PATIENCE_MS)
    failed = row(jobs, job_id)
    assert failed.sentence.isVisible()
    assert failed.sentence.text() in failed.accessibleName()
    assert failed.again.isVisible()
    if failed.status.details:
        failed.copy.click()
        assert failed.status.sentence in QGuiApplication.clipboard().text()


def test_a_row_says_what_can_be_done_in_every_case(qtbot: QtBot) -> None:
    some = job("a red star", variations=3, title="a red star")
    made = JobRow(JobStatus(some, Phase.interrupted, resume_step=12, sentence="It can go on."))
    qtbot.addWidget(made)
    made.show()
    asked: list[str] = []

    def note(_job_id: str, wanted: str) -> None:
        asked.append(wanted)

    made.asked.connect(note)
    assert made.again.text() == "Continue from step 12"
    made.again.click()
    made.afresh.click()
    stuck = JobStatus(some, Phase.running, stuck=True, sentence="It does not move.", notes=("Less memory was used.",))
    made.show_status(stuck)
    assert made.notes.text() == "Less memory was used."
    assert made.end.isVisible()
    assert not made.again.isVisible()
    made.end.click()
    made.close_button.click()
    assert asked == ["again", "afresh", "end", "cancel"]
    running = JobStatus(some, Phase.running, frozenset({0}), 1, Progress("denoise", 3, 8), seconds_left=34)
    assert state_words(running) == "2 of 3 · Painting, step 3 of 8 · 35 s left"


def shown_line(engine: Engine, background: Background, qtbot: QtBot) -> tuple[QMainWindow, JobLine]:
    """Show the line of the jobs in a window of its own."""
    window = QMainWindow()
    qtbot.addWidget(window)
    window.resize(700, 500)
    line = JobLine(engine, background, window)
    window.setCentralWidget(line)
    window.show()
    return window, line


def test_the_line_shows_the_job_and_opens_the_list(engine: Engine, background: Background, qtbot: QtBot) -> None:
    window, line = shown_line(engine, background, qtbot)
    assert not line.isVisible()
    engine.submit(job("a red star", steps=4))
    engine.submit(job("a green heart"))
    assert line.isVisible()
    assert "1 waiting" in line.words.text()
    line.words.click()
    popover = window.findChild(Popover)
    assert isinstance(popover, Popover)
    assert popover.isVisible()
    listed = popover.findChild(QueueList)
    assert isinstance(listed, QueueList)
    assert titles(listed) == ["a red star", "a green heart"]
    qtbot.mouseClick(line.words, Qt.MouseButton.LeftButton)
    assert not popover.isVisible(), "the words that opened it close it"
    qtbot.waitUntil(lambda: line.popover is None)
    line.words.click()
    assert line.popover is not None
    qtbot.keyClick(line.popover, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: line.popover is None)
    line.cancel.click()
    engine.cancel_all()
    assert not line.isVisible()
    qtbot.waitUntil(lambda: not engine.working and not background.running, timeout=PATIENCE_MS)


def test_an_open_list_follows_the_language_with_all_that_it_says(
    desktop: Desktop, engine: Engine, background: Background, qtbot: QtBot, tmp_path: Path
) -> None:
    _window, line = shown_line(engine, background, qtbot)
    (tmp_path / "empty").mkdir()
    asked = job("", folder=tmp_path / "empty")
    job_id = engine.submit(replace(asked, task="remove", title=TASKS["remove"].title))
    qtbot.waitUntil(lambda: not engine.busy, timeout=PATIENCE_MS)
    line.open_list()
    assert line.popover is not None
    listed = line.popover.findChild(QueueList)
    assert isinstance(listed, QueueList)
    english = row(listed, job_id)
    assert "no config.json" not in english.sentence.text()
    assert english.sentence.text().startswith("The model in")
    assert "Repair" in english.sentence.text()
    desktop.kept.change(language="ko")
    qtbot.waitUntil(lambda: line.popover is not None and line.popover.accessibleName() == "편집 목록")
    korean = row(listed, job_id)
    assert korean.sentence.text() == filled(
        tr("The model in {0} is not whole. Repair it, or choose another."), tmp_path / "empty"
    )
    assert korean.title.text() == tr("Remove") != "Remove"
    assert korean.state.text() == tr("Failed") != "Failed"
    assert korean.sentence.text() in korean.accessibleName()
    qtbot.waitUntil(lambda: listed.list.height() >= korean.heightForWidth(korean.width()))
    engine.remove(job_id)
    qtbot.waitUntil(lambda: not background.running, timeout=PATIENCE_MS)
    line.popover.leave()
    qtbot.waitUntil(lambda: line.popover is None)


def test_a_job_has_the_picture_of_what_is_edited() -> None:
    some = job("a red star", side=200)
    image = picture_of(some.requests[0], some.pictures)
    assert image is not None
    assert max(image.width(), image.height()) == 80
    assert picture_of(some.requests[0], {}) is None


def test_a_persons_words_are_shown_as_they_are(qtbot: QtBot) -> None:
    """Nothing that words, or a file from elsewhere, say is taken for a tag."""
    words = "a <b>bold</b> cat <img src='x'>"
    shown = JobRow(JobStatus(job(title=words), Phase.failed, sentence=words, notes=(words,)))
    qtbot.addWidget(shown)
    bar = MessageBar()
    qtbot.addWidget(bar)
    bar.say(words)
    plain = Qt.TextFormat.PlainText
    assert {label.textFormat() for label in (shown.title, shown.sentence, shown.notes, bar.label)} == {plain}
    tip = QTextDocument()
    tip.setHtml(shown.title.toolTip())
    assert tip.toPlainText() == words
    assert plain_tip(f"{words}\nseed 1").count("<br>") == 1
    assert len(shortened("long " * 1000)) < 500
