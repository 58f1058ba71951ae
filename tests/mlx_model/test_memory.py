"""The estimate of memory against measured peaks, and what is said where memory is short."""

import gc
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mlx_model import memory, stages
from mlx_model.conditioning.region import plan_region
from mlx_model.editor import Editor
from mlx_model.memory import Need, Pictures, Weights, Work, container_limits
from mlx_model.networks.autoencoder import STRIP_ROWS, THIN_ROWS
from mlx_model.networks.modulation import StepModulation
from mlx_model.networks.tiny_autoencoder import PREVIEW_DECODER, TinyAutoencoder
from mlx_model.parts import Parts, autoencoder_for
from mlx_model.request import EditRequest, Picture, RequestError
from mlx_model.runtime import ON_GPU, mx, nn, tree
from mlx_model.sampling.preview import preview
from mlx_model.weights.config import AutoencoderConfig, ModelConfig, TinyAutoencoderConfig, TransformerConfig
from mlx_model.weights.lora import read_adapter
from mlx_model.weights.model_folder import read_tensors_and_metadata
from tests.known_answers import GOLDEN, golden_config
from tests.mlx_model.tiny_model import tiny_config, write_tiny_model

CONFIG = tiny_config()
TOLERANCE = 0.25
"""Of the measured peak: how far the estimate may be off on the tiny model."""


def peak(work: Callable[[], mx.array]) -> int:
    """Run ``work`` and return the most bytes that it held at a time.

    Three times: how early MLX's own thread lets go what was used depends on how busy the machine is.
    """
    most = 0
    for _ in range(3):
        mx.clear_cache()
        before = mx.get_active_memory()
        mx.reset_peak_memory()
        mx.eval(work())
        most = max(most, mx.get_peak_memory() - before)
    return most


def estimated(config: ModelConfig, size: tuple[int, int]) -> Need:
    """Estimate the activations alone, for one step on a canvas that is all target."""
    return memory.estimate(config, Weights(0, 0, 0, 0), Work(size, size, steps=1))


def assert_near(estimate: int, measured: int, what: str) -> None:
    off = estimate / measured - 1
    assert abs(off) <= TOLERANCE, f"{what}: estimated {estimate}, measured {measured} ({off:+.0%})"


on_the_cpu = pytest.mark.skipif(ON_GPU, reason="on a GPU the formulas are upper bounds")


@on_the_cpu
@pytest.mark.parametrize("canvas", [(64, 64), (160, 128), (256, 256)])
def test_denoising_needs_what_is_estimated(tiny_model: Path, canvas: tuple[int, int]) -> None:
    transformer, _ = Parts(tiny_model, CONFIG).transformer((), lambda: None)
    tokens, length = canvas[0] * canvas[1] // 256, CONFIG.prompt.t5_length
    text = transformer.embed_text(mx.zeros((1, length, CONFIG.transformer.context_in_dim)))
    hidden = CONFIG.transformer.hidden_size
    modulation = StepModulation(
        ((mx.zeros((1, 1, 6 * hidden)), mx.zeros((1, 1, 6 * hidden))),),
        (mx.zeros((1, 1, 3 * hidden)),) * 2,
        mx.zeros((1, 1, 2 * hidden)),
    )
    rows, columns = canvas[1] // 8, canvas[0] // 8
    latent = mx.random.normal((1, rows, columns, 16), key=mx.random.key(0))
    mx.eval(latent, text)

    def step() -> mx.array:
        condition = mx.zeros((1, tokens, CONFIG.transformer.in_channels - 64))
        mx.eval(condition)
        velocity = stages.velocity_of(transformer, text, condition, [modulation], (rows, columns), lambda: None)
        return velocity(latent, 0)

    assert_near(estimated(CONFIG, canvas).denoise, peak(step), f"denoising {canvas}")


@on_the_cpu
@pytest.mark.parametrize("length", [128, 512])
def test_t5_needs_what_is_estimated(tiny_model: Path, length: int) -> None:
    config = replace(CONFIG, prompt=replace(CONFIG.prompt, t5_length=length))
    encoder = Parts(tiny_model, config).text(lambda: None).t5
    ids = mx.zeros((1, length), dtype=mx.int32)
    measured = peak(lambda: encoder(ids, lambda: None))
    assert_near(estimated(config, (64, 64)).text, measured, f"T5 with {length} tokens")


