"""What the edit shows on the canvas of a window."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from tests.ace_desktop.panels.result_strip import PATIENCE_MS, Strip


def test_the_scale_on_the_frame_follows_the_language(desktop: Desktop, qtbot: QtBot) -> None:
    made = Strip(desktop, qtbot)
    frame = made.window.view.frame
    assert frame.seen is not None
    assert frame.seen.caption.startswith("Seen")
    desktop.kept.change(language="ko")
    qtbot.waitUntil(lambda: frame.seen is not None and frame.seen.caption.endswith("봄"))


def test_an_accepted_result_is_seen_without_the_masks_tint_until_the_mask_changes(
    desktop: Desktop, qtbot: QtBot
) -> None:
    made = Strip(desktop, qtbot)
    view, session = made.window.view, made.editing.session
    made.click("a red star")
    qtbot.mouseClick(made.strip.bar.accept_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(made.state.layers) == 2, timeout=PATIENCE_MS)
    assert view.overlay == "ants"
    session.undo()
    assert view.overlay == "tint"
    session.redo()
    assert view.overlay == "ants"
    session.do("Mask", replace(made.state, edit_mask=made.state.edit_mask.moved(8, 0)))
    assert view.overlay == "tint"
    made.click("a green heart")
    view.overlay = "none"
    made.strip.accept(made.result("a green heart").id)
    qtbot.waitUntil(lambda: len(made.state.layers) == 3, timeout=PATIENCE_MS)
    assert view.overlay == "none", "a mask that was hidden stays so"
