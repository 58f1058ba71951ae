"""Training scenes of the built-in model, drawn with numpy and OpenCV alone.

`draw_scene(task, seed)` gives the inputs of one edit and the picture that a perfect answer would be.
The eight tasks: *generate* a picture from words, *repaint* a masked box, *instruct* on the whole image
(recolour, reshape, background), *control* (a new colour for the object whose edges or grey are given),
*remove* a masked object, *reference* (the reference's object or pattern into the mask), *subject* (the
reference's object on a named background) and *portrait* (the reference's person in another dress or
place). About a quarter of the instructions are Korean. Training and evaluation scenes never share a seed.
"""

from .instruct import draw_instruct_variants
from .scene import Scene
from .tasks import TASKS, draw_patterned_reference, draw_scene
from .wordings import all_instructions

__all__ = [
    "TASKS",
    "Scene",
    "all_instructions",
    "draw_instruct_variants",
    "draw_patterned_reference",
    "draw_scene",
]
