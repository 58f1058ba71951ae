"""Work that was not saved comes back after the process was killed; journals stay small and go when they should."""

import errno
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ace_desktop.document import journal as journal_module
from ace_desktop.document.autosave import Autosave
from ace_desktop.document.compose import compose
from ace_desktop.document.equality import equal
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.journal import Journal
from ace_desktop.document.openraster_read import read_openraster
from ace_desktop.document.plane import TILE, Plane
from ace_desktop.document.recovery import Recoverable, discard, recover, recoverable, thumbnail
from ace_desktop.document.state import RasterLayer, State
from tests.ace_desktop.document import killed_writers
from tests.ace_desktop.document.drawings import noise, raster, states


def abandoned(journal: Journal) -> Recoverable:
    """Let go of a journal as a killed process does, and find it."""
    journal._lock.release()  # pyright: ignore[reportPrivateUsage]
    return next(item for item in recoverable(journal.place.parent) if item.place == journal.place)


def segments(journal: Journal) -> list[Path]:
    return sorted(journal.place.glob("*.tiles"))


def test_any_document_comes_back_equal(tmp_path: Path) -> None:
    """The second of two states, of which the first shares nothing with it."""

    @given(states(), states())
    @settings(max_examples=20, deadline=None)
    def check(first: State, second: State) -> None:
        second = replace(second, attachments=MappingProxyType({"a/b": b"x" * 1000, "empty": b""}), profile=b"any")
        journal = Journal(tmp_path, "a")
        assert journal.write(first)
        assert journal.write(second)
        item = abandoned(journal)
        assert equal(recover(item), second)
        discard(item)

    check()
    assert list(tmp_path.iterdir()) == []


def test_a_listed_document_says_what_it_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "사진", Path("/pictures/사진.ora"))
    state = State(width=1000, height=500, layers=(raster((255, 0, 0, 255)),))
    journal.write(state)
    item = abandoned(journal)
    assert (item.title, item.path) == ("사진", Path("/pictures/사진.ora"))
    assert abs(time.time() - item.time) < 60
    assert thumbnail(item).shape == (128, 256, 4)


def test_a_document_in_work_is_not_offered(tmp_path: Path) -> None:
    """Nor thrown away: another window or another process has it."""
    journal = Journal(tmp_path, "a")
    journal.write(State(width=4, height=4))
    assert recoverable(tmp_path) == []
    discard(Recoverable(journal.place, "a", None, 0))
    assert (journal.place / "document.json").exists()
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_only_new_tiles_are_written(tmp_path: Path) -> None:
    """A dab on one tile of twelve costs one tile; renaming a layer costs none."""
    layer = RasterLayer(pixels=Plane.of(noise(1, 1024, 768)), name="a")
    state = State(width=1024, height=768, layers=(layer,))
    journal = Journal(tmp_path, "a")
    journal.write(state)
    whole = segments(journal)[0].stat().st_size
    dabbed = replace(layer, pixels=layer.pixels.written(noise(2, 9, 9), 300, 300))
    journal.write(replace(state, layers=(dabbed,)))
    assert segments(journal)[1].stat().st_size < whole / 10
    journal.write(replace(state, layers=(replace(dabbed, name="b"),)))
    assert len(segments(journal)) == 2
    journal.close()


def test_tiles_that_nobody_needs_are_removed(tmp_path: Path) -> None:
    """The journal is at most about twice as large as one that starts now, whatever was drawn before."""
    plane, width = Plane.of(noise(1, 2048, 256)), 2048
    journal = Journal(tmp_path, "a")
    state = State(width=width, height=256)
    for number in range(8):
        # All but the tiles on the left change again and again: each segment keeps one that is still needed.
        plane = plane.written(noise(number, width - number * TILE, TILE), number * TILE, 0)
        state = replace(state, layers=(RasterLayer(pixels=plane, name="a", id="a"),))
        journal.write(state)
    fresh = Journal(tmp_path, "b")
    fresh.write(state)
    size, least = (sum(path.stat().st_size for path in segments(x)) for x in (journal, fresh))
    assert size <= 2.1 * least
    assert equal(recover(abandoned(journal)), state)
    fresh.close()


