"""Downloads for tests: interrupt one, wait until it has come to rest, see whether the file arrived."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlx_model.library.download import download
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.progress import Control, TransferProgress
from mlx_model.request import Cancelled
from tests.hub_server import HubServer
from tests.mlx_model.library.conftest import FILE, QUICK

NAME = FILE
RANGE = QUICK.range_bytes


def arrived(target: Path, content: bytes) -> bool:
    """Whether the file is there, whole, and nothing beside it."""
    return target.read_bytes() == content and [path.name for path in target.parent.iterdir()] == [target.name]


def interrupt(server: HubServer, hub: Hub, file: RemoteFile, target: Path) -> None:
    """Stop a download at half of it."""
    control = Control()

    def stop(progress: TransferProgress) -> None:
        if progress.done > 100_000:
            control.cancel()

    with pytest.raises(Cancelled):
        download(hub, file, target, control=control, report=stop)
    settle(server)


def settle(server: HubServer) -> None:
    """Wait until threads that were left behind have come to their end."""
    while any(thread.name == "fetch" for thread in threading.enumerate()):
        time.sleep(0.01)
    server.settle()
    server.faults.clear()


def free(size: int) -> Callable[[Path], int]:
    """Make a disk seem to have so much room."""
    return lambda folder: size if folder else 0
