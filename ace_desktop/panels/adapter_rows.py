"""The adapters (LoRA) that act on the model: each with its strength, set while it is dragged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ..icons import icon
from ..theme import ROW
from ..translation import tr
from .controls import PlainButton, ValueSlider

Chosen = tuple[tuple[str, float], ...]
_MOST = 200  # per cent


class AdapterRows(QWidget):
    """One row for every adapter, and a button that adds one."""

    changed = Signal(object)
    """The adapters with their strengths (`Chosen`)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chosen: Chosen = ()
        self._known: Sequence[str] = ()
        self.sliders: list[ValueSlider] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._rows = QWidget(self)
        self._rows_column = QVBoxLayout(self._rows)
        self._rows_column.setContentsMargins(0, 0, 0, 0)
        self._rows_column.setSpacing(4)
        self.add = QToolButton(self)
        self.add.setObjectName("chip")
        self.add.setFixedHeight(ROW - 4)
        self.add.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.add.setMenu(self.menu)
        self._column.addWidget(self._rows)
        self._column.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)
        self._rows.hide()
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the present language."""
        self.add.setText(tr("Add…"))
        self.add.setAccessibleName(tr("Add an adapter"))
        self.add.setToolTip(tr("Adapters teach a model a style or a task."))

    def show_adapters(self, chosen: Chosen, known: Sequence[str]) -> None:
        """Show those that act now; `known` are the names of those that can be added."""
        self._known = known
        if [name for name, _ in chosen] != [name for name, _ in self._chosen]:
            self._build(chosen)
        self._chosen = chosen
        for slider, (_, strength) in zip(self.sliders, chosen, strict=True):
            slider.set_value(round(100 * strength))

    def _build(self, chosen: Chosen) -> None:
        while (item := self._rows_column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.sliders = []
        for index, (name, _) in enumerate(chosen):
            self._rows_column.addWidget(self._row(index, name))
        self._rows.setVisible(bool(chosen))

    def _row(self, index: int, name: str) -> QWidget:
        shown = Path(name).stem if name.endswith(".safetensors") else name
        row = QWidget(self._rows)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        label = QLabel(shown, row)
        label.setToolTip(name)
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        slider = ValueSlider(tr("Strength of {adapter}", adapter=shown), 0, _MOST, " %", row)
        slider.moved.connect(partial(self._set_strength, index))
        self.sliders.append(slider)
        remove = PlainButton(icon("close"), tr("Remove {adapter}", adapter=shown), row)
        remove.clicked.connect(lambda: self._remove(index))
        line.addWidget(label, 1)
        line.addWidget(slider, 2)
        line.addWidget(remove)
        return row

    def _set_strength(self, index: int, percent: int) -> None:
        name = self._chosen[index][0]
        self.changed.emit((*self._chosen[:index], (name, percent / 100), *self._chosen[index + 1 :]))

    def _remove(self, index: int) -> None:
        self.changed.emit((*self._chosen[:index], *self._chosen[index + 1 :]))

    def _append(self, name: str) -> None:
        if name not in dict(self._chosen):
            self.changed.emit((*self._chosen, (name, 1.0)))

    def _fill_menu(self) -> None:
        self.menu.clear()
        for name in self._known:
            action = self.menu.addAction(name)
            action.setEnabled(name not in dict(self._chosen))
            action.triggered.connect(partial(self._append, name))
        if self._known:
            self.menu.addSeparator()
        self.menu.addAction(tr("From a file…")).triggered.connect(self._ask_file)

    def _ask_file(self) -> None:
        dialog = QFileDialog(self.window(), tr("Choose an adapter"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilters([f"{tr('Adapters')} (*.safetensors)"])
        dialog.fileSelected.connect(self._append)
        dialog.open()
