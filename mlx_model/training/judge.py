"""How a result is judged against a drawn scene: by measurement, on the picture as the model left it.

The picture is judged before anything is pasted back, so what the model does to the rest counts as well. A success
is what holds to these:

- *colour*: the median CIEDE2000 difference from the target, inside the object, is at most 12;
- *shape*: the object found in the result overlaps the drawn one by an IoU of at least 0.6. A pixel belongs to
  the object when it is nearer in Lab to one of the object's colours than to the background expected there;
  pixels where the two look alike are left out. Where the task leaves no object (a removed one, a recoloured
  background), at least nine tenths of its pixels must be nearer to the target than to what was there before;
- *rest*: everything else differs by at most 4 on average, and so does everything outside the mask;
- *nearest*: the changed pixels are nearer to the target than to the input, and the object's pixels are nearer to
  the given reference's target than to the targets of other references.

A clean one has no blemish either:

- *edge*: at most two fifths of the pixels within 3 of the found object's outline lie between object and background;
- *spot*: nowhere away from the object and the mask does a square of an eighth of the side differ by more than 12;
- *beside*: at least 0.6 of the masked pixels beside the object look like the target (differ by at most 12).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .colour_difference import Array, difference, to_lab
from .scenes import Scene
from .scenes.shapes import Mask, Picture

Lab = NDArray[np.float32]

ALIKE: Final = 12.0  # differences up to this look like the same named colour
REST: Final = 4.0
BETWEEN: Final = 0.4
OVERLAP: Final = 0.6
DONE: Final = 0.9
_TELLING: Final = 12.0  # CIE76 distance from which two expected colours can be told apart
_CELL: Final = 10.0  # side of the Lab cells in which an object's colours are collected


@dataclass(frozen=True)
class Verdict:
    """What was measured on one result; see the module for what each has to be.

    `shape` is the overlap (0..1), or the share of the pixels that changed as they should where `done_needed`.
    `colour`, `rest` and `spot` are CIEDE2000 differences, `edge` and `beside` shares.
    """

    colour: float
    shape: float
    edge: float
    rest: float
    spot: float
    beside: float
    nearest: bool
    done_needed: bool

    @property
    def faults(self) -> tuple[str, ...]:
        """Name what failed; empty where the result is a success."""
        holds = {
            "colour": self.colour <= ALIKE,
            "shape": self.shape >= (DONE if self.done_needed else OVERLAP),
            "rest": self.rest <= REST,
            "nearest": self.nearest,
        }
        return tuple(name for name, held in holds.items() if not held)

    @property
    def blemishes(self) -> tuple[str, ...]:
        """Name what a success may still have and a clean result has not."""
        holds = {"edge": self.edge <= BETWEEN, "spot": self.spot <= ALIKE, "beside": self.beside >= OVERLAP}
        return tuple(name for name, held in holds.items() if not held)

    @property
    def success(self) -> bool:
        """Tell whether the result is what was asked for."""
        return not self.faults

    @property
    def clean(self) -> bool:
        """Tell whether it is that and has no blemish."""
        return not self.faults and not self.blemishes


class Judge:
    """Judges results of one scene; what does not depend on the result is measured once.

    Raises:
        ValueError: a scene with references was drawn without distractors.
    """

    def __init__(self, scene: Scene):
        if scene.references and not scene.distractors:
            raise ValueError("a scene with references is judged against distractors: draw it with distractors=True")
        objects, self._masked = scene.object_mask, not scene.mask.all()
        self._scene, self._target = scene, to_lab(scene.target)
        self._core, self._around = _shrunk(objects, 1), _grown(objects, 2)
        self._away = ~_grown(objects | scene.mask if self._masked else objects, 8)
        self._before = None if scene.image is None else to_lab(scene.image)
        self._others = [to_lab(other)[objects] for other in scene.distractors]
        # Recoloured backgrounds reach the picture's borders, objects never do.
        self._no_object = scene.task == "remove" or bool(objects[0].all() and objects[:, 0].all())
        if not self._no_object:
            behind = cv2.inpaint(scene.target, _grown(objects, 2).astype(np.uint8), 3, cv2.INPAINT_TELEA)
            self._ground = np.where(objects[..., None], to_lab(np.asarray(behind, np.uint8)), self._target)
            self._palette = _palette(self._target[self._core])
            apart = np.linalg.norm(self._target - self._ground, axis=2)
            self._told_apart = np.where(objects, apart, _nearest(self._target, self._palette)) > _TELLING

    def __call__(self, result: Picture) -> Verdict:
        """Measure a result, sRGB uint8, of the size of the scene's target.

        Raises:
            ValueError: it has another size or type.
        """
        scene = self._scene
        if result.shape != scene.target.shape or result.dtype != np.uint8:
            raise ValueError(f"a result is uint8 {scene.target.shape}, not {result.dtype} {result.shape}")
        seen = to_lab(result)
        error = difference(self._target, seen)
        if self._no_object and self._before is not None:
            shape, edge = self._done(seen, self._before), 0.0
        else:
            shape, edge = self._outline(seen)
        rest = float(error[~self._around].mean())
        beside = 1.0
        if self._masked:
            rest = max(rest, float(error[~_grown(scene.mask, 2)].mean()))
            beside = float((error[scene.mask & ~self._around] <= ALIKE).mean())
        return Verdict(
            colour=float(np.median(error[self._core])),
            shape=shape,
            edge=edge,
            rest=rest,
            spot=_worst_spot(error, self._away),
            beside=beside,
            nearest=self._is_nearest(seen, error),
            done_needed=self._no_object,
        )

    def _is_nearest(self, seen: Lab, error: Array) -> bool:
        objects = self._scene.object_mask
        if any(difference(other, seen[objects]).mean() <= error[objects].mean() for other in self._others):
            return False
        if self._before is None:
            return True
        changed = np.linalg.norm(self._before - self._target, axis=2) > _TELLING
        before = difference(self._before[changed], seen[changed])
        return not changed.any() or bool(error[changed].mean() < before.mean())

    def _done(self, seen: Lab, before: Lab) -> float:
        """Measure the share of the object's pixels that are nearer to the target than to what was there before."""
        nearer = np.linalg.norm(seen - self._target, axis=2) < np.linalg.norm(seen - before, axis=2)
        return float(nearer[self._core].mean())

    def _outline(self, seen: Lab) -> tuple[float, float]:
        """Find the object in the result: its IoU with the drawn one, and how much of its outline is neither nor."""
        objects, told_apart = self._scene.object_mask, self._told_apart
        to_object, to_ground = _nearest(seen, self._palette), np.linalg.norm(seen - self._ground, axis=2)
        found, drawn = (to_object < to_ground) & told_apart, objects & told_apart
        overlap = float((found & drawn).sum() / max((found | drawn).sum(), 1))
        line = _grown(found, 3) & ~_shrunk(found, 3) & _grown(objects, 6) & told_apart
        between = np.abs(to_object / np.maximum(to_object + to_ground, 1e-6) - 0.5) < 0.25
        return overlap, float(between[line].mean()) if line.any() else 1.0


