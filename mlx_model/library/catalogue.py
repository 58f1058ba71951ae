"""What can be installed: the models, their parts, where each part can be had, and under which licence; free of MLX.

The data is ``resources/catalogue.json``, or the file that ACE_CATALOGUE names. It is read strictly: what is missing,
unknown, of the wrong kind or points out of a model's folder is an error that names it. A model is a family at a bit
width, such as ``ace-plus-fft-4bit``.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from mlx_model.library.errors import LibraryError
from mlx_model.library.safe_paths import safe_path
from mlx_model.places import home_expanded, reason
from mlx_model.request import RequestError
from mlx_model.tasks import TASKS
from mlx_model.typed_json import read_typed
from mlx_model.weights.config import (
    FORMAT,
    AutoencoderConfig,
    ClipConfig,
    LatentConfig,
    ModelConfig,
    PreviewConfig,
    PromptConfig,
    QuantizationConfig,
    SamplingConfig,
    SizeConfig,
    T5Config,
    TinyAutoencoderConfig,
    TransformerConfig,
)
from mlx_model.weights.policy import require_supported

CATALOGUE: Final = Path(__file__).resolve().parents[2] / "resources" / "catalogue.json"
CATALOGUE_FORMAT: Final = 1
WRITTEN: Final[Mapping[str, tuple[str, ...]]] = {
    "transformer": ("transformer.safetensors", "modulation.safetensors"),
    "t5": ("t5.safetensors",),
    "clip": ("clip.safetensors",),
    "autoencoder": ("autoencoder.safetensors",),
    "preview_decoder": ("preview_decoder.safetensors",),
}
"""The files that converting a part makes, by what the converter calls it."""
_NEEDED: Final = ("transformer", "t5", "clip", "autoencoder")
_OURS: Final = ("config.json", "record.json")

ConvertedPart: TypeAlias = Literal["transformer", "t5", "clip", "autoencoder", "preview_decoder"]
Layout: TypeAlias = Literal["original", "diffusers", "transformers", "fp8", "gguf", "kohya", "tokenizer"]


@dataclass(frozen=True)
class Licence:
    """A licence, and what is said of it before a download."""

    name: str
    non_commercial: bool
    page: str
    text: str


@dataclass(frozen=True)
class CatalogueFile:
    """A file of a repository. ``size`` is in bytes, as listings show it (exact where ``sha256`` stands beside it).

    ``target`` is where it lies in the model's folder; None where it is converted.
    """

    path: str
    size: int
    sha256: str | None = None
    target: str | None = None


@dataclass(frozen=True)
class Alternative:
    """One place to have a part from. ``widths`` limits it to these bit widths."""

    name: str
    repository: str
    layout: Layout
    licence: str
    about: str
    files: tuple[CatalogueFile, ...]
    gated: bool = False
    widths: tuple[str, ...] | None = None
    only_if_chosen: bool = False

    @property
    def kept(self) -> bool:
        """Whether its files lie in a model's folder as they are."""
        return all(file.target is not None for file in self.files)

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class CataloguePart:
    """A part, and where it can be had, the preferred place first; ``converter`` is what convert_part calls it."""

    title: str
    converter: ConvertedPart | None
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class Width:
    """A bit width: how the transformer and T5 are quantized, the bytes of both on disk, and memory in bytes.

    ``memory`` is the peak at 1024 x 1024 pixels with the text encoders read beside the transformer, ``memory_small``
    at 512 x 512 with the parts in turn.
    """

    quantization: QuantizationConfig | None
    t5_quantization: QuantizationConfig | None
    transformer_bytes: int
    t5_bytes: int
    memory: int
    memory_small: int


@dataclass(frozen=True)
class FamilyConfig:
    """What a ``config.json`` says that is the same at every bit width."""

    transformer: TransformerConfig
    autoencoder: AutoencoderConfig | TinyAutoencoderConfig
    latent: LatentConfig
    t5: T5Config
    clip: ClipConfig
    prompt: PromptConfig
    sampling: SamplingConfig
    size: SizeConfig
    preview: PreviewConfig


@dataclass(frozen=True)
class Ready:
    """A repository that holds a whole model folder in our own format, at its root."""

    repository: str
    about: str
    gated: bool = False


@dataclass(frozen=True)
class Family:
    """A released model at all bit widths; ``licences`` are to be accepted, ``parts`` are fetched in this order."""

    title: str
    note: str
    kind: Literal["fft", "fill"]
    licences: tuple[str, ...]
    tasks: tuple[str, ...]
    parts: tuple[str, ...]
    widths: tuple[str, ...]
    extra_memory: int
    config: FamilyConfig
    ready: Mapping[str, Ready] = field(default_factory=dict[str, Ready])


