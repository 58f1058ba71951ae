"""Results that are freed, and projects that are saved as other files: each has its own from then on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ace_desktop.document.edit import project_of
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.openraster_write import Saved, write_openraster
from ace_desktop.document.projects import open_project, save_project
from ace_desktop.document.result_files import copy_file
from ace_desktop.document.result_stores import ResultStores
from ace_desktop.document.results import ResultStore
from tests.ace_desktop.document.made_up_results import made_up
from tests.ace_desktop.document.scenes import PROJECT
from tests.ace_desktop.document.test_results import opened, project


def files_of(folder: Path) -> dict[str, bytes]:
    """Read all files of a store that belong to results."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != "claimed"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_what_is_purged_is_off_the_disk_at_once_and_only_that(tmp_path: Path) -> None:
    """What another result was made of as well stays."""
    store = ResultStore(tmp_path)
    first, twin, other = (store.add(*made_up(seed=seed)) for seed in (1, 1, 2))
    for result in (first, other):
        store.thumbnail(result.id, 16)
        store.delete(result.id)
    used = sum(len(data) for data in files_of(tmp_path).values())
    store.purge([first.id, other.id, twin.id])
    left = files_of(tmp_path)
    assert sum(map(len, left.values())) < used - first.size - other.size
    assert left.keys() == {f"{twin.id}.json", f"{twin.id}.png", *(f"inputs/{name}.png" for name in twin.inputs)}
    store.restore(first.id)
    assert [result.id for result in store.all()] == [twin.id]
    assert store.inputs(twin.id)
    again = store.add(*made_up(seed=2))
    assert store.inputs(again.id)
    assert ResultStore(tmp_path).troubles == ()


def test_a_project_saved_as_another_file_has_its_own_results_from_then_on(tmp_path: Path) -> None:
    here = ResultStores(tmp_path / "here")
    state, store, kept = project(here, 2)
    save_project(tmp_path / "a.ora", state, here)
    before, copy = files_of(here.folder / PROJECT), "c" * 32
    store.delete(kept[0].id)
    store.star(kept[1].id)
    save_project(tmp_path / "b.ora", state, here, copy=copy)
    assert here.of(copy) is store, "whoever uses it goes on with it"
    assert [result.starred for result in store.all()] == [True]
    store.restore(kept[0].id)
    store.delete(kept[1].id)
    store.purge([kept[1].id])
    store.add(*made_up(seed=9))
    store.flush()
    original = here.of(PROJECT)
    assert original is not store
    original.load()
    assert {result.id for result in original.all()} == {kept[1].id}, "what was deleted before is deleted in both"
    assert (
        files_of(here.folder / PROJECT).items()
        >= {
            name: data
            for name, data in before.items()
            if name.startswith(("inputs/", kept[1].id)) and "json" not in name
        }.items()
    )
    for name, ids in (("a", PROJECT), ("b", copy)):
        assert project_of(open_project(tmp_path / f"{name}.ora", ResultStores(tmp_path / f"there {name}"))) == ids
    here.sweep()
    assert (here.folder / copy / "claimed").exists()


def test_what_is_made_while_a_copy_is_written_is_the_copys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing a large document takes seconds, and edits go on."""
    here = ResultStores(tmp_path / "here")
    state, store, _ = project(here, 1)
    made: list[str] = []

    def slow(*given: Any) -> Saved:
        made.append(here.of(PROJECT).add(*made_up(seed=5)).id)
        return write_openraster(*given)

    monkeypatch.setattr("ace_desktop.document.projects.write_openraster", slow)
    save_project(tmp_path / "b.ora", state, here, copy="c" * 32)
    assert here.of("c" * 32) is store
    assert store.get(made[0]) is not None
    assert store.patch(made[0])


def test_a_copy_that_cannot_be_saved_leaves_the_project_as_it_was(tmp_path: Path) -> None:
    here = ResultStores(tmp_path / "here")
    state, store, kept = project(here, 1)
    with pytest.raises(DocumentError):
        save_project(tmp_path / "no folder" / "b.ora", state, here, copy="c" * 32)
    assert here.of(PROJECT) is store
    assert store.folder == here.folder / PROJECT
    store.reject(kept[0].id)
    store.flush()
    assert opened(store.folder).all()[0].rejected


def test_what_is_deleted_while_a_copy_is_made_can_be_brought_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ResultStore(tmp_path / "one")
    first, second = (store.add(*made_up(seed=seed)) for seed in (1, 2))
    store.delete(first.id)

    def copied(path: Path, copy: Path) -> None:
        copy_file(path, copy)
        if path.parent.name == "deleted":
            store.delete(second.id)

    monkeypatch.setattr("ace_desktop.document.result_files.copy_file", copied)
    store.move_to(tmp_path / "two")
    assert not list((tmp_path / "two").glob("*.json"))
    for result in (first, second):
        store.restore(result.id)
        assert store.patch(result.id)
    assert not list((tmp_path / "two" / "deleted").iterdir())


def test_copies_take_no_more_of_a_disk_that_knows_links(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "one")
    kept = store.add(*made_up())
    store.move_to(tmp_path / "two")
    for name in (f"{kept.id}.png", f"{kept.id}.json"):
        assert (tmp_path / "one" / name).samefile(tmp_path / "two" / name)
    store.star(kept.id)
    store.flush()
    assert opened(tmp_path / "two").all()[0].starred
    assert not opened(tmp_path / "one").all()[0].starred, "a mark is a new file"


def test_a_budget_holds_for_all_projects_from_then_on(tmp_path: Path) -> None:
    stores = ResultStores(tmp_path / "results")
    store = stores.of("a" * 32)
    first, second = (store.add(*made_up(seed=seed)) for seed in (1, 2))
    store.reject(first.id)
    stores.change_budget(store.bytes_used - 1)
    assert len(store.all()) == 2, "nothing goes by that alone"
    assert [result.id for result in store.tidy()] == [first.id]
    assert store.get(second.id) is not None
    assert stores.of("b" * 32).budget == store.budget


def test_the_layer_whose_place_a_result_takes_is_kept_with_it(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    result, made = made_up()
    kept = store.add(result, replace(made, replaces="layer"))
    assert opened(tmp_path).all()[0].replaces == kept.replaces == "layer"
