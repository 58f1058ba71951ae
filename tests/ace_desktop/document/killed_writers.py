"""Processes that draw, keep a journal and save, and are killed at a random moment: run with a folder and a number.

One process that has everything imported forks the others, so that each takes a second and not five. What was drawn
last is noted in a file with a time before the journal hears of it.
"""

import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ace_desktop.document.autosave import Autosave
from ace_desktop.document.journal import Journal
from ace_desktop.document.openraster_write import write_openraster
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer, State

SIDE = 700
INTERVAL = 0.05


def mark(number: int) -> np.ndarray:
    """Return the dab of a stroke: its number can be read from its colour, and it covers four tiles."""
    return np.full((300, 300, 4), (number % 256, number // 256 % 256, 7, 255), np.uint8)


def draw(folder: Path, saving: bool) -> None:
    """Draw until killed."""
    layers = tuple(RasterLayer(pixels=Plane.of(np.full((SIDE, SIDE, 4), n, np.uint8)), name=str(n)) for n in (9, 0))
    state = State(width=SIDE, height=SIDE, layers=layers)
    autosave = Autosave(Journal(folder / "journals", "drawing"), INTERVAL)
    path = folder / "saved.ora"
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    random.seed(os.getpid())
    for number in range(1, 10_000_000):
        top = state.layers[1]
        assert isinstance(top, RasterLayer)
        layer = replace(top, pixels=top.pixels.written(mark(number), 100, 100))
        state = replace(state, layers=(state.layers[0], layer), settings=MappingProxyType({"number": number}))
        os.write(log, f"{number} {time.time()}\n".encode())
        autosave.note(state)
        if saving:
            write_openraster(path, state)
        time.sleep(0.001)


def main() -> None:
    """Kill so many writers, each in a folder of its own, each once its journal has begun."""
    root, count, saving = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "saving"
    for number in range(count):
        folder = root / str(number)
        folder.mkdir()
        child = os.fork()
        if child == 0:
            draw(folder, saving)
        awaited = ["journals/*/document.json", *(["saved.ora"] if saving else [])]
        while not all(list(folder.glob(name)) for name in awaited):
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.4))  # noqa: S311  (nothing secret)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
