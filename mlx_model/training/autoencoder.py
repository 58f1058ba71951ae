"""Training of the small autoencoder: L1 + MSE + gradients, noise on the latent, latents kept near white.

The noise makes the decoder tolerant of a denoiser's errors; the whiteness (zero mean, unit deviation, little
covariance) makes sixteen channels of equal worth for the flow. The latent's scale and shift are measured afterwards.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.runtime import mx, nn, optimizers
from mlx_model.training.canvases import canvases
from mlx_model.training.scenes import TASKS, draw_scene
from mlx_model.training.scenes.backgrounds import photo_crop
from mlx_model.weights.config import LatentConfig

LATENT_NOISE: Final = 0.12
PHOTOGRAPHS: Final = 0.15
"""Sharp crops of photographs for each scene, so that the decoder knows more than drawings."""
_WHITENESS: Final = 0.02


@dataclass(frozen=True)
class AutoencoderSettings:
    """How to train; ``side`` is that of the crops in pixels."""

    steps: int = 6000
    batch: int = 16
    side: int = 64
    learning_rate: float = 1e-3
    seed: int = 0


def training_pictures(count: int, seed: int) -> list[NDArray[np.float32]]:
    """Draw pictures to crop from, (H, W, 3) in [-1, 1]: canvases, and one in eight a crop of a photograph as it is.

    Of a scene the target is taken, and now and then what its edit and modify latents are made of.
    """
    rng = np.random.default_rng(seed)
    pictures: list[NDArray[np.float32]] = []
    while len(pictures) < count:
        drawn = canvases(draw_scene(TASKS[int(rng.integers(len(TASKS)))], int(rng.integers(2**31))))
        conditions = [one for one in (drawn.edit, drawn.modify) if one.any() and rng.random() < 0.25]
        pictures += [drawn.target, *conditions]
        if rng.random() < PHOTOGRAPHS:
            pictures.append((photo_crop(rng, *drawn.target.shape[:2]) / 127.5 - 1).astype(np.float32))
    return pictures[:count]


def crops(
    pictures: Sequence[NDArray[np.float32]], rng: np.random.Generator, settings: AutoencoderSettings
) -> mx.array:
    """Return random crops (batch, side, side, 3), half of them mirrored."""
    side, out = settings.side, list[NDArray[np.float32]]()
    for picture in (pictures[int(i)] for i in rng.integers(len(pictures), size=settings.batch)):
        top, left = (int(rng.integers(length - side + 1)) for length in picture.shape[:2])
        crop = picture[top : top + side, left : left + side]
        out.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return mx.array(np.stack(out))


def autoencoder_loss(model: TinyAutoencoder, pixels: mx.array, noise: mx.array) -> mx.array:
    """Return the loss of pixels (B, H, W, 3) with noise (B, H/8, W/8, channels) of unit deviation on the latent."""
    latent = model.encode(pixels)
    deviation = mx.stop_gradient(mx.std(latent))
    difference = model.decode(latent + LATENT_NOISE * deviation * noise) - pixels
    slopes = (mx.abs(mx.diff(difference, axis=axis)).mean() for axis in (1, 2))
    flat = latent.reshape(-1, latent.shape[-1])
    mean = flat.mean(0)
    covariance = (flat - mean).T @ (flat - mean) / flat.shape[0]
    white = mx.square(mean).mean() + mx.square(covariance - mx.eye(mean.shape[0])).sum(1).mean()
    pixel_loss = mx.abs(difference).mean() + 2 * mx.square(difference).mean()
    return pixel_loss + 0.5 * sum(slopes) + _WHITENESS * white


def train_autoencoder(
    model: TinyAutoencoder, pictures: Sequence[NDArray[np.float32]], settings: AutoencoderSettings
) -> list[float]:
    """Train in place; returns the loss of every step."""
    rng = np.random.default_rng(settings.seed)
    optimizer = optimizers.AdamW(learning_rate=0.0, betas=[0.9, 0.99], weight_decay=0.0, bias_correction=True)
    gradient = nn.value_and_grad(model, autoencoder_loss)
    losses: list[float] = []
    side, channels = settings.side // 8, model.config.latent_channels
    for step in range(settings.steps):
        noise = mx.array(rng.standard_normal((settings.batch, side, side, channels), np.float32))
        loss, gradients = gradient(model, crops(pictures, rng, settings), noise)
        gradients, _ = optimizers.clip_grad_norm(gradients, 1.0)
        fall = 0.03 + 0.485 * (1 + math.cos(math.pi * step / settings.steps))
        optimizer.learning_rate = settings.learning_rate * min(1.0, (step + 1) / 50) * fall
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state, loss)
        losses.append(loss.item())
    return losses


def measured_latent(model: TinyAutoencoder, pictures: Sequence[NDArray[np.float32]]) -> LatentConfig:
    """Measure shift and scale so that ``scale * (raw - shift)`` has zero mean and unit deviation."""
    raw = np.concatenate([np.array(model.encode(mx.array(picture)[None])).ravel() for picture in pictures])
    return LatentConfig(scale=round(float(1 / raw.std()), 4), shift=round(float(raw.mean()), 4))
