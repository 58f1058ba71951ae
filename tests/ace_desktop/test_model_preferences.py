"""The preferences about models: each choice is kept at once, and reaches what it is about."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QMessageBox
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.engine.times import Times, write_times
from ace_desktop.installing import begin_with_models
from ace_desktop.model_moving import ModelMover
from ace_desktop.model_preferences import ModelPreferences
from ace_desktop.preferences import Preferences
from mlx_model.library.moving import Move, plan_move
from mlx_model.progress import STAGES
from mlx_model.request import EditRequest
from mlx_model.weights.config import ModelConfig
from tests.ace_desktop.engine.sample_jobs import POCKET, job
from tests.mlx_model.tiny_model import write_tiny_model

GIB = 1 << 30


@pytest.fixture
def page(desktop: Desktop, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelPreferences:
    monkeypatch.delenv("ACE_MODELS", raising=False)
    desktop.kept.change(models_folder=str(tmp_path / "here"))
    window = desktop.new_window()
    desktop.show_preferences(window, "models")
    qtbot.waitUntil(lambda: not desktop.background.running)
    found = window.findChild(Preferences)
    assert isinstance(found, Preferences)
    return found.models


def take(box: QComboBox, value: object) -> None:
    """Choose an entry as a person does, who is told of by `activated`."""
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())


def test_each_choice_is_kept_at_once(desktop: Desktop, page: ModelPreferences, qtbot: QtBot) -> None:
    take(page.idle, 60)
    take(page.limit, 4 * GIB)
    qtbot.mouseClick(page.notify, Qt.MouseButton.LeftButton, pos=page.notify.rect().center() / 8)
    kept = desktop.kept.value
    assert (kept.idle_minutes, kept.memory_limit, kept.notify) == (60, 4 * GIB, False)
    assert not desktop.attention.wanted
    take(page.limit, 0)
    assert desktop.kept.value.memory_limit == 0
    assert page.model.currentData() == "pocket"


def test_the_precision_reaches_the_engine_whether_it_runs_already_or_not(
    desktop: Desktop, page: ModelPreferences, qtbot: QtBot
) -> None:
    take(page.precision, "float32")
    learnt = Times().learnt("CPU", "pocket", dict.fromkeys(STAGES, 1.0), {}, "float32")
    write_times(desktop.places.data / "jobs" / "times.json", learnt)
    request, config = EditRequest("a star", size=(64, 64), steps=1), ModelConfig.load(POCKET)

    def expected() -> float | None:
        return desktop.engine.expected_seconds(request, None, config)

    qtbot.waitUntil(lambda: expected() is not None)  # the time of an edit in float32 is known
    take(page.precision, "bfloat16")
    assert expected() is None
    take(page.precision, "automatic")
    assert desktop.kept.value.precision == "automatic"
    assert any("full precision" in label.text() for label in page.findChildren(QLabel))


def test_another_folder_is_looked_through_at_once(
    desktop: Desktop, page: ModelPreferences, tmp_path: Path, qtbot: QtBot
) -> None:
    assert page.usual.isEnabled()
    page.take_folder(str(tmp_path / "elsewhere"))
    qtbot.waitUntil(
        lambda: desktop.models.shelf is not None and desktop.models.shelf.folder == tmp_path / "elsewhere"
    )
    qtbot.waitUntil(lambda: page.folder.toolTip() == str(tmp_path / "elsewhere"))
    qtbot.mouseClick(page.usual, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: desktop.kept.value.models_folder == "")
    qtbot.waitUntil(lambda: not page.usual.isEnabled())
    qtbot.waitUntil(lambda: not desktop.background.running)


def answer(page: ModelPreferences, name: str, text: str, qtbot: QtBot) -> str:
    """Answer a question, and give what it asks."""
    qtbot.waitUntil(lambda: page.window().findChild(QMessageBox, name) is not None)
    box = page.window().findChild(QMessageBox, name)
    assert isinstance(box, QMessageBox)
    asked = box.text()
    next(button for button in box.buttons() if button.text() == text).click()
    qtbot.waitUntil(lambda: page.window().findChild(QMessageBox, name) is None)
    return asked


def test_installed_models_move_along_and_jobs_find_them(
    desktop: Desktop, page: ModelPreferences, tmp_path: Path, qtbot: QtBot
) -> None:
    old, new = tmp_path / "here", tmp_path / "elsewhere"
    write_tiny_model(old / "tiny")
    engine = desktop.engine
    engine.cancel(engine.submit(job(folder=old / "tiny")))
    engine.cancel(engine.submit(job()))
    page.take_folder(str(new))
    answer(page, "move models", "Move", qtbot)
    qtbot.waitUntil(lambda: desktop.kept.value.models_folder == str(new))
    assert (new / "tiny" / "config.json").is_file()
    assert not (old / "tiny").exists()
    qtbot.waitUntil(lambda: desktop.models.find("tiny") is not None)
    assert [status.job.folder for status in engine.jobs] == [new / "tiny", POCKET]
    page.take_folder(str(old))
    answer(page, "move models", "Leave them", qtbot)
    qtbot.waitUntil(lambda: desktop.kept.value.models_folder == str(old))
    assert (new / "tiny" / "config.json").is_file()
    page.take_folder(str(new))
    qtbot.waitUntil(lambda: desktop.kept.value.models_folder == str(new))  # nothing to move: nothing is asked
    qtbot.waitUntil(lambda: not desktop.background.running)


def test_a_move_can_be_declined_or_stopped_and_waits_for_edits(
    desktop: Desktop, page: ModelPreferences, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "here", tmp_path / "elsewhere"
    write_tiny_model(old / "tiny")
    page.take_folder(str(new))
    answer(page, "move models", "Cancel", qtbot)
    with monkeypatch.context() as patch:
        patch.setattr(desktop, "models_in_use", lambda: {"tiny"})
        page.take_folder(str(new))
        answer(page, "move models", "Move", qtbot)
        assert "An edit is using" in answer(page, "in use", "OK", qtbot)
    assert desktop.mover.move is None
    plan = plan_move(old, new)
    go_on = threading.Event()

    def tick(copied: int) -> None:
        go_on.wait(30)
        ModelMover._tick(desktop.mover, copied)  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(desktop.mover, "_tick", tick)
    desktop.mover.begin(replace(plan, copied=plan.size))  # as to another disk
    environment = desktop._installer_environment  # pyright: ignore[reportPrivateUsage]
    assert environment() == {"ACE_MODELS": str(new)}, "what is installed meanwhile would not be found"
    assert page.stop.isVisible()
    assert not page.choose.isVisible()
    assert page.folder_note.text().startswith("Moving the models: 0 B of")
    qtbot.mouseClick(page.stop, Qt.MouseButton.LeftButton)
    go_on.set()
    qtbot.waitUntil(lambda: desktop.mover.move is None)
    assert page.choose.isVisible()
    assert environment() == {"ACE_MODELS": str(old)}
    assert desktop.kept.value.models_folder == str(old)
    assert (old / "tiny" / "config.json").is_file()
    assert not (new / "tiny").exists()
    qtbot.waitUntil(lambda: not desktop.background.running)


def test_a_move_that_ends_as_the_program_does_is_told(qapp: QApplication, tmp_path: Path) -> None:
    """Otherwise the next start would look for the models where they were."""
    write_tiny_model(tmp_path / "here" / "tiny")
    mover, told = ModelMover(), list[Move]()
    mover.moved.connect(told.append)
    move = plan_move(tmp_path / "here", tmp_path / "there")
    mover.begin(move)
    mover.close()
    assert told == [move]
    qapp.processEvents()
    assert told == [move], "once"
    assert (tmp_path / "there" / "tiny" / "config.json").is_file()


def test_what_an_edit_still_reads_is_deleted_after_it(tmp_path: Path, qtbot: QtBot) -> None:
    """An edit may begin while tens of gigabytes are copied, and reads the model's parts when it needs them."""
    here, there, using, asked = tmp_path / "here", tmp_path / "there", [True], list[Path]()
    write_tiny_model(here / "tiny")

    def used(folder: Path) -> bool:
        asked.append(folder)
        return using[0]

    mover, told = ModelMover(used), list[Move]()
    mover.moved.connect(told.append)
    plan = plan_move(here, there)
    mover.begin(replace(plan, copied=plan.size))
    qtbot.waitUntil(lambda: len(asked) > 2)
    assert len(told) == 1, "the next edit takes the copy"
    assert mover.move is None
    assert (here / "tiny" / "config.json").is_file()
    using[0] = False
    qtbot.waitUntil(lambda: not (here / "tiny").exists())
    assert (there / "tiny" / "config.json").is_file()
    assert set(asked) == {here}
    using[0] = True
    plan = plan_move(there, here)
    mover.begin(replace(plan, copied=plan.size))
    qtbot.waitUntil(lambda: len(told) == 2)
    mover.close()  # the program ends, and the edit with it
    assert not (there / "tiny").exists()


