"""What the person is told when the model fails, as texts to be translated: what is wrong, and what to do."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..translation import marked as _
from .protocol import Trouble

NOT_STARTED: Final = _(
    "The model could not be started. Try again; if that does not help, restart the program or install it anew."
)
KILLED: Final = _(
    "The system ended the model, probably because memory ran short. Close other programs or choose a smaller frame, "
    "and run it again."
)
ABORTED: Final = _(
    "The model broke off (a fault of the graphics processor or too little memory). Run it again; a smaller frame or "
    "fewer references need less."
)
CRASHED: Final = _("The model crashed. Run it again; if it happens every time, copy the details and report it.")
TERMINATED: Final = _("The model was ended from outside. Run it again.")
ENDED: Final = _(
    "The model ended unexpectedly. Run it again; if it happens every time, copy the details and report it."
)
STUCK: Final = _("The model has not moved for {seconds} seconds. You can wait, or end it and run this again.")
STUCK_ENDED: Final = _("This was ended because the model no longer moved. Run it again.")
PROGRAM_ENDED: Final = _("The program ended before this was done. It can go on now.")
PICTURES_LOST: Final = _("The pictures of this edit could not be read back. Run it again from its document.")
NO_ROOM: Final = _("There is no memory left for the pictures of this edit. Close other documents and run it again.")

TROUBLES: Final[Mapping[Trouble, str]] = MappingProxyType(
    {
        Trouble.memory: _(
            "There is not enough memory for this edit. Close other programs, or choose a smaller frame or model, and "
            "run it again."
        ),
        Trouble.numbers: _(
            "The model made no usable picture, twice. Try another seed or fewer adapters; if it happens every time, "
            "repair the model."
        ),
        Trouble.unexpected: _(
            "Something went wrong in the model. Run it again; if it happens every time, copy the details and report "
            "it."
        ),
    }
)
"""Where the model's own sentence is not better: `Trouble.request` always has one."""

FAULTS: Final = (
    NOT_STARTED, KILLED, ABORTED, CRASHED, TERMINATED, ENDED, STUCK, STUCK_ENDED, PROGRAM_ENDED, PICTURES_LOST,
    NO_ROOM, *TROUBLES.values(),
)  # fmt: skip
"""All of them."""

_SIGNALS: Final[Mapping[int, str]] = MappingProxyType(
    {
        signal.SIGKILL: KILLED,
        signal.SIGABRT: ABORTED,
        signal.SIGTERM: TERMINATED,
        signal.SIGINT: TERMINATED,
        signal.SIGHUP: TERMINATED,
        signal.SIGSEGV: CRASHED,
        signal.SIGBUS: CRASHED,
        signal.SIGILL: CRASHED,
        signal.SIGFPE: CRASHED,
    }
)


def sentence_of_end(exit_code: int, *, ready: bool) -> str:
    """Say why a process ended that should not have: `exit_code` as multiprocessing gives it, minus the signal."""
    if not ready and exit_code > 0:
        return NOT_STARTED
    return _SIGNALS.get(-exit_code, ENDED)


def name_of_end(exit_code: int) -> str:
    """Name the exit for the details."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
