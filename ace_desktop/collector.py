"""Python's cyclic garbage collector, kept in the GUI thread.

It runs in whatever thread allocates last, and then deletes Qt objects there that belong to the GUI thread, which ends
the program now and then. So it is switched off, and asked by a timer whether it would have run. What is there at that
time (modules, tables, the first window) is never looked at again: that takes longer than two frames.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 500


class Collector(QObject):
    """Collects in the thread that made it (the GUI's), for as long as it is not closed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        gc.freeze()
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    def collect(self) -> None:
        """Collect the oldest generation that is due."""
        counts, thresholds = gc.get_count(), gc.get_threshold()
        due = [generation for generation in range(3) if 0 < thresholds[generation] < counts[generation]]
        if due:
            gc.collect(due[-1])

    def close(self) -> None:
        """Let Python collect as it likes again."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()
