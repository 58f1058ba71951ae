"""The edit of a document from the words to the results and back to the layer that is made again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from ace_desktop.document.compose import compose
from ace_desktop.document.edit import project_of
from ace_desktop.document.equality import equal
from ace_desktop.document.plane import Plane
from ace_desktop.document.references import add_reference
from ace_desktop.document.result_layers import is_stale, result_of_layer
from ace_desktop.document.state import RasterLayer, State
from ace_desktop.document.transform import move
from ace_desktop.document.tree import add, find, with_properties
from ace_desktop.engine.jobs import Phase
from mlx_model.pictures.write import encode_picture
from mlx_model.request import Picture, RequestError
from tests.ace_desktop.document.drawings import noise, raster
from tests.ace_desktop.document.scenes import scene
from tests.ace_desktop.editing.conftest import PATIENCE_MS, Open, asking, kept


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
    later = open_document(desk.state)  # as after a restart: which layer was meant is kept with the result
    later.editing.accept(again.id)
    later.rest()
    assert result_of_layer(find(later.state, layer_id)) == again.id
    assert np.array_equal(compose(later.state), moved)


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


def test_a_result_of_another_picture_becomes_a_document_of_its_own(open_document: Open, tmp_path: Path) -> None:
    desk = open_document(asking(scene("instruct", masked=False), instruction="make the circle cyan", steps=1))
    before, made = desk.state.layers, list[State]()
    desk.editing.document_made.connect(made.append)
    other = Picture(noise(1, 200, 64) | np.uint8(255))
    file = tmp_path / "other.png"
    file.write_bytes(encode_picture("png", other))
    desk.editing.run_on_many([file])
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
