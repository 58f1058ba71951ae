"""What journals were left by processes that did not end as they should, and the documents in them."""

from __future__ import annotations

import json
import os
import shutil
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from .description import MAX_PIXELS, restored, whole
from .errors import DocumentError
from .journal import DOCUMENT, FORMAT, LOCK, SEGMENT, as_array
from .plane import Pixels, Plane
from .state import State

_YOUNGEST: Final = 60.0
"""Seconds in which a journal that has no description yet may still get one."""
_LONGEST_BLOB: Final = 2**31


@dataclass(frozen=True)
class Recoverable:
    """A document that can be had back: where it was saved (None: never), and when it was journalled (Unix time)."""

    place: Path
    title: str
    path: Path | None
    time: float


def recoverable(folder: Path) -> list[Recoverable]:
    """List the documents whose process is gone, newest first; remains without a document are removed."""
    found: list[Recoverable] = []
    for place in _places(folder):
        if not _abandoned(place):
            continue
        try:
            held = _read(place)
            path = held["path"]
            item = Recoverable(place, str(held["title"]), None if path is None else Path(path), float(held["time"]))
            found.append(item)
        except FileNotFoundError:
            _remove_old(place)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue  # not ours to read, and not ours to throw away
    return sorted(found, key=lambda item: item.time, reverse=True)


def recover(item: Recoverable) -> State:
    """Read the document back. Its journal stays until `discard`: first write the new journal, then discard this one.

    Raises:
        DocumentError: the journal is damaged, or of a later version.
    """
    try:
        held = _read(item.place)
        if held["format"] != FORMAT:
            raise DocumentError(f"the unsaved work of {item.title} was kept by another version; open it in that one")
        blobs = _Blobs(item.place)
        attachments = {str(n): blobs.read(where, whole(size, 0)) for n, (size, where) in held["attachments"].items()}
        return restored(held["document"], blobs.plane, attachments)
    except DocumentError:
        raise
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        zlib.error,
        RecursionError,
    ) as error:
        raise DocumentError(
            f"the unsaved work of {item.title} is damaged; open the file as it was saved last"
        ) from error


def thumbnail(item: Recoverable) -> Pixels:
    """Draw the document small, at most 256 pixels a side, h x w x 4 RGBA.

    Raises:
        DocumentError: as `recover`.
    """
    from .compose import compose  # the list itself needs no OpenCV
    from .openraster_write import thumbnail_of

    return thumbnail_of(compose(recover(item)))


def discard(item: Recoverable) -> None:
    """Throw the journal away; one that a living process has taken up is left alone."""
    if _abandoned(item.place):
        (item.place / DOCUMENT).unlink(missing_ok=True)
        shutil.rmtree(item.place, ignore_errors=True)


class _Blobs:
    """The segments of one journal."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.tiles: dict[tuple[Any, ...], Any] = {}

    def read(self, where: Any, size: int) -> bytes:
        """Inflate a blob that must have this size."""
        segment, offset, length, checksum = (whole_number(value) for value in where)
        if size > _LONGEST_BLOB:
            raise ValueError("size")
        with (self.place / SEGMENT.format(segment)).open("rb") as file:
            file.seek(offset)
            inflate = zlib.decompressobj()
            data = inflate.decompress(file.read(length), size + 1)
        if len(data) != size or zlib.crc32(data) != checksum:
            raise ValueError("damaged")
        return data

    def plane(self, value: Any) -> Plane:
        """Make a plane; what was shared between planes is shared again."""
        channels, depth, default = (whole(value[name], 0) for name in ("channels", "depth", "default"))
        if channels not in (1, 4) or depth not in (8, 16) or default >= 2**depth:
            raise ValueError("plane")
        empty = Plane(channels, depth, default)
        size = empty.empty_tile().nbytes
        if len(value["tiles"]) > MAX_PIXELS:
            raise ValueError("tiles")
        tiles: dict[tuple[int, int], Any] = {}
        for row, column, where in value["tiles"]:
            key = (channels, depth, *where)
            if key not in self.tiles:
                self.tiles[key] = as_array(self.read(where, size), empty)
            tiles[whole(row), whole(column)] = self.tiles[key]
        return empty.with_tiles(tiles)


def whole_number(value: Any) -> int:
    """Return a number of bytes, which may be larger than what documents count.

    Raises:
        ValueError: it is none.
    """
    if type(value) is not int or value < 0:
        raise ValueError("a number is missing")
    return value


def _places(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _abandoned(place: Path) -> bool:
    """Tell whether no living process holds the journal."""
    lock = FileLock(place / LOCK, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError, NotImplementedError):
        return False
    lock.release()
    return True


def _read(place: Path) -> dict[str, Any]:
    held = json.loads((place / DOCUMENT).read_bytes())
    if not isinstance(held, dict):
        raise ValueError("no description")
    return held


def _remove_old(place: Path) -> None:
    try:
        if time.time() - place.stat().st_mtime > _YOUNGEST:
            shutil.rmtree(place, ignore_errors=True)
    except OSError:
        return
