"""The strip of results: what is compared, decided, searched and dragged there, over a real store and document."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.plane import Plane
from ace_desktop.document.result_layers import result_of_layer
from ace_desktop.document.state import new_id
from ace_desktop.document.tree import with_properties
from ace_desktop.panels.filmstrip import file_data
from ace_desktop.panels.layer_model import STALE
from ace_desktop.panels.layer_row import parts
from ace_desktop.panels.recipe_view import RecipeView
from ace_desktop.panels.result_files import file_name, write_result
from ace_desktop.panels.result_model import RELATED, THUMBNAIL, Pending
from ace_desktop.panels.result_space import deletable, size_words
from ace_desktop.session import Session
from mlx_model.pictures.read import read_picture
from mlx_model.pictures.recipe import find_recipe
from mlx_model.request import RequestError
from tests.ace_desktop.document.scenes import scene
from tests.ace_desktop.panels.result_strip import COLOURS, PATIENCE_MS, Strip


def _rgb(colour: QColor) -> tuple[int, int, int]:
    return colour.red(), colour.green(), colour.blue()


@pytest.fixture
def made(desktop: Desktop, qtbot: QtBot) -> Strip:
    """Give the window with its results."""
    return Strip(desktop, qtbot)


def test_the_strip_appears_with_the_first_result(desktop: Desktop, qtbot: QtBot) -> None:
    made = Strip(desktop, qtbot, ())
    assert not made.strip.isVisible()
    made.add("a red star")
    assert made.strip.isVisible()
    made.window.show_canvas_only(True)
    assert not made.strip.isVisible()
    made.window.show_canvas_only(False)
    assert made.strip.isVisible()


def test_a_document_without_results_shows_no_strip_in_a_window_that_was_empty(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.new_window()
    desktop.show(Session(scene()), window)
    assert window.panels is not None
    panels = window.panels
    qtbot.waitUntil(panels.layers.isVisible, timeout=PATIENCE_MS)
    qtbot.wait(50)  # a layout shows its widgets in the next round of events
    assert not panels.filmstrip.isVisible()
    assert not panels.job_line.isVisible()


def test_thumbnails_come_newest_first(made: Strip, qtbot: QtBot) -> None:
    assert made.words() == ["a blue ring", "a green heart", "a red star"]

    def middle() -> tuple[int, ...]:
        image = made.strip.model.data(made.index("a red star"), THUMBNAIL)
        if not isinstance(image, QImage):
            return ()
        return _rgb(image.pixelColor(image.width() // 2, image.height() // 2))

    qtbot.waitUntil(lambda: middle() == COLOURS["a red star"], timeout=PATIENCE_MS)


def test_a_click_shows_a_result_without_touching_the_document(made: Strip, qtbot: QtBot) -> None:
    before = made.state
    made.click("a green heart")
    qtbot.waitUntil(lambda: bool(made.shown) and made.shown[-1][0] is not None, timeout=PATIENCE_MS)
    image, box, wipe = made.shown[-1]
    assert (box, wipe) == ((0, 0, 128, 128), None)
    assert image.pixelColor(64, 64).getRgb() == (*COLOURS["a green heart"], 255)
    made.key(Qt.Key.Key_Escape)
    assert made.shown[-1] == (None, None, None)
    assert made.state is before


def test_space_shows_the_picture_before_as_long_as_it_is_held(made: Strip, qtbot: QtBot) -> None:
    made.click("a red star")
    made.settle()
    qtbot.keyPress(made.strip.view, Qt.Key.Key_Space)
    assert made.shown[-1][0] is None
    qtbot.keyRelease(made.strip.view, Qt.Key.Key_Space)
    assert made.shown[-1][0] is not None
    view = made.window.view
    qtbot.keyPress(view, Qt.Key.Key_Backslash)
    assert made.shown[-1][0] is None, "over the canvas, where space pans"
    qtbot.keyRelease(view, Qt.Key.Key_Backslash)
    assert made.shown[-1][0] is not None
    qtbot.mousePress(made.strip.bar.before_button, Qt.MouseButton.LeftButton)
    assert made.shown[-1][0] is None
    qtbot.mouseRelease(made.strip.bar.before_button, Qt.MouseButton.LeftButton)
    assert made.shown[-1][0] is not None


def test_what_the_pointer_rests_on_is_shown_until_it_leaves(made: Strip, qtbot: QtBot) -> None:
    made.click("a red star")
    made.settle()
    viewport = made.strip.view.viewport()
    qtbot.mouseMove(viewport, made.strip.view.visualRect(made.index("a blue ring")).center())
    ring = COLOURS["a blue ring"]
    qtbot.waitUntil(lambda: _rgb(made.shown[-1][0].pixelColor(64, 64)) == ring, timeout=PATIENCE_MS)
    made.strip.view.rested.emit("")
    assert _rgb(made.shown[-1][0].pixelColor(64, 64)) == COLOURS["a red star"]


def test_the_wipe_is_drawn_dragged_and_moved_by_keys(made: Strip) -> None:
    made.click("a red star")
    made.settle()
    made.strip.bar.wipe_button.click()
    assert made.shown[-1][2] == 0.5
    made.window.view.wipe_moved.emit(0.25)
    assert made.shown[-1][2] == 0.25
    made.key(Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert made.shown[-1][2] == pytest.approx(0.3)
    made.strip.bar.wipe_button.click()
    assert made.shown[-1][2] is None
    assert made.shown[-1][0] is not None


def test_a_double_click_makes_a_layer_in_one_step(made: Strip, qtbot: QtBot) -> None:
    before = made.state
    made.click("a red star", double=True)
    qtbot.waitUntil(lambda: len(made.state.layers) == 2, timeout=PATIENCE_MS)
    made.settle()
    result = made.result("a red star")
    assert result_of_layer(made.state.layers[1]) == result.id
    assert result.accepted
    assert made.shown[-1][0] is None, "the document shows it now"
    made.editing.session.undo()
    assert made.state.layers == before.layers


def test_return_accepts_and_an_edited_layer_can_be_edited_again(made: Strip, qtbot: QtBot) -> None:
    made.click("a red star")
    made.key(Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(made.state.layers) == 2, timeout=PATIENCE_MS)
    made.settle()
    texts = [action.text() for action in made.strip.menu_of(made.result("a red star")).actions()]
    assert {"Edit again", "Repeat exactly", "More like this", "Same seed, other words"} <= set(texts)
    other = [action.text() for action in made.strip.menu_of(made.result("a blue ring")).actions()]
    assert "Edit again" not in other


def test_a_star_and_a_rejection_exclude_each_other_and_stay(made: Strip) -> None:
    made.click("a red star")
    made.key(Qt.Key.Key_S)
    assert made.result("a red star").starred
    assert made.strip.view.chosen == made.result("a red star").id, "it stays chosen"
    made.strip.bar.reject_button.click()
    assert made.result("a red star").rejected
    assert not made.result("a red star").starred
    made.key(Qt.Key.Key_X)
    assert not made.result("a red star").rejected


def test_a_deleted_result_can_be_brought_back(made: Strip) -> None:
    made.click("a green heart")
    made.key(Qt.Key.Key_Delete)
    assert made.words() == ["a blue ring", "a red star"]
    sentence, back = made.deleted[-1]
    assert sentence == "The result was deleted."
    assert made.window.message.isVisible()
    back()
    assert made.words() == ["a blue ring", "a green heart", "a red star"]


def test_results_are_searched_by_words_and_found_again(made: Strip, qtbot: QtBot) -> None:
    made.click("a red star")
    made.strip.bar.field.setText("HEART green")
    qtbot.waitUntil(lambda: made.words() == ["a green heart"])
    assert made.strip.view.chosen == "", "what is not to be seen is not chosen"
    made.strip.bar.field.setText("nothing like it")
    qtbot.waitUntil(lambda: made.words() == [])
    assert made.strip.isVisible()
    assert made.strip.nothing.isVisible()
    made.strip.choose(made.result("a blue ring").id)
    assert made.strip.view.chosen == made.result("a blue ring").id
    assert made.strip.bar.field.text() == ""


def test_the_room_is_shown_and_freed(made: Strip) -> None:
    made.click("a red star")
    made.key(Qt.Key.Key_X)
    made.settle()
    used = made.editing.results.bytes_used
    assert made.strip.bar.space_button.text() == f"{round(used / 1000)} kB of 2.0 GB"
    [rejected, accepted, starless] = [results for _, results in deletable(made.editing.results)]
    assert [result.words for result in rejected] == ["a red star"]
    assert accepted == []
    assert len(starless) == 3
    made.strip.delete(rejected)
    assert made.editing.results.bytes_used < used
    made.editing.results.budget = 10
    made.strip.refresh()
    assert made.strip.bar.space_button.property("over")
    assert (size_words(0), size_words(5), size_words(48_000_000)) == ("0 kB", "1 kB", "48 MB")


def files_of(made: Strip) -> set[str]:
    """Name the results' pictures on the disk, also of those that can be brought back."""
    return {path.stem for path in made.editing.results.folder.rglob("*.png") if len(path.stem) == len(new_id())}