def test_a_full_disk_stops_nothing_and_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[str]()
    journal = Journal(tmp_path, "photo", warn=told.append)
    first = State(width=4, height=4, layers=(raster((1, 2, 3, 255)),))
    assert journal.write(first)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(journal_module, "flush_to_disk", full)
        for number in range(3):
            assert not journal.write(replace(first, layers=(raster((number, 2, 3, 255)),)))
    assert len(told) == 1
    assert told[0].startswith("the disk is full, so that unsaved work of photo is not kept")
    assert len(segments(journal)) == 1
    last = replace(first, layers=(raster((9, 9, 9, 255)),))
    assert journal.write(last)
    assert equal(recover(abandoned(journal)), last)


def test_remains_without_a_document_go_when_they_are_old(tmp_path: Path) -> None:
    """Of a process killed before its first write; not of one that starts just now."""
    journal = Journal(tmp_path, "a")
    journal._lock.release()  # pyright: ignore[reportPrivateUsage]
    assert recoverable(tmp_path) == []
    assert journal.place.exists()
    os.utime(journal.place, (0, 0))
    assert recoverable(tmp_path) == []
    assert not journal.place.exists()


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DocumentError, match="save often"):
        Journal(tmp_path / "file" / "journals", "a")
    assert recoverable(tmp_path / "missing") == []


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_journal_opens_or_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    journal = Journal(tmp_path, "a")
    journal.write(State(width=4, height=4, layers=(raster((1, 2, 3, 255)),), attachments={"a": b"b"}))
    victim = data.draw(st.sampled_from(("document.json", "000001.tiles")))
    damaged = bytearray((journal.place / victim).read_bytes())
    at = data.draw(st.integers(0, 10**6)) % len(damaged)  # times and names differ in length from run to run
    damaged[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=5) | st.just(b"-1"))
    (journal.place / victim).write_bytes(damaged)
    journal._lock.release()  # pyright: ignore[reportPrivateUsage]
    for item in recoverable(tmp_path):
        with suppress(DocumentError):
            recover(item)
    discard(Recoverable(journal.place, "a", None, 0))


def test_the_thread_writes_the_last_state_and_goes(tmp_path: Path) -> None:
    """Many notes, few writes; a close leaves neither thread nor folder."""
    before, writes = set(threading.enumerate()), list[State]()

    class Counting(Journal):
        def write(self, state: State) -> bool:
            writes.append(state)
            return super().write(state)

    autosave = Autosave(Counting(tmp_path, "a"), 0.05)
    state = State(width=4, height=4)
    for number in range(2000):
        state = replace(state, settings=MappingProxyType({"number": number}))
        autosave.note(state)
    deadline = time.monotonic() + 30
    while (not writes or writes[-1] is not state) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert writes[-1] is state
    assert len(writes) < 200
    autosave.close()
    assert set(threading.enumerate()) == before
    assert list(tmp_path.iterdir()) == []


def kill_writers(folder: Path, count: int, how: str) -> None:
    command = [sys.executable, killed_writers.__file__, str(folder), str(count), how]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run(command, check=True, timeout=300, env=environment)


def recovered_number(folder: Path) -> int:
    """Recover the work of a killed writer, find its pixels as whole as its settings, and return the stroke."""
    (item,) = recoverable(folder / "journals")
    state = recover(item)
    number = state.settings["number"]
    assert np.array_equal(compose(state)[100:400, 100:400], killed_writers.mark(number))
    assert (compose(state)[500:, 500:, 0] == 9).all()
    return number


def times(folder: Path) -> dict[int, float]:
    lines = (folder / "log").read_text().splitlines()
    return {int(line.split()[0]): float(line.split()[1]) for line in lines}


def test_killed_during_strokes_nothing_older_than_the_last_interval_is_lost(tmp_path: Path) -> None:
    """Ten processes killed at random moments; 5 seconds are promised, and this machine may be slow."""
    kill_writers(tmp_path, 10, "drawing")
    for number in range(10):
        folder = tmp_path / str(number)
        drawn = times(folder)
        assert max(drawn.values()) - drawn[recovered_number(folder)] <= 5


def test_killed_during_a_save_the_saved_file_is_whole_and_the_journal_opens(tmp_path: Path) -> None:
    """Ten processes that save over and over."""
    kill_writers(tmp_path, 10, "saving")
    for number in range(10):
        folder = tmp_path / str(number)
        drawn = times(folder)
        state = read_openraster(folder / "saved.ora")
        assert np.array_equal(compose(state)[100:400, 100:400], killed_writers.mark(state.settings["number"]))
        assert max(drawn) - state.settings["number"] <= 1
        assert max(drawn.values()) - drawn[recovered_number(folder)] <= 5
