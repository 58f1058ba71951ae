"""A window with results that no model made, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QModelIndex, Qt
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.document.results import Result
from ace_desktop.document.snapshot import snapshot
from ace_desktop.document.state import State
from ace_desktop.editing import Editing
from ace_desktop.main_window import MainWindow
from ace_desktop.panels.filmstrip import Filmstrip
from ace_desktop.places import resources
from ace_desktop.session import Session
from mlx_model.request import EditResult, Picture
from mlx_model.weights.config import ModelConfig
from tests.ace_desktop.document.scenes import scene

PATIENCE_MS = 90_000
COLOURS = {"a red star": (220, 40, 40), "a green heart": (40, 180, 70), "a blue ring": (40, 70, 220)}


class Strip:
    """A window with three results of one edit that no model made, newest first: ring, heart, star."""

    def __init__(self, desktop: Desktop, qtbot: QtBot, words: tuple[str, ...] = tuple(COLOURS)) -> None:
        self.qtbot, self.desktop = qtbot, desktop
        self.window: MainWindow = desktop.new_window(Session(scene()))
        assert self.window.panels is not None
        self.strip: Filmstrip = self.window.panels.filmstrip
        self.editing: Editing = self.window.panels.editing
        self.shown: list[tuple[Any, Any, Any]] = []
        self.editing.compared.connect(self._compared)
        self.deleted: list[tuple[str, Callable[[], None]]] = []
        self.strip.deleted.connect(self._deleted)
        self.settle()
        for text in words:
            self.add(text)

    def _compared(self, image: Any, box: Any, wipe: Any) -> None:
        self.shown.append((image, box, wipe))

    def _deleted(self, sentence: str, back: Callable[[], None], _free: Callable[[], None]) -> None:
        self.deleted.append((sentence, back))

    @property
    def state(self) -> State:
        """The document now."""
        return self.editing.session.state

    def add(self, words: str, parents: tuple[str, ...] = (), *, foreign: bool = False) -> Result:
        """File a result: the mask's place in one colour."""
        config = ModelConfig.load(resources() / "models" / "pocket")
        made = snapshot(scene(words=words), config)
        asked = made.requests[0]
        assert asked.picture is not None
        assert asked.mask is not None
        below = made.pictures[asked.picture].pixels
        inside = made.pictures[asked.mask].pixels[..., 0] > 127
        patch = np.zeros_like(below)
        patch[inside] = (*COLOURS.get(words, (90, 90, 90)), 255)
        whole = np.where(inside[..., None], patch, below)
        request = replace(asked, task="repaint", steps=2, guidance=1.0, strength=1.0)
        size = (below.shape[1], below.shape[0])
        result = EditResult(
            picture=Picture(whole), patch=Picture(patch), request=request, model="pocket", seen_box=(0, 0, *size),
            seen_size=size, canvas_size=size, timings={"denoise": 1.5}, versions={"ace": "1"},
        )  # fmt: skip
        kept = self.editing.results.add(result, replace(made, parents=parents, below="" if foreign else made.below))
        self.editing.results_changed.emit()
        return kept

    def settle(self) -> None:
        """Wait for what goes on in the background."""
        self.qtbot.waitUntil(lambda: not self.desktop.background.running, timeout=PATIENCE_MS)

    def words(self) -> list[str]:
        """Read the strip."""
        return [item.words for item in self.strip.model.items]

    def index(self, words: str) -> QModelIndex:
        """Find a result by its words."""
        return self.strip.model.index(self.words().index(words), 0)

    def click(self, words: str, *, double: bool = False) -> None:
        """Click on a thumbnail."""
        where = self.strip.view.visualRect(self.index(words)).center()
        click = self.qtbot.mouseDClick if double else self.qtbot.mouseClick
        if double:
            self.qtbot.mouseClick(self.strip.view.viewport(), Qt.MouseButton.LeftButton, pos=where)
        click(self.strip.view.viewport(), Qt.MouseButton.LeftButton, pos=where)

    def result(self, words: str) -> Result:
        """Give a result by its words."""
        return self.editing.results.search(words)[0]

    def key(self, key: Qt.Key, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key in the strip."""
        self.qtbot.keyClick(self.strip.view, key, keys)
