"""The window: its zones, what it hides, what it remembers, and that it is light to start."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QApplication, QMenu, QScrollArea, QSlider, QToolBar, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from ace_desktop import menus
from ace_desktop.canvas.tools import TOOLS
from ace_desktop.desktop import Desktop
from ace_desktop.main_window import INSPECTOR, MainWindow
from ace_desktop.panels.inspector import LAYERS
from ace_desktop.panels.layer_row import HEIGHT
from ace_desktop.panels.tool_options import OptionValues
from ace_desktop.preferences import Preferences
from ace_desktop.reporting import explain
from ace_desktop.session import Session
from tests.ace_desktop.conftest import ExpectLog
from tests.ace_desktop.small_document import small_document

START = """
import sys, tempfile
from pathlib import Path
from PySide6.QtWidgets import QApplication
from ace_desktop.app import begin
from ace_desktop.desktop import Desktop, FileOpenEvents
from ace_desktop.places import Places
application = QApplication(["-platform", "offscreen"])
desktop = Desktop(application, Places.under(Path(tempfile.mkdtemp())))
desktop.new_window()
heavy = {"mlx", "cv2", "PIL", "psd_tools", "transformers", "httpx2", "huggingface_hub", "scipy"}
print(sorted(heavy & set(sys.modules)))
for window in list(desktop.windows):
    window.close()
desktop.close()
"""


def test_the_first_window_loads_nothing_heavy() -> None:
    command = [sys.executable, "-c", START]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr[-2000:]


def test_zones_have_their_sizes(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitExposed(window)
    assert INSPECTOR[0] <= window.inspector.width() <= INSPECTOR[1]
    assert window.tools.x() == 0
    assert all(button.width() == button.height() == 28 for button in window.tools.buttons.values())
    left, right = (part.mapTo(window, part.rect().topLeft()).x() for part in (window.view, window.inspector))
    assert window.tools.width() <= left < right
    assert window.status.height() == 21  # 20 and a hairline


def test_tab_on_the_canvas_leaves_only_the_canvas(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitActive(window):
        window.activateWindow()
    window.choose_tool("mask-brush")
    window.view.setFocus()
    others: list[QWidget] = [window.tools, window.inspector, window.status, window.options, window.menuBar()]
    qtbot.waitUntil(lambda: all(part.isVisible() for part in others))
    qtbot.keyClick(window.view, Qt.Key.Key_Tab)
    assert window.canvas_only
    assert not any(part.isVisible() for part in others)
    qtbot.keyClick(window.view, Qt.Key.Key_Tab)
    qtbot.waitUntil(lambda: all(part.isVisible() for part in others))


def test_options_are_shown_only_for_tools_that_have_some(window: MainWindow) -> None:
    for kind in TOOLS:
        window.choose_tool(kind.id)
        assert window.options.isHidden() == (not kind.options), kind.id
        assert list(window.options.fields) == [option.name for option in kind.options]


def test_sliders_of_options_give_way_one_by_one_before_anything_is_cut_off(window: MainWindow, qtbot: QtBot) -> None:
    window.choose_tool("brush")
    shown: list[int] = []
    for width in (1500, 1280, 1000):
        window.resize(width, 800)
        window.choose_tool("hand")
        window.choose_tool("brush")
        qtbot.wait(30)
        fields = window.options.fields.values()
        shown.append(sum(not slider.isHidden() for field in fields for slider in field.findChildren(QSlider)))
        if width >= 1280:
            assert all(field.width() >= field.minimumSizeHint().width() for field in fields)
    assert shown[0] == 3
    assert shown[0] >= shown[1] > shown[2]


def test_options_are_remembered_and_the_colour_is_shared(desktop: Desktop, window: MainWindow) -> None:
    kinds = {kind.id: kind for kind in TOOLS}
    window.choose_tool("brush")
    window.options.fields["size"].tell(33)
    window.options.fields["colour"].tell("#102030")
    assert OptionValues(kinds["brush"], desktop.kept)["size"] == 33
    assert OptionValues(kinds["eraser"], desktop.kept)["size"] != 33
    assert OptionValues(kinds["fill"], desktop.kept)["colour"] == "#102030"
    window.view.option_wanted.emit("size", 44)
    assert OptionValues(kinds["brush"], desktop.kept)["size"] == 44
    assert window.options.fields["size"].control.property("value") == 44


def test_the_title_names_the_file_and_marks_changes(window: MainWindow, qtbot: QtBot) -> None:
    assert window.windowTitle() == "Untitled[*]"
    assert not window.isWindowModified()
    window.run("layer.new")
    qtbot.waitUntil(window.isWindowModified)
    assert window.actions_by_id["edit.undo"].text() == "Undo New layer"
    window.run("edit.undo")
    qtbot.waitUntil(lambda: not window.isWindowModified())


def test_a_macs_title_shows_the_icon_of_the_file_and_not_the_programs(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program's carries a bar while an edit is made, which belongs into the Dock alone."""
    monkeypatch.setattr(menus, "is_mac", lambda: True)
    assert window.session is not None
    program = QApplication.windowIcon().cacheKey()
    assert window.windowIcon().cacheKey() == program
    (tmp_path / "picture.ora").write_bytes(b"")
    window.session.saved(window.session.state, tmp_path / "picture.ora")
    assert window.windowIcon().cacheKey() != program


