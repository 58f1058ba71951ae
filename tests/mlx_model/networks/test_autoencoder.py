"""The full autoencoder agrees with the FLUX.1 authors' own, whole and in strips, and its strips save memory."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlx_model.networks.autoencoder import Autoencoder, channels_last
from mlx_model.request import Cancelled, RequestError
from mlx_model.runtime import mx, tree
from mlx_model.weights.config import AutoencoderConfig
from mlx_model.weights.model_folder import load_weights, read_tensors
from tests.known_answers import relative_error

TESTS = Path(__file__).parents[2]
GOLDEN = TESTS / "golden"
LIMIT = 1e-5
STEP = 1 / 255
FULL = AutoencoderConfig(
    architecture="full", resolution=256, in_channels=3, ch=128, out_ch=3, ch_mult=(1, 2, 4, 4), num_res_blocks=2,
    z_channels=16,
)  # fmt: skip


def largest(a: mx.array, b: mx.array) -> float:
    return float(mx.abs(a - b).max())


@pytest.fixture(scope="module")
def golden() -> tuple[Autoencoder, dict[str, mx.array], float, float]:
    """Load the golden autoencoder, its case with the channels last, and the latent's scale and shift."""
    values: dict[str, Any] = json.loads((GOLDEN / "autoencoder_config.json").read_text())
    scale, shift = values.pop("scale_factor"), values.pop("shift_factor")
    values["ch_mult"] = tuple(values["ch_mult"])
    model = Autoencoder(AutoencoderConfig(architecture="full", **values))
    load_weights(model, channels_last(read_tensors(GOLDEN / "autoencoder.weights.safetensors")), dtype=mx.float32)
    return model, channels_last(read_tensors(GOLDEN / "autoencoder.case.safetensors")), scale, shift


@pytest.fixture(scope="module")
def small() -> Autoencoder:
    """All four levels of the released network, a quarter as wide, with random weights."""
    mx.random.seed(0)
    model = Autoencoder(replace(FULL, ch=32))
    mx.eval(model.parameters())
    return model


Golden = tuple[Autoencoder, dict[str, mx.array], float, float]


def test_encoding_gives_the_authors_posterior_mean(golden: Golden) -> None:
    model, case, scale, shift = golden
    error = relative_error(scale * (model.encode(case["image"]) - shift), case["latent_mean_scaled"])
    assert error <= LIMIT, f"encoder differs by {error:.2e}"


def test_convolutions_of_one_pixel_may_be_written_as_matrices(golden: Golden) -> None:
    """As diffusers writes the attention's."""
    model, case, scale, shift = golden
    weights = read_tensors(GOLDEN / "autoencoder.weights.safetensors")
    matrices = {n: t.reshape(t.shape[:2]) for n, t in weights.items() if t.ndim == 4 and t.shape[2:] == (1, 1)}
    assert any("attn_1.q" in name for name in matrices)
    again = Autoencoder(model.config)
    load_weights(again, channels_last(weights | matrices), dtype=mx.float32)
    error = relative_error(scale * (again.encode(case["image"]) - shift), case["latent_mean_scaled"])
    assert error <= LIMIT, f"encoder differs by {error:.2e}"


def test_decoding_gives_the_authors_pixels(golden: Golden) -> None:
    model, case, scale, shift = golden
    error = relative_error(model.decode(case["latent_mean_scaled"] / scale + shift), case["decoded"])
    assert error <= LIMIT, f"decoder differs by {error:.2e}"


@pytest.mark.parametrize("rows", [3, 20])
def test_strips_agree_with_the_authors_too(golden: Golden, rows: int) -> None:
    model, case, scale, shift = golden
    encoded = scale * (model.encode_tiled(case["image"], rows) - shift)
    decoded = model.decode_tiled(case["latent_mean_scaled"] / scale + shift, rows)
    errors = relative_error(encoded, case["latent_mean_scaled"]), relative_error(decoded, case["decoded"])
    assert max(errors) <= LIMIT, f"strips of {rows} rows differ by {errors[0]:.2e} and {errors[1]:.2e}"