def test_the_engine_knows_in_which_folder_it_works(desktop: Desktop, tmp_path: Path, qtbot: QtBot) -> None:
    engine = desktop.engine
    assert not engine.works_in(POCKET.parent)
    job_id = engine.submit(job(steps=200))
    assert engine.works_in(POCKET.parent)
    assert not engine.works_in(tmp_path)
    engine.models_moved(POCKET.parent, tmp_path)
    assert engine.works_in(POCKET.parent), "what it has begun with"
    engine.cancel(job_id)
    qtbot.waitUntil(lambda: not engine.works_in(POCKET.parent))


def test_what_a_killed_program_was_moving_is_settled_at_the_start(
    desktop: Desktop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.delenv("ACE_MODELS", raising=False)
    here, there = tmp_path / "here", tmp_path / "there"
    desktop.kept.change(models_folder=str(here))
    write_tiny_model(here / "half")
    write_tiny_model(there / "tiny")
    note = {"there": str(there), "names": ["tiny"], "copied": True, "whole": True}
    (here / ".moving.json").write_text(json.dumps(note))
    begin_with_models(desktop)
    qtbot.waitUntil(lambda: desktop.models.find("tiny") is not None)
    assert desktop.kept.value.models_folder == str(there)
    qtbot.waitUntil(lambda: not desktop.background.running)


@pytest.mark.parametrize("led_here", [True, False])
def test_copies_left_in_the_usual_folder_go_if_the_models_were_moved_from_there_to_where_they_are(
    desktop: Desktop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, led_here: bool
) -> None:
    monkeypatch.delenv("ACE_MODELS", raising=False)
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    usual, there, other = desktop.models.usual_folder, tmp_path / "there", tmp_path / "other"
    led_to = there if led_here else other
    desktop.kept.change(models_folder=str(there))
    there.mkdir()
    write_tiny_model(usual / "tiny")
    shutil.copytree(usual / "tiny", led_to / "tiny")
    note = {"there": str(led_to), "names": ["tiny"], "copied": True, "whole": True}
    (usual / ".moving.json").write_text(json.dumps(note))
    gone_on: list[bool] = []
    monkeypatch.setattr(desktop.installer, "go_on_at_start", lambda: gone_on.append(True))
    begin_with_models(desktop)
    qtbot.waitUntil(lambda: bool(gone_on))
    assert (usual / "tiny").exists() is not led_here
    assert (led_to / "tiny" / "config.json").is_file()
    assert desktop.kept.value.models_folder == str(there)
    qtbot.waitUntil(lambda: not desktop.background.running)


def test_a_move_that_fails_is_said(desktop: Desktop, page: ModelPreferences, tmp_path: Path, qtbot: QtBot) -> None:
    write_tiny_model(tmp_path / "here" / "tiny")
    (tmp_path / "file").write_text("no folder")
    page.take_folder(str(tmp_path / "file" / "elsewhere"))
    answer(page, "move models", "Move", qtbot)
    window = desktop.windows[0]
    qtbot.waitUntil(lambda: "cannot be kept in" in window.message.label.text())
    assert desktop.kept.value.models_folder == str(tmp_path / "here")
    assert (tmp_path / "here" / "tiny" / "config.json").is_file()
    qtbot.waitUntil(lambda: not desktop.background.running)


def test_the_folder_of_the_environment_cannot_be_changed_here(
    desktop: Desktop, page: ModelPreferences, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setenv("ACE_MODELS", str(tmp_path / "given"))
    with qtbot.waitSignal(desktop.models.changed):
        desktop.models.look()
    assert not page.choose.isEnabled()
    assert "ACE_MODELS" in page.folder_note.text()


def test_prompts_are_stripped_where_that_is_wanted(desktop: Desktop, page: ModelPreferences, qtbot: QtBot) -> None:
    preferences = page.window()
    assert isinstance(preferences, Preferences)
    preferences.show_page("general")
    box = next(box for box in preferences.findChildren(QCheckBox) if box.text() == "Strip prompts on export")
    assert desktop.kept.value.export_recipe
    assert not box.isChecked()
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=box.rect().center() / 8)
    assert not desktop.kept.value.export_recipe
