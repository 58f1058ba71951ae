"""What is told outside the windows: only where nobody looks, on the icon as far as it is, and taken back in time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QProcess, Signal
from PySide6.QtGui import QColor, QIcon, QImage, QPixmap
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from ace_desktop.attention import Attention, banner, icon_with_bar, pixmap_with_bar
from ace_desktop.edit_names import TASK_NAMES
from ace_desktop.engine.jobs import Job, JobStatus, Phase
from ace_desktop.icons import app_icon
from ace_desktop.job_news import JobNews
from mlx_model.request import EditRequest, Progress
from mlx_model.tasks import TASKS


@pytest.fixture
def attention(qapp: QApplication) -> Iterator[Attention]:
    qapp.setWindowIcon(app_icon())
    made = Attention(qapp)
    yield made
    made.close()
    made.deleteLater()


def filled(icon: QIcon) -> float:
    """Measure which share of the icon's bar is white."""
    image = icon.pixmap(256, 256).toImage()
    row = [QColor(image.pixel(x, int(256 - 25.6 - 16))).lightness() > 250 for x in range(30, 226)]
    return sum(row) / len(row)


def test_the_icon_carries_a_bar_as_long_as_something_is_under_way(attention: Attention, qapp: QApplication) -> None:
    plain = qapp.windowIcon().pixmap(256, 256).toImage()
    attention.progress("download", 0.25)
    assert filled(qapp.windowIcon()) == pytest.approx(0.25, abs=0.06)
    attention.progress("jobs", 0.75)
    assert filled(qapp.windowIcon()) == pytest.approx(0.75, abs=0.06), "edits go before downloads"
    attention.progress("jobs", None)
    assert filled(qapp.windowIcon()) == pytest.approx(0.25, abs=0.06)
    attention.progress("download", None)
    assert qapp.windowIcon().pixmap(256, 256).toImage() == plain


@pytest.mark.usefixtures("qapp")
def test_the_bar_is_in_the_same_place_on_a_screen_of_double_density() -> None:
    fine = QPixmap(512, 512)
    fine.fill(QColor("#808080"))
    coarse = QPixmap(fine.scaled(256, 256))
    fine.setDevicePixelRatio(2.0)
    drawn = pixmap_with_bar(fine, 0.5).toImage().scaled(256, 256).convertToFormat(QImage.Format.Format_RGB32)
    wanted = pixmap_with_bar(coarse, 0.5).toImage().convertToFormat(QImage.Format.Format_RGB32)
    bar = [(x, 214) for x in range(40, 216, 4)]
    assert [drawn.pixel(*at) for at in bar] == [wanted.pixel(*at) for at in bar]
    assert len({wanted.pixel(*at) for at in bar}) >= 2, "a half of it is filled"


def test_the_icon_is_not_drawn_again_for_every_byte(attention: Attention, qapp: QApplication) -> None:
    attention.progress("download", 0.5)
    before = qapp.windowIcon().cacheKey()
    attention.progress("download", 0.505)
    assert qapp.windowIcon().cacheKey() == before
    attention.progress("download", 0.53)
    assert qapp.windowIcon().cacheKey() != before


def test_a_share_out_of_range_is_drawn_as_the_nearest(attention: Attention, qapp: QApplication) -> None:
    attention.progress("jobs", 7.0)
    assert filled(qapp.windowIcon()) == filled(icon_with_bar(app_icon(), 1.0)) > 0.9


def test_what_ends_unseen_is_counted_until_a_window_is_in_front(attention: Attention, qtbot: QtBot) -> None:
    assert not attention.in_front
    attention.ended("Your edit is ready", "a red star")
    attention.ended("Your edit is ready", "a blue star")
    assert attention.unseen == 2
    window = QWidget()
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    assert attention.in_front
    assert attention.unseen == 0
    attention.ended("Your edit is ready", "a green star")
    assert attention.unseen == 0, "who looks on is not disturbed"


