"""One at a time: what changes the folder of models waits for whoever changes it now, in whatever process."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mlx_model.library.errors import LibraryError
from mlx_model.library.progress import Work
from mlx_model.places import reason

LOCK: Final = ".lock"
_POLL_SECONDS: Final = 0.1


@contextmanager
def changing(models: Path, work: Work) -> Generator[None]:
    """Hold the folder of models; the lock goes with the process, however that ends.

    One lock for all models, not one each: two that are installed at once would both fetch the parts they share.

    Raises:
        LibraryError: the folder cannot be made or written to, or its disk does not lock.
        Cancelled: the person did not want to wait.
    """
    _require_writable(models)
    lock = FileLock(models / LOCK)
    told = False
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            if not told:
                work.meter.waits(f"another process is changing the models in {models}; waiting for it to finish")
                told = True
            work.control.wait(_POLL_SECONDS)
        except (OSError, NotImplementedError) as error:
            raise LibraryError(
                f"the folder {models} cannot be locked ({error}); choose another with ACE_MODELS"
            ) from error
    try:
        if told:
            work.meter.waits(None)
        yield
    finally:
        lock.release()


def _require_writable(models: Path) -> None:
    """Make the folder and open its lock file, which waiting for another process would not make possible."""
    try:
        models.mkdir(parents=True, exist_ok=True)
        os.close(os.open(models / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644))
    except OSError as error:
        raise LibraryError(
            f"the folder of models {models} cannot be written to ({reason(error)}); allow it, or set ACE_MODELS to a "
            "folder that can be"
        ) from error
