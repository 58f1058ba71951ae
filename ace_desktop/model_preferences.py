"""The models page of the preferences: which model paints, where they lie, and what of the machine they may use."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QWidget,
)

from .dialogs import question
from .model_words import GIB, memory, model_title, size
from .translation import marked as _
from .translation import tr

if TYPE_CHECKING:
    from mlx_model.library.moving import Move

    from .desktop import Desktop
    from .main_window import MainWindow

IDLE = (
    (1, _("1 minute")), (10, _("10 minutes")), (60, _("1 hour")), (0, _("Always")),
)  # fmt: skip
PRECISIONS = (
    ("automatic", _("What suits this machine")), ("bfloat16", _("Half (16 bits)")), ("float32", _("Full (32 bits)")),
)  # fmt: skip
LIMITS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
"""Gibibytes that can be chosen, as far as the machine has them."""
_WIDTH = 240


class ModelPreferences(QWidget):
    """Every choice takes effect at once, or says when."""

    def __init__(self, desktop: Desktop, window: MainWindow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desktop, self._window = desktop, window
        kept = desktop.kept.value
        self._form = QFormLayout(self)
        self._form.setContentsMargins(24, 24, 24, 24)
        self._form.setHorizontalSpacing(12)
        self._form.setVerticalSpacing(8)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        self._form.setFormAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.model = self._box(tr("Edit with"), (), "", "model")
        self.more = QPushButton(tr("Models…"), self)
        self._row(tr("Edit with"), self.model, self.more)
        self._note(tr("Holds for new pictures. More bits are more exact and need more memory."))
        self.folder = QLabel(self)
        self.folder.setFixedWidth(_WIDTH)
        self.folder.setAccessibleName(tr("Folder of models"))
        self.choose, self.usual = QPushButton(tr("Choose…"), self), QPushButton(tr("Usual place"), self)
        self.stop = QPushButton(tr("Stop"), self)
        self._row(tr("Folder of models"), self.folder, self.choose, self.usual, self.stop)
        self.folder_note = self._note("")
        limits = [(0, tr("What suits this machine")), *_limits(kept.memory_limit)]
        self.limit = self._box(tr("Memory for a model"), limits, kept.memory_limit, "memory_limit")
        self._row(tr("Memory for a model"), self.limit)
        self._note(tr("Takes effect with the next edit."))
        precisions = [(precision, tr(text)) for precision, text in PRECISIONS]
        self.precision = self._box(tr("Precision"), precisions, kept.precision, "precision")
        self._row(tr("Precision"), self.precision)
        self._note(
            tr("Takes effect with the next edit. Full precision takes more memory and time; pixels differ slightly.")
            if sys.platform == "darwin"
            else tr("Without a graphics processor for it, a model computes in full precision whatever is chosen.")
        )
        idle = [(minutes, tr(text)) for minutes, text in IDLE]
        self.idle = self._box(tr("Keep it loaded"), idle, kept.idle_minutes, "idle_minutes")
        self._row(tr("Keep it loaded"), self.idle)
        self._note(
            tr("A loaded model begins at once; when nothing is to be done, its memory is given back after this.")
        )
        self.notify = QCheckBox(tr("Tell when an edit ends while another program is in front"), self)
        self.notify.setChecked(kept.notify)
        self.notify.toggled.connect(lambda: desktop.kept.change(notify=self.notify.isChecked()))
        self._form.addRow("", self.notify)
        for button in (self.more, self.choose, self.usual, self.stop):
            button.setAutoDefault(False)
        self.more.clicked.connect(lambda: desktop.show_models(window))
        self.choose.clicked.connect(self._choose_folder)
        self.usual.clicked.connect(lambda: self.take_folder(str(desktop.models.usual_folder)))
        self.stop.clicked.connect(desktop.mover.stop)
        desktop.mover.changed.connect(self._show_folder)
        desktop.models.changed.connect(self.refresh)
        self.refresh()
        if desktop.models.shelf is None:
            desktop.models.look()

    def _row(self, text: str, *fields: QWidget) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        for field in fields:
            row.addWidget(field)
        row.addStretch(1)
        self._form.addRow(text, row)

    def _note(self, text: str) -> QLabel:
        note = QLabel(text, self)
        note.setObjectName("caption")
        note.setWordWrap(True)
        note.setFixedWidth(_WIDTH + 120)
        self._form.addRow("", note)
        return note

    def _box(self, name: str, choices: Sequence[tuple[Any, str]], value: Any, setting: str) -> QComboBox:
        box = QComboBox(self)
        box.setAccessibleName(name)
        box.setFixedWidth(_WIDTH)
        for found, text in choices:
            box.addItem(text, found)
        box.setCurrentIndex(max(box.findData(value), 0))
        box.activated.connect(lambda: self._desktop.kept.change(**{setting: box.currentData()}))
        return box

    def refresh(self) -> None:
        """Show the models and the folder as they now are."""
        models = self._desktop.models
        with QSignalBlocker(self.model):
            self.model.clear()
            shelf = models.shelf
            for model in () if shelf is None else shelf.here:
                if model.config is not None:
                    self.model.addItem(model_title(model.name, () if shelf is None else shelf.families), model.name)
            self.model.setCurrentIndex(max(self.model.findData(models.chosen), 0))
        self._show_folder()

    def _show_folder(self) -> None:
        models, move = self._desktop.models, self._desktop.mover.move
        place = str(models.folder)
        self.folder.setText(self.folder.fontMetrics().elidedText(place, Qt.TextElideMode.ElideMiddle, _WIDTH))
        self.folder.setToolTip(place)
        given = models.folder_is_given
        self.choose.setEnabled(not given and not self._desktop.installer.busy and move is None)
        self.usual.setEnabled(self.choose.isEnabled() and bool(self._desktop.kept.value.models_folder))
        self.stop.setVisible(move is not None)
        self.choose.setVisible(move is None)
        self.usual.setVisible(move is None)
        if move is not None:
            done, whole = size(self._desktop.mover.copied), size(move.size)
            self.folder_note.setText(tr("Moving the models: {done} of {whole}.", done=done, whole=whole))
            return
        self.folder_note.setText(
            tr("The variable ACE_MODELS, with which this program was started, sets it.")
            if given
            else tr("A model is being installed: the folder can be changed after that.")
            if self._desktop.installer.busy
            else tr("When you choose another folder, the models can move along. None is ever deleted by that.")
        )

    def _choose_folder(self) -> None:
        dialog = QFileDialog(self, tr("Folder of models"), str(self._desktop.models.folder))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self.take_folder)
        dialog.open()

    def take_folder(self, folder: str) -> None:
        """Keep models there from now on; those that are here are offered to move along."""
        models = self._desktop.models
        self._desktop.mover.plan(models.folder, Path(folder), self._ask_to_move, self)

    def _ask_to_move(self, move: Move) -> None:
        if not move.names:
            self._change_folder(move)
            return
        more = [tr("Those that stay behind are not deleted, but no longer found.")]
        if move.copied:
            more.insert(0, tr("The other disk gets a copy first, which takes a while."))
        if move.taken:
            names = ", ".join(sorted(move.taken))
            more.append(tr("Already in the new folder, and not replaced: {names}.", names=names))
        asked = tr("Move the installed models ({size}) to the new folder?", size=size(move.size))
        box = question(self.window(), "move models", asked, " ".join(more))
        along = box.addButton(tr("Move"), QMessageBox.ButtonRole.AcceptRole)
        leave = box.addButton(tr("Leave them"), QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(along)
        box.setEscapeButton(cancel)

        def answered() -> None:
            if box.clickedButton() is along:
                self._move(move)
            elif box.clickedButton() is leave:
                self._change_folder(move)

        box.finished.connect(answered)
        box.open()

    def _move(self, move: Move) -> None:
        used = self._desktop.models_in_use() & set(move.names)
        if not used:
            self._desktop.mover.begin(move)
            return
        name = model_title(min(used), () if (shelf := self._desktop.models.shelf) is None else shelf.families)
        said = tr("An edit is using {model}. Wait for it, or cancel it first.", model=name)
        box = question(self.window(), "in use", said)
        box.addButton(tr("OK"), QMessageBox.ButtonRole.AcceptRole)
        box.open()

    def _change_folder(self, move: Move) -> None:
        usual = move.there == self._desktop.models.usual_folder
        self._desktop.kept.change(models_folder="" if usual else str(move.there))


def _limits(chosen: int) -> list[tuple[int, str]]:
    """List what can be chosen, in bytes; what was chosen before is among it."""
    from mlx_model.library.recommendation import memory_bytes

    most = memory_bytes()
    sizes = {number * GIB for number in LIMITS if number * GIB <= most} | ({chosen} if chosen else set())
    return [(limit, tr("At most {size}", size=memory(limit))) for limit in sorted(sizes)]
