"""From a drawn scene to the canvases of LCU++ (target, edit, modify), their mask and the weights of the loss.

The same pixels that :mod:`mlx_model.conditioning.canvas` makes of a request (a test compares them), without planning
a region: a scene is already of the model's size.
"""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mlx_model.conditioning import preprocess
from mlx_model.training.scenes import Scene

Floats: TypeAlias = NDArray[np.float32]

OBJECT, MASKED, KEPT, REFERENCE = 3.0, 1.5, 1.0, 0.1
"""Weights of the loss: on what had to appear or change and 4 pixels around it, elsewhere under a local mask, on what
is kept or surrounds it, on the references."""


@dataclass(frozen=True, eq=False)
class Canvases:
    """Pixels in [-1, 1] (h, w, 3), mask 0/1 (h, w), weights (h / 8, w / 8); the references stand on the left."""

    target: Floats
    edit: Floats
    modify: Floats
    mask: Floats
    weight: Floats


def on_the_left(picture: Floats, references: tuple[NDArray[np.uint8], ...]) -> Floats:
    """Place the references at their own size, centred vertically on mid grey, then the picture."""
    parts: list[Floats] = []
    for reference in references:
        part = np.zeros((picture.shape[0], reference.shape[1], 3), np.float32)
        top = (picture.shape[0] - reference.shape[0]) // 2
        part[top : top + reference.shape[0]] = reference / 127.5 - 1.0
        parts.append(part)
    return np.concatenate([*parts, picture], 1)


def canvases(scene: Scene) -> Canvases:
    """Return the canvases of the 448-channel model.

    With p = pixels (1 - mask scale): edit is p (1 - mask), modify is p mask.
    """
    height, width = scene.target.shape[:2]
    mask: Floats = scene.mask.astype(np.float32)
    if scene.image is None:
        pixels: Floats = np.zeros((height, width, 3), np.float32)
    else:
        image = scene.image
        if scene.control is not None:
            image = preprocess.apply_control(scene.control, image, scene.mask)
        pixels = (image / 127.5 - 1.0).astype(np.float32)
    pixels *= 1 - mask[..., None] * np.float32(scene.repainting_scale)
    object_mask = cv2.dilate(scene.object_mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(np.float32)
    whole = scene.mask.all()
    weight = np.where(object_mask > 0, OBJECT, np.where(mask > 0, KEPT if whole else MASKED, KEPT)).astype(np.float32)
    reference = sum(r.shape[1] for r in scene.references)
    target = on_the_left((scene.target / 127.5 - 1.0).astype(np.float32), scene.references)
    pad = ((0, 0), (reference, 0))
    weight = np.pad(weight, pad, constant_values=REFERENCE)
    rows, columns = weight.shape[0] // 8, weight.shape[1] // 8
    return Canvases(
        target,
        on_the_left(pixels * (1 - mask)[..., None], scene.references),
        np.pad(pixels * mask[..., None], (*pad, (0, 0))),
        np.pad(mask, pad),
        weight.reshape(rows, 8, columns, 8).mean((1, 3)),
    )
