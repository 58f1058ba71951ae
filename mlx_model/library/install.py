"""Install a model of the catalogue: part by part into ``NAME.installing``, which becomes ``NAME`` when it is whole.

What is killed or cancelled goes on where it stopped: parts that are done are written down in the record of the
half-made folder, files on their way have their journal, and the converter its own.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import mlx_model
from mlx_model.library.catalogue import Catalogue, CatalogueFile, CatalogueModel, config_of, part_bytes
from mlx_model.library.conversion import Convert, recorded
from mlx_model.library.disk import require_room, size_text, writing
from mlx_model.library.download import FileRecord, download, record_file
from mlx_model.library.errors import Damaged, LibraryError, NotOnHub
from mlx_model.library.folders import INSTALLING, RECORD
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.linking import link_or_copy
from mlx_model.library.lock import changing
from mlx_model.library.progress import Work
from mlx_model.library.ready_made import fetch_ready
from mlx_model.library.record import (
    RECORD_FORMAT,
    PartRecord,
    Record,
    SourceRecord,
    records_in,
    whole_by_size,
)
from mlx_model.library.safe_paths import inside
from mlx_model.library.supply import Choice, LocalFile, Origin, Supply, choose_supplies, with_shared
from mlx_model.library.tensor_files import LocalSource, RemoteSource, TensorFile
from mlx_model.places import exists, is_file
from mlx_model.weights.config import ModelConfig

CONVERSION_ROOM: Final = 300 << 20
"""What a conversion may need on the disk beside its result, in bytes."""
CONFIG_PART: Final = "config"


class LicenceNotAccepted(LibraryError):
    """A licence was not accepted; ``licences`` are the names in the catalogue of those that were not."""

    def __init__(self, message: str, licences: tuple[str, ...]) -> None:
        super().__init__(message)
        self.licences = licences


@dataclass(frozen=True)
class Order:
    """What to install, and where; ``accepted`` are the catalogue's names of the licences the person agreed to.

    ``local`` are parts whose released files are on this machine.
    """

    catalogue: Catalogue
    model: CatalogueModel
    models: Path
    accepted: frozenset[str] = frozenset()
    choice: Choice = field(default_factory=Choice)
    local: Mapping[str, Supply] = field(default_factory=dict[str, Supply])

    @property
    def folder(self) -> Path:
        """The model's folder, there once it is installed."""
        return self.models / self.model.name

    @property
    def half_made(self) -> Path:
        """The folder in which it is put together."""
        return self.models / (self.model.name + INSTALLING)


def install(order: Order, hub: Hub, convert: Convert, work: Work) -> Record:
    """Install a model, or go on with it; a model that is there is left alone.

    Raises:
        LicenceNotAccepted: a licence is not among those accepted.
        LibraryError: it cannot be installed now; the sentence says why, and what is done is kept.
        Cancelled: the person cancelled; what is done is kept.
    """
    require_licences(order)
    with changing(order.models, work):
        if (there := _installed(order)) is not None:
            asked = "; remove it first to take other sources" if order.choice != Choice() else ""
            work.note(f"{order.model.name} is installed already{asked}")
            return there
        half_made = order.half_made
        with writing(order.models, order.model.name):
            half_made.mkdir(exist_ok=True)
        try:
            record = _fetched_ready(order, hub, work) or _put_together(order, hub, convert, work)
        except BaseException:
            with suppress(OSError):  # what is in it is kept; with nothing in it nothing was begun
                half_made.rmdir()
            raise
        with writing(order.models, order.model.name):
            record.save(half_made)
            _drop_leftovers(half_made, record)
            half_made.replace(order.folder)
        return record


def require_licences(order: Order) -> None:
    """Raise LicenceNotAccepted, naming the licence, unless all of the model's are accepted."""
    missing = tuple(name for name in order.model.family.licences if name not in order.accepted)
    if missing:
        licence = order.catalogue.licences[missing[0]]
        use = "for non-commercial use only" if licence.non_commercial else "under its conditions"
        raise LicenceNotAccepted(
            f"{order.model.name} comes under the {licence.name} ({use}; {licence.page}), which has to be accepted "
            "first: start again with --yes once you have read it",
            missing,
        )


