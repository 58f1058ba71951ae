"""Every action by its name: type some letters of it, press Return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPalette,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsDropShadowEffect,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from .actions import ActionKind
from .fuzzy import score
from .menus import first_key
from .theme import CAPTION_PX, RADIUS
from .translation import tr

if TYPE_CHECKING:
    from .main_window import MainWindow

ROWS, ROW, WIDTH = 9, 40, 560
Index = QModelIndex | QPersistentModelIndex
ID = Qt.ItemDataRole.UserRole
MENU = Qt.ItemDataRole.UserRole + 1
KEYS = Qt.ItemDataRole.UserRole + 2
REASON = Qt.ItemDataRole.UserRole + 3


def found(kinds: tuple[ActionKind, ...], query: str) -> list[ActionKind]:
    """List the actions that answer a query, the best first; names count in both languages."""
    rated: list[tuple[int, int, ActionKind]] = []
    for place, kind in enumerate(kinds):
        if kind.id == "edit.palette":
            continue
        menu = tr(kind.menu.partition("/")[0]) if kind.menu else ""
        names = (tr(kind.text), kind.text, f"{menu} {tr(kind.text)}")
        ratings = [rating for name in names if (rating := score(query, name)) is not None]
        if ratings:
            rated.append((-max(ratings), place, kind))
    return [kind for _, _, kind in sorted(rated, key=lambda item: item[:2])]


class CommandPalette(QFrame):
    """The field and the list under it, over the upper middle of the window; goes when the keyboard goes elsewhere."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setObjectName("palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAccessibleName(tr("Command palette"))
        self._window = window
        self._before: QWidget | None = window.focusWidget()
        self.field = QLineEdit(self)
        self.field.setPlaceholderText(tr("Search for a command"))
        self.field.setAccessibleName(tr("Search for a command"))
        self.list = QListView(self)
        self.list.setAccessibleName(tr("Commands"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setItemDelegate(_Row(self.list))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.model = QStandardItemModel(self)
        self.list.setModel(self.model)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addWidget(self.field)
        column.addWidget(self.list)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(32)
        shadow.setOffset(0, 8)
        shadow.setColor(QColor(0, 0, 0, 110))
        self.setGraphicsEffect(shadow)
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.list.clicked.connect(self._run)
        self._search("")

    def open_over(self, window: QWidget) -> None:
        """Show it."""
        self.list.setFixedHeight(ROWS * ROW)
        self.setFixedSize(min(WIDTH, window.width() - 32), self.sizeHint().height())
        self.move((window.width() - self.width()) // 2, min(96, window.height() // 8))
        self.show()
        self.raise_()
        self.field.setFocus()

    def _search(self, query: str) -> None:
        self.model.clear()
        for kind in found(self._window.kinds, query):
            action = self._window.actions_by_id[kind.id]
            item = QStandardItem(action.text().rstrip("…"))
            item.setData(kind.id, ID)
            item.setData(" › ".join(tr(part) for part in kind.menu.split("/")) if kind.menu else "", MENU)
            item.setData(first_key(action).toString(QKeySequence.SequenceFormat.NativeText), KEYS)
            reason = self._window.reason(kind.id)
            item.setData(reason, REASON)
            item.setEnabled(not reason)
            item.setToolTip(reason)
            self.model.appendRow(item)
        first = next((row for row in range(self.model.rowCount()) if self.model.item(row).isEnabled()), -1)
        self.list.setCurrentIndex(self.model.index(first, 0))
        self.list.scrollToTop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Move in the list with the arrow keys and run with Return while the field has the keyboard."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None:
                self._step(step)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentIndex())
                return True
            if event.key() == Qt.Key.Key_Escape:
                self._leave()
                return True
        if event.type() == QEvent.Type.FocusOut:
            self.close()
        return super().eventFilter(watched, event)

    def _leave(self) -> None:
        """Give the keyboard back and close."""
        if self._before is not None:
            self._before.setFocus()
        self.close()

    def _step(self, step: int) -> None:
        rows = [row for row in range(self.model.rowCount()) if self.model.item(row).isEnabled()]
        if rows:
            current = self.list.currentIndex().row()
            place = rows.index(current) + step if current in rows else 0
            self.list.setCurrentIndex(self.model.index(rows[place % len(rows)], 0))

    def _run(self, index: QModelIndex) -> None:
        if index.isValid() and self.model.itemFromIndex(index).isEnabled():
            action = self._window.actions_by_id[index.data(ID)]
            self._leave()
            action.trigger()


class _Row(QStyledItemDelegate):
    """A command: its name, the menu it stands in or why it cannot be used, and its shortcut."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802, ARG002
        return QSize(200, ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        palette: QPalette = option.palette  # pyright: ignore[reportAttributeAccessIssue]
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        enabled = bool(state & QStyle.StateFlag.State_Enabled)
        chosen = enabled and bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(palette.color(QPalette.ColorRole.Highlight))
            painter.drawRoundedRect(rect.adjusted(0, 1, 0, -1), RADIUS, RADIUS)
        role = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text
        ink = palette.color(QPalette.ColorGroup.Active if enabled else QPalette.ColorGroup.Disabled, role)
        faint = palette.color(role if chosen else QPalette.ColorRole.PlaceholderText)
        inner = rect.adjusted(12, 0, -12, 0)
        centre, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        painter.setPen(faint if enabled else ink)
        keys = str(index.data(KEYS))
        painter.drawText(inner, centre | right, keys)
        width = inner.width() - painter.fontMetrics().horizontalAdvance(keys) - 16
        upper = QRect(inner.x(), inner.y() + 4, width, 18)
        painter.setPen(ink)
        painter.drawText(
            upper, centre, painter.fontMetrics().elidedText(str(index.data()), Qt.TextElideMode.ElideRight, width)
        )
        font = QFont(painter.font())
        font.setPixelSize(CAPTION_PX)
        painter.setFont(font)
        painter.setPen(faint)
        below = str(index.data(REASON)) or str(index.data(MENU))
        lower = QRect(inner.x(), inner.y() + 20, width, 16)
        painter.drawText(lower, centre, painter.fontMetrics().elidedText(below, Qt.TextElideMode.ElideRight, width))
        painter.restore()
