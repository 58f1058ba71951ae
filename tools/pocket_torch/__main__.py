"""``python -m tools.pocket_torch WORK MODEL``: train the built-in model in torch, from drawing to the model folder.

WORK keeps pictures, latents, checkpoints and logs; run again, every stage that is finished is skipped and the flow
goes on from its last checkpoint. The two stages that take long follow the clock: their minutes are arguments.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from mlx_model.training.scenes import TASKS, all_instructions, draw_scene
from mlx_model.training.vocabulary import make_tokenizers

SIZES = ((128, 128, 0, 46), (192, 192, 320, 3), (256, 256, 340, 2))
"""Height, width, first shard and number of shards of 256 scenes."""


def draw_pictures(path: Path, count: int, side: int = 128) -> None:
    """Crops of canvases (targets, and what edit and modify latents are made of) for the autoencoder."""
    from mlx_model.training.canvases import canvases

    rng = np.random.default_rng(0)
    out: list[np.ndarray] = []
    while len(out) < count:
        drawn = canvases(draw_scene(TASKS[int(rng.integers(len(TASKS)))], int(rng.integers(1 << 30))))
        conditions = [one for one in (drawn.edit, drawn.modify) if one.any() and rng.random() < 0.25]
        for picture in (drawn.target, *conditions):
            left = int(rng.integers(picture.shape[1] - side + 1)) if rng.random() < 0.5 else picture.shape[1] - side
            out.append(np.clip(np.rint((picture[:, left : left + side] + 1) * 127.5), 0, 255).astype(np.uint8))
    np.save(path, np.stack(out[:count]))


@torch.no_grad()
def freeze(trained: Path, pictures: Path, frozen: Path) -> None:
    """Measure the latent's scale and shift and keep them beside the weights."""
    from .encode import load_autoencoder

    saved = torch.load(trained)
    model, _, _ = load_autoencoder(trained)
    pixels = (
        torch.from_numpy(np.load(pictures, mmap_mode="r")[:200].copy()).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    )
    raw = model.encode(pixels)
    torch.save(saved | {"scale": round(1 / raw.std().item(), 4), "shift": round(raw.mean().item(), 4)}, frozen)


def together(arguments: list[list[str]], ranks: bool) -> None:
    """Run one-thread processes side by side and wait for all."""
    env = os.environ | {"THREADS": "1", "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511"}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", *args],
            env=env | ({"RANK": str(rank), "WORLD_SIZE": str(len(arguments))} if ranks else {}),
        )
        for rank, args in enumerate(arguments)
    ]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit("a training process failed; run the same command again to go on")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.pocket_torch", description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--autoencoder-minutes", type=float, default=25)
    parser.add_argument("--flow-minutes", type=float, default=82)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    work: Path = given.work
    work.mkdir(parents=True, exist_ok=True)
    pictures, trained, frozen, latents = (
        work / "pictures.npy",
        work / "trained.pt",
        work / "frozen.pt",
        work / "latents",
    )
    make_tokenizers(all_instructions(), work)
    if not pictures.exists():
        draw_pictures(pictures, 16_000)
    if not frozen.exists():
        minutes = ["--minutes", str(given.autoencoder_minutes)]
        together([["tools.pocket_torch.train_autoencoder", str(pictures), str(trained), *minutes]], ranks=False)
        freeze(trained, pictures, frozen)
    if not (latents / "done").exists():
        encode = ["tools.pocket_torch.encode", str(frozen), str(work), str(latents)]
        for height, width, first, count in SIZES:
            cuts = [first + count * i // given.processes for i in range(given.processes + 1)]
            size = ["--height", str(height), "--width", str(width)]
            parts = [["--first", str(a), "--last", str(b)] for a, b in itertools.pairwise(cuts)]
            together([[*encode, *size, *part] for part in parts], ranks=False)
        (latents / "done").touch()
    flow = ["tools.pocket_torch.train", str(latents), str(work), str(work / "flow.pt")]
    tokens = ["--tokens", str(2048 // given.processes), "--minutes", str(given.flow_minutes)]
    together([[*flow, *tokens]] * given.processes, ranks=given.processes > 1)
    export = [
        "tools.pocket_torch.export",
        str(work / "flow.pt"),
        str(frozen),
        str(work),
        str(pictures),
        str(given.model),
    ]
    together([export], ranks=False)


if __name__ == "__main__":
    main()
