"""Rectified-flow training of the built-in model in torch: stage 1 without, stage 2 with references.

x = (1 - sigma) target + sigma noise, the network's aim is noise - target, sigma = sigmoid(normal). Muon for the
matrices of the blocks, AdamW for the rest; a cosine that follows the clock, so that a run of N minutes ends in N
minutes on any machine; an exponential average of the weights; checkpoints from which a run goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import asdict
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from mlx_model.training.canvases import MASKED, OBJECT
from mlx_model.training.scenes import TASKS

from .encode import REFERENCE_TASKS
from .optimiser import Muon
from .precision import DTYPE, autocast
from .text import TextEncoders, token_ids
from .transformer import Shape, Transformer, rope_tables, start_weights

SAMPLE_WEIGHT = {
    "generate": 0.2,
    "repaint": 0.8,
    "instruct": 4.5,
    "control": 1.0,
    "remove": 0.3,
    "reference": 4.0,
    "subject": 0.6,
    "portrait": 1.4,
}
BACKGROUND_WEIGHT = 3.0
"""New backgrounds are the rarest of the instructions: each is drawn as often as three other scenes."""
SIGMA_MEAN, SIGMA_STD, SIGMA_HIGH = 0.2, 1.1, 0.4
WHERE_WEIGHT, WHERE_SIGMA = 0.2, 0.8
"""Of the loss of `Where`, which counts at higher noise levels only: at lower ones the noisy picture tells."""


class Where(nn.Module):
    """Tells of each latent of a token (n, tokens, 4 logits) whether it has to appear or change; only for training.

    Asked of the transformer's own tokens a third of the way, it teaches early which of several objects is meant.
    """

    def __init__(self, wide: int):
        super().__init__()
        self.out = nn.Linear(wide, 4)

    def forward(self, early: Tensor, weight: Tensor, sigma: Tensor) -> Tensor:
        """Loss per scene from the tokens and the weights of the loss, in sixteenths (n, tokens, 4)."""
        logits = self.out(functional.layer_norm(early.float(), (early.shape[-1],)))
        wanted = (weight > 16 * (OBJECT + MASKED) / 2).float()
        error = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return error.mean((1, 2)) * (sigma > WHERE_SIGMA)


class Model(nn.Module):
    """Text encoders and transformer, trained together."""

    def __init__(self, shape: Shape, t5_words: int, clip_words: int):
        super().__init__()
        self.transformer = Transformer(shape)
        start_weights(self.transformer)
        self.text = TextEncoders(t5_words, clip_words)
        self.where = Where(shape.hidden_size)

    def forward(
        self, tokens: Tensor, t5: Tensor, clip: Tensor, sigma: Tensor, rope: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        context, pooled = self.text(t5, clip)
        return self.transformer(tokens, context, pooled, sigma, rope)


class Latents:
    """All shards in memory, by canvas size (rows, columns)."""

    def __init__(self, folder: Path):
        self.folder, self.seen = folder, set[str]()
        self.parts: dict[tuple[int, int], dict[str, list[Tensor]]] = {}
        self.data: dict[tuple[int, int], dict[str, Tensor]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read shards that are new since the last time."""
        new = [path for path in sorted(self.folder.glob("*.pt")) if path.name not in self.seen]
        touched: dict[tuple[int, int], dict[str, list[Tensor]]] = {}
        for path in new:
            self.seen.add(path.name)
            for key, entry in torch.load(path).items():
                for name, value in entry.items():
                    touched.setdefault(key, {}).setdefault(name, []).append(value)
        for key, entry in touched.items():
            old = self.data.get(key)
            self.data[key] = {n: torch.cat([old[n], *v] if old else v) for n, v in entry.items()}
        weights = torch.tensor([SAMPLE_WEIGHT[task] for task in TASKS])
        self.chance = {key: weights[entry["task"].long()] for key, entry in self.data.items()}
        # Tasks weigh by SAMPLE_WEIGHT whatever their number of scenes.
        counts = torch.zeros(len(TASKS))
        for entry in self.data.values():
            counts += torch.bincount(entry["task"].long(), minlength=len(TASKS))
        self.chance = {key: chance / counts[self.data[key]["task"].long()] for key, chance in self.chance.items()}
        everywhere = {key: (entry["weight"] == 16 * OBJECT).all(2).all(1) for key, entry in self.data.items()}
        self.chance = {k: chance * (1 + (BACKGROUND_WEIGHT - 1) * everywhere[k]) for k, chance in self.chance.items()}
        self.cumulative = {key: chance.cumsum(0) for key, chance in self.chance.items()}

    def __len__(self) -> int:
        return sum(len(entry["task"]) for entry in self.data.values())

    def batch(
        self, generator: torch.Generator, references: bool, token_budget: int
    ) -> tuple[tuple[int, int], dict[str, Tensor]]:
        """A batch of one canvas size, sizes as frequent as their scenes' weight; tokens * samples near the budget."""
        names = [i for i, task in enumerate(TASKS) if task in REFERENCE_TASKS]
        keys = [
            k for k, e in self.data.items() if (int(e["task"][0]) in names) == references and len(e["task"]) >= 16
        ]
        share = torch.tensor([float(self.chance[key].sum()) for key in keys])
        key = keys[int(torch.multinomial(share, 1, generator=generator))]
        count = max(4, round(token_budget / (key[0] * key[1]) / 4) * 4)
        entry, cumulative = self.data[key], self.cumulative[key]
        picks = torch.searchsorted(cumulative, torch.rand(count, generator=generator) * cumulative[-1]).clamp(
            max=len(cumulative) - 1
        )
        return key, {name: value[picks] for name, value in entry.items()}


