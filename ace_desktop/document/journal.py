"""The autosave journal: what a document is, every few seconds, for the day the program does not end as it should.

A journal is a folder. Tiles that were not written yet go into a new segment file, then the description takes the
place of the old one in one rename; a process killed at any moment leaves the last whole description and all that it
speaks of. Segments of which more than half is no longer needed are written anew in part and removed.

    lock            held by the process that works on the document
    document.json   title, place, time and the description; blobs as [segment, offset, bytes, CRC-32]
    000001.tiles    deflated tiles and attached files, end to end
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout

from mlx_model.places import reason

from .description import describe
from .errors import DocumentError, Warn, ignore
from .plane import Plane
from .savefile import flush_to_disk, is_full, save_file
from .state import State

FORMAT: Final = 1
LOCK: Final = "lock"
DOCUMENT: Final = "document.json"
SEGMENT: Final = "{:06}.tiles"


@dataclass(frozen=True)
class Blob:
    """Where some bytes are: segment, offset, deflated length, and the CRC-32 of what is deflated there."""

    segment: int
    offset: int
    length: int
    checksum: int


@dataclass
class _Held:
    """Something that is written already; holding the thing itself keeps its identity from being given out again."""

    thing: Any
    blob: Blob


class Journal:
    """The journal of one open document. Use it from one thread at a time."""

    def __init__(self, folder: Path, title: str, path: Path | None = None, warn: Warn = ignore) -> None:
        """Start a journal below a folder of journals; `warn` is told once when it cannot be kept.

        Raises:
            DocumentError: the folder cannot be made or its disk does not lock.
        """
        self.title, self.path, self._warn = title, path, warn
        self.place = folder / uuid4().hex
        self._held: dict[int, _Held] = {}
        self._sizes: dict[int, int] = {}
        self._next = 1
        self._last: tuple[State, str, Path | None] | None = None
        self._told = False
        try:
            self.place.mkdir(parents=True)
            self._lock = FileLock(self.place / LOCK, thread_local=False)
            self._lock.acquire(timeout=0)
        except (OSError, Timeout, NotImplementedError) as error:
            raise DocumentError(f"unsaved work cannot be kept in {folder} ({reason(error)}); save often") from error

    def write(self, state: State) -> bool:
        """Bring the journal up to a state; False where the disk does not allow it (the last one stays)."""
        now = state, self.title, self.path
        if self._last == now:
            return True
        segment = self.place / SEGMENT.format(self._next)
        try:
            self._write(state, segment)
        except (OSError, DocumentError, MemoryError) as error:
            with contextlib.suppress(OSError):
                segment.unlink(missing_ok=True)
            self._tell(error)
            return False
        self._last, self._told = now, False
        return True

    def close(self) -> None:
        """End the journal of a document that was saved or given up: nothing is left of it."""
        with contextlib.suppress(OSError):  # the description goes first: half a journal is not offered to anybody
            (self.place / DOCUMENT).unlink(missing_ok=True)
        self._lock.release()
        shutil.rmtree(self.place, ignore_errors=True)

    def _write(self, state: State, segment: Path) -> None:
        held: dict[int, _Held] = {}
        sizes = dict(self._sizes)
        stale = self._stale(state)
        with contextlib.ExitStack() as stack:
            file: BinaryIO | None = None

            def put(thing: Any, data: Callable[[], bytes | memoryview]) -> list[int]:
                nonlocal file
                known = held.get(id(thing)) or self._held.get(id(thing))
                if known is None or (known.blob.segment in stale and id(thing) not in held):
                    if file is None:
                        file = stack.enter_context(segment.open("wb"))
                    packed, checksum = self._packed(known, data)
                    known = _Held(thing, Blob(self._next, file.tell(), len(packed), checksum))
                    file.write(packed)
                held[id(thing)] = known
                blob = known.blob
                return [blob.segment, blob.offset, blob.length, blob.checksum]

            def plane(value: Plane) -> dict[str, Any]:
                tiles = [[*index, put(tile, lambda tile=tile: tile.data)] for index, tile in value.tiles.items()]
                return {"channels": value.channels, "depth": value.depth, "default": value.default, "tiles": tiles}

            document = describe(state, plane)
            attachments = {
                name: [len(data), put(data, lambda data=data: data)] for name, data in state.attachments.items()
            }
            if file is not None:
                sizes[self._next] = file.tell()
                file.flush()
                flush_to_disk(file.fileno())
        written = {
            "format": FORMAT,
            "title": self.title,
            "path": None if self.path is None else os.fsdecode(self.path),
            "time": time.time(),
            "document": document,
            "attachments": attachments,
        }
        data = json.dumps(written).encode()
        save_file(self.place / DOCUMENT, lambda out: out.write(data))
        used = {item.blob.segment for item in held.values()}
        self._held, self._sizes = held, {number: size for number, size in sizes.items() if number in used}
        self._next += 1
        for number in sizes.keys() - used:
            with contextlib.suppress(OSError):
                (self.place / SEGMENT.format(number)).unlink(missing_ok=True)

    def _stale(self, state: State) -> set[int]:
        """Name the segments of which this state needs less than half."""
        live = dict.fromkeys(self._sizes, 0)
        for key in {id(thing) for thing in _things(state)}:
            if (item := self._held.get(key)) is not None:
                live[item.blob.segment] += item.blob.length
        return {number for number, size in self._sizes.items() if live[number] * 2 < size}

    def _packed(self, known: _Held | None, data: Callable[[], bytes | memoryview]) -> tuple[bytes, int]:
        """Deflate something new, or take from its old segment what is deflated already."""
        if known is None:
            raw = data()
            return zlib.compress(raw, 1), zlib.crc32(raw)
        with (self.place / SEGMENT.format(known.blob.segment)).open("rb") as file:
            file.seek(known.blob.offset)
            return file.read(known.blob.length), known.blob.checksum

    def _tell(self, error: Exception) -> None:
        if self._told:
            return
        self._told = True
        cause = error if isinstance(error, OSError) else error.__cause__
        full = isinstance(cause, OSError) and is_full(cause)
        if full:
            self._warn(f"the disk is full, so that unsaved work of {self.title} is not kept; make room and save")
        else:
            why = reason(cause if isinstance(cause, Exception) else error)
            self._warn(f"unsaved work of {self.title} is not kept any more ({why}); save often")


def _things(state: State) -> Iterator[Any]:
    """Walk over all tiles and attached files of a document."""
    planes: list[Plane] = []
    describe(state, planes.append)
    for plane in planes:
        yield from plane.tiles.values()
    yield from state.attachments.values()


def as_array(data: bytes, plane: Plane) -> Any:
    """Return the tile of a plane that these bytes are.

    Raises:
        ValueError: there are too few or too many.
    """
    empty = plane.empty_tile()
    return np.frombuffer(data, plane.dtype).reshape(empty.shape)
