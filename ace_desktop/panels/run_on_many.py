"""Run one edit over many: each of several references in turn, or several pictures in place of the document's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QWidget,
)

from ..commands.file import READABLE
from ..dialogs import Sheet
from ..theme import ROW
from ..translation import tr

if TYPE_CHECKING:
    from ..editing import Editing

REFERENCES, PICTURES = 0, 1


class RunOnMany(Sheet):
    """Words and settings stay those of the panel; every subject that is ticked gets a result of its own."""

    def __init__(
        self,
        editing: Editing,
        parent: QWidget,
    ) -> None:
        super().__init__(parent, tr("Run on many"), tr("Run"))
        self._editing = editing
        self._paths: list[Path] = []
        self._unticked: set[str] = set()
        self.kinds = QButtonGroup(self)
        segments = QHBoxLayout()
        segments.setSpacing(8)
        for kind, text in ((REFERENCES, tr("References in turn")), (PICTURES, tr("Several pictures"))):
            button = QPushButton(text, self)
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setAutoDefault(False)
            self.kinds.addButton(button, kind)
            segments.addWidget(button)
        self.kinds.button(REFERENCES if len(editing.references) > 1 else PICTURES).setChecked(True)
        self.kinds.idClicked.connect(self._fill)
        self.note = QLabel(self)
        self.note.setObjectName("caption")
        self.note.setWordWrap(True)
        self.list = QListWidget(self)
        self.list.setAccessibleName(tr("What the edit runs on"))
        self.list.setMinimumSize(400, 180)
        self.add = QPushButton(tr("Add pictures…"), self)
        self.add.setAutoDefault(False)
        self.add.clicked.connect(self._ask_files)
        self.form.addRow(segments)
        self.form.addRow(self.note)
        self.form.addRow(self.list)
        self.form.addRow(self.add)
        self.list.itemChanged.connect(self._count)
        self.accepted.connect(self._run)
        self._fill()
        (self.list if self.kind == REFERENCES else self.add).setFocus()

    @property
    def kind(self) -> int:
        """REFERENCES or PICTURES."""
        return self.kinds.checkedId()

    def add_files(self, paths: Sequence[Path]) -> None:
        """List pictures; they are read when the edit begins."""
        self._paths += [path for path in paths if path not in self._paths]
        self._fill()

    def chosen(self) -> list[str]:
        """List the references' ids or the files' names that are ticked."""
        items = [self.list.item(row) for row in range(self.list.count())]
        ticked = Qt.CheckState.Checked
        return [str(item.data(Qt.ItemDataRole.UserRole)) for item in items if item.checkState() == ticked]

    def _fill(self) -> None:
        blocked = self.list.blockSignals(True)
        self.list.clear()
        references = self.kind == REFERENCES
        named = (
            [(reference.id, reference.name) for reference in self._editing.references]
            if references
            else [(str(path), path.name) for path in self._paths]
        )
        for key, name in named:
            item = QListWidgetItem(name, self.list)
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setToolTip("" if references else key)
            item.setSizeHint(QSize(0, ROW - 4))
            item.setCheckState(Qt.CheckState.Unchecked if key in self._unticked else Qt.CheckState.Checked)
        self.list.blockSignals(blocked)
        self.add.setVisible(not references)
        self._count()

    def _count(self) -> None:
        chosen = self.chosen()
        items = [self.list.item(row) for row in range(self.list.count())]
        self._unticked = {str(item.data(Qt.ItemDataRole.UserRole)) for item in items} - set(chosen)
        if self.kind == REFERENCES:
            text = tr("Each reference is used alone, with the same words and settings.")
        else:
            text = tr("Each picture is edited in place of this one, with the same words and settings.")
        if not items:
            empty = tr("The reference board is empty."), tr("Add the pictures to edit.")
            text = f"{text} {empty[self.kind]}"
        self.note.setText(text)
        self.accept_button.setEnabled(bool(chosen))
        self.accept_button.setDefault(True)  # a button that is disabled hands that on
        self.accept_button.setText(tr("Run {number} edits", number=len(chosen)) if len(chosen) > 1 else tr("Run"))

    def _ask_files(self) -> None:
        dialog = QFileDialog(self, tr("Add pictures"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        patterns = " ".join(f"*.{suffix}" for suffix in READABLE[3:])
        dialog.setNameFilters([f"{tr('Pictures')} ({patterns})"])
        dialog.filesSelected.connect(self._add_names)
        dialog.open()

    def _add_names(self, names: list[str]) -> None:
        self.add_files([Path(name) for name in names])

    def _run(self) -> None:
        chosen, editing = self.chosen(), self._editing
        editing.run_on_many(chosen if self.kind == REFERENCES else [Path(name) for name in chosen])
