"""Pictures of an edit on its way and of what it leaves, for `tools/screenshots.py`: the real model at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from ace_desktop.desktop import Desktop
    from ace_desktop.main_window import MainWindow

ROOT = Path(__file__).parents[1]
WORDS = {"en": "a red star", "ko": "빨간 별"}
UNKNOWN = {"en": "a red jacket with a zip", "ko": "지퍼 달린 빨간 재킷"}


def take_instruct(
    desktop: Desktop,
    settle: Callable[..., None],
    save: Callable[[QWidget, str], None],
    language: str,
) -> None:
    """Take them in a window of their own: what is missing, an edit on its way, its results, all settings."""
    from PySide6.QtWidgets import QLabel

    from ace_desktop.panels.run_on_many import RunOnMany

    window = opened(desktop)
    window.resize(1280, 900)
    settle()
    window.view.fit()
    editing = window.editing
    assert editing is not None
    editing.change(task="repaint", instruction=UNKNOWN[language])
    settle()
    save(window.inspector, "instruct-problem")
    mask(window)
    editing.change(task=None, instruction=WORDS[language], variations=3)
    settle()
    save(window, "instruct")
    seen: list[object] = []

    def preview(image: object, _box: object) -> None:
        seen.append(image)

    editing.preview.connect(preview)
    window.run("instruct.run")
    settle(lambda: len(seen) > 6)
    frozen = QLabel()  # the edit goes on while it is saved
    frozen.setPixmap(window.grab())
    frozen.resize(window.size())
    save(frozen, "instruct-running")
    settle(lambda: len(editing.results.all()) == 3 and not desktop.engine.busy)
    save(window, "instruct-results")
    editing.accept(editing.results.all()[0].id)
    settle(lambda: window.session is not None and len(window.session.state.layers) == 2)
    desktop.kept.change(edit_details=True)
    assert window.instruct is not None
    window.instruct.show_more(True)
    editing.change(region=(96, 80, 480, 420))
    settle()
    save(window, "instruct-more")
    window.run("instruct.many")
    settle()
    sheet = window.findChild(RunOnMany)
    assert isinstance(sheet, RunOnMany)
    sheet.add_files([ROOT / "resources" / "samples" / name for name in ("repaint.png", "remove.png", "control.png")])
    save(sheet, "instruct-many")
    sheet.close()
    window.closing = True
    window.close()
    settle()


def opened(desktop: Desktop) -> MainWindow:
    """Show a drawn scene, enlarged."""
    from ace_desktop.document.canvas_size import image_size
    from ace_desktop.document.opening import open_document
    from ace_desktop.session import Session

    drawn = open_document(ROOT / "resources" / "samples" / "repaint.png")
    state = image_size(drawn, drawn.width * 6, drawn.height * 6)
    window = desktop.new_window(Session(state, ROOT / "scene.ora"))
    window.choose_tool("mask-brush")
    return window


def mask(window: MainWindow) -> None:
    """Paint a disc into the edit mask."""
    from ace_desktop.document.shapes import ellipse

    session = window.session
    assert session is not None
    state = session.state
    disc = ellipse(state.width * 0.3, state.height * 0.35, state.width * 0.32, state.height * 0.32, state.frame)
    session.do("Mask", replace(state, edit_mask=disc))
