"""What the program remembers of its user's choices, as one JSON file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

log = logging.getLogger(__name__)

RECENT = 12
_WRITE_MS = 500
_MOST = 2**20
_MOST_BYTES = 2**50
CHOICES: Mapping[str, tuple[str, ...]] = {
    "theme": ("system", "light", "dark"),
    "precision": ("automatic", "float32", "bfloat16"),
}
"""Settings that are one of a few words, the default first."""


@dataclass(frozen=True)
class Settings:
    """Every choice and its default.

    `autosave_seconds` 0 means never; `shortcuts` holds what differs, by action. `model` is the one that new pictures
    are edited with; `models_folder` "" is the usual place; `memory_limit`, in bytes, 0 is what suits the machine;
    `precision` is what models compute in; `idle_minutes` is how long a model stays loaded with nothing to do, 0 means
    always. `results_budget` is the bytes that the results of one project may take. `instructions` were run before,
    the last first; `presets` are words that the user keeps, by label. `edit_details`: what stands under "More" is
    open; `show_frame`: what the model will see is shown on the canvas.
    """

    theme: str = "system"
    language: str = "system"
    autosave_seconds: int = 5
    recent: tuple[str, ...] = ()
    shortcuts: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    tool: str = ""
    tool_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    export_kind: str = "png"
    export_quality: int = 90
    export_recipe: bool = True
    folder: str = ""
    geometry: str = ""
    inspector_width: int = 296
    collapsed: tuple[str, ...] = ()
    instructions: tuple[str, ...] = ()
    presets: Mapping[str, str] = field(default_factory=dict[str, str])
    edit_details: bool = False
    show_frame: bool = True
    drop_choice: str = "layer"
    model: str = "pocket"
    models_folder: str = ""
    memory_limit: int = 0
    precision: str = "automatic"
    idle_minutes: int = 10
    results_budget: int = 2 * 10**9
    notify: bool = True

    def with_recent(self, path: Path) -> Settings:
        """Put a file first in the list of recent ones."""
        others = [name for name in self.recent if name != str(path)]
        return dataclasses.replace(self, recent=(str(path), *others)[:RECENT], folder=str(path.parent))


def from_json(found: Any) -> Settings:
    """Take every setting that has the right form; the others keep their defaults."""
    if not isinstance(found, dict):
        return Settings()
    taken: dict[str, Any] = {}
    for part in dataclasses.fields(Settings):
        default = getattr(Settings(), part.name)
        value: Any = found.get(part.name, default)
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(str(item) for item in value)
        if part.name == "shortcuts" and isinstance(value, dict):
            value = {
                str(name): tuple(map(str, keys)) for name, keys in value.items() if isinstance(keys, list | tuple)
            }
        if part.name == "presets" and isinstance(value, dict):
            value = {str(label): words for label, words in value.items() if isinstance(words, str)}
        if part.name == "tool_options" and isinstance(value, dict):
            value = {name: options for name, options in value.items() if isinstance(options, dict)}
        if type(value) is type(default) and (type(value) is not int or 0 <= value <= _largest(part.name)):
            taken[part.name] = value
    for name, choices in CHOICES.items():
        if taken.get(name) not in choices:
            taken[name] = choices[0]
    return Settings(**taken)


def _largest(name: str) -> int:
    """Give the largest number of a setting, so that it fits what it is given to: a timer, a slider, an allocator."""
    return _MOST_BYTES if name in ("memory_limit", "results_budget") else _MOST


class Kept(QObject):
    """The settings of the running program, written to their file soon after every change."""

    changed = Signal(object)
    """The settings before; the new ones are `value`."""

    def __init__(self, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        self.value = Settings()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_WRITE_MS)
        self._later.timeout.connect(self._write_quietly)
        try:
            self.value = from_json(json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.info("settings that cannot be read are set aside: %s", error)
            with contextlib.suppress(OSError):
                file.replace(file.with_suffix(".unreadable.json"))

    def change(self, **values: Any) -> None:
        """Change some settings and keep them."""
        self.set(dataclasses.replace(self.value, **values))

    def set(self, value: Settings) -> None:
        """Keep these settings; they are written a little later, so that dragging a slider writes once."""
        if value == self.value:
            return
        before, self.value = self.value, value
        self._later.start()
        self.changed.emit(before)

    def flush(self) -> None:
        """Write what has changed at once; where that fails it holds for as long as the program runs."""
        if self._later.isActive():
            self._later.stop()
            self._write_quietly()

    def _write_quietly(self) -> None:
        try:
            self._write()
        except OSError as error:
            log.info("the settings could not be kept: %s", error)

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=".settings")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dataclasses.asdict(self.value), file, indent=1)  # in ASCII: a path may be no Unicode
            Path(name).replace(self._file)
        finally:
            Path(name).unlink(missing_ok=True)
