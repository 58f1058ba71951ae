"""Draw the sample files of the demo anew: `python tools/make_samples.py`.

The scenes come from the seeds kept for evaluation, so the built-in model has never been trained on them. The
photograph is the Hubble eXtreme Deep Field of 2012 (NASA, public domain) with a heart drawn into it.
"""

import json
import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from mlx_model.training.scenes import draw_scene

SAMPLES: Final = Path(__file__).parents[1] / "resources/samples"
SCENES: Final = (  # task, seed of the scene
    ("repaint", 5),
    ("control", 3),
    ("instruct", 3),
    ("remove", 0),
    ("reference", 6),
    ("subject", 2),
    ("portrait", 2),
)


def save(name: str, pixels: npt.NDArray[np.uint8]) -> str:
    Image.fromarray(pixels).save(SAMPLES / name, optimize=True)
    return name


def photograph_row(photograph: Path) -> dict[str, object]:
    """Draw a heart into the photograph and mask it generously: a small place in a large picture."""
    pixels = np.asarray(Image.open(photograph).convert("RGB")).copy()
    turn = np.linspace(0, 2 * np.pi, 200)
    heart = np.stack([16 * np.sin(turn) ** 3, -13 * np.cos(turn) + 5 * np.cos(2 * turn) + 2 * np.cos(3 * turn)])
    cv2.fillPoly(pixels, [np.round(heart.T * 3.2 + (640, 300)).astype(np.int32)], (220, 40, 45), cv2.LINE_AA)
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[230:370, 570:710] = 255
    Image.fromarray(pixels).save(SAMPLES / "photograph.jpg", quality=88)
    return {
        "name": "photograph",
        "picture": "photograph.jpg",
        "mask": save("photograph-mask.png", mask),
        "instruction": "a yellow star",
        "task": "repaint",
    }


def scene_row(task: str, seed: int) -> dict[str, object]:
    scene = draw_scene(task, seed, split="evaluate")
    row: dict[str, object] = {"name": task, "task": task, "instruction": scene.instruction}
    if scene.image is not None:
        row["picture"] = save(f"{task}.png", scene.image)
        if not scene.mask.all():
            row["mask"] = save(f"{task}-mask.png", scene.mask.astype(np.uint8) * 255)
    if scene.references:
        row["references"] = [save(f"{task}-reference-{i}.png", r) for i, r in enumerate(scene.references, 1)]
    if scene.control is not None:
        row["control"] = scene.control
    return row


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: make_samples.py PATH/OF/hubble_deep_field.jpg (NASA, public domain)")
    SAMPLES.mkdir(parents=True, exist_ok=True)
    rows = [scene_row(task, seed) for task, seed in SCENES]
    rows.append(photograph_row(Path(sys.argv[1])))
    (SAMPLES / "demo.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
