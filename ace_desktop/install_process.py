"""One run of ``ace models`` as a process of its own: what it says line by line, and the words that steer it.

It needs MLX to quantize, which this process must not load, and may be killed without harm: what is done is kept.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

from .frozen import ACE

_CLOSING_MS = 1500
_KEPT_ERRORS = 4000  # characters


def ace_command() -> tuple[str, ...]:
    """Give the words that start ``ace``: this interpreter and its module, or a frozen program itself."""
    if getattr(sys, "frozen", False):
        return (sys.executable, ACE)
    return (sys.executable, "-m", "mlx_model.cli")


class InstallProcess(QObject):
    """A process that is started at once and bound to this one: it ends, keeping what is done, when this one ends."""

    told = Signal(dict)
    """A line of JSON, as docs/models.md has them."""
    ended = Signal(int, str)
    """Exit code (-1: killed or not startable) and the last of what it wrote to standard error."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        command: Sequence[str],
        said: str | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Start ``ace models ARGUMENTS --json``; `said` is all that it gets on standard input, which then ends."""
        super().__init__(parent)
        self._lines, self._errors, self._over = b"", "", False
        self._process = QProcess(self)
        surroundings = QProcessEnvironment.systemEnvironment()
        for name, value in environment.items():
            surroundings.insert(name, value)
        self._process.setProcessEnvironment(surroundings)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._failed)
        program, *words = command
        self._process.start(program, [*words, "models", *arguments, "--json"])
        if said is None:
            self.say("attached")
        else:
            self.say(said)
            self._process.closeWriteChannel()

    @property
    def pid(self) -> int:
        """Its number; 0 where it does not run."""
        return self._process.processId()

    def say(self, word: str) -> None:
        """Write a line to it: pause, resume or cancel."""
        self._process.write(word.encode() + b"\n")

    def close(self) -> None:
        """End it within two seconds; what it has done is kept. Nothing is emitted any more."""
        self._over = True
        self.blockSignals(True)
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.closeWriteChannel()
            if not self._process.waitForFinished(_CLOSING_MS):
                self._process.kill()
                self._process.waitForFinished(_CLOSING_MS)
        self.deleteLater()

    def _read(self) -> None:
        self._lines += bytes(self._process.readAllStandardOutput().data())
        *lines, self._lines = self._lines.split(b"\n")
        for line in lines:
            try:
                found: Any = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict) and isinstance(found.get("event"), str):
                self.told.emit(found)

    def _read_errors(self) -> None:
        text = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        self._errors = (self._errors + text)[-_KEPT_ERRORS:]

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(-1)

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        self._read_errors()
        self._end(code if status == QProcess.ExitStatus.NormalExit else -1)

    def _end(self, code: int) -> None:
        if not self._over:
            self._over = True
            self.ended.emit(code, self._errors)