def test_shortcuts_are_taken_from_the_settings(desktop: Desktop, window: MainWindow) -> None:
    desktop.kept.change(shortcuts={"layer.new": ("F9",)})
    assert window.actions_by_id["layer.new"].shortcut().toString() == "F9"
    desktop.kept.change(shortcuts={})
    assert window.actions_by_id["layer.new"].shortcut().toString() == "Ctrl+Shift+N"


def test_a_shortcut_is_given_and_taken_back_in_the_preferences(
    desktop: Desktop, window: MainWindow, qtbot: QtBot
) -> None:
    desktop.show_preferences(window, "shortcuts")
    preferences = window.findChild(Preferences)
    assert isinstance(preferences, Preferences)
    editor = preferences.shortcuts
    editor.search.setText("Flatten")
    assert editor.chosen() == "layer.flatten"
    qtbot.keyClick(editor.keys, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    editor.keys.editingFinished.emit()
    assert desktop.kept.value.shortcuts == {"layer.flatten": ("Ctrl+O",)}
    assert "“Open”" in editor.note.text()
    editor.original.click()
    assert desktop.kept.value.shortcuts == {}
    assert editor.note.text() == ""
    preferences.close()


def test_menus_and_buttons_follow_the_language_and_none_is_left_over(
    desktop: Desktop, window: MainWindow, qtbot: QtBot
) -> None:
    def menus() -> int:
        return len(window.menuBar().findChildren(QMenu))

    before = menus()
    desktop.kept.change(language="ko")
    qtbot.waitUntil(lambda: window.menuBar().actions()[0].text() == "파일")
    names = [button.accessibleName() for button in window.findChildren(QToolBar)[0].findChildren(QToolButton)]
    assert "내보내기" in names
    assert not any(re.search("[A-Za-z]", name) for name in names)
    qtbot.waitUntil(lambda: menus() == before)


def test_preferences_follow_the_language_they_set(desktop: Desktop, window: MainWindow, qtbot: QtBot) -> None:
    desktop.show_preferences(window)
    preferences = window.findChild(Preferences)
    assert isinstance(preferences, Preferences)
    desktop.kept.change(language="ko")
    qtbot.waitUntil(lambda: preferences.windowTitle() == "환경설정")
    preferences.close()


def test_geometry_and_folded_sections_come_back(desktop: Desktop, window: MainWindow) -> None:
    window.resize(780, 700)
    window.inspector.sections[LAYERS].heading.click()
    assert desktop.kept.value.collapsed == ("Layers",)
    window.close()
    again = desktop.new_window(Session(small_document()))
    assert again.size().toTuple() == (780, 700)
    assert again.layers is not None
    assert again.layers.isHidden()


def test_unexpected_errors_are_told_without_a_traceback_and_logged(expect_log: ExpectLog) -> None:
    expect_log("unexpected")
    text, details = explain(ZeroDivisionError("by nothing"))
    assert "ZeroDivisionError" not in text
    assert "ZeroDivisionError: by nothing" in details
    assert "Qt" in details
    assert explain(MemoryError())[0].startswith("There is not enough memory")


def test_the_inspector_does_not_scroll_while_its_layers_have_room(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1280, 720)
    area = window.inspector.findChild(QScrollArea)
    assert isinstance(area, QScrollArea)
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() == 0)
    assert window.layers is not None
    assert window.layers.view.height() > 2 * HEIGHT, "it takes what is left"


@pytest.mark.parametrize("code", ["en", "ko"])
def test_nothing_is_cut_off_at_the_smallest_size(code: str, desktop: Desktop, window: MainWindow) -> None:
    desktop.kept.change(language=code)
    QCoreApplication.processEvents()
    window.resize(window.minimumSizeHint())
    assert window.width() <= 800, "fits a small screen"
