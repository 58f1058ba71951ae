"""The model's process with faults: it runs `child.main`, and does as a file says when it enters a stage.

The file holds "STAGE FAULT" and goes with the fault, so that the next process is whole.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from ace_desktop.engine import child
from ace_desktop.engine.protocol import Finished, Ready, Stopped, Taken
from mlx_model.progress import Journey, Stage

MIB = 1 << 20


def starts_not(_pipe: Connection, _prefix: str, _log: Path) -> None:
    """End before anything is said, as where MLX cannot be loaded."""
    raise ImportError("libmlx is not here")


def stops(pipe: Connection, _prefix: str, _log: Path) -> None:
    """Stop each job as soon as it is there, although nobody has cancelled it."""
    pipe.send(Ready("none"))
    while True:
        work = pipe.recv()
        pipe.send(Taken(work.job))
        pipe.send(Stopped(work.job))


def counts(file: Path, pipe: Connection, _prefix: str, _log: Path) -> None:
    """Note how many requests and pictures are handed over each time, and do nothing with them."""
    pipe.send(Ready("none"))
    while True:
        work = pipe.recv()
        with file.open("a") as noted:
            noted.write(f"{len(work.requests)} {len(work.pictures)}\n")
        pipe.send(Taken(work.job))
        pipe.send(Finished(work.job, "none", {}, {}))


def faulty(orders: Path, pipe: Connection, prefix: str, log: Path) -> None:
    """Run the model's process, whose stages look into `orders` first."""
    enter = Journey.enter

    def look_first(self: Journey, stage: Stage) -> None:
        enter(self, stage)
        if orders.exists():
            wanted, fault = orders.read_text().split()
            if wanted == stage:
                orders.unlink()
                FAULTS[fault](self)

    Journey.enter = look_first
    child.main(pipe, prefix, log)


def _kill(_journey: Journey) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _abort(_journey: Journey) -> None:
    sys.stderr.write("a fault of the graphics processor\n")
    os.abort()


def _stop(_journey: Journey) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _fail(_journey: Journey) -> None:
    raise KeyError("a mistake in the code")


def _linger(journey: Journey) -> None:
    """Take long, as a large picture does, passing checkpoints."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        journey.tick()
        time.sleep(0.02)


def _starve(_journey: Journey) -> None:
    """Leave room for hardly anything more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    used = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 8 * MIB, resource.RLIM_INFINITY))


def _tell(_journey: Journey) -> None:
    sys.stderr.write(f"PySide6 is loaded: {'PySide6' in sys.modules}; nice {os.nice(0)}\n")


FAULTS: dict[str, Callable[[Journey], None]] = {
    "kill": _kill, "abort": _abort, "stop": _stop, "fail": _fail, "linger": _linger, "starve": _starve,
    "tell": _tell,
}  # fmt: skip
