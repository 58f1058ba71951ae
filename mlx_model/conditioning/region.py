"""Which part of a picture the model sees, and at what size: geometry alone.

A large picture is never squeezed into the model for the sake of a small mask: the model sees a box around the mask.
That box and the references share one token budget, and each is resampled once, straight to the size it has on the
canvas. Sizes are (width, height), boxes (left, top, width, height), all in pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mlx_model.request import Box, RequestError
from mlx_model.weights.config import SizeConfig

LONGEST_ASPECT: Final = 4
"""Pictures, regions and references longer than this to one are cut to it, around the mask or the middle."""
MAX_ENLARGED: Final = 2.0
KEPT_HEIGHT: Final = 0.8
"""References that keep their own size are shrunk only when taller than this share of the canvas."""
_SQUARISH: Final = 1.5
_WORTH_ENLARGING: Final = 1.25
"""Enlarging by less gains the model little and costs every pixel a resampling."""


@dataclass(frozen=True)
class Region:
    """What the model sees of a picture, and beside which references.

    ``box`` lies inside the picture. ``content`` is the size at which the box is seen; ``worked`` is that size filled
    up to the model's multiples (by mirroring, right and below; the fill is dropped again). ``columns`` are the widths
    that the references take on the canvas, ``references`` the boxes in which they are seen, each within its column.
    ``cut`` says that the box leaves out something that was to be edited, as it would be longer than 4 : 1 or as the
    given region says.
    """

    box: Box
    content: tuple[int, int]
    worked: tuple[int, int]
    references: tuple[Box, ...] = ()
    columns: tuple[int, ...] = ()
    cut: bool = False

    @property
    def scale(self) -> float:
        """Pixels the model sees per pixel of the picture: 0.8 means "seen at 0.8x"."""
        return max(self.content[0] / self.box[2], self.content[1] / self.box[3])

    @property
    def canvas_size(self) -> tuple[int, int]:
        """(width, height) of the whole canvas, references included."""
        return sum(self.columns) + self.worked[0], self.worked[1]


def bounding_box(mask: npt.NDArray[np.bool_]) -> Box | None:
    """Return the smallest box around everything that a (H, W) mask selects, None where it selects nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


