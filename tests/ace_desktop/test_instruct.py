"""The Instruct panel in the window, on the real edit and engine: what it sets, says, runs, and asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.document.geometry import Rect
from ace_desktop.document.opening import open_document
from ace_desktop.document.plane import Plane
from ace_desktop.document.references import add_reference
from ace_desktop.editing import Editing
from ace_desktop.engine.jobs import Job
from ace_desktop.main_window import MainWindow
from ace_desktop.panels.inspector import INSTRUCT
from ace_desktop.panels.instruct import InstructPanel
from ace_desktop.panels.run_on_many import RunOnMany
from ace_desktop.places import resources
from ace_desktop.session import Session
from ace_desktop.theme import DARK, LIGHT
from mlx_model.request import EditRequest
from tests.ace_desktop.document.drawings import plain

MASK = plain((255,), Rect(40, 40, 48, 48))


class Bench:
    """A window with a drawn scene of 128 x 128 pixels, and shorter words for what is in it."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window, self.qtbot = window, qtbot

    @property
    def session(self) -> Session:
        """The open document."""
        assert self.window.session is not None
        return self.window.session

    @property
    def editing(self) -> Editing:
        """Its edit."""
        assert self.window.editing is not None
        return self.window.editing

    @property
    def panel(self) -> InstructPanel:
        """The Instruct panel."""
        assert self.window.instruct is not None
        return self.window.instruct

    def mask(self, mask: Plane = MASK) -> None:
        """Set the edit mask."""
        self.session.do("Mask", replace(self.session.state, edit_mask=mask))

    def type(self, words: str) -> None:
        """Type into the field for the words."""
        self.qtbot.keyClicks(self.panel.words, words)

    def wait(self, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Let the window go on until something is so."""
        self.qtbot.waitUntil(ready, timeout=round(seconds * 1000))

    def idle(self) -> None:
        """Wait for the threads."""
        self.wait(lambda: not self.window.desktop.background.running)

    def running(self) -> None:
        """Wait until a job of the document has told of its progress."""
        self.wait(lambda: any(job.progress is not None and job.phase == "running" for job in self.editing.jobs))


@pytest.fixture
def bench(desktop: Desktop, qtbot: QtBot) -> Bench:
    state = open_document(resources() / "samples" / "repaint.png")
    made = Bench(desktop.new_window(Session(state)), qtbot)
    made.idle()
    return made


# What it sets


def test_words_go_into_the_document_as_one_step_and_come_back_with_undo(bench: Bench) -> None:
    before = bench.session.history.labels[0]
    bench.type("a red star")
    assert bench.editing.settings.instruction == "a red star"
    assert len(bench.session.history.labels[0]) == len(before) + 1
    bench.window.run("edit.undo")
    assert bench.panel.words.toPlainText() == ""
    bench.window.run("edit.redo")
    assert bench.panel.words.toPlainText() == "a red star"


def test_the_strip_of_results_is_not_there_before_the_first(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.new_window()
    qtbot.waitExposed(window)
    desktop.show(Session(open_document(resources() / "samples" / "repaint.png")), window)
    qtbot.waitUntil(lambda: not desktop.background.running)
    QTest.qWait(50)
    assert window.panels is not None
    assert not window.panels.filmstrip.isVisible()


def test_the_chip_follows_the_situation_until_it_is_set(bench: Bench) -> None:
    assert bench.panel.chip.text() == "Change the whole picture"
    bench.mask()
    assert bench.panel.chip.text() == "Remove"
    assert bench.panel.words_note.sentence == "Without words, what is under the mask is removed."
    bench.type("a red star")
    assert bench.panel.chip.text() == "Local edit"
    assert bench.panel.words_note.sentence == ""
    state = bench.session.state
    for number in (1, 2):
        state = add_reference(state, np.full((8, 8, 4), 255, np.uint8), f"star {number}")
    bench.session.do("References", state)
    assert bench.panel.chip.text() == "Local edit with 2 references"
    bench.panel.chip.chosen.emit("repaint")
    assert bench.panel.chip.text() == "Local edit"
    bench.wait(bench.window.actions_by_id["instruct.automatic"].isEnabled)
    bench.window.run("instruct.automatic")
    assert bench.panel.chip.text() == "Local edit with 2 references"


def test_a_document_with_absurd_settings_opens_and_says_what_is_wrong(desktop: Desktop, qtbot: QtBot) -> None:
    desktop.kept.change(edit_details=True)
    absurd: dict[str, Any] = {
        "task": "dream", "strength": -1e5, "steps": 2**63, "guidance": 1e5, "grow": 2**62, "seed": -9,
        "adapters": [["../../x", 1e6]] * 99, "region": [-(2**30), 0, 2**30, 1], "model": "x" * 10_000,
        "instruction": "<b>\0\ud800</b>" * 1000, "variations": 64,
    }  # fmt: skip
    state = open_document(resources() / "samples" / "repaint.png")
    made = Bench(desktop.new_window(Session(replace(state, settings={"edit": absurd}))), qtbot)
    made.idle()
    assert {"strength", "steps", "guidance", "seed", "model"} <= {problem.field for problem in made.editing.problems}
    assert not made.panel.run_row.button.isEnabled()


def test_what_stands_in_the_way_is_said_beside_its_control_with_a_way_out(bench: Bench) -> None:
    bench.panel.chip.chosen.emit("repaint")
    assert bench.panel.words_note.sentence == "Say in a few words what you want to see."
    assert bench.panel.chip_note.sentence == "Paint a mask over what may change."
    assert not bench.panel.run_row.button.isEnabled()
    assert bench.panel.run_row.button.toolTip() != ""
    assert not bench.editing.can_run
    bench.panel.chip_note.linkActivated.emit("tool.mask-brush")
    assert bench.window.tool_id == "mask-brush"
    bench.type("a red star")
    assert bench.panel.words_note.sentence == ""
    bench.panel.chip_note.linkActivated.emit("instruct.whole_picture")
    assert bench.editing.task == "instruct"
    assert bench.panel.chip_note.sentence == ""
    assert bench.panel.run_row.button.isEnabled()


def test_words_that_the_model_does_not_know_are_marked_while_typing(bench: Bench) -> None:
    bench.mask()
    bench.type("a red jacket")
    assert bench.panel.words.marked
    assert bench.panel.words_note.sentence == "The built-in model doesn't know the underlined words."
    bench.editing.change(instruction="빨간 별")
    assert not bench.panel.words.marked
    assert bench.panel.words_note.sentence == ""


def test_under_more_the_models_own_is_shown_faintly_and_comes_back(bench: Bench) -> None:
    bench.panel.show_more(True)
    details = bench.panel.details
    assert details.numbers["steps"].placeholderText() == "10"
    assert details.resets["steps"].isHidden()
    bench.qtbot.keyClicks(details.numbers["steps"], "4")
    bench.qtbot.keyClick(details.numbers["steps"], Qt.Key.Key_Return)
    details.strength.slider.setValue(70)
    assert (bench.editing.settings.steps, bench.editing.settings.strength) == (4, 0.3)  # kept to by 70 %
    assert not details.resets["steps"].isHidden()
    details.resets["steps"].click()
    details.resets["strength"].click()
    assert (bench.editing.settings.steps, bench.editing.settings.strength) == (None, None)
    assert details.numbers["steps"].text() == ""


def test_with_a_control_strength_is_shown_as_closeness(bench: Bench) -> None:
    """A strength of 0 % read as nothing at all, where it means that the shapes are followed wholly."""
    bench.mask()
    bench.panel.show_more(True)
    strength = bench.panel.details.strength
    assert (strength.slider.accessibleName(), strength.value_label.text()) == ("Strength", "100 %")
    bench.editing.change(control="canny")
    assert (strength.slider.accessibleName(), strength.value_label.text()) == ("Closeness", "100 %")
    strength.slider.setValue(75)
    assert bench.editing.settings.strength == 0.25
    bench.editing.change(control=None)
    assert (strength.slider.accessibleName(), strength.value_label.text()) == ("Strength", "25 %")
    bench.editing.change(strength=None, task="instruct")
    assert (strength.slider.accessibleName(), strength.value_label.text()) == ("Closeness", "100 %")


def test_a_key_is_no_slower_for_what_was_written_before(bench: Bench) -> None:
    """Ten thousand letters, of which every other word is underlined; marking all of them anew takes 80 ms."""
    bench.mask()
    bench.panel.fill_in(("a red jacket by the blue zebra " * 330)[:10_000])
    bench.idle()
    assert bench.panel.words.marked
    times: list[float] = []
    for number in range(12):
        began = time.thread_time()  # others compute on this machine as well
        bench.qtbot.keyClick(bench.panel.words, Qt.Key.Key_A if number % 3 else Qt.Key.Key_Space)
        times.append(time.thread_time() - began)
    assert len(bench.editing.settings.instruction) == 10_012
    assert min(times) < 0.05, times


def test_a_problem_of_a_hidden_control_is_said_under_run(bench: Bench) -> None:
    bench.mask()
    bench.editing.change(instruction="a red star", strength=1.0, control="canny")
    assert bench.panel.run_note.sentence == "At a closeness of 0 % no control is seen; raise it or choose no control."
    bench.panel.show_more(True)
    assert bench.panel.run_note.sentence == ""
    assert bench.panel.details.notes["strength"].sentence.startswith("At a closeness")


def test_seed_dice_lock_adapters_and_colours_reach_the_settings(bench: Bench) -> None:
    bench.panel.show_more(True)
    details = bench.panel.details
    seed = bench.editing.settings.seed
    details.dice.click()
    details.lock.click()
    details.colour_match.click()
    details.adapters.changed.emit((("ink", 0.5),))
    settings = bench.editing.settings
    assert settings.seed != seed
    assert settings.seed_locked
    assert not settings.colour_match
    assert settings.adapters == (("ink", 0.5),)
    assert details.notes["adapters"].sentence != ""
    assert not bench.editing.can_run


# Running


def test_running_shows_progress_and_results_and_remembers_the_words(bench: Bench) -> None:
    bench.mask()
    bench.type("a red star")
    assert bench.panel.run_row.button.text().startswith("Run")
    before = bench.session.state.layers
    bench.wait(bench.window.actions_by_id["instruct.run"].isEnabled)
    with bench.qtbot.waitActive(bench.window):
        bench.window.activateWindow()
    bench.panel.words.setFocus()
    bench.qtbot.keyClick(bench.panel.words, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert bench.panel.words.toPlainText() == "a red star"
    bench.wait(lambda: bench.panel.run_row.working)
    bench.running()
    assert bench.panel.run_row.words.whole != ""
    bench.wait(lambda: not bench.panel.run_row.working)
    bench.wait(lambda: len(bench.editing.results.all()) == 1)
    assert bench.session.state.layers is before
    assert bench.window.desktop.kept.value.instructions == ("a red star",)
    assert " · about " in bench.panel.run_row.button.text()
    bench.idle()


def test_cancel_is_answered_within_a_second_and_leaves_everything_as_it_was(bench: Bench) -> None:
    bench.mask()
    bench.editing.change(instruction="a red star", variations=4)
    state = bench.session.state
    bench.window.run("instruct.run")
    bench.running()
    bench.panel.run_row.cancel.click()
    bench.wait(lambda: not bench.panel.run_row.working, 1)
    assert [job.phase for job in bench.editing.jobs] == ["cancelled"]
    assert bench.session.state.layers is state.layers
    bench.idle()


def test_another_edit_is_put_behind_the_one_that_runs(bench: Bench) -> None:
    """The keyboard is where Run is, not where it would cancel what it has just begun."""
    bench.mask()
    bench.editing.change(instruction="a red star", variations=3, steps=40)
    with bench.qtbot.waitActive(bench.window):
        bench.window.activateWindow()
    row, left = bench.panel.run_row, Qt.MouseButton.LeftButton
    bench.wait(bench.window.actions_by_id["instruct.run"].isEnabled)
    row.button.setFocus()
    bench.qtbot.keyClick(row.button, Qt.Key.Key_Space)
    bench.running()
    assert bench.window.focusWidget() is row.behind
    for button in (row.behind, row.cancel):  # where the second half of a double click on Run falls
        for kind in (QEvent.Type.MouseButtonDblClick, QEvent.Type.MouseButtonRelease):
            held = left if kind == QEvent.Type.MouseButtonDblClick else Qt.MouseButton.NoButton
            where = QPointF(button.rect().center())
            none = Qt.KeyboardModifier.NoModifier
            QApplication.sendEvent(button, QMouseEvent(kind, where, button.mapToGlobal(where), left, held, none))
    assert row.working
    assert len(bench.editing.jobs) == 1
    bench.editing.change(instruction="a green heart")
    bench.qtbot.mouseClick(row.behind, Qt.MouseButton.LeftButton)
    bench.wait(lambda: len(bench.editing.jobs) == 2)
    assert [job.job.title for job in bench.editing.jobs] == ["a red star", "a green heart"]
    assert "1 more waiting" in row.words.whole
    bench.editing.change(instruction="", task="repaint", variations=1)
    bench.wait(lambda: not row.behind.isEnabled())
    assert "few words" in row.behind.toolTip()
    row.cancel.setFocus()
    bench.qtbot.keyClick(row.cancel, Qt.Key.Key_Space)
    bench.wait(lambda: not row.working)
    assert bench.window.focusWidget() is not row.cancel
    assert [job.phase for job in bench.editing.jobs] == ["cancelled", "cancelled"]
    bench.idle()


def test_a_failed_job_says_why_and_can_be_run_again(bench: Bench, tmp_path: Path) -> None:
    picture = replace(EditRequest("a red star"), task="generate", size=(128, 128))
    bench.editing.engine.submit(Job((picture,), {}, tmp_path / "gone", document=bench.editing.document))
    bench.wait(lambda: [job.phase for job in bench.editing.jobs] == ["failed"])
    assert bench.panel.run_note.sentence != ""
    assert bench.panel.run_note.sentence.endswith(".")
    ink = bench.panel.run_note.palette().color(QPalette.ColorRole.WindowText).name()
    assert ink in (LIGHT.warning, DARK.warning)
    bench.wait(bench.window.actions_by_id["instruct.run_again"].isEnabled)
    bench.panel.run_note.linkActivated.emit("instruct.run_again")
    assert bench.editing.jobs[0].phase in ("waiting", "running")
    bench.wait(lambda: bench.editing.jobs[0].phase == "failed")


def answer(window: MainWindow, text: str) -> None:
    box = window.findChild(QMessageBox, "stop")
    assert isinstance(box, QMessageBox)
    next(button for button in box.findChildren(QPushButton) if button.text() == text).click()


@pytest.mark.parametrize("how", ["close", "quit"])
def test_closing_during_a_job_asks_first(how: str, bench: Bench, desktop: Desktop) -> None:
    bench.mask()
    bench.editing.change(instruction="a red star", variations=4)
    bench.session.saved(bench.session.state, Path("scene.ora"))
    bench.window.run("instruct.run")
    bench.running()
    engine = desktop.engine
    bench.window.run(f"file.{how}")
    bench.wait(lambda: bench.window.findChild(QMessageBox, "stop") is not None)
    answer(bench.window, "Keep editing")
    bench.wait(lambda: bench.window.findChild(QMessageBox, "stop") is None)
    assert bench.window in desktop.windows
    assert engine.busy
    bench.session.saved(bench.session.history.state, Path("scene.ora"))
    bench.window.run("file.close")
    bench.wait(lambda: bench.window.findChild(QMessageBox, "stop") is not None)
    answer(bench.window, "Stop and close")
    bench.wait(lambda: desktop.windows == [] and not engine.busy)


def test_run_on_many_makes_a_result_for_each_reference(bench: Bench) -> None:
    state = replace(bench.session.state, edit_mask=MASK)
    for number in (1, 2):
        sample = open_document(resources() / "samples" / "reference-reference-1.png")
        pixels = sample.layers[0].pixels.read(sample.frame)  # pyright: ignore[reportAttributeAccessIssue]
        state = add_reference(state, np.ascontiguousarray(pixels, np.uint8), f"heart {number}")
    bench.session.do("Scene", state)
    bench.editing.change(instruction="put the heart here")
    bench.window.run("instruct.many")
    sheet = bench.window.findChild(RunOnMany)
    assert isinstance(sheet, RunOnMany)
    assert sheet.accept_button.text() == "Run 2 edits"
    sheet.accept()
    bench.wait(lambda: len(bench.editing.results.all()) == 2)
    used = {result.asked.references[0].picture for result in bench.editing.results.all()}
    assert all(len(result.asked.references) == 1 for result in bench.editing.results.all())
    assert len(used) == 1  # the two are the same picture
    bench.idle()


# The frame


def test_the_frame_is_dragged_on_the_canvas_as_one_step_and_escape_gives_it_back(bench: Bench) -> None:
    bench.mask()
    bench.editing.change(instruction="a red star")
    view = bench.window.view
    view.fit()
    bench.window.choose_tool("lasso")
    frame = view.frame
    assert frame.seen is not None
    assert not frame.seen.chosen
    assert frame.seen.caption.startswith("Seen")
    box, steps = frame.seen.box, len(bench.session.history.labels[0])
    corner = view.transform.to_view(box.right, box.bottom).toPoint()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=corner)
    for way in (-6, -14):
        QTest.mouseMove(view, corner + QPoint(way, way))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=corner + QPoint(-14, -14))
    assert bench.editing.settings.region is not None
    assert len(bench.session.history.labels[0]) == steps + 1
    smaller = frame.seen.box
    assert smaller.width < box.width
    assert frame.seen.chosen
    view.setFocus()
    bench.qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert bench.editing.settings.region is None
    assert frame.seen.box == box


def test_the_frame_is_shown_only_while_instruct_is_open_and_it_is_wanted(bench: Bench) -> None:
    frame = bench.window.view.frame
    assert frame.seen is not None
    bench.window.inspector.sections[INSTRUCT].heading.click()
    assert frame.seen is None
    bench.window.inspector.sections[INSTRUCT].heading.click()
    assert frame.seen is not None
    bench.window.run("instruct.frame")
    assert frame.seen is None
    bench.window.run("instruct.frame")
    assert frame.seen is not None
    bench.window.show_canvas_only(True)
    assert frame.seen is None
    bench.window.show_canvas_only(False)
    assert frame.seen is not None


def test_other_models_in_the_list_of_models_opens_their_page(bench: Bench) -> None:
    box, desktop = bench.panel.details.model, bench.window.desktop
    bench.panel.show_more(True)
    chosen = box.currentText()
    box.setFocus()
    bench.qtbot.keyClick(box, Qt.Key.Key_End)
    assert desktop.shows_models
    assert box.currentText() == chosen
    for page in QApplication.topLevelWidgets():
        if page.objectName() == "models":
            page.close()
