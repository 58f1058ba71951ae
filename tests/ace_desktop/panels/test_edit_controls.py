"""The small controls of the Instruct panel: numbers left open, variations, adapters, the task, kept words, times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget
from pytestqt.qtbot import QtBot

from ace_desktop import job_words, presets
from ace_desktop.edit_names import CONTROL_NAMES, TASK_NAMES, WORDS_HINTS
from ace_desktop.panels.adapter_rows import AdapterRows
from ace_desktop.panels.controls import ElidedLabel
from ace_desktop.panels.ideas import Ideas, KeptWords
from ace_desktop.panels.number_field import NumberField
from ace_desktop.panels.run_row import MOST_VARIATIONS, Stepper
from ace_desktop.panels.task_chip import TaskChip
from ace_desktop.settings import Kept, Settings
from mlx_model.request import EditRequest, Progress
from mlx_model.tasks import CONTROLS, TASKS, recipe_for


def test_every_task_and_control_has_a_name() -> None:
    assert set(TASK_NAMES) == set(WORDS_HINTS) == set(TASKS)
    assert set(CONTROL_NAMES) == set(CONTROLS)


# Numbers


@pytest.fixture
def number(qtbot: QtBot) -> NumberField:
    made = NumberField(1, 200, parent=None)
    qtbot.addWidget(made)
    made.show_value(None, 28)
    made.show()
    return made


def test_an_open_number_shows_the_models_own_and_counts_from_it(number: NumberField, qtbot: QtBot) -> None:
    settled: list[object] = []
    number.settled.connect(settled.append)
    assert (number.text(), number.placeholderText()) == ("", "28")
    qtbot.keyClick(number, Qt.Key.Key_Up)
    qtbot.keyClick(number, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert settled == [29, 19]
    assert number.text() == "19"


def test_an_emptied_number_is_left_to_the_model_again(number: NumberField, qtbot: QtBot) -> None:
    settled: list[object] = []
    number.settled.connect(settled.append)
    number.show_value(12, 28)
    number.selectAll()
    qtbot.keyClick(number, Qt.Key.Key_Delete)
    qtbot.keyClick(number, Qt.Key.Key_Return)
    assert settled == [None]


@pytest.mark.parametrize(("typed", "settled"), [("500", [200]), ("0", [1]), ("x", []), ("12,6", [12]), ("nan", [])])
def test_what_cannot_be_is_brought_into_range_or_refused(
    typed: str, settled: list[int], number: NumberField, qtbot: QtBot
) -> None:
    found: list[object] = []
    number.settled.connect(found.append)
    qtbot.keyClicks(number, typed)
    qtbot.keyClick(number, Qt.Key.Key_Return)
    assert found == settled
    assert number.text() == (str(settled[0]) if settled else "")


def test_large_seeds_keep_every_digit(qtbot: QtBot) -> None:
    seed = NumberField(0, 2**64 - 1)
    qtbot.addWidget(seed)
    settled: list[object] = []
    seed.settled.connect(settled.append)
    qtbot.keyClicks(seed, str(2**64 - 2))
    qtbot.keyClick(seed, Qt.Key.Key_Return)
    assert settled == [2**64 - 2]
    assert seed.text() == str(2**64 - 2)


# Variations


def test_variations_are_counted_by_keys_within_their_limits(qtbot: QtBot) -> None:
    stepper = Stepper()
    qtbot.addWidget(stepper)
    changed: list[int] = []
    stepper.changed.connect(changed.append)
    qtbot.keyClick(stepper, Qt.Key.Key_Down)
    qtbot.keyClick(stepper, Qt.Key.Key_Up)
    assert changed == [2]
    stepper.show_value(MOST_VARIATIONS)
    qtbot.keyClick(stepper, Qt.Key.Key_Up)
    assert changed == [2]
    assert str(MOST_VARIATIONS) in stepper.accessibleName()


# Adapters


def test_adapters_are_added_weighed_and_taken_away(qtbot: QtBot) -> None:
    rows = AdapterRows()
    qtbot.addWidget(rows)
    told: list[object] = []

    def follow(chosen: tuple[tuple[str, float], ...]) -> None:
        told.append(chosen)
        rows.show_adapters(chosen, ("subject", "portrait"))

    rows.changed.connect(follow)
    rows.show_adapters((), ("subject", "portrait"))
    rows.menu.aboutToShow.emit()
    rows.menu.actions()[0].trigger()
    rows.menu.aboutToShow.emit()
    assert [action.isEnabled() for action in rows.menu.actions()[:2]] == [False, True]
    rows.sliders[0].slider.setValue(60)
    assert told[-1] == (("subject", 0.6),)
    rows.show_adapters((("subject", 0.6), ("/styles/ink.safetensors", 1.0)), ())
    assert [slider.slider.accessibleName() for slider in rows.sliders] == ["Strength of subject", "Strength of ink"]


# The task


def test_the_chip_says_what_was_read_from_the_situation_and_who_set_it(qtbot: QtBot) -> None:
    chip = TaskChip()
    qtbot.addWidget(chip)
    chip.show_task("reference", 1, by_user=False)
    assert chip.text() == "Local edit with 1 reference"
    assert "automatic" in chip.accessibleName()
    chosen: list[object] = []
    chip.chosen.connect(chosen.append)
    chip.menu().aboutToShow.emit()
    actions = [action for action in chip.menu().actions() if action.text()]
    assert [action.text() for action in actions if action.isChecked()] == ["Automatic"]
    assert len(actions) == 1 + len(TASKS)
    next(action for action in actions if action.text() == "Remove").trigger()
    actions[0].trigger()
    assert chosen == ["remove", None]
    chip.show_task("remove", 0, by_user=True)
    assert "set by you" in chip.accessibleName()


# Words to begin with


@pytest.fixture
def kept(tmp_path: Path, qapp: object) -> Iterator[Kept]:  # noqa: ARG001
    made = Kept(tmp_path / "settings.json")
    yield made
    made.flush()


@pytest.mark.parametrize("kind", ["built-in", "full"])
def test_every_task_has_examples_that_its_model_can_work_with(kind: str) -> None:
    for name, task in TASKS.items():
        found = presets.examples(name, built_in=kind == "built-in", wanted="en")
        assert len(found) >= 2, name
        korean = presets.examples(name, built_in=kind == "built-in", wanted="ko")
        assert [preset.instruction for preset in korean] == [preset.instruction for preset in found]
        assert all(any("가" <= letter <= "힣" for letter in preset.label) for preset in korean), name
        for preset in found:
            assert preset.instruction.isascii() or "é" in preset.instruction, preset
            request = EditRequest(
                preset.instruction,
                task=name,
                picture="p" if task.needs_picture else None,
                mask="m" if task.needs_mask else None,
            )
            if not task.needs_reference:
                assert recipe_for(request, "fft").instruction == preset.instruction


def test_ideas_fill_in_examples_kept_and_earlier_words(kept: Kept, qtbot: QtBot) -> None:
    kept.change(language="en", presets={"Mine": "a purple star"}, instructions=("a red star", "x" * 80))
    ideas = Ideas(kept)
    qtbot.addWidget(ideas)
    chosen: list[str] = []
    ideas.chosen.connect(chosen.append)
    ideas.follow("remove", "remove it", built_in=True)
    ideas.ideas.aboutToShow.emit()
    shown = {action.text(): action for action in ideas.ideas.actions() if action.text()}
    shown["Remove the star"].trigger()
    shown["Mine"].trigger()
    earlier = shown["Earlier words"].menu().actions()  # pyright: ignore[reportAttributeAccessIssue]
    earlier[0].trigger()
    assert chosen == ["remove the star", "a purple star", "a red star"]
    assert len(earlier[1].text()) < 60
    assert earlier[1].toolTip() == "x" * 80
    assert shown["Keep these words…"].isEnabled()


def test_words_are_kept_renamed_changed_and_deleted(kept: Kept, qtbot: QtBot) -> None:
    kept.change(presets={"One": "a red star", "Two": "a moon"})
    window = QWidget()
    qtbot.addWidget(window)
    sheet = KeptWords(kept, window)
    sheet.open()
    sheet.list.item(0).setText("First")
    sheet.words.setText("")
    qtbot.keyClicks(sheet.words, "a blue star")
    sheet.list.setCurrentRow(1)
    assert sheet.words.text() == "a moon"
    sheet.remove.click()
    sheet.accept()
    assert kept.value.presets == {"First": "a blue star"}
    qtbot.waitUntil(lambda: not window.findChildren(QDialog))


def test_the_history_has_no_words_twice_and_an_end() -> None:
    settings = Settings()
    for number in range(presets.HISTORY + 5):
        settings = Settings(instructions=presets.with_instruction(settings, f"star {number % 60}"))
    assert len(settings.instructions) == presets.HISTORY
    again = presets.with_instruction(settings, settings.instructions[7])
    assert again[0] == settings.instructions[7]
    assert len(again) == len(set(again)) == presets.HISTORY
    assert presets.with_instruction(settings, "  ") == settings.instructions


# Times


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 s"), (3.4, "about 3 s"), (38, "about 40 s"), (58, "about 1 min"), (170, "about 3 min"),
     (7100, "about 2 h")],
)  # fmt: skip
def test_times_are_said_as_roughly_as_they_are_known(seconds: float, words: str) -> None:
    assert job_words.about(seconds) == words


def test_progress_never_goes_back_within_a_job_and_ends_at_one() -> None:
    stages = [
        Progress("load"), Progress("text"), Progress("encode"), Progress("modulation"),
        *(Progress("denoise", step, 10) for step in range(1, 11)), Progress("decode", 10, 10),
        Progress("finish", 10, 10),
    ]  # fmt: skip
    shares = [job_words.share(progress, index, 3) for index in range(3) for progress in stages]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert all(job_words.stage(progress) and job_words.stage_in_short(progress) for progress in stages)
    assert job_words.stage_in_short(Progress("denoise", 4, 10)) == "Step 4 of 10"
    assert job_words.stage_in_short(Progress("denoise", 0, 10)) == "Painting"


def test_of_words_that_have_no_room_whole_parts_are_left_out(qtbot: QtBot) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.show()
    label.show_words("10 s left", "1 of 3", "Step 18 of 40")
    for room, shown in ((1000, "10 s left · 1 of 3 · Step 18 of 40"), (150, "10 s left · 1 of 3"), (70, "10 s left")):
        label.resize(room, 20)
        assert label.text() == shown, room
    label.resize(30, 20)
    assert label.text().endswith("…")
    assert label.toolTip() == label.whole == "10 s left · 1 of 3 · Step 18 of 40"
