"""Judged scenes as pictures to look at: a strip per scene, and a page that lists them with their words."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from .judge import Verdict
from .scenes import Scene
from .scenes.shapes import Picture

_GAP = 4


def strip(scene: Scene, result: Picture) -> Picture:
    """Lay input with the mask's outline, reference, target and result side by side (missing ones are white)."""
    height, width = scene.target.shape[:2]
    blank = np.full_like(scene.target, 255)
    given = blank if scene.image is None else scene.image.copy()
    if not scene.mask.all():
        mask = scene.mask.astype(np.uint8)
        given[(mask - cv2.erode(mask, np.ones((3, 3), np.uint8))) > 0] = (255, 0, 255)
    reference = blank.copy()
    left = 0
    for one in scene.references:
        shown = one[:height, : width - left]
        reference[: shown.shape[0], left : left + shown.shape[1]] = shown
        left += shown.shape[1]
    gap = np.full((height, _GAP, 3), 255, np.uint8)
    return np.concatenate([given, gap, reference, gap, scene.target, gap, result], axis=1)


def save_strips(
    folder: Path,
    scenes: Sequence[Scene],
    seeds: Sequence[int],
    results: Sequence[Picture],
    verdicts: Sequence[Verdict],
) -> None:
    """Write a PNG per scene and one page for the task (``TASK.html``) with words and faults, failures first.

    Scenes are of one task; the folder is made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[bool, str]] = []
    for scene, seed, result, verdict in zip(scenes, seeds, results, verdicts, strict=True):
        name = f"{scene.task}-{seed}.png"
        _, coded = cv2.imencode(".png", cv2.cvtColor(strip(scene, result), cv2.COLOR_RGB2BGR))
        (folder / name).write_bytes(coded.tobytes())
        words = html.escape(scene.instruction or "(no words)")
        judged = "success" if verdict.success else f"failed: {', '.join(verdict.faults)}"
        judged += "".join(f", {blemish}" for blemish in verdict.blemishes)
        figures = (
            f"ΔE {verdict.colour:.1f}, shape {verdict.shape:.2f}, edge {verdict.edge:.2f}, rest {verdict.rest:.1f}"
        )
        rows.append((verdict.success, f'<p><img src="{name}"><br>{seed}: {words}<br>{judged} ({figures})</p>'))
    body = "\n".join(row for _, row in sorted(rows, key=lambda row: row[0]))
    page = f'<!doctype html><meta charset="utf-8"><title>{scenes[0].task}</title>\n{body}\n'
    (folder / f"{scenes[0].task}.html").write_text(page, encoding="utf-8")
