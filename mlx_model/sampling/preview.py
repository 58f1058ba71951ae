"""What a latent looks like while it is still being denoised: small, quick, and roughly right."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from mlx_model.conditioning.region import Region
from mlx_model.runtime import mx
from mlx_model.weights.config import PreviewConfig

Pixels = npt.NDArray[np.uint8]

_LARGEST: Final = 64


def preview(latent: mx.array, config: PreviewConfig, decode: Callable[[mx.array], mx.array] | None = None) -> Pixels:
    """Turn a scaled latent (1, h, w, channels) into a uint8 picture: (h, w, 3), or (8h, 8w, 3) with a decoder.

    ``decode`` gives (1, 8h, 8w, 3) in [-1, 1] for a scaled latent, as TAEF1 was trained. Latents of more than 64
    positions along a side are thinned out for it: a preview is small.
    """
    if decode is None:
        return to_bytes(latent @ mx.array(config.matrix) + mx.array(config.bias))
    every = thinning(max(latent.shape[1:3]))
    return to_bytes(decode(latent[:, ::every, ::every]))


def thinning(side: int) -> int:
    """Say every how many of a latent's positions a decoder is shown, given how many its longer side has."""
    return max(1, -(-side // _LARGEST))


def without_fill(pixels: Pixels, region: Region) -> Pixels:
    """Cut off what the region was filled up with right and below, so that a preview shows the region's box alone."""
    height, width = pixels.shape[:2]
    rows = max(1, round(height * region.content[1] / region.worked[1]))
    columns = max(1, round(width * region.content[0] / region.worked[0]))
    return pixels[:rows, :columns]


def to_bytes(pixels: mx.array) -> Pixels:
    """Turn (1, h, w, 3) in [-1, 1] into uint8 (h, w, 3), clipped and rounded."""
    rounded = mx.round(mx.clip((pixels[0].astype(mx.float32) + 1) * 127.5, 0, 255))
    return np.array(rounded.astype(mx.uint8))