def _palette(colours: Lab) -> Lab:
    """Collect the colours (Lab, N x 3) that each make up at least 3 % of the object."""
    _, cell, counts = np.unique(np.floor(colours / _CELL), axis=0, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(cell.ravel(), colours[:, axis]) / counts for axis in range(3)], 1)
    return means[counts >= min(0.03 * len(colours), counts.max())].astype(np.float32)


def _nearest(picture: Lab, palette: Lab) -> NDArray[np.float32]:
    distances = [np.linalg.norm(picture - colour, axis=2) for colour in palette]
    return np.minimum.reduce(distances)


def _worst_spot(error: Array, where: Mask) -> float:
    """Find the largest mean error of a square spot of which at least a half lies where it counts."""
    side = min(error.shape) // 8
    counted = where.astype(np.float64)
    share = cv2.boxFilter(counted, -1, (side, side), borderType=cv2.BORDER_CONSTANT)
    mean = cv2.boxFilter(error.astype(np.float64) * counted, -1, (side, side), borderType=cv2.BORDER_CONSTANT)
    return float((mean / np.maximum(share, 1e-9))[share >= 0.5].max(initial=0.0))


def _shrunk(mask: Mask, pixels: int) -> Mask:
    square = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.erode(mask.astype(np.uint8), square).astype(np.bool_)


def _grown(mask: Mask, pixels: int) -> Mask:
    square = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), square).astype(np.bool_)
