"""The reference board: kept in the document, undone with it, and read back as it was given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document.edit import EditSettings, inferred_task, settings_of, with_settings
from ace_desktop.document.equality import equal
from ace_desktop.document.geometry import Rect
from ace_desktop.document.history import History
from ace_desktop.document.journal import Journal
from ace_desktop.document.openraster_read import read_openraster
from ace_desktop.document.openraster_write import write_openraster
from ace_desktop.document.recovery import recover, recoverable
from ace_desktop.document.references import (
    PLACING,
    REFERENCES,
    ROLES,
    add_reference,
    change_reference,
    move_reference,
    place_reference,
    reference_picture,
    reference_pixels,
    references_of,
    remove_reference,
    set_reference_mask,
)
from ace_desktop.document.state import State
from tests.ace_desktop.document.drawings import noise
from tests.ace_desktop.small_document import HEIGHT, WIDTH, small_document
from tests.mlx_model.pictures.profiles import srgb_profile


def with_references(count: int = 2, *, masked: bool = False) -> State:
    state = small_document()
    for number in range(count):
        mask = np.zeros((12, 16), np.uint8)
        mask[3:9, 4:12] = 255
        state = add_reference(state, noise(number, 16, 12), f"picture {number}", mask=mask if masked else None)
    return state


def names(state: State) -> list[str]:
    return [reference.name for reference in references_of(state)]


def test_a_reference_comes_back_with_its_mask_profile_and_crop() -> None:
    pixels, mask = noise(5, 16, 12), noise(6, 16, 12, 1)[..., 0]
    state = add_reference(small_document(), pixels, "cat", srgb_profile(), "face", mask)
    [reference] = references_of(state)
    assert (reference.name, reference.role, reference.width, reference.height) == ("cat", "face", 16, 12)
    picture, cutout = reference_picture(state, reference.id)
    assert cutout is not None
    assert np.array_equal(picture.pixels, pixels)
    assert np.array_equal(cutout, mask)
    assert picture.profile == srgb_profile()
    state = change_reference(state, reference.id, crop=(2, 3, 5, 4))
    part, cutout = reference_pixels(state, reference.id)
    assert cutout is not None
    assert np.array_equal(part, pixels[3:7, 2:7])
    assert np.array_equal(cutout, mask[3:7, 2:7])


def test_order_names_and_masks_change_and_the_files_go_with_the_reference() -> None:
    state = with_references(3)
    first, second, third = (reference.id for reference in references_of(state))
    assert names(move_reference(state, third, 0)) == ["picture 2", "picture 0", "picture 1"]
    assert names(move_reference(state, first, 9)) == ["picture 1", "picture 2", "picture 0"]
    masked = set_reference_mask(state, second, np.full((12, 16), 255, np.uint8))
    assert [reference.has_mask for reference in references_of(masked)] == [False, True, False]
    assert len(masked.attachments) == 4
    assert equal(set_reference_mask(masked, second, None), state)
    for reference_id in (first, second, third):
        masked = remove_reference(masked, reference_id)
    assert equal(masked, small_document())


def test_a_mask_that_cuts_nothing_out_is_none() -> None:
    state = add_reference(small_document(), noise(1, 16, 12), "cat", mask=np.zeros((12, 16), np.uint8))
    assert not references_of(state)[0].has_mask


@pytest.mark.parametrize(
    "changes",
    [{"role": "boss"}, {"crop": (0, 0, 17, 5)}, {"crop": (-1, 0, 5, 5)}, {"crop": (1, 1, 0, 5)}, {"id": "x"}],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    state = with_references(1)
    with pytest.raises(ValueError):
        change_reference(state, references_of(state)[0].id, **changes)
    with pytest.raises(ValueError):
        change_reference(state, "nobody", on=False)
    with pytest.raises(ValueError):
        set_reference_mask(state, references_of(state)[0].id, np.zeros((3, 3), np.uint8))


edits = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.integers(0, 5), st.integers(-1, 6)),
        st.tuples(st.just("change"), st.integers(0, 5), st.sampled_from(ROLES)),
        st.tuples(st.just("switch"), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("mask"), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("remove"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("add"), st.integers(0, 5), st.just(0)),
    ),
    max_size=8,
)


def edited(state: State, what: str, which: int, value: Any) -> State:
    found = references_of(state)
    if what == "add" or not found:
        return add_reference(state, noise(which, 4, 3), f"new {which}")
    reference = found[which % len(found)]
    mask = np.full((reference.height, reference.width), 255, np.uint8)
    return {
        "move": lambda: move_reference(state, reference.id, int(value)),
        "change": lambda: change_reference(state, reference.id, role=value, name=f"name {which}"),
        "switch": lambda: change_reference(state, reference.id, on=bool(value)),
        "mask": lambda: set_reference_mask(state, reference.id, mask if value else None),
        "remove": lambda: remove_reference(state, reference.id),
    }[what]()


@given(edits)
@settings(max_examples=30, deadline=None)
def test_any_edits_undone_give_back_the_same_board_and_files_never_go_astray(
    steps: list[tuple[str, int, Any]],
) -> None:
    start = with_references(2, masked=True)
    history = History(start)
    for what, which, value in steps:
        history.do(what, edited(history.state, what, which, value))
        listed = references_of(history.state)
        assert len({reference.id for reference in listed}) == len(listed)
        assert len(history.state.attachments) == len(listed) + sum(reference.has_mask for reference in listed)
    last = history.state
    while history.undo_label is not None:
        history.undo()
    assert equal(history.state, start)
    while history.redo_label is not None:
        history.redo()
    assert history.state is last


def test_the_board_goes_through_the_project_file_and_the_journal(tmp_path: Path) -> None:
    state = with_references(3, masked=True)
    state = change_reference(state, references_of(state)[1].id, crop=(1, 2, 3, 4), on=False, role="pattern")
    write_openraster(tmp_path / "a.ora", state)
    assert equal(read_openraster(tmp_path / "a.ora"), state)
    journal = Journal(tmp_path / "journals", "a")
    assert journal.write(state)
    journal._lock.release()  # pyright: ignore[reportPrivateUsage] as the system does for a killed process
    [item] = recoverable(tmp_path / "journals")
    assert references_of(recover(item)) == references_of(state)
    assert equal(recover(item), state)


def test_the_journal_writes_a_reference_once(tmp_path: Path) -> None:
    """Moving, switching and masking others writes no picture again."""
    state = add_reference(small_document(), noise(1, 200, 200), "large")
    journal = Journal(tmp_path, "a")
    assert journal.write(state)
    written = sum(path.stat().st_size for path in journal.place.glob("*.tiles"))
    state = change_reference(state, references_of(state)[0].id, on=False)
    assert journal.write(state)
    assert sum(path.stat().st_size for path in journal.place.glob("*.tiles")) == written
    journal.close()


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(("id", "name", "role", "on", "crop", "has_mask", "width", "height")),
            st.none() | st.booleans() | st.integers(-3, 30) | st.text(max_size=3) | st.lists(st.integers(-2, 9)),
        )
        | st.integers(),
        max_size=3,
    )
)
@settings(max_examples=60, deadline=None)
def test_damaged_entries_are_left_out_and_the_rest_stays(junk: list[Any]) -> None:
    state = with_references(1)
    [good] = references_of(state)
    damaged = replace(
        state, settings=MappingProxyType({**state.settings, REFERENCES: [*junk, *state.settings[REFERENCES]]})
    )
    assert references_of(damaged) == (good,)


def test_a_reference_whose_file_is_gone_is_left_out() -> None:
    state = with_references(2, masked=True)
    first, second = references_of(state)
    lost = {path: data for path, data in state.attachments.items() if path != f"references/{first.id}.png"}
    del lost[f"references/{second.id}.mask.png"]
    [left] = references_of(replace(state, attachments=MappingProxyType(lost)))
    assert left == replace(second, has_mask=False)


def test_a_dropped_reference_is_a_local_edit_with_the_mask_of_its_outline() -> None:
    state = with_references(2, masked=True)
    first, second = references_of(state)
    placed = place_reference(state, first.id, (30.0, 20.0), 32.0)
    pixels, _ = reference_pixels(state, first.id)
    inside = np.zeros((12, 16), bool)
    inside[3:9, 4:12] = pixels[3:9, 4:12, 3] >= 128
    shown = placed.edit_mask.read(Rect(14, 8, 32, 24))[..., 0] == 255
    assert np.array_equal(shown[::2, ::2], inside)
    assert placed.edit_mask.content() in Rect(22, 14, 16, 12)
    assert [reference.on for reference in references_of(placed)] == [True, False]
    assert inferred_task(placed) == "reference"
    assert settings_of(placed).instruction == PLACING
    kept = place_reference(with_settings(state, EditSettings(instruction="a hat")), second.id, (0.0, 0.0), 40.0)
    assert settings_of(kept).instruction == "a hat"
    assert kept.edit_mask.content() in Rect(0, 0, WIDTH, HEIGHT)
    with pytest.raises(ValueError):
        place_reference(state, first.id, (-100.0, 0.0), 32.0)
