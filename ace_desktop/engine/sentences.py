"""What the model says while it works, as a sentence of this window and in the user's language.

It writes English for a terminal; here stand the forms that a window can meet once a job runs, each with what is said
instead. What can be known before is said beside the controls. A test compares the left sides with the source.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from ..reporting import NO_MEMORY, UNFORESEEN
from ..sentences import said
from ..translation import filled, tr
from ..translation import marked as _
from .faults import FAULTS

_MOST_VALUES: Final = 10
_NEEDS: Final = "this needs {0} of memory and {1} can be used; "
_RAN_OUT: Final = "the memory ran out: end other programs, or try less; "
_FITS: Final = "a smaller region, size or reference would fit: about "
_NO_SIZE: Final = "no picture size would fit: choose a smaller or quantized model"

FORMS: Final[tuple[tuple[str, str], ...]] = (
    (_NEEDS + _FITS + "{2} x {3} pixels on the model's canvas instead of {4} x {5}",
     _("This needs {0} of memory, and {1} can be used. Make the frame smaller: about {2} × {3} pixels of the model’s "
       "view would fit, instead of {4} × {5}.")),
    (_NEEDS + _FITS + "{2} x {3} pixels on the model's canvas, references included instead of {4} x {5}",
     _("This needs {0} of memory, and {1} can be used. Make the frame smaller or switch references off: about {2} × "
       "{3} pixels of the model’s view would fit, instead of {4} × {5}.")),
    (_NEEDS + _NO_SIZE, _("This needs {0} of memory, and {1} can be used. Choose a smaller model.")),
    (_NEEDS + "the pictures alone need {2}: scale them down first",
     _("This needs {0} of memory, and {1} can be used. The pictures alone need {2}: scale them down.")),
    (_RAN_OUT + _FITS + "{0} x {1} pixels on the model's canvas instead of {2} x {3}",
     _("The memory ran out. Close other programs, or make the frame smaller: about {0} × {1} pixels of the model’s "
       "view would fit, instead of {2} × {3}.")),
    (_RAN_OUT + _FITS + "{0} x {1} pixels on the model's canvas, references included instead of {2} x {3}",
     _("The memory ran out. Close other programs, make the frame smaller or switch references off: about {0} × {1} "
       "pixels of the model’s view would fit, instead of {2} × {3}.")),
    (_RAN_OUT + _NO_SIZE, _("The memory ran out. Close other programs, or choose a smaller model.")),
    ("the memory ran out: end other programs, or try a smaller picture",
     _("The memory ran out. Close other programs, or use a smaller picture.")),
    ("there is no model folder {0}; give the folder that holds its config.json",
     _("The model is no longer in {0}. Install it again, or choose another.")),
    ("{0} is not a model folder: it has no config.json",
     _("The model in {0} is not whole. Repair it, or choose another.")),
    ("the model in {0} cannot be used: {1}; install it again",
     _("The model in {0} cannot be used. Repair it, or choose another.")),
    ("{0} is missing; install the model again", _("The model lacks {0}. Repair it, or choose another.")),
    ("{0} cannot be read: {1}; install it again",
     _("{0} of the model cannot be read. Repair the model, or choose another.")),
    ("the weights do not fit the model ({0}); install it again",
     _("The model’s files do not belong together. Repair it, or choose another.")),
    ("the model lacks its tokenizer {0}; install it again",
     _("The model lacks its word list {0}. Repair it, or choose another.")),
    ("the tokenizer in {0} cannot be read ({1}); install the model again",
     _("The model’s word list in {0} cannot be read. Repair the model, or choose another.")),
    ('the adapter "{0}" is not installed: put its LoRA at {1}.safetensors, or give the path of one',
     _("The adapter {0} is no longer installed. Choose another, or install it.")),
    ("there is no adapter file {0}; give the path of a LoRA",
     _("The adapter {0} is no longer there. Choose another.")),
    ("the adapter {0} does not fit this model: {1} has {2} x {3}, the layer is {4}{5}",
     _("The adapter {0} was made for another model. Switch it off.")),
    ("the adapter {0} does not fit this model: it has the unknown key {1}",
     _("The adapter {0} was made for another model. Switch it off.")),
    ("the adapter {0} holds no update of the transformer", _("The adapter {0} does nothing here. Switch it off.")),
    ("the adapter {0} is incomplete: {1} has only {2}", _("The adapter {0} is not whole. Install it again.")),
    ("{0} references do not fit beside the picture into {1} tokens: give fewer",
     _("{0} references are too many beside this picture. Switch some off.")),
    ("the mask of a reference selects nothing: paint its subject white",
     _("The mask of a reference is empty. Mark its subject again.")),
    # Notes on how a result was made.
    ("to save memory the text encoder is unloaded once the instruction is read",
     _("To save memory, part of the model is let go in between.")),
    ("to save memory only what is needed next stays loaded, so another instruction takes longer",
     _("To save memory, little of the model stays loaded: other words take longer.")),
    ("to save memory the model is loaded part by part, so every new instruction takes longer",
     _("To save memory, the model is loaded part by part: every edit takes longer.")),
    ("to save memory the previews are rough", _("To save memory, the previews are rough.")),
    ("to save memory the result is decoded in thinner strips",
     _("To save memory, the result is finished in small parts.")),
    ("to save memory the model works on {0} x {1} pixels instead of {2} x {3}, so fine detail is lost",
     _("To save memory, the model works on {0} × {1} pixels instead of {2} × {3}: fine detail is lost.")),
    ("the numbers were unusable, so they were computed again in float32, which takes longer",
     _("The first try gave no usable picture, so it was computed again more exactly.")),
    ("the saved step no longer fits the model or its settings, so this was begun anew",
     _("The saved step no longer fits the model or its settings, so this was begun anew.")),
)  # fmt: skip
"""What the model says, and what the window says for it; the values stand in the order of the model's."""


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    longest_first = sorted(FORMS, key=lambda pair: len(pair[0]), reverse=True)
    return tuple(
        (re.compile(re.sub(r"\\\{\d\\\}", "(.+?)", re.escape(form)), re.DOTALL), ours) for form, ours in longest_first
    )


def model_said(text: str) -> str | None:
    """Say a sentence of the model's as one of this window; None where its form is not known."""
    english = in_english(text)
    return None if english is None else job_said(english)


def in_english(text: str) -> str | None:
    """Say a sentence of the model's as one of this window, not translated yet; None where its form is not known."""
    for pattern, ours in _patterns():
        if match := pattern.fullmatch(text):
            return ours.format(*match.groups())
    return None


@cache
def _ours() -> tuple[tuple[re.Pattern[str], str], ...]:
    texts = sorted({*(ours for _, ours in FORMS), *FAULTS, NO_MEMORY, UNFORESEEN}, key=len, reverse=True)
    return tuple(
        (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<v\1>.+?)", re.escape(text)), re.DOTALL), text) for text in texts
    )


def job_said(text: str) -> str:
    """Say what stands with a job, a sentence or a note, in the user's language as it now is.

    Jobs keep it in English, so that a list that is open follows the language.
    """
    for pattern, form in _ours():
        if match := pattern.fullmatch(text):
            values = {name.removeprefix("v"): value for name, value in match.groupdict().items()}
            numbered = [values.pop(str(number), "") for number in range(_MOST_VALUES)]
            return filled(tr(form), *numbered, **values)
    return said(text)