def test_what_was_deleted_is_off_the_disk_when_it_is_no_longer_offered(made: Strip) -> None:
    star, heart = made.result("a red star"), made.result("a green heart")
    for words in ("a red star", "a green heart"):
        made.click(words)
        made.key(Qt.Key.Key_Delete)
    made.settle()
    assert star.id not in files_of(made), "another offer took its place"
    assert heart.id in files_of(made)
    next(button for button in made.window.message.findChildren(QPushButton) if button.text() == "Bring back").click()
    made.settle()
    assert heart.id in files_of(made)
    assert made.words() == ["a blue ring", "a green heart"]
    offers = [timer for timer in made.window.findChildren(QTimer) if timer.interval() == 60_000]
    assert [timer.isActive() for timer in offers] == [False], "it would take away what is said by then"
    made.click("a green heart")
    made.key(Qt.Key.Key_Delete)
    assert offers[0].isActive()
    made.window.message.clear()
    made.settle()
    assert files_of(made) == {made.result("a blue ring").id}


def test_who_wants_room_is_asked_once_and_has_it_at_once(made: Strip, qtbot: QtBot) -> None:
    made.click("a red star")
    made.key(Qt.Key.Key_X)
    made.settle()
    ring, heart = made.result("a blue ring").id, made.result("a green heart").id

    def ask(answer: str) -> None:
        menu = made.strip.space_menu()
        texts = [action.text() for action in menu.actions()]
        assert texts[-1] == "This picture was never saved: its results are deleted after 30 days."
        menu.actions()[0].trigger()
        menu.deleteLater()
        box = made.window.findChild(QMessageBox, "free")
        assert isinstance(box, QMessageBox)
        assert "become free" in box.informativeText()
        next(button for button in box.buttons() if button.text() == answer).click()
        qtbot.waitUntil(lambda: made.window.findChild(QMessageBox, "free") is None)
        made.settle()

    ask("Cancel")
    assert len(files_of(made)) == 3
    ask("Delete")
    assert files_of(made) == {ring, heart}
    assert made.words() == ["a blue ring", "a green heart"]
    assert "30 days" in made.strip.bar.space_button.toolTip()


