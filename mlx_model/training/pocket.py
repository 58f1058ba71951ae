"""The built-in model from nothing: its sizes, and the whole training in MLX as one function."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mlx_model.conditioning.prompt import load_tokenizers
from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.runtime import mx, nn, tree
from mlx_model.training.autoencoder import (
    AutoencoderSettings,
    measured_latent,
    train_autoencoder,
    training_pictures,
)
from mlx_model.training.flow import FlowSettings, Training, train
from mlx_model.training.latents import TASK_WEIGHTS, Example, ExampleSet, encode_scene
from mlx_model.training.record import write_record
from mlx_model.training.scenes import all_instructions
from mlx_model.training.vocabulary import ADDED_TOKENS, CLIP_LENGTH, T5_LENGTH, make_tokenizers
from mlx_model.weights.config import (
    FORMAT,
    ClipConfig,
    LatentConfig,
    ModelConfig,
    PreviewConfig,
    PromptConfig,
    SamplingConfig,
    ShiftConfig,
    SizeConfig,
    T5Config,
    TinyAutoencoderConfig,
    TransformerConfig,
)

AUTOENCODER: Final = TinyAutoencoderConfig("tiny", channels=32, latent_channels=16)


def pocket_config(t5_words: int, clip_words: int) -> ModelConfig:
    """Return the built-in model's config for vocabularies of these sizes; latent and preview are still to measure."""
    return ModelConfig(
        format=FORMAT,
        name="pocket",
        title="Pocket, the built-in model",
        kind="fft",
        licence="MIT",
        source="trained on scenes drawn by mlx_model/training/scenes",
        note="Knows only drawn scenes: ten shapes, ten colours, simple faces. Install a full model for photographs.",
        transformer=TransformerConfig(
            in_channels=448,
            out_channels=64,
            hidden_size=192,
            num_heads=3,
            axes_dim=(8, 28, 28),
            theta=10000,
            vec_in_dim=128,
            context_in_dim=128,
            mlp_ratio=4.0,
            qkv_bias=True,
            depth=2,
            depth_single_blocks=6,
            guidance_embed=False,
        ),
        autoencoder=AUTOENCODER,
        latent=LatentConfig(1.0, 0.0),
        t5=T5Config(128, 32, 256, 2, 4, 32, 128, t5_words, 1e-6),
        clip=ClipConfig(128, 256, 1, 4, clip_words, CLIP_LENGTH, 1e-5, "quick_gelu", clip_words - 1),
        prompt=PromptConfig(T5_LENGTH, CLIP_LENGTH, ADDED_TOKENS, clean=True),
        sampling=SamplingConfig(10, 1.0, ShiftConfig((256, 4096), (0.5, 1.15))),
        size=SizeConfig(native=128, max_tokens=192, multiple=16, references_in_place=True),
        preview=PreviewConfig(((0.0, 0.0, 0.0),) * AUTOENCODER.latent_channels, (0.0, 0.0, 0.0)),
    )


@dataclass(frozen=True)
class PocketSettings:
    """The whole training: so many scenes, then the autoencoder's and the flow's settings."""

    scenes: int = 20_000
    pictures: int = 8_000
    autoencoder: AutoencoderSettings = field(default_factory=AutoencoderSettings)
    flow: FlowSettings = field(default_factory=FlowSettings)


def train_pocket(
    folder: Path,
    settings: PocketSettings,
    config: Callable[[int, int], ModelConfig] = pocket_config,
    on_stage: Callable[[str], None] = lambda _: None,
    on_log: Callable[[dict[str, float]], None] | None = None,
) -> ModelConfig:
    """Train the built-in model and write it as a model folder; checkpoints and the log lie in ``folder/training``.

    Run again on the same folder, it goes on where it was: the autoencoder is kept once it is trained, the flow goes
    on from its last checkpoint. ``training.json`` says on what machine it ran and how long.
    """
    work, begun, seconds = folder / "training", time.monotonic(), dict[str, float]()
    model = config(*make_tokenizers(all_instructions(), folder))
    autoencoder = TinyAutoencoder(AUTOENCODER)
    kept = work / "autoencoder.safetensors"
    pictures = training_pictures(settings.pictures, settings.autoencoder.seed)
    if kept.exists():
        autoencoder.load_weights(str(kept))
    else:
        on_stage("autoencoder")
        train_autoencoder(autoencoder, pictures, settings.autoencoder)
        work.mkdir(parents=True, exist_ok=True)
        autoencoder.save_weights(str(kept))
    latent = measured_latent(autoencoder, pictures[:64])
    model = replace(model, latent=latent, preview=preview_map(autoencoder, latent, pictures[:64]))
    seconds["autoencoder"] = time.monotonic() - begun
    on_stage("scenes")
    tokenizers = load_tokenizers(folder, model.prompt)
    shares = np.array(list(TASK_WEIGHTS.values())) / sum(TASK_WEIGHTS.values())
    picks = np.random.default_rng(settings.flow.seed).choice(list(TASK_WEIGHTS), settings.scenes, p=shares)
    examples: list[Example] = [
        encode_scene(str(task), seed, autoencoder, latent, tokenizers) for seed, task in enumerate(picks)
    ]
    training = Training(model, settings.flow)
    if (work / "checkpoint.safetensors").exists():
        training.resume(work)
    seconds["scenes"] = time.monotonic() - begun - seconds["autoencoder"]
    on_stage("flow")
    train(training, ExampleSet(examples), work, on_log)
    write_model(folder, model, training.average, autoencoder)
    write_record(folder, asdict(settings), seconds | {"flow": training.seconds})
    return model


def preview_map(autoencoder: TinyAutoencoder, latent: LatentConfig, pictures: list[Any]) -> PreviewConfig:
    """Fit, by least squares, the mean colour of 8 x 8 pixels to their scaled latent."""
    inputs, outputs = list[Any](), list[Any]()
    for picture in pictures:
        z = latent.scale * (autoencoder.encode(mx.array(picture)[None])[0] - latent.shift)
        inputs.append(np.array(z).reshape(-1, z.shape[-1]))
        rows, columns = z.shape[:2]
        outputs.append(picture.reshape(rows, 8, columns, 8, 3).mean((1, 3)).reshape(-1, 3))
    known = np.concatenate(inputs)
    known = np.concatenate([known, np.ones((len(known), 1), np.float32)], axis=1)
    solution = np.linalg.lstsq(known, np.concatenate(outputs), rcond=None)[0].round(4).tolist()
    return PreviewConfig(tuple((r, g, b) for r, g, b in solution[:-1]), tuple(solution[-1]))


def write_model(
    folder: Path, config: ModelConfig, flow: Mapping[str, mx.array], autoencoder: TinyAutoencoder
) -> None:
    """Write config and weights (bfloat16, released names); ``flow`` holds a ``FlowModel``'s parameters by name."""
    config.save(folder)
    parts: dict[str, dict[str, mx.array]] = {"transformer": {}, "modulation": {}, "t5": {}, "clip": {}}
    for name, tensor in flow.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    parts["autoencoder"] = _as_released(autoencoder)
    for name, tensors in parts.items():
        stored = {key: tensor.astype(mx.bfloat16) for key, tensor in tensors.items()}
        mx.save_safetensors(str(folder / f"{name}.safetensors"), stored)


def _as_released(module: nn.Module) -> dict[str, mx.array]:
    """Name the parameters as they are, convolutions as (out, in, height, width)."""
    named: dict[str, mx.array] = dict(tree.tree_flatten(module.parameters()))
    return {name: t.transpose(0, 3, 1, 2) if t.ndim == 4 else t for name, t in named.items()}
