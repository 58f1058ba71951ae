"""Actions of the Instruct menu: run, the words, the frame, the seed, and layers that an edit made."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..document.target import SELECTION, mask_of
from ..panels.inspector import INSTRUCT
from ..translation import tr
from .doing import Command, active, session_of

if TYPE_CHECKING:
    from ..editing import Editing
    from ..main_window import MainWindow
    from ..panels.instruct import InstructPanel
    from ..panels.reference_board import ReferenceBoard

_SEEDS = 2**32


def editing_of(window: MainWindow) -> Editing:
    """Give the edit of the window's document; the conditions of actions see to it that there is one."""
    if window.editing is None:
        raise LookupError("the window has no edit")
    return window.editing


def panel_of(window: MainWindow) -> InstructPanel:
    """Give the Instruct panel, which is there with a document."""
    if window.instruct is None:
        raise LookupError("the window has no Instruct panel")
    return window.instruct


def board_of(window: MainWindow) -> ReferenceBoard:
    """Give the reference board, which is there with a document."""
    if window.board is None:
        raise LookupError("the window has no reference board")
    return window.board


def _run(window: MainWindow) -> None:
    panel_of(window).run()


def _run_again(window: MainWindow) -> None:
    job = editing_of(window).jobs[-1]
    window.desktop.engine.run_again(job.id)


def _words(window: MainWindow) -> None:
    window.show_canvas_only(False)
    window.inspector.open(INSTRUCT)
    panel_of(window).words.setFocus()


def _change(**values: object) -> Command:
    def command(window: MainWindow) -> None:
        editing_of(window).change(**values)

    return command


def _frame_selection(window: MainWindow) -> None:
    state = session_of(window).state
    rect = mask_of(state, SELECTION).content() & state.frame
    if rect:
        editing_of(window).change(region=(rect.x, rect.y, rect.width, rect.height))
    else:
        window.status.say(tr("Nothing of the picture is selected."))


def _show_frame(window: MainWindow) -> None:
    window.desktop.kept.change(show_frame=not window.desktop.kept.value.show_frame)


def _dice(window: MainWindow) -> None:
    editing_of(window).change(seed=secrets.randbelow(_SEEDS))


def _lock(window: MainWindow) -> None:
    editing = editing_of(window)
    editing.change(seed_locked=not editing.settings.seed_locked)


def _on_layer(do: Callable[[Editing, str], None]) -> Command:
    def command(window: MainWindow) -> None:
        do(editing_of(window), active(window).id)

    return command


def _on_result(do: Callable[[Editing, str], None]) -> Command:
    """Make a command of what is done to the result that the active layer was made of."""

    def command(window: MainWindow) -> None:
        from ..document.result_layers import result_of_layer

        result = result_of_layer(active(window))
        if result is not None:
            do(editing_of(window), result)

    return command


def _many(window: MainWindow) -> None:
    from ..panels.run_on_many import RunOnMany

    RunOnMany(editing_of(window), window).open()


def seed_is_locked(window: MainWindow) -> bool:
    """Tell whether the next run has the same seed."""
    return window.editing is not None and window.editing.settings.seed_locked


COMMANDS: Mapping[str, Command] = {
    "instruct.run": _run,
    "instruct.many": _many,
    "instruct.cancel": lambda window: editing_of(window).cancel(),
    "instruct.run_again": _run_again,
    "instruct.words": _words,
    "instruct.keep_words": lambda window: panel_of(window).ideas.keep(),
    "instruct.whole_picture": _change(task="instruct"),
    "instruct.automatic": _change(task=None),
    "instruct.frame": _show_frame,
    "instruct.frame_selection": _frame_selection,
    "instruct.frame_automatic": _change(region=None),
    "instruct.seed": _dice,
    "instruct.lock_seed": _lock,
    "instruct.edit_again": _on_layer(lambda editing, layer: editing.edit_again(layer)),
    "instruct.more_like": _on_result(lambda editing, result: editing.more_like(result)),
    "instruct.same_seed": _on_result(lambda editing, result: editing.same_seed(result)),
    "instruct.repeat": _on_layer(lambda editing, layer: editing.repeat_exactly(layer)),
    "instruct.rerun": _on_layer(lambda editing, layer: editing.rerun(layer)),
    "reference.add": lambda window: board_of(window).choose_files(),
    "reference.paste": lambda window: board_of(window).paste(),
    "reference.selection": lambda window: board_of(window).add_selection(),
    "reference.layer": lambda window: board_of(window).add_layers([active(window).id]),
}

CHECKED: Mapping[str, Callable[[MainWindow], bool]] = {
    "instruct.frame": lambda window: window.desktop.kept.value.show_frame,
    "instruct.lock_seed": seed_is_locked,
}
