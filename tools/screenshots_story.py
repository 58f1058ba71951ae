"""One edit for each task, from its sample to its result, taken by screenshots.py with the built-in model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from ace_desktop.samples import SAMPLES

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from ace_desktop.desktop import Desktop

Settle = Callable[[Callable[[], bool]], None]
Save = Callable[["QWidget", str], None]
PREVIEWS = 7
"""So many previews until something can be made out."""


def take_story(desktop: Desktop, settle: Settle, save: Save) -> None:
    """Run every sample: ready, on its way, and its result, divided into before and after where there is a before."""
    desktop.kept.change(edit_details=False)
    for sample in SAMPLES:
        window = desktop.new_window()
        window.resize(1120, 720)
        desktop.open_sample(sample.name, window)
        settle(lambda window=window: bool(window.editing and window.editing.can_run))
        editing, panels = window.editing, window.panels
        assert editing is not None
        assert panels is not None
        if window.view.zoom > 1:
            window.view.zoom_to(3.5)  # so that all of it is seen above the strip
        save(window, f"story-{sample.name}-ready")
        seen: list[object] = []

        def preview(image: object, _box: object, seen: list[object] = seen) -> None:
            if image is not None:  # which ends a preview
                seen.append(image)

        editing.preview.connect(preview)
        window.run("instruct.run")
        settle(lambda seen=seen: len(seen) >= PREVIEWS)
        frozen = QLabel()  # the edit goes on while it is saved
        frozen.setPixmap(window.grab())
        frozen.resize(window.size())
        save(frozen, f"story-{sample.name}-running")
        settle(lambda editing=editing: len(editing.results.all()) == 1 and not desktop.engine.busy)
        strip = panels.filmstrip
        strip.choose(editing.results.all()[0].id)
        if sample.picture:
            strip.wipe(0.5)
        settle(lambda: True)
        save(window, f"story-{sample.name}")
        window.closing = True
        window.close()
        QTest.qWait(100)
