"""What the model's rules refuse, told where it stands in the window: beside which control, in which words.

The rules themselves stand in `mlx_model.tasks` and `mlx_model.conditioning`; here only their answers are recognised.
`supply` is what would have to be there for the rule to be content, so that the next refusal can be found too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from mlx_model.request import Adapter, Reference


@dataclass(frozen=True)
class Refusal:
    """How a rule's answer (`pattern`) is told: the field it belongs to, the sentence, and what would still it."""

    pattern: re.Pattern[str]
    field: str
    sentence: str
    supply: Mapping[str, Any]


def _row(pattern: str, where: str, sentence: str, **supply: Any) -> Refusal:
    return Refusal(re.compile(pattern, re.DOTALL), where, sentence, MappingProxyType(supply))


OUTSIDE_FRAME: Final = "The mask lies outside the frame; move the frame over it."
TOO_SMALL: Final = "The picture is smaller than 16 pixels; enlarge it."
DAMAGED_REFERENCE: Final = "A reference is damaged; take it off the board and add it again."
_REFERENCE: Final = (Reference("reference"),)
_CONTROL_OFF: Final = {"control": None, "control_picture": None}

REFUSALS: Final[tuple[Refusal, ...]] = (
    # mlx_model.tasks
    _row("there is no task", "task", "Choose one of the tasks.", task=None),
    _row("needs a picture to edit", "picture",
         "Open or paste a picture first, or choose a task that makes a new one.",
         picture="picture"),
    _row("a mask says which part", "mask", "Open or paste a picture for the mask to lie on.",
         mask=None),
    _row("a control shows the model what", "control", "A control needs a picture to edit; choose none.",
         **_CONTROL_OFF),
    _row("makes a new picture: give no", "task", "This task makes a new picture; choose another.",
         picture=None, mask=None),
    _row("needs a mask that says", "mask", "Paint a mask over what may change.",
         mask="mask"),
    _row("keeps nothing that a control", "control", "Removing keeps nothing that a control could show; choose none.",
         **_CONTROL_OFF),
    _row("needs at least one reference", "references", "Add a reference picture and switch it on.",
         references=_REFERENCE),
    _row("needs an instruction", "instruction", "Say in a few words what you want to see.",
         instruction="words"),
    _row('there is no control "', "control", "Choose one of the controls.",
         control=None),
    _row("needs an ACE.. FFT model", "model",
         "This model paints masks only; choose another task, model or adapter.",
         adapters=(Adapter("any"),)),
    _row("at a strength of 1 the model", "strength",
         "At a closeness of 0 % no control is seen; raise it or choose no control.",
         strength=None),
    _row("the strength must lie", "strength", "Choose a strength from 0 to 1.", strength=None),
    _row("the seed must be", "seed", "Choose a seed of 0 or more.", seed=0),
    _row("the number of steps must lie", "steps", "Choose from 1 to 1000 steps.", steps=None),
    _row("the guidance must lie", "guidance", "Choose a guidance from 0 to 1000.", guidance=None),
    _row("a canvas has at most", "size", "This model cannot work at this size.", max_tokens=None),
    _row("the mask is grown and faded", "mask", "Grow and fade the mask by 0 pixels or more.", grow=0, fade=0),
    _row("the adapter .* acts from", "adapters", "Choose a strength of the adapter from -10 to 10.", adapters=()),
    # mlx_model.conditioning.region
    _row("the region .* lies outside the picture", "region", "The frame lies outside the picture; move it back."),
    _row("the region is longer than", "region", "The frame is too long; make it more square."),
    _row("the mask lies outside the region", "region", OUTSIDE_FRAME),
    _row("references do not fit beside", "references", "So many references do not fit in; switch some off."),
    _row("a picture needs at least 1 pixel", "size", TOO_SMALL),
    _row("a working size", "size", "This model cannot work at this size."),
    # mlx_model.conditioning.preprocess
    _row("the depth control needs a depth model", "control",
         "Depth needs a model that is not installed; add a depth picture of your own as a reference and choose it."),
    _row('the control "as-is" shows your own', "control", "Choose the reference that is your own control picture."),
    _row("the control picture is .* pixels", "control", "The control picture has another size than the picture."),
)  # fmt: skip


def refusal_of(message: str) -> Refusal | None:
    """Find how a rule's answer is told; None for one that is not known."""
    return next((refusal for refusal in REFUSALS if refusal.pattern.search(message)), None)
