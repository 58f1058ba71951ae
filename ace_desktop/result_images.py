"""What the model makes as images for the canvas, in the document's colours as the canvas shows them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from mlx_model.conditioning.colour import Conversion, as_depth, from_srgb
from mlx_model.request import Picture

from .canvas.render import image_of, premultiplied
from .document.result_layers import in_profile


def image_of_patch(patch: Picture, profile: bytes | None) -> QImage:
    """Make an image of what was painted, transparent where nothing was, for a document of this profile; slow."""
    return premultiplied(in_profile(patch, profile).pixels)


@lru_cache(maxsize=2)
def _from_srgb(profile: bytes) -> Conversion:
    return from_srgb(profile)  # takes a while to be made, and a preview comes with every step


def image_of_preview(preview: NDArray[np.uint8], profile: bytes | None) -> QImage:
    """Make an image of a small sRGB picture (h x w x 3) of an edit on its way."""
    height, width = preview.shape[:2]
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[..., :3] = preview
    if profile is not None:
        codes = preview.astype(np.uint16) * np.uint16(257)
        pixels[..., :3] = as_depth(_from_srgb(profile)(codes), np.dtype(np.uint8))
    return image_of(pixels, QImage.Format.Format_RGBX8888).copy()
