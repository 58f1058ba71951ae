"""Where each part of a model is to come from: settled before a byte of it is fetched."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from mlx_model.library.catalogue import (
    Alternative,
    Catalogue,
    CatalogueFile,
    CatalogueModel,
    ConvertedPart,
    alternatives_of,
    quantization_of,
)
from mlx_model.library.download import record_file
from mlx_model.library.errors import Damaged, LibraryError, NotOnHub
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.progress import Work
from mlx_model.library.record import PartRecord, SourceRecord, content_of, records_in, whole_by_size
from mlx_model.places import reason
from mlx_model.weights.config import QuantizationConfig


@dataclass(frozen=True)
class LocalFile:
    """A released file on this machine.

    ``sha256`` is its digest where its place says so (a hub's cache), ``read`` what its bytes hashed to just now.
    """

    path: Path
    size: int
    sha256: str | None = None
    read: str | None = None

    @property
    def title(self) -> str:
        """The file in words."""
        return str(self.path)


Origin: TypeAlias = RemoteFile | LocalFile


@dataclass(frozen=True)
class Supply:
    """One part: the alternative, its files, each with where it comes from, and how they will be quantized.

    ``converter`` is what the converter calls the part.
    ``shared`` is another model's folder and its record of the same part, where there is one.
    """

    part: str
    alternative: Alternative
    files: tuple[tuple[CatalogueFile, Origin], ...]
    converter: ConvertedPart | None
    quantization: QuantizationConfig | None
    shared: tuple[Path, PartRecord] | None = None

    @property
    def size(self) -> int:
        """Bytes to read."""
        return sum(origin.size for _, origin in self.files)

    def same_as(self, record: PartRecord) -> bool:
        """Whether a record is of the same part, made of the same contents in the same way."""
        return (
            record.part == self.part
            and record.quantization == self.quantization
            and len(record.sources) == len(self.files)
            and all(
                _same_content(origin, source) for (_, origin), source in zip(self.files, record.sources, strict=True)
            )
        )


@dataclass(frozen=True)
class Choice:
    """What the person wants: alternatives by part, no gated repositories, nothing ready-made."""

    alternatives: Mapping[str, str] = field(default_factory=dict[str, str])
    without_account: bool = False
    convert_anyway: bool = False

    @property
    def leaves_ready_out(self) -> bool:
        """Whether a ready-made folder would not be what was asked for."""
        return self.convert_anyway or bool(self.alternatives)


def choose_supplies(
    hub: Hub,
    catalogue: Catalogue,
    model: CatalogueModel,
    choice: Choice,
    models: Path,
    work: Work,
    local: Mapping[str, Supply] | None = None,
) -> list[Supply]:
    """Settle where every part comes from; ``local`` are those that are on this machine already.

    A repository that is gone is passed over for the next one, which is told. One that wants an account is not: that
    is the person's choice.

    Raises:
        GatedRepository: the preferred repository of a part wants its licence accepted.
        LibraryError: a part cannot be had, or a chosen alternative does not exist.
    """
    if unknown := sorted(set(choice.alternatives) - set(model.family.parts)):
        parts = ", ".join(model.family.parts)
        raise LibraryError(f'{model.name} has no part "{unknown[0]}" to choose a source for; its parts are: {parts}')
    sizes = {source.size for _, record in records_in(models) for part in record.parts for source in part.sources}
    supplies: list[Supply] = []
    for part in model.family.parts:
        here = (local or {}).get(part)
        found = (
            supply_from_hub(hub, catalogue, model, part, choice, work) if here is None else _read(here, sizes, work)
        )
        supplies.append(with_shared(found, models, model.name))
    return supplies


def _read(supply: Supply, sizes: Set[int], work: Work) -> Supply:
    """Read those files whole that something here may have been made of already, by their size, to know if it was."""

    def known(origin: Origin) -> Origin:
        if isinstance(origin, RemoteFile) or origin.sha256 is not None or origin.size not in sizes:
            return origin
        work.meter.waits(f"{origin.path} is compared with what was imported before")
        try:
            return replace(origin, read=record_file(origin.path, origin.path.name, work.control).sha256)
        except OSError as error:
            raise LibraryError(
                f"{origin.path} cannot be read ({reason(error)}); check the disk it lies on"
            ) from error
        finally:
            work.meter.waits(None)

    return replace(supply, files=tuple((file, known(origin)) for file, origin in supply.files))


def with_shared(supply: Supply, models: Path, name: str) -> Supply:
    """Look for another model on this machine that has the same part already."""
    for folder, record in records_in(models):
        if record.name == name:
            continue
        for part in record.parts:
            if supply.same_as(part) and whole_by_size(part, folder):
                return replace(supply, shared=(folder, part))
    return supply


def _same_content(origin: Origin, source: SourceRecord) -> bool:
    """Whether a source of a record has the same content; where that is not known of one of them, it is another."""
    content = content_of(origin) if isinstance(origin, RemoteFile) else origin.sha256 or origin.read
    return content is not None and content == source.content


def can_do_without_account(catalogue: Catalogue, model: CatalogueModel) -> bool:
    """Whether every part of a model can be had from a repository that asks for no account."""
    return all(
        any(not alternative.gated for alternative in alternatives_of(catalogue, part, model.width_name))
        for part in model.family.parts
    )


def supply_from_hub(
    hub: Hub, catalogue: Catalogue, model: CatalogueModel, part: str, choice: Choice, work: Work
) -> Supply:
    """Settle where one part comes from; raises as :func:`choose_supplies`."""
    candidates = _candidates(catalogue, model, part, choice)
    for alternative in candidates:
        try:
            files = _described(hub, alternative, work)
        except NotOnHub as error:
            if alternative == candidates[-1]:
                raise
            work.note(f"{error}; the next source is tried")
            continue
        if alternative != candidates[0]:
            work.note(f"{catalogue.parts[part].title} comes from {alternative.repository}: {alternative.about}")
        described = catalogue.parts[part]
        return Supply(part, alternative, files, described.converter, quantization_of(described, model.width))
    raise LibraryError(f"no source is left for {catalogue.parts[part].title}; choose one with --source")


def _candidates(catalogue: Catalogue, model: CatalogueModel, part: str, choice: Choice) -> list[Alternative]:
    title, width = catalogue.parts[part].title, model.width_name
    if wanted := choice.alternatives.get(part):
        there = alternatives_of(catalogue, part, width, chosen_too=True)
        found = [alternative for alternative in there if alternative.name == wanted]
        if not found:
            names = ", ".join(alternative.name for alternative in there)
            raise LibraryError(f'{title} has no source "{wanted}" for {width}; there are: {names}')
        return found
    candidates = alternatives_of(catalogue, part, width)
    if choice.without_account:
        candidates = [alternative for alternative in candidates if not alternative.gated]
    else:  # a person who wants the official file is not handed another one in silence
        gated = next((i for i, alternative in enumerate(candidates) if alternative.gated), len(candidates))
        candidates = candidates[: gated + 1]
    if not candidates:
        raise LibraryError(f"{title} cannot be had for {width} without an account; leave out --without-account")
    return candidates


def _described(hub: Hub, alternative: Alternative, work: Work) -> tuple[tuple[CatalogueFile, RemoteFile], ...]:
    paths = [file.path for file in alternative.files]
    remotes = hub.describe(alternative.repository, paths, control=work.control)
    for file, remote in zip(alternative.files, remotes, strict=True):
        if file.sha256 is not None and remote.sha256 != file.sha256:
            raise NotOnHub(f"{remote.title} is not the file that the catalogue names: its sha256 is another")
    if alternative.gated:
        probe(hub, remotes[0], work)
    return tuple(zip(alternative.files, remotes, strict=True))


def probe(hub: Hub, file: RemoteFile, work: Work) -> None:
    """Ask for one byte: metadata of a gated repository is public, its contents are not.

    Raises:
        GatedRepository: its licence is not accepted, or there is no token.
        TokenRefused: the token is wrong or has expired.
    """
    try:
        hub.fetch(file, 0, min(1, file.size), lambda _: None, work.control)
    except Damaged as error:
        raise NotOnHub(str(error)) from error
