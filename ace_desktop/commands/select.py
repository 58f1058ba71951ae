"""Actions of the select menu."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..document.target import EDIT_MASK, SELECTION
from ..translation import marked as _
from .doing import Command, edit, edit_active_slowly, edit_slowly
from .mask import ask_and_change, everything, from_layer, inverted, taken_from

COMMANDS: Mapping[str, Command] = {
    "select.all": edit_slowly("Select all", everything(SELECTION)),
    "select.none": edit("Deselect", lambda state: replace(state, selection=None)),
    "select.invert": edit_slowly("Invert selection", inverted(SELECTION)),
    "select.grow": ask_and_change(SELECTION, "grow", _("Grow selection"), "Grow selection"),
    "select.shrink": ask_and_change(SELECTION, "shrink", _("Shrink selection"), "Shrink selection"),
    "select.feather": ask_and_change(SELECTION, "feather", _("Feather selection"), "Feather selection"),
    "select.from_layer": edit_active_slowly("Selection from layer", from_layer(SELECTION)),
    "select.from_mask": edit_slowly("Selection from edit mask", taken_from(EDIT_MASK, SELECTION)),
}
