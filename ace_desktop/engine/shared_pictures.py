"""Arrays that cross to the other process through shared memory: one copy in, one copy out, and the name is gone.

The window's side removes every block, its own and those that it is told of. What a killed process had made and not
yet told is found again by its name: names are numbered, so the numbers after the last known one are looked up. If
both sides are killed, multiprocessing's resource tracker, a process that they share, removes what is left.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mlx_model.checkpoint import Checkpoint
from mlx_model.request import EditRequest, Picture, Precision

Array = npt.NDArray[Any]

_LINUX_PLACE: Final = Path("/dev/shm")  # noqa: S108  (its size is limited; writing beyond it would end the process)


@dataclass(frozen=True)
class SharedArray:
    """An array in the shared memory block `name`."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class SharedPicture:
    """A picture whose pixels are shared, and whose profile is."""

    pixels: SharedArray
    profile: SharedArray | None = None

    @property
    def names(self) -> list[str]:
        """Its blocks."""
        return [self.pixels.name] + ([] if self.profile is None else [self.profile.name])


@dataclass(frozen=True)
class SharedCheckpoint:
    """A checkpoint whose latent is shared."""

    latent: SharedArray
    step: int
    request: EditRequest
    model: str
    weights: str
    precision: Precision


class Numbered:
    """Names of blocks in order, short enough for macOS (31 bytes)."""

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = prefix or f"ace{os.getpid():x}{secrets.token_hex(3)}-"
        self.next = 0

    def name(self) -> str:
        """Give the next name."""
        self.next += 1
        return f"{self.prefix}{self.next - 1}"

    def seen(self, name: str) -> None:
        """Note a name that the other side has used."""
        self.next = max(self.next, int(name.removeprefix(self.prefix)) + 1)


def share(array: Array, names: Numbered) -> SharedArray:
    """Copy an array into a new block.

    Raises:
        MemoryError: there is no room left for it.
    """
    before = names.next
    try:
        _require_room(array.nbytes)
        block = SharedMemory(names.name(), create=True, size=max(1, array.nbytes))
    except OSError as error:
        names.next = before  # no number is left out, or what follows would not be found
        raise MemoryError(f"no shared memory of {array.nbytes} bytes: {error}") from error
    np.ndarray(array.shape, array.dtype, buffer=block.buf)[...] = array
    block.close()
    return SharedArray(block.name, array.shape, array.dtype.str)


def look(shared: SharedArray) -> Array:
    """Copy an array out of a block that stays."""
    block = SharedMemory(shared.name)
    array = np.ndarray(shared.shape, np.dtype(shared.dtype), buffer=block.buf).copy()
    block.close()
    return array


def share_picture(picture: Picture, names: Numbered) -> SharedPicture:
    """Copy a picture into new blocks.

    Raises:
        MemoryError: there is no room left for it.
    """
    profile = None if picture.profile is None else share(np.frombuffer(picture.profile, np.uint8), names)
    return SharedPicture(share(picture.pixels, names), profile)


def look_at_picture(shared: SharedPicture) -> Picture:
    """Copy a picture out of blocks that stay."""
    return Picture(look(shared.pixels), None if shared.profile is None else look(shared.profile).tobytes())


def share_pictures(pictures: Iterable[tuple[str, Picture]], names: Numbered) -> dict[str, SharedPicture]:
    """Share pictures by digest, one after another.

    Raises:
        MemoryError: there is no room left for them; nothing stays behind.
    """
    first, made = names.next, dict[str, SharedPicture]()
    try:
        for digest, picture in pictures:
            made[digest] = share_picture(picture, names)
    except BaseException:
        drop(f"{names.prefix}{number}" for number in range(first, names.next))
        raise
    return made


def share_checkpoint(checkpoint: Checkpoint, names: Numbered) -> SharedCheckpoint:
    """Copy a checkpoint's latent into a new block.

    Raises:
        MemoryError: there is no room left for it.
    """
    latent = share(checkpoint.latent, names)
    return SharedCheckpoint(
        latent, checkpoint.step, checkpoint.request, checkpoint.model, checkpoint.weights, checkpoint.precision
    )


def look_at_checkpoint(shared: SharedCheckpoint) -> Checkpoint:
    """Copy a checkpoint out of a block that stays."""
    return Checkpoint(
        look(shared.latent), shared.step, shared.request, shared.model, shared.weights, shared.precision
    )


def drop(names: Iterable[str]) -> None:
    """Remove blocks; those that are gone already are passed over."""
    for name in names:
        _unlink(name)


def drop_untold(names: Numbered) -> None:
    """Remove what a dead process made after the last block that it told of."""
    while _unlink(f"{names.prefix}{names.next}"):
        names.next += 1


def _unlink(name: str) -> bool:
    try:
        block = SharedMemory(name)
        block.close()
        block.unlink()
    except (OSError, ValueError):  # it is gone; or its maker was killed before it had a size: EINVAL on macOS
        return False
    return True


def _require_room(size: int) -> None:
    if _LINUX_PLACE.is_dir():
        free = os.statvfs(_LINUX_PLACE)
        if free.f_bavail * free.f_frsize < size:
            raise OSError(f"{free.f_bavail * free.f_frsize} are free")
