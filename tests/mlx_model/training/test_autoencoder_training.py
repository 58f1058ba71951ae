"""The autoencoder's training: its loss falls, and the latent's scale and shift are what they say."""

import numpy as np
import numpy.typing as npt

from mlx_model.networks.tiny_autoencoder import TinyAutoencoder
from mlx_model.runtime import mx
from mlx_model.training.autoencoder import AutoencoderSettings, measured_latent, train_autoencoder, training_pictures
from mlx_model.training.canvases import canvases
from mlx_model.training.pocket import preview_map
from mlx_model.training.scenes import TASKS, draw_scene
from tests.mlx_model.training.tiny_training import AUTOENCODER

SETTINGS = AutoencoderSettings(steps=40, batch=2, side=32, learning_rate=4e-3)


def test_the_loss_falls() -> None:
    mx.random.seed(0)
    model = TinyAutoencoder(AUTOENCODER)
    losses = train_autoencoder(model, training_pictures(40, 0), SETTINGS)
    first, last = float(np.mean(losses[:10])), float(np.mean(losses[-10:]))
    assert last < 0.8 * first, f"loss {first:.3f} in the first ten steps, {last:.3f} in the last ten"


def test_measured_scale_and_shift_normalise_the_latent_and_the_preview_shows_colours() -> None:
    mx.random.seed(0)
    model = TinyAutoencoder(AUTOENCODER)
    pictures = [canvases(draw_scene(task, 1)).target for task in TASKS]
    latent = measured_latent(model, pictures)
    z = [latent.scale * (np.array(model.encode(mx.array(p)[None])[0]) - latent.shift) for p in pictures]
    flat = np.concatenate([one.ravel() for one in z])
    assert abs(flat.mean()) < 0.04, f"mean {flat.mean():.3f}"
    assert abs(flat.std() - 1) < 0.02, f"deviation {flat.std():.3f}"
    preview = preview_map(model, latent, pictures)
    shown = np.concatenate([(one @ np.array(preview.matrix) + np.array(preview.bias)).reshape(-1, 3) for one in z])
    true = np.concatenate([_shrunk(picture) for picture in pictures])
    plain = float(np.square(true - true.mean(0)).mean())
    error = float(np.square(shown - true).mean())
    assert error < 0.9 * plain, f"the preview's squared error is {error:.3f}, a plain colour's {plain:.3f}"


def _shrunk(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the mean colours of 8 x 8 pixels, in rows."""
    rows, columns = picture.shape[0] // 8, picture.shape[1] // 8
    return picture.reshape(rows, 8, columns, 8, 3).mean((1, 3)).reshape(-1, 3)
