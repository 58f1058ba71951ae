"""The column at the right: sections that fold, one above the other, scrolled where the window is too low."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from ..settings import Kept
from ..translation import marked
from .controls import Section, hairline

WIDTHS = (280, 340)
INSTRUCT, REFERENCES, LAYERS = marked("Instruct"), marked("References"), marked("Layers")
"""The titles of the sections, as the settings remember which are folded."""


class Inspector(QWidget):
    """Shows sections; which of them are folded is remembered."""

    def __init__(self, kept: Kept, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept = kept
        self.setObjectName("inspector")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(WIDTHS[0])
        self.setMaximumWidth(WIDTHS[1])
        self._area = QScrollArea(self)
        self._area.setObjectName("inspector_area")
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 0, 0, 0)
        column.addWidget(self._area)
        self.sections: dict[str, Section] = {}

    def show_sections(self, contents: Sequence[tuple[str, QWidget]]) -> None:
        """Show other contents under their titles; the last one that is open gets the room that is left."""
        if self.sections:
            before = self._area.takeWidget()
            before.hide()
            before.deleteLater()
        self.sections = {}
        holder = QWidget(self._area)
        holder.setObjectName("inspector_content")
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(0)
        for title, content in contents:
            if self.sections:
                column.addWidget(hairline(holder))
            section = Section(title, content, holder)
            section.set_open(title not in self._kept.value.collapsed)
            section.folded.connect(partial(self._fold, title))
            self.sections[title] = section
            column.addWidget(section)
            self.setTabOrder(_reached_before(content), section.heading)
        column.addStretch(0)
        self._area.setWidget(holder)
        self._stretch()

    def is_open(self, title: str) -> bool:
        """Tell whether a section is there and not folded."""
        return title in self.sections and self.sections[title].opened

    def open(self, title: str) -> None:
        """Open a section and bring it into view."""
        if title in self.sections:
            self.sections[title].set_open(True)
            self._area.ensureWidgetVisible(self.sections[title])

    def sizeHint(self) -> QSize:  # noqa: N802
        """Leave the height to the window."""
        return QSize(WIDTHS[0], 320)

    def _fold(self, title: str, folded: bool) -> None:
        others = [name for name in self._kept.value.collapsed if name != title]
        self._kept.change(collapsed=(*others, title) if folded else tuple(others))
        self._stretch()

    def _stretch(self) -> None:
        holder = self._area.widget()
        column = None if holder is None else holder.layout()  # pyright: ignore[reportUnnecessaryComparison]
        if not isinstance(column, QVBoxLayout) or not self.sections:
            return
        last = list(self.sections.values())[-1]
        column.setStretchFactor(last, 1 if last.opened else 0)
        column.setStretch(column.count() - 1, 0 if last.opened else 1)


def _reached_before(widget: QWidget) -> QWidget:
    """Find what Tab reaches before a widget and what it holds."""
    before = widget.previousInFocusChain()
    while before is not None and before is not widget and not before.focusPolicy() & Qt.FocusPolicy.TabFocus:
        before = before.previousInFocusChain()
    return before or widget
