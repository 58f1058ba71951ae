"""The pictures of an edit on its way, taken by screenshots.py: references, drops, jobs, results, compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from ace_desktop.document.references import change_reference, references_of
from ace_desktop.document.tree import with_properties
from ace_desktop.panels.incoming import of_file
from ace_desktop.panels.placing_ghost import longest_side, make_ghost, placed_size
from ace_desktop.panels.popover import Popover
from ace_desktop.panels.recipe_view import RecipeView
from ace_desktop.panels.reference_editor import ReferenceEditor
from ace_desktop.session import Session

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from ace_desktop.desktop import Desktop
    from ace_desktop.main_window import MainWindow

SAMPLES = Path(__file__).parents[1] / "resources" / "samples"
Settle = Callable[[Callable[[], bool]], None]
Save = Callable[["QWidget", str], None]


def take_edit(desktop: Desktop, settle: Settle, save: Save) -> None:
    """Go through an edit with a reference, with the built-in model."""
    from ace_desktop.document.opening import open_document

    window = desktop.new_window(Session(open_document(SAMPLES / "reference.png")))
    window.resize(1280, 800)
    panels, editing, session = window.panels, window.editing, window.session
    assert panels is not None
    assert editing is not None
    assert session is not None
    settle(lambda: True)
    window.view.zoom_to(3.5)
    panels.board.add_files([SAMPLES / "reference-reference-1.png", SAMPLES / "portrait-reference-1.png"])
    settle(lambda: len(editing.references) == 2)
    gem, face = (reference.id for reference in editing.references)
    session.do("Switch reference on or off", change_reference(session.state, face, on=False, role="face"))
    _edit_reference(window, face, settle, save)
    _drop(window, gem, settle, save)
    panels.drops.place(session, gem, (64, 74))
    settle(lambda: editing.settings.task == "reference")
    window.status.message.clear()
    editing.change(instruction="put the hexagon here", variations=3, seed=11, steps=40)  # so that it is seen at work
    editing.run()
    settle(lambda: bool(editing.jobs))
    editing.change(variations=1, seed=3, steps=None)
    editing.run()
    settle(lambda: any(job.progress is not None and job.progress.step > 5 for job in editing.jobs))
    panels.job_line.open_list()
    QTest.qWait(300)
    frozen = QLabel()  # the jobs go on while it is saved
    frozen.setPixmap(window.grab())
    frozen.resize(window.size())
    save(frozen, "jobs")
    for popover in window.findChildren(Popover):
        popover.close()
    settle(lambda: len(editing.results.all()) == 4 and not desktop.engine.busy)
    _compare(window, settle, save)
    window.closing = True
    window.close()


def _edit_reference(window: MainWindow, reference_id: str, settle: Settle, save: Save) -> None:
    assert window.panels is not None
    board = window.panels.board
    board.edit(reference_id)
    sheet = window.findChild(ReferenceEditor)
    assert isinstance(sheet, ReferenceEditor)
    settle(sheet.accept_button.isEnabled)
    sheet.cut_button.click()
    sheet.automatic_button.click()
    settle(sheet.accept_button.isEnabled)
    save(sheet, "reference")
    sheet.accept()
    settle(lambda: any(reference.has_mask for reference in references_of(board.session.state)))


def _drop(window: MainWindow, reference_id: str, settle: Settle, save: Save) -> None:
    assert window.panels is not None
    assert window.session is not None
    drops, view, state = window.panels.drops, window.view, window.session.state
    reference = next(reference for reference in references_of(state) if reference.id == reference_id)
    at = view.transform.to_view(64, 74)
    drops.ghost.follow(at, placed_size(reference, longest_side(view)))
    drops.ghost.set_ghost(make_ghost(state, reference_id))
    save(window, "placing")
    drops.ghost.forget()
    drops.ask([of_file(SAMPLES / "photograph.jpg")], QPointF(at), (64, 74))
    settle(lambda: True)
    save(window, "drop")
    assert drops.asking is not None
    drops.asking.leave()


def _compare(window: MainWindow, settle: Settle, save: Save) -> None:
    assert window.panels is not None
    assert window.session is not None
    strip, session = window.panels.filmstrip, window.session
    newest, second = (item.id for item in strip.model.items[:2])
    strip.mark("star", newest)
    strip.mark("reject", strip.model.items[3].id)
    strip.choose(second)
    strip.wipe(0.55)
    settle(lambda: True)
    save(window, "results")
    strip.wipe(None)
    strip.show_recipe(second)
    settle(lambda: True)
    save(window, "recipe")
    recipe = window.findChild(RecipeView)
    assert isinstance(recipe, RecipeView)
    recipe.close()
    strip.accept(newest)
    settle(lambda: len(session.state.layers) == 2)
    state = replace(session.state)
    session.do("Layer opacity", with_properties(state, state.layers[0].id, opacity=0.85))
    assert window.editing is not None
    settle(lambda: bool(window.editing and window.editing.stale))
    save(window.inspector, "edited-layer")
