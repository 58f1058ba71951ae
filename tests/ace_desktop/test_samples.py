"""The samples: whole, ready to run, and opened from the page of an empty window."""

from __future__ import annotations

from collections import Counter

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.document.edit import inferred_task, settings_of
from ace_desktop.document.references import references_of
from ace_desktop.document.snapshot import problems, snapshot
from ace_desktop.main_window import MainWindow
from ace_desktop.places import resources
from ace_desktop.samples import SAMPLES, Sample, sample_state
from mlx_model.editor import Editor
from mlx_model.tasks import TASKS
from mlx_model.weights.config import ModelConfig


def test_there_is_one_for_each_of_five_tasks() -> None:
    assert {sample.task for sample in SAMPLES} == {"repaint", "instruct", "reference", "subject", "portrait"}
    assert max(Counter(sample.name for sample in SAMPLES).values()) == 1


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_nothing_stands_in_the_way_of_running_it(sample: Sample) -> None:
    config = ModelConfig.load(resources() / "models" / "pocket")
    state = sample_state(sample, sample.words)
    assert problems(state, config) == ()
    assert inferred_task(state) == sample.task
    held = settings_of(state)
    assert (held.instruction, held.model, held.seed, held.seed_locked) == (sample.words, "pocket", sample.seed, True)
    assert len(references_of(state)) == int(TASKS[sample.task].needs_reference)


YELLOW, CYAN, RED, PINK = (220, 210, 20), (60, 205, 215), (215, 35, 40), (235, 145, 147)
SEEN = {
    "repaint": {(628, 264): YELLOW},
    "instruct": {(52, 90): CYAN, (103, 52): (40, 80, 220)},
    "reference": {(90, 38): PINK, (103, 38): RED, (23, 56): (40, 160, 60)},
    "subject": {(64, 70): RED, (110, 20): CYAN},
    "portrait": {(64, 122): RED, (115, 10): CYAN},
}
"""Of each sample's result: places (x, y) and about the colour that is there, as asked for or as before."""


def test_the_built_in_model_does_what_each_asks_for() -> None:
    folder = resources() / "models" / "pocket"
    config, editor = ModelConfig.load(folder), Editor(folder)
    for sample in SAMPLES:
        snap = snapshot(sample_state(sample, sample.words), config)
        made = editor.edit(snap.requests[0], snap.pictures).picture.pixels
        for (x, y), colour in SEEN[sample.name].items():
            off = abs(made[y, x, :3].astype(int) - colour).max()
            assert off < 70, (sample.name, (x, y), made[y, x])


def test_a_click_opens_one_in_the_empty_window(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.new_window()
    button = window.welcome.samples["subject"]
    assert button.isVisible()
    assert not button.icon().isNull()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session is not None)
    session = window.session
    assert session is not None
    assert settings_of(session.state).task == "subject"
    assert session.path is None
    assert not window.welcome.isVisible()
    assert window.view.isVisible()
    qtbot.waitUntil(lambda: not desktop.background.running)


def test_the_page_says_what_the_built_in_model_is_until_there_is_another(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.new_window()
    page = window.welcome
    assert page.isVisible()
    assert page.models.isVisible()
    with qtbot.waitSignal(desktop.models.changed):
        desktop.models.look()
    assert page.models.isVisible()
    page.show_built_in_only(False)
    assert not page.models.isVisible()
    page.show_built_in_only(True)
    qtbot.mouseClick(page.models, Qt.MouseButton.LeftButton)
    assert desktop.shows_models
    qtbot.waitUntil(lambda: not desktop.background.running)


def test_its_buttons_are_the_actions_and_its_words_follow_the_language(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.new_window()
    page = window.welcome
    assert page.buttons["file.open"].text() == "Open…"
    assert page.buttons["file.new_from_clipboard"].isEnabled() == desktop.clipboard_has_picture()
    for button in (*page.buttons.values(), *page.samples.values(), page.models):
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert button.text()
    desktop.kept.change(language="ko")
    QCoreApplication.processEvents()
    assert page.buttons["file.open"].text() == "열기…"
    assert page.samples["portrait"].text() == "같은 사람"
    desktop.kept.change(language="en")
    qtbot.wait(1)


def test_the_menu_brings_the_samples_back_beside_a_document(desktop: Desktop, qtbot: QtBot) -> None:
    empty = desktop.new_window()
    assert isinstance(empty, MainWindow)
    empty.actions_by_id["help.samples"].trigger()
    assert desktop.windows == [empty], "it is shown already"
    qtbot.wait(1)
