"""What is shown of an edit on its way: its mask's place alone, in the document's colours."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor

from ace_desktop.document.snapshot import Snapshot
from ace_desktop.result_images import CLIP, clip_of, image_of_preview
from mlx_model.request import Box, EditRequest, Picture

GREEN = np.full((16, 16, 3), (0, 200, 0), np.uint8)


def made(mask: np.ndarray | None, box: Box) -> Snapshot:
    pictures = {}
    if mask is not None:
        pixels = np.full((*mask.shape, 4), 255, np.uint8)
        pixels[..., :3] = mask[..., None]
        pictures["mask"] = Picture(pixels)
    request = EditRequest("a red star", picture="picture", mask=None if mask is None else "mask")
    return Snapshot((request,), pictures, "repaint", "pocket", "", "", "", box=box)


def test_a_preview_is_seen_only_where_the_mask_is() -> None:
    mask = np.zeros((400, 600), np.uint8)
    mask[100:200, 100:300] = 255
    clip = clip_of(made(mask, (100, 50, 400, 300)))
    assert clip is not None
    image = image_of_preview(GREEN, None, clip)
    assert max(image.width(), image.height()) == CLIP
    scale = CLIP / 400
    assert image.pixelColor(round(100 * scale), round(100 * scale)).name() == "#00c800"
    assert image.pixelColor(round(300 * scale), round(100 * scale)).alpha() == 0
    assert image.pixelColor(round(100 * scale), round(20 * scale)).alpha() == 0


def test_a_small_mask_keeps_its_own_size() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[20:30, 20:40] = 255
    clip = clip_of(made(mask, (10, 10, 48, 40)))
    assert clip is not None
    assert clip.shape == (40, 48)
    assert set(np.unique(clip)) == {0, 255}


@pytest.mark.parametrize("mask", [None, np.zeros((64, 64), np.uint8)])
def test_without_a_mask_all_of_it_is_seen(mask: np.ndarray | None) -> None:
    clip = clip_of(made(mask, (0, 0, 64, 64)))
    assert clip is None
    image = image_of_preview(GREEN, None, clip)
    assert (image.width(), image.height()) == (16, 16)
    assert image.pixelColor(8, 8) == QColor(0, 200, 0)
