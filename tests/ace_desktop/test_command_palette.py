"""The command palette: finds actions by some of their letters, in both languages, and runs them from the keyboard."""

from __future__ import annotations

import string

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QCoreApplication, Qt
from pytestqt.qtbot import QtBot

from ace_desktop.command_palette import CommandPalette, found
from ace_desktop.desktop import Desktop
from ace_desktop.fuzzy import score
from ace_desktop.main_window import MainWindow
from ace_desktop.menus import window_kinds
from ace_desktop.panels.tool_column import tool_actions

KINDS = window_kinds(tool_actions())


def palette(window: MainWindow) -> CommandPalette:
    window.run("edit.palette")
    made = window.findChild(CommandPalette)
    assert isinstance(made, CommandPalette)
    return made


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(string.ascii_letters + " "), st.booleans()), max_size=12))
def test_letters_in_order_are_found_and_others_not(letters: list[tuple[str, bool]]) -> None:
    text = "".join(letter for letter, _ in letters)
    assert score("".join(letter for letter, typed in letters if typed), text) is not None
    assert score(text + "#", text) is None


def test_the_best_answer_comes_first() -> None:
    assert found(KINDS, "dup")[0].id == "layer.duplicate"
    assert found(KINDS, "inv sel")[0].id == "select.invert"
    assert found(KINDS, "qqq") == []


def test_return_runs_what_is_chosen(window: MainWindow, qtbot: QtBot) -> None:
    made = palette(window)
    qtbot.keyClicks(made.field, "duplicate")
    with qtbot.waitSignal(made.destroyed):
        qtbot.keyClick(made.field, Qt.Key.Key_Return)
    assert window.session is not None
    assert len(window.session.state.layers) == 3


def test_arrows_go_round_and_leave_out_what_cannot_be_used(window: MainWindow, qtbot: QtBot) -> None:
    made = palette(window)
    qtbot.keyClicks(made.field, "redo")
    index = next(i for i in range(made.model.rowCount()) if made.model.item(i).text() == "Redo")
    assert not made.model.item(index).isEnabled()
    assert made.model.item(index).toolTip() == "There is nothing to redo."
    made.field.clear()
    first = made.list.currentIndex().row()
    qtbot.keyClick(made.field, Qt.Key.Key_Up)
    assert made.list.currentIndex().row() > first
    qtbot.keyClick(made.field, Qt.Key.Key_Down)
    assert made.list.currentIndex().row() == first
    with qtbot.waitSignal(made.destroyed):
        qtbot.keyClick(made.field, Qt.Key.Key_Escape)


def test_both_languages_are_searched(desktop: Desktop) -> None:
    desktop.kept.change(language="ko")
    QCoreApplication.processEvents()
    assert found(KINDS, "복제")[0].id == "layer.duplicate"
    assert found(KINDS, "duplicate")[0].id == "layer.duplicate"
