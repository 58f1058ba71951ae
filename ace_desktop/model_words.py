"""How models, sizes and transfers are called in the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .installer import Phase, Transfer
from .model_sentences import library_said
from .translation import marked as _
from .translation import tr

if TYPE_CHECKING:
    from .model_shelf import Machine, OfferedFamily, OfferedModel

GIB = 1 << 30
NOTES: dict[str, str] = {
    "pocket": _(
        "Knows simple drawn scenes: ten shapes, ten colours, drawn faces. Every task can be tried with it, at once "
        "and offline. It knows nothing of photographs."
    ),
    "ace-plus-fft": _("One model for every task, changing pictures by words included: the one to begin with."),
    "ace-plus-fill": _(
        "The best quality in painting anew, subjects and portraits. It does not change a whole picture by words, nor "
        "make one from words alone."
    ),
}
"""What models and families are good for, by name; of others the catalogue's own words are shown."""
WIDTHS: dict[str, str] = {"bf16": _("full precision")}
RUNNING: dict[str, str] = {
    "install": _("Downloading {model}"),
    "import": _("Importing {model}"),
    "verify": _("Checking {model}"),
    "repair": _("Repairing {model}"),
    "remove": _("Deleting {model}"),
}
PAUSED = _("Paused: {model}")
STOPPING = _("Stopping {model}…")
FAILED: dict[str, str] = {
    "install": _("{model} could not be downloaded"),
    "import": _("{model} could not be imported"),
    "verify": _("{model} could not be checked"),
    "repair": _("{model} could not be repaired"),
    "remove": _("{model} could not be deleted"),
}
DONE: dict[str, str] = {
    "install": _("{model} is ready"),
    "import": _("{model} is ready"),
    "verify": _("{model} is whole"),
    "repair": _("{model} is whole"),
    "remove": _("{model} is deleted"),
}


def size(count: float) -> str:
    """Write bytes as disks are sold, in powers of 1000."""
    value = float(count)
    for unit, digits in (("B", 0), ("kB", 0), ("MB", 0)):
        if value < 999.5:
            return f"{value:.{digits}f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def memory(count: float) -> str:
    """Write bytes of memory as machines are sold, in powers of 1024."""
    value = count / GIB
    return f"{value:.0f} GB" if value >= 20 or abs(value - round(value)) < 0.05 else f"{value:.1f} GB"


def duration(seconds: float) -> str:
    """Write a time that is left, no finer than is known."""
    if seconds < 60:
        return tr("less than a minute left")
    minutes = round(seconds / 60)
    if minutes < 60:
        return tr("about {minutes} min left", minutes=minutes)
    return tr("about {hours} h {minutes} min left", hours=minutes // 60, minutes=minutes % 60)


def width_name(width: str) -> str:
    """Call a bit width."""
    return tr(WIDTHS[width]) if width in WIDTHS else tr("{bits} bits", bits=width.removesuffix("bit"))


def model_title(name: str, families: tuple[OfferedFamily, ...]) -> str:
    """Call a model by its family's title and its width; by its own name where the catalogue does not know it."""
    for family in families:
        for model in family.models:
            if model.name == name:
                return f"{family.title}, {width_name(model.width)}"
    return tr("Pocket, the built-in model") if name == "pocket" else name


def note_of(name: str, otherwise: str) -> str:
    """Say what a model or a family is good for."""
    return tr(NOTES[name]) if name in NOTES else otherwise


def why_recommended(model: OfferedModel, machine: Machine) -> str:
    """Say why this width is recommended, or what speaks against it."""
    whole, usable = memory(machine.memory), memory(machine.usable)
    if model.fits == "no":
        return tr(
            "Needs more than the {usable} that a model can use here: it would be very slow, or fail.", usable=usable
        )
    if model.recommended and model.fits == "small":
        return tr(
            "Recommended: the only one for this machine's {memory}, for pictures of about 512 × 512.", memory=whole
        )
    if model.recommended:
        return tr("Recommended: the most exact one that fits this machine's {memory}.", memory=whole)
    if model.fits == "small":
        return tr("Fits this machine's {memory} only for pictures of about 512 × 512.", memory=whole)
    return tr("Fits this machine's {memory}; more bits are more exact, fewer are faster to fetch.", memory=whole)


def transfer_title(transfer: Transfer, title: str) -> str:
    """Say what is going on, or how it came out."""
    match transfer.phase:
        case Phase.PAUSED:
            return tr(PAUSED, model=title)
        case Phase.STOPPING:
            return tr(STOPPING, model=title)
        case Phase.FAILED:
            return tr(FAILED.get(transfer.what, FAILED["install"]), model=title)
        case Phase.DONE:
            return tr(DONE.get(transfer.what, DONE["install"]), model=title)
        case _:
            return tr(RUNNING.get(transfer.what, RUNNING["install"]), model=title)


def transfer_caption(transfer: Transfer, title: str) -> str:
    """Say how far it is, what it waits for, or what went wrong."""
    if transfer.phase is Phase.FAILED:
        return library_said(transfer.error.replace(transfer.model, title) if transfer.model else transfer.error)
    if transfer.phase is Phase.DONE:
        return _outcome(transfer)
    if transfer.waiting and transfer.phase is Phase.RUNNING:
        return library_said(transfer.waiting)
    if not transfer.total:
        return tr("Getting ready…") if transfer.phase is Phase.RUNNING else ""
    parts = [tr("{done} of {total}", done=size(transfer.done), total=size(transfer.total))]
    if transfer.phase is Phase.RUNNING:
        if transfer.rate > 0:
            parts.append(tr("{rate} a second", rate=size(transfer.rate)))
        if transfer.seconds_left is not None:
            parts.append(duration(transfer.seconds_left))
    return " · ".join(parts)


def _outcome(transfer: Transfer) -> str:
    facts = transfer.facts
    if transfer.what in ("install", "import"):
        return tr("Edits are made with it from now on.")
    if transfer.what == "remove":
        freed = tr("{size} are free again.", size=size(facts.get("freed", 0)))
        shared = facts.get("shared", 0)
        return freed + " " + tr("Other models go on using {size}.", size=size(shared)) if shared else freed
    if transfer.what == "repair" and facts.get("mended"):
        return tr("What was damaged has been fetched or made again.")
    return tr("All files are as they were installed.")
