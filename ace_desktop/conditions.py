"""When an action can be used, and what to say where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from .document.state import GroupLayer, Layer, RasterLayer, State
from .document.tree import editable, find, siblings
from .session import Session
from .translation import marked as _

if TYPE_CHECKING:
    from .editing import Editing


@dataclass(frozen=True, eq=False)
class Situation:
    """What a window is at: its document, if any, what the clipboard holds, the recent files, the chosen result."""

    session: Session | None
    clipboard: bool = False
    recent: bool = False
    editing: Editing | None = None
    result: str = ""

    @property
    def state(self) -> State | None:
        """The document as it is now."""
        return None if self.session is None else self.session.state

    @property
    def layer(self) -> Layer | None:
        """The layer that tools work on."""
        state = self.state
        return None if state is None or state.active is None else find(state, state.active)


@dataclass(frozen=True)
class Condition:
    """A test, and the reason that people read where it fails."""

    holds: Callable[[Situation], bool]
    reason: str


def _unlocked(now: Situation) -> bool:
    return now.state is not None and now.layer is not None and editable(now.state, now.layer.id)


def _place(now: Situation) -> tuple[int, int]:
    """Give a layer's place among those beside it, and how many they are."""
    if now.state is None or now.layer is None:
        return 0, 0
    beside = [layer.id for layer in siblings(now.state, now.layer.id)]
    return beside.index(now.layer.id), len(beside)


def _mergeable(now: Situation) -> bool:
    if now.state is None or now.layer is None:
        return False
    beside, at = siblings(now.state, now.layer.id), _place(now)[0]
    pair = beside[max(at - 1, 0) : at + 1]
    return len(pair) == 2 and all(layer.visible and editable(now.state, layer.id) for layer in pair)


def _visible(now: Situation) -> bool:
    layers = now.state.layers if now.state else ()
    return any(layer.visible for layer in layers) and not any(layer.locked for layer in layers if layer.visible)


def _history(now: Situation, which: str) -> bool:
    if now.session is None:
        return False
    return getattr(now.session.history, which) is not None or (
        which == "undo_label" and now.session.state is not now.session.history.state
    )


def _has_mask(now: Situation) -> bool:
    return _unlocked(now) and now.layer is not None and now.layer.mask is not None


def _edit_mask(now: Situation) -> bool:
    return now.state is not None and (bool(now.state.edit_mask.tiles) or now.state.edit_mask.default != 0)


def _selection(now: Situation) -> bool:
    return now.state is not None and now.state.selection is not None


def _jobs(now: Situation, *phases: str) -> bool:
    return now.editing is not None and any(job.phase in phases for job in now.editing.jobs)


def _failed(now: Situation) -> bool:
    last = now.editing.jobs[-1:] if now.editing is not None else ()
    return bool(last) and last[0].phase in ("failed", "interrupted", "cancelled")


def _edited(now: Situation) -> bool:
    """Tell whether an edit made the layer: its result's id stands in what is kept with the layer."""
    return now.layer is not None and "result" in now.layer.extra


C = Condition
CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        "always": C(lambda _now: True, ""),
        "document": C(lambda now: now.session is not None, _("Open a picture first.")),
        "recent": C(lambda now: now.recent, _("No file was opened yet.")),
        "clipboard": C(lambda now: now.clipboard, _("Copy a picture first.")),
        "revertible": C(
            lambda now: now.session is not None and now.session.path is not None and now.session.modified,
            _("Nothing has changed since the last save."),
        ),
        "undo": C(lambda now: _history(now, "undo_label"), _("There is nothing to undo.")),
        "redo": C(lambda now: _history(now, "redo_label"), _("There is nothing to redo.")),
        "layers": C(lambda now: bool(now.state and now.state.layers), _("Add a layer first.")),
        "layer": C(lambda now: now.layer is not None, _("Choose a layer first.")),
        "raster": C(lambda now: isinstance(now.layer, RasterLayer), _("Choose a layer with pixels first.")),
        "unlocked": C(_unlocked, _("Choose a layer that is not locked.")),
        "pixels": C(
            lambda now: _unlocked(now) and isinstance(now.layer, RasterLayer),
            _("Choose a layer with pixels that is not locked."),
        ),
        "group": C(
            lambda now: _unlocked(now) and isinstance(now.layer, GroupLayer),
            _("Choose a group that is not locked."),
        ),
        "raisable": C(lambda now: _place(now)[0] + 1 < _place(now)[1], _("The layer is at the top already.")),
        "lowerable": C(lambda now: _place(now)[0] > 0, _("The layer is at the bottom already.")),
        "mergeable": C(_mergeable, _("Choose a visible layer above another one; neither may be locked.")),
        "visible_layers": C(_visible, _("Show a layer first; none that is visible may be locked.")),
        "layer_mask": C(_has_mask, _("Choose an unlocked layer with a mask.")),
        "no_layer_mask": C(
            lambda now: _unlocked(now) and now.layer is not None and now.layer.mask is None,
            _("Choose an unlocked layer without a mask."),
        ),
        "maskable": C(
            lambda now: _unlocked(now) and _edit_mask(now), _("Paint a mask and choose an unlocked layer first.")
        ),
        "maskable_selection": C(
            lambda now: _unlocked(now) and _selection(now),
            _("Select something and choose an unlocked layer first."),
        ),
        "result": C(lambda now: bool(now.result), _("Choose a result in the strip first.")),
        "results": C(
            lambda now: now.editing is not None and bool(now.editing.results.all()), _("Run an edit first.")
        ),
        "selection": C(_selection, _("Select something first.")),
        "edit_mask": C(_edit_mask, _("Paint a mask first.")),
        "pasteable": C(
            lambda now: now.session is not None and now.clipboard, _("Open a picture and copy another one first.")
        ),
        "runnable": C(
            lambda now: now.editing is not None and now.editing.can_run,
            _("Something is missing; the Instruct panel says what."),
        ),
        "working": C(lambda now: _jobs(now, "running", "waiting"), _("No edit of this picture is on its way.")),
        "failed": C(_failed, _("No edit of this picture has failed.")),
        "words": C(
            lambda now: now.editing is not None and bool(now.editing.settings.instruction.strip()),
            _("Say what should happen first."),
        ),
        "task_set": C(
            lambda now: now.editing is not None and now.editing.settings.task is not None,
            _("The kind of edit is read from the situation already."),
        ),
        "framed": C(
            lambda now: now.editing is not None and now.editing.settings.region is not None,
            _("The model chooses what it sees already."),
        ),
        "edited_layer": C(_edited, _("Choose a layer that an edit made.")),
    }
)
