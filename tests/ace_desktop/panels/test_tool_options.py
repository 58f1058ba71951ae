"""The strip of a tool's options in windows of every width: nothing is cut off, and nothing is out of reach."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QCheckBox
from pytestqt.qtbot import QtBot

from ace_desktop.canvas.tools import TOOLS
from ace_desktop.desktop import Desktop
from ace_desktop.main_window import MainWindow
from ace_desktop.panels.tool_options import OptionValues

BRUSH = next(kind for kind in TOOLS if kind.id == "brush")


@pytest.mark.parametrize("code", ["en", "ko"])
def test_no_field_is_narrower_than_what_it_shows(code: str, desktop: Desktop, window: MainWindow) -> None:
    desktop.kept.change(language=code)
    for width in (window.minimumSizeHint().width(), 900, 1280):
        window.resize(width, 700)
        for kind in TOOLS:
            window.choose_tool(kind.id)
            QCoreApplication.processEvents()
            strip = window.options
            shown = [field for field in strip.fields.values() if not field.isHidden()]
            assert all(field.width() >= field.sizeHint().width() for field in shown), (kind.id, width)
            assert strip.rest.isHidden() == (len(shown) == len(strip.fields)), (kind.id, width)


def test_what_has_no_room_is_behind_a_button(desktop: Desktop, window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1600, 700)
    window.choose_tool("brush")
    strip = window.options
    assert strip.rest.isHidden()
    window.resize(window.minimumSizeHint().width(), 700)
    assert strip.fields["pressure_size"].isHidden()
    assert not strip.fields["size"].isHidden()
    qtbot.mouseClick(strip.rest, Qt.MouseButton.LeftButton)
    popover = strip.popover
    assert popover is not None
    assert window.rect().contains(popover.geometry())
    box = next(box for box in popover.findChildren(QCheckBox) if box.text() == "Pressure sets size")
    assert box.isChecked()
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert not OptionValues(BRUSH, desktop.kept)["pressure_size"]
    assert not strip.fields["pressure_size"].control.property("checked")
    qtbot.mouseClick(strip.rest, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: strip.popover is None)
    qtbot.mouseClick(strip.rest, Qt.MouseButton.LeftButton)
    window.choose_tool("hand")
    qtbot.waitUntil(lambda: strip.popover is None)
    window.resize(1600, 700)
    window.choose_tool("brush")
    assert all(not field.isHidden() for field in strip.fields.values())