def make_part(
    supply: Supply, folder: Path, config: ModelConfig, hub: Hub, convert: Convert, work: Work
) -> PartRecord:
    """Bring one part into a folder: linked from another model, kept as it comes, or converted.

    Raises:
        LibraryError: as :func:`install`.
        Cancelled: as :func:`install`.
    """
    if supply.shared is not None:
        other, record = supply.shared
        with writing(folder, supply.part):
            for file in record.files:
                link_or_copy(inside(other, file.path), inside(folder, file.path))
        return record
    if supply.alternative.kept:
        files = tuple(_kept(file, origin, folder, hub, work) for file, origin in supply.files)
        checked = all(isinstance(origin, RemoteFile) or origin.sha256 is not None for _, origin in supply.files)
        sources = tuple(
            source_record(origin, sha256=made.sha256) for (_, origin), made in zip(supply.files, files, strict=True)
        )
        return PartRecord(supply.part, supply.alternative.name, None, checked, sources, files)
    return _converted(supply, folder, config, hub, convert, work)


def _converted(
    supply: Supply, folder: Path, config: ModelConfig, hub: Hub, convert: Convert, work: Work
) -> PartRecord:
    before, told = work.meter.done, 0
    is_remote = isinstance(supply.files[0][1], RemoteFile)

    def report(done: int, _: int) -> None:
        nonlocal told
        if is_remote:  # the bytes are counted as they come; this adds those of an earlier run
            work.meter.reached(before + done)
        else:
            work.meter.read(done - told)
        told = done

    work.meter.expect(supply.size, supply.files[0][0].path)
    tensors = [tensor_file(origin, hub, work) for _, origin in supply.files]
    if supply.converter is None:  # not from a catalogue that was read, which is checked
        raise LibraryError(f"{supply.part} cannot be converted; choose another source for it")
    with writing(folder, supply.part):
        made = convert(
            supply.converter, tensors, folder, config, supply.quantization, control=work.control, report=report
        )
    work.meter.reached(before + supply.size)
    return PartRecord(
        supply.part,
        supply.alternative.name,
        supply.quantization,
        made.digests_checked,
        tuple(
            source_record(origin, source.sha256, source.header_sha256)
            for (_, origin), source in zip(supply.files, made.sources, strict=True)
        ),
        tuple(FileRecord(file.name, file.size, file.sha256) for file in made.files),
    )


def tensor_file(origin: Origin, hub: Hub, work: Work) -> TensorFile:
    """Open the tensors of a released file, near or far."""
    if isinstance(origin, RemoteFile):
        return TensorFile(RemoteSource(hub, origin, work.control, work.meter))
    return TensorFile(LocalSource(origin.path, origin.sha256, work.control))


def source_record(origin: Origin, sha256: str | None = None, header_sha256: str | None = None) -> SourceRecord:
    """Write down where something is from."""
    sha256 = origin.sha256 or sha256
    if isinstance(origin, RemoteFile):
        return SourceRecord(origin.title, origin.size, sha256, header_sha256, remote=origin)
    return SourceRecord(origin.path.name, origin.size, sha256, header_sha256, path=str(origin.path))


def made_file(folder: Path, name: str, part: str = CONFIG_PART) -> PartRecord:
    """Record a file that this program wrote itself."""
    return PartRecord(part, "made here", None, True, (), (record_file(folder / name, name),))


def _kept(file: CatalogueFile, origin: Origin, folder: Path, hub: Hub, work: Work) -> FileRecord:
    name = file.target or file.path
    with writing(folder, origin.title):
        inside(folder, name).parent.mkdir(parents=True, exist_ok=True)
    target = inside(folder, name)
    if isinstance(origin, RemoteFile):
        made = download(hub, origin, target, control=work.control, meter=work.meter)
        return replace(made, path=name)
    with writing(folder, origin.title):
        link_or_copy(origin.path, target)
        made = record_file(target, name, work.control)
    work.meter.read(made.size)
    for promised in (file.sha256, origin.sha256):
        if promised is not None and promised != made.sha256:
            target.unlink()
            raise Damaged(f"{origin.path} is not the file that it should be: its sha256 is another; use another copy")
    return made


