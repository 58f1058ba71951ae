"""The line above the thumbnails: search, what can be done with the chosen result, and the room results take."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QPushButton, QToolButton, QWidget

from ..document.results import Result
from ..edit_names import TASK_NAMES
from ..icons import icon
from ..translation import tr
from .controls import PlainButton
from .result_space import size_words

_HEIGHT = 36
_NARROW, _WIDE, _WIDEST = 430, 520, 700
"""From these widths on there is room for the search, for the room that is used, and for the kinds."""


class ResultBar(QWidget):
    """Controls alone; the strip says what they do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(_HEIGHT)
        self.field = QLineEdit(self)
        self.field.setClearButtonEnabled(True)
        self.field.setFixedWidth(160)
        self.tasks = QComboBox(self)
        self.tasks.setFixedWidth(150)
        self._listed: tuple[str, ...] | None = None
        self.space_button = QToolButton(self)
        self.space_button.setObjectName("space")
        self.space_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.before_button = PlainButton(icon("eye"), "", self)
        self.wipe_button = PlainButton(icon("compare", on_accent=False), "", self)
        self.wipe_button.setCheckable(True)
        self.star_button = PlainButton(icon("star"), "", self)
        self.reject_button = PlainButton(icon("reject"), "", self)
        self.delete_button = PlainButton(icon("trash"), "", self)
        self.accept_button = QPushButton(self)
        self.accept_button.setObjectName("small")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 8, 4)
        row.setSpacing(4)
        for widget in (self.field, self.tasks, self.space_button):
            row.addWidget(widget)
            row.addSpacing(4)
        row.addStretch(1)
        for widget in (
            self.before_button,
            self.wipe_button,
            self.star_button,
            self.reject_button,
            self.delete_button,
        ):
            row.addWidget(widget)
        row.addSpacing(4)
        row.addWidget(self.accept_button)
        self._result: Result | None = None
        self._space, self._claimed = (0, 0), True
        self.translate()

    @property
    def task(self) -> str | None:
        """The kind of edit that is searched for; None for all."""
        return self.tasks.currentData() or None

    def clear_search(self) -> None:
        """Search for nothing."""
        self.field.clear()
        self.tasks.setCurrentIndex(0)

    def show_tasks(self, tasks: Sequence[str]) -> None:
        """Offer these kinds of edit."""
        if tuple(tasks) == self._listed:
            return
        chosen = self.task
        self._listed = tuple(tasks)
        self.tasks.clear()
        self.tasks.addItem(tr("All kinds"), "")
        for task in tasks:
            self.tasks.addItem(tr(TASK_NAMES[task][0]) if task in TASK_NAMES else task, task)
        self.tasks.setCurrentIndex(max(self.tasks.findData(chosen), 0))
        self._fit()

    @property
    def kept_words(self) -> str:
        """How long the results stay."""
        if self._claimed:
            return tr("They stay with the file until you delete them.")
        return tr("This picture was never saved: its results are deleted after 30 days.")

    def show_space(self, used: int, budget: int, *, claimed: bool = True) -> None:
        """Show how much room results take of how much; `claimed`: a file leads to them."""
        self._space, self._claimed = (used, budget), claimed
        self.space_button.setToolTip(
            f"{tr('Room that results take on the disk; click to free some')}\n{self.kept_words}"
        )
        self.space_button.setText(tr("{used} of {budget}", used=size_words(used), budget=size_words(budget)))
        over = used > budget
        if self.space_button.property("over") != over:
            self.space_button.setProperty("over", over)
            self.space_button.style().polish(self.space_button)

    def show_result(self, result: Result | None) -> None:
        """Offer what can be done with the chosen result."""
        self._result = result
        for button in (
            self.before_button, self.wipe_button, self.star_button, self.reject_button, self.delete_button,
            self.accept_button,
        ):  # fmt: skip
            button.setEnabled(result is not None)
        for button in (self.before_button, self.wipe_button):
            button.setEnabled(result is not None and not result.foreign)
        self.star_button.setIcon(icon("star-filled" if result and result.starred else "star"))
        self._name_star()

    def _name_star(self) -> None:
        result = self._result
        for button, name in (
            (self.star_button, tr("Remove star") if result and result.starred else tr("Star")),
            (self.reject_button, tr("Not rejected") if result and result.rejected else tr("Reject")),
        ):
            button.setToolTip(name)
            button.setAccessibleName(name)
        self.accept_button.setText(accept_words(result))
        foreign = result is not None and result.foreign
        self.accept_button.setToolTip(
            tr("It was made of another picture (Return)")
            if foreign
            else tr("Lay the result over the picture (Return)")
        )

    def translate(self) -> None:
        """Say everything in the present language."""
        self.field.setPlaceholderText(tr("Search results"))
        self.field.setAccessibleName(tr("Search results"))
        self.tasks.setAccessibleName(tr("Kind of edit"))
        self.space_button.setAccessibleName(tr("Room for results"))
        for button, name, hint in (
            (self.before_button, tr("Before"), tr("Hold to see the picture before (space; \\ over the canvas)")),
            (self.wipe_button, tr("Wipe"), tr("Divide the picture into before and after")),
            (self.delete_button, tr("Delete result"), tr("Delete result")),
        ):
            button.setToolTip(hint)
            button.setAccessibleName(name)
        self._name_star()
        self.show_space(*self._space, claimed=self._claimed)
        listed, self._listed = self._listed or (), None
        self.show_tasks(listed)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Never keep the window from being narrow."""
        return QSize(0, _HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Leave away what has no room."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.field.setVisible(self.width() >= _NARROW or bool(self.field.text()))
        self.space_button.setVisible(self.width() >= _WIDE)
        self.tasks.setVisible(self.width() >= _WIDEST and self.tasks.count() > 2)


def accept_words(result: Result | None) -> str:
    """Say what accepting a result does."""
    return tr("Open as a document") if result is not None and result.foreign else tr("Make it a layer")
