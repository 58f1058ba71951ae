"""Models that are installed: compare them with their records, mend them, remove them."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mlx_model.library.catalogue import (
    Alternative,
    Catalogue,
    CatalogueFile,
    config_of,
    model_named,
    models_of,
)
from mlx_model.library.conversion import Convert, recorded
from mlx_model.library.disk import writing
from mlx_model.library.download import FileRecord, unharmed
from mlx_model.library.download import repair as mend
from mlx_model.library.errors import Damaged, LibraryError, NotOnHub
from mlx_model.library.folders import INSTALLING, RECORD, is_plain_name
from mlx_model.library.hub import Hub
from mlx_model.library.install import CONFIG_PART, made_file, make_part
from mlx_model.library.linking import bytes_freed, link_or_copy, set_apart
from mlx_model.library.lock import changing
from mlx_model.library.progress import Meter, Work
from mlx_model.library.rebuild import names_itself, rebuild, set_aside, supply_of
from mlx_model.library.record import Finding, PartRecord, Record, records_in
from mlx_model.library.safe_paths import inside
from mlx_model.library.supply import LocalFile, Origin, Supply
from mlx_model.library.tensor_files import RemoteSource, TensorFile
from mlx_model.places import exists, is_file, is_folder, is_of_the_finder
from mlx_model.weights.config import ModelConfig

_UNDER_WAY: Final = (".converting", ".part", ".journal", ".new")
"""What stands behind the names of files that were being made when the program was killed."""


@dataclass(frozen=True)
class Removed:
    """What removing a model did: bytes freed, bytes that other models still use, and files that are not ours."""

    freed: int
    shared: int
    left: tuple[str, ...]


def installed_folder(models: Path, name: str) -> Path:
    """Return the folder of a model that `ace models` installed.

    Raises:
        LibraryError: there is none of that name, or it was not installed by this program.
    """
    folder = models / name
    if not is_plain_name(name) or not is_file(folder / RECORD):
        if is_plain_name(name) and is_folder(models / (name + INSTALLING)):
            raise LibraryError(f"{name} is only begun; go on with: ace models install {name}")
        there = sorted(record.name for path, record in records_in(models) if not path.name.endswith(INSTALLING))
        known = f"there are: {', '.join(there)}" if there else f"none is there in {models}"
        raise LibraryError(f'no model "{name}" was installed by `ace models`; {known}')
    return folder


def verify(folder: Path, record: Record, work: Work) -> list[Finding]:
    """Read all files of a model and compare them with its record.

    Raises:
        Cancelled: the person cancelled.
    """
    work.meter.expect_all(record.size)
    return [
        Finding(part.part, file.path, problem)
        for part in record.parts
        for file in part.files
        if (problem := _problem(folder, file, work)) is not None
    ]


def verify_sources(hub: Hub, record: Record, work: Work) -> list[Finding]:
    """Read the sources of a model again from the hub and compare their lengths, headers and digests with the record.

    Sources on this machine, and those of a folder that was fetched ready-made, are not read.

    Raises:
        LibraryError: a source cannot be read.
        Cancelled: the person cancelled.
    """
    sources = [
        (part, source, source.remote)
        for part in record.parts
        if part.made_here
        for source in part.sources
        if source.remote is not None
    ]
    work.meter.expect_all(sum(source.size for _, source, _ in sources))
    findings: list[Finding] = []
    for part, source, file in sources:
        work.meter.expect(source.size, source.title)
        remote = RemoteSource(hub, file, work.control, work.meter)
        try:
            header = TensorFile(replace(remote, meter=Meter())).header_sha256
            digest = hashlib.sha256()
            for data in remote.stream(0):
                digest.update(data)
        except Damaged as error:
            findings.append(Finding(part.part, source.title, str(error)))
            continue
        if source.header_sha256 not in (None, header):
            findings.append(Finding(part.part, source.title, "has another header than when it was converted"))
        elif source.sha256 not in (None, digest.hexdigest()):
            findings.append(Finding(part.part, source.title, "arrives with another sha256 than the hub listed"))
    return findings


def repair(models: Path, name: str, catalogue: Catalogue, hub: Hub, convert: Convert, work: Work) -> list[Finding]:
    """Mend what :func:`verify` finds and return that.

    Of a file that was kept as it came only the bad pieces are fetched, a part that was converted is made again; what
    another model has unharmed is taken from there. A record that cannot be used, or is gone, is put together again
    (see :mod:`mlx_model.library.rebuild`), the old one kept under another name.

    Raises:
        LibraryError: something cannot be mended; what was mended before stays so.
        Cancelled: the person cancelled; start again to go on.
    """
    with changing(models, work):
        if (lost := _without_record(models, name, catalogue)) is not None:
            record, findings = rebuild(models, lost, catalogue, hub, convert, work)
            set_aside(lost, RECORD)
            with writing(lost, name):
                record.save(lost)
                recorded(lost)
            return findings
        folder = installed_folder(models, name)
        record = Record.load(folder)
        findings = verify(folder, record, work)
        for part in record.parts:
            bad = {finding.path for finding in findings if finding.part == part.part}
            if bad:
                try:
                    mended = _mended(models, folder, record, part, bad, catalogue, hub, convert, work)
                except NotOnHub as error:
                    gone = str(error).removesuffix("; choose another source")
                    raise NotOnHub(f"{gone}; remove {name} and install it again from another source") from error
                record = record.with_part(mended)
                with writing(folder, name):
                    record.save(folder)
        with writing(folder, name):
            recorded(folder)
    return findings


def remove(models: Path, name: str, work: Work) -> Removed:
    """Delete a model's files, or what is there of one that was never finished.

    Files in its folder that this program did not put there stay.

    Raises:
        LibraryError: there is no such model of ours.
    """
    with changing(models, work), writing(models, name):
        freed = 0
        half_made = models / (name + INSTALLING)
        if "/" not in name and exists(half_made):
            freed = bytes_freed([path for path in half_made.rglob("*") if is_file(path)])
            shutil.rmtree(half_made)
            if not exists(models / name):
                return Removed(freed, 0, ())
        folder = installed_folder(models, name)
        record = Record.load(folder)
        recorded(folder)
        ours = [
            path
            for file in record.files
            for end in ("", *_UNDER_WAY)
            if is_file(path := inside(folder, file.path + end))
        ]
        freed += (own := bytes_freed(ours))
        shared = sum(path.stat().st_size for path in ours) - own
        # The config first: from then on no one takes the rest for a model; the record last, to go on from.
        for path in [*sorted(ours, key=lambda path: path.name != "config.json"), folder / RECORD]:
            path.unlink(missing_ok=True)
        for path in sorted(folder.rglob("*"), reverse=True):
            if is_of_the_finder(path) and is_file(path):
                path.unlink(missing_ok=True)
            elif path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
                path.rmdir()
        left = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()))
        if not left:
            folder.unlink() if folder.is_symlink() else folder.rmdir()  # it may have been moved to another disk
        return Removed(freed, shared, left)


def _without_record(models: Path, name: str, catalogue: Catalogue) -> Path | None:
    """Return the folder of a model of the catalogue whose record cannot be used or is gone."""
    if name not in {model.name for model in models_of(catalogue)} or not is_folder(folder := models / name):
        return None
    if not exists(folder / RECORD):
        return folder if names_itself(folder, catalogue) else None
    try:
        Record.load(folder)
    except Damaged as error:
        if isinstance(error.__cause__, OSError):  # it may be whole: a disk or its owner has the say
            raise
        return folder
    return None


def _problem(folder: Path, file: FileRecord, work: Work) -> str | None:
    path = inside(folder, file.path)
    work.meter.expect(file.size, file.path)
    try:
        if not is_file(path):
            problem = "is missing"
        elif (size := path.stat().st_size) != file.size:
            problem = f"has {size} bytes instead of {file.size}"
        else:
            problem = (
                None if unharmed(file, folder, work.control) else "has other contents than when it was installed"
            )
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    work.meter.read(file.size)
    return problem


def _mended(
    models: Path,
    folder: Path,
    record: Record,
    part: PartRecord,
    bad: set[str],
    catalogue: Catalogue,
    hub: Hub,
    convert: Convert,
    work: Work,
) -> PartRecord:
    """Mend the bad files of one part."""
    if part.part == CONFIG_PART and not part.files[0].source:
        work.note("config.json is written anew from the catalogue")
        _config(folder, catalogue, record).save(folder)
        return made_file(folder, "config.json")
    still_bad = [
        file for file in part.files if file.path in bad and not _taken_from_another(models, folder, file, work)
    ]
    if not still_bad:
        return part
    if all(file.source is not None for file in still_bad):
        return replace(part, files=tuple(_fetched(models, folder, f, still_bad, hub, work) for f in part.files))
    if _is_kept(part):
        _linked_again(folder, record, part, still_bad)
        made = part
    else:
        made = _made_again(folder, record, part, catalogue, hub, convert, work)
    for file in made.files:
        _give_to_others(models, folder, file)
    return made


def _is_kept(part: PartRecord) -> bool:
    """Whether a part's files are files of this machine as they were found."""
    return len(part.files) == len(part.sources) and all(
        source.path is not None and file.sha256 == source.sha256
        for file, source in zip(part.files, part.sources, strict=True)
    )


