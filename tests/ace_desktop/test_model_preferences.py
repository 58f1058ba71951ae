"""The preferences about models: each choice is kept at once, and reaches what it is about."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.engine.times import Times, write_times
from ace_desktop.model_preferences import ModelPreferences
from ace_desktop.preferences import Preferences
from mlx_model.progress import STAGES
from mlx_model.request import EditRequest
from mlx_model.weights.config import ModelConfig
from tests.ace_desktop.engine.sample_jobs import POCKET

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
    assert desktop.kept.value.models_folder == ""
    qtbot.waitUntil(lambda: not page.usual.isEnabled())
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
