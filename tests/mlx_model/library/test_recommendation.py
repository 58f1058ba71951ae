"""Which bit width suits a machine: the table that the documentation shows, and what must hold for any memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_model import memory
from mlx_model.library.catalogue import config_of, load_catalogue, models_of
from mlx_model.library.recommendation import recommended, usable_bytes
from mlx_model.memory import Weights, Work, estimate
from mlx_model.runtime import mx

CATALOGUE = load_catalogue()
FFT = [model for model in models_of(CATALOGUE) if model.family_name == "ace-plus-fft"]


@pytest.mark.parametrize(
    ("gigabytes", "width", "small"),
    [
        (4, None, False),
        (8, "3bit", True),
        (16, "5bit", False),
        (24, "8bit", False),
        (32, "8bit", False),
        (48, "bf16", False),
        (64, "bf16", False),
        (128, "bf16", False),
    ],
)
def test_what_is_recommended(gigabytes: int, width: str | None, small: bool) -> None:
    best = recommended(FFT, gigabytes << 30)
    assert (best and best.model.width_name) == width
    assert best is None or best.small_pictures == small


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 38))
def test_what_is_recommended_fits_and_more_memory_never_means_fewer_bits(least: int, more: int) -> None:
    best, richer = recommended(FFT, least), recommended(FFT, least + more)
    if best is not None:
        need = best.model.memory_small if best.small_pictures else best.model.memory
        assert need <= usable_bytes(least)
        assert richer is not None
        assert richer.model.memory >= best.model.memory


def test_memory_in_the_catalogue_is_what_the_program_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU in bfloat16: the text encoders beside the transformer at 1024 pixels, in turn at 512."""
    monkeypatch.setattr(memory, "ON_GPU", True)
    monkeypatch.setattr(memory, "COMPUTE_TYPE", mx.bfloat16)
    clip, autoencoder = (CATALOGUE.parts[part].alternatives[0].size for part in ("clip", "autoencoder"))
    modulation = 3_248_000_000 / 11_903_000_000  # of the parameters
    for model in FFT:
        width = model.width
        config = config_of(CATALOGUE, model, "a test")
        moved = int(width.transformer_bytes * modulation)
        weights = Weights(width.transformer_bytes - moved, moved, width.t5_bytes + clip, autoencoder)
        for side, listed in ((1024, model.memory), (512, model.memory_small)):
            need = estimate(config, weights, Work((side, side), (side, side), config.sampling.steps))
            peak = need.text_released if side == 1024 else need.least
            assert listed == pytest.approx(peak, rel=0.03), (model.name, side)
