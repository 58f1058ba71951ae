"""Wear the engine out: the model's process killed at random moments, and many jobs in a row.

    python -m tools.soak [--kills 100] [--jobs 100] [--steps 8] [--seed 0]

Each kill has to be noticed within 2 seconds, fail its job with a sentence and leave the next one to succeed. After
the jobs the memory of both processes is within 5 % of what it was after the tenth. At the end there is no thread,
process, file descriptor or block of shared memory more. Ends with 1 where something does not hold.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication

from ace_desktop.engine.engine import Engine
from ace_desktop.engine.jobs import JobStatus, Phase
from tests.ace_desktop.engine.sample_jobs import job

PATIENCE = 300.0
NOTICED = 2.0
GROWTH = 0.05
STARTING = 0.1  # of the kills: before the process has taken the job
SHARED = Path("/dev/shm")  # noqa: S108


def wait(until: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Let the event loop run until something holds; returns whether it does."""
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        QCoreApplication.processEvents()
        time.sleep(0.002)
    return until()


def resident(process: int) -> float:
    """Return a process's resident memory in MiB."""
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True)
    return int(said.stdout) / 1024


def held() -> dict[str, int]:
    """Count what must not grow."""
    descriptors = Path("/proc/self/fd")
    return {
        "threads": threading.active_count(),
        "processes": len(multiprocessing.active_children()),
        "descriptors": len(list(descriptors.iterdir())) if descriptors.is_dir() else 0,
        "shared memory": len(list(SHARED.glob(f"ace{os.getpid():x}*"))) if SHARED.is_dir() else 0,
    }


class Soak:
    """One run of the tool."""

    def __init__(self, engine: Engine, steps: int) -> None:
        self.engine, self.steps, self.wrong = engine, steps, list[str]()

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)
            print(f"  WRONG: {what}", flush=True)

    def status(self, name: str) -> JobStatus:
        status = self.engine.status(name)
        assert status is not None
        return status

    def submit(self, number: int) -> str:
        return self.engine.submit(job(f"{number} red stars", ground=number, steps=self.steps, seed=number))

    def whole(self, number: int) -> float:
        """Run a job to its end; returns the seconds from its first sign of life on."""
        name = self.submit(number)
        wait(lambda: self.status(name).phase is not Phase.running or self.status(name).progress is not None)
        began = time.monotonic()
        wait(lambda: self.status(name).phase not in (Phase.waiting, Phase.running))
        status = self.status(name)
        self.expect(status.phase is Phase.done, f"job {number}: {status.phase} {status.sentence} {status.details}")
        self.engine.remove(name)
        return time.monotonic() - began

    def kill(self, number: int, after: float, *, starting: bool) -> tuple[str, float]:
        """Kill the process so long after its start, or after a job's first sign of life.

        Returns the stage, and the seconds until it was said.
        """
        name = self.submit(number)
        wait(lambda: self.engine.process_id is not None)
        if not starting:
            wait(lambda: self.status(name).phase is not Phase.running or self.status(name).progress is not None)
        wait(lambda: False, after)
        status, process = self.status(name), self.engine.process_id
        stage = "start" if status.progress is None else status.progress.stage
        if status.phase is not Phase.running or process is None:
            self.engine.remove(name)
            return "too late", 0.0
        began = time.monotonic()
        os.kill(process, signal.SIGKILL)
        wait(lambda: self.status(name).phase is not Phase.running or self.engine.process_id not in (None, process))
        seconds = time.monotonic() - began
        if self.status(name).phase is Phase.running:  # it had not begun: it is handed to another process
            wait(lambda: self.status(name).phase is not Phase.running)
        status = self.status(name)
        if status.phase is Phase.failed:
            self.expect(bool(status.sentence) and "SIGKILL" in status.details, f"kill {number}: {status.sentence}")
        else:
            self.expect(status.phase is Phase.done, f"kill {number}: {status.phase}")
        self.expect(seconds <= NOTICED, f"kill {number} was noticed after {seconds:.1f} s")
        self.engine.remove(name)
        return stage, seconds

    def kills(self, count: int, chance: random.Random) -> None:
        usual = max(self.whole(0), self.whole(1))
        stages, slowest = Counter[str](), 0.0
        for number in range(count):
            starting = chance.random() < STARTING
            stage, seconds = self.kill(number, chance.uniform(0, usual), starting=starting)
            stages[stage] += 1
            slowest = max(slowest, seconds)
            if number % 10 == 9:
                self.whole(number)  # and it goes on
                print(f"  {number + 1} kills, noticed within {slowest * 1e3:.0f} ms; {dict(stages)}", flush=True)
        self.whole(count)

    def jobs(self, count: int) -> None:
        after_tenth: tuple[float, float] | None = None
        seconds: list[float] = []
        for number in range(count):
            seconds.append(self.whole(number))
            if number + 1 in (10, count) or number % 20 == 19:
                process = self.engine.process_id
                assert process is not None
                now = resident(process), resident(os.getpid())
                after_tenth = after_tenth or now
                print(
                    f"  {number + 1} jobs: model {now[0]:.1f} MiB, window {now[1]:.1f} MiB, "
                    f"{sum(seconds) / len(seconds):.2f} s each once begun",
                    flush=True,
                )
                if number + 1 == count:
                    for what, before, at_end in zip(("model", "window"), after_tenth, now, strict=True):
                        grown = at_end / before - 1
                        self.expect(grown <= GROWTH, f"the {what}'s process has grown by {grown:.1%}")


def main() -> int:
    """Run it; return 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    application = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ACE_CACHE"] = folder
        engine = Engine(Path(folder) / "engine")
        soak = Soak(engine, arguments.steps)
        soak.whole(0)
        before = held()
        print(f"{arguments.kills} kills at random moments, seed {arguments.seed}", flush=True)
        soak.kills(arguments.kills, random.Random(arguments.seed))  # noqa: S311
        print(f"{arguments.jobs} jobs in a row", flush=True)
        soak.jobs(arguments.jobs)
        after = held()
        print(f"before {before}, after {after}")
        for what, count in after.items():
            soak.expect(count <= before[what], f"{what}: {count - before[what]} more")
        engine.close()
        soak.expect(held()["processes"] == 0, "a process is left")
        engine.deleteLater()
    application.processEvents()
    print("all holds" if not soak.wrong else f"{len(soak.wrong)} things do not hold")
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
