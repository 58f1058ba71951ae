"""Preferences: everything takes effect at once and needs no button."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QSignalBlocker, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from .actions import ActionKind
from .fuzzy import score
from .icons import icon
from .menus import conflicts
from .model_preferences import ModelPreferences
from .panels.controls import PlainButton
from .panels.result_space import size_words
from .translation import LANGUAGES, tr
from .translation import marked as _

if TYPE_CHECKING:
    from .desktop import Desktop
    from .main_window import MainWindow

THEMES = (("system", _("Like the system")), ("light", _("Light")), ("dark", _("Dark")))
AUTOSAVE = ((2, _("Every 2 seconds")), (5, _("Every 5 seconds")), (30, _("Every 30 seconds")), (0, _("Never")))
EXPORT_KINDS = (("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WebP"), ("tiff", "TIFF"), ("avif", "AVIF"))
ROOMS = (1, 2, 5, 10, 20, 50)
"""Gigabytes for the results of a project that can be chosen."""
PAGES = ("general", "models", "shortcuts")


class Preferences(QDialog):
    """Three pages: general, models, and shortcuts."""

    def __init__(self, desktop: Desktop, window: MainWindow) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._desktop, self._window = desktop, window
        self.tabs = QTabWidget(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.addWidget(self.tabs)
        self.resize(600, 520)
        self._fill()

    def _fill(self) -> None:
        page = max(self.tabs.currentIndex(), 0)
        while self.tabs.count():
            if (old := self.tabs.widget(0)) is not None:
                old.deleteLater()
            self.tabs.removeTab(0)
        self.setWindowTitle(tr("Preferences"))
        self.tabs.addTab(self._general(), tr("General"))
        self.models = ModelPreferences(self._desktop, self._window, self)
        self.tabs.addTab(self.models, tr("Models"))
        self.shortcuts = ShortcutEditor(self._desktop, self._window.kinds, self)
        self.tabs.addTab(self.shortcuts, tr("Shortcuts"))
        self.tabs.setCurrentIndex(page)

    def show_page(self, name: str) -> None:
        """Turn to a page."""
        self.tabs.setCurrentIndex(PAGES.index(name))

    def _general(self) -> QWidget:
        page = QWidget(self)
        form = QFormLayout(page)
        form.setContentsMargins(24, 24, 24, 24)
        form.setSpacing(12)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        form.setFormAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        kept = self._desktop.kept
        languages = (("system", tr("Like the system")), *LANGUAGES.items())
        form.addRow(tr("Appearance"), self._choice(THEMES, "theme", tr("Appearance")))
        form.addRow(tr("Language"), self._choice(languages, "language", tr("Language")))
        form.addRow(tr("Keep unsaved work"), self._choice(AUTOSAVE, "autosave_seconds", tr("Keep unsaved work")))
        note = QLabel(tr("After an unexpected end the work is offered again."), page)
        note.setObjectName("caption")
        form.addRow("", note)
        form.addRow(
            tr("Room for results"),
            self._choice(_rooms(kept.value.results_budget), "results_budget", tr("Room for results")),
        )
        room = QLabel(tr("For each project. Rejected results make room for new ones; others are only offered."), page)
        room.setObjectName("caption")
        form.addRow("", room)
        form.addRow(tr("Export as"), self._choice(EXPORT_KINDS, "export_kind", tr("Export as")))
        quality = QSpinBox(page)
        quality.setRange(1, 100)
        quality.setValue(kept.value.export_quality)
        quality.setFixedWidth(72)
        quality.setAlignment(Qt.AlignmentFlag.AlignRight)
        quality.setAccessibleName(tr("Quality"))
        quality.valueChanged.connect(lambda: kept.change(export_quality=quality.value()))
        form.addRow(tr("Quality"), quality)
        strip = QCheckBox(tr("Strip prompts on export"), page)
        strip.setChecked(not kept.value.export_recipe)
        strip.toggled.connect(lambda: kept.change(export_recipe=not strip.isChecked()))
        form.addRow("", strip)
        stripped = QLabel(tr("Leaves words, seed and settings of edits out of exported pictures."), page)
        stripped.setObjectName("caption")
        form.addRow("", stripped)
        return page

    def _choice(self, choices: tuple[tuple[Any, str], ...], name: str, spoken: str) -> QComboBox:
        box = QComboBox(self)
        box.setAccessibleName(spoken)
        box.setMinimumWidth(200)
        for value, text in choices:
            box.addItem(tr(text), value)
        box.setCurrentIndex(max(box.findData(getattr(self._desktop.kept.value, name)), 0))
        box.activated.connect(lambda: self._desktop.kept.change(**{name: box.currentData()}))
        return box

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write everything again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._fill()
        super().changeEvent(event)


def _rooms(chosen: int) -> tuple[tuple[int, str], ...]:
    """List the bytes that can be chosen; what was chosen before is among them."""
    rooms = {number * 10**9: tr("{number} GB", number=number) for number in ROOMS}
    return tuple(sorted({chosen: size_words(chosen), **rooms}.items()))


class ShortcutEditor(QWidget):
    """Every action with its shortcut, which can be replaced."""

    def __init__(self, desktop: Desktop, kinds: tuple[ActionKind, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desktop = desktop
        self._kinds = tuple(kind for kind in kinds if kind.text)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(tr("Search"))
        self.search.setAccessibleName(tr("Search"))
        self.search.setClearButtonEnabled(False)
        self.table = QTableWidget(0, 3, self)
        self.table.setAccessibleName(tr("Shortcuts"))
        self.table.setHorizontalHeaderLabels([tr("Command"), tr("Menu"), tr("Shortcut")])
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(28)
        self.table.setShowGrid(False)
        self.table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        header.setHighlightSections(False)
        self.keys = QKeySequenceEdit(self)
        self.keys.setMaximumSequenceLength(1)
        self.keys.setAccessibleName(tr("New shortcut"))
        for field in self.keys.findChildren(QLineEdit):
            field.setAccessibleName(tr("New shortcut"))
        self.clear = PlainButton(icon("close"), tr("No shortcut"), self)
        self.original = QPushButton(tr("Original shortcut"), self)
        self.original.setAutoDefault(False)
        self.note = QLabel(self)
        self.note.setObjectName("caption")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.keys, 1)
        row.addWidget(self.clear)
        row.addWidget(self.original)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addWidget(self.table, 1)
        column.addLayout(row)
        column.addWidget(self.note)
        self.search.textChanged.connect(self._list)
        self.table.itemSelectionChanged.connect(self._show)
        self.keys.editingFinished.connect(self._take)
        self.clear.clicked.connect(lambda: self.assign(()))
        self.original.clicked.connect(lambda: self.assign(None))
        self._list()

    def _list(self) -> None:
        query, chosen = self.search.text(), self.chosen()
        shown = [kind for kind in self._kinds if score(query, tr(kind.text)) is not None]
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(shown))
            for row, kind in enumerate(shown):
                menu = " › ".join(tr(part) for part in kind.menu.split("/")) if kind.menu else ""
                for column, text in enumerate((tr(kind.text).rstrip("…"), menu, self._native(kind))):
                    item = QTableWidgetItem(text)
                    item.setData(Qt.ItemDataRole.UserRole, kind.id)
                    self.table.setItem(row, column, item)
            row = next((row for row, kind in enumerate(shown) if kind.id == chosen), 0 if shown else -1)
            self.table.setCurrentCell(row, 0)
        self._show()

    def _native(self, kind: ActionKind) -> str:
        keys = self._desktop.kept.value.shortcuts.get(kind.id, kind.shortcuts)
        sequences = [QKeySequence(key, QKeySequence.SequenceFormat.PortableText) for key in keys]
        return ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in sequences)

    def chosen(self) -> str:
        """Give the id of the chosen action."""
        item = self.table.item(self.table.currentRow(), 0)
        return str(item.data(Qt.ItemDataRole.UserRole)) if self.table.currentRow() >= 0 and item else ""

    def _show(self) -> None:
        kind = next((kind for kind in self._kinds if kind.id == self.chosen()), None)
        keys = self._desktop.kept.value.shortcuts.get(kind.id, kind.shortcuts) if kind else ()
        with QSignalBlocker(self.keys):
            self.keys.setKeySequence(QKeySequence(keys[0] if keys else ""))
        self.original.setEnabled(bool(kind and kind.id in self._desktop.kept.value.shortcuts))
        self.note.setText(self._conflict(kind.id) if kind else "")

    def _conflict(self, action_id: str) -> str:
        names = {kind.id: tr(kind.text).rstrip("…") for kind in self._kinds}
        for ids in conflicts(self._kinds, self._desktop.kept.value.shortcuts).values():
            if action_id in ids:
                others = ", ".join(f"“{names[other]}”" for other in ids if other != action_id)
                return tr("{others} has the same shortcut; neither works until one is changed.", others=others)
        return ""

    def _take(self) -> None:
        keys = self.keys.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        kind = next((kind for kind in self._kinds if kind.id == self.chosen()), None)
        if kind is not None and keys:
            now = self._desktop.kept.value.shortcuts.get(kind.id, kind.shortcuts)
            if keys not in now[:1]:
                self.assign((keys,))

    def assign(self, keys: tuple[str, ...] | None) -> None:
        """Give the chosen action these shortcuts, or its own again (None)."""
        chosen = dict(self._desktop.kept.value.shortcuts)
        if keys is None:
            chosen.pop(self.chosen(), None)
        else:
            chosen[self.chosen()] = keys
        self._desktop.kept.change(shortcuts=chosen)
        self._list()
