"""Small controls that several parts of the window share."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAction, QIcon, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QVBoxLayout, QWidget

from ..icons import SIDE, icon
from ..theme import ROW
from ..translation import tr

_LONGEST_TIP = 400


class IconButton(QToolButton):
    """A flat button that shows an action's icon; `tool` ones stand in the column at the left and can be checked."""

    def __init__(self, action: QAction, *, tool: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tool" if tool else "flat")
        self.setDefaultAction(action)
        self.setIconSize(QSize(SIDE, SIDE) if tool else QSize(16, 16))
        self.setFixedSize(ROW, ROW) if tool else self.setFixedSize(ROW, 24)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._name()
        action.changed.connect(self._name)

    def _name(self) -> None:
        self.setAccessibleName(self.defaultAction().text().rstrip("…"))


class PlainButton(QToolButton):
    """A flat button with an icon and a name of its own."""

    def __init__(self, picture: QIcon, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("flat")
        self.setIcon(picture)
        self.setIconSize(QSize(16, 16))
        self.setFixedSize(24, 24)
        self.setToolTip(name)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)


class Section(QWidget):
    """A part of the inspector under a heading that folds it away."""

    folded = Signal(bool)

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title, self._content = title, content
        self.heading = QToolButton(self)
        self.heading.setObjectName("heading")
        self.heading.setFixedHeight(ROW)
        self.heading.setIconSize(QSize(12, 12))
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.clicked.connect(lambda: self.set_open(not self.opened))
        self.opened = True
        self.heading.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.heading)
        column.addWidget(content, 1)
        self._write()

    def set_open(self, opened: bool) -> None:
        """Fold it away or open it."""
        if opened == self.opened:
            return
        self.opened = opened
        self._content.setVisible(opened)
        self._write()
        self.folded.emit(not opened)

    def _write(self) -> None:
        self.heading.setIcon(icon("chevron-down" if self.opened else "chevron-right"))
        self.heading.setText(tr(self._title))
        self.heading.setAccessibleName(tr(self._title))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write the heading again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self._write()
        super().changeEvent(event)


class ValueSlider(QWidget):
    """A slider with its value beside it; `moved` while it is dragged, `settled` when a drag or a key press ends."""

    moved = Signal(int)
    settled = Signal()

    def __init__(self, name: str, low: int, high: int, unit: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._unit = unit
        self.slider = _JumpSlider(Qt.Orientation.Horizontal, self)
        self.slider.setRange(low, high)
        self.slider.setAccessibleName(name)
        self.slider.setMinimumWidth(72)
        self.value_label = QLabel(self)
        self.value_label.setObjectName("value")
        self.value_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        widest = self.value_label.fontMetrics().horizontalAdvance(f"{high}{unit}")
        self.value_label.setFixedWidth(widest + 4)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.slider, 1)
        row.addWidget(self.value_label)
        self.slider.valueChanged.connect(self._moved)
        self.slider.sliderReleased.connect(self.settled)
        self.slider.keyed.connect(self.settled)
        self._write(self.slider.value())

    def set_value(self, value: int) -> None:
        """Show a value without telling anyone."""
        blocked = self.slider.blockSignals(True)
        self.slider.setValue(value)
        self.slider.blockSignals(blocked)
        self._write(value)

    def _moved(self, value: int) -> None:
        self._write(value)
        self.moved.emit(value)

    def _write(self, value: int) -> None:
        self.value_label.setText(f"{value}{self._unit}")


def shortened(words: str) -> str:
    """Cut words to what a tool tip has room for."""
    return words if len(words) <= _LONGEST_TIP else words[:_LONGEST_TIP].rstrip() + "…"


def plain_tip(words: str) -> str:
    """Make a tool tip that shows a person's words as they are, whatever brackets are among them."""
    return f"<qt>{escape(words, quote=False)}</qt>".replace("\n", "<br>") if "<" in words else words


class _JumpSlider(QSlider):
    """A slider whose handle jumps to where it is clicked."""

    keyed = Signal()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if event.button() == Qt.MouseButton.LeftButton:
            handle = 14
            share = (event.position().x() - handle / 2) / max(self.width() - handle, 1)
            self.setSliderDown(True)
            self.setValue(round(self.minimum() + min(max(share, 0.0), 1.0) * (self.maximum() - self.minimum())))
            event.accept()
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self.isSliderDown():
            share = (event.position().x() - 7) / max(self.width() - 14, 1)
            self.setValue(round(self.minimum() + min(max(share, 0.0), 1.0) * (self.maximum() - self.minimum())))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.setSliderDown(False)
        super().mouseReleaseEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        super().keyReleaseEvent(event)
        self.keyed.emit()


class ElidedLabel(QLabel):
    """A line that is shortened where it has no room; the tool tip has all of it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = ""
        self._parts: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    @property
    def whole(self) -> str:
        """The words without being shortened."""
        return self._whole

    def show_words(self, *parts: str) -> None:
        """Show other words; of several parts those at the end are left out first, whole."""
        self._parts = parts
        self._whole = " · ".join(parts)
        self.setToolTip(self._whole)
        self.setAccessibleName(self._whole)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Shorten the words as the room is now."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        metrics, room = self.fontMetrics(), self.width()
        parts = self._parts
        while len(parts) > 1 and metrics.horizontalAdvance(" · ".join(parts)) > room:
            parts = parts[:-1]
        self.setText(metrics.elidedText(" · ".join(parts), Qt.TextElideMode.ElideRight, room))


def hairline(parent: QWidget | None = None, *, upright: bool = False) -> QFrame:
    """Make a divider of one pixel."""
    line = QFrame(parent)
    line.setObjectName("hairline")
    line.setFixedSize(1, 16) if upright else line.setFixedHeight(1)
    return line
