"""The edit of a document from the words to the layer, with the real model in its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from ace_desktop import comparing
from ace_desktop.arrivals import Arrivals
from ace_desktop.background import Background
from ace_desktop.document.canvas_size import crop
from ace_desktop.document.compose import compose
from ace_desktop.document.edit import EditSettings, mask_box, project_of, settings_of, with_settings
from ace_desktop.document.equality import equal
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.references import add_reference, change_reference, references_of
from ace_desktop.document.result_layers import accept, is_stale, result_of_layer
from ace_desktop.document.result_stores import ResultStores
from ace_desktop.document.results import Result
from ace_desktop.document.snapshot import snapshot
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.document.transform import move
from ace_desktop.document.tree import add, find, with_properties
from ace_desktop.editing import Editing
from ace_desktop.engine.engine import Engine
from ace_desktop.engine.jobs import Phase
from ace_desktop.session import Session
from mlx_model.request import EditResult, Picture, RequestError
from mlx_model.weights.config import ModelConfig
from tests.ace_desktop.document.conftest import POCKET
from tests.ace_desktop.document.drawings import noise, raster
from tests.ace_desktop.document.scenes import scene

PATIENCE_MS = 90_000
"""Milliseconds that an edit gets on a machine on which others compute as well."""
CONFIG = ModelConfig.load(POCKET)
Open = Callable[..., "Desk"]


class Desk:
    """An open document with its edit, and what the edit has said."""

    def __init__(self, state: State, arrivals: Arrivals, background: Background, qtbot: QtBot) -> None:
        self.session = Session(state)
        self.editing = Editing(self.session, arrivals, background, models, self.session)
        self.qtbot, self.background = qtbot, background
        self.previews: list[tuple[QImage | None, Any]] = []
        self.compared: list[tuple[QImage | None, Any, Any]] = []
        self.failures: list[Exception] = []
        self.editing.preview.connect(self._previewed)
        self.editing.compared.connect(self._compared)
        self.editing.failed.connect(self.failures.append)

    def _previewed(self, image: QImage | None, box: Any) -> None:
        self.previews.append((image, box))

    def _compared(self, image: QImage | None, box: Any, wipe: Any) -> None:
        self.compared.append((image, box, wipe))

    @property
    def state(self) -> State:
        """What is to be seen now."""
        return self.session.state

    def results(self) -> tuple[Result, ...]:
        """List the results, newest first."""
        return self.editing.results.all()

    def rest(self) -> None:
        """Wait until no thread works for the document any more."""
        self.qtbot.waitUntil(lambda: not self.background.running, timeout=PATIENCE_MS)

    def made(self, number: int) -> tuple[Result, ...]:
        """Wait for so many results."""
        self.qtbot.waitUntil(lambda: len(self.results()) >= number or bool(self.failures), timeout=PATIENCE_MS)
        self.qtbot.waitUntil(lambda: not self.editing.engine.busy, timeout=PATIENCE_MS)
        self.rest()
        assert self.failures == []
        return self.results()


def models(key: str) -> tuple[Path, ModelConfig] | None:
    return (POCKET, CONFIG) if key == "pocket" else None


@pytest.fixture(scope="module")
def engine(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.close()
    made.deleteLater()
    qapp.processEvents()


@pytest.fixture
def open_document(engine: Engine, tmp_path: Path, qtbot: QtBot) -> Iterator[Open]:
    """Give what opens a document; all of a test's documents share a folder of results."""
    background = Background()
    arrivals = Arrivals(engine, ResultStores(tmp_path / "results"), background)
    desks: list[Desk] = []

    def make(state: State) -> Desk:
        desks.append(Desk(state, arrivals, background, qtbot))
        return desks[-1]

    yield make
    for status in engine.jobs:
        engine.remove(status.id)
    qtbot.waitUntil(lambda: not engine.working and not background.running, timeout=PATIENCE_MS)
    for desk in desks:
        if isValid(desk.session):
            desk.session.deleteLater()
    arrivals.deleteLater()
    background.close()
    background.deleteLater()


