"""A small frame above the window that goes away when something else is clicked."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QFrame, QGraphicsDropShadowEffect, QVBoxLayout, QWidget

_EDGE = 8
"""Pixels that stay free between a popover and the edge of the window."""


class Popover(QFrame):
    """Lies over its window; Esc or a press elsewhere closes it, and the keyboard goes back to where it was."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("popover")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._over = window
        self.opener: QWidget | None = None
        """What opened it, where a press there closes it by itself."""
        self._before: QWidget | None = window.focusWidget()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(8, 8, 8, 8)
        self.column.setSpacing(4)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(24)
        shadow.setOffset(0, 6)
        shadow.setColor(QColor(0, 0, 0, 110))
        self.setGraphicsEffect(shadow)

    def _fit(self) -> None:
        """Have the size that it needs; what wraps has been asked for another width than it gets."""
        self.adjustSize()
        if self.column.hasHeightForWidth():
            self.resize(self.width(), self.column.totalHeightForWidth(self.width()))

    def open_at(self, point: QPoint) -> None:
        """Show it right of and below a point of the window, as far as there is room."""
        self._fit()
        self._open(QRect(point + QPoint(8, 8), self.size()))

    def open_below(self, anchor: QWidget) -> None:
        """Show it below a widget of the window, their right edges in line."""
        self.adjustSize()
        place = QRect(QPoint(0, 0), self.size())
        place.moveTopRight(anchor.mapTo(self._over, anchor.rect().bottomRight()) + QPoint(0, _EDGE))
        self._open(place)

    def open_above(self, anchor: QWidget, part: QRect | None = None) -> None:
        """Show it above a widget of the window, or a part of it, their left edges in line."""
        self.fit_above(anchor, part)
        self._open(self.geometry())

    def fit_above(self, anchor: QWidget, part: QRect | None = None) -> None:
        """Have the size of what it holds now, and the place that goes with it."""
        self._fit()
        corner = anchor.mapTo(self._over, (part or anchor.rect()).topLeft())
        place = QRect(QPoint(0, 0), self.size())
        place.moveBottomLeft(corner - QPoint(0, _EDGE))
        self.setGeometry(self._within(place))

    def _within(self, place: QRect) -> QRect:
        room = self._over.rect().adjusted(_EDGE, _EDGE, -_EDGE, -_EDGE)
        place.moveLeft(max(min(place.left(), room.right() - place.width()), room.left()))
        place.moveTop(max(min(place.top(), room.bottom() - place.height()), room.top()))
        return place

    def _open(self, place: QRect) -> None:
        self.setGeometry(self._within(place))
        self.show()
        self.raise_()
        self.setFocus()
        QApplication.instance().installEventFilter(self)  # pyright: ignore[reportOptionalMemberAccess] there is one

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Close at a press elsewhere in the window, which goes its way; a menu is a window of its own."""
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonPress:
            if isinstance(watched, QWidget) and watched.window() is self.window() and not self._holds(watched):
                self.close()
        elif event.type() == QEvent.Type.Resize and watched is self._over:
            self.close()
        return super().eventFilter(watched, event)

    def _holds(self, widget: QWidget) -> bool:
        opener = self.opener
        inside = widget is self or self.isAncestorOf(widget)
        return inside or (opener is not None and (widget is opener or opener.isAncestorOf(widget)))

    def leave(self) -> None:
        """Close, and give the keyboard back."""
        if self._before is not None:
            self._before.setFocus()
        self.close()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Go away with Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)
