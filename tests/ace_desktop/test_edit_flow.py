"""The whole way with the real built-in model: from a photograph to a recipe that repeats itself after a crash."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.document.compose import compose
from ace_desktop.document.geometry import Rect
from ace_desktop.document.masks import grown
from ace_desktop.document.opening import open_document
from ace_desktop.document.plane import Plane
from ace_desktop.document.references import add_reference, references_of
from ace_desktop.document.state import RasterLayer
from ace_desktop.panels.reference_model import REFERENCE_MIME
from ace_desktop.places import Places, resources
from ace_desktop.session import Session

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "resources" / "samples" / "repaint.png"
GROW = 4


def person(folder: Path, platform: str) -> dict[str, object]:
    """Let a person work in a process of its own and kill that; returns what was seen."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.open(SAMPLE).convert("RGB").resize((512, 384)).save(folder / "photo.png")
    command = [sys.executable, "-m", "tests.ace_desktop.flow_person", str(folder)]
    environment = {**os.environ, "QT_QPA_PLATFORM": platform}
    if platform == "xcb":
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
        environment.pop("WAYLAND_DISPLAY", None)
    log = folder / "person.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout is not None
    said, _, number = process.stdout.readline().decode().strip().partition(" ")
    if number:
        os.kill(int(number), signal.SIGKILL)  # of the person alone: a screen ends in its own way
    process.stdout.close()
    process.wait(30)
    assert said == "saved", log.read_text(encoding="utf-8", errors="replace")[-3000:]
    return json.loads((folder / "seen.json").read_text(encoding="utf-8"))


def check(folder: Path, seen: dict[str, object]) -> None:
    """Hold what was seen against what the person was promised."""
    pictures = np.load(folder / "seen.npz")
    before, after, mask = pictures["before"], pictures["after"], pictures["mask"]
    assert seen["words"] == "a red star"
    assert seen["task"] == "repaint"
    previews = seen["previews"]
    assert isinstance(previews, list)
    assert len(previews) >= 3
    assert seen["working"]
    reach = grown(Plane(1).written(mask[..., None], 0, 0), _frame(mask), GROW).read(_frame(mask))[..., 0] > 0
    assert np.array_equal(after[~reach], before[~reach])
    changed = (after != before).any(-1)
    assert changed[mask > 127].mean() > 0.5
    assert np.array_equal(pictures["undone"], before)
    assert np.array_equal(pictures["redone"], after)


def _frame(mask: np.ndarray) -> Rect:
    return Rect(0, 0, mask.shape[1], mask.shape[0])


def test_an_edit_survives_a_crash_and_its_recipe_repeats_the_same_pixels(
    tmp_path: Path, qapp: QApplication, qtbot: QtBot
) -> None:
    seen = person(tmp_path, "offscreen")
    check(tmp_path, seen)
    again = Desktop(qapp, Places.under(tmp_path / "kept"))
    window = again.new_window()
    again.open(tmp_path / "flow.ora", window)
    qtbot.waitUntil(lambda: window.session is not None, timeout=20_000)
    session, editing = window.session, window.editing
    assert session is not None
    assert editing is not None
    layer = session.state.layers[-1]
    assert isinstance(layer, RasterLayer)
    qtbot.waitUntil(lambda: len(editing.results.all()) == 1, timeout=20_000)
    first = editing.results.all()[0]
    editing.repeat_exactly(layer.id)
    qtbot.waitUntil(lambda: len(editing.results.all()) == 2, timeout=60_000)
    second = next(result for result in editing.results.all() if result.id != first.id)
    one, other = editing.results.patch(first.id), editing.results.patch(second.id)
    assert np.array_equal(one.pixels, other.pixels)
    assert first.box == second.box
    window.closing = True
    window.close()
    again.close()
    again.deleteLater()


@pytest.mark.skipif(
    shutil.which("xvfb-run") is None or find_library("xcb-cursor") is None, reason="xvfb or libxcb-cursor0 is missing"
)
def test_the_same_works_on_a_screen(tmp_path: Path) -> None:
    check(tmp_path, person(tmp_path, "xcb"))


def test_a_reference_dropped_on_the_canvas_becomes_a_layer_there(desktop: Desktop, qtbot: QtBot) -> None:
    state = open_document(resources() / "samples" / "reference.png")
    gem = open_document(resources() / "samples" / "reference-reference-1.png")
    layer = gem.layers[0]
    assert isinstance(layer, RasterLayer)
    state = add_reference(state, np.ascontiguousarray(layer.pixels.read(gem.frame), np.uint8), "heart")
    window = desktop.new_window(Session(state))
    session, editing, view = window.session, window.editing, window.view
    assert session is not None
    assert editing is not None
    before = np.asarray(compose(session.state, session.state.frame), np.uint8)
    card = QMimeData()
    card.setData(REFERENCE_MIME, references_of(state)[0].id.encode())
    middle = view.transform.to_view(state.width * 0.5, state.height * 0.6).toPoint()
    held = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for event in (
        QDragEnterEvent(middle, Qt.DropAction.CopyAction, card, *held),
        QDropEvent(QPointF(middle), Qt.DropAction.CopyAction, card, *held),
    ):
        QApplication.sendEvent(view, event)
    qtbot.waitUntil(lambda: editing.task == "reference" and bool(session.state.edit_mask.tiles), timeout=30_000)
    assert editing.settings.instruction != ""
    assert editing.can_run
    previews: list[object] = []

    def preview(image: object, _box: object) -> None:
        previews.append(image)

    editing.preview.connect(preview)
    window.run("instruct.run")
    qtbot.waitUntil(lambda: len(editing.results.all()) == 1, timeout=60_000)
    assert len([image for image in previews if image is not None]) >= 3
    editing.accept(editing.results.all()[0].id)
    qtbot.waitUntil(lambda: len(session.state.layers) == 2, timeout=30_000)
    after = np.asarray(compose(session.state, session.state.frame), np.uint8)
    reach = grown(session.state.edit_mask, session.state.frame, GROW).read(session.state.frame)[..., 0] > 0
    assert np.array_equal(after[~reach], before[~reach])
    assert (after != before)[reach].mean() > 0.2
    window.run("edit.undo")
    assert np.array_equal(np.asarray(compose(session.state, session.state.frame), np.uint8), before)
    qtbot.waitUntil(lambda: not desktop.background.running and not desktop.engine.busy, timeout=30_000)
