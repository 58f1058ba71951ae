"""The canvas of LCU++ (arXiv 2501.02487): references on the left, beside them what is to be edited.

The pixels of a picture reach the canvas in one resampling: :func:`see` and :func:`see_mask` cut a region out of the
picture at the size that the region was planned for, :func:`build_canvas` puts everything together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from mlx_model.conditioning.colour import MID_GREY, WHITE, strips, to_srgb
from mlx_model.conditioning.region import Region, reference_crop
from mlx_model.progress import Tick, no_tick
from mlx_model.request import Box, Picture, RequestError

Rgb: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float32]

MASK_THRESHOLD: Final = 128
"""Of 255; what lies above it is selected."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """What the model is conditioned on; (H, W) are the canvas' height and width, references included.

    ``pixels`` is float32 (H, W, 3) in [-1, 1], 0 being mid grey, with the masked pixels weakened by the repainting
    scale; ``mask`` is bool (H, W), true where pixels are to be made; the references are the ``reference_width``
    leftmost columns.
    """

    pixels: Floats
    mask: Mask
    reference_width: int


def edit_pixels(canvas: Canvas, *, modify: bool) -> Floats:
    """Return what the edit latent is made from, (H, W, 3); ``modify`` where the model takes modify latents (FFT)."""
    return canvas.pixels * ~canvas.mask[..., None] if modify else canvas.pixels


def modify_pixels(canvas: Canvas) -> Floats:
    """Return what the modify latent (FFT) is made from, (H, W, 3): the masked pixels on mid grey."""
    return canvas.pixels * canvas.mask[..., None]


def build_canvas(
    region: Region,
    edit: Rgb | None,
    mask: Mask | None,
    references: Sequence[tuple[Rgb, Mask | None]],
    repainting_scale: float,
) -> Canvas:
    """Put references and picture side by side.

    ``edit`` (H, W, 3) and ``mask`` (H, W) are of the region's worked size, as :func:`see` and :func:`see_mask` return
    them; no ``edit`` means a new picture, no mask or an empty one means everything. ``references`` are sRGB pictures
    of their own sizes, those that the region was planned with, each with an optional cut-out mask of its size.
    ``repainting_scale`` is 1 to clear the masked pixels, 0 to leave them visible.
    """
    width, height = region.worked
    picture = np.zeros((height, width, 3), np.float32) if edit is None else _floats(edit)
    inside = mask if mask is not None and mask.any() else np.ones((height, width), np.bool_)
    columns = [
        reference_column(rgb, cutout, box, (column, height))
        for (rgb, cutout), box, column in zip(references, region.references, region.columns, strict=True)
    ]
    picture *= 1 - inside[..., None] * np.float32(repainting_scale)
    reference_width = sum(region.columns)
    kept = np.zeros((height, reference_width), np.bool_)
    return Canvas(
        pixels=np.concatenate([*columns, picture], axis=1),
        mask=np.concatenate([kept, inside], axis=1),
        reference_width=reference_width,
    )


def see(picture: Picture, region: Region, tick: Tick = no_tick) -> Rgb:
    """Return the region as the model sees it: sRGB uint8 (H, W, 3) of the worked size, transparency over white."""
    left, top, width, height = region.box
    part = Picture(picture.pixels[top : top + height, left : left + width], picture.profile)
    return _filled_up(_resampled(to_srgb(part, WHITE, tick), region.content), region)


def see_alpha(picture: Picture, region: Region, tick: Tick = no_tick) -> Floats | None:
    """Return how opaque the region is where the model sees it, float32 (H, W) of the content's size, 0 to 1.

    None where all of it is opaque.
    """
    left, top, width, height = region.box
    alpha = picture.pixels[top : top + height, left : left + width, 3]
    most = np.iinfo(alpha.dtype).max
    if alpha.min() == most:
        return None
    share = np.empty(alpha.shape, np.float32)
    for rows in strips(alpha):
        tick()
        share[rows] = alpha[rows] / np.float32(most)
    return _resampled(share, region.content)


def see_mask(mask: Mask, region: Region) -> Mask:
    """Return the region's mask at the worked size; what is selected anywhere in a pixel's area is selected.

    ``mask`` is as large as the picture. One that selects nothing means everything.

    Raises:
        RequestError: the mask selects something, but nothing inside the region.
    """
    left, top, width, height = region.box
    part = mask[top : top + height, left : left + width]
    if not part.any():
        if mask.any():
            raise RequestError("the mask lies outside the region: move the region to where the mask is")
        part = np.ones_like(part)
    share = part.astype(np.float32)
    if (width, height) != region.content:
        share = np.asarray(cv2.resize(share, region.content, interpolation=cv2.INTER_AREA), np.float32)
    return _filled_up(share > 1e-6, region)


def reference_pixels(picture: Picture, mask: Picture | None, tick: Tick = no_tick) -> tuple[Rgb, Mask | None]:
    """Return a reference as :func:`build_canvas` takes it; transparent parts are mid grey.

    Raises:
        RequestError: the cut-out mask is of another size, or selects nothing.
    """
    cutout = None if mask is None else binary_mask(mask, tick)
    if cutout is not None and cutout.shape != picture.pixels.shape[:2]:
        raise RequestError(
            f"the mask of a reference is {cutout.shape[1]} x {cutout.shape[0]} pixels, the reference itself "
            f"{picture.size[0]} x {picture.size[1]}: give a mask of the same size"
        )
    if cutout is not None and not cutout.any():
        raise RequestError("the mask of a reference selects nothing: paint its subject white")
    return to_srgb(picture, MID_GREY, tick), cutout


def binary_mask(picture: Picture, tick: Tick = no_tick) -> Mask:
    """Return where a mask picture selects: its first channel times its alpha is above 128 of 255."""
    pixels = picture.pixels
    full = np.iinfo(pixels.dtype).max
    least = np.uint32(MASK_THRESHOLD * full * full // 255)  # products are whole numbers and fit into 32 bits
    mask = np.empty(pixels.shape[:2], np.bool_)
    for rows in strips(pixels):
        tick()
        mask[rows] = np.multiply(pixels[rows, :, 0], pixels[rows, :, 3], dtype=np.uint32) > least
    return mask


def reference_column(rgb: Rgb, cutout: Mask | None, box: Box, room: tuple[int, int]) -> Floats:
    """Return a reference seen in ``box`` (left, top, width, height) of a mid-grey column, float32 (H, W, 3).

    ``room`` is the column's (width, height); outside ``cutout`` the reference is mid grey as well.
    """
    left, top, width, height = reference_crop((rgb.shape[1], rgb.shape[0]))
    part = (slice(top, top + height), slice(left, left + width))
    pixels, size = rgb[part], box[2:]
    outside = None
    if cutout is not None:
        # Grey before resampling, so that nothing from outside bleeds in; exactly zero after it.
        pixels = np.where(cutout[part][..., None], pixels, np.uint8(128))
        outside = _resampled(cutout[part].astype(np.uint8) * np.uint8(255), size) == 0
    placed = _floats(_resampled(pixels, size))
    if outside is not None:
        placed[outside] = 0
    column = np.zeros((room[1], room[0], 3), np.float32)
    column[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = placed
    return column


def _resampled(pixels: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resample with a triangle filter, widened when shrinking: what the models were trained on."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    return np.array(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BILINEAR))


def _filled_up(content: npt.NDArray[Any], region: Region) -> npt.NDArray[Any]:
    """Mirror the content to the right and below, up to the worked size."""
    right, below = region.worked[0] - region.content[0], region.worked[1] - region.content[1]
    widths = [(0, below), (0, right)] + [(0, 0)] * (content.ndim - 2)
    return np.pad(content, widths, mode="symmetric")


def _floats(rgb: Rgb) -> Floats:
    return rgb.astype(np.float32) / 127.5 - 1
