"""Controls made from a description of a value: for the options of tools and for small dialogs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)

from ..canvas.tools import Option
from ..theme import ROW
from ..translation import tr

Changed = Callable[[Any], None]


class Field(QWidget):
    """One value with its name; `value` shows another one without telling anyone."""

    def __init__(self, option: Option, value: Any, changed: Changed, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.option = option
        self._changed = changed
        self._silent = False
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.control, self._show = _CONTROLS[option.kind](self, option)
        self.control.setAccessibleName(tr(option.text))
        if option.kind != "bool":
            label = QLabel(tr(option.text), self)
            label.setObjectName("caption")
            label.setBuddy(self.control)
            row.addWidget(label)
        for part in self.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if not isinstance(part, QLabel):
                row.addWidget(part)
        self.show_value(value)

    def show_value(self, value: Any) -> None:
        """Show a value."""
        self._silent = True
        self._show(value)
        self._silent = False

    def show_slider(self, shown: bool) -> None:
        """Show or hide the slider of a number."""
        for slider in self.findChildren(QSlider):
            slider.setVisible(shown)
        self.updateGeometry()  # at once, not with the next event: the strip asks how wide it is now

    def tell(self, value: Any) -> None:
        """Pass on what the user chose."""
        if not self._silent:
            self._changed(value)


Made = tuple[QWidget, Callable[[Any], None]]


def _number(field: Field, option: Option) -> Made:
    """Make a spin box, with a slider before it where the range has an end."""
    whole = option.kind == "int"
    box: QSpinBox | QDoubleSpinBox = QSpinBox(field) if whole else QDoubleSpinBox(field)
    kind = int if whole else float
    box.setRange(kind(option.minimum), kind(option.maximum))  # pyright: ignore[reportArgumentType]
    box.setSingleStep(kind(option.step or 1))  # pyright: ignore[reportArgumentType]
    if option.unit:
        box.setSuffix(f" {option.unit}")
    box.setKeyboardTracking(False)
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    box.setFixedWidth(68)
    box.setFixedHeight(22)
    slider = QSlider(Qt.Orientation.Horizontal, field)
    slider.setAccessibleName(tr(option.text))
    slider.setRange(0, _STEPS)
    slider.setFixedWidth(72)
    slider.lower()

    def show(value: Any) -> None:
        box.setValue(value)
        slider.setValue(_place(value, option))

    def from_slider(place: int) -> None:
        value = _at(place, option)
        blocked = box.blockSignals(True)
        box.setValue(round(value) if whole else value)  # pyright: ignore[reportArgumentType]
        box.blockSignals(blocked)
        field.tell(box.value())

    def from_box(value: float) -> None:
        blocked = slider.blockSignals(True)
        slider.setValue(_place(value, option))
        slider.blockSignals(blocked)
        field.tell(value)

    slider.valueChanged.connect(from_slider)
    box.valueChanged.connect(from_box)
    return box, show


_STEPS = 200


def _curve(option: Option) -> float:
    """Give wide ranges a slider on which small values have more room."""
    return 2.5 if option.maximum - option.minimum > 200 else 1.0


def _at(place: int, option: Option) -> float:
    return option.minimum + (place / _STEPS) ** _curve(option) * (option.maximum - option.minimum)


def _place(value: float, option: Option) -> int:
    share = (value - option.minimum) / max(option.maximum - option.minimum, 1e-9)
    return round(_STEPS * min(max(share, 0.0), 1.0) ** (1 / _curve(option)))


def _flag(field: Field, option: Option) -> Made:
    box = QCheckBox(tr(option.text), field)
    box.toggled.connect(field.tell)
    return box, lambda value: box.setChecked(bool(value))


def _choice(field: Field, option: Option) -> Made:
    box = QComboBox(field)
    for name, text in option.choices:
        box.addItem(tr(text), name)
    box.setFixedHeight(22)
    box.currentIndexChanged.connect(lambda: field.tell(box.currentData()))
    return box, lambda value: box.setCurrentIndex(max(box.findData(value), 0))


def _colour(field: Field, option: Option) -> Made:
    button = QToolButton(field)
    button.setObjectName("flat")
    button.setFixedSize(ROW, 22)
    button.setIconSize(QSize(20, 14))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    held = {"colour": QColor(str(option.default))}

    def show(value: Any) -> None:
        held["colour"] = QColor(value) if isinstance(value, str) else QColor(*value)
        button.setIcon(swatch(held["colour"]))

    def choose() -> None:
        dialog = QColorDialog(held["colour"], field.window())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(chosen)
        dialog.open()

    def chosen(colour: QColor) -> None:
        value = colour.name() if isinstance(option.default, str) else _channels(colour)[: len(option.default)]
        show(value)
        field.tell(value)

    button.clicked.connect(choose)
    return button, show


def _channels(colour: QColor) -> tuple[int, int, int, int]:
    return colour.red(), colour.green(), colour.blue(), colour.alpha()


def _text(field: Field, option: Option) -> Made:  # noqa: ARG001
    box = QLineEdit(field)
    box.setMinimumWidth(160)
    box.textChanged.connect(field.tell)
    return box, lambda value: box.setText(str(value))


_CONTROLS: dict[str, Callable[[Field, Option], Made]] = {
    "int": _number,
    "float": _number,
    "bool": _flag,
    "choice": _choice,
    "colour": _colour,
    "text": _text,
}


def swatch(colour: QColor) -> QIcon:
    """Make a picture of a colour."""
    pixmap = QPixmap(40, 28)
    pixmap.setDevicePixelRatio(2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QColor(128, 128, 128, 160))
    painter.setBrush(colour)
    painter.drawRoundedRect(1, 1, 18, 12, 3, 3)
    painter.end()
    return QIcon(pixmap)
