"""Tensors out of safetensors and GGUF files, near or far, in file order: the road of bytes to the converter.

A far file is read by ranges that are fetched ahead in parallel and handed out in order; nothing of it lies on disk.
Every size, offset and name of a header is checked against the file's real size before anything is allocated. No other
format is read, above all no pickle.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from mlx_model.library.errors import Changed, Damaged, LibraryError
from mlx_model.library.gguf_header import gguf_entries
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.progress import Control, Meter
from mlx_model.library.safetensors_header import safetensors_entries
from mlx_model.library.tensor_entry import Headed, TensorEntry
from mlx_model.library.windows import Span, in_order, spans_of

_READ: Final = 4 << 20


class Source(Protocol):
    """A file's bytes.

    ``sha256`` is what they should hash to, where that is known; ``identity`` is another when the bytes may be.
    """

    @property
    def title(self) -> str:
        """The file in words."""
        ...

    @property
    def size(self) -> int:
        """The file's length in bytes."""
        ...

    @property
    def sha256(self) -> str | None:
        """The digest that the file should have."""
        ...

    @property
    def identity(self) -> str:
        """What tells this content from another of the same size and header."""
        ...

    @property
    def near(self) -> bool:
        """Whether it can be read again at no cost."""
        ...

    def read(self, start: int, stop: int) -> bytes:
        """Read a few bytes."""
        ...

    def stream(self, start: int) -> Iterator[bytes | bytearray]:
        """Read from ``start`` to the end, piece by piece."""
        ...


@dataclass(frozen=True)
class RemoteSource:
    """A file on the hub; ``control`` pauses and cancels, ``meter`` counts. LibraryError where it cannot be read."""

    hub: Hub
    file: RemoteFile
    control: Control = field(default_factory=Control)
    meter: Meter = field(default_factory=Meter)

    @property
    def title(self) -> str:
        """The file in words."""
        return self.file.title

    @property
    def size(self) -> int:
        """The file's length in bytes."""
        return self.file.size

    @property
    def sha256(self) -> str | None:
        """The hub's digest."""
        return self.file.sha256

    @property
    def identity(self) -> str:
        """The hub's digest, git's, or the commit and the path."""
        return self.file.sha256 or self.file.blob or f"{self.file.repository}@{self.file.commit}/{self.file.path}"

    @property
    def near(self) -> bool:
        """False: it is far."""
        return False

    def read(self, start: int, stop: int) -> bytes:
        """Fetch one range."""
        return bytes(self._fetch((start, stop), self.control))

    def stream(self, start: int) -> Iterator[bytes | bytearray]:
        """Fetch ranges ahead, in parallel, inside the pace's window."""
        pace = self.hub.pace
        spans = spans_of(start, self.file.size, pace.range_bytes)
        parallel, ahead = pace.parallel, pace.ahead
        yield from in_order(self._fetch, spans, parallel=parallel, ahead=ahead, control=self.control)

    def _fetch(self, span: Span, control: Control) -> bytearray:
        data = bytearray()

        def sink(piece: bytes) -> None:
            data.extend(piece)
            self.meter.came(len(piece))

        self.hub.fetch(self.file, *span, sink, control)
        return data


