"""What the engine's tests share: an engine per module that stays warm, and one of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from ace_desktop.engine.engine import Engine
from ace_desktop.engine.jobs import Phase
from tests.ace_desktop.engine.faulty_child import faulty
from tests.ace_desktop.engine.warm_engine import warm_engine

PATIENCE_MS = 60_000
"""Milliseconds that a job gets on a machine on which others compute as well."""

Run = Callable[[Engine, str, Phase], None]
NewEngine = Callable[..., Engine]


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Keep encoded instructions away from the person's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name the file that tells the module's model process which fault to have."""
    return tmp_path_factory.mktemp("orders") / "fault"


@pytest.fixture(scope="module")
def warm(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory, orders: Path) -> Iterator[Engine]:
    """Give the module's engine; every test leaves it idle."""
    how = {"entry": partial(faulty, orders), "patience": 1.5, "save_after": 0.0}
    with warm_engine(qapp, tmp_path_factory.mktemp("engine"), **how) as made:
        yield made


@pytest.fixture
def engine(warm: Engine, orders: Path, qtbot: QtBot) -> Iterator[Engine]:
    """Give the module's engine with an empty list."""
    yield warm
    orders.unlink(missing_ok=True)
    for status in warm.jobs:
        warm.remove(status.id)
    qtbot.waitUntil(lambda: warm.process_id is None or not warm.working, timeout=PATIENCE_MS)


@pytest.fixture
def new_engine(tmp_path: Path) -> Iterator[NewEngine]:
    """Give a maker of engines that keep everything in the test's folder and are closed at its end."""
    made: list[Engine] = []

    def make(**settings: Any) -> Engine:
        made.append(Engine(tmp_path / "engine", **settings))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
        engine.deleteLater()


@pytest.fixture
def until(qtbot: QtBot) -> Run:
    """Give what waits until a job is in a phase, and fails at once where it ends in another."""

    def wait(engine: Engine, job_id: str, phase: Phase) -> None:
        def ended() -> bool:
            status = engine.status(job_id)
            return status is None or status.phase not in (Phase.waiting, Phase.running)

        qtbot.waitUntil(ended, timeout=PATIENCE_MS)
        status = engine.status(job_id)
        assert status is not None
        assert status.phase is phase, f"{status.sentence}\n{status.details}"

    return wait