def test_many_that_are_freed_are_shown_once(made: Strip, qtbot: QtBot) -> None:
    """Not once for each: every time the whole strip is read again."""
    shown = list[None]()
    made.editing.results_changed.connect(lambda: shown.append(None))
    menu = made.strip.space_menu()
    menu.actions()[2].trigger()
    menu.deleteLater()
    box = made.window.findChild(QMessageBox, "free")
    assert isinstance(box, QMessageBox)
    next(button for button in box.buttons() if button.text() == "Delete").click()
    made.settle()
    qtbot.waitUntil(lambda: made.window.findChild(QMessageBox, "free") is None)
    assert (made.words(), len(shown)) == ([], 1)


def test_the_room_follows_the_preference(made: Strip) -> None:
    made.desktop.kept.change(results_budget=5 * 10**9)
    assert made.strip.bar.space_button.text().endswith("of 5.0 GB")
    assert made.editing.results.budget == 5 * 10**9


def test_relatives_are_marked_and_named_in_the_recipe(made: Strip) -> None:
    star = made.result("a red star")
    child = made.add("a grey moon", (star.id,))
    made.click("a grey moon")
    model = made.strip.model
    assert [model.data(model.index(row, 0), RELATED) for row in range(4)] == [False, False, False, True]
    made.strip.show_recipe(child.id)
    recipe = made.window.findChild(RecipeView)
    assert isinstance(recipe, RecipeView)
    link = next(button for button in recipe.findChildren(QPushButton) if button.text() == "a red star")
    copy = next(button for button in recipe.findChildren(QPushButton) if button.text() == "Copy recipe")
    copy.click()
    assert json.loads(QGuiApplication.clipboard().text())["request"]["instruction"] == "a grey moon"
    link.click()
    assert made.strip.view.chosen == star.id
    assert not recipe.isVisible()


