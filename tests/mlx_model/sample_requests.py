"""A request of every task with its pictures, and a LoRA file, for the tiny model."""

from dataclasses import replace

import numpy as np

from mlx_model.library.folders import BUILT_IN, DEFAULT_MODEL
from mlx_model.request import EditRequest, Picture, Reference, digest
from mlx_model.runtime import mx

POCKET = BUILT_IN / DEFAULT_MODEL


def drawn(width: int, height: int, seed: int = 0) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4)).astype(np.uint8)
    pixels[..., 3] = 255
    return Picture(pixels)


def box_mask(width: int, height: int, left: int, top: int, right: int, bottom: int) -> Picture:
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[top:bottom, left:right] = 255
    return Picture(pixels)


PICTURE, MASK, REFERENCE = drawn(100, 80), box_mask(100, 80, 30, 20, 60, 50), drawn(40, 32, 1)
CUTOUT = box_mask(40, 32, 8, 8, 30, 24)
PICTURES = {digest(p): p for p in (PICTURE, MASK, REFERENCE, CUTOUT)}
LOCAL = EditRequest("a red star", picture=digest(PICTURE), mask=digest(MASK))
REQUESTS = {
    "generate": EditRequest("a red star", size=(64, 48)),
    "subject": EditRequest("the star", references=(Reference(digest(REFERENCE), digest(CUTOUT)),)),
    "portrait": EditRequest("the same person", references=(Reference(digest(REFERENCE)),), task="portrait"),
    "instruct": EditRequest("make it blue", picture=digest(PICTURE)),
    "repaint": LOCAL,
    "control": replace(LOCAL, control="contour"),
    "remove": replace(LOCAL, instruction=""),
    "reference": replace(
        LOCAL, references=(Reference(digest(REFERENCE)), Reference(digest(REFERENCE), digest(CUTOUT)))
    ),
}


def lora(layers: tuple[str, ...], seed: int = 5) -> dict[str, mx.array]:
    """Make a kohya file of rank 2 for some layers of the tiny model."""
    shapes = {"double_blocks.0.img_attn.qkv": (96, 32), "double_blocks.0.img_mod.lin": (192, 32)}
    tensors: dict[str, mx.array] = {}
    for index, layer in enumerate(layers):
        outputs, inputs = shapes[layer]
        keys = mx.random.split(mx.random.key(seed + index))
        name = "lora_unet_" + layer.replace(".", "_")
        tensors[f"{name}.lora_down.weight"] = mx.random.normal((2, inputs), key=keys[0])
        tensors[f"{name}.lora_up.weight"] = mx.random.normal((outputs, 2), key=keys[1])
    return tensors
