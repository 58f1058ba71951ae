"""Fetching, importing, checking, mending and removing models: one at a time, in a process of its own.

What is under way is written down, so that the next start of the program goes on with it.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from .install_process import InstallProcess, ace_command

log = logging.getLogger(__name__)

_NOTE_SECONDS = 5.0
_KEPT = ("install", "import", "repair")
"""What is gone on with at the next start; the others are quick, and are asked for again."""


class Phase(StrEnum):
    """Where a transfer is."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class Steps:
    """How to get into a repository whose owner wants a licence accepted; `page` is where."""

    page: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Transfer:
    """What the installer is at, or was at last.

    `done` and `total` in bytes, `rate` in bytes per second. `waiting`, `error` and `warnings` are the library's own
    sentences; `facts` what the process said at its end.
    """

    arguments: tuple[str, ...]
    phase: Phase
    file: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    waiting: str = ""
    error: str = ""
    details: str = ""
    warnings: tuple[str, ...] = ()
    steps: Steps | None = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def what(self) -> str:
        """The command: install, import, verify, repair or remove."""
        return self.arguments[0]

    @property
    def model(self) -> str:
        """The model's name."""
        words = [word for word in self.arguments[1:] if not word.startswith("--")]
        return words[-1] if words else ""

    @property
    def active(self) -> bool:
        """Whether its process is at work, or rests."""
        return self.phase in (Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)


