"""Edit settings live in a document, survive whatever is done to their JSON, and say which task they mean."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from ace_desktop.document.edit import (
    PROJECT,
    SETTINGS,
    EditSettings,
    inferred_task,
    mask_box,
    project_of,
    selected_box,
    settings_of,
    with_project,
    with_settings,
)
from ace_desktop.document.equality import equal
from ace_desktop.document.geometry import Rect
from ace_desktop.document.openraster_read import read_openraster
from ace_desktop.document.openraster_write import write_openraster
from ace_desktop.document.plane import Plane
from ace_desktop.document.references import add_reference, change_reference, references_of
from ace_desktop.document.state import State
from tests.ace_desktop.document.drawings import planes, raster
from tests.ace_desktop.small_document import small_document

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
settings = st.builds(
    EditSettings,
    instruction=st.text(max_size=30).filter(lambda text: "\0" not in text),
    task=st.none() | st.sampled_from(("repaint", "remove", "portrait")),
    control=st.none() | st.sampled_from(("canny", "grey")),
    strength=st.none() | st.floats(0, 1),
    steps=st.none() | st.integers(1, 50),
    seed=st.integers(0, 2**64 - 1),
    seed_locked=st.booleans(),
    variations=st.integers(1, 8),
    adapters=st.lists(st.tuples(st.text(max_size=5), st.floats(-2, 2)), max_size=2).map(tuple),
    region=st.none() | st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 99), st.integers(1, 99)),
    grow=st.integers(0, 20),
    colour_match=st.booleans(),
)


@given(settings)
@limits(max_examples=40, deadline=None)
def test_settings_come_back_as_they_were_put_in_and_are_json(wanted: EditSettings) -> None:
    state = with_settings(small_document(), wanted)
    assert settings_of(state) == wanted
    held = json.loads(json.dumps(dict(state.settings)))
    assert settings_of(replace(state, settings=held)) == wanted


@given(settings, st.sampled_from(list(EditSettings.__dataclass_fields__)), json_values)
@limits(max_examples=60, deadline=None)
def test_a_damaged_setting_is_as_if_never_set_and_the_others_stay(wanted: EditSettings, name: str, junk: Any) -> None:
    state = with_settings(small_document(), wanted)
    damaged = replace(state, settings={**state.settings, SETTINGS: {**state.settings.get(SETTINGS, {}), name: junk}})
    found = settings_of(damaged)
    assert replace(found, **{name: getattr(wanted, name)}) == wanted
    assert settings_of(with_settings(damaged, found)) == found


@pytest.mark.parametrize(
    "strange",
    [{"task": "dream"}, {"control": "dream"}, {"steps": 10**400}, {"seed": 2**64}, {"strength": 1e300},
     {"guidance": float("nan")}, {"adapters": [["local", -1e300]]}, {"variations": 999}, {"variations": 0}],
    ids=str,
)  # fmt: skip
def test_what_a_later_version_or_nobody_sets_counts_for_nothing(strange: dict[str, Any]) -> None:
    state = replace(small_document(), settings={SETTINGS: {"instruction": "a star", **strange}})
    assert settings_of(state) == EditSettings(instruction="a star")


def test_half_a_character_does_not_get_into_a_request() -> None:
    state = with_settings(small_document(), EditSettings(instruction="a smile \ud83d"))
    assert settings_of(state).instruction == "a smile ?"


@given(json_values)
@limits(max_examples=30, deadline=None)
def test_settings_that_are_none_at_all_are_the_defaults(junk: Any) -> None:
    if not isinstance(junk, dict):
        assert settings_of(replace(small_document(), settings={SETTINGS: junk})) == EditSettings()


def test_settings_go_through_a_project_file_with_their_project(tmp_path: Path) -> None:
    wanted = EditSettings(instruction="make it 파란색", region=(1, 2, 30, 20), adapters=(("local", 0.5),), seed=2**63)
    state = with_project(with_settings(small_document(), wanted), "0f" * 16)
    write_openraster(tmp_path / "a.ora", state)
    opened = read_openraster(tmp_path / "a.ora")
    assert equal(opened, state)
    assert (settings_of(opened), project_of(opened)) == (wanted, "0f" * 16)


def test_defaults_leave_nothing_and_change_nothing() -> None:
    state = small_document()
    assert with_settings(state, EditSettings()) is state
    assert SETTINGS not in with_settings(with_settings(state, EditSettings(steps=3)), EditSettings()).settings


@pytest.mark.parametrize("junk", [7, "../../etc", "0F" * 16, None, ["a"]])
def test_a_project_id_that_could_not_be_a_folder_is_none(junk: Any) -> None:
    assert project_of(replace(small_document(), settings={PROJECT: junk})) is None


@given(planes(1), st.sampled_from((Rect(0, 0, 40, 30), Rect(-20, -20, 300, 300))))
@limits(max_examples=40, deadline=None)
def test_the_box_of_a_mask_is_that_of_what_lies_above_the_threshold(mask: Plane, frame: Rect) -> None:
    selected = mask.read(frame)[..., 0] > 128
    rows, columns = np.flatnonzero(selected.any(1)), np.flatnonzero(selected.any(0))
    found = selected_box(mask, frame)
    if not len(rows):
        assert not found
    else:
        wanted = Rect.of_edges(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        assert found == wanted.moved(frame.x, frame.y)


def photo(*, masked: bool = False) -> State:
    layer = raster((9, 9, 9, 255))
    mask = Plane.of(np.full((5, 5), 255, np.uint8), 5, 5) if masked else Plane(1)
    return State(width=40, height=30, layers=(layer,), active=layer.id, edit_mask=mask)


def with_role(state: State, role: str) -> State:
    return add_reference(state, np.full((20, 20, 4), 255, np.uint8), role, role=role)


EMPTY = State(width=40, height=30)


@pytest.mark.parametrize(
    ("state", "words", "task"),
    [
        (photo(), "make it red", "instruct"),
        (photo(masked=True), "a red star", "repaint"),
        (photo(masked=True), "  ", "remove"),
        (with_role(photo(), "face"), "in a red shirt", "portrait"),
        (with_role(photo(), "subject"), "on a beach", "subject"),
        (with_role(photo(), "object"), "here", "reference"),
        (with_role(photo(masked=True), "object"), "here", "reference"),
        (with_role(photo(masked=True), "face"), "here", "reference"),
        (with_role(photo(masked=True), "pattern"), "a heart with this pattern", "reference"),
        (with_role(EMPTY, "object"), "on a beach", "subject"),
        (EMPTY, "a red star", "generate"),
    ],
)
def test_mask_roles_and_words_decide_the_task(state: State, words: str, task: str) -> None:
    assert inferred_task(with_settings(state, EditSettings(instruction=words))) == task


def test_a_control_makes_a_controlled_edit_and_what_is_set_counts_more() -> None:
    masked = photo(masked=True)
    assert inferred_task(with_settings(masked, EditSettings(instruction="a", control="canny"))) == "control"
    assert inferred_task(with_settings(masked, EditSettings(instruction="a", task="instruct"))) == "instruct"


def test_references_that_are_off_or_the_control_picture_do_not_count() -> None:
    state = with_settings(with_role(photo(masked=True), "object"), EditSettings(instruction="a star"))
    [reference] = references_of(state)
    assert inferred_task(change_reference(state, reference.id, on=False)) == "repaint"
    control = replace(settings_of(state), control_reference=reference.id)
    assert inferred_task(with_settings(state, control)) == "control"


def test_a_mask_too_faint_for_the_model_is_none() -> None:
    faint = replace(photo(), edit_mask=Plane.of(np.full((9, 9), 128, np.uint8)))
    assert not mask_box(faint)
    assert inferred_task(with_settings(faint, EditSettings(instruction="make it red"))) == "instruct"