def asking(state: State, **values: Any) -> State:
    return with_settings(state, replace(settings_of(state), **values))


def kept(desk: Desk, state: State | None = None, seed: int = 1) -> Result:
    """Put a result of the document into its store without the model: green under the mask."""
    made = snapshot(desk.editing.named(state or desk.state), CONFIG)
    asked = replace(made.requests[0], seed=seed)
    box = made.box or (0, 0, 8, 8)
    pixels = np.zeros((desk.state.height, desk.state.width, 4), np.uint8)
    mask = made.pictures[asked.mask or ""].pixels[..., 0] > 0
    pixels[mask] = (0, 255, 0, 255)
    patch = Picture(pixels)
    done = EditResult(patch, patch, replace(asked, steps=2), "pocket", box, (64, 64), (64, 64), {}, {})
    result = desk.editing.results.add(done, replace(made, requests=(asked,)), run=f"run {seed}")
    desk.editing.results_changed.emit()
    return result


# From the words to the layer


def test_an_edit_from_the_run_to_the_layer_and_back(open_document: Open) -> None:
    desk = open_document(scene())
    before = desk.state
    desk.editing.change(variations=2, seed=40)
    desk.editing.run()
    assert desk.editing.settings.seed != 40  # the next run has another one
    second, first = desk.made(2)
    assert (first.seed, second.seed) == (40, 41)
    assert first.run == second.run
    images = [image for image, _ in desk.previews if image is not None]
    assert len(images) == 4
    assert {box for image, box in desk.previews if image is not None} == {first.box}
    assert desk.previews[-1] == (None, None)
    desk.editing.accept(first.id)
    desk.rest()
    patch = desk.editing.results.patch(first.id)
    outside = np.ones((128, 128), bool)
    left, top, width, height = first.box
    outside[top : top + height, left : left + width] = patch.pixels[..., 3] == 0
    assert np.array_equal(compose(desk.state)[outside], compose(before)[outside])
    assert not np.array_equal(compose(desk.state), compose(before))
    assert desk.session.history.undo_label == "Accept result"
    layer_id = desk.state.active or ""
    desk.session.undo()
    assert desk.state.layers == before.layers
    desk.session.redo()
    assert result_of_layer(find(desk.state, layer_id)) == first.id
    accepted = desk.editing.results.get(first.id)
    assert accepted is not None
    assert accepted.accepted


def test_repeating_exactly_gives_the_same_pixels_whatever_became_of_the_document(open_document: Open) -> None:
    desk = open_document(add_reference(scene("reference", words="put the heart here"), noise(1, 50, 40), "cat"))
    desk.editing.run()
    [result] = desk.made(1)
    desk.editing.accept(result.id)
    desk.rest()
    layer_id = desk.state.active or ""
    photo = desk.state.layers[0].id
    desk.session.do("", replace(with_properties(desk.state, photo, opacity=0.3), edit_mask=Plane(1)))
    desk.editing.repeat_exactly(layer_id)
    again, _ = desk.made(2)
    # Outside of what the model saw nothing is kept, so that the picture has another name.
    assert replace(again.request, picture=None) == replace(result.request, picture=None)
    assert again.parents == (result.id,)
    store = desk.editing.results
    assert np.array_equal(store.patch(again.id).pixels, store.patch(result.id).pixels)


