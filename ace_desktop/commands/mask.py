"""Actions of the mask menu: on the edit mask, which says what the model may change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ..canvas.tools import Option
from ..dialogs import ask
from ..document.plane import Plane
from ..document.state import State
from ..document.target import EDIT_MASK, SELECTION, Target, mask_of, with_mask
from ..translation import marked as _
from ..translation import tr
from .doing import Command, edit, edit_active_slowly, edit_slowly, session_of, work

if TYPE_CHECKING:
    from ..main_window import MainWindow

Change = Literal["grow", "shrink", "feather"]
AMOUNT = Option("amount", _("Pixels"), "int", 8, 1, 200, 1, "px")


def changed(state: State, target: Target, how: Change, amount: int) -> State:
    """Give the state with a mask grown, shrunk or feathered."""
    from ..document import masks

    change = {"grow": masks.grown, "shrink": masks.shrunk, "feather": masks.feathered}[how]
    return with_mask(state, target, change(mask_of(state, target), state.frame, amount))


def ask_and_change(target: Target, how: Change, title: str, label: str) -> Command:
    """Make a command that asks for a number of pixels first."""

    def command(window: MainWindow) -> None:
        def accepted(values: Mapping[str, object]) -> None:
            amount = values["amount"]
            work(window, label, lambda state: changed(state, target, how, amount if isinstance(amount, int) else 0))

        ask(window, tr(title), [AMOUNT], accepted)

    return command


def inverted(target: Target) -> Callable[[State], State]:
    """Make a function that inverts a mask."""

    def change(state: State) -> State:
        from ..document.masks import inverted as invert

        return with_mask(state, target, invert(mask_of(state, target), state.frame))

    return change


def everything(target: Target) -> Callable[[State], State]:
    """Make a function that puts the whole frame into a mask."""

    def change(state: State) -> State:
        from ..document.masks import everything as whole

        return with_mask(state, target, whole(state.frame))

    return change


def taken_from(source: Target, target: Target) -> Callable[[State], State]:
    """Make a function that copies one mask into another."""

    def change(state: State) -> State:
        from ..document.masks import copied

        return copied(state, source, target)

    return change


def from_layer(target: Target) -> Callable[[State, str], State]:
    """Make a function that makes a mask of what a layer covers."""

    def change(state: State, layer_id: str) -> State:
        from ..document.masks import alpha_of

        return with_mask(state, target, alpha_of(state, layer_id))

    return change


def _save(window: MainWindow) -> None:
    session = session_of(window)
    name = Option("name", _("Name"), "text", tr("Mask {number}", number=len(session.state.masks) + 1))

    def accepted(values: Mapping[str, object]) -> None:
        wanted = str(values["name"]).strip()
        if wanted:
            masks = MappingProxyType({**session.state.masks, wanted: session.state.edit_mask})
            session.do("Save mask", replace(session.state, masks=masks))

    ask(window, tr("Save mask"), [name], accepted)


def load_mask(window: MainWindow, name: str) -> None:
    """Make a saved mask the edit mask."""
    session = session_of(window)
    session.do("Load mask", replace(session.state, edit_mask=session.state.masks[name]))


def _show(how: Literal["tint", "ants", "none"]) -> Command:
    def command(window: MainWindow) -> None:
        window.view.overlay = how

    return command


COMMANDS: Mapping[str, Command] = {
    "mask.fill": edit_slowly("Mask everything", everything(EDIT_MASK)),
    "mask.clear": edit("Clear mask", lambda state: replace(state, edit_mask=Plane(1))),
    "mask.invert": edit_slowly("Invert edit mask", inverted(EDIT_MASK)),
    "mask.grow": ask_and_change(EDIT_MASK, "grow", _("Grow mask"), "Grow mask"),
    "mask.shrink": ask_and_change(EDIT_MASK, "shrink", _("Shrink mask"), "Shrink mask"),
    "mask.feather": ask_and_change(EDIT_MASK, "feather", _("Feather mask"), "Feather mask"),
    "mask.from_selection": edit_slowly("Mask the selection", taken_from(SELECTION, EDIT_MASK)),
    "mask.from_layer": edit_active_slowly("Mask what the layer covers", from_layer(EDIT_MASK)),
    "mask.save": _save,
    "mask.tint": _show("tint"),
    "mask.ants": _show("ants"),
    "mask.hide": _show("none"),
}

CHECKED: Mapping[str, Callable[[MainWindow], bool]] = {
    "mask.tint": lambda window: window.view.overlay == "tint",
    "mask.ants": lambda window: window.view.overlay == "ants",
    "mask.hide": lambda window: window.view.overlay == "none",
}
