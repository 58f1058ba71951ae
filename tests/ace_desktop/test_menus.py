"""Shortcuts: a Mac's menu bar takes its keys before the controls, and keeps some for itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QLineEdit, QMainWindow, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from ace_desktop import menus
from ace_desktop.desktop import Desktop
from ace_desktop.hangul_keys import KEYS
from ace_desktop.main_window import MainWindow
from ace_desktop.panels.tool_column import PREFIX, tool_actions
from ace_desktop.preferences import Preferences

KINDS = menus.window_kinds(tool_actions())
OF_THE_SYSTEM = {
    "Ctrl+H", "Ctrl+Alt+H", "Ctrl+Alt+M", "Ctrl+Shift+Q", "Ctrl+Meta+Q", "Ctrl+Alt+D", "Ctrl+Tab", "Ctrl+Space",
    "Ctrl+Alt+Space", "Ctrl+Meta+Space", "Ctrl+`", "Ctrl+Shift+3", "Ctrl+Shift+4", "Ctrl+Shift+5", "Ctrl+Alt+Esc",
    "Ctrl+Alt+F5", "Ctrl+Shift+/",
}  # fmt: skip
"""What macOS does itself (support.apple.com/102650): hide, log out, screenshots, the search, the help."""
WRITING = {"Ctrl+Backspace", "Ctrl+Left", "Ctrl+Right", "Ctrl+Up", "Ctrl+Down", "Alt+Left", "Alt+Right"}
"""What is pressed while one writes there, and what Qt's fields would leave to a shortcut."""


class MacWindow(QMainWindow):
    """A window with the actions as on a Mac, a field, and something to work on."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []
        self.actions_by_id = menus.make_actions(self, KINDS, self.ran.append, {}, native=True)
        middle = QWidget(self)
        column = QVBoxLayout(middle)
        self.field, self.canvas = QLineEdit(middle), QWidget(middle)
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        column.addWidget(self.field)
        column.addWidget(self.canvas)
        self.setCentralWidget(middle)
        only = self.actions_by_id["view.canvas_only"]
        self.canvas.addActions([only, *only.findChildren(QAction)])


@pytest.fixture
def mac(qtbot: QtBot) -> Iterator[MacWindow]:
    window = MacWindow()
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield window
    window.close()


def in_the_menus(actions: dict[str, QAction]) -> set[str]:
    """List the keys that a Mac's menu bar would take: the first one of each action."""
    portable = QKeySequence.SequenceFormat.PortableText
    return {action.shortcut().toString(portable) for action in actions.values()} - {""}


def test_no_shortcut_is_one_of_the_macs_own() -> None:
    taken = {key for kind in KINDS for key in kind.shortcuts}
    assert taken & (OF_THE_SYSTEM | WRITING) == set()
    assert {kind.id for kind in KINDS if {"Ctrl+M", "Ctrl+Q", "Ctrl+,"} & set(kind.shortcuts)} == {
        "window.minimize", "file.quit", "edit.preferences",
    }  # fmt: skip


def test_the_keys_of_fields_do_not_stand_in_the_menus_of_a_mac(mac: MacWindow) -> None:
    assert not [key for key in in_the_menus(mac.actions_by_id) if key.endswith(("Tab", "Backspace", "Del"))]
    assert {"Ctrl+Return", "B"} <= in_the_menus(mac.actions_by_id), "all others do"
    assert mac.actions_by_id["view.full_screen"].shortcut().toString() == "Meta+Ctrl+F", "F11 shows the desktop"
    shown = [menus.first_key(mac.actions_by_id[name]).toString() for name in ("view.canvas_only", "edit.clear")]
    assert shown == ["Tab", "Del"]