@dataclass(frozen=True)
class BuiltIn:
    """A model that comes with the program."""

    title: str
    note: str
    licence: str
    tasks: tuple[str, ...]
    memory: int


@dataclass(frozen=True)
class Catalogue:
    """The whole of it."""

    format: int
    licences: Mapping[str, Licence]
    widths: Mapping[str, Width]
    parts: Mapping[str, CataloguePart]
    families: Mapping[str, Family]
    built_in: Mapping[str, BuiltIn]


@dataclass(frozen=True)
class CatalogueModel:
    """A model to install: a family at a bit width."""

    name: str
    family_name: str
    family: Family
    width_name: str
    width: Width

    @property
    def memory(self) -> int:
        """Bytes of memory at 1024 x 1024 pixels."""
        return self.width.memory + self.family.extra_memory

    @property
    def memory_small(self) -> int:
        """Bytes of memory at 512 x 512 pixels, the parts in turn."""
        return self.width.memory_small + self.family.extra_memory


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read the catalogue.

    Raises:
        RequestError: it is not there, or something in it is wrong; the message names the place.
    """
    chosen = os.environ.get("ACE_CATALOGUE")
    path = path or (home_expanded(chosen) if chosen else CATALOGUE)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"the catalogue {path} cannot be read: {reason(error)}") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the catalogue {path} is not JSON ({error})") from error
    catalogue: Catalogue = read_typed(values, Catalogue, "the catalogue")
    _check(catalogue)
    return catalogue


def models_of(catalogue: Catalogue) -> tuple[CatalogueModel, ...]:
    """List the models that can be installed, each family's smallest first."""
    return tuple(
        CatalogueModel(f"{name}-{width}", name, family, width, catalogue.widths[width])
        for name, family in catalogue.families.items()
        for width in family.widths
    )


def model_named(catalogue: Catalogue, name: str) -> CatalogueModel:
    """Return the model of that name.

    Raises:
        LibraryError: there is none, or it comes with the program; the sentence lists those that there are.
    """
    if name in catalogue.built_in:
        raise LibraryError(f"{name} comes with the program; there is nothing to install")
    models = {model.name: model for model in models_of(catalogue)}
    if name not in models:
        raise LibraryError(f'there is no model "{name}" in the catalogue; there are: {", ".join(models)}')
    return models[name]


def alternatives_of(catalogue: Catalogue, part: str, width: str, *, chosen_too: bool = False) -> list[Alternative]:
    """List where a part can be had for a bit width, the preferred place first."""
    return [
        alternative
        for alternative in catalogue.parts[part].alternatives
        if (alternative.widths is None or width in alternative.widths)
        and (chosen_too or not alternative.only_if_chosen)
    ]


def quantization_of(part: CataloguePart, width: Width) -> QuantizationConfig | None:
    """Return how a part is quantized at a bit width; None is not at all."""
    if part.converter == "transformer":
        return width.quantization
    return width.t5_quantization if part.converter == "t5" else None


def part_bytes(catalogue: Catalogue, part: str, width: Width) -> int:
    """Return the bytes that a part will take on the disk, about."""
    sizes = {"transformer": width.transformer_bytes, "t5": width.t5_bytes}
    converter = catalogue.parts[part].converter
    return sizes.get(converter or "", catalogue.parts[part].alternatives[0].size)


def disk_bytes(catalogue: Catalogue, model: CatalogueModel) -> int:
    """Return the bytes that a model takes on the disk, about."""
    return sum(part_bytes(catalogue, part, model.width) for part in model.family.parts)


def download_bytes(catalogue: Catalogue, model: CatalogueModel) -> int:
    """Return the bytes that are fetched for a model from the preferred places, about."""
    return sum(alternatives_of(catalogue, part, model.width_name)[0].size for part in model.family.parts)


def config_of(catalogue: Catalogue, model: CatalogueModel, source: str) -> ModelConfig:
    """Make a model's ``config.json``; ``source`` says in words where its weights are from."""
    family = model.family
    values = {
        **asdict(family.config),
        "format": FORMAT,
        "name": model.name,
        "title": f"{family.title}, {model.width_name}",
        "kind": family.kind,
        "licence": "; ".join(catalogue.licences[name].name for name in family.licences),
        "source": source,
        "note": family.note,
        "quantization": None if model.width.quantization is None else asdict(model.width.quantization),
    }
    return ModelConfig.from_dict(values)


