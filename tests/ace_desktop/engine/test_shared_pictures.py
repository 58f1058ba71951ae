"""Shared memory: exact on the other side, and nothing of it is left, whoever is killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import pytest

from ace_desktop.engine import shared_pictures
from ace_desktop.engine.shared_pictures import (
    Numbered,
    drop,
    drop_untold,
    look,
    look_at_picture,
    share,
    share_picture,
    share_pictures,
)
from mlx_model.request import Picture
from tests.ace_desktop.engine.sample_jobs import mask, picture

KILLED = """
import os, signal, sys
import numpy as np
from ace_desktop.engine.shared_pictures import Numbered, share
names = Numbered(sys.argv[1])
for _ in range(3):
    share(np.ones((100, 100, 4), np.uint8), names)
os.kill(os.getpid(), signal.SIGKILL)
"""


def exists(name: str) -> bool:
    try:
        SharedMemory(name).close()
    except FileNotFoundError:
        return False
    return True


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays_arrive_as_they_are(dtype: type[np.generic]) -> None:
    names = Numbered()
    array = np.arange(7 * 5 * 4).reshape(7, 5, 4).astype(dtype)[::-1]  # not contiguous
    shared = share(array, names)
    assert len(shared.name) <= 30  # macOS has 31, with a slash
    found = look(shared)
    drop([shared.name])
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    assert not exists(shared.name)


def test_pictures_keep_their_profile() -> None:
    given = Picture(np.full((4, 3, 4), 1000, np.uint16), b"profile")
    shared = share_picture(given, Numbered())
    found = look_at_picture(shared)
    drop(shared.names)
    assert (found.profile, found.size) == (b"profile", (3, 4))
    assert np.array_equal(found.pixels, given.pixels)


def test_what_a_killed_process_made_is_found_by_its_numbers() -> None:
    names = Numbered()
    other = Numbered(names.prefix)
    told = share(np.zeros(10), other)
    share(np.zeros(10), other)
    share(np.zeros(10), other)
    drop([told.name])
    names.seen(told.name)
    drop_untold(names)
    assert not any(exists(f"{names.prefix}{number}") for number in range(4))


def test_a_block_whose_maker_was_killed_before_it_had_a_size_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """There macOS speaks of an argument that is not valid, and Linux of an empty file."""

    def without_size(_name: str) -> SharedMemory:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(shared_pictures, "SharedMemory", without_size)
    names = Numbered()
    drop_untold(names)
    assert names.next == 0


def test_names_are_short_enough_for_macos() -> None:
    names = Numbered(f"ace{99_998:x}abcdef-")
    assert len(Numbered().prefix.removeprefix(f"ace{os.getpid():x}")) == len("abcdef-")
    names.next = 10**9
    assert len(f"/{names.name()}") <= 30  # PSHMNAMLEN is 31, with what ends it


def test_what_two_killed_processes_left_is_removed_by_the_system_of_both() -> None:
    """The maker is killed and nobody else knows of it: the resource tracker cleans up."""
    prefix = Numbered().prefix
    subprocess.run([sys.executable, "-c", KILLED, prefix], check=False, capture_output=True)
    end = time.monotonic() + 10
    while any(exists(f"{prefix}{number}") for number in range(3)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(exists(f"{prefix}{number}") for number in range(3))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="the room for shared memory is limited on Linux")  # noqa: S108
def test_without_room_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing beyond the room would end the program with a bus error."""
    require_room = shared_pictures._require_room  # pyright: ignore[reportPrivateUsage]

    def nearly_full(size: int) -> None:
        require_room(size if size < 2**20 else 2**60)

    monkeypatch.setattr(shared_pictures, "_require_room", nearly_full)
    names = Numbered()
    given = {"small": mask(), "large": picture(side=600)}
    with pytest.raises(MemoryError):
        share_pictures(given.items(), names)
    assert not any(exists(f"{names.prefix}{number}") for number in range(3))
