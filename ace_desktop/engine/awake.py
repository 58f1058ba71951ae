"""Keeping the machine awake while a job runs, and noticing that it slept all the same."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

_ENDING: Final = 1.0
_GAP: Final = 5.0
"""Seconds that nobody looked, from which on the machine slept or the program stood still."""


def command(platform: str = sys.platform, which: Callable[[str], str | None] = shutil.which) -> tuple[str, ...]:
    """Give a command of the system's that holds off the sleep of an idle machine; empty where it has none.

    It ends with this program, whatever becomes of that; the screen may go dark, and who closes the lid is obeyed.
    """
    if platform == "darwin" and (found := which("caffeinate")):
        return (found, "-i", "-w", str(os.getpid()))
    if platform == "linux" and (found := which("systemd-inhibit")) and (cat := which("cat")):
        why = ("--what=idle", "--mode=block", "--who=ACE Desktop", "--why=An edit is being made")
        return (found, *why, cat)  # which ends with its input, our end of a pipe
    return ()


class Awake:
    """Holds off the sleep of an idle machine from `hold` to `release`; used by one thread."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        """Use a `command` that does so, `command()` where it is None."""
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def held(self) -> bool:
        """Whether the command runs."""
        return self._process is not None and self._process.poll() is None

    def hold(self) -> None:
        """Begin; where the system does not let us, it sleeps when it wants to."""
        if self.held:
            return
        self.release()
        asked = command() if self._command is None else self._command
        quiet = subprocess.DEVNULL
        if asked:
            with contextlib.suppress(OSError):
                self._process = subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)

    def release(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        process.terminate()
        try:
            process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Standstill:
    """Notices that between two looks the machine slept or the program was stopped, so that silence means nothing.

    Asleep the monotonic clock stands still on macOS and Linux, and the wall's goes on; a stopped program sees a gap
    in both. A wall's clock that is set forward looks like sleep, which only means more patience.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._monotonic, self._wall = monotonic, wall
        self._last = monotonic(), wall()

    def begin(self) -> None:
        """Look for the first time in a while; what lies before counts for nothing."""
        self._last = self._monotonic(), self._wall()

    def ended(self) -> bool:
        """Tell whether there was one since the last look."""
        (before, before_wall), self._last = self._last, (self._monotonic(), self._wall())
        now, now_wall = self._last
        return max(now - before, now_wall - before_wall) > _GAP
