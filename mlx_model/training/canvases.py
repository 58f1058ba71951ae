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
from mlx_model.conditioning.canvas import reference_column
from mlx_model.conditioning.region import bounding_box, references_in_place
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


def reference_columns(scene: Scene) -> list[Floats]:
    """Return the columns of a scene's references: of a masked edit where the mask is, else at their own size."""
    height, width = scene.target.shape[:2]
    inside = None if scene.mask.all() else bounding_box(scene.mask)
    if inside is None:
        boxes = [(0, (height - r.shape[0]) // 2, r.shape[1], r.shape[0]) for r in scene.references]
        rooms = [(r.shape[1], height) for r in scene.references]
    else:
        boxes = list(references_in_place([(r.shape[1], r.shape[0]) for r in scene.references], inside))
        rooms = [(width, height)] * len(boxes)
    return [
        reference_column(reference, None, box, room)
        for reference, box, room in zip(scene.references, boxes, rooms, strict=True)
    ]


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
    if scene.object_mask.mean() > 0.5:
        weight[:] = OBJECT  # a new background: what stands on it is as easily spoilt
    columns = reference_columns(scene)
    reference = sum(column.shape[1] for column in columns)
    target = np.concatenate([*columns, (scene.target / 127.5 - 1.0).astype(np.float32)], 1)
    pad = ((0, 0), (reference, 0))
    weight = np.pad(weight, pad, constant_values=REFERENCE)
    rows, cells = weight.shape[0] // 8, weight.shape[1] // 8
    return Canvases(
        target,
        np.concatenate([*columns, pixels * (1 - mask)[..., None]], 1),
        np.pad(pixels * mask[..., None], (*pad, (0, 0))),
        np.pad(mask, pad),
        weight.reshape(rows, 8, cells, 8).mean((1, 3)),
    )
