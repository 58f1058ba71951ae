"""The models page: what is here, what could be fetched and suits this machine, and how far that is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QLabel,
    QMessageBox,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ..dialogs import confirm_deletion, question
from ..model_sentences import library_said
from ..model_words import memory, model_title, size
from ..translation import tr
from .controls import hairline
from .model_rows import FamilyCard, HereRow, caption
from .transfer_card import TransferCard

if TYPE_CHECKING:
    from ..installer import Installer
    from ..models import Models

_SIZE = (656, 760)


class ModelsPage(QDialog):
    """A window of its own that stands open beside the work."""

    def __init__(
        self,
        models: Models,
        installer: Installer,
        parent: QWidget,
        in_use: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        """`in_use` says whether an edit that runs or waits needs a model."""
        super().__init__(parent)
        self._in_use = in_use
        self.setObjectName("models")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._models, self._installer = models, installer
        self._wanted: dict[
            str, tuple[str, bool]
        ] = {}  # by family: the width shown, and whether its licence is accepted
        self._busy = installer.busy
        self.rows: list[HereRow] = []
        self.cards: dict[str, FamilyCard] = {}
        self.card = TransferCard(installer, self._title, self._otherwise, self)
        self.card.without_account.connect(self._without_account)
        self._content = QWidget(self)
        self._content.setObjectName("page")
        self._list = QWidget(self._content)
        self._column = QVBoxLayout(self._content)
        self._column.setContentsMargins(24, 16, 24, 24)
        self._column.setSpacing(16)
        self._column.addWidget(self.card)
        self._column.addWidget(self._list)
        self._column.addStretch(1)
        self.area = QScrollArea(self)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)
        self.resize(*_SIZE)
        models.changed.connect(self.fill)
        installer.changed.connect(self._transfer_changed)
        self.fill()

    def _title(self, name: str) -> str:
        shelf = self._models.shelf
        return model_title(name, () if shelf is None else shelf.families)

    def _otherwise(self, name: str) -> bool:
        shelf = self._models.shelf
        families = () if shelf is None else shelf.families
        return any(family.otherwise for family in families for model in family.models if model.name == name)

    # What it shows

    def fill(self) -> None:
        """Write everything anew as it now is; what was chosen and accepted on the page stays."""
        self.setWindowTitle(tr("Models"))
        focus: QWidget | None = self.focusWidget()
        focused = focus.accessibleName() or getattr(focus, "text", str)() if focus else ""
        fresh = QWidget(self._content)
        column = QVBoxLayout(fresh)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.rows, self.cards = [], {}
        shelf = self._models.shelf
        if shelf is None:
            column.addWidget(caption(tr("Looking for models…"), fresh))
        else:
            self._add_here(fresh, column)
            self._add_families(fresh, column)
        self._column.replaceWidget(self._list, fresh)
        self._list.hide()
        self._list.deleteLater()
        self._list = fresh
        fresh.show()
        self.card.refresh()
        if focused:
            self._focus(focused)

    def _focus(self, name: str) -> None:
        for widget in self._list.findChildren(QWidget):
            if name in (widget.accessibleName(), getattr(widget, "text", str)()):
                widget.setFocus()
                return

    def _add_here(self, parent: QWidget, column: QVBoxLayout) -> None:
        shelf = self._models.shelf
        if shelf is None:
            return
        column.addWidget(_heading(tr("On this machine"), parent))
        panel = QFrame(parent)
        panel.setObjectName("card")
        rows = QVBoxLayout(panel)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        for model in shelf.here:
            if self.rows:
                rows.addWidget(hairline(panel))
            chosen = model.name == self._models.chosen
            row = HereRow(model, self._title(model.name), chosen=chosen, busy=self._busy, parent=panel)
            row.chosen.connect(self._models.choose)
            row.verify.connect(self._installer.verify)
            row.repair.connect(self._repair)
            row.remove.connect(self._ask_to_remove)
            rows.addWidget(row)
            self.rows.append(row)
        column.addWidget(panel)
        column.addWidget(caption(tr("New pictures are edited with the chosen model."), parent))

    def _add_families(self, parent: QWidget, column: QVBoxLayout) -> None:
        shelf = self._models.shelf
        if shelf is None:
            return
        column.addSpacing(8)
        column.addWidget(_heading(tr("Full models"), parent))
        machine = shelf.machine
        column.addWidget(
            caption(
                tr(
                    "They edit photographs. This machine has {memory} of memory, of which a model can use about "
                    "{usable}, and {free} free on the disk.",
                    memory=memory(machine.memory),
                    usable=memory(machine.usable),
                    free=size(machine.free),
                ),
                parent,
            )
        )
        if shelf.problem:
            column.addWidget(caption(library_said(shelf.problem), parent, "problem"))
        for family in shelf.families:
            card = FamilyCard(family, machine, busy=self._busy, parent=parent)
            if family.name in self._wanted:
                name, accepted = self._wanted[family.name]
                card.choose(name, accepted=accepted)
            card.changed.connect(lambda card=card, name=family.name: self._remember(name, card))
            card.download.connect(self._download)
            card.import_wanted.connect(self._choose_folder)
            card.delete_begun.connect(self._installer.remove)
            card.licence_wanted.connect(_open)
            column.addWidget(card)
            self.cards[family.name] = card

    def _remember(self, family: str, card: FamilyCard) -> None:
        self._wanted[family] = (card.model.name, card.accept.isChecked())

    def _transfer_changed(self) -> None:
        if self._busy != self._installer.busy:
            self._busy = self._installer.busy
            self.fill()

    # What it does

    def _download(self, name: str) -> None:
        self._installer.install(name)
        self.area.verticalScrollBar().setValue(0)

    def _without_account(self, name: str) -> None:
        self._installer.install(name, without_account=True)

    def _choose_folder(self, name: str) -> None:
        dialog = QFileDialog(self, tr("Import from a folder"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(partial(self._import, name))
        dialog.open()

    def _import(self, name: str, folder: str) -> None:
        self._installer.import_files(Path(folder), name)
        self.area.verticalScrollBar().setValue(0)

    def _repair(self, name: str) -> None:
        if not self._is_in_use(name):
            self._installer.repair(name)

    def _is_in_use(self, name: str) -> bool:
        """Say so where an edit needs a model, whose files then have to stay as they are."""
        used = self._in_use(name)
        if used:
            said = tr("An edit is using {model}. Wait for it, or cancel it first.", model=self._title(name))
            box = question(self, "in use", said)
            box.addButton(tr("OK"), QMessageBox.ButtonRole.AcceptRole)
            box.open()
        return used

    def _ask_to_remove(self, name: str) -> None:
        model = self._models.model(name)
        if model is None or self._is_in_use(name):
            return
        confirm_deletion(
            self,
            "remove",
            tr("Delete {model}?", model=self._title(name)),
            tr("{size} become free. To use it again it has to be downloaded again.", size=size(model.frees)),
            lambda: self._installer.remove(name),
        )

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Look again whenever it is opened: files may have come or gone by other hands."""
        super().showEvent(event)
        self._models.look()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.fill()
        super().changeEvent(event)


def _open(page: str) -> None:
    QDesktopServices.openUrl(QUrl(page))


def _heading(text: str, parent: QWidget) -> QLabel:
    label = QLabel(text, parent)
    label.setObjectName("name")
    return label
