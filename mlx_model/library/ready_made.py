"""Fetch a model folder that someone has published in our own format, as ``ace models export`` writes it."""

from dataclasses import replace
from pathlib import Path

from mlx_model.library.catalogue import CatalogueModel, Ready
from mlx_model.library.disk import require_room, writing
from mlx_model.library.download import FileRecord, download
from mlx_model.library.errors import Damaged, LibraryError
from mlx_model.library.folders import RECORD
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.linking import link_or_copy
from mlx_model.library.progress import Work
from mlx_model.library.record import RECORD_BYTES, PartRecord, Record, records_in, whole_by_size
from mlx_model.library.safe_paths import inside
from mlx_model.library.supply import probe
from mlx_model.request import RequestError
from mlx_model.weights.config import ModelConfig


def fetch_ready(hub: Hub, ready: Ready, model: CatalogueModel, folder: Path, models: Path, work: Work) -> Record:
    """Bring all files that the published record names into ``folder``, and return the record of what is there.

    Raises:
        NotOnHub: the repository is not there.
        Damaged: it does not hold what its record says, or its record names paths that lead elsewhere.
        LibraryError: it is another model, or cannot be fetched.
    """
    published = _published(hub, ready, work)
    if (published.name, published.width) != (model.name, model.width_name):
        raise LibraryError(
            f"{ready.repository} holds {published.name}, not {model.name}; add --convert to make it here"
        )
    remotes = _described(hub, ready, published, work)
    if ready.gated:
        probe(hub, next(iter(remotes.values())), work)
    needed = sum(file.size for file in published.files if not inside(folder, file.path).exists())
    require_room(models, needed, model.name)
    work.meter.expect_all(published.size)
    parts = tuple(
        replace(part, files=_brought(hub, part, remotes, folder, models, model.name, work))
        for part in published.parts
    )
    try:
        config = ModelConfig.load(folder)
    except RequestError as error:
        raise Damaged(f"{ready.repository} holds no usable model ({error}); add --convert to make it here") from error
    if config.kind != model.family.kind:
        raise Damaged(f"{ready.repository} holds a model of another kind; add --convert to make it here")
    return replace(published, licences=tuple(published.licences), parts=parts, ready=ready.repository)


def _published(hub: Hub, ready: Ready, work: Work) -> Record:
    (file,) = hub.describe(ready.repository, [RECORD], control=work.control)
    if file.size > RECORD_BYTES:
        raise Damaged(f"{file.title} is too large to be a record; add --convert to make the model here")
    data = bytearray()
    hub.fetch(file, 0, file.size, data.extend, work.control)
    published = Record.from_json(bytes(data), file.title, "add --convert to make the model here")
    return published.without_paths()  # a stranger's record names no file of this machine


def _described(hub: Hub, ready: Ready, published: Record, work: Work) -> dict[str, RemoteFile]:
    files = list(published.files)
    if "config.json" not in {file.path for file in files}:
        raise Damaged(
            f"{ready.repository} has a {RECORD} without a config.json; add --convert to make the model here"
        )
    remotes = hub.describe(ready.repository, [file.path for file in files], control=work.control)
    for file, remote in zip(files, remotes, strict=True):
        if remote.size != file.size or remote.sha256 not in (None, file.sha256):
            raise Damaged(f"{remote.title} is not the file that its {RECORD} names; add --convert to make it here")
    return {remote.path: remote for remote in remotes}


def _brought(
    hub: Hub, part: PartRecord, remotes: dict[str, RemoteFile], folder: Path, models: Path, name: str, work: Work
) -> tuple[FileRecord, ...]:
    other = _twin(part, models, name)
    files: list[FileRecord] = []
    for file in part.files:
        remote = remotes[file.path]
        with writing(folder, remote.title):
            inside(folder, file.path).parent.mkdir(parents=True, exist_ok=True)
            target = inside(folder, file.path)
            if other is not None:
                link_or_copy(other / file.path, target)
                work.meter.found(file.size)
                files.append(replace(file, source=remote))
                continue
        made = download(hub, remote, target, control=work.control, meter=work.meter)
        if made.sha256 != file.sha256:
            target.unlink()
            raise Damaged(f"{remote.title} is not the file that its {RECORD} names; add --convert to make it here")
        files.append(replace(made, path=file.path))
    return tuple(files)


def _twin(part: PartRecord, models: Path, name: str) -> Path | None:
    """Return the folder of another model that has files of the same names and digests."""
    wanted = [(file.path, file.sha256) for file in part.files]
    for folder, record in records_in(models):
        there = record.part(part.part)
        if record.name == name or there is None or wanted != [(file.path, file.sha256) for file in there.files]:
            continue
        if whole_by_size(there, folder):
            return folder
    return None
