"""Paths that others wrote, checked before anything is read or written at them."""

from pathlib import Path, PurePosixPath
from typing import Final

from mlx_model.library.errors import LibraryError

_RESERVED: Final = frozenset('<>:"|?*\\')


def safe_path(text: str) -> PurePosixPath:
    """Return a relative path of plain names, as catalogues and repositories use them.

    Raises:
        LibraryError: the path could lead out of the folder it is for, or has names that not every disk takes.
    """
    names = text.split("/")
    plain = all(
        name not in ("", ".", "..")
        and len(name.encode("utf-8", "surrogatepass")) <= 200
        and name.isprintable()
        and not _RESERVED.intersection(name)
        and not name.endswith((" ", "."))
        for name in names
    )
    if not plain or len(text) > 1000:
        raise LibraryError(f"the path {text[:100]!r} is not a plain path inside a model's folder; it is not used")
    return PurePosixPath(text)


def inside(folder: Path, text: str) -> Path:
    """Return ``folder/text``; LibraryError where that lies, links followed, outside of the folder."""
    path = folder / safe_path(text)
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise LibraryError(f"the path {text[:100]!r} leads out of {folder}; it is not used")
    return path
