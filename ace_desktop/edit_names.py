"""The edit's tasks and controls as people read them."""

from __future__ import annotations

from .translation import marked as _
from .translation import tr

TASK_NAMES: dict[str, tuple[str, str]] = {
    "instruct": (_("Change the whole picture"), _("Change the picture, or a part of it, as the words say.")),
    "repaint": (_("Local edit"), _("Paint what is under the mask anew, as the words say.")),
    "control": (
        _("Keep the shape"),
        _("Paint anew, but keep outlines, depth or light of what was there, or of a picture of your own."),
    ),
    "remove": (_("Remove"), _("Take away what is under the mask.")),
    "reference": (_("Local edit with reference"), _("Put the reference's object or pattern under the mask.")),
    "subject": (_("Subject in a new scene"), _("Paint a new picture with the subject of a reference.")),
    "portrait": (_("Person in a new scene"), _("Paint a new picture of the person in a reference, the same face.")),
    "generate": (_("New picture"), _("Paint a new picture from the words alone.")),
}
"""By key of `mlx_model.tasks.TASKS`: its name and what it does."""

CONTROL_NAMES: dict[str, str] = {
    "canny": _("Edges"),
    "contour": _("Outlines"),
    "depth": _("Depth"),
    "mosaic": _("Coarse blocks"),
    "grey": _("Light and shade"),
    "as-is": _("My own picture"),
}
"""By name of `mlx_model.tasks.CONTROLS`."""

WORDS_HINTS: dict[str, str] = {
    "instruct": _("What should change?"),
    "repaint": _("What should be there?"),
    "control": _("What should be there?"),
    "remove": _("What should be there?"),
    "reference": _("What should happen with the reference?"),
    "subject": _("Where should it be?"),
    "portrait": _("What should the person do or wear?"),
    "generate": _("What should the picture show?"),
}
"""What the empty field for the words asks."""


def task_in_words(task: str, references: int) -> str:
    """Say what the situation is: "Local edit with 2 references"."""
    if task == "reference" and references:
        if references == 1:
            return tr("Local edit with 1 reference")
        return tr("Local edit with {number} references", number=references)
    return tr(TASK_NAMES[task][0]) if task in TASK_NAMES else task
