"""Says what kind of edit this will be, read from the situation unless the user has set it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QFont, QFontMetrics, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QMenu, QSizePolicy, QStyle, QStyleOptionToolButton, QToolButton, QWidget

from ..edit_names import TASK_NAMES, task_in_words
from ..icons import paint_icon
from ..theme import CAPTION_PX, ROW
from ..translation import tr

_ARROW = 14


class TaskChip(QToolButton):
    """A button with the task's name and, where nobody has set it, the word "automatic"; its menu sets it."""

    chosen = Signal(object)
    """A key of TASKS, or None for automatic."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chip")
        self.setFixedHeight(ROW - 2)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self._fill)
        self.setMenu(self._menu)
        self._task, self._set, self._references = "instruct", False, 0

    def show_task(self, task: str, references: int, *, by_user: bool) -> None:
        """Show a task; `by_user` says that it is set and not inferred."""
        self._task, self._set, self._references = task, by_user, references
        self.setText(task_in_words(task, references))
        how = tr("set by you") if by_user else tr("automatic")
        self.setAccessibleName(tr("Kind of edit: {task} ({how})", task=self.text(), how=how))
        summary = tr(TASK_NAMES[task][1]) if task in TASK_NAMES else ""
        self.setToolTip(summary)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for little: the name is shortened where there is no room."""
        return QSize(96, ROW - 2)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Paint the button, the name, "automatic" at its right, and an arrow."""
        painter = QPainter(self)
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        name, option.text = self.text(), ""
        option.features = QStyleOptionToolButton.ToolButtonFeature.None_
        self.style().drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option, painter, self)
        inside = self.rect().adjusted(10, 0, -8, 0)
        arrow = QRect(inside.right() - _ARROW + 1, inside.center().y() - _ARROW // 2 + 1, _ARROW, _ARROW)
        colour = self.palette().color(QPalette.ColorRole.ButtonText)
        faint = self.palette().color(QPalette.ColorRole.PlaceholderText)
        paint_icon(painter, "chevron-up-down", arrow, faint)
        inside.setRight(arrow.left() - 6)
        if not self._set:
            caption = QFont(self.font())
            caption.setPixelSize(CAPTION_PX)
            width = QFontMetrics(caption).horizontalAdvance(tr("automatic"))
            if self.fontMetrics().horizontalAdvance(name) + 8 + width <= inside.width():
                painter.setFont(caption)
                painter.setPen(faint)
                painter.drawText(inside, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, tr("automatic"))
                inside.setRight(inside.right() - width - 8)
        painter.setFont(self.font())
        painter.setPen(colour)
        shown = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, inside.width())
        painter.drawText(inside, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
        painter.end()

    def _fill(self) -> None:
        self._menu.clear()
        group = QActionGroup(self._menu)
        self._add(
            group, tr("Automatic"), tr("Read from the mask, the references and the words."), None, not self._set
        )
        self._menu.addSeparator()
        for task, (name, summary) in TASK_NAMES.items():
            self._add(group, tr(name), tr(summary), task, self._set and task == self._task)

    def _add(self, group: QActionGroup, text: str, summary: str, task: str | None, checked: bool) -> None:
        action = QAction(text, self._menu)
        action.setToolTip(summary)
        action.setCheckable(True)
        action.setChecked(checked)
        action.triggered.connect(partial(self.chosen.emit, task))
        group.addAction(action)
        self._menu.addAction(action)
