"""A model folder's ``record.json``: what each of its files is, and where it came from."""

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from mlx_model.library.disk import force_out
from mlx_model.library.download import FileRecord
from mlx_model.library.errors import Damaged
from mlx_model.library.folders import RECORD
from mlx_model.library.hub import RemoteFile
from mlx_model.library.safe_paths import safe_path
from mlx_model.places import is_file, is_folder
from mlx_model.request import RequestError
from mlx_model.typed_json import read_typed
from mlx_model.weights.config import QuantizationConfig

RECORD_FORMAT: Final = 1
RECORD_BYTES: Final = 16 << 20
"""The longest record that is read."""


@dataclass(frozen=True)
class SourceRecord:
    """A file that a part was made of: on the hub (``remote``) or on this machine (``path``).

    ``sha256`` is the digest of its content where that is known, ``header_sha256`` that of a tensor file's header.
    """

    title: str
    size: int
    sha256: str | None = None
    header_sha256: str | None = None
    remote: RemoteFile | None = None
    path: str | None = None

    @property
    def content(self) -> str | None:
        """What names the content: its digest, git's name for it, or its commit and path; None where nothing does."""
        return self.sha256 if self.remote is None else content_of(self.remote)


@dataclass(frozen=True)
class PartRecord:
    """A part: its files here, the alternative they came from, and how they were made.

    ``digests_checked`` says that every source was read in one go and had the sha256 that was promised.
    """

    part: str
    alternative: str
    quantization: QuantizationConfig | None
    digests_checked: bool
    sources: tuple[SourceRecord, ...]
    files: tuple[FileRecord, ...]

    @property
    def made_here(self) -> bool:
        """Whether its files were converted, not kept as they came."""
        return any(file.source is None for file in self.files) and bool(self.sources)


@dataclass(frozen=True)
class Finding:
    """A file that is not as it was recorded, and in words what is wrong with it."""

    part: str
    path: str
    problem: str


@dataclass(frozen=True)
class Record:
    """A whole ``record.json``; ``ready`` is the repository that it was fetched from whole, if it was."""

    format: int
    name: str
    family: str
    width: str
    program: str
    licences: tuple[str, ...]
    parts: tuple[PartRecord, ...]
    ready: str | None = None

    @property
    def files(self) -> Iterator[FileRecord]:
        """All files of the model's folder but the record."""
        for part in self.parts:
            yield from part.files

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(file.size for file in self.files)

    def with_part(self, part: PartRecord) -> Self:
        """Return the record with a part in the place of the one of that name, or behind the others."""
        others = [other for other in self.parts if other.part != part.part]
        return replace(self, parts=(*others, part))

    def part(self, name: str) -> PartRecord | None:
        """Return the part of that name."""
        return next((part for part in self.parts if part.part == name), None)

    def without_paths(self) -> Self:
        """Return the record without the places that its sources had on a machine."""
        parts = tuple(
            replace(part, sources=tuple(replace(source, path=None) for source in part.sources)) for part in self.parts
        )
        return replace(self, parts=parts)

    @classmethod
    def from_json(cls, text: str | bytes, where: str, what_to_do: str) -> Self:
        """Read a record; Damaged where it makes no sense or names a path outside its folder."""
        try:
            values: Any = json.loads(text)
            record: Self = read_typed(values, cls, RECORD)
            for file in record.files:
                safe_path(file.path)
                _check_digest(file.sha256)
            # As a Mac's disk compares them: neither case nor how an accent is written makes another name.
            names = [unicodedata.normalize("NFD", file.path.casefold()) for file in record.files]
            if record.format > RECORD_FORMAT or len(set(names)) != len(names) or RECORD in names:
                raise RequestError(f"{RECORD} is of a newer format, or names a file twice")
        except (ValueError, RecursionError) as error:  # RequestError is a ValueError
            raise Damaged(f"{where} cannot be used ({error}); {what_to_do}") from error
        return record

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``folder/record.json``.

        Raises:
            Damaged: it is not there, cannot be read or makes no sense.
        """
        path = folder / RECORD
        mend = f"mend it with: ace models repair {folder.name}"
        try:
            if path.stat().st_size > RECORD_BYTES:
                raise Damaged(f"{path} is too large to be a record; {mend}")
            text = path.read_bytes()
        except FileNotFoundError:
            raise Damaged(
                f"{folder} has no {RECORD}: it was not installed by `ace models`, so there is nothing to compare with"
            ) from None
        except OSError as error:
            raise Damaged(f"{path} cannot be read ({error.strerror}); check the disk, or who may read it") from error
        return cls.from_json(text, str(path), mend)

    def save(self, folder: Path) -> None:
        """Write ``folder/record.json``, whole or not at all."""
        write_whole(folder / RECORD, json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n")


def content_of(file: RemoteFile) -> str:
    """Name the content of a file on the hub."""
    return file.sha256 or file.blob or f"{file.repository}@{file.commit}/{file.path}"


def records_in(models: Path) -> Iterator[tuple[Path, Record]]:
    """Go through the readable records of a folder of models, those being installed included."""
    for path in sorted(models.glob(f"*/{RECORD}")) if is_folder(models) else ():
        try:
            yield path.parent, Record.load(path.parent)
        except Damaged:  # another model's trouble
            continue


def whole_by_size(record: PartRecord, folder: Path) -> bool:
    """Whether all files of a part are there with the size that they should have."""
    return all(is_file(path := folder / file.path) and path.stat().st_size == file.size for file in record.files)


def write_whole(path: Path, text: str) -> None:
    """Write a text file by rename, so that it is never there in part."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        force_out(file.fileno())
    fresh.replace(path)


def _check_digest(sha256: str) -> None:
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise RequestError(f"{RECORD} has an unusable sha256")
