"""Jobs for the built-in model that take about a second on an idle machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ace_desktop.engine.jobs import Job
from ace_desktop.places import resources
from mlx_model.request import EditRequest, Picture, digest

POCKET = resources() / "models" / "pocket"
SIDE = 128


def picture(seed: int = 0, side: int = SIDE) -> Picture:
    """Draw a coloured ground with a lighter square."""
    pixels = np.empty((side, side, 4), np.uint8)
    pixels[:] = (*np.random.default_rng(seed).integers(40, 200, 3), 255)
    pixels[side // 3 : side // 2, side // 3 : side // 2, :3] += 50
    return Picture(pixels)


def mask(side: int = SIDE) -> Picture:
    """Select the middle."""
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = 255
    pixels[..., 3] = 255
    return Picture(pixels)


def job(
    words: str = "a red star",
    *,
    variations: int = 1,
    steps: int = 2,
    side: int = SIDE,
    seed: int = 0,
    ground: int = 0,
    folder: Path = POCKET,
    title: str = "",
) -> Job:
    """Ask for the middle of a picture to be painted anew."""
    below, where = picture(ground, side), mask(side)
    request = EditRequest(words, picture=digest(below), mask=digest(where), steps=steps, seed=seed)
    requests = tuple(replace(request, seed=seed + number) for number in range(variations))
    return Job(requests, {digest(below): below, digest(where): where}, folder, title=title or words)