OSASCRIPT = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done > "$TOLD.part"
mv "$TOLD.part" "$TOLD"
"""


@pytest.mark.parametrize(
    "sentence",
    [
        "a red star",
        'say "now" and \\ go',
        '" & (do shell script "touch /tmp/hole") & "',
        "$(touch hole) `touch hole` 'x'; rm -rf ~",
        "-e beep\nfirst line",
        "빨간 별 ★",
        "half\0whole",
        "",
    ],
)
def test_a_banner_on_a_mac_is_given_the_words_as_they_are(
    qapp: QApplication, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentence: str
) -> None:
    """None of them is part of the script, which is always the same."""
    program, told = tmp_path / "osascript", tmp_path / "told"
    program.write_text(OSASCRIPT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("TOLD", str(told))
    attention = Attention(qapp, platform="darwin")
    attention.ended("Your edit is ready", sentence)
    qtbot.waitUntil(told.exists)
    words = told.read_text(encoding="utf-8").split("\0")[:-1]
    assert words[:6] == [
        "-e", "on run argv",
        "-e", "display notification (item 2 of argv) with title (item 1 of argv)",
        "-e", "end run",
    ]  # fmt: skip
    assert words[6:] == ["Your edit is ready", sentence.replace("\0", "")]
    attention.close()
    attention.deleteLater()


def test_without_the_systems_script_or_the_users_wish_there_is_no_banner(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert banner("title", "sentence", lambda _name: None) == []
    (tmp_path / "osascript").write_text(OSASCRIPT)
    (tmp_path / "osascript").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    begun: list[str] = []

    def begin(_program: str, words: list[str]) -> None:
        begun.append(words[-1])

    monkeypatch.setattr(QProcess, "startDetached", begin)
    attention = Attention(qapp, platform="darwin")
    for wanted, words in ((False, "a red star"), (True, "a blue ring"), (False, "a green heart")):
        attention.wanted = wanted
        attention.ended("Your edit is ready", words)
    assert begun == ["a blue ring"]
    attention.close()
    attention.deleteLater()


class Queue(QObject):
    """A list of jobs that tells when it changes, as the engine does."""

    jobs_changed = Signal()
    progressed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.jobs: tuple[JobStatus, ...] = ()

    def show(self, *jobs: JobStatus) -> None:
        """Let these be the jobs."""
        self.jobs = jobs
        self.jobs_changed.emit()


def test_jobs_are_one_bar_and_each_end_is_told_once(attention: Attention, qapp: QApplication) -> None:
    queue = Queue()
    news = JobNews(queue, attention, lambda: None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    request = EditRequest("a red star")
    one, two = (Job((request, request), {}, Path(), title=name) for name in ("one", "two"))
    half = Progress("denoise", 5, 10, None)
    queue.show(JobStatus(one, Phase.running, progress=half), JobStatus(two))
    assert filled(qapp.windowIcon()) == pytest.approx(0.125, abs=0.06)
    queue.show(JobStatus(one, Phase.running, frozenset({0}), progress=half), JobStatus(two))
    assert filled(qapp.windowIcon()) == pytest.approx(0.375, abs=0.06)
    assert attention.unseen == 0
    queue.show(JobStatus(one, Phase.done, frozenset({0, 1})), JobStatus(two, Phase.running))
    assert attention.unseen == 1
    assert filled(qapp.windowIcon()) == pytest.approx(0.5, abs=0.06)
    queue.show(JobStatus(one, Phase.done, frozenset({0, 1})), JobStatus(two, Phase.cancelled))
    assert attention.unseen == 1, "who cancels knows"
    assert qapp.windowIcon().pixmap(64, 64).toImage() == app_icon().pixmap(64, 64).toImage()
    queue.show(JobStatus(one, Phase.running))
    queue.show(JobStatus(one, Phase.failed, sentence="There is not enough memory."))
    assert attention.unseen == 2
    news.deleteLater()


def test_an_edit_without_words_is_named_in_the_users_language(
    attention: Attention, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def ended(_title: str, sentence: str, _clicked: object) -> None:
        told.append(sentence)

    monkeypatch.setattr(attention, "ended", ended)
    queue = Queue()
    news = JobNews(queue, attention, lambda: None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    for title in (TASKS["instruct"].title, "a red star", ""):
        job = Job((EditRequest(title),), {}, Path(), title=title, task="instruct")
        queue.show(JobStatus(job, Phase.running))
        queue.show(JobStatus(job, Phase.done, frozenset({0})))
    assert told == [TASK_NAMES["instruct"][0], "a red star", "1 pictures are ready to choose from."]
    news.deleteLater()
