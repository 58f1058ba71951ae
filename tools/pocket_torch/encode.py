"""Draw scenes, encode their canvases once and keep the latents: shards of some hundred scenes under one folder."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from mlx_model.training.canvases import Canvases, canvases
from mlx_model.training.scenes import TASKS, Scene, draw_instruct_variants, draw_patterned_reference, draw_scene

from .autoencoder import Autoencoder
from .precision import autocast
from .text import token_ids

REFERENCE_TASKS = ("reference", "subject", "portrait")
# How many scenes of each task are drawn, relative to each other.
MIX = {
    "generate": 0.4,
    "repaint": 1.5,
    "instruct": 1.7,
    "control": 1.1,
    "remove": 0.7,
    "reference": 1.9,
    "subject": 0.9,
    "portrait": 1.0,
}


def patchify(x: Tensor) -> Tensor:
    """(n, c, h, w) to (n, h / 2 * w / 2, 4 c), order within a token (channel, patch row, patch column)."""
    n, c, h, w = x.shape
    return x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(n, h // 2 * (w // 2), 4 * c)


def unpatchify(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of patchify: (n, rows * columns, 4 c) to (n, c, 2 rows, 2 columns)."""
    n, _, wide = tokens.shape
    return (
        tokens.view(n, rows, columns, wide // 4, 2, 2)
        .permute(0, 3, 1, 4, 2, 5)
        .reshape(n, wide // 4, 2 * rows, 2 * columns)
    )


def unshuffle(mask: Tensor) -> Tensor:
    """(n, h, w) to (n, 64, h / 8, w / 8), order (row in block, column in block)."""
    n, h, w = mask.shape
    return mask.view(n, h // 8, 8, w // 8, 8).permute(0, 2, 4, 1, 3).reshape(n, 64, h // 8, w // 8)


def load_autoencoder(path: Path) -> tuple[Autoencoder, float, float]:
    """The averaged autoencoder, and the scale and shift of its latent (z = scale * (raw - shift))."""
    saved = torch.load(path)
    model = Autoencoder(saved["channels"])
    model.load_state_dict(saved["average"])
    model.eval().to(memory_format=torch.channels_last)
    return model, saved.get("scale", 1.0), saved.get("shift", 0.0)


class Encoder:
    """Encodes canvases in batches, equal ones of a call once."""

    def __init__(self, path: Path):
        self.model, self.scale, self.shift = load_autoencoder(path)

    @torch.no_grad()
    def raw(self, pixels: Tensor) -> Tensor:
        with autocast():
            z = self.model.encode(pixels.to(memory_format=torch.channels_last))
        return self.scale * (z.float() - self.shift)

    def __call__(self, pictures: list[np.ndarray]) -> Tensor:
        """Latents (n, 16, h / 8, w / 8) of pictures (h, w, 3) in [-1, 1]."""
        places: dict[bytes, int] = {}
        different: list[np.ndarray] = []
        index: list[int] = []
        for picture in pictures:
            key = picture.tobytes()
            if key not in places:
                places[key] = len(different)
                different.append(picture)
            index.append(places[key])
        parts = [
            self.raw(torch.from_numpy(np.stack(different[start : start + 16])).permute(0, 3, 1, 2))
            for start in range(0, len(different), 16)
        ]
        return torch.cat(parts)[index]


def tokens_of(encoder: Encoder, group: list[Canvases]) -> dict[str, Tensor]:
    """Tokens of scenes of one canvas size: float16 latents, mask bits packed, weights in sixteenths."""
    mask = patchify(unshuffle(torch.from_numpy(np.stack([c.mask for c in group])))).to(torch.uint8)
    weight = patchify(torch.from_numpy(np.stack([c.weight for c in group]))[:, None])
    latents = encoder([c.target for c in group] + [c.edit for c in group] + [c.modify for c in group])
    target, edit, modify = patchify(latents).half().split(len(group))
    return {
        "target": target.clone(),
        "edit": edit.clone(),
        "modify": modify.clone(),
        "mask": torch.from_numpy(np.packbits(mask.numpy(), axis=-1)),
        "weight": (weight * 16).round().to(torch.uint8),
    }


def produce(
    autoencoder: Path,
    model: Path,
    folder: Path,
    *,
    first: int,
    last: int,
    per_shard: int,
    size: tuple[int, int],
    tasks: Sequence[str],
) -> None:
    """Write shards `first` up to `last` (exclusive); the scenes of a shard follow from its number.

    Beside every instruct scene come the variants of one arrangement (their pictures are shared, so they are cheap),
    beside every reference scene one in a pattern.
    """
    encoder, (t5, clip) = Encoder(autoencoder), token_ids(model)
    wanted = np.array([MIX[task] * (task in tasks) for task in TASKS])
    shares = wanted / wanted.sum()
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(first, last):
        start = time.time()
        rng = np.random.default_rng(shard)
        groups: dict[tuple[int, int], list[tuple[int, Canvases, str]]] = {}
        for index in range(per_shard):
            task = int(rng.choice(len(TASKS), p=shares))
            seed = shard * per_shard + index
            scenes: list[Scene] = [draw_scene(TASKS[task], seed, size)]
            if scenes[0].task == "instruct":
                scenes += draw_instruct_variants(seed, size)
            elif scenes[0].task == "reference":
                scenes.append(draw_patterned_reference(seed, size))
            for scene in scenes:
                one = canvases(scene)
                groups.setdefault((one.mask.shape[0] // 16, one.mask.shape[1] // 16), []).append(
                    (task, one, scene.instruction)
                )
        out: dict[tuple[int, int], dict[str, Tensor]] = {}
        for key, group in groups.items():
            entry = tokens_of(encoder, [one for _, one, _ in group])
            entry["task"] = torch.tensor([task for task, _, _ in group], dtype=torch.uint8)
            entry["t5"] = torch.tensor([t5.encode(text).ids for _, _, text in group], dtype=torch.int16)
            entry["clip"] = torch.tensor([clip.encode(text).ids for _, _, text in group], dtype=torch.int16)
            out[key] = entry
        path = folder / f"shard_{size[0]}x{size[1]}_{shard:05d}.pt"
        torch.save(out, path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
        if shard % 10 == 0:
            print(shard, round(time.time() - start, 2), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("autoencoder", type=Path)
    parser.add_argument("model", type=Path, help="folder with the tokenizers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=100)
    parser.add_argument("--per-shard", type=int, default=256)
    parser.add_argument("--height", type=int, default=128)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, help="only these")
    a = parser.parse_args()
    produce(
        a.autoencoder,
        a.model,
        a.folder,
        first=a.first,
        last=a.last,
        per_shard=a.per_shard,
        size=(a.height, a.width),
        tasks=a.tasks,
    )
