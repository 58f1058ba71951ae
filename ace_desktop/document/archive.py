"""Zip files from anywhere: nothing is unpacked before its size, its name and its place are known to be sane."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from .errors import DocumentError

MAX_ENTRIES: Final = 20_000
MAX_BYTES: Final = 2**33
"""Of all entries together, unpacked."""
_MAX_RATIO: Final = 200
"""Text shrinks to a tenth, pictures are packed already; 1032 is what deflate can do at most."""
_SMALL: Final = 2**24
_KINDS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """An open zip file whose directory was found to be sane."""

    def __init__(self, file: BinaryIO | Path, name: str) -> None:
        """Read the directory; `name` is what errors call the file.

        Raises:
            DocumentError: it is no zip file, it is damaged, or it was made to do harm.
        """
        self.name = name
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
            raise _damaged(name) from error
        try:
            self.entries = {info.filename: info for info in self._zip.infolist() if not info.is_dir()}
            self._check()
        except BaseException:
            self._zip.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def read(self, path: str, limit: int = MAX_BYTES) -> bytes:
        """Unpack one entry of at most `limit` bytes.

        Raises:
            DocumentError: it is missing, too large or damaged.
        """
        info = self.entries.get(path)
        if info is None:
            raise DocumentError(f"{self.name} lacks its part {path}; use a copy")
        if info.file_size > limit:
            raise DocumentError(f"the part {path} of {self.name} is too large; this is not a file to open")
        try:
            with self._zip.open(info) as entry:
                data = entry.read(info.file_size + 1)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, zlib.error) as error:
            raise _damaged(self.name) from error
        if len(data) != info.file_size:
            raise _damaged(self.name)
        return data

    def _check(self) -> None:
        infos = self._zip.infolist()
        if len(infos) > MAX_ENTRIES:
            raise DocumentError(f"{self.name} has more than {MAX_ENTRIES} parts; this is not a file to open")
        if len({info.filename for info in infos}) != len(infos):
            raise DocumentError(f"{self.name} holds two parts of the same name; use a copy from where it was made")
        if any(not is_safe(info.filename) for info in infos):
            raise DocumentError(f"{self.name} holds parts with unsafe names; this is not a file to open")
        if any(info.flag_bits & 1 or info.compress_type not in _KINDS for info in infos):
            raise DocumentError(f"{self.name} is packed with a password or in a way that is not read; save it again")
        swollen = any(i.file_size > _SMALL and i.file_size > _MAX_RATIO * i.compress_size for i in infos)
        if swollen or sum(info.file_size for info in infos) > MAX_BYTES:
            raise DocumentError(f"{self.name} would unpack to far more than it should; this is not a file to open")
        end = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise DocumentError(f"{self.name} holds parts that overlap; this is not a file to open")
            end = info.header_offset + info.compress_size


def is_safe(path: str) -> bool:
    """Tell whether a name stays inside the archive wherever it is unpacked."""
    parts = path.removesuffix("/").split("/")
    return not (set(path) & {"\\", ":", "\0"} or any(part in ("", ".", "..") for part in parts))


def _damaged(name: str) -> DocumentError:
    return DocumentError(f"{name} is damaged or was cut short; use a copy, or open it in another program")
