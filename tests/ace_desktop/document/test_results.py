"""Results on disk: lossless, with their recipe, repeatable from what was kept, and whole whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ace_desktop.document.edit import project_of
from ace_desktop.document.equality import equal
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.journal import Journal
from ace_desktop.document.openraster_write import write_openraster
from ace_desktop.document.projects import open_project, save_project
from ace_desktop.document.references import add_reference
from ace_desktop.document.result_files import Result, from_json, to_json
from ace_desktop.document.result_stores import ResultStores
from ace_desktop.document.results import ResultStore
from ace_desktop.document.snapshot import snapshot
from ace_desktop.document.state import State
from mlx_model.editor import Editor
from mlx_model.pictures.read import read_bytes
from mlx_model.pictures.recipe import find_recipe
from mlx_model.request import digest
from mlx_model.weights.config import ModelConfig
from tests.ace_desktop.document import made_up_results
from tests.ace_desktop.document.conftest import POCKET
from tests.ace_desktop.document.drawings import noise
from tests.ace_desktop.document.made_up_results import made_up
from tests.ace_desktop.document.scenes import PROJECT, SAMPLES, scene

ROOT = Path(__file__).parents[3]


def filled(folder: Path, count: int = 3) -> tuple[ResultStore, list[Result]]:
    store = ResultStore(folder)
    return store, [store.add(*made_up(f"star number {number}", number)) for number in range(count)]


def opened(folder: Path) -> ResultStore:
    store = ResultStore(folder)
    store.load()
    return store


def test_a_real_result_is_kept_to_the_last_bit_and_repeats_from_what_was_kept(
    tmp_path: Path, config: ModelConfig, editor: Editor
) -> None:
    """Also when nothing of the document is there any more: the store has all that the model looked at."""
    state = add_reference(scene(), noise(1, 40, 30), "cat", mask=noise(2, 40, 30, 1)[..., 0])
    made = snapshot(state, config)
    result = editor.edit(made.requests[0], made.pictures)
    kept = ResultStore(tmp_path).add(result, made, model_folder=POCKET)
    store = opened(tmp_path)
    assert store.all() == (kept,)
    left, top, width, height = kept.box
    part = (slice(top, top + height), slice(left, left + width))
    assert np.array_equal(store.patch(kept.id).pixels, result.patch.pixels[part])
    assert np.array_equal(store.picture(kept.id).pixels, result.picture.pixels[part])
    again = editor.edit(kept.request, store.inputs(kept.id))
    assert np.array_equal(again.patch.pixels, result.patch.pixels)
    recipe = find_recipe(read_bytes(tmp_path / f"{kept.id}.png"), "a result")
    assert recipe.request == result.request
    assert len(recipe.model_digest) == 64
    assert recipe.result == digest(result.picture)


def test_a_result_without_a_mask_keeps_the_transparency(tmp_path: Path, config: ModelConfig, editor: Editor) -> None:
    state = scene("instruct", masked=False, words="make the circle cyan")
    made = snapshot(state, config)
    result = editor.edit(made.requests[0], made.pictures)
    store = ResultStore(tmp_path)
    kept = store.add(result, made)
    assert np.array_equal(store.picture(kept.id).pixels, result.picture.pixels)


def test_what_is_known_of_a_result_goes_through_its_description(tmp_path: Path) -> None:
    _, [result] = filled(tmp_path, 1)
    assert from_json(to_json(result)) == result
    assert (result.words, result.task, result.seed, result.seconds) == ("star number 0", "repaint", 0, 2.0)
    assert (result.box, result.frame, result.warnings) == ((4, 2, 30, 25), (40, 30), ("a warning",))


def test_results_are_found_by_words_and_task_and_know_where_they_came_from(tmp_path: Path) -> None:
    store, results = filled(tmp_path)
    child = store.add(*made_up("별 하나", 9, (results[0].id,)))
    assert [result.id for result in store.all()] == [child.id, *(result.id for result in reversed(results))]
    assert store.search("STAR 1") == (results[1],)
    assert store.search("별") == (child,)
    assert store.search("star", "remove") == ()
    assert len(store.search(task="repaint")) == 4
    assert store.children(results[0].id) == (child,)


def test_marks_are_there_at_once_and_on_disk_after_a_flush(tmp_path: Path) -> None:
    store, [first, second, third] = filled(tmp_path)
    store.star(first.id)
    store.reject(second.id)
    store.accept(third.id)
    store.reject(first.id)  # a bad one is no good one
    store.flush()
    for one in (store, opened(tmp_path)):
        marks = [(result.starred, result.rejected, result.accepted) for result in reversed(one.all())]
        assert marks == [(False, True, False), (False, True, False), (False, False, True)]


def test_a_deleted_result_comes_back_until_the_store_is_opened_anew(tmp_path: Path) -> None:
    store, [first, second, _] = filled(tmp_path)
    patch = store.patch(first.id)
    store.delete(first.id)
    store.delete(second.id)
    assert [result.id for result in store.all()] == [_.id]
    with pytest.raises(DocumentError):
        store.patch(first.id)
    store.restore(first.id)
    assert np.array_equal(store.patch(first.id).pixels, patch.pixels)
    anew = opened(tmp_path)
    assert {result.id for result in anew.all()} == {first.id, _.id}
    assert not (tmp_path / "deleted").exists()


def test_variations_share_their_inputs(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    result, made = made_up()
    store.add(result, made)
    used = store.bytes_used
    second = store.add(result, made)
    assert store.bytes_used == used + second.size
    assert used == sum(path.stat().st_size for path in tmp_path.rglob("*.png")) - second.size


@pytest.mark.parametrize("victim", ["png", "json", "both"])
def test_a_damaged_result_is_set_aside_with_a_sentence_and_the_rest_stays(tmp_path: Path, victim: str) -> None:
    _, [first, second, third] = filled(tmp_path)
    for suffix in ("png", "json") if victim == "both" else (victim,):
        path = tmp_path / f"{second.id}.{suffix}"
        path.write_bytes(path.read_bytes()[:-7])
    store = opened(tmp_path)
    assert {result.id for result in store.all()} == {first.id, third.id}
    assert len(store.troubles) == 1
    assert "set aside" in store.troubles[0]
    assert (tmp_path / "damaged" / f"{second.id}.png").is_file()
    assert opened(tmp_path).troubles == ()


def test_damage_that_shows_only_in_the_pixels_is_set_aside_when_they_are_read(tmp_path: Path) -> None:
    store, [first, second] = filled(tmp_path, 2)
    path = tmp_path / f"{first.id}.png"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DocumentError, match="set aside"):
        store.patch(first.id)
    assert store.all() == (second,)
    store.patch(second.id)


def test_a_description_of_another_result_or_version_is_not_believed(tmp_path: Path) -> None:
    _, [first, second] = filled(tmp_path, 2)
    shutil.copy(tmp_path / f"{first.id}.json", tmp_path / f"{second.id}.json")
    assert [result.id for result in opened(tmp_path).all()] == [first.id]
    held = json.loads((tmp_path / f"{first.id}.json").read_text())
    for junk in (
        {"format": 2}, {"format": "1"}, {"box": [0, 0, -1, 5]}, {"box": [20, 2, 30, 25]}, {"frame": [2**29, 2**29]},
        {"base": "../../x"}, {"id": "../x"}, {"recipe": 7},
    ):  # fmt: skip
        with pytest.raises(ValueError):
            from_json(json.dumps(held | junk).encode())


def test_the_budget_takes_rejected_results_alone_and_offers_accepted_ones(tmp_path: Path) -> None:
    store, [first, second, third] = filled(tmp_path)
    fourth = store.add(*made_up("star", 4))
    store.reject(second.id)
    store.reject(first.id)
    store.accept(third.id)
    store.accept(fourth.id)
    store.star(fourth.id)
    assert store.tidy() == ()
    assert store.offer() == ()
    store.budget = store.bytes_used - 1
    assert [result.id for result in store.tidy()] == [first.id]
    store.budget = 0
    assert [result.id for result in store.tidy()] == [second.id]
    assert store.tidy() == ()
    assert [result.id for result in store.offer()] == [third.id]
    assert {result.id for result in opened(tmp_path).all()} == {third.id, fourth.id}
    assert len(list(tmp_path.glob("inputs/*.png"))) == len(third.inputs | fourth.inputs)


def test_what_a_later_version_wrote_is_left_as_it_is(tmp_path: Path) -> None:
    store, [first, second] = filled(tmp_path, 2)
    path = tmp_path / f"{second.id}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2, "inputs": "elsewhere"}))
    before = {file.relative_to(tmp_path) for file in tmp_path.rglob("*.*")}
    for file in tmp_path.rglob("*.png"):
        os.utime(file, (0, 0))  # as old as what a killed process left
    later = opened(tmp_path)
    assert [result.id for result in later.all()] == [first.id]
    assert later.troubles == ()
    assert {file.relative_to(tmp_path) for file in tmp_path.rglob("*.*")} == before
    later.reject(first.id)
    later.budget = 0
    later.tidy()
    assert all((tmp_path / "inputs" / f"{name}.png").exists() for name in second.inputs)
    assert store.budget


def test_results_that_come_while_others_make_room_keep_what_they_were_made_of(tmp_path: Path) -> None:
    store = ResultStore(tmp_path, budget=0)

    def work(number: int) -> Result:
        kept = store.add(*made_up("star", number % 2))
        store.reject(kept.id, on=number % 3 > 0)
        store.tidy()
        return kept

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(work, range(24)))
    assert {result.id for result in store.all()} == {made[number].id for number in range(0, 24, 3)}
    for result in store.all():
        assert store.inputs(result.id).keys() >= {result.request.picture}


def test_thumbnails_are_small_sRGB_and_made_once(tmp_path: Path) -> None:  # noqa: N802
    store, [result] = filled(tmp_path, 1)
    small = store.thumbnail(result.id, 16)
    assert small.shape == (13, 16, 4)
    (tmp_path / f"{result.id}.png").unlink()
    assert np.array_equal(store.thumbnail(result.id, 16), small)


def test_thumbnails_of_deleted_results_go(tmp_path: Path) -> None:
    store, [first, second] = filled(tmp_path, 2)
    for result in (first, second):
        store.thumbnail(result.id, 16)
    store.delete(first.id)
    for file in tmp_path.glob("thumbnails/*"):
        os.utime(file, (0, 0))
    opened(tmp_path)
    assert [file.name for file in tmp_path.glob("thumbnails/*")] == [f"{second.id}-16.png"]


# In project files


def project(stores: ResultStores, count: int = 3) -> tuple[State, ResultStore, list[Result]]:
    state = scene()
    store = stores.of(PROJECT)
    return state, store, [store.add(*made_up(f"star {number}", number)) for number in range(count)]


def test_results_travel_in_the_project_file_and_not_in_the_document(tmp_path: Path) -> None:
    here, there = ResultStores(tmp_path / "here"), ResultStores(tmp_path / "there")
    state, store, [first, second, third] = project(here)
    store.reject(second.id)
    save_project(tmp_path / "a.ora", state, here)
    assert equal(open_project(tmp_path / "a.ora", there), state)
    for one in (there.of(PROJECT), opened(tmp_path / "there" / PROJECT)):
        assert one.all() == (third, first)
        for result in (first, third):
            assert np.array_equal(one.picture(result.id).pixels, store.picture(result.id).pixels)
            assert one.inputs(result.id).keys() == store.inputs(result.id).keys()
    store.star(first.id)
    open_project(tmp_path / "a.ora", here)  # what is here already stays as it is
    assert [result.starred for result in store.all() if result.id == first.id] == [True]


def test_a_result_that_goes_away_during_the_save_is_left_out(tmp_path: Path) -> None:
    here, there = ResultStores(tmp_path / "here"), ResultStores(tmp_path / "there")
    state, _, [first, second] = project(here, 2)
    (here.folder / PROJECT / f"{first.id}.json").unlink()
    save_project(tmp_path / "a.ora", state, here)
    open_project(tmp_path / "a.ora", there)
    assert [result.id for result in there.of(PROJECT).all()] == [second.id]


def test_the_best_results_travel_where_all_would_be_too_much(tmp_path: Path) -> None:
    here, there = ResultStores(tmp_path / "here"), ResultStores(tmp_path / "there")
    state, store, [first, second, third] = project(here)
    store.star(first.id)
    store.budget = store.bytes_used - 1
    save_project(tmp_path / "a.ora", state, here)
    open_project(tmp_path / "a.ora", there)
    assert [result.id for result in there.of(PROJECT).all()] == [third.id, first.id]
    assert store.get(second.id) is not None


def test_a_result_that_cannot_be_read_does_not_keep_a_project_from_being_saved(tmp_path: Path) -> None:
    stores = ResultStores(tmp_path / "here")
    state, _, [result] = project(stores, 1)
    file = stores.folder / PROJECT / f"{result.id}.png"
    file.unlink()
    file.mkdir()  # whoever runs the tests may read everything else
    save_project(tmp_path / "a.ora", state, stores)
    assert equal(open_project(tmp_path / "a.ora", ResultStores(tmp_path / "there")), state)


def test_entries_of_other_names_stay_in_the_document_and_damaged_ones_hurt_nobody(tmp_path: Path) -> None:
    stores = ResultStores(tmp_path / "results")
    strange = {f"results/{name}": b"x" for name in ("notes.txt", "inputs/a.png", "A" * 32 + ".png")}
    damaged = {f"results/{'a' * 32}.json": b"{}", f"results/{'b' * 32}.png": b"x"}
    write_openraster(tmp_path / "a.ora", replace(scene(), attachments={**strange, **damaged}))
    state = open_project(tmp_path / "a.ora", stores)
    assert dict(state.attachments) == strange
    store = stores.of(PROJECT)
    assert store.all() == ()
    assert len(store.troubles) == 1


def test_results_that_cannot_be_put_on_the_disk_stay_in_the_document(tmp_path: Path) -> None:
    here = ResultStores(tmp_path / "here")
    state, _, [_first] = project(here, 1)
    save_project(tmp_path / "a.ora", state, here)
    (tmp_path / "there").write_bytes(b"a file where a folder should be")
    told: list[str] = []
    kept = open_project(tmp_path / "a.ora", ResultStores(tmp_path / "there"), told.append)
    assert len(kept.attachments) == len(here.of(PROJECT).entries())
    assert len(told) == 1
    write_openraster(tmp_path / "b.ora", kept)
    there = ResultStores(tmp_path / "elsewhere")
    open_project(tmp_path / "b.ora", there)
    assert len(there.of(PROJECT).all()) == 1


def test_a_photograph_that_is_opened_again_has_its_results_again(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "repaint.png", tmp_path / "moved.png")
    stores = ResultStores(tmp_path / "results")
    ids = {
        project_of(open_project(path, stores))
        for path in (SAMPLES / "repaint.png", tmp_path / "moved.png", SAMPLES / "remove.png")
    }
    assert len(ids) == 2
    assert None not in ids


def test_results_that_no_file_leads_to_go_after_a_month_and_others_never(tmp_path: Path) -> None:
    stores = ResultStores(tmp_path / "results")
    saved, closed, young = ("a" * 32, "b" * 32, "c" * 32)
    stores.claim(saved)
    for name in (saved, closed, young):
        stores.of(name).add(*made_up())
        if name != young:
            for path in (tmp_path / "results" / name).glob("*"):
                os.utime(path, (0, 0))
    stores.sweep()
    assert len(list((tmp_path / "results").iterdir())) == 3  # they are in use
    ResultStores(tmp_path / "results").sweep()
    assert {path.name for path in (tmp_path / "results").iterdir()} == {saved, young}


def test_undo_states_and_the_journal_hold_no_result(tmp_path: Path) -> None:
    """However many there are, the journal of the opened project is as large as without any."""
    here = ResultStores(tmp_path / "here")
    state, store, _ = project(here, 10)
    save_project(tmp_path / "a.ora", state, here)
    document = open_project(tmp_path / "a.ora", ResultStores(tmp_path / "there"))
    sizes = [_journal_bytes(tmp_path / "journals", one) for one in (document, state)]
    assert abs(sizes[0] - sizes[1]) < 100
    assert store.bytes_used > 10_000


def _journal_bytes(folder: Path, state: State) -> int:
    journal = Journal(folder, "a")
    assert journal.write(state)
    size = sum(path.stat().st_size for path in journal.place.iterdir())
    journal.close()
    return size


def test_killed_at_any_moment_every_result_that_was_kept_is_whole(tmp_path: Path) -> None:
    """Five processes that add and mark results are killed; nothing is damaged, and what was kept is there."""
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = subprocess.Popen([sys.executable, "-m", made_up_results.__name__, str(folder)], cwd=ROOT)
        log = folder / "log"
        while not (log.exists() and log.stat().st_size):
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(0.03 * number)
        process.kill()
        process.wait()
        store = opened(folder / "store")
        assert store.troubles == ()
        kept = dict(line.split() for line in log.read_text().splitlines())
        assert kept.keys() <= {result.id for result in store.all()}
        for result in store.all():
            assert np.array_equal(
                store.patch(result.id).pixels, made_up(seed=result.seed)[0].patch.pixels[2:27, 4:34]
            )
