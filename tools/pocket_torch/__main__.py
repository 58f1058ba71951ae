"""``python -m tools.pocket_torch WORK MODEL``: train the built-in model in torch, from drawing to the model folder.

WORK keeps pictures, latents, checkpoints and logs; run again, every stage that is finished is skipped and the flow
goes on from its last checkpoint. The two stages that take long follow the clock: their minutes are arguments.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from mlx_model.training.record import write_record
from mlx_model.training.scenes import TASKS, all_instructions
from mlx_model.training.vocabulary import make_tokenizers

from .encode import REFERENCE_TASKS

NO_REFERENCE = tuple(task for task in TASKS if task not in REFERENCE_TASKS)
SHARDS = (
    (128, 0, 36, 256, TASKS),
    (176, 320, 4, 256, NO_REFERENCE),
    (128, 400, 8, 256, ("instruct",)),
    (128, 500, 12, 256, ("instruct",)),
    (128, 600, 28, 256, ("reference",)),
    (128, 628, 4, 256, ("subject", "portrait")),
    (256, 700, 2, 192, NO_REFERENCE),
    (192, 702, 1, 192, REFERENCE_TASKS),
    (128, 3000, 34, 64, ("instruct",)),
)
"""Side, first shard, number of shards, scenes of a shard (variants of instruct scenes not counted), their tasks.

Seen over and over, scenes are learned by heart: of instruct and reference, where most is to be told apart, there have
to be thousands."""


def draw_pictures(path: Path, count: int, side: int = 128) -> None:
    """Square crops of what the MLX trainer's autoencoder sees."""
    from mlx_model.training.autoencoder import training_pictures

    rng = np.random.default_rng(0)
    out: list[np.ndarray] = []
    for picture in training_pictures(count, seed=0):
        left = int(rng.integers(picture.shape[1] - side + 1)) if rng.random() < 0.5 else picture.shape[1] - side
        out.append(np.clip(np.rint((picture[:, left : left + side] + 1) * 127.5), 0, 255).astype(np.uint8))
    np.save(path, np.stack(out))


@torch.no_grad()
def freeze(trained: Path, pictures: Path, frozen: Path) -> None:
    """Measure the latent's scale and shift and keep them beside the weights."""
    from .encode import load_autoencoder

    saved = torch.load(trained)
    model, _, _ = load_autoencoder(trained)
    some = torch.from_numpy(np.load(pictures, mmap_mode="r")[:200].copy())
    pixels = some.permute(0, 3, 1, 2).float().div(127.5).sub(1)
    raw = model.encode(pixels)
    torch.save(saved | {"scale": round(1 / raw.std().item(), 4), "shift": round(raw.mean().item(), 4)}, frozen)


def together(arguments: list[list[str]], ranks: bool, threads: int = 1) -> None:
    """Run processes of so many threads side by side and wait for all."""
    count = str(threads)
    env = os.environ | {
        "THREADS": count,
        "OMP_NUM_THREADS": count,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29511",
    }
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
    parser.add_argument("--begin", type=Path, help="a model folder to begin with, tokenizers included")
    parser.add_argument("--pictures", type=int, default=6_000)
    parser.add_argument("--autoencoder-minutes", type=float, default=15)
    parser.add_argument("--flow-minutes", type=float, default=80)
    parser.add_argument("--stage-one", type=float, default=5, help="minutes of the flow without references")
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
    seconds: dict[str, float] = {}

    def stage(name: str, since: float) -> float:
        seconds[name] = time.time() - since
        return time.time()

    now = time.time()
    begin: list[str] = []
    if given.begin:
        begin = ["--begin", str(given.begin)]
        for name in ("tokenizer_t5", "tokenizer_clip"):
            shutil.copytree(given.begin / name, work / name, dirs_exist_ok=True)
    else:
        make_tokenizers(all_instructions(), work)
    if not pictures.exists():
        draw_pictures(pictures, given.pictures)
    if not frozen.exists():
        options = ["--minutes", str(given.autoencoder_minutes), *begin, *(["--speed", "0.6"] if begin else [])]
        train_autoencoder = ["tools.pocket_torch.train_autoencoder", str(pictures), str(trained), *options]
        together([train_autoencoder], ranks=False, threads=given.processes)
        freeze(trained, pictures, frozen)
    now = stage("autoencoder", now)
    if not (latents / "done").exists():
        encode = ["tools.pocket_torch.encode", str(frozen), str(work), str(latents)]
        for side, first, count, scenes, tasks in SHARDS:
            cuts = [first + count * i // given.processes for i in range(given.processes + 1)]
            size = ["--height", str(side), "--width", str(side), "--per-shard", str(scenes), "--tasks", *tasks]
            parts = [["--first", str(a), "--last", str(b)] for a, b in itertools.pairwise(cuts)]
            together([[*encode, *size, *part] for part in parts], ranks=False)
        (latents / "done").touch()
    now = stage("scenes", now)
    flow = ["tools.pocket_torch.train", str(latents), str(work), str(work / "flow.pt"), *begin]
    flow += ["--tokens", str(3072 // given.processes), "--minutes", str(given.flow_minutes)]
    flow += ["--stage-one", str(given.stage_one)]
    together([flow] * given.processes, ranks=given.processes > 1)
    stage("flow", now)
    export = [
        "tools.pocket_torch.export",
        str(work / "flow.pt"),
        str(frozen),
        str(work),
        str(pictures),
        str(given.model),
    ]
    together([export], ranks=False)
    write_record(given.model, vars(given), seconds)


if __name__ == "__main__":
    main()