@pytest.mark.parametrize("code", ["en", "ko"])
def test_in_a_narrow_window_the_search_goes_before_a_button_is_cut_off(
    code: str, desktop: Desktop, qtbot: QtBot
) -> None:
    desktop.kept.change(language=code)
    made = Strip(desktop, qtbot)
    bar, button = made.strip.bar, made.strip.bar.accept_button
    for width in (600, 760, 1280):
        made.window.resize(width, 700)
        qtbot.waitUntil(lambda: button.width() >= button.sizeHint().width())
        parts = [part for part in (bar.field, bar.before_button, bar.delete_button, button) if part.isVisible()]
        assert all(one.geometry().right() < other.x() for one, other in pairwise(parts)), width
    assert bar.field.isVisible()


def test_a_recipe_has_no_gap_where_words_might_have_wrapped(desktop: Desktop, qtbot: QtBot) -> None:
    made = Strip(desktop, qtbot, ("a red star with words that would need several lines in half the width",))
    made.strip.show_recipe(made.editing.results.all()[0].id)
    recipe = made.window.findChild(RecipeView)
    assert isinstance(recipe, RecipeView)
    assert recipe.height() == recipe.column.totalHeightForWidth(recipe.width())


def test_a_dragged_result_is_a_png_with_its_recipe(made: Strip, qtbot: QtBot) -> None:
    paths: list[Path] = []
    star = made.result("a red star")
    made.strip.files.prepare(star, lambda error: pytest.fail(str(error)), paths.append)
    qtbot.waitUntil(lambda: bool(paths), timeout=PATIENCE_MS)
    assert paths[0].name == "a red star.png"
    assert find_recipe(paths[0].read_bytes(), "dragged").request.instruction == "a red star"
    assert read_picture(paths[0]).pixels[64, 64].tolist() == [*COLOURS["a red star"], 255]
    made.strip.files.prepare(star, lambda error: pytest.fail(str(error)), paths.append)
    assert paths[0] == paths[1], "it is written once"
    data = file_data(paths[0], star.id)
    assert data.urls()[0].toLocalFile() == str(paths[0])
    view = made.window.view
    middle = view.rect().center()
    for kind in (QDragEnterEvent, QDropEvent):
        at = middle if kind is QDragEnterEvent else QPointF(middle)
        dragged = kind(at, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)  # pyright: ignore[reportArgumentType]
        QApplication.sendEvent(view, dragged)
    qtbot.waitUntil(lambda: len(made.state.layers) == 2, timeout=PATIENCE_MS)
    made.settle()
    assert file_name(replace(star, asked=replace(star.asked, instruction='a/b: "c"?')), True) == "a b c"
    made.desktop.kept.change(export_recipe=False)
    made.strip.files.prepare(star, lambda error: pytest.fail(str(error)), paths.append)
    qtbot.waitUntil(lambda: len(paths) == 3, timeout=PATIENCE_MS)
    assert paths[2].name == "result.png"
    with pytest.raises(RequestError):
        find_recipe(paths[2].read_bytes(), "stripped")
    assert b"star" not in paths[2].read_bytes(), "no words leave the program where they should not"
    made.strip._drag(star.id)  # pyright: ignore[reportPrivateUsage] no hand holds it: nothing is dragged


