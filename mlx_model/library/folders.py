"""Where models lie on this machine, how they are found by name, and what names them by content."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlx_model.places import home_expanded, is_file, is_folder, is_of_the_finder, reason
from mlx_model.request import RequestError
from mlx_model.weights.config import ModelConfig

DEFAULT_MODEL: Final = "pocket"
BUILT_IN: Final = Path(__file__).resolve().parents[2] / "resources" / "models"
RECORD: Final = "record.json"
"""What says of an installed model where its files came from; it is no part of what the model is."""
INSTALLING: Final = ".installing"
"""What the folder of a model is called, after its name, while it is being put together."""
_WHOLE_BYTES: Final = 64 << 20
_SAMPLES: Final = 256
_SAMPLE_BYTES: Final = 64 << 10


@dataclass(frozen=True)
class InstalledModel:
    """A model that is here, or what is wrong with its folder."""

    name: str
    folder: Path
    bytes: int
    config: ModelConfig | None
    problem: str | None = None


def models_folder() -> Path:
    """Return the folder that models are installed into: ACE_MODELS, or a place of the user's own."""
    if chosen := os.environ.get("ACE_MODELS"):
        return home_expanded(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ACE Desktop" / "models"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "ace-desktop" / "models"


def installed_models(models: Path | None = None) -> list[InstalledModel]:
    """List the models that are here, installed ones first; a name that comes twice is the first one's.

    ``models`` is the folder of installed models, unless it is that of :func:`models_folder`.
    """
    found: dict[str, InstalledModel] = {}
    for folder in _model_folders(models):
        if folder.name in found:
            continue
        size = sum(path.stat().st_size for path in folder.rglob("*") if is_file(path))
        try:
            found[folder.name] = InstalledModel(folder.name, folder, size, ModelConfig.load(folder))
        except RequestError as error:
            found[folder.name] = InstalledModel(folder.name, folder, size, None, str(error))
    return list(found.values())


def lacking(folder: Path) -> str | None:
    """Say what a model's files lack by the sizes in its record, without reading them; None: nothing to be seen.

    Where there is no record that can be read, as with a built-in model, nothing is known to lack. Only what is asked
    for here is read of it, so that listing models does not load the client of the hub.
    """
    try:
        record = json.loads((folder / RECORD).read_bytes())
        for name, size in [(file["path"], file["size"]) for part in record["parts"] for file in part["files"]]:
            if not is_file(folder / name):
                return f"{name} is missing"
            if (there := (folder / name).stat().st_size) != size:
                return f"{name} has {there} bytes instead of {size}"
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return None


def find_model(name: str | None = None, home: Path | None = None) -> Path:
    """Return the folder of a model by its name or by the path of its folder; None means the built-in one.

    A path counts from ``home``, which is the current folder unless it is given.

    Raises:
        RequestError: there is no such model, or not all of it; the sentence says what to do.
    """
    name = DEFAULT_MODEL if name is None else name
    for folder in _model_folders():
        if folder.name == name:
            return folder
    path = (home or Path()) / home_expanded(name)
    if name and is_file(path / "config.json"):
        return path
    if is_plain_name(name):
        require_whole(models_folder(), name)
    known = ", ".join(model.name for model in installed_models())
    there = f"there are: {known}" if known else f"none is installed in {models_folder()}"
    raise RequestError(f'there is no model "{name}"; {there}; `ace models list` shows what can be installed')


def is_plain_name(name: str) -> bool:
    """Whether a name can be that of a folder of a model, and no path."""
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def require_whole(models: Path, name: str) -> None:
    """Raise RequestError, saying how to go on, where only a part of a model is in the folder of models."""
    if is_file(models / name / RECORD):
        if not is_file(models / name / "config.json"):
            raise RequestError(f"{name} is damaged (it has no config.json); mend it with: ace models repair {name}")
    elif is_folder(models / (name + INSTALLING)):
        raise RequestError(f"{name} is only begun; go on with: ace models install {name}")


def model_digest(folder: Path) -> str:
    """Name a model by its content: one sha256 over its config, tensors and tokenizers (see :func:`file_digest`).

    Raises:
        RequestError: one of its files cannot be read.
    """
    state = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        is_part = path.suffix in (".json", ".safetensors", ".txt") and path != folder / RECORD
        if is_part and not is_of_the_finder(path) and is_file(path):
            named = f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n"
            state.update(named.encode("utf-8", "surrogateescape"))
    return state.hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file up to 64 MiB; of a larger one that of its size and 256 blocks spread over it.

    Raises:
        RequestError: it cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= _WHOLE_BYTES:
                return hashlib.sha256(file.read()).hexdigest()
            state = hashlib.sha256(str(size).encode())
            for index in range(_SAMPLES):
                file.seek(index * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                state.update(file.read(_SAMPLE_BYTES))
            return state.hexdigest()
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {reason(error)}; check who may read it") from error


def _model_folders(models: Path | None = None) -> Iterator[Path]:
    for place in (models or models_folder(), BUILT_IN):
        if is_folder(place):
            found = sorted(path.parent for path in place.glob("*/config.json"))
            yield from (folder for folder in found if not folder.name.endswith(INSTALLING))
