"""Sleep: held off while a job runs and no longer, and no reason to call a job stuck that went on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from ace_desktop.engine.awake import Awake, Standstill, command
from ace_desktop.engine.jobs import Phase
from tests.ace_desktop.engine.conftest import PATIENCE_MS, NewEngine, Run
from tests.ace_desktop.engine.faulty_child import faulty
from tests.ace_desktop.engine.sample_jobs import job

CAT = (shutil.which("cat") or "cat",)
WATCHED = """
import sys
from ace_desktop.engine.awake import Awake
awake = Awake([sys.executable, "-c", "import os, sys; print(os.getpid(), file=open(sys.argv[1], 'w'), flush=True); "
               "sys.stdin.read()", sys.argv[1]])
awake.hold()
sys.stdin.read()
"""


class Clock:
    """A clock that goes on by itself and can be put forward."""

    def __init__(self) -> None:
        self.asleep = 0.0

    def read(self) -> float:
        """Give the seconds."""
        return time.monotonic() + self.asleep


def test_the_systems_own_means_are_used_and_nothing_where_there_is_none() -> None:
    assert command("darwin", lambda name: f"/usr/bin/{name}") == (
        "/usr/bin/caffeinate", "-i", "-w", str(os.getpid()),
    )  # fmt: skip
    linux = command("linux", lambda name: f"/usr/bin/{name}")
    assert (linux[0], linux[1], linux[-1]) == ("/usr/bin/systemd-inhibit", "--what=idle", "/usr/bin/cat")
    for platform in ("darwin", "linux", "win32"):
        assert command(platform, lambda _name: None) == ()


def test_it_is_held_and_released_as_often_as_wanted() -> None:
    awake = Awake(CAT)
    for _ in range(2):
        awake.hold()
        awake.hold()
        assert awake.held
        awake.release()
        awake.release()
        assert not awake.held


@pytest.mark.parametrize("words", [(), ("/no/such/program",), (sys.executable, "-c", "raise SystemExit(1)")])
def test_a_system_that_does_not_let_us_is_no_trouble(words: tuple[str, ...]) -> None:
    awake = Awake(words)
    awake.hold()
    awake.hold()
    awake.release()
    assert not awake.held


def test_it_ends_with_a_program_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    program = subprocess.Popen([sys.executable, "-c", WATCHED, str(file)], stdin=subprocess.PIPE)
    end = time.monotonic() + PATIENCE_MS / 1000
    while not (file.exists() and file.read_text().strip()) and time.monotonic() < end:
        time.sleep(0.02)
    holder = int(file.read_text())
    program.kill()
    program.communicate()
    while _runs(holder) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _runs(holder)


def _runs(pid: int) -> bool:
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else not os.kill(pid, 0)
        )
    except OSError:
        return False


def test_a_machine_is_kept_awake_as_long_as_a_job_runs(
    new_engine: NewEngine, until: Run, qtbot: QtBot, tmp_path: Path
) -> None:
    orders, awake = tmp_path / "fault", Awake(CAT)
    engine = new_engine(entry=partial(faulty, orders), awake=awake)
    assert not awake.held
    orders.write_text("load linger")
    name = engine.submit(job())
    qtbot.waitUntil(lambda: not orders.exists(), timeout=PATIENCE_MS)
    assert awake.held
    engine.cancel(name)
    qtbot.waitUntil(lambda: not engine.working, timeout=PATIENCE_MS)
    assert not awake.held
    engine.run_again(name)
    until(engine, name, Phase.done)
    assert not awake.held


def test_what_is_silent_since_the_machine_slept_is_not_stuck_yet(
    new_engine: NewEngine, qtbot: QtBot, tmp_path: Path
) -> None:
    orders, wall = tmp_path / "fault", Clock()
    engine = new_engine(entry=partial(faulty, orders), patience=2.0, standstill=Standstill(wall=wall.read))
    orders.write_text("denoise stop")
    name = engine.submit(job())
    qtbot.waitUntil(lambda: not orders.exists(), timeout=PATIENCE_MS)

    def stuck() -> bool:
        status = engine.status(name)
        return status is not None and status.stuck

    began = time.monotonic()
    while time.monotonic() < began + 5:  # more than twice what would be stuck
        wall.asleep += 3600
        qtbot.wait(500)
        assert not stuck()
    qtbot.waitUntil(stuck, timeout=PATIENCE_MS)
    process = engine.process_id
    assert process is not None
    os.kill(process, signal.SIGCONT)
    engine.cancel(name)
    qtbot.waitUntil(lambda: not engine.working, timeout=PATIENCE_MS)


@given(
    st.lists(st.tuples(st.floats(0.001, 2), st.floats(0.001, 2)), max_size=20),
    st.floats(6, 1e6),
    st.sampled_from([(0, 1), (1, 1), (1, 0)]),
)
def test_a_gap_in_either_clock_is_a_standstill_and_told_once(
    steps: list[tuple[float, float]], gap: float, clocks: tuple[int, int]
) -> None:
    now = [100.0, 5000.0]
    standstill = Standstill(lambda: now[0], lambda: now[1])
    for step in steps:
        now = [now[0] + step[0], now[1] + step[1]]
        assert not standstill.ended()
    now = [now[0] + gap * clocks[0], now[1] + gap * clocks[1]]
    assert standstill.ended()
    assert not standstill.ended()
    now = [now[0], now[1] - 3600]  # set back by hand
    assert not standstill.ended()