def test_they_do_the_same_there_as_elsewhere(mac: MacWindow, qtbot: QtBot) -> None:
    for action in mac.actions_by_id.values():
        action.setEnabled(True)
    mac.field.setFocus()
    mac.field.setText("red star")
    qtbot.keyClick(mac.field, Qt.Key.Key_Backspace)
    qtbot.keyClick(mac.field, Qt.Key.Key_Tab)
    assert (mac.ran, mac.field.text()) == ([], "red sta")
    assert mac.canvas.hasFocus(), "Tab went on"
    qtbot.keyClick(mac.canvas, Qt.Key.Key_Tab)
    qtbot.keyClick(mac.canvas, Qt.Key.Key_Backspace)
    qtbot.keyClick(mac.canvas, Qt.Key.Key_Backspace, Qt.KeyboardModifier.AltModifier)
    assert mac.ran == ["view.canvas_only", "edit.clear", "edit.fill"]
    mac.actions_by_id["edit.clear"].setEnabled(False)
    qtbot.keyClick(mac.canvas, Qt.Key.Key_Backspace)
    assert len(mac.ran) == 3, "where there is nothing to delete the key is the tool's"


def test_other_keys_that_are_chosen_take_their_place(mac: MacWindow, qtbot: QtBot) -> None:
    chosen = {"view.canvas_only": ("F",), "edit.clear": ("Ctrl+Del",)}
    menus.set_shortcuts(mac.actions_by_id, KINDS, chosen, native=True)
    mac.canvas.setFocus()
    qtbot.keyClick(mac.canvas, Qt.Key.Key_Tab)
    assert mac.ran == []
    assert mac.actions_by_id["view.canvas_only"].shortcut().toString() == "F"
    assert menus.first_key(mac.actions_by_id["edit.clear"]).toString() == "Ctrl+Del"


def test_tools_are_chosen_by_their_letters_while_the_keyboard_writes_hangul(window: MainWindow) -> None:
    for kind in [kind for kind in KINDS if kind.id.startswith(PREFIX) and kind.shortcuts]:
        letter = kind.shortcuts[0].removeprefix("Shift+")
        shifted = kind.shortcuts[0] != letter
        written = [jamo for jamo, key in KEYS.items() if key == letter][-1 if shifted else 0]
        modifiers = Qt.KeyboardModifier.ShiftModifier if shifted else Qt.KeyboardModifier.NoModifier
        event = QKeyEvent(QKeyEvent.Type.KeyPress, ord(written), modifiers, written)
        QApplication.sendEvent(window.view, event)
        assert PREFIX + window.tool_id == kind.id


def test_hangul_with_the_command_key_and_other_letters_choose_nothing(window: MainWindow) -> None:
    before = window.tool_id
    for text, modifiers in (("ㅠ", Qt.KeyboardModifier.ControlModifier), ("б", Qt.KeyboardModifier.NoModifier)):
        QApplication.sendEvent(window.view, QKeyEvent(QKeyEvent.Type.KeyPress, ord(text), modifiers, text))
    assert window.tool_id == before


def test_what_a_macs_file_panel_needs_has_the_names_by_which_qt_knows_it(window: MainWindow) -> None:
    """Else ⌘V does nothing in its field for the name (QTBUG-17291)."""
    heuristic = QAction.MenuRole.TextHeuristicRole
    named = {action.text().lower() for action in window.actions_by_id.values() if action.menuRole() == heuristic}
    assert named == {"cut", "copy", "paste", "select all"}


def test_close_means_the_window_that_has_the_keyboard(desktop: Desktop, window: MainWindow, qtbot: QtBot) -> None:
    """A Mac's menus are those of the document while its preferences are in front."""
    with qtbot.waitActive(window):
        window.activateWindow()
    desktop.show_preferences(window)
    preferences = window.findChild(Preferences)
    assert isinstance(preferences, Preferences)
    qtbot.waitUntil(lambda: QApplication.activeWindow() is preferences)
    with qtbot.waitSignal(preferences.destroyed):
        window.run("file.close")
    assert not window.isHidden()
    with qtbot.waitActive(window):
        window.activateWindow()
    window.run("file.close")
    assert desktop.windows == []
