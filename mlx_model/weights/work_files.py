"""Files that are being made: written in any order at known places, kept through a kill, and there when whole.

Beside the files stands a journal, a line of JSON per event. What it says is on the disk: the files' bytes are forced
out before its line is. A line that was cut off is as if it had not been written. It stays when the files are whole,
until whoever wanted them has written that down: a kill in between costs no more than reading them.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from mlx_model.library.conversion import JOURNAL
from mlx_model.library.disk import force_out, require_room, writing
from mlx_model.weights.plan import Output, PlannedFile

_READ: Final = 4 << 20
_SUFFIX: Final = ".converting"
_SPARE: Final = 16 << 20


@dataclass(frozen=True)
class PartFile:
    """A file that was written."""

    name: str
    size: int
    sha256: str


@dataclass
class Source:
    """How far a source is: ``tensors`` of it are done, up to which its bytes hash to ``so_far`` where that is known.

    At its end, the digest if it was seen whole, and whether it was compared.
    """

    tensors: int = 0
    so_far: str | None = None
    ended: bool = False
    sha256: str | None = None
    checked: bool = False


@dataclass
class _Journal:
    sources: list[Source]
    digests: list[str] = field(default_factory=list[str])


class WorkFiles:
    """The files of a part on their way, in ``folder``. A context: leaving it closes them and keeps what is there.

    What lies there of an earlier run is gone on with if its ``identity`` was the same, else begun anew. OSErrors of
    the disk become DiskFull or LibraryError.
    """

    def __init__(self, folder: Path, title: str, files: Sequence[PlannedFile], identity: str, sources: int) -> None:
        self._folder, self._title, self._files, self._identity = folder, title, files, identity
        self._journal_path = folder / f"{title}{JOURNAL}"
        self._count = sources
        self._descriptors: dict[str, int] = {}
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            self._journal = self._earlier() or self._begun()

    @property
    def sources(self) -> list[Source]:
        """How far each source is."""
        return self._journal.sources

    def __enter__(self) -> Self:
        self._open()
        return self

    def _open(self) -> None:
        with self._writing():
            for file in self._files:
                if (path := self._work(file)).exists():
                    self._descriptors[file.name] = os.open(path, os.O_RDWR)

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors = {}

    def write(self, file: str, output: Output, row: int, content: memoryview) -> None:
        """Write rows of a tensor, from ``row`` on."""
        at = output.start + row * output.row_bytes
        if at + len(content) > output.stop:
            raise ValueError(f"{len(content)} bytes from row {row} on go beyond {output.name}")
        with self._writing():
            while content:
                written = os.pwrite(self._descriptors[file], content, at)
                content, at = content[written:], at + written

    def note(self, index: int) -> None:
        """Force out what was written, and then what is known of the source ``index``."""
        with self._writing():
            force_out(*self._descriptors.values())
            source = self.sources[index]
            self._append({"source": index, **vars(source)})

    def confirm(self, step: Callable[[], None]) -> None:
        """Read the files that an earlier run made whole, and begin anew if they are not what it made.

        ``step`` is called on the way and may raise to stop.
        """
        made = self._journal.digests
        if made and made != [self._sha256(file, step) for file in self._files]:
            self._close()
            with self._writing():
                self._journal = self._begun()
            self._open()

    def require_room(self) -> None:
        """Raise DiskFull, with the numbers, unless what is still to be written fits on the disk."""
        if self._journal.digests:
            return
        here = sum(os.fstat(descriptor).st_blocks * 512 for descriptor in self._descriptors.values())
        missing = sum(file.size for file in self._files) - here
        require_room(self._folder, missing, f"the rest of the converted {self._title}", _SPARE)

    def forget(self, index: int) -> None:
        """Take a source as not read."""
        self.sources[index] = Source()
        self.note(index)

    def finish(self, step: Callable[[], None]) -> tuple[PartFile, ...]:
        """Give the files their names, once all is written. ``step`` is called on the way and may raise to stop."""
        if not self._journal.digests:
            digests = [self._sha256(file, step) for file in self._files]
            with self._writing():
                self._append({"files": digests})
            self._journal.digests = digests
        with self._writing():
            for file in reversed(self._files):
                if (work := self._work(file)).exists():
                    work.replace(self._folder / file.name)
        return tuple(
            PartFile(file.name, file.size, digest)
            for file, digest in zip(self._files, self._journal.digests, strict=True)
        )

    def _work(self, file: PlannedFile) -> Path:
        return self._folder / f"{file.name}{_SUFFIX}"

    def _writing(self) -> Any:
        return writing(self._folder, f"the converted {self._title}")

    def _append(self, event: dict[str, object]) -> None:
        with self._journal_path.open("ab") as journal:
            journal.write(json.dumps(event).encode() + b"\n")
            journal.flush()
            os.fsync(journal.fileno())

    def _begun(self) -> _Journal:
        self._journal_path.unlink(missing_ok=True)
        for file in self._files:
            with self._work(file).open("wb") as stream:
                stream.write(file.header)
                stream.truncate(file.size)
                os.fsync(stream.fileno())
        self._append({"identity": self._identity})
        return _Journal([Source() for _ in range(self._count)])

    def _earlier(self) -> _Journal | None:
        """Read the journal of an earlier run; None where there is none that can be gone on with."""
        try:
            lines = self._journal_path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        journal = _Journal([Source() for _ in range(self._count)])
        try:
            if not lines or json.loads(lines[0]) != {"identity": self._identity}:
                return None
            for line in lines[1:]:
                event = json.loads(line)
                if "files" in event:
                    journal.digests = event["files"]
                else:
                    index = event.pop("source")
                    journal.sources[index] = Source(**event)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None
        for file in self._files:
            path = self._work(file)
            if journal.digests and not path.exists():
                path = self._folder / file.name
            if not path.is_file() or path.stat().st_size != file.size:
                return None
        return journal

    def _sha256(self, file: PlannedFile, step: Callable[[], None]) -> str:
        digest = hashlib.sha256()
        path = work if (work := self._work(file)).exists() else self._folder / file.name
        with self._writing(), path.open("rb") as stream:
            while data := stream.read(_READ):
                step()
                digest.update(data)
        return digest.hexdigest()
