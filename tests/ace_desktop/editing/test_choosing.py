"""Results that are compared, accepted, edited again, marked and deleted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ace_desktop import comparing
from ace_desktop.document.canvas_size import crop
from ace_desktop.document.compose import compose
from ace_desktop.document.edit import EditSettings, mask_box, with_settings
from ace_desktop.document.geometry import Rect
from ace_desktop.document.plane import Plane
from ace_desktop.document.references import add_reference, change_reference, references_of
from ace_desktop.document.result_layers import accept, result_of_layer
from ace_desktop.document.result_stores import ResultStores
from ace_desktop.document.state import State
from ace_desktop.document.tree import find, with_properties
from tests.ace_desktop.document.drawings import noise
from tests.ace_desktop.document.scenes import scene
from tests.ace_desktop.editing.conftest import PATIENCE_MS, Open, asking, kept


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
