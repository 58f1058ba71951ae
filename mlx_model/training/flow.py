"""Rectified-flow training of a whole model: transformer, modulation and both text encoders (arXiv 2501.02487).

x = (1 - sigma) target + sigma noise; the network's aim is noise - target; sigma is the sigmoid of a normal number.
Stage 1 trains tasks without references, stage 2 all of them.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlx_model.networks.clip import ClipTextEncoder
from mlx_model.networks.modulation import ModulationLayers
from mlx_model.networks.t5 import T5Encoder
from mlx_model.networks.transformer import Transformer
from mlx_model.runtime import mx, nn, optimizers, tree
from mlx_model.training.latents import Batch, ExampleSet
from mlx_model.weights.config import ModelConfig
from mlx_model.weights.model_folder import read_tensors


@dataclass(frozen=True)
class FlowSettings:
    """How to train.

    ``steps`` counts both stages, ``stage_one`` those without references; later ``reference_share`` of the batches
    has references. ``tokens`` is the batch in image tokens. The learning rate rises over ``warm_up`` steps and
    falls as a cosine to 2 %. sigma is sigmoid(``sigma_mean`` + ``sigma_std`` normal). A checkpoint is written every
    ``checkpoint`` steps, a line of the log every ``log`` steps.
    """

    steps: int = 12_000
    stage_one: int = 1_500
    reference_share: float = 0.55
    tokens: int = 2048
    learning_rate: float = 8e-4
    warm_up: int = 200
    weight_decay: float = 0.01
    average: float = 0.999
    clip_norm: float = 1.0
    sigma_mean: float = 0.2
    sigma_std: float = 1.1
    seed: int = 0
    checkpoint: int = 500
    log: int = 50


class FlowModel(nn.Module):
    """What is trained together."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.transformer = Transformer(config.transformer)
        self.modulation = ModulationLayers(config.transformer)
        self.t5 = T5Encoder(config.t5)
        self.clip = ClipTextEncoder(config.clip)

    def __call__(self, batch: Batch, noisy: mx.array, sigma: mx.array) -> mx.array:
        """Return the velocity (B, N, 64) of noisy tokens (B, N, 64) at noise levels (B,)."""
        text = self.transformer.embed_text(self.t5(batch.t5))
        vector = self.transformer.vector(sigma, mx.ones_like(sigma), self.clip(batch.clip))
        rope = self.transformer.rope(text.shape[1], *batch.grid)
        tokens = mx.concatenate([noisy, batch.condition], axis=-1)
        return self.transformer(tokens, text, self.modulation(vector), rope)


def start_weights(model: FlowModel) -> None:
    """Close all gates, let the output start at zero, and carry latents into the stream as they are.

    The first slots of the stream receive a token's 64 noisy numbers and the sum of its edit and modify latents, so
    that keeping what stands there is learnt in the first minutes.
    """
    zeros = [
        (name, mx.zeros_like(value))
        for name, value in _flat(model.parameters()).items()
        if name.startswith(("modulation.", "transformer.final_layer.linear."))
    ]
    weight = 0.5 * model.transformer.img_in.weight
    out = model.transformer.config.out_channels
    if weight.shape[0] >= 2 * out and weight.shape[1] >= 3 * out:
        weight[: 2 * out] = 0
        for slot, source in ((0, 0), (out, out), (out, 2 * out)):
            weight[slot : slot + out, source : source + out] = mx.eye(out)
    model.update(tree.tree_unflatten([*zeros, ("transformer.img_in.weight", weight)]))


