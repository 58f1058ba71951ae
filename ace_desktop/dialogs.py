"""Small sheets that ask for a few values; the window goes on when they are closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QMessageBox,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from .canvas.tools import Option
from .document.description import MAX_PIXELS
from .panels.fields import Field
from .translation import tr

MOST = 30_000  # pixels a side


class Sheet(QDialog):
    """A dialog with Cancel and one other button, put together in the same way everywhere."""

    def __init__(self, parent: QWidget, title: str, accept_text: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.form = QFormLayout()
        self.form.setSpacing(8)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        self.form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        self.buttons = QDialogButtonBox(self)
        self.accept_button = self.buttons.addButton(accept_text, QDialogButtonBox.ButtonRole.AcceptRole)
        self.accept_button.setDefault(True)
        self.buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(24, 20, 24, 20)
        self.column.setSpacing(16)
        heading = QLabel(title, self)
        heading.setObjectName("title")
        self.column.addWidget(heading)
        self.column.addLayout(self.form)
        self.column.addWidget(self.buttons)


def question(parent: QWidget, name: str, text: str, more: str = "") -> QMessageBox:
    """Begin a question that does not hold up the program; it has no buttons yet and goes when it is answered."""
    box = QMessageBox(parent)
    box.setObjectName(name)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowModality(Qt.WindowModality.WindowModal)
    box.setIcon(QMessageBox.Icon.NoIcon)
    box.setText(text)
    box.setInformativeText(more)
    return box


def confirm_deletion(parent: QWidget, name: str, text: str, more: str, delete: Callable[[], None]) -> None:
    """Ask before something goes for good; the answer at hand is to keep it."""
    box = question(parent, name, text, more)
    agreed = box.addButton(tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
    cancel = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(cancel)
    box.setEscapeButton(cancel)

    def answered() -> None:
        if box.clickedButton() is agreed:
            delete()

    box.finished.connect(answered)
    box.open()


def ask(
    parent: QWidget, title: str, options: Sequence[Option], accepted: Callable[[Mapping[str, Any]], None]
) -> Sheet:
    """Ask for values; `accepted` gets them by name."""
    sheet = Sheet(parent, title, tr("OK"))
    values: dict[str, Any] = {option.name: option.default for option in options}
    for option in options:

        def keep(value: Any, name: str = option.name) -> None:
            values[name] = value

        sheet.form.addRow(Field(option, option.default, keep, sheet))
    sheet.accepted.connect(lambda: accepted(values))
    sheet.open()
    return sheet


def ask_size(
    parent: QWidget,
    title: str,
    size: tuple[int, int],
    accepted: Callable[[int, int], None],
    *,
    linked: bool,
) -> Sheet:
    """Ask for a width and a height; `linked`: keep their proportion unless the user lets go of it."""
    sheet = Sheet(parent, title, tr("OK"))
    boxes = [QSpinBox(sheet), QSpinBox(sheet)]
    for box, value, name in zip(boxes, size, (tr("Width"), tr("Height")), strict=True):
        box.setRange(1, MOST)
        box.setValue(value)
        box.setSuffix(" px")
        box.setFixedWidth(104)
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        box.setAccessibleName(name)
        sheet.form.addRow(name, box)
    keep = QCheckBox(tr("Keep proportions"), sheet)
    keep.setChecked(linked)
    if linked:
        sheet.form.addRow("", keep)
    else:
        keep.hide()
    note = QLabel(sheet)
    note.setObjectName("caption")
    sheet.form.addRow("", note)

    def follow(changed: int) -> None:
        value = boxes[changed].value()
        if keep.isChecked():
            other = boxes[1 - changed]
            blocked = other.blockSignals(True)
            other.setValue(round(value * size[1 - changed] / size[changed]))
            other.blockSignals(blocked)
        pixels = boxes[0].value() * boxes[1].value()
        sheet.accept_button.setEnabled(pixels <= MAX_PIXELS)
        most = tr("At most {number} megapixels.", number=MAX_PIXELS // 10**6)
        megapixels = tr("{number} megapixels", number=f"{pixels / 1e6:.1f}")
        note.setText(megapixels if pixels <= MAX_PIXELS else most)

    boxes[0].valueChanged.connect(lambda: follow(0))
    boxes[1].valueChanged.connect(lambda: follow(1))
    follow(0)
    sheet.accepted.connect(lambda: accepted(boxes[0].value(), boxes[1].value()))
    sheet.open()
    return sheet
