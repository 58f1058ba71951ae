"""One life of the model's process: start it, talk to it, end it, and say how it ended. Used by one thread.

Only `kill` may be called from others: it is what helps where that one thread waits.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, TypeAlias

from . import child
from .faults import name_of_end, sentence_of_end
from .protocol import FromModel, Ready, ToModel
from .shared_pictures import Numbered, drop_untold

Entry: TypeAlias = Callable[[Connection, str, Path], None]
"""What runs in the process: `child.main`."""

_KEPT_LOG: Final = 1 << 20
_TAIL: Final = 4000
_ENDING: Final = 1.0


@dataclass(frozen=True)
class End:
    """How a process ended that should have gone on: a sentence (a key for `tr`) and what a developer reads."""

    sentence: str
    details: str


class ModelProcess:
    """The process from its start to its end. `names` holds what it made in shared memory, as far as it told.

    Raises:
        OSError: the system starts no more processes.
    """

    def __init__(self, log: Path, entry: Entry = child.main) -> None:
        context = multiprocessing.get_context("spawn")
        self.names: Final = Numbered()
        self.machine: str | None = None
        """What it computes on, as soon as it is ready."""
        self._log = log
        self._log_begins = _begin_log(log)
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self.pipe, theirs = context.Pipe()
        try:
            # A daemon: an interpreter that ends without our doing ends it too.
            self._process = context.Process(
                target=entry, args=(theirs, self.names.prefix, log), name="ace-model", daemon=True
            )
            self._process.start()
        except BaseException:
            self._process = None
            self.pipe.close()
            raise
        finally:
            theirs.close()
        self.pid: Final = self._process.pid
        self.sentinel: Final = self._process.sentinel

    def send(self, message: ToModel) -> None:
        """Send a message; one that a dead process does not hear is passed over, since its end is noticed anyway."""
        with contextlib.suppress(OSError):
            self.pipe.send(message)

    def messages(self) -> list[FromModel]:
        """Give what has come; an end of the pipe gives nothing."""
        found: list[FromModel] = []
        with contextlib.suppress(EOFError, OSError):
            while self.pipe.poll():
                message: FromModel = self.pipe.recv()
                if isinstance(message, Ready):
                    self.machine = message.machine
                found.append(message)
        return found

    def kill(self) -> None:
        """End it at once, from whatever thread; it has nothing to lose."""
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def close(self) -> End:
        """End it if it lives, remove what it left in shared memory, and say how it ended."""
        self.pipe.close()  # it ends with that, unless it is stopped
        process = self._process
        if process is None:
            raise ValueError("it is closed already")
        process.join(_ENDING)
        self.kill()
        process.join()
        with self._lock:
            self._process = None
        code = process.exitcode or 0
        process.close()
        drop_untold(self.names)
        sentence = sentence_of_end(code, ready=self.machine is not None)
        return End(sentence, f"The model's process {self.pid}: {name_of_end(code)}\n\n{self._tail()}".rstrip())

    def _tail(self) -> str:
        """Give the end of what this process printed."""
        try:
            with self._log.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(self._log_begins, size - _TAIL))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""


def _begin_log(log: Path) -> int:
    """Make room for the log of another process; return where that begins."""
    with contextlib.suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > _KEPT_LOG:
            log.replace(log.with_suffix(".old.log"))
        return log.stat().st_size
    return 0
