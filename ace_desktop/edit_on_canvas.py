"""The edit on the canvas: the frame of what the model will see, previews in it, and results compared there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from .canvas.frame import Seen
from .canvas.view import CanvasView
from .document.geometry import EMPTY, Rect
from .document.plane import Plane
from .document.result_layers import result_of_layer
from .document.state import State, walk
from .following import Follower
from .sentences import said
from .translation import tr

if TYPE_CHECKING:
    from mlx_model.request import Box

    from .editing import Editing

FEW_PIXELS = 0.005
"""Scales that differ by less are written as the same."""


class EditOnCanvas(QObject):
    """Stands between the edit of one document and the view that shows it."""

    said = Signal(str)
    """A sentence for the status line."""

    def __init__(self, editing: Editing, view: CanvasView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._editing, self._view = editing, view
        self._shown = False
        self._follower = Follower(editing.session, self.refresh, self)
        editing.changed.connect(self._follower.follow)
        self._accepted: Plane | None = None
        editing.session.changed.connect(self._show_mask)
        editing.preview.connect(self._preview)
        editing.compared.connect(self._compare)
        view.frame.dragged.connect(self._drag)
        view.frame.settled.connect(self._settle)

    def show_frame(self, shown: bool) -> None:
        """Show the frame, or do not."""
        self._shown = shown
        self.refresh()

    def refresh(self) -> None:
        """Show the frame as the settings have it now; one that is being dragged is left alone."""
        if self._view.frame.held:
            return
        state = self._editing.session.state
        found = self._editing.frame if self._shown else None
        if found is None:
            self._view.frame.show(None, state.frame)
            return
        box, size = found
        chosen = self._editing.settings.region is not None
        self._view.frame.show(Seen(Rect(*box), scale_in_words(box, size), chosen), state.frame)

    def _show_mask(self, _rects: object, before: State) -> None:
        """Outline the mask in which a result was just laid, whose colours are to be judged, until it is changed."""
        state = self._editing.session.state
        now, then = ({result_of_layer(layer) for layer in walk(tree.layers)} for tree in (state, before))
        if now - then and self._view.overlay == "tint":
            self._accepted, self._view.overlay = state.edit_mask, "ants"
        elif self._accepted is not None and (then - now or state.edit_mask is not self._accepted):
            self._tint_again()

    def _tint_again(self) -> None:
        if self._accepted is not None and self._view.overlay == "ants":
            self._view.overlay = "tint"
        self._accepted = None

    def _drag(self, rect: Rect) -> None:
        """Let the frame follow the hand, with the scale at which it would be seen there."""
        from mlx_model.request import RequestError

        from .document.edit import with_settings
        from .document.snapshot import frame_of

        editing, state = self._editing, self._editing.session.state
        region = (rect.x, rect.y, rect.width, rect.height)
        config = editing.config
        caption = ""
        if config is not None:
            try:
                box, size = frame_of(with_settings(state, replace(editing.settings, region=region)), config)
                caption = scale_in_words(box, size)
            except RequestError as error:
                caption = said(str(error))
        self._view.frame.show(Seen(rect, caption, chosen=True), state.frame)

    def _settle(self, rect: Rect | None) -> None:
        self._editing.change(region=None if rect is None else (rect.x, rect.y, rect.width, rect.height))
        self.refresh()

    def _preview(self, image: QImage | None, box: Box | None) -> None:
        self._view.set_frame_preview(image, EMPTY if box is None else Rect(*box))

    def _compare(self, image: QImage | None, box: Box | None, wipe: float | None) -> None:
        self._view.set_comparison(image, EMPTY if box is None else Rect(*box), wipe or 0.0)

    def close(self) -> None:
        """Leave the view as it would be without an edit."""
        self._view.frame.dragged.disconnect(self._drag)
        self._view.frame.settled.disconnect(self._settle)
        self._view.frame.show(None, EMPTY)
        self._tint_again()


def scale_in_words(box: Box, size: tuple[int, int]) -> str:
    """Say how large the model sees a box that it works on at this size (width, height)."""
    scale = max(size[0] / box[2], size[1] / box[3])
    written = f"{scale:.1f}" if scale >= 0.1 else f"{scale:.2f}"
    if abs(scale - 1) < FEW_PIXELS or written == "1.0":
        return tr("Seen as it is")
    return tr("Seen at {scale}×", scale=written)
