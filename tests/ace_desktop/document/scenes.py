"""Documents of scenes that the built-in model knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ace_desktop.document.edit import EditSettings, with_project, with_settings
from ace_desktop.document.geometry import Rect
from ace_desktop.document.pictures import picture_document
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import State
from mlx_model.pictures.read import read_picture

SAMPLES = Path(__file__).parents[3] / "resources" / "samples"
PROJECT = "0123456789abcdef" * 2


def scene(name: str = "repaint", *, masked: bool = True, words: str = "a red star", steps: int | None = 2) -> State:
    """Open a sample picture, with its mask, ready to run."""
    state = with_project(picture_document(SAMPLES / f"{name}.png"), PROJECT)
    if masked:
        grey = read_picture(SAMPLES / f"{name}-mask.png").pixels[..., 0]
        state = replace(state, edit_mask=Plane.of(np.asarray(grey, np.uint8)))
    return with_settings(state, EditSettings(instruction=words, steps=steps, seed=7))


def square(rect: Rect) -> Plane:
    """Give a mask of a rectangle."""
    return Plane.of(np.full((rect.height, rect.width), 255, np.uint8), rect.x, rect.y)
