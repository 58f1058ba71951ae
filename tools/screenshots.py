"""Take pictures of every part of the window, to be looked at: python tools/screenshots.py [FOLDER].

They go to build/screenshots; the few that the documentation shows go to docs/screenshots as well. Each theme and
language runs in a process of its own, offscreen; one pair also at twice the density. The scene is a photograph with
layers and masks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from ace_desktop.desktop import Desktop
    from ace_desktop.document.plane import Pixels
    from ace_desktop.document.state import State
    from ace_desktop.main_window import MainWindow

ROOT = Path(__file__).parents[1]
ALL = ""
SETS = (
    ("light", "en", 1, ALL), ("dark", "en", 1, ALL), ("light", "ko", 1, ALL),
    ("dark", "ko", 1, "window instruct-running jobs"), ("dark", "en", 2, "window layers"),
)  # fmt: skip
"""Theme, language, scale, and the names of the pictures that are taken."""
SHOWN = (
    "empty-light-en", "story-repaint-running-dark-en", "story-repaint-dark-en", "story-instruct-light-en",
    "story-reference-light-ko", "story-subject-dark-en", "story-portrait-light-ko", "jobs-dark-ko", "models-light-en",
)  # fmt: skip
"""What docs/screenshots holds."""
_MOST = 250_000
"""Bytes of a picture that is shown; one of more gets a palette."""


def main() -> int:
    if len(sys.argv) == 6:
        take(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5].split())
        return 0
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    for theme, language, scale, names in SETS:
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": str(scale),
                       "PYTHONPATH": str(ROOT)}  # fmt: skip
        arguments = [sys.executable, __file__, str(folder), theme, language, str(scale), names]
        code = subprocess.run(arguments, env=environment, check=False).returncode
        if code:
            return code
    if len(sys.argv) == 1:
        show(folder)
    return 0


def show(folder: Path) -> None:
    """Put the pictures of the documentation where it shows them, and take away those that it showed before."""
    from PIL import Image

    shown = ROOT / "docs" / "screenshots"
    for old in shown.glob("*.png"):
        old.unlink()
    for name in SHOWN:
        data = (folder / f"{name}.png").read_bytes()
        if len(data) <= _MOST:
            (shown / f"{name}.png").write_bytes(data)
            continue
        with Image.open(folder / f"{name}.png") as picture:
            for colours in (256, 192, 128, 96):
                small = picture.convert("RGB").quantize(colours, kmeans=3)  # small spots of colour stay true
                small.save(shown / f"{name}.png", optimize=True)
                if (shown / f"{name}.png").stat().st_size <= _MOST:
                    break


def take(folder: Path, theme: str, language: str, scale: int, names: Sequence[str]) -> None:
    """Take the pictures of one theme and language: those of these names, or all."""
    from PySide6.QtGui import QImage
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication, QWidget

    from ace_desktop.command_palette import CommandPalette
    from ace_desktop.desktop import Desktop
    from ace_desktop.document.canvas_size import image_size
    from ace_desktop.document.journal import Journal
    from ace_desktop.document.opening import open_document
    from ace_desktop.document.recovery import recoverable
    from ace_desktop.places import Places
    from ace_desktop.preferences import Preferences
    from ace_desktop.recovery_dialog import RecoveryDialog
    from ace_desktop.session import Session
    from tools.screenshots_edit import take_edit
    from tools.screenshots_instruct import take_instruct
    from tools.screenshots_story import take_story

    application = QApplication(sys.argv[:1])
    kept = tempfile.TemporaryDirectory()
    desktop = Desktop(application, Places.under(Path(kept.name)))
    desktop.kept.change(theme=theme, language=language)
    mark = f"{theme}-{language}" + (f"-{scale}x" if scale > 1 else "")

    def settle(ready: Callable[[], bool] = lambda: True) -> None:
        for _ in range(2400):  # a busy machine takes its time
            QTest.qWait(50)
            if ready() and not desktop.background.running:
                break
        QTest.qWait(300)

    def save(widget: QWidget, name: str) -> None:
        if names and name not in names:
            return
        before, now = QImage(), widget.grab().toImage()
        for _ in range(10):  # the canvas is painted bit by bit; ants march on
            if before == now:
                break
            QTest.qWait(300)
            before, now = now, widget.grab().toImage()
        now.save(str(folder / f"{name}-{mark}.png"), quality=0)  # 0: as small as can be

    empty = desktop.new_window()
    empty.resize(1280, 800)
    settle()
    save(empty, "empty")
    take_models(desktop, empty, settle, save)
    photograph = open_document(ROOT / "resources" / "training" / "backgrounds" / "chelsea.jpg")
    larger = image_size(photograph, photograph.width * 3, photograph.height * 3)
    session = Session(scene(larger), ROOT / "portrait.ora")
    window = desktop.show(session, empty)
    window.choose_tool("mask-brush")
    settle()
    window.view.fit()
    settle()
    save(window, "window")
    save(window.inspector, "layers")
    window.run("edit.palette")
    palette = window.findChild(CommandPalette)
    assert isinstance(palette, CommandPalette)
    palette.field.setText("마스크" if language == "ko" else "mask")
    settle()
    save(window, "palette")
    palette.close()
    for page in ("general", "models", "shortcuts"):
        desktop.show_preferences(window, page)
        settle()
        preferences = window.findChild(Preferences)
        assert isinstance(preferences, Preferences)
        save(preferences, f"preferences-{page}")
    window.findChildren(Preferences)[0].close()
    window.run("file.export")
    settle()
    sheet = next(child for child in window.findChildren(QWidget) if type(child).__name__ == "ExportDialog")
    save(sheet, "export")
    sheet.close()
    journal = Journal(desktop.places.journals / "lost", "portrait")
    journal.write(session.state)
    journal._lock.release()  # pyright: ignore[reportPrivateUsage] as after a kill
    dialog = RecoveryDialog(desktop, recoverable(desktop.places.journals / "lost"), window)
    dialog.show()
    settle()
    save(dialog, "recovery")
    dialog.close()
    window.message.say(explained(), "details")
    settle()
    save(window, "message")
    take_edit(desktop, settle, save)
    window.closing = True
    window.close()
    settle()
    if not names or any(name.startswith("instruct") for name in names):
        take_instruct(desktop, settle, save, language)
    if not names or any(name.startswith("story") for name in names):
        take_story(desktop, settle, save)
    desktop.close()
    kept.cleanup()


def take_models(
    desktop: Desktop, window: MainWindow, settle: Callable[[], None], save: Callable[[QWidget, str], None]
) -> None:
    """Take the models page as on a machine of 16 GB: at first, with a download that is paused, and a gated model."""
    from ace_desktop import model_shelf
    from ace_desktop.installer import Phase, Steps, Transfer
    from ace_desktop.panels.models_page import ModelsPage

    model_shelf.memory_bytes = lambda: 16 << 30  # pyright: ignore[reportPrivateImportUsage]
    model_shelf.free_bytes = plenty  # pyright: ignore[reportPrivateImportUsage]
    desktop.show_models(window)
    settle()
    page = window.findChild(ModelsPage)
    assert isinstance(page, ModelsPage)
    page.resize(640, 720)
    save(page, "models")
    installer = desktop.installer
    paused = Transfer(("install", "ace-plus-fft-5bit"), Phase.PAUSED, done=12_300_000_000, total=33_900_000_000)
    repository = "black-forest-labs/FLUX.1-Fill-dev"
    closed = Transfer(
        ("install", "ace-plus-fill-5bit"),
        Phase.FAILED,
        error=f"{repository} wants its licence accepted and a token: open it, accept, and enter a token",
        steps=Steps(f"https://huggingface.co/{repository}", ("", "", "")),
    )
    for name, transfer in (("models-paused", paused), ("models-steps", closed)):
        installer.transfer = transfer
        installer.changed.emit()
        settle()
        save(page, name)
    installer.forget()
    page.close()
    settle()


def plenty(_folder: Path) -> int:
    """Give the room of a common disk."""
    return 212 * 10**9


def explained() -> str:
    """Give a sentence as it comes when a file cannot be read."""
    from ace_desktop.document.errors import DocumentError
    from ace_desktop.reporting import explain

    return explain(
        DocumentError("portrait.png is damaged and cannot be read; use a copy, or open it in another program")
    )[0]


def scene(state: State) -> State:
    """Put layers and masks on a picture."""
    import numpy as np

    from ace_desktop.document.masks import feathered
    from ace_desktop.document.plane import Plane
    from ace_desktop.document.shapes import ellipse
    from ace_desktop.document.state import RasterLayer
    from ace_desktop.document.tree import add, group, with_properties

    frame = state.frame
    width, height = frame.width, frame.height
    light = Plane(4).mapped(frame, lambda old, _: np.full_like(old, (255, 190, 90, 255)))
    soft = feathered(ellipse(width * 0.1, height * 0.1, width * 0.7, height * 0.7, frame), frame, 60)
    glow = RasterLayer(pixels=light, name="Warm light", blend="soft-light", opacity=0.6, mask=soft)
    disc = ellipse(width * 0.8, height * 0.12, width * 0.12, width * 0.12, frame)
    paint = Plane(4).mapped(disc.bounds & frame, lambda _, part: painted(disc.read(part)))
    sketch = RasterLayer(pixels=paint, name="Sketch")
    notes = RasterLayer(pixels=Plane(4), name="Notes", visible=False, locked=True)
    state = add(add(add(state, glow), sketch), notes)
    state = group(state, [sketch.id, notes.id], "Ideas")
    state = with_properties(state, glow.id, visible=True)
    mask = feathered(ellipse(width * 0.3, height * 0.26, width * 0.16, height * 0.24, frame), frame, 3)
    saved = MappingProxyType({"Eye": mask})
    return replace(state, edit_mask=mask, masks=saved, active=glow.id)


def painted(mask: Pixels) -> Pixels:
    """Colour a mask."""
    import numpy as np

    colour = np.full((*mask.shape[:2], 3), (70, 190, 230), np.uint8)
    return np.dstack([colour, (mask * 0.85).astype(np.uint8)])


if __name__ == "__main__":
    sys.exit(main())
