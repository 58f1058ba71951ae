"""Previews: the linear map, its rounding, and a small decoder in its place."""

import numpy as np

from mlx_model.runtime import mx
from mlx_model.sampling.preview import preview
from mlx_model.weights.config import PreviewConfig


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
