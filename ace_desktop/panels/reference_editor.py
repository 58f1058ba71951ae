"""The sheet in which a reference is cropped, cut out, named and given its role."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from ..background import Background
from ..dialogs import Sheet
from ..document.geometry import Rect
from ..document.references import (
    ROLES,
    BoardReference,
    change_reference,
    find_reference,
    reference_picture,
    set_reference_mask,
)
from ..document.state import State
from ..session import Session
from ..slow_steps import do_when_still
from ..translation import tr
from .cut_out import Scribble, automatic, cut_out, enlarged, working_copy
from .reference_canvas import ReferenceCanvas
from .reference_model import ROLE_NAMES
from .thumbnails import shown_colours

Grey = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class _Opened:
    """A reference's working copy and, of its size, what of it counts."""

    pixels: NDArray[np.uint8]
    mask: Grey | None


class ReferenceEditor(Sheet):
    """Works on a copy; only Done makes a step of undo. Scribbles are followed in the background."""

    def __init__(
        self,
        session: Session,
        reference_id: str,
        background: Background,
        failed: Callable[[Exception], None],
        parent: QWidget,
    ) -> None:
        super().__init__(parent, tr("Edit reference"), tr("Done"))
        self._session, self._background, self._failed = session, background, failed
        self._reference = find_reference(session.state, reference_id)
        self._opened: _Opened | None = None
        self._mask: Grey | None = None
        self._scribbles: tuple[Scribble, ...] = ()
        self._mask_changed = self._looking = False
        self.name = QLineEdit(self._reference.name, self)
        self.role = QComboBox(self)
        for role in ROLES:
            self.role.addItem(tr(ROLE_NAMES[role]), role)
        self.role.setCurrentIndex(ROLES.index(self._reference.role))
        self.canvas = ReferenceCanvas(self)
        self.crop_button, self.cut_button = QPushButton(tr("Crop"), self), QPushButton(tr("Cut out"), self)
        self.automatic_button = QPushButton(tr("Cut out by itself"), self)
        self.again_button = QPushButton(tr("Start over"), self)
        self.hint = QLabel(self)
        self._lay_out()
        self._connect()
        self._set_mode()
        self.crop_button.setFocus()
        self._read()

    def _lay_out(self) -> None:
        for widget, name in ((self.name, tr("Name")), (self.role, tr("Role"))):
            widget.setMinimumWidth(280)
            widget.setAccessibleName(name)
            self.form.addRow(name, widget)
        modes = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self.crop_button, self.cut_button):
            button.setCheckable(True)
            button.setObjectName("segment")
            modes.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        for button in (self.automatic_button, self.again_button):
            button.setObjectName("small")
            row.addWidget(button)
        for button in (self.crop_button, self.cut_button, self.automatic_button, self.again_button):
            button.setAutoDefault(False)
        self.crop_button.setChecked(True)
        self.hint.setObjectName("caption")
        self.hint.setWordWrap(True)
        self.hint.setFixedHeight(32)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.canvas.setAccessibleName(tr("Picture of the reference"))
        self.column.insertLayout(2, row)
        self.column.insertWidget(3, self.canvas, 0, Qt.AlignmentFlag.AlignHCenter)
        self.column.insertWidget(4, self.hint)
        self.setTabOrder(self.role, self.crop_button)

    def _connect(self) -> None:
        self.crop_button.toggled.connect(self._set_mode)
        self.canvas.scribbled.connect(self._add_scribble)
        self.automatic_button.clicked.connect(self._find_by_itself)
        self.again_button.clicked.connect(self._start_over)
        undo = QShortcut(QKeySequence.StandardKey.Undo, self)
        undo.activated.connect(self._take_back)
        self.accepted.connect(self._apply)

    def _set_mode(self) -> None:
        cropping = self.crop_button.isChecked()
        self.canvas.set_mode("crop" if cropping else "cut out")
        self.automatic_button.setVisible(not cropping)
        self.hint.setText(
            tr("Drag the handles; a double click takes all of it again.")
            if cropping
            else tr(
                "Scribble over what counts; hold {key} and scribble over what does not.",
                key="⌥" if sys.platform == "darwin" else "Alt",
            )
        )
        self.canvas.setAccessibleDescription(self.hint.text())

    # What it works on

    def _read(self) -> None:
        state, reference = self._session.state, self._reference

        def work() -> _Opened:
            picture, mask = reference_picture(change_reference(state, reference.id, crop=None), reference.id)
            small = shown_colours(working_copy(np.asarray(picture.pixels, np.uint8)), picture.profile)
            return _Opened(small, None if mask is None else enlarged(mask, small.shape[1], small.shape[0]))

        self._let_accept(False)
        self._background.run(work, self._show, self._unreadable, self)

    def _show(self, opened: _Opened) -> None:
        self._opened, self._mask = opened, opened.mask
        height, width = opened.pixels.shape[:2]
        frame = Rect(0, 0, width, height)
        scale = width / self._reference.width
        crop = frame
        if self._reference.crop is not None:
            left, top, wide, high = (round(value * scale) for value in self._reference.crop)
            crop = Rect(left, top, max(wide, 1), max(high, 1)) & frame
        self._first_crop = crop
        self.canvas.show_picture(opened.pixels, crop)
        self.canvas.show_mask(self._mask)
        self._let_accept(True)

    def _unreadable(self, error: Exception) -> None:  # noqa: ARG002
        self.hint.setText(tr("The picture of this reference is damaged. Remove it and add it again."))

    # Cutting out

    def _add_scribble(self, scribble: Scribble) -> None:
        self._scribbles = (*self._scribbles, scribble)
        self._look()

    def _find_by_itself(self) -> None:
        if self._opened is not None:
            self._scribbles = (automatic(self._opened.pixels),)
            self._look()

    def _take_back(self) -> None:
        if self._scribbles and not self.crop_button.isChecked():
            self._scribbles = self._scribbles[:-1]
            self._look()

    def _start_over(self) -> None:
        if self._opened is None:
            return
        if self.crop_button.isChecked():
            self.canvas.show_picture(self._opened.pixels, Rect(0, 0, *reversed(self._opened.pixels.shape[:2])))
        else:
            self._scribbles = ()
            self._look()

    def _look(self) -> None:
        """Find what the scribbles mean; one look at a time, and again where they have changed meanwhile."""
        if self._opened is None or self._looking:
            return
        scribbles, pixels = self._scribbles, self._opened.pixels
        self._mask_changed = True
        if all(scribble.background for scribble in scribbles):
            self._mask = None
            self.canvas.show_mask(None)
            return
        self._set_looking(True)

        def done(mask: Grey) -> None:
            self._set_looking(False)
            self._mask = mask if mask.any() else None
            self.canvas.show_mask(self._mask)
            if self._scribbles is not scribbles:
                self._look()

        def failed(error: Exception) -> None:
            self._set_looking(False)
            self._failed(error)

        self._background.run(lambda: cut_out(pixels, scribbles), done, failed, self)

    def _set_looking(self, looking: bool) -> None:
        self._looking = looking
        self._let_accept(not looking)

    def _let_accept(self, can: bool) -> None:
        self.accept_button.setEnabled(can)
        self.accept_button.setDefault(True)  # a button that is disabled gives that away

    # What it comes to

    def _crop(self) -> tuple[int, int, int, int] | None:
        """Give the crop in the reference's own pixels; as it was where the hand did not touch it."""
        assert self._opened is not None  # noqa: S101 Done is disabled before
        if self.canvas.crop == self._first_crop:
            return self._reference.crop
        height, width = self._opened.pixels.shape[:2]
        crop, scale = self.canvas.crop, self._reference.width / width
        if crop == Rect(0, 0, width, height):
            return None
        left, top = round(crop.x * scale), round(crop.y * scale)
        right = min(round(crop.right * scale), self._reference.width)
        bottom = min(round(crop.bottom * scale), self._reference.height)
        return left, top, right - left, bottom - top

    def _apply(self) -> None:
        reference, mask, mask_changed = self._reference, self._mask, self._mask_changed
        wanted = replace(
            reference,
            name=self.name.text().strip() or reference.name,
            role=self.role.currentData(),
            crop=self._crop(),
        )
        if wanted == reference and not mask_changed:
            return

        def change(state: State) -> State:
            after = _changed(state, wanted)
            if mask_changed:
                full = None if mask is None else enlarged(mask, reference.width, reference.height)
                after = set_reference_mask(after, reference.id, full)
            return after

        do_when_still(self._session, self._background, "Edit reference", change, self._failed)


def _changed(state: State, wanted: BoardReference) -> State:
    return change_reference(state, wanted.id, name=wanted.name, role=wanted.role, crop=wanted.crop)