def test_a_stale_layer_is_run_again_in_its_place(open_document: Open) -> None:
    desk = open_document(scene())
    result = kept(desk)
    desk.editing.accept(result.id)
    desk.rest()
    layer_id, photo = desk.state.active or "", desk.state.layers[0].id
    desk.qtbot.wait(500)
    desk.rest()
    assert desk.editing.stale == frozenset()
    with desk.qtbot.waitSignal(desk.editing.stale_changed, timeout=PATIENCE_MS):
        desk.session.do("", with_properties(desk.state, photo, opacity=0.5))
    assert desk.editing.stale == {layer_id}
    desk.session.do("", with_properties(add(desk.state, raster((1, 2, 3, 255))), layer_id, name="mine"))
    desk.editing.rerun(layer_id)
    again, _ = desk.made(2)
    with desk.qtbot.waitSignal(desk.editing.stale_changed, timeout=PATIENCE_MS):
        desk.editing.accept(again.id)
    layer = find(desk.state, layer_id)
    assert (layer.name, result_of_layer(layer)) == ("mine", again.id)
    assert len(desk.state.layers) == 3
    assert not is_stale(desk.state, layer_id)


def test_a_new_picture_is_made_again_where_its_layer_lies_now(open_document: Open) -> None:
    desk = open_document(asking(scene(masked=False), task="generate", steps=1, seed_locked=True))
    desk.editing.run()
    [result] = desk.made(1)
    desk.editing.accept(result.id)
    desk.rest()
    layer_id = desk.state.active or ""
    desk.session.do("Move", move(desk.state, [layer_id], 9, -4))
    moved = compose(desk.state)
    desk.editing.rerun(layer_id)
    again, _ = desk.made(2)
    desk.editing.accept(again.id)
    desk.rest()
    assert result_of_layer(find(desk.state, layer_id)) == again.id
    assert np.array_equal(compose(desk.state), moved)


def test_a_layer_that_was_moved_out_of_the_picture_says_so_when_it_is_run_again(open_document: Open) -> None:
    desk = open_document(scene())
    desk.editing.accept(kept(desk).id)
    desk.rest()
    layer_id = desk.state.active or ""
    desk.session.do("Move", move(desk.state, [layer_id], 500, 0))
    desk.editing.rerun(layer_id)
    desk.rest()
    assert ["outside the picture" in str(failure) for failure in desk.failures] == [True]


def test_more_like_a_result_is_the_same_with_other_seeds(open_document: Open) -> None:
    desk = open_document(scene())
    result = kept(desk)
    desk.editing.change(variations=2, instruction="something else")
    desk.editing.more_like(result.id)
    more = desk.made(3)[:2]
    assert {one.words for one in more} == {"a red star"}
    assert len({one.seed for one in more} | {result.seed}) == 3
    assert {one.parents for one in more} == {(result.id,)}
    assert {one.below for one in more} == {result.below}


def test_one_request_over_several_references_makes_a_set(open_document: Open) -> None:
    state = scene("reference", words="put this here")
    for number in range(2):
        state = add_reference(state, noise(number, 30, 30), f"{number}")
    desk = open_document(asking(state, task="reference", steps=1))
    desk.editing.run_on_many([reference.id for reference in desk.editing.references])
    one, other = desk.made(2)
    assert one.run == other.run
    assert one.request.references != other.request.references
    assert one.seed == other.seed


def test_a_result_of_another_picture_becomes_a_document_of_its_own(open_document: Open) -> None:
    desk = open_document(asking(scene("instruct", masked=False), instruction="make the circle cyan", steps=1))
    before, made = desk.state.layers, list[State]()
    desk.editing.document_made.connect(made.append)
    other = Picture(noise(1, 200, 64) | np.uint8(255))
    desk.editing.run_on_many([other])
    [result] = desk.made(1)
    assert result.foreign
    desk.editing.compare(result.id)
    assert desk.compared == [(None, None, None)]
    desk.editing.accept(result.id)
    desk.rest()
    [state] = made
    assert np.array_equal(compose(replace(state, layers=state.layers[:1])), other.pixels)
    assert result_of_layer(state.layers[1]) == result.id
    assert not is_stale(state, state.layers[1].id)
    assert desk.state.layers == before
    assert desk.failures == []