@pytest.mark.parametrize(("height", "width", "rows"), [(96, 64, 8), (40, 104, 3), (64, 64, 24)])
def test_strips_differ_from_the_whole_by_less_than_a_step_anywhere(
    small: Autoencoder, height: int, width: int, rows: int
) -> None:
    key = mx.random.key(height)
    pixels = mx.random.uniform(-1, 1, (1, height, width, 3), key=key)
    latent = mx.random.normal((1, height // 8, width // 8, 16), key=key)
    encoded = largest(small.encode_tiled(pixels, rows), small.encode(pixels))
    decoded = largest(small.decode_tiled(latent, rows), small.decode(latent))
    assert encoded < STEP, f"latents differ by {encoded:.1e}"
    assert decoded < STEP, f"pixels differ by {decoded:.1e}"


def test_tiles_with_statistics_of_their_own_would_show(small: Autoencoder) -> None:
    """The check above can fail: a tile that overlaps by 24 rows, but is normalized by itself, does not pass it."""
    latent = mx.random.normal((1, 12, 8, 16), key=mx.random.key(1))
    tile = small.decode(latent[:, :9])[:, :48]
    difference = largest(tile, small.decode(latent)[:, :48])
    assert difference > STEP, f"the tile differs by {difference:.1e} only"


def test_strips_need_at_most_a_quarter_of_the_memory(small: Autoencoder) -> None:
    pixels = mx.random.uniform(-1, 1, (1, 128, 128, 3), key=mx.random.key(2))
    latent = mx.random.normal((1, 16, 16, 16), key=mx.random.key(3))
    mx.eval(pixels, latent)

    def peak(rows: int | None) -> tuple[int, int]:
        peaks: list[int] = []
        for tiled, whole, x in (
            (small.encode_tiled, small.encode, pixels),
            (small.decode_tiled, small.decode, latent),
        ):
            before = mx.get_active_memory()
            mx.reset_peak_memory()
            mx.eval(whole(x) if rows is None else tiled(x, rows))
            peaks.append(mx.get_peak_memory() - before)
        return peaks[0], peaks[1]

    (encode, decode), (encode_tiled, decode_tiled) = peak(None), peak(4)
    assert encode_tiled <= encode / 4, f"encoding in strips: {encode_tiled >> 10} KiB, whole: {encode >> 10} KiB"
    assert decode_tiled <= decode / 4, f"decoding in strips: {decode_tiled >> 10} KiB, whole: {decode >> 10} KiB"


def test_work_stops_when_the_callback_raises(small: Autoencoder) -> None:
    calls = 0

    def cancel() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        small.decode_tiled(mx.zeros((1, 8, 8, 16)), 8, cancel)
    assert calls == 5


def test_bfloat16_weights_give_nearly_the_same_pixels(golden: Golden) -> None:
    model, case, scale, shift = golden
    low = Autoencoder(model.config)
    load_weights(low, dict(tree.tree_flatten(model.parameters())), dtype=mx.bfloat16)
    decoded = low.decode_tiled(case["latent_mean_scaled"] / scale + shift, 8)
    error = relative_error(decoded, case["decoded"])
    assert decoded.dtype == mx.float32
    assert error < 0.03, f"bfloat16 differs by {error:.1%}"


def test_names_and_shapes_are_those_of_the_released_file() -> None:
    released = {n: tuple(s) for n, s in json.loads((TESTS / "checkpoints" / "ae.json").read_text()).items()}
    ours = dict(tree.tree_flatten(Autoencoder(FULL).parameters()))
    shapes = {n: (t.shape[0], t.shape[3], *t.shape[1:3]) if t.ndim == 4 else t.shape for n, t in ours.items()}
    assert shapes == released


def test_a_missing_weight_is_named(golden: Golden) -> None:
    model, *_ = golden
    tensors = dict(tree.tree_flatten(model.parameters()))
    del tensors["decoder.mid.attn_1.q.weight"]
    with pytest.raises(RequestError, match=r"decoder\.mid\.attn_1\.q\.weight"):
        load_weights(Autoencoder(model.config), tensors)


def test_sizes_that_do_not_divide_are_refused(small: Autoencoder) -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        small.encode(mx.zeros((1, 64, 60, 3)))
