"""What goes wrong in the model's process: it is said in a sentence, and the queue goes on."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from ace_desktop.engine import faults
from ace_desktop.engine.child import Inbox
from ace_desktop.engine.engine import Engine
from ace_desktop.engine.jobs import JobStatus, Phase
from ace_desktop.engine.protocol import Cancel, Work
from mlx_model.progress import STAGES
from tests.ace_desktop.engine.conftest import PATIENCE_MS, NewEngine, Run
from tests.ace_desktop.engine.faulty_child import starts_not, stops
from tests.ace_desktop.engine.sample_jobs import POCKET, job

MEMORY = faults.TROUBLES[faults.Trouble.memory]


def status_of(engine: Engine, name: str) -> JobStatus:
    status = engine.status(name)
    assert status is not None
    return status


def blocks() -> list[str]:
    """List what this program's engines have in shared memory."""
    place = Path("/dev/shm")  # noqa: S108
    return sorted(path.name for path in place.glob(f"ace{os.getpid():x}*")) if place.is_dir() else []


@pytest.mark.parametrize("stage", STAGES)
def test_a_process_killed_in_any_stage_is_noticed_and_said_and_the_job_runs_again(
    engine: Engine, orders: Path, stage: str, until: Run
) -> None:
    failed: list[str] = []
    engine.failed.connect(failed.append)
    number = STAGES.index(stage)
    orders.write_text(f"{stage} kill")
    name = engine.submit(job(f"{number} blue moons", ground=number))  # never seen, so that no stage is left out
    following = engine.submit(job("a green heart"))
    until(engine, name, Phase.failed)
    status = status_of(engine, name)
    assert failed == [name]
    assert status.sentence == faults.KILLED
    assert "SIGKILL" in status.details
    until(engine, following, Phase.done)
    engine.run_again(name)
    until(engine, name, Phase.done)
    assert blocks() == []


def test_a_death_is_noticed_within_two_seconds(engine: Engine, orders: Path, until: Run, qtbot: QtBot) -> None:
    orders.write_text("denoise linger")
    name = engine.submit(job())
    qtbot.waitUntil(lambda: not orders.exists(), timeout=PATIENCE_MS)
    process = engine.process_id
    assert process is not None
    began = time.monotonic()
    os.kill(process, signal.SIGKILL)
    until(engine, name, Phase.failed)
    assert time.monotonic() - began < 2
    qtbot.waitUntil(lambda: engine.process_id not in (None, process))  # and another one is started


def test_an_abort_is_said_with_what_the_process_printed(engine: Engine, orders: Path, until: Run) -> None:
    orders.write_text("denoise abort")
    name = engine.submit(job())
    until(engine, name, Phase.failed)
    status = status_of(engine, name)
    assert status.sentence == faults.ABORTED
    assert "a fault of the graphics processor" in status.details
    assert "faulty_child.py" in status.details  # the Python stack at the crash


def test_an_error_in_the_code_fails_the_job_alone(engine: Engine, orders: Path, until: Run) -> None:
    until(engine, engine.submit(job()), Phase.done)
    process = engine.process_id
    orders.write_text("encode fail")
    name = engine.submit(job(ground=7))
    until(engine, name, Phase.failed)
    status = status_of(engine, name)
    assert status.sentence == faults.TROUBLES[faults.Trouble.unexpected]
    assert "a mistake in the code" in status.details
    assert engine.process_id == process
    engine.run_again(name)
    until(engine, name, Phase.done)


def test_a_request_that_cannot_be_met_says_why_in_its_own_words(engine: Engine, until: Run) -> None:
    name = engine.submit(job("", steps=100_000))
    until(engine, name, Phase.failed)
    assert re.fullmatch(
        r"The number of steps must lie between 1 and \d+, not 100000\.", status_of(engine, name).sentence
    )


def test_a_hanging_process_is_reported_may_be_waited_for_and_may_be_ended(
    engine: Engine, orders: Path, until: Run, qtbot: QtBot
) -> None:
    orders.write_text("denoise stop")
    name = engine.submit(job())
    qtbot.waitUntil(lambda: status_of(engine, name).stuck, timeout=PATIENCE_MS)
    assert status_of(engine, name).phase is Phase.running
    assert re.search(r"not moved for \d+ seconds", status_of(engine, name).sentence)
    process = engine.process_id
    assert process is not None
    os.kill(process, signal.SIGCONT)
    until(engine, name, Phase.done)
    assert not status_of(engine, name).stuck
    assert status_of(engine, name).sentence == ""

    orders.write_text("denoise stop")
    name = engine.submit(job())
    qtbot.waitUntil(lambda: status_of(engine, name).stuck, timeout=PATIENCE_MS)
    engine.end_stuck(name)
    until(engine, name, Phase.failed)
    assert status_of(engine, name).sentence == faults.STUCK_ENDED
    engine.run_again(name)
    until(engine, name, Phase.done)


