"""Words to begin with, in a menu: examples for the task, what the user has kept, and what was run before."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QMenu, QPushButton, QToolButton, QWidget

from .. import presets
from ..canvas.tools import Option
from ..dialogs import Sheet, ask
from ..icons import icon
from ..settings import Kept
from ..theme import ROW
from ..translation import tr

RECENT = 10
"""So many earlier instructions are listed; alt with up goes further back."""
_SHORT = 48


class Ideas(QToolButton):
    """A button with the menu."""

    chosen = Signal(str)
    """The words that were chosen."""

    def __init__(self, kept: Kept, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("flat")
        self.setIcon(icon("ideas"))
        self.setFixedSize(ROW, ROW - 2)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._kept = kept
        self._task, self._built_in, self._words = "instruct", True, ""
        self.ideas = QMenu(self)
        self.ideas.setToolTipsVisible(True)
        self.ideas.aboutToShow.connect(self._fill)
        self.setMenu(self.ideas)
        self.retranslate()

    def follow(self, task: str, words: str, *, built_in: bool) -> None:
        """Have examples for this task and model; these words can be kept."""
        self._task, self._words, self._built_in = task, words.strip(), built_in

    def retranslate(self) -> None:
        """Name it in the present language."""
        self.setToolTip(tr("Examples and kept words"))
        self.setAccessibleName(tr("Examples and kept words"))

    def _fill(self) -> None:
        menu, settings = self.ideas, self._kept.value
        menu.clear()
        examples = presets.examples(self._task, built_in=self._built_in, wanted=settings.language)
        if examples:
            self._head(tr("Examples"))
        for preset in examples:
            self._add(menu, preset.label, preset.instruction)
        if settings.presets:
            self._head(tr("Kept by you"))
        for label, words in settings.presets.items():
            self._add(menu, label, words)
        menu.addSeparator()
        if settings.instructions:
            recent = menu.addMenu(tr("Earlier words"))
            recent.setToolTipsVisible(True)
            for words in settings.instructions[:RECENT]:
                line = words.replace("\n", " ")
                self._add(recent, line if len(line) <= _SHORT else line[: _SHORT - 1] + "…", words)
        keep = menu.addAction(tr("Keep these words…"))
        keep.setEnabled(bool(self._words))
        keep.triggered.connect(self.keep)
        if settings.presets:
            menu.addAction(tr("Edit kept words…")).triggered.connect(self.edit_kept)

    def _head(self, text: str) -> None:
        self.ideas.addSeparator()
        self.ideas.addAction(text).setEnabled(False)

    def _add(self, menu: QMenu, label: str, words: str) -> None:
        action = QAction(label.replace("&", "&&"), menu)
        action.setToolTip(words)
        action.triggered.connect(partial(self.chosen.emit, words))
        menu.addAction(action)

    def keep(self) -> None:
        """Ask for a name and keep the present words under it."""
        words = self._words
        name = Option("name", "Name", "text", " ".join(words.split()[:4]))

        def accepted(values: object) -> None:
            label = str(values["name"]).strip() if isinstance(values, dict) else ""
            if label:
                self._kept.change(presets=presets.with_preset(self._kept.value, label, words))

        ask(self.window(), tr("Keep words"), [name], accepted)

    def edit_kept(self) -> None:
        """Rename and delete what was kept."""
        KeptWords(self._kept, self.window()).open()


class KeptWords(Sheet):
    """The list of kept words: a double click renames, Delete takes away."""

    def __init__(self, kept: Kept, parent: QWidget) -> None:
        super().__init__(parent, tr("Kept words"), tr("OK"))
        self._kept = kept
        self.list = QListWidget(self)
        self.list.setAccessibleName(tr("Kept words"))
        self.list.setMinimumSize(360, 200)
        self.words = QLineEdit(self)
        self.words.setAccessibleName(tr("Words"))
        self.remove = QPushButton(tr("Delete"), self)
        self.remove.setAutoDefault(False)
        self._left = dict(kept.value.presets)
        for label in self._left:
            item = QListWidgetItem(label, self.list)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            item.setData(Qt.ItemDataRole.UserRole, self._left[label])
        self.form.addRow(self.list)
        self.form.addRow(self.words)
        self.form.addRow(self.remove)
        self.list.currentItemChanged.connect(self._show)
        self.words.textEdited.connect(self._edit)
        self.remove.clicked.connect(self._remove)
        self.accepted.connect(self._keep)
        self.list.setCurrentRow(0)

    def _show(self) -> None:
        chosen = self.list.currentRow() >= 0
        self.words.setText(self.list.currentItem().data(Qt.ItemDataRole.UserRole) if chosen else "")
        self.remove.setEnabled(chosen)

    def _edit(self, words: str) -> None:
        if self.list.currentRow() >= 0:
            self.list.currentItem().setData(Qt.ItemDataRole.UserRole, words)

    def _remove(self) -> None:
        self.list.takeItem(self.list.currentRow())

    def _keep(self) -> None:
        items = [self.list.item(row) for row in range(self.list.count())]
        kept = {item.text().strip(): str(item.data(Qt.ItemDataRole.UserRole)) for item in items}
        self._kept.change(presets={label: words for label, words in kept.items() if label and words.strip()})
