"""Whole files from the hub: in parallel ranges, continued after any interruption, checked, renamed when whole.

While a file is on its way it lies beside its place as ``NAME.part``, with ``NAME.journal`` naming the pieces that are
there, each with its sha256. To go on, the pieces are read again and those that hold are kept: a killed process costs
no more than the ranges that were under way, a power cut also what the system had not brought onto the disk. The same
journal, made from what is known of a finished file, mends a damaged one: only its bad pieces are fetched.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from mlx_model.library.disk import force_out, require_room, size_text, writing
from mlx_model.library.errors import Damaged
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.progress import Control, Meter, TransferProgress
from mlx_model.library.windows import Span, in_order, spans_of
from mlx_model.request import Cancelled

_READ: Final = 1 << 20
PIECE_BYTES: Final = 8 << 20

Report = Callable[[TransferProgress], None]


@dataclass(frozen=True)
class Piece:
    """A part of a file, from ``start`` up to ``stop``, and the sha256 of its bytes."""

    start: int
    stop: int
    sha256: str


@dataclass(frozen=True)
class FileRecord:
    """What is known of a file that is here, whole; ``path`` is relative to its folder."""

    path: str
    size: int
    sha256: str
    pieces: tuple[Piece, ...] = ()
    source: RemoteFile | None = None


def download(
    hub: Hub,
    file: RemoteFile,
    target: Path,
    *,
    control: Control | None = None,
    meter: Meter | None = None,
    report: Report = lambda _: None,
) -> FileRecord:
    """Bring a file to ``target``; it is there when this returns, and not before.

    ``report`` is told how far it is a few times a second, in the caller's thread; give a ``meter`` to count several
    files together. A file that is there already is checked and kept.

    Raises:
        LibraryError: it cannot be had; the message says why, and what is here is kept for the next time.
        Cancelled: ``control`` was cancelled; what is here is kept.
    """
    control, meter = control or Control(), meter or Meter()
    target.parent.mkdir(parents=True, exist_ok=True)
    part, journal = _beside(target)
    if target.exists() and not part.exists():
        record = record_file(target, target.name, control)
        if record.size == file.size and _is(file, target, record.sha256):
            meter.expect(file.size, file.path)
            meter.found(file.size)
            return FileRecord(record.path, record.size, record.sha256, record.pieces, file)
    with writing(target.parent, file.path):
        pieces = _found_pieces(file, part, journal, control)
        here = sum(piece.stop - piece.start for piece in pieces)
        meter.expect(file.size, file.path)
        meter.found(here)
        require_room(target.parent, file.size - here, file.title)
        transfer = _Transfer(hub, file, part, journal, pieces, meter)
        try:
            sha256 = transfer.run(control, report)
        finally:
            transfer.close()
        if not _is(file, part, sha256):
            part.unlink()
            journal.unlink()
            meter.found(-file.size)
            raise Damaged(f"{file.title} arrived damaged and was thrown away; start again to fetch it anew")
        part.replace(target)
        journal.unlink()
    return FileRecord(target.name, file.size, sha256, tuple(sorted(transfer.pieces, key=_start)), file)


def repair(
    hub: Hub,
    record: FileRecord,
    folder: Path,
    *,
    control: Control | None = None,
    meter: Meter | None = None,
    report: Report = lambda _: None,
) -> FileRecord:
    """Mend a damaged or missing file of ``folder`` by fetching only the pieces that are bad.

    Raises:
        LibraryError: as :func:`download`, or the record does not say where the file came from.
    """
    if record.source is None:
        raise Damaged(f"{record.path} is damaged and was made on this machine; install the model again")
    target = folder / record.path
    part, journal = _beside(target)
    if target.exists() and not part.exists():
        with writing(folder, record.path):
            _write_journal(journal, record.source, record.pieces)
            target.replace(part)
    return download(hub, record.source, target, control=control, meter=meter, report=report)


def record_file(path: Path, name: str, control: Control | None = None) -> FileRecord:
    """Read a file through and note its size, its digest and those of its pieces."""
    whole, pieces, start = hashlib.sha256(), list[Piece](), 0
    with path.open("rb") as stream:
        while True:
            digest, at = hashlib.sha256(), start
            for data in _read(stream, start, start + PIECE_BYTES, control):
                digest.update(data)
                whole.update(data)
                at += len(data)
            if at == start:
                return FileRecord(name, start, whole.hexdigest(), tuple(pieces))
            pieces.append(Piece(start, at, digest.hexdigest()))
            start = at


def unharmed(record: FileRecord, folder: Path, control: Control | None = None) -> bool:
    """Whether a file is there as it was recorded; reads all of it."""
    path = folder / record.path
    if not path.is_file() or path.stat().st_size != record.size:
        return False
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        for data in _read(stream, 0, record.size, control):
            digest.update(data)
    return digest.hexdigest() == record.sha256


class _Transfer:
    """One file on its way into its part file."""

    def __init__(
        self, hub: Hub, file: RemoteFile, part: Path, journal: Path, pieces: Sequence[Piece], meter: Meter
    ) -> None:
        self.pieces = list(pieces)
        self._hub, self._file, self._folder, self._meter = hub, file, part.parent, meter
        self._lock = threading.Lock()
        self._closed = False
        part.touch()
        self._part = part.open("r+b", buffering=0)
        _write_journal(journal, file, pieces)
        self._journal = journal.open("a", encoding="ascii")

    def close(self) -> None:
        """Let go of the files; threads that still hang in a connection find the door closed."""
        with self._lock:
            self._closed = True
            self._part.close()
            self._journal.close()

    def run(self, control: Control, report: Report) -> str:
        """Fetch what is missing and return the sha256 of the whole file."""
        missing = [span for gap in _gaps(self.pieces, self._file.size) for span in self._spans(gap)]
        digest, hashed = hashlib.sha256(), 0
        for _ in in_order(
            self._fetch,
            missing,
            parallel=self._hub.pace.parallel,
            ahead=len(missing) + 1,  # nothing waits in memory here
            control=control,
            tick=lambda: report(self._meter.now(control.paused)),
        ):
            hashed = self._hash(digest, hashed, control)
        self._hash(digest, hashed, control)
        report(self._meter.now())
        with self._lock:
            force_out(self._part.fileno())
        return digest.hexdigest()

    def _spans(self, gap: Span) -> list[Span]:
        return spans_of(*gap, self._hub.pace.range_bytes)

    def _fetch(self, span: Span, control: Control) -> None:
        """Bring one range into the part file, and write down what of it is there whatever happens."""
        require_room(self._folder, span[1] - span[0], "the rest of " + self._file.title, reserve=16 << 20)
        at, digest = span[0], hashlib.sha256()

        def sink(data: bytes) -> None:
            nonlocal at
            self._write(data, at)
            digest.update(data)
            at += len(data)
            self._meter.came(len(data))

        try:
            self._hub.fetch(self._file, *span, sink, control)
        finally:
            if at > span[0]:
                self._note(Piece(span[0], at, digest.hexdigest()))

    def _write(self, data: bytes, at: int) -> None:
        with self._lock:
            if self._closed:
                raise Cancelled
            self._part.seek(at)
            written = self._part.write(data)
            while written is not None and written < len(data):  # a disk that is nearly full takes a part
                data = data[written:]
                written = self._part.write(data)

    def _note(self, piece: Piece) -> None:
        with self._lock:
            self.pieces.append(piece)
            if not self._closed:
                self._journal.write(json.dumps(asdict(piece)) + "\n")
                self._journal.flush()

    def _hash(self, digest: Any, hashed: int, control: Control) -> int:
        """Take the bytes up to the first gap into the digest; they are read back from the disk."""
        with self._lock:
            gaps = _gaps(self.pieces, self._file.size)
        end = gaps[0][0] if gaps else self._file.size
        with Path(self._part.name).open("rb") as stream:
            for data in _read(stream, hashed, end, control):
                digest.update(data)
        return max(hashed, end)


def _beside(target: Path) -> tuple[Path, Path]:
    return target.with_name(target.name + ".part"), target.with_name(target.name + ".journal")


def _start(piece: Piece) -> int:
    return piece.start


def _identity(file: RemoteFile) -> dict[str, object]:
    """Say what must agree for pieces to belong to a file: its content's digest, or else its commit."""
    digest = file.sha256 or file.blob
    return {"content": digest or f"{file.repository}@{file.commit}/{file.path}", "size": file.size}


