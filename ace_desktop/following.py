"""What follows an edit and must not hold up a stroke."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer

from .session import Session

DURING_STROKES_MS = 150
"""While a tool is at work what follows does so after so long."""


class Follower(QObject):
    """Calls `refresh` when told that something changed: at once, but not at every move of a stroke."""

    def __init__(self, session: Session, refresh: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._refresh = session, refresh
        self._later = QTimer(self, singleShot=True, interval=DURING_STROKES_MS)
        self._later.timeout.connect(refresh)

    def follow(self) -> None:
        """Refresh now, or soon where a tool is at work."""
        if self._session.still:
            self._later.stop()
            self._refresh()
        elif not self._later.isActive():
            self._later.start()
