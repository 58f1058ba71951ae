"""Files that are whole or not there: written beside their place, safe on the disk before they take it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from mlx_model.places import is_folder, reason

from .errors import DocumentError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_LONGEST_NAME: Final = 50  # a name may have 255 bytes, and a letter up to four: what is added must fit as well
_ENDING: Final = "ace-part"
_YOUNGEST: Final = 60.0
"""Seconds: between making its file and locking it, a writer looks as if it were dead."""


def save_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a new file, then put it in the place of the old one.

    Where a symbolic link stands, the file that it points to is replaced. The new file has the permissions of the old
    one. Until the very end the old file is untouched, whatever happens to the disk, the program or the machine.

    Raises:
        DocumentError: it cannot be written; the old file is whole and nothing else is left behind.
    """
    try:
        place = Path(os.path.realpath(path))
        mode = _mode_of(place)
    except (OSError, ValueError) as error:
        raise _sentence(path, error) from error
    if mode is not None and not os.access(place, os.W_OK):
        raise DocumentError(f"{path.name} is write-protected; unlock it, or save under another name")
    _remove_leftovers(place)
    part = place.with_name(f".{place.name[:_LONGEST_NAME]}.{secrets.token_hex(4)}.{_ENDING}")
    try:
        try:
            with part.open("xb") as file:
                _lock(file.fileno())
                write(file)
                file.flush()
                if mode is not None:
                    os.fchmod(file.fileno(), mode)
                flush_to_disk(file.fileno())
                part.replace(place)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        flush_folder(place.parent)
    except (OSError, ValueError) as error:
        if isinstance(error, DocumentError):
            raise
        raise _sentence(path, error) from error


def is_full(error: OSError) -> bool:
    """Tell whether there was no room, rather than no permission or no disk."""
    return error.errno in _FULL


def flush_to_disk(descriptor: int) -> None:
    """Wait until a file's bytes are safe from a power cut.

    On macOS fsync only hands them to the drive, which may keep them in its own memory (fsync(2) there).
    """
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with contextlib.suppress(OSError):  # a network's disk may not know it
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)


def flush_folder(folder: Path) -> None:
    """Make a rename safe from a power cut; some file systems cannot, and the file itself is safe already."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _mode_of(place: Path) -> int | None:
    try:
        found = place.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found):
        raise DocumentError(f"{place} is not a file; save under another name")
    return stat.S_IMODE(found)


def _lock(descriptor: int) -> bool:
    """Take the lock that says "in work"; it goes with the process. Disks that cannot lock do without."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_leftovers(place: Path) -> None:
    """Remove what killed writers of this file left: old enough, and no longer locked."""
    name = re.compile(rf"\.{re.escape(place.name[:_LONGEST_NAME])}\.[0-9a-f]{{8}}\.{_ENDING}")
    with contextlib.suppress(OSError):
        for entry in os.scandir(place.parent):
            if name.fullmatch(entry.name) and time.time() - entry.stat(follow_symlinks=False).st_mtime > _YOUNGEST:
                with contextlib.suppress(OSError):
                    _remove_dead(Path(entry.path))


def _remove_dead(part: Path) -> None:
    descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if _lock(descriptor):
            part.unlink()
    finally:
        os.close(descriptor)


def _sentence(path: Path, error: Exception) -> DocumentError:
    name, folder, kind = path.name, path.parent, getattr(error, "errno", None)
    if kind in _FULL:
        return DocumentError(f"{name} could not be saved: the disk is full; make room or save on another disk")
    if kind in _FORBIDDEN:
        return DocumentError(
            f"{name} could not be saved: the folder {folder} may not be written to; choose another folder"
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not is_folder(folder):
        return DocumentError(f"{name} could not be saved: there is no folder {folder}; choose another folder")
    return DocumentError(f"{name} could not be saved: {reason(error)}; choose another name or folder")