def plan_region(
    picture_size: tuple[int, int],
    extent: Box | None,
    references: Sequence[tuple[int, int]],
    size: SizeConfig,
    *,
    keep_pixels: bool,
    region: Box | None = None,
    working_size: tuple[int, int] | None = None,
) -> Region:
    """Decide what the model sees of a picture (or of the new picture's ``picture_size``, with ``extent`` None).

    ``extent`` is the mask's bounding box; None means that the whole picture is edited. ``references`` are the sizes
    of the reference pictures; ``keep_pixels`` places them at their own size (FFT), otherwise they are scaled to the
    canvas' height; a model with ``size.references_in_place`` sees those of a masked edit as large as the mask's
    bounding box allows and where that is, each in a column as wide as the picture. ``region`` overrides the box.

    Around a mask the box leaves context of max(picture's longest side / 16, half the mask's mean side) on each side
    and is no smaller than half the model's native side; it is shifted, not cut, at the picture's borders. It is
    enlarged (at most twice) to the model's native area, seen as it is where that is near or smaller, and shrunk only
    where the whole canvas would not fit into ``size.max_tokens``. With ``working_size`` (width, height) it is seen as
    large as fits into that, in whole multiples of the model's, instead.

    Raises:
        RequestError: a size of no pixels, a region that lies outside the picture, is longer than 4 : 1 or does not
            touch the mask, a working size that is too small or over the budget, or more references than the budget
            has room for.
    """
    if min(picture_size) < 1 or any(min(reference) < 1 for reference in references):
        raise RequestError("a picture needs at least 1 pixel in each direction")
    if region is not None:
        box = _given_box(region, picture_size, extent)
    elif extent is None:
        box = _cut_long((0, 0, *picture_size))
    else:
        box = _box_around(extent, picture_size, size)
    wanted = _native_scale(box, size) if working_size is None else _working_scale(box, working_size, size.multiple)
    in_place = size.references_in_place and extent is not None
    scale = _fitting_scale(box, wanted, references, size, keep_pixels, in_place)
    if working_size is not None and scale < wanted:
        width, height = _seen(box, scale, size.multiple)[1]
        beside = " beside the references" if references else ""
        raise RequestError(
            f"a working size of {working_size[0]} x {working_size[1]} needs more than the {size.max_tokens} tokens "
            f"that the model may use{beside}: {width} x {height} is the largest that fits"
        )
    content, worked = _seen(box, scale, size.multiple)
    if region is None:
        box = _filled_box(box, picture_size, worked, scale)
        content = (min(worked[0], round(box[2] * scale)), min(worked[1], round(box[3] * scale)))
    content = (max(1, content[0]), max(1, content[1]))
    target = extent or (0, 0, *picture_size)
    if in_place:
        placed = references_in_place(references, _seen_part(target, box, content))
        columns = (worked[0],) * len(placed)
    else:
        sizes = place_references(references, worked[1], keep_pixels)
        columns = tuple(_up(width, size.multiple) for width, _ in sizes)
        placed = tuple(
            (column - width, (worked[1] - height) // 2, width, height)
            for column, (width, height) in zip(columns, sizes, strict=True)
        )
    return Region(
        box=box,
        content=content,
        worked=worked,
        references=placed,
        columns=columns,
        cut=_common(box, target) != target,
    )


def reference_crop(size: tuple[int, int]) -> Box:
    """Return the part of a reference of this size that is used: all of it, or the middle where longer than 4 : 1."""
    return _cut_long((0, 0, *size))


def place_references(
    references: Sequence[tuple[int, int]], height: int, keep_pixels: bool
) -> tuple[tuple[int, int], ...]:
    """Return the sizes that references of these sizes get on a canvas of this height, beside what is edited."""
    placed: list[tuple[int, int]] = []
    for reference in references:
        _, _, own_width, own_height = reference_crop(reference)
        target = height
        if keep_pixels:
            target = min(own_height, max(1, int(height * KEPT_HEIGHT)))
        placed.append((max(1, int(own_width * (target / own_height) + 1e-6)), target))
    return tuple(placed)


def references_in_place(references: Sequence[tuple[int, int]], inside: Box) -> tuple[Box, ...]:
    """Return the largest boxes that references of these sizes fill in the middle of a box (the mask's, as seen)."""
    left, top, wide, high = inside
    placed: list[Box] = []
    for reference in references:
        _, _, own_width, own_height = reference_crop(reference)
        scale = min(wide / own_width, high / own_height)
        width, height = max(1, min(wide, round(own_width * scale))), max(1, min(high, round(own_height * scale)))
        placed.append((left + (wide - width) // 2, top + (high - height) // 2, width, height))
    return tuple(placed)


def _seen_part(part: Box, box: Box, content: tuple[int, int]) -> Box:
    """Return the pixels in which a part of the picture is seen; at least one."""
    spans: list[tuple[int, int]] = []
    for axis in (0, 1):
        scale, last = content[axis] / box[axis + 2], content[axis]
        start, end = part[axis] - box[axis], part[axis] + part[axis + 2] - box[axis]
        first = min(max(math.floor(start * scale + 1e-6), 0), last - 1)
        spans.append((first, min(max(math.ceil(end * scale - 1e-6), first + 1), last) - first))
    (left, width), (top, height) = spans
    return left, top, width, height


def _given_box(region: Box, picture_size: tuple[int, int], extent: Box | None) -> Box:
    box = _common(region, (0, 0, *picture_size))
    if box is None:
        raise RequestError(
            f"the region {','.join(map(str, region))} lies outside the picture, "
            f"which is {picture_size[0]} x {picture_size[1]} pixels: give left,top,width,height within it"
        )
    if _cut_long(box) != box:
        raise RequestError(
            f"the region is longer than {LONGEST_ASPECT} : 1 ({box[2]} x {box[3]} pixels): make it more square"
        )
    if extent is not None and _common(box, extent) is None:
        raise RequestError("the mask lies outside the region: move the region to where the mask is")
    return box


def _box_around(extent: Box, picture_size: tuple[int, int], size: SizeConfig) -> Box:
    left, top, width, height = extent
    context = max(math.ceil(max(picture_size) / 16), math.ceil((width + height) / 4))
    wide, high = width + 2 * context, height + 2 * context
    least = max(math.ceil(max(wide, high) / _SQUARISH), math.ceil(size.native / 2))
    wide, high = min(max(wide, least), picture_size[0]), min(max(high, least), picture_size[1])
    wide, high = _cut_long((0, 0, wide, high))[2:]
    return _centred(left + width / 2, top + height / 2, wide, high, picture_size)


def _centred(x: float, y: float, width: int, height: int, picture_size: tuple[int, int]) -> Box:
    """Return a box of this size around a point, shifted into the picture."""
    left = min(max(round(x - width / 2), 0), picture_size[0] - width)
    top = min(max(round(y - height / 2), 0), picture_size[1] - height)
    return left, top, width, height


def _cut_long(box: Box) -> Box:
    left, top, width, height = box
    wide, high = min(width, height * LONGEST_ASPECT), min(height, width * LONGEST_ASPECT)
    return left + (width - wide) // 2, top + (height - high) // 2, wide, high


def _native_scale(box: Box, size: SizeConfig) -> float:
    """Return the scale at which the model sees a box best."""
    scale = min(MAX_ENLARGED, size.native / math.sqrt(box[2] * box[3]))
    return scale if scale >= _WORTH_ENLARGING else 1.0


def _working_scale(box: Box, working_size: tuple[int, int], multiple: int) -> float:
    """Return the largest scale at which a box, filled up to multiples, stays inside a size."""
    width, height = (side // multiple * multiple for side in working_size)
    if min(width, height) < multiple:
        raise RequestError(
            f"a working size has sides of at least {multiple} pixels, not {working_size[0]} x {working_size[1]}"
        )
    return min(width / box[2], height / box[3])


def _fitting_scale(
    box: Box,
    wanted: float,
    references: Sequence[tuple[int, int]],
    size: SizeConfig,
    keep_pixels: bool,
    in_place: bool,
) -> float:
    """Return the wanted scale, or the largest smaller one at which box and references fit into the budget."""

    def fits(scale: float) -> bool:
        _, (width, height) = _seen(box, scale, size.multiple)
        if in_place:
            columns = width * len(references)
        else:
            placed = place_references(references, height, keep_pixels)
            columns = sum(_up(reference, size.multiple) for reference, _ in placed)
        return (columns + width) * height <= size.max_tokens * size.multiple**2

    if fits(wanted):
        return wanted
    high = wanted
    low = min(1 / box[2], 1 / box[3])
    if not fits(low):
        raise RequestError(
            f"{len(references)} references do not fit beside the picture into {size.max_tokens} tokens: give fewer"
        )
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _seen(box: Box, scale: float, multiple: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size at which a box is seen, and that size filled up to multiples."""
    content = (max(1, round(box[2] * scale)), max(1, round(box[3] * scale)))
    return content, (_up(content[0], multiple), _up(content[1], multiple))


def _filled_box(box: Box, picture_size: tuple[int, int], worked: tuple[int, int], scale: float) -> Box:
    """Return the box grown to what the worked size has room for, as far as the picture reaches."""
    left, top, width, height = box
    wide = min(max(width, math.ceil(worked[0] / scale - 1e-6)), picture_size[0], LONGEST_ASPECT * height)
    high = min(max(height, math.ceil(worked[1] / scale - 1e-6)), picture_size[1], LONGEST_ASPECT * width)
    return _centred(left + width / 2, top + height / 2, wide, high, picture_size)


def _common(first: Box, second: Box) -> Box | None:
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right = min(first[0] + first[2], second[0] + second[2])
    bottom = min(first[1] + first[3], second[1] + second[3])
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def _up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple
