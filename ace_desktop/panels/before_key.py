"""A key that shows the picture before, as long as it is held over the canvas."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

KEYS = (Qt.Key.Key_Backslash, 0x20A9)
"""The backslash, which Korean keyboards have as the sign of the won."""


class BeforeKey(QObject):
    """Watches a widget; `show` is told True when the key goes down, and False when it or the keyboard is let go."""

    def __init__(
        self, watched: QWidget, can: Callable[[], bool], show: Callable[[bool], None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._watched, self._can, self._show = watched, can, show
        self._held = False
        watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take the key where there is something to compare."""
        if event.type() == QEvent.Type.FocusOut:
            self._let_go()
        elif isinstance(event, QKeyEvent) and event.key() in KEYS and (self._held or self._can()):
            if event.type() == QEvent.Type.KeyPress and not event.isAutoRepeat() and not self._held:
                self._held = True
                self._show(True)
            elif event.type() == QEvent.Type.KeyRelease and not event.isAutoRepeat():
                self._let_go()
            event.accept()
            return True
        return super().eventFilter(watched, event)

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            self._show(False)

    def close(self) -> None:
        """Leave the widget alone."""
        self._watched.removeEventFilter(self)
