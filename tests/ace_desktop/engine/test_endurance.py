"""The engine over time: nothing is left of many jobs, and the window's thread is never held up."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import time
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from pytestqt.qtbot import QtBot

from ace_desktop.engine.engine import Engine
from ace_desktop.engine.jobs import Phase
from tests.ace_desktop.engine.conftest import PATIENCE_MS, Run
from tests.ace_desktop.engine.sample_jobs import job

LONGEST_STALL = 0.25
"""Seconds; on an idle machine the 99th percentile is a hundredth of that (tools/bench_engine.py)."""


def held() -> dict[str, int]:
    """Count what must not grow with the number of jobs."""
    gc.collect()
    descriptors, shared = Path("/proc/self/fd"), Path("/dev/shm")  # noqa: S108
    return {
        "threads": threading.active_count(),
        "processes": len(multiprocessing.active_children()),
        "descriptors": len(list(descriptors.iterdir())) if descriptors.is_dir() else 0,
        "shared memory": len(list(shared.glob(f"ace{os.getpid():x}*"))) if shared.is_dir() else 0,
    }


def test_nothing_is_left_of_ten_jobs_with_errors_and_cancels_between(
    engine: Engine, orders: Path, until: Run, qtbot: QtBot
) -> None:
    until(engine, engine.submit(job()), Phase.done)
    qtbot.waitUntil(lambda: kept(engine) == 0, timeout=PATIENCE_MS)
    before = held()
    for number in range(10):
        if number in (3, 6):
            orders.write_text(f"denoise {'fail' if number == 3 else 'linger'}")
        name = engine.submit(job(seed=number, steps=1))
        if number == 6:
            qtbot.waitUntil(lambda: not orders.exists(), timeout=PATIENCE_MS)
            engine.cancel(name)
        until(engine, name, {3: Phase.failed, 6: Phase.cancelled}.get(number, Phase.done))
        engine.remove(name)
    qtbot.waitUntil(lambda: not engine.working, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: kept(engine) == 0, timeout=PATIENCE_MS)
    assert held() == before


def kept(engine: Engine) -> int:
    """Count the jobs on the disk."""
    return sum(1 for _ in engine.folder.rglob("job.json"))


def test_the_windows_thread_is_never_held_up_while_a_job_runs(engine: Engine, until: Run) -> None:
    """Large pictures go in and come out, and a queue is filled and cancelled, between the ticks of a timer."""
    until(engine, engine.submit(job()), Phase.done)
    gaps: list[float] = []
    last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        gaps.append(now - last)
        last = now

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    asked = [job(side=1500), job(side=1500)]
    timer.start(5)
    last = time.perf_counter()
    first, second = (engine.submit(one) for one in asked)
    until(engine, first, Phase.done)
    engine.cancel(second)
    until(engine, engine.submit(job()), Phase.done)
    timer.stop()
    assert len(gaps) > 20
    assert max(gaps) < LONGEST_STALL
