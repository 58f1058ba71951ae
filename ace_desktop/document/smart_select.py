"""Selections that look at the picture: the magic wand, and objects from a rough scribble."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .compose import compose, compose_layers
from .geometry import Rect
from .masks import Grey, grey_of
from .plane import Plane
from .state import RasterLayer, State
from .tree import find, origin

WORKING_PIXELS: Final = 50_000
"""How many pixels GrabCut sees at most; it takes about half a second for them."""

HOLE: Final = 0.005
"""Of an object's area: a smaller hole in it, such as an eye, belongs to it."""


def sampled(state: State, rect: Rect, layer_id: str | None = None) -> NDArray[np.uint8]:
    """Give the RGBA pixels that a tool looks at: of the picture, or of a layer without mask and opacity."""
    if layer_id is None:
        return compose(state, rect)
    layer, (x, y) = find(state, layer_id), origin(state, layer_id)
    if isinstance(layer, RasterLayer):
        layer = RasterLayer(pixels=layer.pixels, name=layer.name)
        return compose_layers([layer], rect.moved(-x, -y)).astype(np.uint8, copy=False)
    return compose_layers(layer.children, rect.moved(-x, -y)).astype(np.uint8, copy=False)


def magic_wand(
    state: State, x: int, y: int, tolerance: int, *, contiguous: bool = True, layer_id: str | None = None
) -> Plane:
    """Select the pixels like the one at x, y: none of red, green, blue and alpha is further off than `tolerance`.

    The tolerance is in steps of 255. `contiguous` takes only those that hang together with it by their edges.
    Empty where x, y lies outside the frame.
    """
    frame = state.frame
    if Rect(x, y, 1, 1) not in frame:
        return Plane(1)
    like = similar(sampled(state, frame, layer_id), x, y, tolerance)
    if contiguous:
        cv2.floodFill(like, None, (x, y), 128, flags=4)  # pyright: ignore[reportArgumentType, reportCallIssue] no mask
        like = np.where(like == 128, 255, 0).astype(np.uint8)
    return Plane(1).written(like[..., None], 0, 0)


def similar(picture: NDArray[np.uint8], x: int, y: int, tolerance: int) -> Grey:
    """Give 255 where a picture is like its pixel at x, y in every channel, else 0."""
    wanted = picture[y, x].astype(int)
    low, high = np.clip(wanted - tolerance, 0, 255), np.clip(wanted + tolerance, 0, 255)
    return np.asarray(cv2.inRange(picture, tuple(low.tolist()), tuple(high.tolist())), np.uint8)


def quick_select(
    state: State, scribble: Plane, background: Plane | None = None, layer_id: str | None = None
) -> Plane:
    """Select the object that a rough scribble (a mask) lies on.

    `background` is a scribble over what does not belong to it. Looks at the surroundings of the scribble, on a copy
    of at most WORKING_PIXELS (GrabCut), and finds the edges again in the picture itself (guided filter).
    """
    frame = state.frame
    marked = scribble.content() & frame
    if not marked:
        return Plane(1)
    rect = marked.grown(max(marked.width, marked.height, 32)) & frame
    scale = min(1.0, (WORKING_PIXELS / rect.area) ** 0.5)
    size = max(2, round(rect.width * scale)), max(2, round(rect.height * scale))
    picture = np.ascontiguousarray(sampled(state, rect, layer_id)[..., :3])
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    hints = _hints(_seen(scribble, rect, size), None if background is None else _seen(background, rect, size))
    found = _cut_out(small, hints)
    if scale == 1:
        return Plane(1).written(found[..., None], rect.x, rect.y)
    return Plane(1).written(_refined(picture, small, found)[..., None], rect.x, rect.y)


