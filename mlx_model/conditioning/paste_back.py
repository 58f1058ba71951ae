"""The model's pixels back into the picture: only where they belong, in the picture's own colours and depth.

Outside the paste-back mask the edited picture is bit-identical to the input. Inside it the result is laid over the
picture like a layer: transparent pixels become opaque to the extent of the mask, as when a new object is painted onto
a transparent layer. With ``keep_alpha`` only colours change, and transparency stays as it is: what is wanted where no
mask says that something should appear (recolouring a cut-out object as a whole). The white that the model saw through
transparent pixels is taken away again, or soft edges would come back with a white fringe.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from mlx_model.conditioning.canvas import see, see_alpha, see_mask
from mlx_model.conditioning.colour import (
    WHITE,
    Codes,
    Conversion,
    as_depth,
    from_srgb,
    into_srgb,
    on_background,
    strips,
)
from mlx_model.conditioning.region import Region
from mlx_model.progress import Tick, no_tick
from mlx_model.request import Picture

Floats: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.bool_]

MAX_GAIN: Final = 1.2
MAX_SHIFT: Final = 8.0
_RING_LEAST: Final = 64
_RING_GAP: Final = 2
_LEAST_ALPHA: Final = 1 / 32
"""Where a pixel is more transparent the model saw next to nothing of it, and its colour stays."""
_AROUND: Final = 4
"""Rows above and below a strip that are resampled with it."""
STRIP_PIXELS: Final = 2**19
"""Pixels worked on at a time: a fraction of a second, and little memory beside the picture itself."""


@dataclass(frozen=True, eq=False)
class ColourMatch:
    """A correction in Lab (L 0 to 100): ``lab + shift + (gain - 1) * (lab - centre)``, per channel.

    ``gain`` lies within 1 / :data:`MAX_GAIN` to :data:`MAX_GAIN`, ``shift`` within ± :data:`MAX_SHIFT`.
    """

    gain: Floats
    shift: Floats
    centre: Floats


def paste_mask(
    mask: Mask | None,
    region: Region,
    picture_size: tuple[int, int],
    grow: int,
    fade: int,
    rows: slice = slice(None),
) -> Floats:
    """Return how much of each pixel of the region's box is replaced, float32 (height, width) from 0 to 1.

    1 inside the mask, fading out over the last ``fade`` of the ``grow`` pixels around it (Euclidean distance), 0
    beyond: with ``grow`` 0 nothing outside the mask changes. Where the mask runs on past the box, it fades out over
    ``fade`` pixels inside the box instead. No mask, or an empty one, means the whole box. ``rows`` of the box can be
    had alone.
    """
    left, top, width, height = region.box
    first, last, _ = rows.indices(height)
    share = np.ones((last - first, width), np.float32)
    if mask is not None and mask.any():
        # A strip needs no more around it than the growth reaches: what lies further away counts as 0 anyhow.
        above, below = max(0, first - grow - 1), min(height, last + grow + 1)
        share = _grown(mask[top + above : top + below, left : left + width], grow, fade)[first - above : last - above]
    down = _ramp(top, height, picture_size[1], fade)[rows]
    across = _ramp(left, width, picture_size[0], fade)
    return np.minimum(share, np.minimum(down[:, None], across[None]), dtype=np.float32)


def _grown(mask: Mask, grow: int, fade: int) -> Floats:
    """Return the share of each pixel of a (H, W) mask that is grown and faded, 0 everywhere where it is empty."""
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    found = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Squares of distances are whole numbers: rounded to them, a strip gives what the whole gives, bit by bit.
    distance = np.sqrt(np.rint(np.square(found, dtype=np.float32)))
    faded = min(fade, grow) + 1
    share = np.clip((grow + 1 - np.asarray(distance, np.float32)) / np.float32(faded), 0, 1)
    share[distance > grow + 1e-3] = 0
    share[mask] = 1
    return share


def _ramp(start: int, length: int, whole: int, fade: int) -> Floats:
    """Return the fade along one side of a box: from where the box begins or ends inside the picture."""
    steps = np.arange(1, length + 1, dtype=np.float32) / (fade + 1)
    ramp = np.ones(length, np.float32)
    ramp = np.minimum(ramp, steps) if start > 0 else ramp
    return np.minimum(ramp, steps[::-1]) if start + length < whole else ramp


def fit_colours(result: Floats, known: npt.NDArray[np.uint8], mask: Mask, tick: Tick = no_tick) -> ColourMatch | None:
    """Find what brings the result's colours to the known ones in the ring around the mask.

    All are (H, W[, 3]) at the worked size, sRGB, ``result`` float from 0 to 1. Pixels of the ring in which the model
    changed more than colour are left out. None where there is too little of a ring.
    """
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ring = (distance > _RING_GAP) & (distance <= _RING_GAP + max(8, min(mask.shape) / 16))
    if mask.all() or ring.sum() < _RING_LEAST:
        return None
    made = _lab(result[ring])
    tick()
    wanted = _lab(_floats(known[ring]))
    gain, shift = np.ones(3), np.zeros(3)
    centre = made.mean(axis=0)
    for _ in range(3):
        tick()
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
    tick: Tick = no_tick,
) -> tuple[Picture, Picture]:
    """Return the edited picture, and the changed part alone: as large, its alpha the paste-back mask.

    ``result`` is what the model made: sRGB of the region's worked size (H, W, 3), float32 from 0 to 1 or uint8.
    ``mask`` (as large as the picture) is what the user selected, before growing; None or empty means everything.
    ``grow`` and ``fade`` are pixels of the picture, see :func:`paste_mask`. ``colour_match`` corrects the result by
    the ring of known pixels around the mask. The patch laid over the picture gives the edited picture (with
    ``keep_alpha``: where the picture is opaque). ``tick`` may raise to stop.
    """
    mask = None if mask is None or not mask.any() else mask
    if colour_match and mask is not None:
        made, known, inside = _floats(result), see(picture, region, tick), see_mask(mask, region)
        tick()
        match = fit_colours(made, known, inside, tick)
        tick()
        result = made if match is None else match_colours(made, match)
    left, top, width, height = region.box
    full = _copied(picture.pixels, tick)
    patch = np.zeros(full.shape, full.dtype)  # unlike zeros_like this takes no memory where nothing is written
    convert = from_srgb(picture.profile)
    white = _White.seen_in(picture, region, tick) if keep_alpha else None
    codes = _codes(result[: region.content[1], : region.content[0]])
    tick()
    for rows, strip in _resampled(codes if white is None else white.beside(codes), (width, height)):
        tick()
        outer = (slice(top + rows.start, top + rows.stop), slice(left, left + width))
        share = paste_mask(mask, region, picture.size, grow, fade, rows)
        if white is not None:
            strip, known = white.taken_from(strip, full[outer])
            share *= known
        colours = as_depth(convert(_rounded(strip)), picture.pixels.dtype)
        _lay_over(full[outer], patch[outer], colours, share, keep_alpha)
    return Picture(full, picture.profile), Picture(patch, picture.profile)


def new_picture(region: Region, result: Floats | npt.NDArray[np.uint8], tick: Tick = no_tick) -> Picture:
    """Return a picture made from nothing, opaque 8-bit sRGB, at the size that the region was planned for."""
    width, height = region.box[2:]
    pixels = np.full((height, width, 4), 255, np.uint8)
    codes = _codes(result[: region.content[1], : region.content[0]])
    for rows, strip in _resampled(codes, (width, height)):
        tick()
        pixels[rows, :, :3] = as_depth(_rounded(strip), np.dtype(np.uint8))
    return Picture(pixels)


@dataclass(frozen=True, eq=False)
class _White:
    """The white that the model saw through transparent pixels.

    ``alpha`` (H, W, 1), 0 to 1, is how opaque the region was at the size at which the model saw it: it goes through
    the same resampling as the result, so that edges which the model saw soft are undone as soft.
    """

    alpha: Floats
    convert: Conversion
    resampled: bool

    @classmethod
    def seen_in(cls, picture: Picture, region: Region, tick: Tick) -> "_White | None":
        """Return None where the region is opaque."""
        alpha = see_alpha(picture, region, tick)
        if alpha is None:
            return None
        return cls(alpha[..., None], into_srgb(picture.profile), region.content != region.box[2:])

    def beside(self, codes: Floats) -> Floats:
        """Return the colours (H, W, 3) with the alpha as a fourth channel."""
        return np.concatenate([codes, self.alpha], axis=-1)

    def taken_from(self, strip: Floats, old: npt.NDArray[Any]) -> tuple[Floats, Mask]:
        """Return the colours of a strip as straight ones, and where they can be known.

        ``strip`` (H, W, 4) is what the model made, beside the alpha; ``old`` (H, W, 4) are the picture's pixels.
        """
        made, alpha = strip[..., :3], np.clip(strip[..., 3], 0, 1)
        own = old[..., 3] / np.float32(np.iinfo(old.dtype).max)
        known = np.minimum(alpha, own) >= _LEAST_ALPHA
        if not self.resampled:
            # The model saw 8 bits: what rounding took away would come back many times larger.
            seen = on_background(old, self.convert, WHITE)
            lost = seen.astype(np.float32) - as_depth(seen, np.dtype(np.uint8)) * np.float32(257)
            made = np.where((own < 1)[..., None], made + lost, made)
        share = np.where(known, alpha, 1)[..., None]
        straight = (made - np.float32(WHITE * 65535) * (1 - share)) / share
        return np.asarray(straight, np.float32), known


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


def _codes(result: Floats | npt.NDArray[np.uint8]) -> Floats:
    """Return a result in 16-bit codes, not rounded."""
    return np.clip(_floats(result), 0, 1) * np.float32(65535)


def _copied(pixels: npt.NDArray[Any], tick: Tick) -> npt.NDArray[Any]:
    result = np.empty_like(pixels)
    for rows in strips(pixels):
        tick()
        result[rows] = pixels[rows]
    return result


def _rounded(codes: Floats) -> Codes:
    return np.rint(np.clip(codes, 0, 65535)).astype(np.uint16)


def _resampled(pixels: Floats, size: tuple[int, int]) -> Iterator[tuple[slice, Floats]]:
    """Yield strips of (H, W, channels) at another size (width, height), each with its rows.

    First the height, of everything, then the width, of one strip after the other: rows do not depend on each other.
    Strips are stretched with some rows around them, as OpenCV rounds the first and last rows of a picture otherwise.
    """
    width, height = size
    tall = _stretched(pixels, (pixels.shape[1], height))
    count = max(1, STRIP_PIXELS // width)
    for first in range(0, height, count):
        rows = slice(first, min(first + count, height))
        above, below = max(0, first - _AROUND), min(height, rows.stop + _AROUND)
        yield rows, _stretched(tall[above:below], (width, below - above))[first - above : rows.stop - above]


def _stretched(pixels: Floats, size: tuple[int, int]) -> Floats:
    """Resample along one axis, the other being as it is."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    shrinks = size[0] < pixels.shape[1] or size[1] < pixels.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=method), np.float32)


def _lab(pixels: Floats) -> Floats:
    """(N, 3) sRGB from 0 to 1 to Lab."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels[None]), cv2.COLOR_RGB2Lab), np.float32)[0]
