"""Times of earlier runs: kept, grown with what is measured, and not believed on another machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ace_desktop.engine.times import Times, read_times, write_times

KNOWN = Times().learnt("a chip", "pocket", {"denoise": 2.0, "load": 0.5}, {"load": 3.0})


def test_they_come_back_from_the_disk(tmp_path: Path) -> None:
    write_times(tmp_path / "new" / "times.json", KNOWN)
    assert read_times(tmp_path / "new" / "times.json") == KNOWN


def test_the_last_pace_and_the_longest_silence_count() -> None:
    later = KNOWN.learnt("a chip", "pocket", {"denoise": 1.0}, {"load": 1.0, "decode": 4.0})
    assert later.paces == {"pocket": {"denoise": 1.0, "load": 0.5}}
    assert later.silences == {"load": 3.0, "decode": 4.0}


def test_what_was_measured_in_a_chosen_precision_is_kept_apart() -> None:
    """Twice as exact is about half as fast: neither tells how long the other takes."""
    both = KNOWN.learnt("a chip", "pocket", {"denoise": 4.0}, {}, "float32")
    assert both.of(None) == {"pocket": {"denoise": 2.0, "load": 0.5}}
    assert both.of("float32") == {"pocket": {"denoise": 4.0}}
    assert both.of("bfloat16") == {}


def test_a_night_asleep_is_no_silence_to_learn_from() -> None:
    assert KNOWN.learnt("a chip", "pocket", {}, {"denoise": 30_000.0}).silences["denoise"] == 60


def test_another_machine_begins_anew() -> None:
    assert KNOWN.learnt("another chip", "other", {"denoise": 1.0}, {}).paces == {"other": {"denoise": 1.0}}


@pytest.mark.parametrize("number", ["NaN", "-1", "Infinity", "1e999", "[]", '"a"'])
def test_numbers_that_are_no_seconds_are_not_believed(tmp_path: Path, number: str) -> None:
    held = f'{{"denoise": {number}}}'
    for paces, silences in ((f'{{"pocket": {held}}}', "{}"), ("{}", held)):
        text = f'{{"format": 1, "machine": "a", "paces": {paces}, "silences": {silences}}}'
        (tmp_path / "times.json").write_text(text)
        assert read_times(tmp_path / "times.json") == Times()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "machine": "a", "paces": 3}', "\0"])
def test_a_damaged_file_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "times.json").write_text(text)
    assert read_times(tmp_path / "times.json") == Times()
    assert read_times(tmp_path / "nothing.json") == Times()