def test_a_file_that_cannot_be_written_is_said(made: Strip, tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(DocumentError, match="could not be saved"):
        write_result(made.editing.results, made.result("a red star"), tmp_path / "taken" / "x.png", True)


def test_variations_are_seen_while_they_are_made_and_layers_know_what_is_below(
    desktop: Desktop, qtbot: QtBot
) -> None:
    """With the real model: pending cells with previews, then results, then a layer that becomes stale."""
    made = Strip(desktop, qtbot, ())
    seen: list[Pending] = []
    made.strip.model.dataChanged.connect(
        lambda: seen.extend(item for item in made.strip.model.items if isinstance(item, Pending))
    )
    drawn: list[bool] = []

    def note(result_id: str) -> None:
        drawn.append(made.strip.model.data(made.strip.model.index_of(result_id), THUMBNAIL) is not None)

    made.strip.model.thumbnail_wanted.connect(note)
    made.editing.change(variations=2, steps=4)
    made.editing.run()
    qtbot.waitUntil(lambda: len(made.strip.model.items) == 2, timeout=PATIENCE_MS)
    assert made.strip.isVisible()
    qtbot.waitUntil(lambda: len(made.editing.results.all()) == 2 and not desktop.engine.busy, timeout=PATIENCE_MS)
    made.settle()
    assert not any(isinstance(item, Pending) for item in made.strip.model.items)
    assert any(pending.preview is not None and 0 < pending.share < 1 for pending in seen)
    last = [pending for pending in seen if pending.progress is not None and pending.progress.stage == "decode"]
    assert all(pending.preview is not None for pending in last), "the last preview stays"
    assert all(drawn), "and stands for the result until there is a thumbnail"
    made.strip.accept(made.strip.model.items[0].id)
    qtbot.waitUntil(lambda: len(made.state.layers) == 2, timeout=PATIENCE_MS)
    assert made.window.view.overlay == "ants", "no tint over the colours of what was just accepted"
    made.settle()
    layers = made.window.layers
    assert layers is not None
    above = made.state.layers[1].id
    index = layers.model.index_of(above)
    assert not layers.model.data(index, STALE)
    assert "made by an edit" in str(layers.model.data(index, Qt.ItemDataRole.AccessibleTextRole))
    ground = made.state.layers[0].id
    made.editing.session.do("Layer opacity", with_properties(made.state, ground, opacity=0.5))
    qtbot.waitUntil(lambda: bool(layers.model.data(index, STALE)), timeout=PATIENCE_MS)
    asked: list[str] = []
    layers.run_again.connect(asked.append)
    place = parts(layers.view.visualRect(index), True, True).again.center()
    qtbot.mouseClick(layers.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert asked == [above]
    qtbot.waitUntil(lambda: len(made.editing.results.all()) == 3 and not desktop.engine.busy, timeout=PATIENCE_MS)
    made.settle()


def test_a_new_result_takes_the_place_of_its_preview_until_the_person_goes_on(desktop: Desktop, qtbot: QtBot) -> None:
    made = Strip(desktop, qtbot, ("a green heart",))
    assert made.strip.view.chosen == "", "what was there before is not shown by itself"
    made.editing.change(steps=2)
    made.editing.run()
    qtbot.waitUntil(lambda: bool(made.strip.view.chosen), timeout=PATIENCE_MS)
    made.settle()
    assert made.strip.chosen == made.editing.results.all()[0]
    qtbot.waitUntil(lambda: made.shown[-1][0] is not None, timeout=PATIENCE_MS)
    made.editing.change(instruction="something else")
    assert made.strip.view.chosen, "words do not change what is seen"
    made.editing.session.do("Clear mask", replace(made.state, edit_mask=Plane(1)))
    assert made.strip.view.chosen == ""
    assert made.shown[-1][0] is None
    qtbot.waitUntil(lambda: not desktop.engine.working, timeout=PATIENCE_MS)


def test_the_menu_does_what_the_strip_does(made: Strip, qtbot: QtBot) -> None:
    window = made.window
    window.refresh()
    assert window.reason("result.accept") == "Choose a result in the strip first."
    for words in ("a blue ring", "a green heart"):
        window.run("result.next")
        assert made.strip.chosen is not None
        assert made.strip.chosen.words == words
    window.run("result.previous")
    window.run("result.star")
    window.refresh()
    assert made.result("a blue ring").starred
    assert window.actions_by_id["result.star"].isChecked()
    window.run("result.wipe")
    window.refresh()
    assert window.actions_by_id["result.wipe"].isChecked()
    window.run("result.accept")
    qtbot.waitUntil(lambda: len(made.state.layers) == 2, timeout=PATIENCE_MS)
    made.settle()


def test_a_result_of_another_picture_is_looked_at_beside_the_canvas_and_opened(made: Strip, qtbot: QtBot) -> None:
    made.add("a grey moon", foreign=True)
    assert made.result("a grey moon").foreign
    made.click("a grey moon")
    qtbot.waitUntil(lambda: made.strip.preview.label is not None, timeout=PATIENCE_MS)
    assert not any(image is not None for image, _, _ in made.shown), "it has no place on the canvas"
    assert made.strip.bar.accept_button.text() == "Open as a document"
    assert not made.strip.bar.wipe_button.isEnabled()
    made.key(Qt.Key.Key_Escape)
    assert made.strip.preview.label is None
    made.click("a grey moon")
    made.strip.bar.accept_button.click()
    qtbot.waitUntil(lambda: len(made.desktop.windows) == 2, timeout=PATIENCE_MS)
    made.settle()
    assert len(made.state.layers) == 1
    other = made.desktop.windows[1].session
    assert other is not None
    assert len(other.state.layers) == 2


def test_the_keyboard_stays_in_the_strip_when_a_result_is_accepted(made: Strip, qtbot: QtBot) -> None:
    made.window.activateWindow()
    made.click("a red star")
    made.strip.bar.accept_button.setFocus()
    made.strip.bar.accept_button.click()
    qtbot.waitUntil(lambda: len(made.state.layers) == 2, timeout=PATIENCE_MS)
    assert made.window.focusWidget() is made.strip.view
