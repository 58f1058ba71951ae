"""The rows of the models page: a model that is here, and a family of full models that can be fetched."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QRadioButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..icons import icon
from ..model_shelf import HereModel, Machine, OfferedFamily, OfferedModel
from ..model_words import memory, note_of, size, why_recommended, width_name
from ..translation import tr
from .controls import hairline


def caption(text: str, parent: QWidget, name: str = "caption") -> QLabel:
    """Make a small line of words that may wrap."""
    label = QLabel(text, parent)
    label.setObjectName(name)
    label.setWordWrap(True)
    return label


class HereRow(QWidget):
    """A model that is here: choose it, and, if it was installed, check, repair or delete it."""

    chosen = Signal(str)
    verify = Signal(str)
    repair = Signal(str)
    remove = Signal(str)

    def __init__(
        self, model: HereModel, title: str, *, chosen: bool, busy: bool, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.name = model.name
        self.radio = QRadioButton(title, self)
        self.radio.setAutoExclusive(False)
        self.radio.setChecked(chosen)
        self.radio.setEnabled(model.config is not None)
        note = note_of(model.name, "")
        if model.config is None:
            note = tr("It is damaged and cannot be used. Repair it.")
        elif not note:
            note = "" if model.removable else model.note
        self.note = caption(note, self, "problem" if model.config is None else "caption")
        self.note.setVisible(bool(note))
        amount = QLabel(size(model.bytes), self)
        amount.setObjectName("value")
        self.more = QToolButton(self)
        self.more.setObjectName("flat")
        self.more.setIcon(icon("more"))
        self.more.setIconSize(QSize(16, 16))
        self.more.setFixedSize(28, 24)
        self.more.setAccessibleName(tr("More about {model}", model=title))
        self.more.setToolTip(self.more.accessibleName())
        self.more.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.more)
        self.actions_of = {
            "verify": self.menu.addAction(tr("Check the files"), lambda: self.verify.emit(model.name)),
            "repair": self.menu.addAction(tr("Repair"), lambda: self.repair.emit(model.name)),
            "remove": self.menu.addAction(
                tr("Delete (frees {size})…", size=size(model.frees)), lambda: self.remove.emit(model.name)
            ),
        }
        self.more.setMenu(self.menu)
        self.more.setVisible(model.removable)
        self.more.setEnabled(not busy)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.radio, 1)
        top.addWidget(amount)
        if model.removable:
            top.addWidget(self.more)
        else:
            top.addSpacing(36)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 12, 8)
        column.setSpacing(2)
        column.addLayout(top)
        inset = QHBoxLayout()
        inset.setContentsMargins(24, 0, 36, 0)
        inset.addWidget(self.note)
        column.addLayout(inset)
        self.radio.clicked.connect(self._click)

    def _click(self) -> None:
        self.radio.setChecked(True)  # one click more does not take the choice back
        self.chosen.emit(self.name)


class FamilyCard(QFrame):
    """A released model: which of its widths suits this machine, what it takes, its licence, and how to get it."""

    download = Signal(str)
    import_wanted = Signal(str)
    delete_begun = Signal(str)
    licence_wanted = Signal(str)
    changed = Signal()
    """Another width was chosen, or the licence accepted or not."""

    def __init__(self, family: OfferedFamily, machine: Machine, *, busy: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._family, self._machine, self._busy = family, machine, busy
        heading = QHBoxLayout()
        title = QLabel(family.title, self)
        title.setObjectName("name")
        heading.addWidget(title, 1)
        self.widths = QComboBox(self)
        self.widths.setAccessibleName(tr("Version of {model}", model=family.title))
        self.widths.setMinimumWidth(220)
        for model in family.models:
            here = tr("is here") if model.here else tr("recommended") if model.recommended else ""
            self.widths.addItem(
                f"{width_name(model.width)} · {here}" if here else width_name(model.width), model.name
            )
        best = next((model for model in family.models if model.begun), family.recommended) or family.models[0]
        self.widths.setCurrentIndex(family.models.index(best))
        heading.addWidget(self.widths)
        self._values = [QLabel(self) for _number in range(3)]
        facts = QHBoxLayout()
        facts.setSpacing(24)
        for value, name in zip(self._values, (tr("Download"), tr("On the disk"), tr("Memory")), strict=True):
            pair = QVBoxLayout()
            pair.setSpacing(0)
            pair.addWidget(caption(name, self))
            pair.addWidget(value)
            facts.addLayout(pair)
        facts.addStretch(1)
        self.why = caption("", self)
        self.accept = QCheckBox(self)
        self.licence = QPushButton(tr("Read the licence"), self)
        self.licence.setObjectName("link")
        names = ", ".join(licence.name for licence in family.licences)
        self.accept.setText(tr("I accept the {licence}", licence=names))
        terms = QHBoxLayout()
        terms.setSpacing(8)
        terms.addWidget(self.accept)
        terms.addWidget(self.licence)
        terms.addStretch(1)
        words = [tr("For non-commercial use only.")] if any(one.non_commercial for one in family.licences) else []
        if family.account:
            words.append(tr("Its owner wants an account; the steps are shown."))
        self.terms = caption(" ".join(words), self)
        self.terms.setVisible(bool(words))
        self.reason = caption("", self)
        self.importing, self.getting, self.deleting = (QPushButton(self) for _number in range(3))
        self.importing.setText(tr("Import from a folder…"))
        self.deleting.setText(tr("Delete what is here"))
        last = QHBoxLayout()
        last.setSpacing(8)
        last.addStretch(1)
        for button in (self.deleting, self.importing, self.getting):
            button.setAutoDefault(False)
            last.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addLayout(heading)
        column.addWidget(caption(note_of(family.name, family.note), self))
        column.addLayout(facts)
        column.addWidget(self.why)
        column.addWidget(hairline(self))
        column.addLayout(terms)
        column.addWidget(self.terms)
        column.addWidget(self.reason)
        column.addLayout(last)
        self.widths.currentIndexChanged.connect(self._changed)
        self.accept.toggled.connect(self._changed)
        self.licence.clicked.connect(lambda: self.licence_wanted.emit(family.licences[0].page))
        self.getting.clicked.connect(lambda: self.download.emit(self.model.name))
        self.importing.clicked.connect(lambda: self.import_wanted.emit(self.model.name))
        self.deleting.clicked.connect(lambda: self.delete_begun.emit(self.model.name))
        self.refresh()

    @property
    def model(self) -> OfferedModel:
        """The width that is chosen."""
        return self._family.models[max(self.widths.currentIndex(), 0)]

    def choose(self, name: str, *, accepted: bool) -> None:
        """Show a width, and whether the licence is accepted, without telling anyone."""
        blocked = self.blockSignals(True)
        self.widths.setCurrentIndex(max(self.widths.findData(name), 0))
        self.accept.setChecked(accepted)
        self.blockSignals(blocked)
        self.refresh()

    def _changed(self) -> None:
        self.refresh()
        self.changed.emit()

    def refresh(self) -> None:
        """Write the facts of the width, and say why it cannot be had where that is so."""
        model, machine = self.model, self._machine
        needed = model.memory_small if model.fits == "small" else model.memory
        self._values[0].setText(size(model.download))
        self._values[1].setText(size(model.disk))
        self._values[2].setText(tr("{needed} of {whole}", needed=memory(needed), whole=memory(machine.memory)))
        self.why.setText(why_recommended(model, machine))
        self.getting.setText(tr("Continue the download") if model.begun else tr("Download"))
        self.deleting.setVisible(model.begun and not self._busy)
        reason = self._hindrance()
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        for button in (self.getting, self.importing):
            button.setEnabled(not reason)
            button.setVisible(not model.here)
            button.setToolTip(reason)

    def _hindrance(self) -> str:
        model = self.model
        if model.here:
            return tr("It is here already.")
        if self._busy:
            return tr("Wait until the other model is done.")
        if not self.accept.isChecked():
            return tr("Accept the licence first.")
        if model.disk > self._machine.free and not model.begun:
            free = size(self._machine.free)
            return tr("Only {free} are free on the disk: make room, or choose another folder.", free=free)
        return ""