FULL = AutoencoderConfig("full", 256, 3, 32, 3, (1, 2, 4, 4), 2, 16)


@on_the_cpu
@pytest.mark.parametrize("size", [(64, 64), (256, 128)])
@pytest.mark.parametrize("sizes", [CONFIG.autoencoder, FULL], ids=["tiny", "full"])
def test_autoencoders_need_what_is_estimated(
    sizes: AutoencoderConfig | TinyAutoencoderConfig, size: tuple[int, int]
) -> None:
    config = replace(CONFIG, autoencoder=sizes)
    autoencoder = autoencoder_for(sizes)
    mx.eval(autoencoder.parameters())
    pixels = np.zeros((size[1], size[0], 3), np.float32)
    measured = peak(lambda: stages.encode(autoencoder, pixels, config.latent, lambda: None))
    assert_near(estimated(config, size).encode, measured, f"encoding {size}")
    latent = mx.random.normal((1, size[1] // 8, size[0] // 8, 16), key=mx.random.key(0))
    mx.eval(latent)
    measured = peak(lambda: mx.array(stages.decode(autoencoder, latent, config.latent, lambda: None)))
    assert_near(estimated(config, size).decode, measured, f"decoding {size}")


@on_the_cpu
def test_thin_strips_need_what_is_estimated_and_less() -> None:
    config, size = replace(CONFIG, autoencoder=FULL), (128, 256)
    autoencoder = autoencoder_for(FULL)
    latent = mx.random.normal((1, size[1] // 8, size[0] // 8, 16), key=mx.random.key(0))
    mx.eval(autoencoder.parameters(), latent)
    measured = peak(lambda: mx.array(stages.decode(autoencoder, latent, config.latent, lambda: None, THIN_ROWS)))
    work = Work(size, size, steps=1)
    thin, usual = (
        memory.estimate(config, Weights(0, 0, 0, 0), work, rows).decode for rows in (THIN_ROWS, STRIP_ROWS)
    )
    assert_near(thin, measured, "decoding in thin strips")
    assert thin < 0.6 * usual


@on_the_cpu
@pytest.mark.parametrize("size", [(128, 96), (768, 256)])
def test_a_preview_by_a_decoder_needs_what_is_estimated(tmp_path: Path, size: tuple[int, int]) -> None:
    decoder = TinyAutoencoder(TinyAutoencoderConfig("tiny", 32, 16), encoder=False)
    tensors = dict(tree.tree_flatten(decoder.parameters()))
    mx.save_safetensors(str(write_tiny_model(tmp_path / "m") / PREVIEW_DECODER), tensors)
    without, weights = (memory.weights_of(tmp_path / "m", previews=previews) for previews in (False, True))
    held = sum(tensor.nbytes for tensor in tensors.values())
    assert (weights.preview, weights.preview_channels, without.preview) == (held, 32, 0)
    latent = mx.random.normal((1, size[1] // 8, size[0] // 8, 16), key=mx.random.key(0))
    mx.eval(latent)
    look = partial(decoder.decode, on_chunk=lambda: None)
    measured = peak(lambda: mx.array(preview(latent, CONFIG.preview, look)))
    work = Work((16, 16), size, 0)
    assert memory.estimate(CONFIG, without, work).denoise < measured / 2
    assert_near(memory.estimate(CONFIG, weights, work).denoise, measured, f"a preview of {size}")


@on_the_cpu
@pytest.mark.parametrize("keep", [True, False])
def test_the_whole_road_needs_what_is_estimated(tiny_model: Path, keep: bool) -> None:
    """Weights, caches and the largest stage together, with all parts kept and with as few as possible."""
    request = EditRequest("a red star", size=(128, 96), steps=2)
    need = memory.estimate(CONFIG, memory.weights_of(tiny_model), Work((128, 96), (128, 96), 2))
    estimate = need.all_kept if keep else need.least
    limit = 1 << 40 if keep else need.least
    measured = peak(lambda: mx.array(Editor(tiny_model, limit).edit(request, {}).picture.pixels))
    assert_near(estimate, measured, "the whole road")


@on_the_cpu
@pytest.mark.parametrize("part", ["transformer", "autoencoder", "text"])
def test_weights_are_counted_as_they_are_loaded(tiny_model: Path, part: str) -> None:
    counted: int = getattr(memory.weights_of(tiny_model), part)

    def modules(parts: Parts) -> list[nn.Module]:
        if part == "text":
            return [parts.text(lambda: None).t5, parts.text(lambda: None).clip]
        return (
            [parts.autoencoder(lambda: None)] if part == "autoencoder" else [parts.transformer((), lambda: None)[0]]
        )

    def held() -> int:
        parts = Parts(tiny_model, CONFIG)
        gc.collect()
        before = mx.get_active_memory()
        loaded = modules(parts)
        mx.eval([module.parameters() for module in loaded])
        return mx.get_active_memory() - before

    # What other tests left behind may be freed or evaluated meanwhile, but hardly three times.
    measured = [held() for _ in range(3)]
    assert any(0 <= one - counted < 0.05 * counted + 4096 for one in measured), f"counted {counted}, held {measured}"


@on_the_cpu
def test_variations_need_no_more_than_one(tiny_model: Path) -> None:
    """They are made one after the other, so that fewer of them would save nothing."""
    request = EditRequest("a red star", size=(128, 96), steps=2)

    def made(variations: int) -> mx.array:
        editor = Editor(tiny_model)
        for seed in range(variations):
            editor.edit(replace(request, seed=seed), {})
        return mx.zeros(1)

    one, four = peak(lambda: made(1)), peak(lambda: made(4))
    assert four <= 1.05 * one, f"one: {one}, four: {four}"


WEIGHTS = Weights(transformer=1000, modulation=500, text=800, autoencoder=50, adapters=30)
NEED = Need(WEIGHTS, text=20, encode=5, denoise=200, decode=100)


def test_peaks_of_the_three_ways_of_keeping_parts() -> None:
    assert NEED.all_kept == 1000 + 500 + 800 + 50 + 30 + 200
    assert NEED.text_released == 1000 + 30 + 50 + 800 + 20
    assert NEED.least == 1000 + 30 + 50 + 200
    texts = replace(NEED, weights=replace(WEIGHTS, text=5000))
    assert texts.least == 5020, "the text encoders alone may be what needs most"
    large = replace(NEED, finish=3000, pictures=7000)
    assert large.all_kept == NEED.all_kept - 200 + 10000
    assert large.least == NEED.least - 200 + 10000
    assert replace(texts, pictures=7000).least == 12020, "pictures are there all the time"
    assert replace(NEED, pictures=7000).text_released == NEED.text_released + 7000


@pytest.mark.parametrize(
    ("depth", "transparent", "edited"),
    [
        (np.uint8, False, False),  # a new picture is always like this
        (np.uint8, False, True),
        (np.uint8, True, True),
        (np.uint16, False, True),
        (np.uint16, True, True),
    ],
)
def test_a_picture_needs_what_is_estimated(depth: type, transparent: bool, edited: bool) -> None:
    """Drawing and delivering it, of arrays in numpy's memory."""
    pixels = np.full((2000, 3000, 4), 200 if transparent else np.iinfo(depth).max, depth)
    pixels[0] = np.iinfo(depth).max
    picture = Picture(pixels)
    region = plan_region(picture.size, None, [], replace(CONFIG.size, max_tokens=4096), keep_pixels=True)
    plan = stages.Plan(region, picture if edited else None, None, picture.size)
    request = EditRequest("bluer")
    made = np.random.default_rng(0).random((*region.worked[::-1], 3), np.float32)
    tracemalloc.start()
    stages.deliver(plan, request, made)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = Pictures(pixels=3000 * 2000, pixel_bytes=pixels[0, 0].nbytes, patch=edited)
    estimate = memory.estimate(CONFIG, Weights(0, 0, 0, 0), Work((64, 64), (64, 64), 1, held)).finish
    assert_near(estimate, measured, f"{measured / 6e6:.1f} bytes of each pixel")


def test_pictures_that_leave_no_room_are_told_as_what_is_too_large() -> None:
    weights = Weights(10 << 20, 0, 0, 0)
    held = Pictures(given=4 * 10**8, pixels=10**8, patch=True)
    limit = memory.estimate(CONFIG, weights, Work((64, 64), (64, 64), 2)).least + 10**6
    assert memory.check(CONFIG, weights, Work((64, 64), (64, 64), 2), limit)
    with pytest.raises(RequestError, match=r"the pictures alone need 1\.5 GB: scale them down first"):
        memory.check(CONFIG, weights, Work((64, 64), (64, 64), 2, held), limit)


def test_on_a_gpu_streams_are_half_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    def needs(compute: mx.Dtype) -> Need:
        monkeypatch.setattr(memory, "ON_GPU", True)
        monkeypatch.setattr(memory, "COMPUTE_TYPE", compute)
        return estimated(CONFIG, (256, 256))

    wide, narrow = needs(mx.float32), needs(mx.bfloat16)
    tokens_in = 4 * 2 * 256 * CONFIG.transformer.in_channels  # the noise and what stands beside it stay float32
    assert narrow.denoise - tokens_in == (wide.denoise - tokens_in) / 2
    assert narrow.text < wide.text
    assert (narrow.encode, narrow.decode) == (wide.encode, wide.decode), "the autoencoder stays float32"


def test_too_little_memory_is_told_with_what_would_fit() -> None:
    weights = Weights(10 << 20, 0, 0, 0)
    canvas, target = (1024, 512), (512, 512)
    needed = memory.estimate(CONFIG, weights, Work(canvas, target, steps=2)).least
    assert memory.check(CONFIG, weights, Work(canvas, target, 2), needed).peak == needed
    with pytest.raises(RequestError) as caught:
        memory.check(CONFIG, weights, Work(canvas, target, 2), needed // 2)
    text = str(caught.value)
    assert f"needs {round(needed / 2**20)} MB" in text, text
    side = memory.largest_side(CONFIG, weights, Work(canvas, target, 2), needed // 2)
    assert side is not None
    assert f"about {side} x {side} pixels" in text, text
    assert "references included" in text, text
    assert memory.estimate(CONFIG, weights, Work((side, side), (side // 2, side), 2)).least <= needed // 2
    assert (
        memory.estimate(CONFIG, weights, Work((side + 16, side + 16), (side // 2 + 8, side + 16), 2)).least
        > needed // 2
    )


def test_where_nothing_fits_another_model_is_advised() -> None:
    with pytest.raises(RequestError, match="quantized"):
        memory.check(CONFIG, WEIGHTS, Work((64, 64), (64, 64), 2), 100)


def test_this_machine_has_memory() -> None:
    assert 2**28 < memory.machine_limit() < 2**46


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("own", "files", "limits"),
    [
        ("0::/\n", {"memory.max": "3000\n"}, [3000]),
        ("0::/\n", {"memory.max": "max\n"}, []),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "2000\n", "memory.max": "3000\n"}, [2000, 3000]),
        ("0::/outside\n", {"memory.max": "3000\n"}, [3000]),
        ("5:cpu,memory:/d\n1:cpu:/\n", {"memory/memory.limit_in_bytes": "4000\n", "memory.max": "1\n"}, [4000]),
        (None, {"memory.max": "3000\n"}, []),
    ],
)
def test_a_container_s_limits_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str | None, files: dict[str, str], limits: list[int]
) -> None:
    for name, text in files.items():
        write(tmp_path / "cgroup" / name, text)
    if own is not None:
        write(tmp_path / "own", own)
    assert container_limits(tmp_path / "cgroup", tmp_path / "own") == limits
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_OWN_CGROUPS", tmp_path / "own")
    if limits and not ON_GPU:
        assert memory.machine_limit() == int(min(limits) * memory.RAM_SHARE)


@pytest.mark.parametrize("name", ["lora_comfyui", "diffusers_flux.lora"])
def test_adapters_take_the_bytes_that_are_counted(tiny_model: Path, tmp_path: Path, name: str) -> None:
    """In kohya's names and in diffusers', whose q, k and v are not padded; what is left out is not counted."""
    values = json.loads((GOLDEN / "diffusers_flux_config.json").read_text())
    sizes = {key: value for key, value in values.items() if key not in ("rows", "columns")}
    config = TransformerConfig.from_dict(sizes) if name.startswith("diffusers") else golden_config(384)
    tensors, metadata = read_tensors_and_metadata(GOLDEN / f"{name}.safetensors")
    tensors["lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"] = mx.zeros((64, 64))
    path = tmp_path / "style.safetensors"
    mx.save_safetensors(str(path), tensors, metadata)
    updates = [update for updates in read_adapter(path, config).updates.values() for update in updates]
    taken = sum(half.nbytes for update in updates for half in (update.down, update.up))
    counted = memory.weights_of(tiny_model, [path]).adapters
    assert abs(counted / taken - 1) <= 0.01, f"{counted} bytes counted, {taken} taken"