def _linked_again(folder: Path, record: Record, part: PartRecord, bad: list[FileRecord]) -> None:
    """Take the bad files of a part from where they were imported."""
    for file, source in zip(part.files, part.sources, strict=True):
        if file not in bad:
            continue
        if source.path is not None and is_file(path := Path(source.path)):
            with writing(folder, file.path):
                link_or_copy(path, inside(folder, file.path))
        if not unharmed(file, folder):
            raise LibraryError(
                f"{file.path} came from {source.path}, which is not there any more or has changed; bring it back, or "
                f"remove {record.name} and install it again"
            )


def _fetched(models: Path, folder: Path, file: FileRecord, bad: list[FileRecord], hub: Hub, work: Work) -> FileRecord:
    """Fetch the bad pieces of a file that was kept as it came."""
    if file not in bad:
        return file
    path = inside(folder, file.path)
    with writing(path.parent, file.path):
        if is_file(path):
            set_apart(path)  # its other names may be the person's own files
    local = replace(file, path=path.name)
    work.meter.expect_all(file.size)
    mended = replace(mend(hub, local, path.parent, control=work.control, meter=work.meter), path=file.path)
    _give_to_others(models, folder, mended)
    return mended


def _made_again(
    folder: Path, record: Record, part: PartRecord, catalogue: Catalogue, hub: Hub, convert: Convert, work: Work
) -> PartRecord:
    """Make a part that was converted once more from its sources."""
    described = catalogue.parts.get(part.part)
    if described is None or described.converter is None:
        raise LibraryError(
            f"the catalogue does not know {part.part} any more; remove {record.name} and install it again"
        )
    if not part.sources:  # its record was lost, and put together again
        model = model_named(catalogue, record.name)
        supply = supply_of(folder, catalogue, model, part.part, hub, work)
        work.note(f"{described.title} is made again")
        work.meter.expect_all(supply.size)
        return make_part(supply, folder, _config(folder, catalogue, record), hub, convert, work)
    files: list[tuple[CatalogueFile, Origin]] = []
    for source in part.sources:
        origin: Origin | None = source.remote
        if source.path is not None and is_file(path := Path(source.path)) and path.stat().st_size == source.size:
            origin = LocalFile(path, source.size, source.sha256)
        if origin is None:
            raise LibraryError(
                f"{part.part} was made from {source.path}, which is not there any more; bring it back, or remove "
                f"{record.name} and install it again"
            )
        files.append((CatalogueFile(source.title, source.size), origin))
    work.note(f"{described.title} is made again")
    alternative = Alternative(part.alternative, "", "original", "", "", tuple(file for file, _ in files))
    supply = Supply(part.part, alternative, tuple(files), described.converter, part.quantization)
    work.meter.expect_all(supply.size)
    try:
        return make_part(supply, folder, _config(folder, catalogue, record), hub, convert, work)
    except Damaged as error:
        here = [origin.path for _, origin in files if isinstance(origin, LocalFile)]
        if not here:
            raise
        raise Damaged(
            f"{part.part} was made from {here[0]}, which has other contents now; bring the file back, or remove "
            f"{record.name} and install it again"
        ) from error