@dataclass(frozen=True)
class LocalSource:
    """A file on this machine."""

    path: Path
    sha256: str | None = None
    control: Control = field(default_factory=Control)

    @property
    def title(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def size(self) -> int:
        """The file's length in bytes."""
        return self.path.stat().st_size

    @property
    def identity(self) -> str:
        """The digest, where it is known, or when the file was last written."""
        return self.sha256 or f"written {self.path.stat().st_mtime_ns}"

    @property
    def near(self) -> bool:
        """True: it is here."""
        return True

    def read(self, start: int, stop: int) -> bytes:
        """Read a few bytes."""
        with self.path.open("rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)

    def stream(self, start: int) -> Iterator[bytes | bytearray]:
        """Read to the end, 4 MiB at a time."""
        with self.path.open("rb") as stream:
            stream.seek(start)
            while data := stream.read(_READ):
                self.control.checkpoint()
                yield data


class TensorFile:
    """The tensors of a safetensors or GGUF file.

    ``entries`` are in file order, ``metadata`` is what the file says about itself (safetensors only), and
    ``header_sha256`` names the header: where it agrees, a pass may be taken up again at a later tensor.

    Raises:
        Damaged: the file is neither, or its header does not agree with itself or with the file's size.
        LibraryError: it cannot be read.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        try:
            headed = _open(source)
        except (OSError, MemoryError) as error:
            raise LibraryError(f"{source.title} cannot be read ({error})") from error
        self.entries = tuple(sorted(headed.entries, key=lambda entry: (entry.start, entry.stop)))
        self.metadata = headed.metadata
        self._header = headed.header
        self.header_sha256 = hashlib.sha256(headed.header).hexdigest()

    def tensors(self, first: int = 0, earlier: str | None = None) -> "TensorPass":
        """Go through the tensors in file order, from the one with index ``first`` on.

        ``earlier`` is what :attr:`TensorPass.so_far` was before that tensor: a file that is near is compared with it
        from its beginning on.
        """
        return TensorPass(self, first, self._header, earlier)

    def one(self, name: str) -> bytes:
        """Read a single tensor; KeyError where there is none of that name."""
        found = {entry.name: entry for entry in self.entries}[name]
        return self.source.read(found.start, found.stop)


class TensorPass:
    """One way through a file: iterate to get ``(entry, bytes)``, little-endian, row by row.

    ``sha256`` is the digest of the whole file once a pass that knows it from the first byte on has come to its end,
    else None.
    """

    def __init__(self, file: TensorFile, first: int, header: bytes, earlier: str | None) -> None:
        self.sha256: str | None = None
        self._file, self._first, self._header = file, first, header
        self._earlier = earlier if first and file.source.near else None
        self._whole = first == 0 or self._earlier is not None
        self._digest = hashlib.sha256(header if self._whole else b"")

    @property
    def so_far(self) -> str | None:
        """The digest of the file up to the end of the last tensor; None in a pass that began later."""
        return self._digest.hexdigest() if self._whole else None

    def __iter__(self) -> Iterator[tuple[TensorEntry, bytearray]]:
        """Yield each tensor; the bytearray is the caller's to keep.

        Raises:
            Changed: the file's beginning is not what it was in an earlier pass.
        """
        source, entries = self._file.source, self._file.entries[self._first :]
        whole, digest = self._whole, self._digest
        at = len(self._header) if whole or not entries else entries[0].start
        stream = source.stream(at)
        rest = memoryview(b"")

        def take(count: int) -> Iterator[memoryview]:
            nonlocal rest, at
            while count:
                if not rest:
                    data = next(stream, None)
                    if not data:
                        raise Damaged(f"{source.title} is shorter than its header says; fetch or copy it again")
                    rest = memoryview(data)
                piece, rest = rest[:count], rest[count:]
                digest.update(piece)
                count -= len(piece)
                at += len(piece)
                yield piece

        if self._earlier is not None:
            for _ in take(self._file.entries[self._first - 1].stop - at):
                pass
            if digest.hexdigest() != self._earlier:
                raise Changed(f"{source.title} has other contents than when it was begun")
        for entry in entries:
            for _ in take(entry.start - at):
                pass
            data, filled = bytearray(entry.stop - entry.start), 0
            for piece in take(len(data)):
                data[filled : filled + len(piece)] = piece
                filled += len(piece)
            yield entry, data
        if whole:
            for _ in take(source.size - at):
                pass
            self.sha256 = self.so_far

    def check(self) -> bool:
        """Whether the digest was compared; False after a pass that was taken up again, or where none is known.

        Raises:
            Damaged: the bytes that went through are not those that the hub, or the record, promises.
        """
        wanted = self._file.source.sha256
        if self.sha256 is None or wanted is None:
            return False
        if self.sha256 != wanted:
            title, here = self._file.source.title, isinstance(self._file.source, LocalSource)
            what, advice = (
                ("is not the file that it should be: its sha256 is another", "use another copy")
                if here
                else ("arrived damaged", "start again to fetch it anew")
            )
            raise Damaged(f"{title} {what}, so what was made of it is not used; {advice}")
        return True


def _open(source: Source) -> Headed:
    start = source.read(0, min(8, source.size))
    return gguf_entries(source) if start[:4] == b"GGUF" else safetensors_entries(source, start)
