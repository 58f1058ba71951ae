"""Previews: the linear map, its rounding, its cost, and a small decoder in its place."""

import time

import numpy as np

from mlx_model.conditioning.region import Region
from mlx_model.editor import Editor
from mlx_model.request import EditRequest, Progress
from mlx_model.runtime import mx
from mlx_model.sampling.preview import preview, without_fill
from mlx_model.weights.config import PreviewConfig
from tests.mlx_model.sample_requests import POCKET


def test_the_map_s_rows_are_channels_and_its_columns_colours() -> None:
    rows = [(0.0, 0.0, 0.0)] * 16
    rows[2], rows[5] = (0.5, 0.0, -0.25), (0.0, 1.0, 0.0)
    config = PreviewConfig(matrix=tuple(rows), bias=(0.0, -0.5, 0.25))
    latent = np.zeros((1, 2, 3, 16), np.float32)
    latent[0, 1, 2, 2], latent[0, 0, 1, 5] = 1.0, 9.0
    picture = preview(mx.array(latent), config)
    assert picture.dtype == np.uint8
    assert picture.shape == (2, 3, 3)
    assert picture[0, 0].tolist() == [128, 64, 159]  # the bias alone: 127.5 is rounded to even
    assert picture[1, 2].tolist() == [191, 64, 128]
    assert picture[0, 1].tolist() == [128, 255, 159]  # clipped, not wrapped


def enlarged(latent: mx.array) -> mx.array:
    return mx.repeat(mx.repeat(latent[..., :3], 8, axis=1), 8, axis=2)


def test_a_decoder_is_given_the_latent_as_it_is() -> None:
    config = PreviewConfig(matrix=((9.0, 9.0, 9.0),) * 16, bias=(0.0, 0.0, 0.0))
    picture = preview(mx.zeros((1, 2, 2, 16)) + 0.5, config, enlarged)
    assert picture.shape == (16, 16, 3)
    assert picture.min() == picture.max() == 191


def test_a_decoder_s_preview_stays_small() -> None:
    config = PreviewConfig(matrix=((0.0, 0.0, 0.0),) * 16, bias=(0.0, 0.0, 0.0))
    assert preview(mx.zeros((1, 16, 64, 16)), config, enlarged).shape == (128, 512, 3)
    assert preview(mx.zeros((1, 16, 130, 16)), config, enlarged).shape == (48, 352, 3)


def test_the_built_in_model_shows_every_step_and_ends_at_what_it_made() -> None:
    told: list[Progress] = []
    request = EditRequest("a red star on a blue background", seed=3, steps=4)
    result = Editor(POCKET).edit(request, {}, told.append, previews=True)
    previews = [p.preview for p in told if p.preview is not None]
    assert [p.step for p in told if p.preview is not None] == [1, 2, 3, 4]
    assert {p.shape for p in previews} == {(16, 16, 3)}
    made = result.picture.pixels[..., :3].reshape(16, 8, 16, 8, 3).mean(axis=(1, 3))
    off = [float(np.abs(one - made).mean()) for one in previews]
    assert off[-1] < 15, f"off by {off} of 255"
    assert off[-1] < off[0], "and nearer than at the beginning"


def test_a_preview_shows_the_box_alone_without_what_fills_it_up() -> None:
    region = Region(box=(0, 0, 400, 300), content=(124, 93), worked=(128, 96))
    assert without_fill(np.zeros((12, 16, 3), np.uint8), region).shape == (12, 16, 3)
    region = Region(box=(0, 0, 400, 100), content=(128, 32), worked=(128, 48))
    assert without_fill(np.zeros((6, 16, 3), np.uint8), region).shape == (4, 16, 3)
    assert without_fill(np.zeros((48, 128, 3), np.uint8), region).shape == (32, 128, 3)


def test_a_preview_costs_less_than_a_twentieth_of_a_step() -> None:
    model = Editor(POCKET)
    result = model.edit(EditRequest("a red star", steps=2), {})
    step = result.timings["denoise"] / 2
    latent = mx.random.normal((1, 16, 16, 16), key=mx.random.key(0))
    mx.eval(latent)
    seconds: list[float] = []
    for _ in range(20):
        begun = time.perf_counter()
        preview(latent - 0.5 * latent, model.model.preview)
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < step / 20, f"{min(seconds) * 1e3:.2f} ms of {step * 1e3:.0f} ms"
