"""Results that no model made; run with a folder, it adds and marks results until it is killed."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from ace_desktop.document.results import ResultStore
from ace_desktop.document.snapshot import Snapshot
from mlx_model.request import EditRequest, EditResult, Picture, digest
from tests.ace_desktop.document.drawings import noise


def made_up(words: str = "a red star", seed: int = 1, parents: tuple[str, ...] = ()) -> tuple[EditResult, Snapshot]:
    """Give a small result, and what it was asked of."""
    before, mask = Picture(noise(seed, 40, 30)), Picture(np.full((30, 40, 4), 255, np.uint8))
    patch = noise(seed + 100, 40, 30)
    patch[:5] = 0
    asked = EditRequest(words, picture=digest(before), mask=digest(mask), seed=seed, task="repaint")
    result = EditResult(
        picture=Picture(patch), patch=Picture(patch), request=replace(asked, steps=8, guidance=1.0), model="pocket",
        seen_box=(4, 2, 30, 25), seen_size=(32, 32), canvas_size=(32, 32), timings={"denoise": 1.5, "decode": 0.5},
        versions={"ace": "1"}, warnings=("a warning",),
    )  # fmt: skip
    pictures = {digest(before): before, digest(mask): mask}
    return result, Snapshot((asked,), pictures, "repaint", "pocket", words, "", "b" * 32, parents)


def main() -> None:
    """Note each result in a file once the store says that it is kept."""
    folder = Path(sys.argv[1])
    store = ResultStore(folder / "store")
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(1_000_000):
        kept = store.add(*made_up(f"star {number}", number))
        os.write(log, f"{kept.id} {number}\n".encode())
        store.star(kept.id, on=number % 2 == 0)
        store.flush()


if __name__ == "__main__":
    main()
