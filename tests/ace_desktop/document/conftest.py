"""What tests of edits share: the built-in model, and the program's own picture of a scene that it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlx_model.editor import Editor
from mlx_model.weights.config import ModelConfig

POCKET = Path(__file__).parents[3] / "resources" / "models" / "pocket"


@pytest.fixture(scope="session")
def config() -> ModelConfig:
    """Give the built-in model's config."""
    return ModelConfig.load(POCKET)


@pytest.fixture(scope="session")
def editor() -> Editor:
    """Give the built-in model itself: real edits in the test's own process."""
    return Editor(POCKET)
