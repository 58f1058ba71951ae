"""Look at a checkpoint: ten Euler steps on scenes never trained on, a contact sheet and rough figures per task."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from mlx_model.training.canvases import Canvases, canvases, reference_columns
from mlx_model.training.scenes import TASKS, Scene, draw_scene

from .encode import Encoder, patchify, unpatchify, unshuffle
from .precision import autocast
from .text import token_ids
from .train import Model
from .transformer import Shape, rope_tables


@dataclass(frozen=True)
class Drawn:
    scene: Scene
    canvas: Canvases
    result: np.ndarray


def schedule(steps: int, tokens: int) -> Tensor:
    """Sigmas from 1 to 0, shifted as ACE++ does."""
    mu = 0.5 + (tokens - 256) * (1.15 - 0.5) / (4096 - 256)
    s = torch.linspace(1, 0, steps + 1)
    return torch.cat([math.exp(mu) / (math.exp(mu) + 1 / s[:-1] - 1), s[-1:]])


def load_model(checkpoint: Path, averaged: bool = True) -> Model:
    """The (averaged) model of a checkpoint."""
    saved = torch.load(checkpoint)
    shape = saved["shape"] | {"axes_dim": tuple(saved["shape"]["axes_dim"])}
    model = Model(Shape(**shape), *saved["words"])
    model.load_state_dict(saved["model"])
    if averaged:
        model.load_state_dict(saved["average"], strict=False)
    return model.eval()


class Sampler:
    """Carries scenes of one canvas size through encoder, ten steps and decoder."""

    def __init__(self, checkpoint: Path, autoencoder: Path, tokenizers: Path):
        self.model, self.encoder = load_model(checkpoint), Encoder(autoencoder)
        self.t5, self.clip = token_ids(tokenizers)

    @torch.no_grad()
    def __call__(self, scenes: list[Scene], steps: int = 10, seed: int = 0) -> list[Drawn]:
        group = [canvases(scene) for scene in scenes]
        height, width = group[0].mask.shape
        edit, modify = (patchify(self.encoder([getattr(c, n) for c in group])) for n in ("edit", "modify"))
        mask = patchify(unshuffle(torch.from_numpy(np.stack([c.mask for c in group]))))
        x = torch.randn(edit.shape, generator=torch.Generator().manual_seed(seed))
        t5 = torch.tensor([self.t5.encode(scene.instruction).ids for scene in scenes])
        clip = torch.tensor([self.clip.encode(scene.instruction).ids for scene in scenes])
        rope = rope_tables(self.model.transformer.shape, t5.shape[1], height // 16, width // 16)
        levels = schedule(steps, x.shape[1])
        with autocast():
            for now, following in itertools.pairwise(levels):
                velocity, _ = self.model(torch.cat([x, edit, modify, mask], -1), t5, clip, now.expand(len(x)), rope)
                x = x + (following - now) * velocity.float()
            latent = unpatchify(x, height // 16, width // 16) / self.encoder.scale + self.encoder.shift
            pixels = self.encoder.model.decode(latent).float().clamp(-1, 1)
        shown = ((pixels.permute(0, 2, 3, 1).numpy() + 1) * 127.5).round().astype(np.uint8)
        return [
            Drawn(s, c, p[:, p.shape[1] - s.target.shape[1] :]) for s, c, p in zip(scenes, group, shown, strict=True)
        ]


def figures(drawn: Drawn) -> tuple[float, float, float]:
    """Median distance (CIE76) on the object, rough overlap of its shape, mean distance elsewhere."""
    lab = [cv2.cvtColor((p / 255).astype(np.float32), cv2.COLOR_RGB2LAB) for p in (drawn.result, drawn.scene.target)]
    distance = np.linalg.norm(lab[0] - lab[1], axis=-1)
    thing = drawn.scene.object_mask
    ring = cv2.dilate(thing.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & ~thing
    good = distance < 25
    overlap = (thing & good).sum() / (thing.sum() + (ring & ~good).sum())
    return (
        float(np.median(distance[thing])),
        float(overlap),
        float(distance[~thing].mean()) if (~thing).any() else 0.0,
    )


def sheet(drawn: list[Drawn], columns: int = 4) -> np.ndarray:
    """Input with the mask drawn in, reference, result, target."""
    tiles: list[np.ndarray] = []
    for one in drawn:
        shown = ((one.canvas.edit + one.canvas.modify + 1) * 127.5).astype(np.uint8)
        shown = shown[:, max(0, shown.shape[1] - 224) :]
        tile = np.full((150, 224 + 264, 3), 255, np.uint8)
        tile[:128, : shown.shape[1]] = shown
        tile[:128, 228:356], tile[:128, 360:488] = one.result, one.scene.target
        text = one.scene.instruction if one.scene.instruction.isascii() else f"(Korean {len(one.scene.instruction)})"
        text = f"{one.scene.task}: {text} {figures(one)[1]:.2f}"
        cv2.putText(tile, text, (2, 143), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
        tiles.append(tile)
    while len(tiles) % columns:
        tiles.append(np.full_like(tiles[0], 255))
    return np.concatenate([np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)])


def main() -> None:
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("autoencoder", type=Path)
    parser.add_argument("tokenizers", type=Path)
    parser.add_argument("--out", type=Path, default=Path("sheet.png"))
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--shown", type=int, default=4)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS))
    a = parser.parse_args()
    sampler = Sampler(a.checkpoint, a.autoencoder, a.tokenizers)
    shown: list[Drawn] = []
    for task in a.tasks:
        groups: dict[int, list[Scene]] = {}
        for seed in range(a.scenes):
            scene = draw_scene(task, seed, split="look")
            groups.setdefault(sum(c.shape[1] for c in reference_columns(scene)), []).append(scene)
        drawn = [one for group in groups.values() for one in sampler(group, a.steps)]
        numbers = np.array([figures(one) for one in drawn])
        success = float(((numbers[:, 0] <= 14) & (numbers[:, 1] >= 0.6) & (numbers[:, 2] <= 5)).mean())
        record = {"task": task, "success": round(success, 2), "object": round(float(np.median(numbers[:, 0])), 1)}
        record |= {
            "overlap": round(float(numbers[:, 1].mean()), 2),
            "elsewhere": round(float(numbers[:, 2].mean()), 1),
        }
        print(json.dumps(record), flush=True)
        shown += drawn[: a.shown]
    cv2.imwrite(str(a.out), sheet(shown)[..., ::-1])


if __name__ == "__main__":
    main()
