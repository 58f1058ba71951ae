"""Opening whatever a person gives: what a file is, its first bytes say, not its name."""

from __future__ import annotations

from pathlib import Path

from mlx_model.places import is_file, is_folder, reason

from .errors import DocumentError, Warn, ignore
from .openraster_read import read_openraster
from .pictures import picture_document
from .state import State


def open_document(path: Path, warn: Warn = ignore) -> State:
    """Open a project (.ora), a Photoshop file or a picture; `warn` is told in a sentence what of it is not kept.

    Raises:
        DocumentError: there is no such file, or it cannot be read.
    """
    if is_folder(path):
        raise DocumentError(f"{path.name} is a folder; open a file inside it")
    if not is_file(path):
        raise DocumentError(f"there is no file {path}; it may have been moved or renamed")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise DocumentError(f"{path.name} cannot be opened: {reason(error)}; check its permissions") from error
    if start.startswith(b"PK"):
        return read_openraster(path, warn)
    if start == b"8BPS":
        from .psd_read import read_psd  # most people never open one, and the library takes long to load

        return read_psd(path, warn)
    return picture_document(path, warn)
