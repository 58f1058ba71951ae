"""Pause, continue and cancel a transfer, and tell how far it is."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mlx_model.request import Cancelled

RATE_SECONDS: Final = 8.0
"""The rate is the mean over the last so many seconds."""


@dataclass(frozen=True)
class TransferProgress:
    """How far a transfer is.

    ``done`` of ``total`` bytes are here, ``fetched`` of them came over the network in this run; ``rate`` is in bytes
    per second; ``seconds_left`` is None while there is nothing to estimate from. ``waiting`` is a sentence while the
    transfer waits for something, such as a server that asked for patience.
    """

    file: str
    done: int
    total: int
    fetched: int
    rate: float
    seconds_left: float | None
    paused: bool = False
    waiting: str | None = None


class Control:
    """Pause, continue and cancel, from any thread."""

    def __init__(self, parent: "Control | None" = None) -> None:
        self._parent = parent
        self._running = threading.Event()
        self._running.set()
        self._cancelled = threading.Event()

    def pause(self) -> None:
        """Let the transfer rest at its next step; what is here is kept."""
        self._running.clear()

    def resume(self) -> None:
        """Go on after a pause."""
        self._running.set()

    def cancel(self) -> None:
        """End the transfer at its next step; what is here is kept for the next time."""
        self._cancelled.set()

    @property
    def paused(self) -> bool:
        """Whether the transfer rests."""
        return not self._running.is_set() or (self._parent is not None and self._parent.paused)

    @property
    def cancelled(self) -> bool:
        """Whether the transfer is to end."""
        return self._cancelled.is_set() or (self._parent is not None and self._parent.cancelled)

    def checkpoint(self) -> None:
        """Return at once while running, wait while paused; Cancelled when the transfer is to end."""
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Wait so many seconds, and through any pause; Cancelled when the transfer is to end."""
        until = time.monotonic() + seconds
        while not self.cancelled:
            left = until - time.monotonic()
            if left <= 0 and not self.paused:
                return
            self._cancelled.wait(min(max(left, 0.0), 0.05) if not self.paused else 0.05)
        raise Cancelled


class Meter:
    """Counts the bytes of a transfer of one or several files; safe to use from several threads."""

    def __init__(self, total: int = 0) -> None:
        self._lock = threading.Lock()
        self._total = total
        self._done = self._fetched = self._moved = 0
        self._file = ""
        self._waiting: str | None = None
        self._samples: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def expect(self, size: int, file: str) -> None:
        """Begin a file; ``size`` is added to the total unless that was known from the start."""
        with self._lock:
            self._file = file
            self._total = max(self._total, self._done + size)

    def expect_all(self, size: int) -> None:
        """Say how many bytes are to come beside what is counted already."""
        with self._lock:
            self._total = self._done + size

    def reached(self, done: int) -> None:
        """Count up to ``done`` bytes in all, as found; a count that is further stays."""
        with self._lock:
            self._done = max(self._done, done)

    @property
    def done(self) -> int:
        """Bytes that are here."""
        with self._lock:
            return self._done

    def found(self, size: int) -> None:
        """Count bytes that were here already (negative: that turned out not to be)."""
        with self._lock:
            self._done += size

    def came(self, size: int) -> None:
        """Count bytes that came over the network."""
        with self._lock:
            self._fetched += size
        self.read(size)

    def read(self, size: int) -> None:
        """Count bytes that were worked through on this machine."""
        now = time.monotonic()
        with self._lock:
            self._done += size
            self._moved += size
            self._waiting = None
            if now - self._samples[-1][0] > RATE_SECONDS / 32:
                self._samples.append((now, self._moved))
            while len(self._samples) > 2 and now - self._samples[0][0] > RATE_SECONDS:
                self._samples.popleft()

    def waits(self, sentence: str | None) -> None:
        """Say what the transfer waits for."""
        with self._lock:
            self._waiting = sentence

    def rested(self) -> None:
        """Forget the rate: the time of a pause is not the network's."""
        with self._lock:
            self._samples = deque([(time.monotonic(), self._moved)])

    def now(self, paused: bool = False) -> TransferProgress:
        """How far the transfer is at this moment."""
        with self._lock:
            since, before = self._samples[0]
            passed = time.monotonic() - since
            rate = (self._moved - before) / passed if passed > 0 and not paused else 0.0
            left = max(0, self._total - self._done) / rate if rate > 0 else None
            return TransferProgress(
                self._file, self._done, max(self._total, self._done), self._fetched, rate, left, paused, self._waiting
            )


@dataclass(frozen=True)
class Work:
    """What a long piece of work is given: its control, its meter, and whom to tell what the person should know."""

    control: Control = field(default_factory=Control)
    meter: Meter = field(default_factory=Meter)
    note: Callable[[str], None] = lambda _: None
