"""A model whose record cannot be used any more: its record is put together again from what can be known.

The folder's name and ``config.json`` say which model it is. What is kept as it comes is compared with the digests of
the hub, and only fetched where it differs. What was converted has no digest to compare with: it is known where
another model here has the very same files, is else taken as it is found if its headers are whole, or made again.
Nothing is deleted: what has to make room gets another name.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mlx_model.library.catalogue import (
    WRITTEN,
    Catalogue,
    CatalogueModel,
    alternatives_of,
    config_of,
    model_named,
    quantization_of,
)
from mlx_model.library.conversion import Convert
from mlx_model.library.disk import writing
from mlx_model.library.download import FileRecord, is_content_of, record_file
from mlx_model.library.errors import GatedRepository, LibraryError, NotOnHub, TokenRefused
from mlx_model.library.folders import RECORD
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.install import made_file, make_part, new_record
from mlx_model.library.progress import Work
from mlx_model.library.record import Finding, PartRecord, Record, records_in
from mlx_model.library.safe_paths import inside
from mlx_model.library.supply import Choice, Supply, supply_from_hub
from mlx_model.library.tensor_files import LocalSource, TensorFile
from mlx_model.places import exists, is_file
from mlx_model.request import RequestError
from mlx_model.weights.config import ModelConfig

SET_ASIDE: Final = ".set-aside"
"""What is added to the name of a file that had to make room."""
AS_FOUND: Final = "as found"
"""The alternative of a part of which nothing says any more what it was made of."""


def names_itself(folder: Path, catalogue: Catalogue) -> bool:
    """Whether a folder is a model of the catalogue by its own name and its config's."""
    try:
        return ModelConfig.load(folder).name == model_named(catalogue, folder.name).name
    except RequestError:
        return False


def rebuild(
    models: Path, folder: Path, catalogue: Catalogue, hub: Hub, convert: Convert, work: Work
) -> tuple[Record, list[Finding]]:
    """Return a record of the model in ``folder``, which is not saved yet, and what had to be mended.

    Raises:
        LibraryError: it is no model of the catalogue, or something is missing and cannot be fetched.
        Cancelled: the person cancelled; start again to go on.
    """
    model = model_named(catalogue, folder.name)
    findings = [Finding("config", RECORD, "could not be used")]
    config = _config(folder)
    if config is not None and config.name != model.name:
        raise LibraryError(
            f"{folder} holds {config.name} by its config.json; give the folder that name, then repair {config.name}"
        )
    if config is None:
        findings.append(Finding("config", "config.json", "could not be used"))
        set_aside(folder, "config.json")
        config = config_of(catalogue, model, "see record.json")
        with writing(folder, model.name):
            config.save(folder)
    record = new_record(catalogue, model)
    for part in model.family.parts:
        found = _known(models, folder, catalogue, model, part, work)
        if found is None:
            supply = _matching(folder, catalogue, model, part, hub, work)
            if supply is None:
                supply = supply_of(folder, catalogue, model, part, hub, work)
                names = (
                    _differing(folder, supply, work) if supply.alternative.kept else WRITTEN[str(supply.converter)]
                )
                findings += [Finding(part, name, "was missing or is not what it should be") for name in names]
                for name in names if supply.alternative.kept else ():
                    set_aside(folder, name)
                work.meter.expect_all(supply.size)
            found = make_part(supply, folder, config, hub, convert, work)
        record = record.with_part(found)
    return record.with_part(made_file(folder, "config.json")), findings


def supply_of(folder: Path, catalogue: Catalogue, model: CatalogueModel, part: str, hub: Hub, work: Work) -> Supply:
    """Settle where to get a part from, its record being lost: from where the config says, or the preferred place."""
    config = _config(folder)
    made_of = config.source if config is not None else ""
    named = [
        alternative.name
        for alternative in alternatives_of(catalogue, part, model.width_name, chosen_too=True)
        if f"{alternative.files[0].path} of {alternative.repository}" in made_of
    ]
    return supply_from_hub(hub, catalogue, model, part, Choice({part: named[0]} if named else {}), work)


def set_aside(folder: Path, name: str) -> None:
    """Give a file another name, if it is there."""
    path = inside(folder, name)
    number = 1
    while exists(fresh := path.with_name(f"{path.name}{SET_ASIDE}{'' if number == 1 else f'-{number}'}")):
        number += 1
    if is_file(path):
        with writing(folder, name):
            path.rename(fresh)


def _config(folder: Path) -> ModelConfig | None:
    try:
        return ModelConfig.load(folder)
    except RequestError:
        return None


def _known(
    models: Path, folder: Path, catalogue: Catalogue, model: CatalogueModel, part: str, work: Work
) -> PartRecord | None:
    """Describe a part that is here by another model's record of it, or if it was converted as it is found."""
    described = catalogue.parts[part]
    quantization = quantization_of(described, model.width)
    kept = [[str(file.target) for file in one.files] for one in described.alternatives if one.kept]
    for names in [*kept, WRITTEN.get(str(described.converter), ())]:
        files = _files(folder, names, work)
        for other, record in records_in(models):
            twin = record.part(part)
            if not files or other == folder or twin is None or twin.quantization != quantization:
                continue
            if _same(twin.files, files):
                return twin
        if files and not kept and all(_is_whole(folder, file) for file in files):
            work.note(f"{described.title} is taken as it is found: nothing says any more what it was made of")
            return PartRecord(part, AS_FOUND, quantization, False, (), files)
    return None


def _files(folder: Path, names: Sequence[str], work: Work) -> tuple[FileRecord, ...]:
    """Describe files that belong together; none where one of them is not there."""
    if not all(is_file(inside(folder, name)) for name in names):
        return ()
    return tuple(record_file(inside(folder, name), name, work.control) for name in names)


def _same(one: Sequence[FileRecord], other: Sequence[FileRecord]) -> bool:
    return {(file.path, file.sha256) for file in one} == {(file.path, file.sha256) for file in other}


def _is_whole(folder: Path, file: FileRecord) -> bool:
    """Whether a tensor file has a header that agrees with itself and with the file's length."""
    try:
        return bool(TensorFile(LocalSource(inside(folder, file.path))).entries)
    except (LibraryError, OSError):
        return False


def _matching(
    folder: Path, catalogue: Catalogue, model: CatalogueModel, part: str, hub: Hub, work: Work
) -> Supply | None:
    """Find the place on the hub that has the files that are here."""
    for alternative in alternatives_of(catalogue, part, model.width_name, chosen_too=True):
        names = [str(file.target) for file in alternative.files]
        if not alternative.kept or not all(is_file(inside(folder, name)) for name in names):
            continue
        try:
            supply = supply_from_hub(hub, catalogue, model, part, Choice({part: alternative.name}), work)
        except (NotOnHub, GatedRepository, TokenRefused):
            continue
        if not _differing(folder, supply, work):
            return supply
    return None


def _differing(folder: Path, supply: Supply, work: Work) -> list[str]:
    """List the files of a part that are not here as the hub has them."""
    return [
        str(file.target)
        for file, origin in supply.files
        for path in [inside(folder, str(file.target))]
        if not (is_file(path) and isinstance(origin, RemoteFile) and is_content_of(origin, path, work.control))
    ]
