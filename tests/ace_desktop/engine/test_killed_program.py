"""The program is killed while a job runs: its model's process goes too, and the job is back at the next start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from pytestqt.qtbot import QtBot

from ace_desktop.engine.jobs import Phase
from tests.ace_desktop.engine.conftest import PATIENCE_MS, NewEngine, Run
from tests.ace_desktop.engine.sample_jobs import job

PROGRAM = """
import sys
from functools import partial
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from ace_desktop.engine.engine import Engine
from tests.ace_desktop.engine.faulty_child import faulty
from tests.ace_desktop.engine.sample_jobs import job

def look():
    status = engine.status(name)
    if not orders.exists() and status.resume_step:
        print(engine.process_id, name, flush=True)
        timer.stop()

if __name__ == "__main__":
    application = QCoreApplication([])
    orders = Path(sys.argv[2])
    orders.write_text("decode linger")
    engine = Engine(Path(sys.argv[1]), entry=partial(faulty, orders), save_after=0.0)
    name = engine.submit(job(steps=5, title="left undone"))
    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(20)
    application.exec()
"""


def runs(process: int) -> bool:
    """Tell whether a process runs; one that only waits to be buried does not."""
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return said.stdout.strip()[:1] not in ("", "Z")


def test_a_killed_program_leaves_no_process_and_no_memory_and_its_job_comes_back(
    tmp_path: Path, new_engine: NewEngine, until: Run, qtbot: QtBot
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    command = [sys.executable, str(script), str(tmp_path / "engine"), str(tmp_path / "fault")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as program:
        assert program.stdout is not None
        process, name = program.stdout.readline().split()
        os.kill(program.pid, signal.SIGKILL)
    end = time.monotonic() + 2
    while runs(int(process)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not runs(int(process))
    shared = Path("/dev/shm")  # noqa: S108
    # What is left is removed by multiprocessing's own process, as soon as it has seen the two end.
    qtbot.waitUntil(lambda: not shared.is_dir() or not list(shared.glob(f"ace{program.pid:x}*")), timeout=PATIENCE_MS)
    engine = new_engine()
    qtbot.waitUntil(lambda: len(engine.jobs) == 1, timeout=PATIENCE_MS)
    (status,) = engine.jobs
    assert (status.id, status.phase, status.job.title) == (name, Phase.interrupted, "left undone")
    assert status.resume_step >= 4
    given = job(steps=5)
    for digest, picture in status.job.pictures.items():
        assert np.array_equal(picture.pixels, given.pictures[digest].pixels)
    engine.run_again(name)
    until(engine, name, Phase.done)


def test_results_that_are_being_stored_hold_their_job(new_engine: NewEngine, until: Run, qtbot: QtBot) -> None:
    """Until they are on the disk a killed program would make them again, rather than lose them."""
    engine = new_engine()

    def hold(name: str, _index: int, _result: object) -> None:
        engine.hold(name)

    engine.made.connect(hold)
    name = engine.submit(job())
    until(engine, name, Phase.done)
    qtbot.wait(50)
    status = engine.status(name)
    assert status is not None
    assert len(status.job.pictures) == 2
    assert len(list(engine.folder.rglob("job.json"))) == 1
    engine.release(name)
    qtbot.waitUntil(lambda: not list(engine.folder.rglob("job.json")), timeout=PATIENCE_MS)
    status = engine.status(name)
    assert status is not None
    assert status.job.pictures == {}