def test_a_result_for_a_closed_document_is_kept(open_document: Open, qtbot: QtBot) -> None:
    desk = open_document(scene())
    document, engine = desk.editing.document, desk.editing.engine
    desk.editing.run()
    qtbot.waitUntil(lambda: engine.busy, timeout=PATIENCE_MS)
    desk.session.deleteLater()
    qtbot.waitUntil(lambda: not engine.busy, timeout=PATIENCE_MS)
    desk.rest()
    again = open_document(scene())
    assert again.editing.document == document
    [result] = again.results()
    assert result.words == "a red star"


@pytest.mark.parametrize("variations", [1, 2])
def test_a_result_that_the_disk_did_not_take_is_not_lost_but_made_again(
    open_document: Open, tmp_path: Path, qtbot: QtBot, variations: int
) -> None:
    place = tmp_path / "results"
    place.write_text("no folder can be made here")
    desk = open_document(scene())
    desk.editing.change(variations=variations, seed=40)
    desk.editing.run()
    qtbot.waitUntil(lambda: len(desk.failures) == variations, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not desk.editing.engine.busy, timeout=PATIENCE_MS)
    (status,) = desk.editing.jobs
    assert (status.phase, status.made) == (Phase.failed, frozenset())
    assert "could not be saved" in status.sentence
    desk.failures.clear()
    place.unlink()
    desk.editing.engine.run_again(status.id)
    assert {result.seed for result in desk.made(variations)} == set(range(40, 40 + variations))
    assert desk.editing.jobs[0].phase is Phase.done


def test_cancelling_stops_what_this_document_has_in_the_queue_and_nothing_else(open_document: Open) -> None:
    desk = open_document(asking(scene(), steps=40))
    other = open_document(replace(scene(), settings={**scene().settings, "project": "f" * 32}))
    desk.editing.run()
    desk.editing.run()
    other.editing.run()
    desk.qtbot.waitUntil(lambda: len(desk.editing.engine.jobs) == 3, timeout=PATIENCE_MS)
    assert len(desk.editing.jobs) == 2
    desk.editing.cancel()
    assert {status.phase for status in desk.editing.jobs} == {Phase.cancelled}
    other.made(1)
    assert desk.results() == ()


# Settings and problems


def test_changes_are_undone_by_control_and_rolling_the_seed_is_no_step(open_document: Open) -> None:
    desk = open_document(scene())
    start, steps = desk.editing.settings, len(desk.session.history.labels[0])
    for words in ("a", "a b", "a blue star"):
        desk.editing.change(instruction=words)
    desk.editing.change(variations=3)
    assert desk.session.history.labels[0][steps:] == ["Change instruction", "Change variations"]
    desk.session.undo()
    assert desk.editing.settings == replace(start, instruction="a blue star")
    desk.session.undo()
    assert desk.editing.settings == start


def test_a_document_that_was_only_opened_is_not_modified_and_has_an_id(open_document: Open) -> None:
    state = replace(scene(), settings={})
    desk = open_document(state)
    assert not desk.session.modified
    assert project_of(desk.state) == desk.editing.document
    assert equal(replace(desk.state, settings={}), state)


def test_what_is_missing_is_known_at_once_and_a_run_says_it(open_document: Open) -> None:
    desk = open_document(scene(words=""))
    assert (desk.editing.task, desk.editing.can_run) == ("remove", True)
    desk.editing.change(task="repaint")
    assert [problem.field for problem in desk.editing.problems] == ["instruction"]
    assert not desk.editing.can_run
    desk.editing.run()
    assert isinstance(desk.failures[0], RequestError)
    assert desk.editing.jobs == ()
    desk.editing.change(task=None, model="none")
    assert [problem.field for problem in desk.editing.problems] == ["model"]
    assert (desk.editing.frame, desk.editing.expected_seconds) == (None, None)


def test_strokes_on_other_things_than_the_edit_tell_nobody(open_document: Open) -> None:
    desk = open_document(scene())
    told: list[None] = []
    desk.editing.changed.connect(lambda: told.append(None))
    layer = desk.state.layers[0]
    assert isinstance(layer, RasterLayer)
    desk.session.do(
        "", replace(desk.state, layers=(replace(layer, pixels=layer.pixels.written(noise(1, 9, 9), 0, 0)),))
    )
    assert told == []
    desk.session.do("", replace(desk.state, edit_mask=Plane(1)))
    assert len(told) == 1


