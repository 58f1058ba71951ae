"""What models are here, what could be fetched, and what of it suits this machine; no Qt, and slow: it reads disks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlx_model.library.catalogue import (
    Catalogue,
    CatalogueModel,
    Licence,
    alternatives_of,
    disk_bytes,
    download_bytes,
    load_catalogue,
    models_of,
)
from mlx_model.library.disk import RESERVE, free_bytes
from mlx_model.library.folders import DEFAULT_MODEL, INSTALLING, RECORD, installed_models, lacking
from mlx_model.library.linking import bytes_freed
from mlx_model.library.recommendation import memory_bytes, recommended, usable_bytes
from mlx_model.places import exists, is_file
from mlx_model.request import RequestError
from mlx_model.weights.config import ModelConfig

BUILT_IN = DEFAULT_MODEL


@dataclass(frozen=True)
class Machine:
    """Bytes of this machine: its memory, what of it a model may use, and what is free on the models' disk."""

    memory: int
    usable: int
    free: int


@dataclass(frozen=True)
class HereModel:
    """A model that is here. `frees` are the bytes that deleting it makes free; `config` is None where it is damaged.

    `removable` is false of what comes with the program or was not installed by it.
    """

    name: str
    title: str
    note: str
    kind: str
    tasks: tuple[str, ...]
    folder: Path
    bytes: int
    frees: int
    config: ModelConfig | None
    removable: bool

    @property
    def built_in(self) -> bool:
        """Whether it comes with the program."""
        return self.name == BUILT_IN


@dataclass(frozen=True)
class OfferedModel:
    """A full model of the catalogue at one bit width; sizes in bytes.

    `fits` is "at ease" (1024 x 1024 pixels), "small" (about 512 x 512) or "no". `begun`: a part of it is here.
    """

    name: str
    width: str
    download: int
    disk: int
    memory: int
    memory_small: int
    fits: str
    recommended: bool
    begun: bool
    here: bool


@dataclass(frozen=True)
class OfferedFamily:
    """A released model at all its bit widths, the smallest first.

    `account`: its owner wants an account; `otherwise`: all of it can be had without one, from others.
    """

    name: str
    title: str
    note: str
    kind: str
    tasks: tuple[str, ...]
    licences: tuple[Licence, ...]
    account: bool
    otherwise: bool
    models: tuple[OfferedModel, ...]

    @property
    def recommended(self) -> OfferedModel | None:
        """The width that suits this machine."""
        return next((model for model in self.models if model.recommended), None)


@dataclass(frozen=True)
class Shelf:
    """All of it; `problem` says why the catalogue or the folder could not be read, in the library's words."""

    folder: Path
    machine: Machine
    here: tuple[HereModel, ...]
    families: tuple[OfferedFamily, ...]
    problem: str = ""


def look(folder: Path) -> Shelf:
    """Look through the folder of models, the built-in ones and the catalogue; what is damaged there is said."""
    memory = memory_bytes()
    try:
        free = free_bytes(folder)
    except OSError:
        free = 0
    machine = Machine(memory, usable_bytes(memory), max(free - RESERVE, 0))
    try:
        catalogue, problem = load_catalogue(), ""
    except RequestError as error:
        catalogue, problem = None, str(error)
    here = _here(folder, catalogue)
    families = () if catalogue is None else _families(folder, catalogue, machine, {model.name for model in here})
    return Shelf(folder, machine, here, families, problem)


def _here(folder: Path, catalogue: Catalogue | None) -> tuple[HereModel, ...]:
    families = {} if catalogue is None else {model.name: model.family for model in models_of(catalogue)}
    found: list[HereModel] = []
    for model in installed_models(folder):
        family = families.get(model.name)
        config = None if lacking(model.folder) else model.config
        built_in = None if catalogue is None else catalogue.built_in.get(model.name)
        files = [path for path in model.folder.rglob("*") if is_file(path)]
        found.append(
            HereModel(
                model.name,
                built_in.title if built_in else config.title if config else model.name,
                built_in.note if built_in else config.note if config else "",
                config.kind if config else "",
                built_in.tasks if built_in else family.tasks if family else (),
                model.folder,
                model.bytes,
                bytes_freed(files),
                config,
                exists(model.folder / RECORD),
            )
        )
    damaged = [
        name for name in families if exists(folder / name / RECORD) and not exists(folder / name / "config.json")
    ]
    found += [HereModel(name, name, "", "", (), folder / name, 0, 0, None, True) for name in damaged]
    return tuple(sorted(found, key=lambda model: not model.built_in))


def _families(folder: Path, catalogue: Catalogue, machine: Machine, here: set[str]) -> tuple[OfferedFamily, ...]:
    made: list[OfferedFamily] = []
    for name, family in catalogue.families.items():
        models = [model for model in models_of(catalogue) if model.family_name == name]
        best = recommended(models, machine.memory)
        offered = tuple(
            OfferedModel(
                model.name,
                model.width_name,
                download_bytes(catalogue, model),
                disk_bytes(catalogue, model),
                model.memory,
                model.memory_small,
                _fits(model, machine),
                best is not None and best.model.name == model.name,
                exists(folder / (model.name + INSTALLING)),
                model.name in here,
            )
            for model in models
        )
        licences = tuple(catalogue.licences[licence] for licence in family.licences)
        places = [alternatives_of(catalogue, part, models[0].width_name) for part in family.parts]
        account = any(alternatives[0].gated for alternatives in places)
        otherwise = account and all(any(not one.gated for one in alternatives) for alternatives in places)
        made.append(
            OfferedFamily(
                name, family.title, family.note, family.kind, family.tasks, licences, account, otherwise, offered
            )
        )
    return tuple(made)


def _fits(model: CatalogueModel, machine: Machine) -> str:
    if model.memory <= machine.usable:
        return "at ease"
    return "small" if model.memory_small <= machine.usable else "no"