def _check(catalogue: Catalogue) -> None:
    """Raise RequestError where names do not meet, or a path or digest could do harm."""
    if catalogue.format != CATALOGUE_FORMAT:
        raise RequestError(
            f"the catalogue is of format {catalogue.format}, not {CATALOGUE_FORMAT}; update the program"
        )
    for name, part in catalogue.parts.items():
        if not part.alternatives:
            raise RequestError(f"the catalogue names no place to have {name} from")
        for alternative in part.alternatives:
            _check_alternative(catalogue, name, part, alternative)
        _different([alternative.name for alternative in part.alternatives], f"parts.{name}", "alternative")
    for name, width in catalogue.widths.items():
        _check_name(name)
        _check_width(name, width)
    for name, built_in in catalogue.built_in.items():
        _check_name(name)
        _known(catalogue.licences, (built_in.licence,), f"built_in.{name}", "licence")
        _known(TASKS, built_in.tasks, f"built_in.{name}", "task")
    for name, family in catalogue.families.items():
        _check_name(name)
        _check_family(catalogue, name, family)


def _check_width(name: str, width: Width) -> None:
    for field_name in ("quantization", "t5_quantization"):
        try:
            require_supported(getattr(width, field_name))
        except RequestError as error:
            raise RequestError(f"the catalogue's widths.{name}.{field_name} cannot be used: {error}") from error
    if min(width.transformer_bytes, width.t5_bytes, width.memory, width.memory_small) <= 0:
        raise RequestError(f"the catalogue's widths.{name} has a size that is not above 0")


def _check_family(catalogue: Catalogue, name: str, family: Family) -> None:
    where = f"families.{name}"
    _known(catalogue.licences, family.licences, where, "licence")
    _known(TASKS, family.tasks, where, "task")
    _known(catalogue.parts, family.parts, where, "part")
    _known(catalogue.widths, (*family.widths, *family.ready), where, "width")
    for what in ("tasks", "parts", "widths"):
        names: tuple[str, ...] = getattr(family, what)
        if not names:
            raise RequestError(f"the catalogue's {where} has no {what}")
        _different(names, where, what.removesuffix("s"))
    if family.extra_memory < 0:
        raise RequestError(f"the catalogue's {where} has an extra_memory below 0")
    converters = [catalogue.parts[part].converter for part in family.parts]
    if missing := [needed for needed in _NEEDED if needed not in converters]:
        raise RequestError(f'the catalogue has no part of the kind "{missing[0]}" in {where}')
    taken: dict[str, str] = dict.fromkeys(_OURS, "the program itself")
    for part in family.parts:
        for target in _targets(catalogue.parts[part]):
            if (other := taken.setdefault(target.casefold(), part)) != part:
                raise RequestError(f"the catalogue puts both {part} and {other} of {where} at {target}")
    for ready in family.ready.values():
        _check_repository(ready.repository, where)
    for width in family.widths:
        for part in family.parts:
            if not alternatives_of(catalogue, part, width):
                raise RequestError(f"the catalogue names no place to have {part} from for {name}-{width}")


def _targets(part: CataloguePart) -> set[str]:
    """List the files that a part may have in a model's folder."""
    kept = {file.target for one in part.alternatives for file in one.files if file.target is not None}
    return kept | set(WRITTEN[part.converter] if part.converter else ())


def _check_alternative(catalogue: Catalogue, name: str, part: CataloguePart, alternative: Alternative) -> None:
    where = f"parts.{name}.{alternative.name}"
    _known(catalogue.licences, (alternative.licence,), where, "licence")
    _known(catalogue.widths, alternative.widths or (), where, "width")
    _check_repository(alternative.repository, where)
    if not alternative.files or (part.converter is None and not alternative.kept):
        raise RequestError(f"the catalogue does not say where the files of {where} go")
    _different([file.path for file in alternative.files], where, "file")
    _different([file.target.casefold() for file in alternative.files if file.target], where, "target")
    for file in alternative.files:
        safe_path(file.path)
        if file.target is not None:
            safe_path(file.target)
        if (file.target is None) != (alternative.files[0].target is None):
            raise RequestError(f"the catalogue keeps some files of {where} and converts others")
        if file.size < 0 or (file.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", file.sha256)):
            raise RequestError(f"the catalogue has an unusable size or sha256 for {file.path} of {where}")


def _known(there: Mapping[str, object], names: tuple[str, ...], where: str, what: str) -> None:
    for name in names:
        if name not in there:
            raise RequestError(f'the catalogue has no {what} "{name}", which {where} names')


def _different(names: Sequence[str], where: str, what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f'the catalogue\'s {where} names the {what} "{name}" twice')


def _check_repository(repository: str, where: str) -> None:
    if not re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", repository, re.ASCII) or ".." in repository:
        raise RequestError(f"the catalogue has an unusable repository for {where}: {repository[:100]!r}")


def _check_name(name: str) -> None:
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,63}", name):
        raise RequestError(f"the catalogue has a model or width with an unusable name: {name[:100]!r}")