BITS = 1 << torch.arange(7, -1, -1, dtype=torch.uint8)


def unpack_mask(packed: Tensor) -> Tensor:
    """(n, tokens, 32) bytes to (n, tokens, 256) zeros and ones."""
    return (packed[..., None] & BITS).ne(0).flatten(-2).to(DTYPE)


def sigmas(count: int, generator: torch.Generator) -> Tensor:
    """Noise levels: sigmoid of a normal number, and a share near 1, where words and references decide the picture."""
    levels = torch.sigmoid(SIGMA_MEAN + SIGMA_STD * torch.randn(count, generator=generator))
    high = 1 - 0.3 * torch.rand(count, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < SIGMA_HIGH, high, levels)


def optimisers_of(model: Model, muon: bool, lr: float, muon_lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks (not the modulation), AdamW for all else."""
    inner = [
        (n, p)
        for n, p in model.named_parameters()
        if muon and p.ndim == 2 and "_blocks." in n and "mod" not in n.split("_blocks.")[1]
    ]
    chosen = {n for n, _ in inner}
    rest = [(n, p) for n, p in model.named_parameters() if n not in chosen]
    decayed = [p for n, p in rest if p.ndim == 2 and "embed" not in n and "shared" not in n]
    plain = [p for n, p in rest if not (p.ndim == 2 and "embed" not in n and "shared" not in n)]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    out: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.99), fused=True)]
    if inner:
        out.append(Muon(inner, lr=muon_lr))
    return out


def begin_with(model: Model, folder: Path) -> None:
    """Load the weights of a model folder with the same sizes and tokenizers."""
    tensors = {n: v.float() for file in ("transformer", "modulation") for n, v in read(folder / file).items()}
    model.transformer.load_state_dict(tensors)
    t5 = {n: v.float() for n, v in read(folder / "t5").items()}
    model.text.t5.load_state_dict(t5 | {"encoder.embed_tokens.weight": t5["shared.weight"]})
    theirs = {n.removeprefix("text_model."): v.float() for n, v in read(folder / "clip").items()}
    prefix = "text_model." if any(n.startswith("text_model.") for n in model.text.clip.state_dict()) else ""
    ours = {f"{prefix}{n}": v for n, v in theirs.items()}
    missing, unknown = model.text.clip.load_state_dict(ours, strict=False)
    if unknown or any("position_ids" not in name for name in missing):
        raise ValueError(f"{folder / 'clip.safetensors'} does not fit: {missing + unknown}")


def read(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file, named without its suffix."""
    return load_file(path.with_suffix(".safetensors"))


class Together:
    """Two or more one-thread processes that train one model: gradients averaged, Muon's matrices shared out.

    On a machine with other work a process with two threads waits at every operation for the slower one; processes
    wait for each other once per step.
    """

    def __init__(self, model: Model, optimisers: list[torch.optim.Optimizer]):
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.params = list(model.parameters())
        self.grads = torch.zeros(sum(p.numel() for p in self.params))
        place = 0
        for parameter in self.params:
            parameter.grad = self.grads[place : place + parameter.numel()].view(parameter.shape)
            place += parameter.numel()
        self.shares: list[list[Tensor]] = []
        if self.world > 1:
            muon = optimisers[-1]
            everything = sorted(muon.param_groups[0]["params"], key=lambda p: -p.numel())
            self.shares = [everything[rank :: self.world] for rank in range(self.world)]
            muon.param_groups[0]["params"] = self.shares[self.rank]

    def average_gradients(self) -> None:
        if self.world > 1:
            half = self.grads.to(DTYPE)
            dist.all_reduce(half)
            self.grads.copy_(half).div_(self.world)

    @torch.no_grad()
    def share_weights(self) -> None:
        for rank, share in enumerate(self.shares):
            flat = torch.cat([p.reshape(-1) for p in share])
            dist.broadcast(flat, rank)
            if rank != self.rank:
                for parameter, value in zip(share, flat.split([p.numel() for p in share]), strict=True):
                    parameter.copy_(value.view(parameter.shape))

    def agreed(self, value: float) -> float:
        """The first process' value, the same for all."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared)


def train(latents_folder: Path, model_folder: Path, out: Path, args: argparse.Namespace) -> None:
    """Train until the minutes are over (all runs of this checkpoint together)."""
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    t5, clip = token_ids(model_folder)
    shape = Shape(hidden_size=args.wide, num_heads=args.heads, depth=args.double, depth_single_blocks=args.single)
    rank = dist.get_rank() if dist.is_initialized() else 0
    own = out if rank == 0 else out.with_name(f"{out.stem}_{rank}{out.suffix}")
    model = Model(shape, t5.get_vocab_size(), clip.get_vocab_size())
    if args.begin:
        begin_with(model, args.begin)
    optimisers = optimisers_of(model, not args.adamw, args.lr, args.muon_lr)
    base = [[g["lr"] for g in o.param_groups] for o in optimisers]
    average = {n: p.detach().clone() for n, p in model.named_parameters()}
    step, before = 0, 0.0
    together = Together(model, optimisers)
    generator.manual_seed(args.seed * 1000 + rank)
    if own.exists():
        # Everything but Muon's share and the stream of chance is the first process', so that all agree.
        saved, mine = torch.load(out), torch.load(own)
        model.load_state_dict(saved["model"])
        average = saved["average"]
        optimisers[0].load_state_dict(saved["optimisers"][0])
        if len(optimisers) > 1:
            optimisers[1].load_state_dict(mine["optimisers"][1])
        generator.set_state(mine["generator"])
        torch.set_rng_state(mine["rng"])
        step, before = saved["step"], saved["seconds"]

    def save() -> None:
        state = {
            "model": model.state_dict(), "average": average, "optimisers": [o.state_dict() for o in optimisers],
            "generator": generator.get_state(), "rng": torch.get_rng_state(), "step": step,
            "seconds": before + time.time() - start, "shape": asdict(shape),
            "words": (t5.get_vocab_size(), clip.get_vocab_size()),
        }  # fmt: skip
        torch.save(state, own.with_suffix(".part"))
        own.with_suffix(".part").rename(own)

    data = Latents(latents_folder)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(data)} scenes", flush=True)
    ropes: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
    params = list(model.parameters())
    averages = [average[n] for n, _ in model.named_parameters()]
    kinds = torch.Generator().manual_seed(args.seed + step)
    start, kept, fresh = time.time(), before, before
    totals, norms = torch.zeros(4, len(TASKS)), 0.0  # losses, scenes, losses of Where, scenes that have one
    with own.with_suffix(".jsonl").open("a") as log:
        while (elapsed := together.agreed(before + time.time() - start)) < args.minutes * 60:
            if elapsed - kept > 240:
                save()
                kept = elapsed
            if elapsed - fresh > 90:
                data.refresh()
                fresh = elapsed
            done = elapsed / (args.minutes * 60)
            scale = min(1.0, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
            for optimiser, rates in zip(optimisers, base, strict=True):
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * scale
            first = elapsed < args.stage_one * 60
            # The same kind of batch everywhere, so that no process waits for another's longer canvas.
            references = not first and float(torch.rand(1, generator=kinds)) < args.reference_share
            key, batch = data.batch(generator, references, args.tokens)
            target = batch["target"].float()
            noise = torch.randn(target.shape, generator=generator)
            sigma = sigmas(len(target), generator)
            level = sigma[:, None, None]
            noisy = (1 - level) * target + level * noise
            tokens = torch.cat(
                [noisy.to(DTYPE), batch["edit"].to(DTYPE), batch["modify"].to(DTYPE), unpack_mask(batch["mask"])],
                -1,
            )
            if key not in ropes:
                ropes[key] = rope_tables(shape, batch["t5"].shape[1], *key)
            with autocast():
                velocity, early = model(tokens, batch["t5"].long(), batch["clip"].long(), sigma, ropes[key])
            weight = batch["weight"].float().div(16).repeat(1, 1, 16)
            error = (velocity.float() - (noise - target)).square() * weight
            each = error.mean((1, 2)) / weight.mean((1, 2))
            where = model.where(early, batch["weight"], sigma)
            loss = each.mean() + WHERE_WEIGHT * where.mean()
            loss.backward()
            together.average_gradients()
            norm = torch.nn.utils.clip_grad_norm_(params, 1.0)
            for optimiser in optimisers:
                optimiser.step()
            together.grads.zero_()
            together.share_weights()
            with torch.no_grad():
                torch._foreach_lerp_(averages, params, 1 - min(0.999, (1 + step) / (20 + step)))
            told = torch.stack([each.detach(), torch.ones(len(each)), where.detach(), (sigma > WHERE_SIGMA).float()])
            totals.index_add_(1, batch["task"].long(), told)
            norms += float(norm)
            step += 1
            if step % 50 == 0:
                losses, wheres = (
                    {t: round(float(s / c), 4) for t, s, c in zip(TASKS, *totals[row : row + 2], strict=True) if c}
                    for row in (0, 2)
                )
                record = {"step": step, "seconds": round(before + time.time() - start, 1), "lr": round(scale, 4)}
                record |= {"loss": losses, "where": wheres, "norm": round(norms / 50, 3), "scenes": len(data)}
                log.write(json.dumps(record) + "\n")
                log.flush()
                totals, norms = totals.zero_(), 0.0
    save()


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("latents", type=Path)
    parser.add_argument("model", type=Path, help="folder with the tokenizers")
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--stage-one", type=float, default=5, help="minutes without references")
    parser.add_argument("--reference-share", type=float, default=0.5)
    parser.add_argument("--tokens", type=int, default=2048, help="image tokens per batch and process")
    parser.add_argument("--wide", type=int, default=192)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--double", type=int, default=2)
    parser.add_argument("--single", type=int, default=6)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--muon-lr", type=float, default=1e-2)
    parser.add_argument("--begin", type=Path, help="a model folder whose weights to begin with")
    parser.add_argument("--adamw", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    a = arguments().parse_args()
    train(a.latents, a.model, a.out, a)
