"""Room on the disk: asked for before a download, watched during it."""

import errno
import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mlx_model.library.errors import DiskFull, LibraryError

RESERVE: Final = 256 << 20
"""Bytes that are left free for everything else on the machine."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def free_bytes(folder: Path) -> int:
    """Count the bytes that are free on the disk that holds, or would hold, a folder."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_room(folder: Path, needed: int, what: str, reserve: int = RESERVE) -> None:
    """Raise DiskFull, with the numbers, unless ``needed`` bytes and the reserve are free."""
    free = free_bytes(folder)
    if needed > 0 and free < needed + reserve:
        raise DiskFull(
            f"{what} needs {size_text(needed + reserve)}, but only {size_text(free)} are free on the disk of "
            f"{folder}; make room, or set ACE_MODELS to a folder on another disk"
        )


def force_out(*descriptors: int) -> None:
    """Bring what was written to open files onto the disk, so that a power cut cannot take it.

    On macOS ``fsync`` ends in the disk's own memory, which is emptied for all files together.
    """
    for descriptor in descriptors:
        os.fsync(descriptor)
    if descriptors and (command := getattr(fcntl, "F_FULLFSYNC", None)) is not None:
        with suppress(OSError):  # a disk of the network, or one that does not know this
            fcntl.fcntl(descriptors[-1], command)


@contextmanager
def writing(folder: Path, what: str) -> Generator[None]:
    """Turn a disk that is full, read-only or gone into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                f"the disk of {folder} is full; make room and start again, what is already here of {what} is kept"
            ) from error
        raise LibraryError(f"{what} cannot be kept in {folder} ({error.strerror or error})") from error


def size_text(size: float) -> str:
    """Write a number of bytes as people read it (powers of 1000, as disks are sold)."""
    for unit, digits in (("bytes", 0), ("kB", 0), ("MB", 1)):
        if size < 1000:
            return f"{size:.{digits}f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
