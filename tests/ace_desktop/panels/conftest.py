"""What the tests of panels share: threads for slow work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication

from ace_desktop.background import Background


@pytest.fixture
def background(qapp: QApplication) -> Iterator[Background]:
    """Give threads that end with the test."""
    made = Background()
    yield made
    made.close()
    made.deleteLater()
    qapp.processEvents()