def test_the_seed_stays_when_it_is_locked(open_document: Open) -> None:
    desk = open_document(asking(scene(), seed=7, seed_locked=True, steps=1))
    desk.editing.run()
    [result] = desk.made(1)
    assert (result.seed, desk.editing.settings.seed) == (7, 7)
    assert desk.editing.expected_seconds is not None


# Comparing and accepting


def test_comparing_shows_the_result_and_leaves_the_document_alone(open_document: Open) -> None:
    desk = open_document(scene())
    result, state = kept(desk), desk.state
    desk.editing.compare(result.id, 0.5)
    desk.rest()
    [(image, box, wipe)] = desk.compared
    assert image is not None
    assert (box, wipe, (image.width(), image.height())) == (result.box, 0.5, result.box[2:])
    x, y = (result.request.region or mask_middle(desk.state))[:2]
    assert image.pixelColor(x - box[0], y - box[1]).getRgb() == (0, 255, 0, 255)
    assert image.pixelColor(0, 0).alpha() == 0
    desk.editing.compare(result.id, 0.25)
    desk.editing.compare(None)
    assert desk.compared[1:] == [(image, box, 0.25), (None, None, None)]
    assert desk.state is state
    assert not desk.session.modified


def mask_middle(state: State) -> tuple[int, int]:
    box = mask_box(state)
    return box.x + box.width // 2, box.y + box.height // 2