def _config(folder: Path, catalogue: Catalogue, record: Record) -> ModelConfig:
    """Make a model's config anew, with the words about its source that it had, where they can be read."""
    try:
        source = ModelConfig.load(folder).source
    except ValueError:
        source = "see record.json"
    return config_of(catalogue, model_named(catalogue, record.name), source)


def _taken_from_another(models: Path, folder: Path, file: FileRecord, work: Work) -> bool:
    """Take a file from another model that has it unharmed, under whatever name."""
    for other, twin in _twins(models, folder, file):
        if unharmed(twin, other, work.control):
            with writing(folder, file.path):
                link_or_copy(inside(other, twin.path), inside(folder, file.path))
            work.note(f"{file.path} is taken from {other.name}")
            return True
    return False


def _give_to_others(models: Path, folder: Path, file: FileRecord) -> None:
    """Put a mended file in the place of its damaged twins in other models."""
    for other, twin in _twins(models, folder, file):
        if not unharmed(twin, other):
            with writing(other, twin.path):
                link_or_copy(inside(folder, file.path), inside(other, twin.path))


def _twins(models: Path, folder: Path, file: FileRecord) -> Iterator[tuple[Path, FileRecord]]:
    for other, record in records_in(models):
        if other != folder:
            for twin in record.files:
                if (twin.sha256, twin.size) == (file.sha256, file.size):
                    yield other, twin