def flow_loss(model: FlowModel, batch: Batch, noise: mx.array, sigma: mx.array) -> mx.array:
    """Return the mean over examples of the squared velocity error, weighted within each."""
    level = sigma[:, None, None]
    velocity = model(batch, (1 - level) * batch.target + level * noise, sigma)
    weight = mx.tile(batch.weight, (1, 1, batch.target.shape[-1] // batch.weight.shape[-1]))
    error = mx.square(velocity - (noise - batch.target)) * weight
    return (error.mean((1, 2)) / weight.mean((1, 2))).mean()


def learning_rate(settings: FlowSettings, step: int) -> float:
    """Return the rate of a step, counted from 0."""
    warm = min(1.0, (step + 1) / settings.warm_up)
    return settings.learning_rate * warm * (0.02 + 0.49 * (1 + math.cos(math.pi * step / settings.steps)))


def _flat(parameters: Any) -> dict[str, mx.array]:
    """Flatten nested parameters to released names."""
    return dict(tree.tree_flatten(parameters))


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch with its noise."""

    batch: Batch
    noise: mx.array
    sigma: mx.array


def draw(examples: ExampleSet, settings: FlowSettings, step: int) -> Drawn:
    """Draw what a step trains on; it follows from seed and step alone, so that a resumed run goes on unchanged."""
    rng = np.random.default_rng([settings.seed, step])
    references = step >= settings.stage_one and bool(rng.random() < settings.reference_share)
    batch = examples.batch(rng, references, settings.tokens)
    noise = mx.array(rng.standard_normal(batch.target.shape, np.float32))
    normal = rng.standard_normal(batch.target.shape[0]).astype(np.float32)
    return Drawn(batch, noise, mx.sigmoid(settings.sigma_mean + settings.sigma_std * mx.array(normal)))


class Training:
    """A run: the model, its average, the optimizer's state and the number of steps done."""

    def __init__(self, config: ModelConfig, settings: FlowSettings):
        mx.random.seed(settings.seed)
        self.settings, self.step, self.seconds = settings, 0, 0.0
        self.model = FlowModel(config)
        start_weights(self.model)
        self.average = dict(_flat(self.model.parameters()))
        self.optimizer = optimizers.AdamW(
            learning_rate=0.0, betas=[0.9, 0.99], weight_decay=settings.weight_decay, bias_correction=True
        )
        self.optimizer.init(self.model.trainable_parameters())
        self._gradient = nn.value_and_grad(self.model, flow_loss)

    def advance(self, examples: ExampleSet) -> float:
        """Make one step; returns its loss."""
        start, settings = time.monotonic(), self.settings
        drawn = draw(examples, settings, self.step)
        loss, gradients = self._gradient(self.model, drawn.batch, drawn.noise, drawn.sigma)
        gradients, _ = optimizers.clip_grad_norm(gradients, settings.clip_norm)
        self.optimizer.learning_rate = learning_rate(settings, self.step)
        self.optimizer.update(self.model, gradients)
        keep = min(settings.average, (1 + self.step) / (20 + self.step))
        now = _flat(self.model.parameters())
        self.average = {name: keep * old + (1 - keep) * now[name] for name, old in self.average.items()}
        mx.eval(self.model.parameters(), self.average, self.optimizer.state, loss)
        self.step += 1
        self.seconds += time.monotonic() - start
        return loss.item()

    def save(self, folder: Path) -> None:
        """Write ``folder/checkpoint.safetensors``, whole by rename."""
        parts = {"model": self.model.parameters(), "optimizer": self.optimizer.state}
        tensors = _flat(parts) | {f"average.{name}": value for name, value in self.average.items()}
        folder.mkdir(parents=True, exist_ok=True)
        whole, partial = folder / "checkpoint.safetensors", folder / "checkpoint.part.safetensors"
        progress = {"step": self.step, "seconds": self.seconds, "settings": asdict(self.settings)}
        tensors["progress"] = mx.array(np.frombuffer(json.dumps(progress).encode(), np.uint8))
        mx.save_safetensors(str(partial), tensors)
        partial.replace(whole)

    def resume(self, folder: Path) -> None:
        """Go on from ``folder/checkpoint.safetensors``.

        Raises:
            RequestError: there is none, or it cannot be read.
            ValueError: it was made with other settings.
        """
        tensors = read_tensors(folder / "checkpoint.safetensors")
        progress: dict[str, Any] = json.loads(np.array(tensors.pop("progress")).tobytes())
        if progress["settings"] != asdict(self.settings):
            raise ValueError("the checkpoint was made with other settings; give those, or another folder")
        self.average = {name: tensors.pop(f"average.{name}") for name in self.average}
        parts: dict[str, Any] = tree.tree_unflatten(list(tensors.items()))
        self.model.update(parts["model"])
        self.optimizer.state = parts["optimizer"]
        self.step, self.seconds = progress["step"], progress["seconds"]
        mx.eval(self.model.parameters(), self.average, self.optimizer.state)


def train(
    training: Training, examples: ExampleSet, folder: Path, on_log: Callable[[dict[str, float]], None] | None = None
) -> None:
    """Train to the last step, with checkpoints and ``folder/log.jsonl`` (step, loss, lr, seconds: to be plotted)."""
    folder.mkdir(parents=True, exist_ok=True)
    losses: list[float] = []
    settings = training.settings
    path = folder / "log.jsonl"
    if path.exists():  # a run that was cut off logged steps after its last checkpoint
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(one for one in lines if json.loads(one)["step"] <= training.step), encoding="utf-8")
    with path.open("a", encoding="utf-8") as log:
        while training.step < settings.steps:
            rate = learning_rate(settings, training.step)
            losses.append(training.advance(examples))
            last = training.step == settings.steps
            if training.step % settings.log == 0 or last:
                loss = float(np.mean(losses))
                line = {"step": training.step, "loss": loss, "lr": rate, "seconds": training.seconds}
                log.write(json.dumps(line) + "\n")
                log.flush()
                losses.clear()
                if on_log is not None:
                    on_log(line)
            if training.step % settings.checkpoint == 0 or last:
                training.save(folder)
