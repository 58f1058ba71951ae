"""Settings: kept, and never in the way when the file is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ace_desktop.settings import RECENT, Kept, Settings, from_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_what_was_chosen_is_there_again(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "settings.json"
    kept = Kept(file)
    kept.change(theme="dark", shortcuts={"file.save": ("F5",)}, tool_options={"brush": {"size": 12}}, recent=("a",))
    kept.flush()
    again = Kept(file)
    assert again.value == kept.value
    assert again.value.shortcuts["file.save"] == ("F5",)


def test_an_unreadable_file_is_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{", encoding="utf-8")
    assert Kept(file).value == Settings()
    assert (tmp_path / "settings.unreadable.json").read_text(encoding="utf-8") == "{"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(Settings.__dataclass_fields__)), JSON) | JSON)
def test_any_json_gives_settings_of_the_right_types(found: Any) -> None:
    taken = from_json(json.loads(json.dumps(found)))
    for name in Settings.__dataclass_fields__:
        assert isinstance(getattr(taken, name), type(getattr(Settings(), name)))
    assert taken.theme in ("system", "light", "dark")
    assert taken.precision in ("automatic", "float32", "bfloat16")


def test_recent_files_come_once_and_newest_first(tmp_path: Path) -> None:
    kept = Settings()
    for number in (*range(RECENT + 3), 5):
        kept = kept.with_recent(tmp_path / str(number))
    assert len(kept.recent) == RECENT
    assert kept.recent[0] == str(tmp_path / "5")
    assert len(set(kept.recent)) == RECENT
    assert kept.folder == str(tmp_path)


@pytest.mark.parametrize("value", [True, "5", 1.5, None])
def test_a_number_is_taken_only_as_a_whole_one(value: object) -> None:
    assert from_json({"autosave_seconds": value}).autosave_seconds == Settings().autosave_seconds


@pytest.mark.parametrize(
    "name",
    ["autosave_seconds", "export_quality", "inspector_width", "idle_minutes", "memory_limit", "results_budget"],
)
@pytest.mark.parametrize("value", [-1, 10**30])
def test_a_number_that_nothing_could_be_given_is_not_taken(name: str, value: int) -> None:
    assert from_json({name: value}) == Settings()


def test_words_that_are_no_unicode_keep_nothing_from_being_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "settings.json")
    kept.change(instructions=("half \ud83d a smile",), recent=("/a/\udcff.png",), theme="dark")
    kept.flush()
    assert Kept(tmp_path / "settings.json").value == kept.value


def test_settings_that_cannot_be_written_leave_nothing_behind(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "settings.json")
    kept.change(theme="dark")
    kept.flush()
    (tmp_path / "settings.json").unlink()
    (tmp_path / "settings.json").mkdir()  # nothing can take its place
    kept.change(theme="light")
    kept.flush()
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
