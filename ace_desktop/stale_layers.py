"""Which layers of a document were made of something that is no longer there; asked in a thread, after a pause."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from .background import Background
from .document.geometry import Rect
from .document.result_layers import is_stale, result_of_layer
from .document.state import State, walk
from .session import Session

_PAUSE_MS: Final = 400


class StaleLayers(QObject):
    """Follows a session; `ids` is what was found last."""

    changed = Signal()
    failed = Signal(object)
    """An Exception to be explained."""

    def __init__(self, session: Session, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.ids: frozenset[str] = frozenset()
        self._session, self._background = session, background
        self._asked: State | None = None
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._pause.timeout.connect(self._ask)
        session.changed.connect(self._follow)
        self._follow([], None)

    def _follow(self, _rects: list[Rect], before: State | None) -> None:
        state = self._session.state
        if before is None or (state.layers, state.profile) != (before.layers, before.profile):
            made = any(result_of_layer(layer) is not None for layer in walk(state.layers))
            if made or self.ids:
                self._pause.start()

    def _ask(self) -> None:
        state = self._session.state
        self._asked = state
        made = [layer.id for layer in walk(state.layers) if result_of_layer(layer) is not None]

        def done(found: frozenset[str]) -> None:
            if self._asked is state and found != self.ids:
                self.ids = found
                self.changed.emit()

        self._background.run(partial(_stale_of, state, made), done, self.failed.emit, self)


def _stale_of(state: State, layer_ids: Sequence[str]) -> frozenset[str]:
    return frozenset(layer_id for layer_id in layer_ids if is_stale(state, layer_id))