def _write_journal(journal: Path, file: RemoteFile, pieces: Iterable[Piece]) -> None:
    lines = [_identity(file), *map(asdict, pieces)]
    fresh = journal.with_name(journal.name + ".new")
    fresh.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="ascii")
    fresh.replace(journal)


def _found_pieces(file: RemoteFile, part: Path, journal: Path, control: Control) -> list[Piece]:
    """Read which pieces are here and hold; a part file of another version is thrown away."""
    noted: list[Piece] = []
    try:
        lines = journal.read_text(encoding="ascii", errors="replace").splitlines()
        if part.exists() and lines and json.loads(lines[0]) == _identity(file):
            noted = [piece for line in lines[1:] if (piece := _read_piece(line, file.size))]
    except (FileNotFoundError, ValueError):
        pass
    if not noted:
        part.unlink(missing_ok=True)
        return []
    held: list[Piece] = []
    with part.open("r+b") as stream:
        stream.truncate(min(file.size, part.stat().st_size))
        for piece in sorted(noted, key=_start):
            if held and piece.start < held[-1].stop:
                continue
            digest = hashlib.sha256()
            for data in _read(stream, piece.start, piece.stop, control):
                digest.update(data)
            if digest.hexdigest() == piece.sha256:
                held.append(piece)
    return held


