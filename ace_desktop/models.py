"""The models of this machine as the window knows them: which are here, and which one paints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from .background import Background
from .settings import Kept, Settings

if TYPE_CHECKING:
    from mlx_model.weights.config import ModelConfig

    from .model_shelf import HereModel, Shelf

BUILT_IN = "pocket"


class Models(QObject):
    """Looks through the folder of models in a thread; what it answers is what it saw last.

    The built-in model is always there. `kept.value.model` is the chosen one.
    """

    changed = Signal()
    """What is here, or which one is chosen, is another."""
    switched = Signal(str)
    """The name of the model that paints from now on."""

    def __init__(self, kept: Kept, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept, self._background = kept, background
        self.shelf: Shelf | None = None
        """What was seen last; None before the first look has come to its end."""
        self._again = self._looking = False
        self._built_in: tuple[Path, ModelConfig] | None = None
        kept.changed.connect(self._settings_changed)

    @property
    def folder(self) -> Path:
        """Where full models lie: ACE_MODELS, else the folder of the preferences, else the library's own place."""
        chosen = self._kept.value.models_folder
        return Path(chosen) if chosen and not self.folder_is_given else self.usual_folder

    @property
    def usual_folder(self) -> Path:
        """The library's own place, or what the environment names."""
        from mlx_model.library.folders import models_folder

        return models_folder()

    @property
    def folder_is_given(self) -> bool:
        """Whether the environment names the folder, so that the preferences cannot."""
        return bool(os.environ.get("ACE_MODELS"))

    @property
    def chosen(self) -> str:
        """The model that new pictures are edited with: the user's choice, or the built-in one where that is gone."""
        wanted = self._kept.value.model
        return wanted if self.shelf is None or self.find(wanted) is not None else BUILT_IN

    def choose(self, name: str) -> None:
        """Paint with another model from now on."""
        if name != self._kept.value.model:
            self._kept.change(model=name)

    def find(self, name: str) -> tuple[Path, ModelConfig] | None:
        """Give a model's folder and configuration, None where it is not here or cannot be used; does not wait."""
        if name == BUILT_IN:
            return self._built_in_model()
        found = self.model(name)
        return None if found is None or found.config is None else (found.folder, found.config)

    def model(self, name: str) -> HereModel | None:
        """Give what is known of a model that is here."""
        here = () if self.shelf is None else self.shelf.here
        return next((model for model in here if model.name == name), None)

    def look(self) -> None:
        """Look again, in a thread; `changed` comes when that is done."""
        if self._looking:
            self._again = True
            return
        self._looking = True

        def work() -> Shelf:
            from .model_shelf import look

            return look(self.folder)

        self._background.run(work, self._seen, self._failed, self)

    def _seen(self, shelf: Shelf) -> None:
        self._looking = False
        if self._again:
            self._again = False
            self.look()
        if shelf != self.shelf:
            self.shelf = shelf
        self.changed.emit()

    def _failed(self, error: Exception) -> None:
        self._looking = False
        raise error  # not foreseen: it is told as such, and what was seen before stays

    def _built_in_model(self) -> tuple[Path, ModelConfig]:
        if self._built_in is None:
            from mlx_model.library.folders import BUILT_IN as FOLDER
            from mlx_model.weights.config import ModelConfig

            self._built_in = FOLDER / BUILT_IN, ModelConfig.load(FOLDER / BUILT_IN)
        return self._built_in

    def _settings_changed(self, before: Settings) -> None:
        now = self._kept.value
        if now.models_folder != before.models_folder:
            self.look()
        if now.model != before.model:
            self.changed.emit()
            self.switched.emit(now.model)
