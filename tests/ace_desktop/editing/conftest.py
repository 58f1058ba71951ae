"""Documents that are open with their edit, and the real model in its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from ace_desktop.arrivals import Arrivals
from ace_desktop.background import Background
from ace_desktop.document.edit import settings_of, with_settings
from ace_desktop.document.result_stores import ResultStores
from ace_desktop.document.results import Result
from ace_desktop.document.snapshot import snapshot
from ace_desktop.document.state import State
from ace_desktop.editing import Editing
from ace_desktop.engine.engine import Engine
from ace_desktop.session import Session
from mlx_model.request import EditResult, Picture
from mlx_model.weights.config import ModelConfig
from tests.ace_desktop.document.conftest import POCKET
from tests.ace_desktop.engine.warm_engine import warm_engine

PATIENCE_MS = 90_000
"""Milliseconds that an edit gets on a machine on which others compute as well."""
CONFIG = ModelConfig.load(POCKET)
Open = Callable[..., "Desk"]


class Desk:
    """An open document with its edit, and what the edit has said."""

    def __init__(self, state: State, arrivals: Arrivals, background: Background, qtbot: QtBot) -> None:
        self.session = Session(state)
        self.editing = Editing(self.session, arrivals, background, models, self.session)
        self.qtbot, self.background = qtbot, background
        self.previews: list[tuple[QImage | None, Any]] = []
        self.compared: list[tuple[QImage | None, Any, Any]] = []
        self.failures: list[Exception] = []
        self.editing.preview.connect(self._previewed)
        self.editing.compared.connect(self._compared)
        self.editing.failed.connect(self.failures.append)

    def _previewed(self, image: QImage | None, box: Any) -> None:
        self.previews.append((image, box))

    def _compared(self, image: QImage | None, box: Any, wipe: Any) -> None:
        self.compared.append((image, box, wipe))

    @property
    def state(self) -> State:
        """What is to be seen now."""
        return self.session.state

    def results(self) -> tuple[Result, ...]:
        """List the results, newest first."""
        return self.editing.results.all()

    def rest(self) -> None:
        """Wait until no thread works for the document any more."""
        self.qtbot.waitUntil(lambda: not self.background.running, timeout=PATIENCE_MS)

    def made(self, number: int) -> tuple[Result, ...]:
        """Wait for so many results."""
        self.qtbot.waitUntil(lambda: len(self.results()) >= number or bool(self.failures), timeout=PATIENCE_MS)
        self.qtbot.waitUntil(lambda: not self.editing.engine.busy, timeout=PATIENCE_MS)
        self.rest()
        assert self.failures == []
        return self.results()


def models(key: str) -> tuple[Path, ModelConfig] | None:
    return (POCKET, CONFIG) if key == "pocket" else None


@pytest.fixture(scope="module")
def engine(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with warm_engine(qapp, tmp_path_factory.mktemp("engine")) as made:
        yield made


@pytest.fixture
def open_document(engine: Engine, tmp_path: Path, qtbot: QtBot) -> Iterator[Open]:
    """Give what opens a document; all of a test's documents share a folder of results."""
    background = Background()
    arrivals = Arrivals(engine, ResultStores(tmp_path / "results"), background)
    desks: list[Desk] = []

    def make(state: State) -> Desk:
        desks.append(Desk(state, arrivals, background, qtbot))
        return desks[-1]

    yield make
    for status in engine.jobs:
        engine.remove(status.id)
    qtbot.waitUntil(lambda: not engine.working and not background.running, timeout=PATIENCE_MS)
    for desk in desks:
        if isValid(desk.session):
            desk.session.deleteLater()
    arrivals.deleteLater()
    background.close()
    background.deleteLater()


def asking(state: State, **values: Any) -> State:
    return with_settings(state, replace(settings_of(state), **values))


def kept(desk: Desk, state: State | None = None, seed: int = 1) -> Result:
    """Put a result of the document into its store without the model: green under the mask."""
    made = snapshot(desk.editing.named(state or desk.state), CONFIG)
    asked = replace(made.requests[0], seed=seed)
    box = made.box or (0, 0, 8, 8)
    pixels = np.zeros((desk.state.height, desk.state.width, 4), np.uint8)
    mask = made.pictures[asked.mask or ""].pixels[..., 0] > 0
    pixels[mask] = (0, 255, 0, 255)
    patch = Picture(pixels)
    done = EditResult(patch, patch, replace(asked, steps=2), "pocket", box, (64, 64), (64, 64), {}, {})
    result = desk.editing.results.add(done, replace(made, requests=(asked,)), run=f"run {seed}")
    desk.editing.results_changed.emit()
    return result


# From the words to the layer
