"""What the model makes as images for the canvas, in the document's colours as the canvas shows them."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from mlx_model.conditioning.colour import Conversion, as_depth, from_srgb
from mlx_model.request import Picture

from .canvas.render import image_of, premultiplied
from .document.result_layers import in_profile
from .document.snapshot import Snapshot

CLIP = 384
"""The longer side of the mask of a preview, in pixels."""
_SELECTED = 127


def image_of_patch(patch: Picture, profile: bytes | None) -> QImage:
    """Make an image of what was painted, transparent where nothing was, for a document of this profile; slow."""
    return premultiplied(in_profile(patch, profile).pixels)


@lru_cache(maxsize=2)
def _from_srgb(profile: bytes) -> Conversion:
    return from_srgb(profile)  # takes a while to be made, and a preview comes with every step


def clip_of(made: Snapshot) -> NDArray[np.uint8] | None:
    """Give the mask of an edit within what the model sees (h x w, 255 shows), made small; None where all is shown."""
    name = made.requests[0].mask if made.requests else None
    if name is None or made.box is None:
        return None
    left, top, width, height = made.box
    part = made.pictures[name].pixels[top : top + height, left : left + width]
    mask = np.where((part[..., 0] > _SELECTED) & (part[..., 3] > _SELECTED), np.uint8(255), np.uint8(0))
    scale = CLIP / max(width, height)
    if scale >= 1 or not mask.any():
        return mask if mask.any() else None
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)


def image_of_preview(
    preview: NDArray[np.uint8], profile: bytes | None, clip: NDArray[np.uint8] | None = None
) -> QImage:
    """Make an image of a small sRGB picture (h x w x 3) of an edit on its way, shown only where `clip` says."""
    if clip is not None:  # it has more pixels: its edge is sharp while the picture is still coarse
        size = clip.shape[1], clip.shape[0]
        preview = np.asarray(cv2.resize(preview, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    height, width = preview.shape[:2]
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[..., :3] = preview
    if profile is not None:
        codes = preview.astype(np.uint16) * np.uint16(257)
        pixels[..., :3] = as_depth(_from_srgb(profile)(codes), np.dtype(np.uint8))
    if clip is not None:
        pixels[..., 3] = clip
        return premultiplied(pixels)
    return image_of(pixels, QImage.Format.Format_RGBX8888).copy()