def _seen(mask: Plane, rect: Rect, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Shrink a scribble; what it touches stays touched where it is thin."""
    return np.asarray(cv2.resize(grey_of(mask, rect), size, interpolation=cv2.INTER_AREA), np.uint8) >= 64


def _hints(scribble: NDArray[np.bool_], background: NDArray[np.bool_] | None) -> Grey:
    """Tell GrabCut what is known: the scribble belongs to it; more probably does near it than far away."""
    distance = cv2.distanceTransform((~scribble).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    near = 0.12 * max(np.ptp(np.flatnonzero(scribble.any(axis))) + 1 for axis in (0, 1)) if scribble.any() else 0
    hints = np.where(distance <= near, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    hints[distance >= 0.95 * distance.max()] = cv2.GC_BGD
    if background is not None:
        hints[background] = cv2.GC_BGD
    hints[scribble] = cv2.GC_FGD
    return hints


def _cut_out(picture: NDArray[np.uint8], hints: Grey) -> Grey:
    """Run GrabCut and keep what hangs together with the scribble; 255 inside."""
    scribble = hints == cv2.GC_FGD
    if not scribble.any() or not (hints % 2 == 0).any():
        return np.where(scribble, 255, 0).astype(np.uint8)
    cv2.setRNGSeed(0)  # its first guess is drawn at random: the same scribble selects the same
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cut, _, _ = cv2.grabCut(picture, hints.copy(), None, *models, 3, cv2.GC_INIT_WITH_MASK)  # pyright: ignore[reportArgumentType, reportCallIssue] no rectangle
    inside = (np.asarray(cut) % 2).astype(np.uint8)  # GC_FGD and GC_PR_FGD are odd
    _, labels = cv2.connectedComponents(inside, connectivity=4)
    kept = np.isin(labels, np.unique(np.asarray(labels)[scribble & (inside > 0)]))
    _, holes, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < HOLE * kept.sum()
    small[np.unique(np.asarray(holes)[hints == cv2.GC_BGD])] = False  # what was said to be background stays so
    return np.where(kept | small[np.asarray(holes)], 255, 0).astype(np.uint8)


def _refined(picture: NDArray[np.uint8], small: NDArray[np.uint8], found: Grey) -> Grey:
    """Give a small mask at the picture's size, its edges where the picture's are.

    The fast guided filter of He and Sun (arXiv 1505.00996): near each pixel the mask is taken for a linear function
    of the picture's three channels, worked out on the small ones and applied to the large one.
    """
    guide, mask = small.astype(np.float32) / 255, found.astype(np.float32) / 255

    def mean(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(values, (7, 7)), np.float32)

    mean_guide, mean_mask = mean(guide), mean(mask)
    products = np.einsum("hwi,hwj->hwij", guide, guide).reshape(*mask.shape, 9)
    means = np.stack([mean(np.ascontiguousarray(products[..., k])) for k in range(9)], 2).reshape(*mask.shape, 3, 3)
    spread = means - np.einsum("hwi,hwj->hwij", mean_guide, mean_guide) + 1e-4 * np.eye(3, dtype=np.float32)
    shared = mean(guide * mask[..., None]) - mean_guide * mean_mask[..., None]
    slope = np.linalg.solve(spread, shared[..., None])[..., 0].astype(np.float32)
    height, width = picture.shape[:2]
    shift = mean_mask - (slope * mean_guide).sum(2)
    weights = np.concatenate([mean(slope), mean(shift)[..., None]], 2)
    out = np.empty((height, width), np.uint8)
    top_scale = found.shape[0] / height
    for top in range(0, height, 512):  # a large picture never stands there in floats as a whole
        rows = min(512, height - top)
        move = np.array([[found.shape[1] / width, 0, found.shape[1] / width / 2 - 0.5],
                         [0, top_scale, (top + 0.5) * top_scale - 0.5]])  # fmt: skip
        at = cv2.warpAffine(
            weights,
            move,
            (width, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        strip = (at[..., :3] * (picture[top : top + rows].astype(np.float32) / 255)).sum(2) + at[..., 3]
        # Steeper than the filter leaves it: an object has an edge, not a glow.
        out[top : top + rows] = np.rint(np.clip((strip - 0.5) * 2 + 0.5, 0, 1) * 255).astype(np.uint8)
    return out