class Installer(QObject):
    """Runs one transfer at a time. All calls return at once; `changed` tells of every news."""

    changed = Signal()
    ended = Signal(object)
    """The transfer that came to its end, done or failed."""

    def __init__(
        self,
        file: Path,
        environment: Callable[[], Mapping[str, str]],
        parent: QObject | None = None,
        command: Sequence[str] = (),
    ) -> None:
        """Write down in `file` what is under way; `environment` is what processes get beside the program's own."""
        super().__init__(parent)
        self._file, self._environment, self._command = file, environment, tuple(command) or ace_command()
        self._process: InstallProcess | None = None
        self._login: InstallProcess | None = None
        self._noted = 0.0
        self.transfer: Transfer | None = self._found()

    # What can be asked for

    @property
    def busy(self) -> bool:
        """Whether a process is at work, or rests."""
        return self._process is not None

    def install(self, model: str, *, without_account: bool = False) -> None:
        """Fetch a model whose licence was accepted, or go on with it."""
        self.start(("install", model, "--yes", *(("--without-account",) if without_account else ())))

    def import_files(self, path: Path, model: str, *, fetch_missing: bool = False) -> None:
        """Make a model whose licence was accepted of the released files in a folder."""
        self.start(("import", *(("--fetch-missing",) if fetch_missing else ()), "--yes", str(path), model))

    def verify(self, model: str) -> None:
        """Compare a model's files with what was installed."""
        self.start(("verify", model))

    def repair(self, model: str) -> None:
        """Mend a model."""
        self.start(("repair", model))

    def remove(self, model: str) -> None:
        """Delete a model, or what is there of one that was only begun."""
        self.start(("remove", model, "--yes"))

    def start(self, arguments: tuple[str, ...]) -> None:
        """Begin a transfer; nothing happens while another one is at work."""
        if self._process is not None:
            return
        before = self.transfer
        same = before is not None and before.arguments[:2] == arguments[:2]
        done, total = (before.done, before.total) if before is not None and same else (0, 0)
        self.transfer = Transfer(arguments, Phase.RUNNING, done=done, total=total)
        self._process = InstallProcess(arguments, self._environment(), self._command, parent=self)
        self._process.told.connect(self._heard)
        self._process.ended.connect(self._over)
        self._note()
        self.changed.emit()

    def go_on(self) -> None:
        """Go on with what was paused, has failed, or was under way when the program ended."""
        if self.transfer is None or self.transfer.phase in (Phase.DONE, Phase.STOPPING):
            return
        if self._process is None:
            self.start(self.transfer.arguments)
        elif self.transfer.phase is Phase.PAUSED:
            self._process.say("resume")
            self._set(phase=Phase.RUNNING)
            self._note()

    def go_on_at_start(self) -> None:
        """Go on with what the program was at when it ended, unless it was paused or had failed then."""
        if self.transfer is not None and self.transfer.phase is Phase.RUNNING and self._process is None:
            self.start(self.transfer.arguments)

    def pause(self) -> None:
        """Let it rest; also over an end of the program."""
        if self._process is not None and self.transfer is not None and self.transfer.phase is Phase.RUNNING:
            self._process.say("pause")
            self._set(phase=Phase.PAUSED, rate=0.0, seconds_left=None)
            self._note()

    def cancel(self) -> None:
        """End it; what is here stays for another time. One that does not run is only forgotten."""
        if self._process is None:
            self.forget()
        elif self.transfer is not None and self.transfer.active:
            self._process.say("cancel")
            self._set(phase=Phase.STOPPING)

    def forget(self) -> None:
        """Speak no more of a transfer that has ended."""
        if self._process is None and self.transfer is not None:
            self.transfer = None
            self._note()
            self.changed.emit()

    def log_in(self, secret: str, answered: Callable[[str], None]) -> None:
        """Have a token checked by the hub and kept in the keychain; `answered` gets "" or what is wrong with it."""
        if self._login is not None:
            return
        process = InstallProcess(("login",), self._environment(), self._command, said=secret, parent=self)
        errors: list[str] = []

        def heard(event: dict[str, Any]) -> None:
            if event["event"] == "error":
                errors.append(str(event.get("text", "")))

        def over(code: int, details: str) -> None:
            self._login = None
            process.deleteLater()
            said = errors[-1] if errors else details.removeprefix("ace: ").strip()
            answered("" if code == 0 else said or UNEXPECTED)

        process.told.connect(heard)
        process.ended.connect(over)
        self._login = process

    def close(self) -> None:
        """End the processes within two seconds; what was under way is gone on with at the next start."""
        self._note()
        for process in (self._process, self._login):
            if process is not None:
                process.close()
        self._process = self._login = None

    @property
    def pid(self) -> int:
        """The number of the process that is at work; 0 where there is none."""
        return 0 if self._process is None else self._process.pid

    # What the process says

    def _set(self, **values: Any) -> None:
        if self.transfer is not None:
            self.transfer = replace(self.transfer, **values)
            self.changed.emit()

    def _heard(self, event: dict[str, Any]) -> None:
        now = self.transfer
        if now is None:
            return
        match event["event"]:
            case "progress":
                facts = {name: event[name] for name in ("file", "done", "total") if name in event}
                if now.phase is Phase.RUNNING and not event.get("paused"):
                    facts |= {"rate": event.get("rate", 0.0), "seconds_left": event.get("seconds_left")}
                self._set(**facts, waiting=event.get("waiting") or "")
                if time.monotonic() - self._noted > _NOTE_SECONDS:
                    self._note()
            case "waiting":
                self._set(waiting=str(event.get("text", "")))
            case "warning":
                self._set(warnings=(*now.warnings, str(event.get("text", ""))))
            case "finding":
                self._set(warnings=(*now.warnings, f"{event.get('file')} {event.get('text')}"))
            case "steps":
                self._set(steps=Steps(str(event["page"]), tuple(map(str, event["steps"]))))
            case "error":
                self._set(error=str(event.get("text", "")))
            case "done":
                self._set(facts={name: value for name, value in event.items() if name != "event"})
            case _:
                pass

    def _over(self, code: int, details: str) -> None:
        process, now = self._process, self.transfer
        self._process = None
        if process is not None:
            process.deleteLater()
        if now is None:
            return
        if code == 0:
            self.transfer = replace(now, phase=Phase.DONE, waiting="", done=now.total)
        elif now.phase is Phase.STOPPING:
            self.transfer = None
        else:
            said = now.error or UNEXPECTED
            self.transfer = replace(now, phase=Phase.FAILED, error=said, details=details, waiting="", rate=0.0)
            if not now.error:
                log.info("the installer ended with %s: %s", code, details)
        self._note()
        self.changed.emit()
        if self.transfer is not None:
            self.ended.emit(self.transfer)

    # What is written down

    def _note(self) -> None:
        """Write down what the next start has to know; where that cannot be written, it will not."""
        self._noted, now = time.monotonic(), self.transfer
        try:
            if now is None or now.phase in (Phase.DONE, Phase.STOPPING) or now.what not in _KEPT:
                self._file.unlink(missing_ok=True)
                return
            facts = {
                "arguments": now.arguments, "phase": now.phase, "done": now.done, "total": now.total,
                "error": now.error,
            }  # fmt: skip
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=".transfer")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(facts, file)
            Path(name).replace(self._file)
        except OSError as error:
            log.info("what is being installed could not be written down: %s", error)

    def _found(self) -> Transfer | None:
        try:
            held: Any = json.loads(self._file.read_text(encoding="utf-8"))
            arguments = tuple(map(str, held["arguments"]))
            done, total = int(held["done"]), int(held["total"])
            transfer = Transfer(arguments, Phase(held["phase"]), "", done, total, error=str(held["error"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.info("what was being installed cannot be read: %s", error)
            return None
        return transfer if len(arguments) > 1 and transfer.what in _KEPT else None


UNEXPECTED = "the installer ended unexpectedly; what is here is kept, so go on with it"
