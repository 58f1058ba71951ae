"""Which bit width suits a machine: the table that the documentation shows, and what must hold for any memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_model import memory
from mlx_model.library.catalogue import config_of, load_catalogue, models_of
from mlx_model.library.recommendation import recommended, usable_bytes
from mlx_model.memory import Weights, Work, estimate
from mlx_model.runtime import mx
from mlx_model.weights.part_tensors import part_tensors
from mlx_model.weights.plan import plan
from tests.mlx_model.weights.sources import entries_of, released

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


def test_memory_in_the_catalogue_is_what_the_shapes_of_the_released_files_come_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a GPU in bfloat16: the text encoders beside the transformer at 1024 pixels, in turn at 512.

    The weights are those of the files that a conversion of the released ones would write.
    """
    monkeypatch.setattr(memory, "ON_GPU", True)
    monkeypatch.setattr(memory, "COMPUTE_TYPE", mx.bfloat16)
    clip, autoencoder = (CATALOGUE.parts[part].alternatives[0].size for part in ("clip", "autoencoder"))
    for model in models_of(CATALOGUE):
        width = model.width
        config = config_of(CATALOGUE, model, "a test")
        released_names = released("ace_plus_fft" if model.family.kind == "fft" else "flux1_fill_dev")
        transformer, modulation = plan("transformer", released_names, config, width.quantization).files
        assert modulation.name == "modulation.safetensors"
        t5_names = entries_of(part_tensors("t5", config)["t5.safetensors"])
        t5 = plan("t5", t5_names, config, width.t5_quantization).size
        assert width.transformer_bytes == pytest.approx(transformer.size + modulation.size, rel=0.001), model.name
        assert width.t5_bytes == pytest.approx(t5, rel=0.001), model.name
        weights = Weights(transformer.size, modulation.size, t5 + clip, autoencoder)
        for side, listed in ((1024, width.memory), (512, width.memory_small)):
            need = estimate(config, weights, Work((side, side), (side, side), config.sampling.steps))
            peak = need.text_released if side == 1024 else need.least
            assert listed == pytest.approx(peak, rel=0.005), (model.name, side)


def test_what_fill_needs_beside_its_base_is_its_largest_lora() -> None:
    """In bfloat16, as it is released, it lies in memory as it lies in its file."""
    family = CATALOGUE.families["ace-plus-fill"]
    loras = [CATALOGUE.parts[part].alternatives[0] for part in family.parts if part.startswith("adapter_")]
    assert len(loras) == 3
    assert family.extra_memory == pytest.approx(max(lora.size for lora in loras), rel=0.01)
