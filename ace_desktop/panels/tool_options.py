"""The strip of a tool's options under the title bar, and where their values are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from ..canvas.tools import Option, ToolKind
from ..icons import icon
from ..settings import Kept
from ..theme import ROW
from ..translation import tr
from .controls import PlainButton, hairline
from .fields import Field
from .popover import Popover

COLOUR_PLACE, PAINT_PLACE = "*", "paint"
"""Where values are kept that several tools have in common: the colour, and what of a layer is painted on."""


MakeMore: TypeAlias = Callable[[QWidget], QWidget]


def place_of(kind: ToolKind, option: Option) -> str:
    """Name the place in the settings where a value is kept."""
    if option.kind == "colour":
        return COLOUR_PLACE
    return PAINT_PLACE if "layer mask" in dict(option.choices) else kind.id


class OptionValues(Mapping[str, Any]):
    """The option values of one tool as they are now: what the user set, otherwise the default."""

    def __init__(self, kind: ToolKind, kept: Kept) -> None:
        self._defaults = {option.name: option.default for option in kind.options}
        self._places = {option.name: place_of(kind, option) for option in kind.options}
        self._kept = kept

    def __getitem__(self, name: str) -> Any:
        default = self._defaults[name]
        value = self._kept.value.tool_options.get(self._places[name], {}).get(name, default)
        if isinstance(default, tuple) and isinstance(value, list):
            return tuple(value)
        return value if type(value) is type(default) or isinstance(default, float) else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._defaults)

    def __len__(self) -> int:
        return len(self._defaults)

    def set(self, name: str, value: Any) -> None:
        """Keep a value."""
        options = self._kept.value.tool_options
        place = self._places[name]
        self._kept.change(tool_options={**options, place: {**options.get(place, {}), name: value}})


class ToolOptions(QWidget):
    """The strip; hidden while a tool has no options."""

    def __init__(self, more: Mapping[str, MakeMore] | None = None, parent: QWidget | None = None) -> None:
        """Make it empty; `more` makes, by the ids of tools, what they have before their options."""
        super().__init__(parent)
        self._more = more or {}
        self.setObjectName("options")
        self.setFixedHeight(ROW + 1)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 0, 12, 1)
        self._row.setSpacing(16)
        self._shown: tuple[ToolKind, OptionValues] | None = None
        self.fields: dict[str, Field] = {}
        self.rest = PlainButton(icon("more"), tr("More options"), self)
        """Opens what has no room in the strip."""
        self.rest.clicked.connect(self._open_rest)
        self.rest.hide()
        self.popover: Popover | None = None
        self._aside: dict[str, Field] = {}  # in the popover
        self.hide()

    def show_tool(self, kind: ToolKind | None, values: OptionValues | None) -> None:
        """Show the options of a tool."""
        self._shown = None if kind is None or values is None else (kind, values)
        self._fill()

    def refresh(self) -> None:
        """Show the values as they are now, after a tool changed one (a key made the brush larger)."""
        if self._shown:
            for name, field in (*self.fields.items(), *self._aside.items()):
                field.show_value(self._shown[1][name])

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Never keep the window from being narrow."""
        return QSize(0, ROW + 1)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Leave the sliders away where they have no room, then what is last and is seldom changed."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        fields = list(self.fields.values())
        self.rest.hide()
        for field in fields:
            field.show()
            field.show_slider(True)
        for field in reversed(fields):
            if self._fits():
                return
            field.show_slider(False)
        self.rest.setHidden(self._fits())
        seldom = [field for field in fields if field.option.kind == "bool"]  # these are set once
        for field in (*reversed(seldom), *(field for field in reversed(fields) if field not in seldom)):
            if self._fits():
                return
            field.hide()
            self._row.invalidate()

    def _fits(self) -> bool:
        return self._row.sizeHint().width() <= self.width()

    def _open_rest(self) -> None:
        """Show the fields that have no room, one below the other; the button closes them, too."""
        if self.popover is not None:
            self.popover.leave()
            return
        if self._shown is None:
            return
        kind, values = self._shown
        popover = self.popover = Popover(self.window())
        popover.opener = self.rest
        popover.column.setContentsMargins(16, 12, 16, 12)
        popover.column.setSpacing(8)
        popover.setAccessibleName(tr("More options"))
        for option in kind.options:
            if self.fields[option.name].isHidden():
                field = Field(option, values[option.name], _setter(values, option.name), popover)
                self._aside[option.name] = field
                popover.column.addWidget(field, 0, Qt.AlignmentFlag.AlignLeft)
        popover.destroyed.connect(self._closed_rest)
        popover.open_below(self.rest)

    def _closed_rest(self) -> None:
        self.popover, self._aside = None, {}

    def _fill(self) -> None:
        if self.popover is not None:
            self.popover.close()
        self.rest.hide()
        while (item := self._row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None and widget is not self.rest:
                widget.hide()
                widget.deleteLater()
        self.fields = {}
        if not self._shown or not self._shown[0].options:
            self.hide()
            return
        kind, values = self._shown
        before = [self._more[kind.id](self)] if kind.id in self._more else []
        for option in kind.options:
            self.fields[option.name] = Field(option, values[option.name], _setter(values, option.name), self)
        for part in (QLabel(tr(kind.text), self), hairline(self, upright=True), *before, *self.fields.values()):
            self._row.addWidget(part)
            part.show()  # now: what the layout will only show later takes no room yet
        self._row.addStretch(1)
        self._row.addWidget(self.rest)
        self.show()
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write everything again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.rest.setToolTip(tr("More options"))
            self.rest.setAccessibleName(tr("More options"))
            self._fill()
        super().changeEvent(event)


def _setter(values: OptionValues, name: str) -> Callable[[Any], None]:
    return lambda value: values.set(name, value)