def _read_piece(line: str, size: int) -> Piece | None:
    """One line of a journal; None where it is torn or makes no sense."""
    try:
        piece = Piece(**json.loads(line))
        fits = type(piece.start) is int and type(piece.stop) is int and 0 <= piece.start < piece.stop <= size
        return piece if fits else None
    except (ValueError, TypeError):
        return None


def _gaps(pieces: Iterable[Piece], size: int) -> list[Span]:
    """Return what is missing, in order."""
    gaps, at = list[Span](), 0
    for piece in sorted(pieces, key=_start):
        if piece.start > at:
            gaps.append((at, piece.start))
        at = max(at, piece.stop)
    return [*gaps, (at, size)] if at < size else gaps


def _read(stream: BinaryIO, start: int, stop: int, control: Control | None) -> Iterator[bytes]:
    stream.seek(start)
    while start < stop and (data := stream.read(min(_READ, stop - start))):
        if control is not None:
            control.checkpoint()
        yield data
        start += len(data)


def _is(file: RemoteFile, path: Path, sha256: str) -> bool:
    """Whether a content is the one the hub lists, by its LFS digest or by git's name for it."""
    if file.sha256 is not None:
        return sha256 == file.sha256
    if file.blob is None:
        return True
    blob = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    blob.update(path.read_bytes())
    return blob.hexdigest() == file.blob


def is_content_of(file: RemoteFile, path: Path, control: Control | None = None) -> bool:
    """Whether the file at ``path`` is the one that the hub lists; reads all of it."""
    return path.stat().st_size == file.size and _is(file, path, record_file(path, path.name, control).sha256)


def room_for(files: Iterable[RemoteFile], folder: Path, what: str) -> None:
    """Raise DiskFull unless a set of files fits on the disk of ``folder``, counting what is there of them."""
    missing = 0
    for file in files:
        part, _ = _beside(folder / file.path)
        here = part.stat().st_blocks * 512 if part.exists() else 0
        missing += max(0, file.size - here) if not (folder / file.path).exists() else 0
    require_room(folder, missing, f"{what} ({size_text(missing)} still to fetch)")
