"""An engine that several tests share, so that its model is loaded once."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication

from ace_desktop.engine.engine import Engine


@contextmanager
def warm_engine(application: QApplication, folder: Path, **how: Any) -> Generator[Engine]:
    """Give an engine that keeps its jobs in `folder`, and leave nothing of it behind."""
    made = Engine(folder, **how)
    yield made
    made.close()
    made.deleteLater()
    application.processEvents()
