"""The field for the words: its height, its history, its marks, and whose undo it is."""

from __future__ import annotations

import itertools

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QTextCharFormat, QTextLayout
from PySide6.QtWidgets import QApplication, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from ace_desktop.panels.words import LINES, WordsField

PAST = ("a red star", "make the circle cyan")
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def field(qtbot: QtBot) -> WordsField:
    made = WordsField(lambda: PAST)
    qtbot.addWidget(made)
    made.resize(240, made.height())
    made.show()
    return made


def formats(field: WordsField) -> list[QTextLayout.FormatRange]:
    return field.document().firstBlock().layout().formats()


def test_it_grows_to_five_lines_and_then_scrolls(field: WordsField) -> None:
    heights: list[int] = []
    for lines in range(1, 9):
        field.show_words("\n".join(["word"] * lines))
        heights.append(field.height())
    line = field.fontMetrics().lineSpacing()
    assert heights[0] == heights[1]
    assert [after - before for before, after in itertools.pairwise(heights[1:])] == [line] * 3 + [0] * 3
    assert field.verticalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAsNeeded
    assert LINES == (2, 5)


def test_long_words_that_wrap_make_it_grow_too(field: WordsField) -> None:
    before = field.height()
    field.show_words("a quiet mountain lake at sunrise with mist over the water and soft golden light on the hills")
    assert field.height() > before


def test_alt_and_arrows_walk_through_what_was_run_and_back_to_the_draft(field: WordsField, qtbot: QtBot) -> None:
    said: list[str] = []
    field.edited.connect(said.append)
    qtbot.keyClicks(field, "put")
    for key, shown in (
        (Qt.Key.Key_Up, PAST[0]), (Qt.Key.Key_Up, PAST[1]), (Qt.Key.Key_Up, PAST[1]), (Qt.Key.Key_Down, PAST[0]),
        (Qt.Key.Key_Down, "put"), (Qt.Key.Key_Down, "put"),
    ):  # fmt: skip
        qtbot.keyClick(field, key, ALT)
        assert field.toPlainText() == shown
        assert said[-1] == shown
    qtbot.keyClicks(field, " it")
    assert field.toPlainText() == "put it"


def test_showing_words_tells_nobody_and_keeps_the_cursor_of_the_same_words(field: WordsField, qtbot: QtBot) -> None:
    said: list[str] = []
    field.edited.connect(said.append)
    field.show_words("a red star")
    qtbot.keyClick(field, Qt.Key.Key_Home)
    field.show_words("a red star")
    assert field.textCursor().position() == 0
    assert said == []


def test_what_is_found_is_underlined_while_it_is_typed(field: WordsField, qtbot: QtBot) -> None:
    field.mark(lambda text: [(text.index("jacket"), 6)] if "jacket" in text else [])
    assert not field.marked
    qtbot.keyClicks(field, "red jacket")
    assert field.marked
    assert [(mark.start, mark.length) for mark in formats(field)] == [(4, 6)]
    assert formats(field)[0].format.underlineStyle() == QTextCharFormat.UnderlineStyle.WaveUnderline  # pyright: ignore
    field.mark(None)
    assert not field.marked
    assert formats(field) == []


def test_undo_is_left_to_the_document_where_nothing_was_typed(field: WordsField, qtbot: QtBot) -> None:
    def claims() -> bool:
        event = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        event.ignore()
        QApplication.sendEvent(field, event)
        return event.isAccepted()

    field.show_words("from the document")
    assert not claims()
    qtbot.keyClicks(field, "!")
    assert claims()


def test_tab_goes_on_to_the_next_control(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    field, button = WordsField(lambda: PAST, window), QPushButton("Run", window)
    column.addWidget(field)
    column.addWidget(button)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    field.setFocus()
    qtbot.keyClick(field, Qt.Key.Key_Tab)
    assert field.toPlainText() == ""
    assert button.hasFocus()


def test_command_backspace_deletes_up_to_the_start_of_the_line_on_a_mac(qtbot: QtBot) -> None:
    field = WordsField(lambda: PAST, platform="darwin")
    qtbot.addWidget(field)
    field.show_words("first line\na red star")
    event = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Backspace, Qt.KeyboardModifier.ControlModifier)
    event.ignore()
    QApplication.sendEvent(field, event)
    assert event.isAccepted(), "before a menu gets it"
    qtbot.keyClick(field, Qt.Key.Key_Backspace, Qt.KeyboardModifier.ControlModifier)
    assert field.toPlainText() == "first line\n"
    field.undo()
    assert field.toPlainText() == "first line\na red star"