def _installed(order: Order) -> Record | None:
    """Return the record of the model if it is there and its files have their sizes."""
    folder = order.folder
    if not exists(folder):
        return None
    if not is_file(folder / RECORD):
        raise LibraryError(
            f"there is already a folder {folder} that `ace models` did not make; move it away, then start again"
        )
    record = Record.load(folder)
    if not all(whole_by_size(part, folder) for part in record.parts):
        raise Damaged(
            f"{order.model.name} is installed but damaged; mend it with: ace models repair {order.model.name}"
        )
    return record


def _fetched_ready(order: Order, hub: Hub, work: Work) -> Record | None:
    """Fetch the folder that the catalogue names for this model, if it names one and that is there."""
    ready = order.model.family.ready.get(order.model.width_name)
    if ready is None or order.choice.leaves_ready_out or order.local:
        return None
    if ready.gated and order.choice.without_account:
        return None
    try:
        return fetch_ready(hub, ready, order.model, order.half_made, order.models, work)
    except NotOnHub as error:
        work.note(f"{error}; the released files are fetched and converted instead")
        return None


def _put_together(order: Order, hub: Hub, convert: Convert, work: Work) -> Record:
    model, half_made = order.model, order.half_made
    record = _begun(order)
    supplies = choose_supplies(hub, order.catalogue, model, order.choice, order.models, work, order.local)
    missing = [supply for supply in supplies if not _is_done(supply, record, half_made)]
    _require_room(order, missing, record)
    work.meter.expect_all(sum(supply.size for supply in missing if supply.shared is None))
    config = config_of(order.catalogue, model, _sources_in_words(supplies))
    for supply in missing:
        work.control.checkpoint()
        # Another part of this very model may have brought it meanwhile, or an installation before this one did.
        record = record.with_part(
            make_part(with_shared(supply, order.models, model.name), half_made, config, hub, convert, work)
        )
        with writing(half_made, model.name):
            record.save(half_made)
            recorded(half_made)
    with writing(half_made, model.name):
        config.save(half_made)
        record = record.with_part(made_file(half_made, "config.json"))
    return record


def new_record(catalogue: Catalogue, model: CatalogueModel) -> Record:
    """Begin a model's record, with no part in it."""
    licences = tuple(catalogue.licences[name].name for name in model.family.licences)
    program = f"ace {mlx_model.__version__}"
    return Record(RECORD_FORMAT, model.name, model.family_name, model.width_name, program, licences, ())


def _begun(order: Order) -> Record:
    model = order.model
    fresh = new_record(order.catalogue, model)
    for folder, record in records_in(order.models):
        if folder == order.half_made and record.name == model.name:
            return replace(fresh, parts=record.parts)
    return fresh


def _is_done(supply: Supply, record: Record, folder: Path) -> bool:
    done = record.part(supply.part)
    return done is not None and supply.same_as(done) and whole_by_size(done, folder)


def _require_room(order: Order, missing: list[Supply], record: Record) -> None:
    catalogue, width, folder = order.catalogue, order.model.width, order.half_made
    made = [supply for supply in missing if supply.shared is None]
    needed = sum(
        part_bytes(catalogue, supply.part, width) if not supply.alternative.kept else supply.size
        for supply in made
        if not (supply.alternative.kept and isinstance(supply.files[0][1], LocalFile))
    )
    here = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if is_file(path))
    begun = max(0, here - record.size)
    beside = CONVERSION_ROOM if any(not supply.alternative.kept for supply in made) else 0
    if needed:
        what = f"{order.model.name} ({size_text(max(0, needed - begun))} still to be written)"
        require_room(order.models, max(0, needed - begun) + beside, what)


def _sources_in_words(supplies: list[Supply]) -> str:
    origins = [supply.files[0][1] for supply in supplies if not supply.alternative.kept]
    # The config is published with the model, so it names no folder of this machine.
    titles = [origin.title if isinstance(origin, RemoteFile) else origin.path.name for origin in origins]
    return "made of " + ", ".join(titles) if titles else "kept as released"


def _drop_leftovers(folder: Path, record: Record) -> None:
    """Delete what an earlier start left and this one did not use, such as a part from another source."""
    known = {folder / file.path for file in record.files} | {folder / RECORD}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in known:
            path.unlink()
