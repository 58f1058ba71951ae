"""A field for a number that may be left open: then the model's own stands there, faintly."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from ..theme import ROW


class NumberField(QLineEdit):
    """Numbers from `low` to `high`; up and down change it by `step`, with shift by ten of them."""

    settled = Signal(object)
    """The number (int or float by `decimals`), None where the field was emptied."""

    def __init__(
        self,
        low: float,
        high: float,
        step: float = 1,
        decimals: int = 0,
        unit: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._low, self._high, self._step, self._decimals, self._unit = low, high, step, decimals, unit
        self._value: float | None = None
        self._default: float | None = None
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFixedHeight(ROW - 4)
        self.editingFinished.connect(self._take)

    @property
    def value(self) -> float | None:
        """The number that is set; None where it is left to the model."""
        return self._value

    def show_value(self, value: float | None, default: float | None) -> None:
        """Show a number, or what holds where none is set, without telling anyone."""
        self._value, self._default = value, default
        self.setPlaceholderText("" if default is None else self._written(default))
        if not (self.hasFocus() and self.isModified()):
            self.setText("" if value is None else self._written(value))

    def sizeHint(self) -> QSize:  # noqa: N802
        """Be no wider than a number needs."""
        return QSize(72, super().sizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Count up and down."""
        way = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()))
        if way is None:
            super().keyPressEvent(event)
        else:
            self._count(way * (10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1))

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Count up and down while the field has the keyboard; otherwise the panel scrolls."""
        if self.hasFocus() and event.angleDelta().y():
            self._count(1 if event.angleDelta().y() > 0 else -1)
            event.accept()
        else:
            event.ignore()

    def _count(self, steps: int) -> None:
        start = self._read()
        start = self._default if start is None else start
        self._settle((self._low if start is None else start) + steps * self._step)

    def _take(self) -> None:
        if self.isModified():
            self._settle(self._read())

    def _settle(self, number: float | None) -> None:
        self.setModified(False)
        if number is not None:
            number = min(max(number, self._low), self._high)
            number = round(number, self._decimals) if self._decimals else round(number)
        changed = number != self._value
        self.show_value(number, self._default)
        if changed:
            self.settled.emit(number)

    def _read(self) -> float | None:
        """Read what is written; what is no number counts as what was there before."""
        text = self.text().removesuffix(self._unit).strip().replace(",", ".")
        if not text:
            return None
        try:
            return float(text) if self._decimals else int(float(text)) if not text.isdigit() else int(text)
        except (ValueError, OverflowError):
            return self._value

    def _written(self, number: float) -> str:
        text = f"{number:.{self._decimals}f}" if self._decimals else str(round(number))
        return f"{text} {self._unit}" if self._unit else text
