"""Where a tensor lies in a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlx_model.library.errors import Damaged


@dataclass(frozen=True)
class TensorEntry:
    """A tensor's name, number format (as its file calls it), shape (rows first) and place in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Headed:
    """What a header says; ``header`` are the file's bytes up to the first tensor."""

    entries: Sequence[TensorEntry]
    header: bytes
    metadata: Mapping[str, str]


class Sized(Protocol):
    """A file whose length is known and whose first bytes can be read."""

    @property
    def title(self) -> str:
        """The file in words."""
        ...

    @property
    def size(self) -> int:
        """The file's length in bytes."""
        ...

    def read(self, start: int, stop: int) -> bytes:
        """Read a few bytes."""
        ...


def checked_entry(entry: TensorEntry, source: Sized) -> TensorEntry:
    """Return the entry if it lies inside the file and has a name that can be shown; else raise Damaged."""
    if not 0 < len(entry.name) <= 512 or not entry.name.isprintable():
        raise Damaged(f"{source.title} has a tensor with an unusable name, {entry.name[:80]!r}")
    if not 0 <= entry.start <= entry.stop <= source.size:
        raise Damaged(f"{source.title} is cut short: the tensor {entry.name[:80]!r} would end at {entry.stop}")
    return entry
