"""LoRA training: low-rank updates of the attention, MLP and modulation linears of all blocks; the model stays frozen.

What is trained is attached with the product's own side paths, and saved in kohya's layout, which ``--adapter`` reads.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_model.runtime import mx, optimizers
from mlx_model.training.flow import Drawn, FlowModel, FlowSettings, draw, flow_loss
from mlx_model.training.latents import ExampleSet
from mlx_model.weights.layouts import linear_shapes
from mlx_model.weights.lora import LoadedAdapter, LowRank, attach


@dataclass(frozen=True)
class AdapterSettings:
    """How to train an adapter; ``flow`` says what is trained on (its optimizer settings are not used)."""

    flow: FlowSettings
    rank: int = 16
    steps: int = 500
    learning_rate: float = 1e-3


def start_updates(model: FlowModel, rank: int, seed: int) -> dict[str, LowRank]:
    """Return an update for every linear layer of the blocks: ``down`` random, ``up`` zero, so nothing changes yet."""
    key, updates = mx.random.key(seed), dict[str, LowRank]()
    for name, (outputs, inputs) in linear_shapes(model.transformer.config).items():
        if "_blocks." in name:
            key, part = mx.random.split(key)
            down = mx.random.normal((rank, inputs), key=part) / math.sqrt(inputs)
            updates[name] = LowRank(down, mx.zeros((outputs, rank)))
    return updates


def put_on(model: FlowModel, updates: Mapping[str, LowRank]) -> None:
    """Attach the updates, at full strength, to the transformer and to its modulation."""
    adapter = LoadedAdapter("in training", 1.0, {name: (update,) for name, update in updates.items()})
    attach(model.transformer, [adapter])
    attach(model.modulation, [adapter])


def train_adapter(
    model: FlowModel, examples: ExampleSet, settings: AdapterSettings
) -> tuple[dict[str, LowRank], list[float]]:
    """Train; returns the updates, which stay attached, and the loss of every step."""
    updates = start_updates(model, settings.rank, settings.flow.seed)
    optimizer = optimizers.AdamW(learning_rate=settings.learning_rate, weight_decay=0.0)

    def loss_of(parameters: dict[str, dict[str, mx.array]], drawn: Drawn) -> mx.array:
        put_on(model, {name: LowRank(halves["down"], halves["up"]) for name, halves in parameters.items()})
        return flow_loss(model, drawn.batch, drawn.noise, drawn.sigma)

    parameters = {name: {"down": update.down, "up": update.up} for name, update in updates.items()}
    gradient, losses = mx.value_and_grad(loss_of), list[float]()
    for step in range(settings.steps):
        loss, gradients = gradient(parameters, draw(examples, settings.flow, step))
        fall = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        optimizer.learning_rate = settings.learning_rate * fall
        parameters = optimizer.apply_gradients(gradients, parameters)
        mx.eval(parameters, optimizer.state, loss)
        losses.append(float(np.array(loss)))
    updates = {name: LowRank(halves["down"], halves["up"]) for name, halves in parameters.items()}
    put_on(model, updates)
    return updates, losses


def save_adapter(updates: Mapping[str, LowRank], path: Path) -> None:
    """Write the updates in kohya's layout; alpha equals the rank."""
    tensors: dict[str, mx.array] = {}
    for name, update in updates.items():
        stem = "lora_unet_" + name.replace(".", "_")
        tensors[f"{stem}.lora_down.weight"], tensors[f"{stem}.lora_up.weight"] = update.down, update.up
        tensors[f"{stem}.alpha"] = mx.array(float(update.down.shape[0]))
    mx.save_safetensors(str(path), tensors)
