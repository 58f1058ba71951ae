"""LoRA training: it learns, leaves the model's own weights alone, and its file is one that the product reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mlx_model.runtime import mx, tree
from mlx_model.training.adapter import AdapterSettings, put_on, save_adapter, start_updates, train_adapter
from mlx_model.training.flow import FlowModel, draw
from mlx_model.weights.lora import AdaptedLinear, attach, detach, read_adapter
from tests.mlx_model.training.tiny_training import SETTINGS, examples, tokenizers


def velocity(model: FlowModel) -> mx.array:
    """Return what the model says to a fixed batch."""
    drawn = draw(examples(), replace(SETTINGS, seed=7), 0)
    return model(drawn.batch, drawn.batch.target, drawn.sigma)


def random_model() -> FlowModel:
    """Return a model with random weights everywhere, gates open: unlike a fresh one, its blocks have a say."""
    mx.random.seed(0)
    return FlowModel(tokenizers()[1])


def test_an_adapter_learns_beside_frozen_weights_and_is_read_back(tmp_path: Path) -> None:
    model = random_model()
    own = {name: np.array(value) for name, value in tree.tree_flatten(model.parameters())}
    plain = velocity(model)
    settings = AdapterSettings(replace(SETTINGS, stage_one=0, seed=3), rank=4, steps=20, learning_rate=1e-2)
    updates, losses = train_adapter(model, examples(), settings)
    first, last = float(np.mean(losses[:8])), float(np.mean(losses[-8:]))
    assert last < 0.9 * first, f"loss {first:.3f} in the first steps, {last:.3f} in the last"
    adapted = velocity(model)
    assert np.abs(np.array(adapted - plain)).max() > 0.01

    save_adapter(updates, tmp_path / "style.safetensors")
    read = read_adapter(tmp_path / "style.safetensors", tokenizers()[1].transformer, dtype=mx.float32)
    assert set(read.updates) == set(updates)
    attach(model.transformer, [read])
    attach(model.modulation, [read])
    error = float(np.abs(np.array(velocity(model) - adapted)).max())
    assert error < 1e-5, f"the file's velocity differs by {error:.1e}"

    detach(model.transformer)
    detach(model.modulation)
    for name, value in tree.tree_flatten(model.parameters()):
        assert np.array_equal(own[name], np.array(value)), f"training the adapter changed {name}"


def test_an_untrained_adapter_changes_nothing_and_reaches_attention_mlp_and_modulation() -> None:
    model = random_model()
    plain = velocity(model)
    updates = start_updates(model, rank=2, seed=0)
    put_on(model, updates)
    assert mx.array_equal(velocity(model), plain).item()
    modules = [*model.transformer.named_modules(), *model.modulation.named_modules()]
    reached = {name for name, module in modules if isinstance(module, AdaptedLinear)}
    assert reached == set(updates)
    for wanted in (
        "img_attn.qkv",
        "img_attn.proj",
        "txt_mlp.0",
        "linear1",
        "linear2",
        "img_mod.lin",
        "modulation.lin",
    ):
        assert any(wanted in name for name in reached), f"no update for {wanted}"
