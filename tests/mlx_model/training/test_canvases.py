"""What is trained on is what a request makes: the same canvas, pixel by pixel, and weights where they belong."""

import numpy as np
import pytest

from mlx_model.conditioning.canvas import build_canvas, edit_pixels, modify_pixels
from mlx_model.conditioning.preprocess import apply_control
from mlx_model.conditioning.region import bounding_box, plan_region
from mlx_model.training.canvases import KEPT, OBJECT, REFERENCE, canvases
from mlx_model.training.pocket import pocket_config
from mlx_model.training.scenes import TASKS, draw_scene

SIZE = pocket_config(300, 300).size


@pytest.mark.parametrize("task", TASKS)
def test_training_and_editing_see_the_same_canvas(task: str) -> None:
    for seed in range(12):
        scene = draw_scene(task, seed)
        drawn = canvases(scene)
        sizes = [(r.shape[1], r.shape[0]) for r in scene.references]
        extent = None if scene.mask.all() else bounding_box(scene.mask)
        whole = None if scene.image is None else (0, 0, 128, 128)
        region = plan_region((128, 128), extent, sizes, SIZE, keep_pixels=True, region=whole)
        image = scene.image
        if image is not None and scene.control is not None:
            image = apply_control(scene.control, image, scene.mask)
        canvas = build_canvas(
            region, image, scene.mask, [(r, None) for r in scene.references], scene.repainting_scale
        )
        assert np.array_equal(canvas.mask, drawn.mask > 0)
        for mine, theirs in ((drawn.edit, edit_pixels(canvas, modify=True)), (drawn.modify, modify_pixels(canvas))):
            error = float(np.abs(mine - theirs).max())
            assert error < 1e-6, f"{task} {seed}: the canvases differ by {error:.1e}"
        left = canvas.reference_width
        assert np.allclose(drawn.target[:, left:], scene.target / 127.5 - 1, atol=1e-6)
        assert np.allclose(drawn.target[:, :left], drawn.edit[:, :left])


def test_the_loss_weighs_objects_most_and_references_least() -> None:
    scene = draw_scene("reference", 3)
    drawn = canvases(scene)
    left = (drawn.mask.shape[1] - 128) // 8
    assert np.allclose(drawn.weight[:, :left], REFERENCE)
    middle = np.argwhere(scene.object_mask).mean(0).astype(int) // 8
    assert drawn.weight[middle[0], left + middle[1]] == pytest.approx(OBJECT)
    assert drawn.weight[:, left:].min() == pytest.approx(KEPT)
