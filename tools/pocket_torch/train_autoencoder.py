"""Train the small autoencoder: L1 + MSE + gradient loss, latent kept near white, noise on the latent.

The noise makes the decoder tolerant of a denoiser's errors and the latent smooth; the whiteness (zero mean, unit
standard deviation, small covariance per channel) gives the rectified flow sixteen channels of equal worth.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from .autoencoder import Autoencoder
from .optimiser import Muon
from .precision import autocast

NOISE = 0.12
WHITENESS = 0.02


def crops(pictures: np.ndarray, rng: np.random.Generator, count: int, side: int) -> Tensor:
    """`count` random crops, flipped and turned at random, as (count, 3, side, side) in [-1, 1]."""
    out = np.empty((count, side, side, 3), np.uint8)
    for index, pick in enumerate(rng.integers(len(pictures), size=count)):
        y, x = rng.integers(0, pictures.shape[1] - side + 1), rng.integers(0, pictures.shape[2] - side + 1)
        crop = pictures[pick, y : y + side, x : x + side]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if rng.random() < 0.25:
            crop = crop.transpose(1, 0, 2)
        out[index] = crop
    return torch.from_numpy(out).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical differences."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """L1 + 2 MSE + half an L1 on the gradients, pixels in [-1, 1]."""
    difference = output - target
    loss = difference.abs().mean() + 2 * difference.square().mean()
    for a, b in zip(gradients(output), gradients(target), strict=True):
        loss = loss + 0.5 * (a - b).abs().mean()
    return loss


def whiteness(z: Tensor) -> Tensor:
    """How far the 16 channels are from zero mean, unit deviation and no covariance."""
    flat = z.transpose(0, 1).flatten(1)
    mean = flat.mean(1)
    centred = flat - mean[:, None]
    covariance = centred @ centred.T / flat.shape[1]
    return mean.square().mean() + (covariance - torch.eye(len(covariance))).square().sum(1).mean()


def rate(step: int, steps: int, warm: int = 50) -> float:
    """Linear warm-up, then cosine to 3 %."""
    if step < warm:
        return (step + 1) / warm
    return 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, steps - warm))))


def train(
    pictures: Path,
    out: Path,
    *,
    channels: int,
    minutes: float,
    batch: int,
    side: int,
    muon: bool,
    seed: int,
    begin: Path | None,
    speed: float,
) -> None:
    """Train for `minutes` (the cosine follows the clock) and write `out` (a torch file) and a JSON-lines log."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pool, loaded = np.load(pictures, mmap_mode="r"), pictures.stat().st_mtime
    model = Autoencoder(channels).to(memory_format=torch.channels_last)
    if out.exists():
        model.load_state_dict(torch.load(out)["model"])
    elif begin is not None:
        tensors = load_file(begin / "autoencoder.safetensors")
        model.load_state_dict({name: value.float() for name, value in tensors.items()})
    matrices = [
        (n, p)
        for n, p in model.named_parameters()
        if p.ndim == 4 and n not in ("encoder.0.weight", "decoder.19.weight")
    ]
    chosen = {n for n, _ in matrices} if muon else set[str]()
    rest = [p for n, p in model.named_parameters() if n not in chosen]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=1.5e-3, betas=(0.9, 0.99), weight_decay=0.0)
    ]
    if muon:
        optimisers.append(Muon(matrices, lr=1.2e-2, decay=0.0))
    base = [o.param_groups[0]["lr"] * speed for o in optimisers]
    average = {n: p.detach().clone() for n, p in model.state_dict().items()}
    start, step = time.time(), 0
    with out.with_suffix(".jsonl").open("a") as log:
        while (elapsed := time.time() - start) < minutes * 60:
            if step % 100 == 0 and pictures.stat().st_mtime > loaded:
                pool, loaded = np.load(pictures, mmap_mode="r"), pictures.stat().st_mtime
            scale = rate(int(elapsed), int(minutes * 60), warm=10)
            for optimiser, lr in zip(optimisers, base, strict=True):
                optimiser.param_groups[0]["lr"] = lr * scale
            x = crops(pool, rng, batch, side).to(memory_format=torch.channels_last)
            with autocast():
                z = model.encode(x)
                deviation = z.detach().float().std()
                y = model.decode(z + NOISE * deviation * torch.randn_like(z))
            loss_pixels = reconstruction_loss(y.float(), x)
            loss = loss_pixels + WHITENESS * whiteness(z.float())
            for optimiser in optimisers:
                optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimiser in optimisers:
                optimiser.step()
            decay = min(0.998, (1 + step) / (10 + step))
            with torch.no_grad():
                for name, value in model.state_dict().items():
                    average[name].lerp_(value, 1 - decay)
            step += 1
            if step % 50 == 0:
                mse = functional.mse_loss(y.float().clamp(-1, 1), x).item()
                record = {"step": step, "seconds": round(time.time() - start, 1), "loss": round(loss.item(), 4)}
                record |= {"pixels": round(loss_pixels.item(), 4), "psnr": round(10 * math.log10(4 / mse), 2)}
                record |= {"lr": scale, "z_std": round(deviation.item(), 3)}
                log.write(json.dumps(record) + "\n")
                log.flush()
            if step % 500 == 0:
                torch.save({"model": model.state_dict(), "average": average, "channels": channels}, out)
    torch.save({"model": model.state_dict(), "average": average, "channels": channels}, out)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, help="uint8 array (n, h, w, 3)")
    parser.add_argument("out", type=Path)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--adamw", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--begin", type=Path, help="a model folder whose autoencoder to begin with")
    parser.add_argument("--speed", type=float, default=1.0, help="factor on the learning rates")
    a = parser.parse_args()
    train(
        a.pictures,
        a.out,
        channels=a.channels,
        minutes=a.minutes,
        batch=a.batch,
        side=a.side,
        muon=not a.adamw,
        seed=a.seed,
        begin=a.begin,
        speed=a.speed,
    )