def test_few_large_images_of_results_are_kept(open_document: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = open_document(scene())
    results = [kept(desk, seed=seed) for seed in range(4)]
    monkeypatch.setattr(comparing, "MOST_BYTES", 2 * 128 * 128 * 4)
    for result in (*results, *reversed(results)):
        desk.editing.compare(result.id)
        desk.rest()
    images = [image for image, _, _ in desk.compared]
    assert images[4] is images[3]
    assert images[5] is images[2]
    assert images[6] is not images[1]


def test_the_image_of_a_result_that_is_no_longer_wanted_is_not_shown(open_document: Open) -> None:
    desk = open_document(scene())
    result = kept(desk)
    desk.editing.compare(result.id)
    desk.editing.compare(None)
    desk.rest()
    assert desk.compared == [(None, None, None)]


def test_accepting_waits_for_the_tool_at_work_and_takes_nothing_of_it(open_document: Open) -> None:
    desk = open_document(scene())
    result = kept(desk)
    photo = desk.state.layers[0].id
    dragged = with_properties(desk.state, photo, opacity=0.2)
    desk.session.preview(dragged)
    desk.editing.accept(result.id)
    desk.rest()
    assert desk.state is dragged
    desk.session.do("Opacity", dragged)
    desk.rest()
    assert desk.session.history.labels[0][-2:] == ["Opacity", "Accept result"]
    assert [layer.opacity for layer in desk.state.layers] == [0.2, 1.0]


def test_accepting_while_something_else_changes_loses_neither(open_document: Open) -> None:
    desk = open_document(scene())
    result = kept(desk)
    desk.editing.accept(result.id)
    desk.editing.change(instruction="meanwhile")
    desk.rest()
    assert desk.editing.settings.instruction == "meanwhile"
    assert result_of_layer(find(desk.state, desk.state.active or "")) == result.id


def test_a_result_that_no_longer_fits_is_refused_and_nothing_changes(open_document: Open) -> None:
    desk = open_document(scene())
    result = kept(desk)
    desk.session.do("Crop", crop(desk.state, Rect(-50, -50, 40, 40)))
    state = desk.state
    desk.editing.accept(result.id)
    desk.rest()
    assert "no longer fits" in str(desk.failures[0])
    assert desk.state is state


def test_a_crop_while_an_edit_runs_moves_its_previews_and_its_result_with_the_picture(open_document: Open) -> None:
    desk = open_document(asking(scene(), steps=4))
    whole = desk.state
    desk.editing.run()
    desk.qtbot.waitUntil(lambda: bool(desk.previews), timeout=PATIENCE_MS)
    desk.session.do("Crop", crop(desk.state, Rect(10, 20, 100, 100)))
    [result] = desk.made(1)
    assert {box for image, box in desk.previews if image is not None} <= {(0, 0, 128, 128), (-10, -20, 128, 128)}
    desk.editing.compare(result.id)
    desk.rest()
    assert desk.compared[-1][1] == (-10, -20, 128, 128)
    desk.editing.accept(result.id)
    desk.rest()
    expected = compose(accept(whole, result, desk.editing.results.patch(result.id)))
    assert np.array_equal(compose(desk.state), expected[20:120, 10:110])
    desk.editing.same_seed(result.id)
    desk.rest()
    assert mask_box(desk.state) == mask_box(whole).moved(-10, -20) & desk.state.frame


# Set again


def test_editing_a_layer_again_restores_what_was_asked_and_hides_it(open_document: Open) -> None:
    state = asking(scene(), instruction="a red star", control="canny", region=(10, 10, 100, 100), strength=0.25)
    state = add_reference(add_reference(state, noise(1, 30, 20), "used"), noise(2, 30, 20), "not used")
    used, other = references_of(state)
    desk = open_document(change_reference(state, other.id, on=False))
    result = kept(desk)
    mask = mask_box(desk.state)
    desk.editing.accept(result.id)
    desk.rest()
    layer_id = desk.state.active or ""
    changed = replace(
        change_reference(change_reference(desk.state, used.id, on=False), other.id, on=True), edit_mask=Plane(1)
    )
    desk.session.do("", crop(with_settings(changed, EditSettings(seed=9)), Rect(5, 4, 120, 120)))
    desk.editing.edit_again(layer_id)
    desk.rest()
    settings = desk.editing.settings
    assert (settings.instruction, settings.control, settings.strength) == ("a red star", "canny", 0.25)
    assert settings.region == (5, 6, 100, 100)
    assert settings.task is None  # as it is inferred again
    assert mask_box(desk.state) == mask.moved(-5, -4)
    assert not find(desk.state, layer_id).visible
    assert {reference.id: reference.on for reference in desk.editing.references} == {used.id: True, other.id: False}
    assert desk.session.history.undo_label == "Edit again"


def test_the_same_seed_for_other_words(open_document: Open) -> None:
    desk = open_document(scene())
    result = kept(desk, seed=77)
    desk.session.do("", replace(with_settings(desk.state, EditSettings(instruction="other")), edit_mask=Plane(1)))
    desk.editing.same_seed(result.id)
    desk.rest()
    assert (desk.editing.settings.seed, desk.editing.settings.seed_locked) == (77, True)
    assert desk.editing.settings.instruction == "a red star"
    assert mask_box(desk.state)


def test_marks_are_on_the_disk_soon_and_deleting_can_be_taken_back(open_document: Open, tmp_path: Path) -> None:
    desk = open_document(scene())
    first, second = kept(desk), kept(desk, seed=2)
    desk.editing.star(first.id)
    desk.editing.reject(second.id)
    desk.editing.delete(first.id)
    assert [result.rejected for result in desk.results()] == [True]
    desk.editing.restore(first.id)
    desk.rest()
    store = ResultStores(tmp_path / "results").of(desk.editing.document)
    store.load()
    assert {(result.starred, result.rejected) for result in store.all()} == {(True, False), (False, True)}


def test_a_layer_whose_result_was_deleted_says_so(open_document: Open) -> None:
    desk = open_document(scene())
    result = kept(desk)
    patch = desk.editing.results.patch(result.id)
    desk.session.do("", accept(desk.state, result, patch))
    desk.editing.delete(result.id)
    desk.editing.repeat_exactly(desk.state.active or "")
    assert "deleted" in str(desk.failures[0])
