"""What tests of several packages share: a model folder to run the road on, a cache, and a Ctrl-C that counts."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mlx_model.tiny_model import write_tiny_model


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Keep what programs under test keep for the next time away from the person's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c() -> None:  # pyright: ignore[reportUnusedFunction]
    """Let programs under test be interrupted, also where a script started the tests in its background.

    A shell without job control has what it starts there ignore the signal, and children inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random FFT model that edits in well under a second."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
