"""What tests of several packages share: a model folder to run the whole road on."""

from pathlib import Path

import pytest

from tests.mlx_model.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random FFT model that edits in well under a second."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
