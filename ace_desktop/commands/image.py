"""Actions of the image menu: on the whole document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from ..dialogs import ask_size
from ..document.state import State
from ..document.target import SELECTION, mask_of
from ..translation import marked, tr
from .doing import Command, edit_slowly, session_of, work

if TYPE_CHECKING:
    from ..main_window import MainWindow


def _rotated(degrees: Literal[90, 180, 270]) -> Callable[[State], State]:
    def change(state: State) -> State:
        from ..document.canvas_size import rotate_document

        return rotate_document(state, degrees)

    return change


def _flipped(how: Literal["horizontal", "vertical"]) -> Callable[[State], State]:
    def change(state: State) -> State:
        from ..document.canvas_size import flip_document

        return flip_document(state, how)

    return change


def _cropped(state: State) -> State:
    from ..document.canvas_size import crop

    rect = mask_of(state, SELECTION).content() & state.frame
    return crop(state, rect) if rect else state


def _image_size(window: MainWindow) -> None:
    from ..document.canvas_size import image_size

    _resize(window, marked("Image size"), image_size, linked=True)


def _canvas_size(window: MainWindow) -> None:
    from ..document.canvas_size import canvas_size

    _resize(window, marked("Canvas size"), canvas_size, linked=False)


def _resize(window: MainWindow, label: str, change: Callable[[State, int, int], State], *, linked: bool) -> None:
    state = session_of(window).state

    def accepted(width: int, height: int) -> None:
        work(window, label, lambda state: change(state, width, height))

    ask_size(window, tr(label), (state.width, state.height), accepted, linked=linked)


COMMANDS: Mapping[str, Command] = {
    "image.size": _image_size,
    "image.canvas_size": _canvas_size,
    "image.crop": edit_slowly("Crop to selection", _cropped),
    "image.rotate_left": edit_slowly("Rotate left", _rotated(270)),
    "image.rotate_right": edit_slowly("Rotate right", _rotated(90)),
    "image.rotate_half": edit_slowly("Rotate by 180°", _rotated(180)),
    "image.flip_horizontal": edit_slowly("Flip horizontally", _flipped("horizontal")),
    "image.flip_vertical": edit_slowly("Flip vertically", _flipped("vertical")),
}
