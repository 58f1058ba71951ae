"""A document with the results of its edits: which project a file is, and what travels in a project file beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mlx_model.library.folders import file_digest
from mlx_model.places import reason
from mlx_model.request import RequestError

from .edit import project_of, with_project
from .errors import DocumentError, Warn, ignore
from .opening import open_document
from .openraster_write import Saved, write_openraster
from .result_files import own_entries
from .result_stores import ResultStores
from .state import State, new_id

_ID_LENGTH: Final = 32


def open_project(path: Path, stores: ResultStores, warn: Warn = ignore) -> State:
    """Open a file as `opening.open_document` does, and put the results that lie in it into their store.

    A file that is no project gets its id from its content, so that a photograph that is opened again has its results
    again.

    Raises:
        DocumentError: the document cannot be read. Results that cannot be put on the disk stay in the document.
    """
    state = open_document(path, warn)
    project = project_of(state)
    if project is None:
        project = _id_of(path)
        state = with_project(state, project)
    store = stores.claim(project)
    entries = {name: state.attachments[name] for name in own_entries(state.attachments)}
    if entries:
        try:
            store.take(entries)
        except DocumentError as error:
            warn(str(error))
            return state
        others = {name: data for name, data in state.attachments.items() if name not in entries}
        state = replace(state, attachments=MappingProxyType(others))
    return state


def save_project(
    path: Path, state: State, stores: ResultStores, before: Saved | None = None, copy: str | None = None
) -> Saved:
    """Save a document as `write_openraster` does, with the results of its project beside it.

    `copy`: it becomes a project of its own under this id, with all results; the one that it was keeps what it had.

    Raises:
        DocumentError: it cannot be saved, and is the project that it was.
    """
    project = project_of(state)
    if project is None:
        return write_openraster(path, state, before)
    store = stores.of(project)
    store.load()
    saved = write_openraster(path, with_project(state, copy or project), before, store.entries())
    if copy is not None:  # last, so that what edits make meanwhile goes along
        try:
            stores.part(project, copy)
        except OSError as error:
            raise DocumentError(
                f"{path.name} could not be saved: {reason(error)}; choose another name or folder"
            ) from error
    stores.claim(copy or project)
    return saved


def _id_of(path: Path) -> str:
    try:
        return file_digest(path)[:_ID_LENGTH]
    except RequestError:  # it was there a moment ago; nothing depends on this
        return new_id()
