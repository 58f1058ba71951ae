"""Sample projects, one for each task of ACE++, ready to be run with the built-in model; no Qt but for the words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .places import resources
from .translation import marked as _
from .translation import tr

if TYPE_CHECKING:
    from pathlib import Path

    from .document.state import State

_NEW = 128  # pixels a side of a picture that is to be made


@dataclass(frozen=True)
class Sample:
    """A project: `picture`, `mask` and `reference` are files of resources/samples ("" for none).

    `shows` names what the reference shows, `role` is what it is for. `task` is a key of `mlx_model.tasks.TASKS`; with
    `seed` the built-in model does what it is asked.
    """

    name: str
    title: str
    about: str
    task: str
    words: str
    picture: str = ""
    mask: str = ""
    reference: str = ""
    shows: str = ""
    role: str = "object"
    seed: int = 0


SAMPLES: tuple[Sample, ...] = (
    Sample(
        "repaint", _("Paint a part anew"), _("Words and a mask: only what is under the mask changes."), "repaint",
        _("a yellow diamond"), "photograph.jpg", "photograph-mask.png", seed=2,
    ),
    Sample(
        "instruct", _("Change by words"), _("Words alone: the model finds what is meant."), "instruct",
        _("turn the purple moon cyan"), "instruct.png",
    ),
    Sample(
        "reference", _("Put something in"), _("A reference and a mask: what it shows comes under the mask."),
        "reference", _("put the striped hexagon here"), "reference.png", "reference-mask.png",
        "reference-reference-1.png", _("Striped hexagon"), seed=1,
    ),
    Sample(
        "subject", _("A new scene"), _("A reference alone: what it shows, in a new picture."), "subject",
        _("put it on a cyan background"), reference="subject-reference-1.png", shows=_("Red triangle"),
        role="subject", seed=1,
    ),
    Sample(
        "portrait", _("The same person"), _("A face as reference: the same person in a new picture."), "portrait",
        _("this person on a cyan background wearing a red shirt"), reference="portrait-reference-1.png",
        shows=_("Drawn person"), role="face", seed=1,
    ),
)  # fmt: skip


def sample_folder() -> Path:
    """Give the folder of the samples' pictures."""
    return resources() / "samples"


def sample_state(sample: Sample, words: str) -> State:
    """Make the project, asking for these words; slow, it reads pictures."""
    import numpy as np

    from mlx_model.pictures.read import read_picture

    from .document.edit import settings_of, with_settings
    from .document.pictures import picture_document
    from .document.plane import Plane
    from .document.references import add_reference
    from .document.state import RasterLayer, State

    folder = sample_folder()
    if sample.picture:
        state = picture_document(folder / sample.picture)
        (layer,) = state.layers
        state = replace(state, layers=(replace(layer, name=tr(sample.title)),))
    else:
        layer = RasterLayer(pixels=Plane(4), name=tr("Layer {number}", number=1))
        state = State(width=_NEW, height=_NEW, layers=(layer,), active=layer.id)
    if sample.mask:
        mask = read_picture(folder / sample.mask).pixels[..., :1]
        state = replace(state, edit_mask=Plane.of(mask))
    if sample.reference:
        picture = read_picture(folder / sample.reference)
        pixels = np.asarray(picture.pixels, np.uint8)
        state = add_reference(state, pixels, tr(sample.shows), picture.profile, sample.role)
    asked = replace(settings_of(state), instruction=words, task=sample.task, seed=sample.seed, seed_locked=True)
    return with_settings(state, asked)
