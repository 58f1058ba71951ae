"""A person at the window, in a process of its own that is killed at the end: opens a photograph, paints a mask with
the mouse, types, runs, takes the result, undoes, redoes and saves.

Run with a folder that holds `photo.png`. What was seen on the way goes into `seen.npz` and `seen.json` there, then
"saved" and the process's number are printed, and it waits to be killed.
"""  # noqa: D205

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ace_desktop.commands.file import save
from ace_desktop.desktop import Desktop
from ace_desktop.document.compose import compose
from ace_desktop.main_window import MainWindow
from ace_desktop.places import Places
from ace_desktop.session import Session

WORDS = "a red star"
CENTRE, RADIUS = (256, 192), 44
"""Where the mask is painted, in document pixels."""


def wait(ready: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Let the window go on until something is so."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(what)
        QTest.qWait(10)


def session_of(window: MainWindow) -> Session:
    assert window.session is not None
    return window.session


def pixels(window: MainWindow) -> np.ndarray:
    """Blend the document's layers."""
    state = session_of(window).state
    return np.asarray(compose(state, state.frame), np.uint8)


def paint_mask(window: MainWindow) -> None:
    """Scribble a disc with the mask brush."""
    window.choose_tool("mask-brush")
    window.set_option("size", 30)
    window.view.fit()
    view = window.view

    def at(x: float, y: float) -> QPoint:
        return view.transform.to_view(CENTRE[0] + x, CENTRE[1] + y).toPoint()

    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=at(-RADIUS, -RADIUS))
    for row in range(-RADIUS, RADIUS + 1, 11):
        for x in (-RADIUS, RADIUS):
            QTest.mouseMove(view, at(x, row))
            QTest.qWait(2)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at(RADIUS, RADIUS))
    wait(lambda: bool(session_of(window).state.edit_mask.tiles), "the mask")


def main(folder: Path) -> None:
    application = QApplication(sys.argv[:1])
    desktop = Desktop(application, Places.under(folder / "kept"))
    desktop.kept.change(language="en")
    window = desktop.new_window()
    desktop.open(folder / "photo.png", window)
    wait(lambda: window.session is not None, "the photograph")
    before = pixels(window)
    paint_mask(window)
    assert window.editing is not None
    assert window.instruct is not None
    previews: list[tuple[int, int]] = []
    shown: list[bool] = []

    def preview(image: object, box: object) -> None:  # noqa: ARG001
        if image is not None:
            previews.append((image.width(), image.height()))  # pyright: ignore[reportAttributeAccessIssue]
            shown.append(window.instruct is not None and window.instruct.run_row.working)

    window.editing.preview.connect(preview)
    window.activateWindow()
    window.instruct.words.setFocus()
    QTest.keyClicks(window.instruct.words, WORDS)
    wait(lambda: window.actions_by_id["instruct.run"].isEnabled(), "leave to run")
    box = window.editing.frame
    QTest.mouseClick(window.instruct.run_row.button, Qt.MouseButton.LeftButton)
    wait(lambda: bool(window.editing and window.editing.results.all()), "the result")
    result = window.editing.results.all()[0]
    wait(lambda: not (window.instruct and window.instruct.run_row.working), "the end of the run")
    window.editing.accept(result.id)
    wait(lambda: len(session_of(window).state.layers) == 2, "the layer")
    after = pixels(window)
    mask = session_of(window).state.edit_mask.read(session_of(window).state.frame)[..., 0]
    window.run("edit.undo")
    undone = pixels(window)
    window.run("edit.redo")
    redone = pixels(window)
    session = session_of(window)
    session.saved(session.state, folder / "flow.ora")
    saved: list[bool] = []
    save(window, lambda: saved.append(True))
    wait(lambda: bool(saved), "the save")
    np.savez(folder / "seen.npz", before=before, after=after, undone=undone, redone=redone, mask=mask)
    seen = {
        "previews": previews, "working": all(shown), "box": box, "words": result.words, "task": result.task,
        "layers": [layer.name for layer in session.state.layers], "engine": desktop.engine.process_id,
    }  # fmt: skip
    (folder / "seen.json").write_text(json.dumps(seen), encoding="utf-8")
    os.write(1, f"saved {os.getpid()}\n".encode())
    time.sleep(600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
