"""The tiny autoencoder agrees with diffusers' own on random weights, and with photographs on TAEF1's."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlx_model.networks.autoencoder import channels_last
from mlx_model.networks.tiny_autoencoder import TinyAutoencoder, released_tensors
from mlx_model.request import Cancelled, RequestError
from mlx_model.runtime import mx
from mlx_model.weights.config import TinyAutoencoderConfig
from mlx_model.weights.model_folder import load_weights, read_tensors
from tests.known_answers import relative_error

TESTS = Path(__file__).parents[2]
CONFIG = TinyAutoencoderConfig(architecture="tiny", channels=8, latent_channels=4)
TAEF1 = os.environ.get("ACE_TAEF1_DIR", "")


@pytest.fixture(scope="module")
def answers() -> tuple[dict[str, mx.array], dict[str, mx.array]]:
    """Weights and case of the known answers, as released (channels first)."""
    file = read_tensors(TESTS / "golden" / "tiny_autoencoder.safetensors")
    weights = {name.removeprefix("weights."): t for name, t in file.items() if name.startswith("weights.")}
    return weights, {name: t for name, t in file.items() if not name.startswith("weights.")}


Answers = tuple[dict[str, mx.array], dict[str, mx.array]]


def test_both_ways_agree_with_diffusers(answers: Answers) -> None:
    weights, case = answers
    model = TinyAutoencoder(CONFIG)
    load_weights(model, channels_last(weights), dtype=mx.float32)
    case = channels_last(case)
    encoded = relative_error(model.encode(case["image"]), case["encoded"])
    decoded = relative_error(model.decode(case["latent"]), case["decoded"])
    assert encoded <= 1e-5, f"encoder differs by {encoded:.2e}"
    assert decoded <= 1e-5, f"decoder differs by {decoded:.2e}"


def test_the_decoder_alone_loads_from_its_own_file_with_bare_names(answers: Answers) -> None:
    weights, case = answers
    bare = {n.removeprefix("decoder."): t for n, t in weights.items() if n.startswith("decoder.")}
    assert "1.weight" in bare
    model = TinyAutoencoder(CONFIG, encoder=False)
    load_weights(model, released_tensors(decoder=bare), dtype=mx.float32)
    case = channels_last(case)
    error = relative_error(model.decode(case["latent"]), case["decoded"])
    assert error <= 1e-5, f"decoder differs by {error:.2e}"


def test_a_weight_of_another_width_is_refused(answers: Answers) -> None:
    weights, _ = answers
    wider = TinyAutoencoder(TinyAutoencoderConfig(architecture="tiny", channels=16, latent_channels=4))
    with pytest.raises(RequestError, match=r"encoder\.0\.weight"):
        load_weights(wider, channels_last(weights))


def test_work_stops_when_the_callback_raises() -> None:
    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        TinyAutoencoder(CONFIG).encode(mx.zeros((1, 16, 16, 3)), cancel)


@pytest.mark.skipif(not TAEF1, reason="TAEF1's released weights are not here: ACE_TAEF1_DIR names no folder")
def test_a_photograph_survives_taef1s_released_weights() -> None:
    folder = Path(TAEF1)
    model = TinyAutoencoder(TinyAutoencoderConfig(architecture="tiny", channels=64, latent_channels=16))
    files = (read_tensors(folder / f"taef1_{part}.safetensors") for part in ("encoder", "decoder"))
    load_weights(model, released_tensors(*files), dtype=mx.float32)
    photo = np.asarray(Image.open(TESTS / "photos" / "astronaut.png").convert("RGB"), np.float32) / 127.5 - 1
    again = np.asarray(model.decode(model.encode(mx.array(photo)[None])))[0]
    psnr = 10 * np.log10(4 / np.mean((np.clip(again, -1, 1) - photo) ** 2))
    assert psnr > 28, f"TAEF1 gives the photograph back at {psnr:.2f} dB"
