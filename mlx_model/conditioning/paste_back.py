"""The model's pixels back into the picture: only where they belong, in the picture's own colours and depth.

Outside the paste-back mask the edited picture is bit-identical to the input. Inside it the result is laid over the
picture like a layer: transparent pixels become opaque to the extent of the mask, as when a new object is painted onto
a transparent layer. With ``keep_alpha`` only colours change, and transparency stays as it is: what is wanted where no
mask says that something should appear (recolouring a cut-out object as a whole).
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from mlx_model.conditioning.canvas import see, see_mask
from mlx_model.conditioning.colour import Codes, as_depth, from_srgb
from mlx_model.conditioning.region import Region
from mlx_model.request import Picture

Floats: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]

MAX_GAIN: Final = 1.2
MAX_SHIFT: Final = 8.0
_RING_LEAST: Final = 64
_RING_GAP: Final = 2
_STRIP: Final = 2**20


@dataclass(frozen=True, eq=False)
class ColourMatch:
    """A correction in Lab (L 0 to 100): ``lab + shift + (gain - 1) * (lab - centre)``, per channel.

    ``gain`` lies within 1 / :data:`MAX_GAIN` to :data:`MAX_GAIN`, ``shift`` within ± :data:`MAX_SHIFT`.
    """

    gain: Floats
    shift: Floats
    centre: Floats


def paste_mask(mask: Mask | None, region: Region, picture_size: tuple[int, int], grow: int, fade: int) -> Floats:
    """Return how much of each pixel of the region's box is replaced, float32 (height, width) from 0 to 1.

    1 inside the mask, fading out over the last ``fade`` of the ``grow`` pixels around it (Euclidean distance), 0
    beyond: with ``grow`` 0 nothing outside the mask changes. Where the mask runs on past the box, it fades out over
    ``fade`` pixels inside the box instead. No mask, or an empty one, means the whole box.
    """
    left, top, width, height = region.box
    share = np.ones((height, width), np.float32)
    if mask is not None and mask.any():
        outside = ~mask[top : top + height, left : left + width]
        distance = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        faded = min(fade, grow) + 1
        share = np.clip((grow + 1 - np.asarray(distance, np.float32)) / np.float32(faded), 0, 1)
        share[distance > grow + 1e-3] = 0
        share[~outside] = 1
    for axis, (start, length, whole) in enumerate(((top, height, picture_size[1]), (left, width, picture_size[0]))):
        steps = np.arange(1, length + 1, dtype=np.float32) / (fade + 1)
        ramp = np.ones(length, np.float32)
        ramp = np.minimum(ramp, steps) if start > 0 else ramp
        ramp = np.minimum(ramp, steps[::-1]) if start + length < whole else ramp
        share = np.minimum(share, ramp[:, None] if axis == 0 else ramp[None])
    return share


def fit_colours(result: Floats, known: npt.NDArray[np.uint8], mask: Mask) -> ColourMatch | None:
    """Find what brings the result's colours to the known ones in the ring around the mask.

    All are (H, W[, 3]) at the worked size, sRGB, ``result`` float from 0 to 1. Pixels of the ring in which the model
    changed more than colour are left out. None where there is too little of a ring.
    """
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ring = (distance > _RING_GAP) & (distance <= _RING_GAP + max(8, min(mask.shape) / 16))
    if mask.all() or ring.sum() < _RING_LEAST:
        return None
    made, wanted = _lab(result[ring]), _lab(_floats(known[ring]))
    gain, shift = np.ones(3), np.zeros(3)
    centre = made.mean(axis=0)
    for _ in range(3):
        error = np.abs(wanted - (made + shift + (gain - 1) * (made - centre))).max(axis=1)
        good = error <= max(2.5 * float(np.median(error)), 1.0)
        x, y = made[good], wanted[good]
        centre = x.mean(axis=0)
        spread = (x - centre).astype(np.float64)
        # Where the ring is nearly uniform a gain cannot be told from noise: the 4 (Lab units squared) hold it at 1.
        gain = ((spread * (y - y.mean(axis=0))).mean(axis=0) + 4) / ((spread**2).mean(axis=0) + 4)
        gain = np.clip(gain, 1 / MAX_GAIN, MAX_GAIN)
        shift = np.clip(y.mean(axis=0) - centre, -MAX_SHIFT, MAX_SHIFT)
    return ColourMatch(gain.astype(np.float32), shift.astype(np.float32), centre.astype(np.float32))


def match_colours(result: Floats, match: ColourMatch) -> Floats:
    """Apply a correction to sRGB float32 (H, W, 3) from 0 to 1."""
    lab = _lab(result.reshape(-1, 3))
    lab += match.shift + (match.gain - 1) * (lab - match.centre)
    rgb = np.asarray(cv2.cvtColor(lab[None], cv2.COLOR_Lab2RGB), np.float32)
    return np.clip(rgb, 0, 1).reshape(result.shape)


def paste_back(
    picture: Picture,
    region: Region,
    result: Floats | npt.NDArray[np.uint8],
    mask: Mask | None,
    *,
    grow: int,
    fade: int,
    colour_match: bool = True,
    keep_alpha: bool = False,
) -> tuple[Picture, Picture]:
    """Return the edited picture, and the changed part alone: as large, its alpha the paste-back mask.

    ``result`` is what the model made: sRGB of the region's worked size (H, W, 3), float32 from 0 to 1 or uint8.
    ``mask`` (as large as the picture) is what the user selected, before growing; None or empty means everything.
    ``grow`` and ``fade`` are pixels of the picture, see :func:`paste_mask`. ``colour_match`` corrects the result by
    the ring of known pixels around the mask. The patch laid over the picture gives the edited picture (with
    ``keep_alpha``: where the picture is opaque).
    """
    if colour_match and mask is not None and mask.any():
        made = _floats(result)
        match = fit_colours(made, see(picture, region), see_mask(mask, region))
        result = made if match is None else match_colours(made, match)
    width, height = region.content
    codes = _resampled(_codes(result[:height, :width]), (region.box[2], region.box[3]))
    colours = as_depth(from_srgb(codes, picture.profile), picture.pixels.dtype)
    share = paste_mask(mask, region, picture.size, grow, fade)

    left, top, width, height = region.box
    full, patch = picture.pixels.copy(), np.zeros_like(picture.pixels)
    strip = max(1, _STRIP // width)
    for row in range(0, height, strip):
        inner = slice(row, row + strip)
        outer = (slice(top + row, min(top + row + strip, top + height)), slice(left, left + width))
        _lay_over(full[outer], patch[outer], colours[inner], share[inner], keep_alpha)
    return Picture(full, picture.profile), Picture(patch, picture.profile)


def new_picture(region: Region, result: Floats | npt.NDArray[np.uint8]) -> Picture:
    """Return a picture made from nothing, opaque 8-bit sRGB, at the size that the region was planned for."""
    width, height = region.content
    codes = _resampled(_codes(result[:height, :width]), (region.box[2], region.box[3]))
    pixels = np.full((*codes.shape[:2], 4), 255, np.uint8)
    pixels[..., :3] = as_depth(codes, np.dtype(np.uint8))
    return Picture(pixels)


def _lay_over(
    full: npt.NDArray[Any], patch: npt.NDArray[Any], colours: npt.NDArray[Any], share: Floats, keep_alpha: bool
) -> None:
    """Lay colours over ``full`` in place, and note in ``patch`` what was laid."""
    most = np.iinfo(full.dtype).max
    alpha = np.rint(share * np.float32(most)).astype(full.dtype)
    changed = alpha > 0
    old, new = full[changed].astype(np.float32), colours[changed].astype(np.float32)
    over, under = alpha[changed].astype(np.float32) / most, old[:, 3] / most
    united = under if keep_alpha else over + under * (1 - over)
    weight = over if keep_alpha else over / united
    mixed = np.rint(old[:, :3] + (new - old[:, :3]) * weight[:, None])
    # The patch's colours are the new ones, not the mixed: laid over the picture it mixes by itself.
    patch[changed, :3] = colours[changed]
    patch[changed, 3] = np.rint(over * under * most) if keep_alpha else alpha[changed]
    if keep_alpha:
        full[changed, :3] = mixed
    else:
        full[changed] = np.concatenate([mixed, np.rint(united * most)[:, None]], axis=1)


def _floats(result: npt.NDArray[Any]) -> Floats:
    scale = 255 if result.dtype == np.uint8 else 1
    return np.divide(result, np.float32(scale), dtype=np.float32)


def _codes(result: Floats | npt.NDArray[np.uint8]) -> Codes:
    if result.dtype == np.uint8:
        return result.astype(np.uint16) * np.uint16(257)
    return np.rint(np.clip(result, 0, 1) * 65535).astype(np.uint16)


def _resampled(codes: Codes, size: tuple[int, int]) -> Codes:
    if (codes.shape[1], codes.shape[0]) == size:
        return codes
    shrinks = size[0] < codes.shape[1] or size[1] < codes.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(codes), size, interpolation=method), np.uint16)


def _lab(pixels: Floats) -> Floats:
    """(N, 3) sRGB from 0 to 1 to Lab."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels[None]), cv2.COLOR_RGB2Lab), np.float32)[0]