def test_a_cancel_of_a_hanging_process_ends_it(engine: Engine, orders: Path, until: Run, qtbot: QtBot) -> None:
    orders.write_text("denoise stop")
    name = engine.submit(job())
    qtbot.waitUntil(lambda: not orders.exists(), timeout=PATIENCE_MS)
    process = engine.process_id
    engine.cancel(name)
    assert status_of(engine, name).phase is Phase.cancelled
    following = engine.submit(job("a green heart"))
    until(engine, following, Phase.done)
    assert engine.process_id != process
    assert status_of(engine, name).phase is Phase.cancelled


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to an address space")
def test_running_out_of_memory_fails_the_job_and_not_the_next(engine: Engine, orders: Path, until: Run) -> None:
    """The process gets next to no more memory in the middle of an edit, as from a system that is full."""
    orders.write_text("finish starve")
    name = engine.submit(job(side=1200))
    until(engine, name, Phase.failed)
    sentence = status_of(engine, name).sentence
    assert sentence.startswith("The memory ran out.") or sentence in (MEMORY, faults.ABORTED)
    process = engine.process_id
    assert process is not None
    # Killed while idle, it is not missed; and the next one has its memory.
    os.kill(process, signal.SIGKILL)
    until(engine, engine.submit(job()), Phase.done)
    assert engine.process_id != process


def test_numbers_that_are_no_picture_are_an_honest_error(engine: Engine, until: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(POCKET, broken)
    poison(broken / "transformer.safetensors")
    name = engine.submit(job(folder=broken))
    until(engine, name, Phase.failed)
    assert status_of(engine, name).sentence == faults.TROUBLES[faults.Trouble.numbers]
    assert "not finite" in status_of(engine, name).details
    until(engine, engine.submit(job()), Phase.done)


def poison(path: Path) -> None:
    """Make the first tensor of a safetensors file all NaN."""
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensor = next(about for name, about in header.items() if name != "__metadata__")
    begin, end = (8 + length + offset for offset in tensor["data_offsets"])
    kind = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}[tensor["dtype"]]
    value = 0x7FC0 if tensor["dtype"] == "BF16" else np.nan
    data[begin:end] = np.full((end - begin) // np.dtype(kind).itemsize, value, kind).tobytes()
    path.write_bytes(data)


def test_a_process_that_cannot_be_started_fails_each_job_once(new_engine: NewEngine, until: Run) -> None:
    engine = new_engine(entry=starts_not)
    names = [engine.submit(job(words)) for words in ("a", "b")]
    for name in names:
        until(engine, name, Phase.failed)
        assert status_of(engine, name).sentence == faults.NOT_STARTED


def test_without_a_folder_to_keep_things_in_jobs_run_all_the_same(
    new_engine: NewEngine, until: Run, tmp_path: Path
) -> None:
    (tmp_path / "engine").write_text("a file where the folder should be")
    engine = new_engine()
    until(engine, engine.submit(job()), Phase.done)


def test_a_model_that_is_gone_is_said(engine: Engine, until: Run, tmp_path: Path) -> None:
    name = engine.submit(job(folder=tmp_path / "nothing"))
    until(engine, name, Phase.failed)
    assert status_of(engine, name).sentence.startswith("The model is no longer in")


def test_the_process_is_without_qt_and_behind_the_window(engine: Engine, orders: Path, until: Run) -> None:
    orders.write_text("denoise tell")
    until(engine, engine.submit(job()), Phase.done)
    orders.write_text("denoise abort")
    name = engine.submit(job())
    until(engine, name, Phase.failed)
    nice = os.nice(0)
    assert f"PySide6 is loaded: False; nice {min(19, nice + 5)}" in status_of(engine, name).details


def test_an_engine_closes_within_two_seconds_whatever_the_process_does(new_engine: NewEngine, qtbot: QtBot) -> None:
    engine = new_engine()
    name = engine.submit(job())
    qtbot.waitUntil(lambda: status_of(engine, name).progress is not None, timeout=PATIENCE_MS)
    process = engine.process_id
    assert process is not None
    os.kill(process, signal.SIGSTOP)
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 2
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert blocks() == []


def test_a_job_that_stops_unasked_does_not_block_the_queue(new_engine: NewEngine, until: Run) -> None:
    engine = new_engine(entry=stops)
    names = [engine.submit(job(ground=number)) for number in range(2)]
    for name in names:
        until(engine, name, Phase.cancelled)
    engine.run_again(names[0])
    until(engine, names[0], Phase.cancelled)


def test_a_cancel_that_came_too_late_does_not_stop_the_jobs_next_run() -> None:
    theirs, ours = multiprocessing.Pipe()
    inbox = Inbox(theirs)
    inbox.take(Cancel("a"))
    inbox.take(Work("a", (), {}, POCKET, None, None, {}, None, 60.0))
    assert inbox.work.get_nowait().job == "a"
    assert inbox.cancelled == set()
    inbox.take(Cancel("a"))
    assert inbox.cancelled == {"a"}
    for end in (theirs, ours):
        end.close()
