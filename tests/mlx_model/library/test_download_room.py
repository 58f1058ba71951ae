"""Room on the disk: asked for before the first byte, watched during a download, told in numbers."""

import errno
import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from mlx_model.library import disk
from mlx_model.library import download as download_module
from mlx_model.library.disk import require_room, size_text
from mlx_model.library.download import download, room_for
from mlx_model.library.errors import DiskFull, LibraryError
from mlx_model.library.hub import Hub, RemoteFile
from tests.hub_server import HubServer
from tests.mlx_model.library.conftest import REPOSITORY
from tests.mlx_model.library.downloads import NAME, arrived, free, settle


def test_room_is_asked_for_before_the_first_byte(
    server: HubServer, hub: Hub, file: RemoteFile, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", free(disk.RESERVE + 200_000))
    with pytest.raises(DiskFull, match=r"needs 268.7 MB, but only 268.6 MB are free on the disk of .*ACE_MODELS"):
        download(hub, file, target)
    assert server.sent() == 0
    with pytest.raises(DiskFull, match=r"the model \(300 kB still to fetch\) needs"):
        room_for([file], target.parent, "the model")
    monkeypatch.setattr(disk, "free_bytes", free(disk.RESERVE + 300_000))
    room_for([file], target.parent, "the model")
    download(hub, file, target)
    monkeypatch.setattr(disk, "free_bytes", free(0))
    room_for([file], target.parent, "the model")


def test_a_disk_that_fills_up_keeps_what_is_there(
    server: HubServer,
    hub: Hub,
    file: RemoteFile,
    content: bytes,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = 0
    write = download_module._Transfer._write  # pyright: ignore[reportPrivateUsage]

    def full(transfer: object, data: bytes, at: int) -> None:
        nonlocal written
        written += len(data)
        if written > 150_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(transfer, data, at)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patch:
        patch.setattr(download_module._Transfer, "_write", full)  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(DiskFull, match=r"the disk of .* is full; make room and start again, what is"):
            download(hub, file, target)
        settle(server)
    before = server.sent()
    download(hub, file, target)
    assert arrived(target, content)
    assert server.sent() - before < len(content) - 80_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """Mount a disk of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root on Linux only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_real_disk_that_is_full_says_so_and_loses_nothing(
    server: HubServer, hub: Hub, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(1_500_000)
    server.add(REPOSITORY, {NAME: content})
    file = hub.describe(REPOSITORY, [NAME])[0]
    with pytest.raises(DiskFull, match=r"but only 1.0 MB are free"):
        download(hub, file, small_disk / NAME)
    monkeypatch.setattr(disk, "free_bytes", free(1 << 40))  # as if others had filled it meanwhile
    with pytest.raises(DiskFull, match="is full; make room"):
        download(hub, file, small_disk / NAME)
    settle(server)
    before = server.sent()
    assert before > 500_000
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    download(hub, file, small_disk / NAME)
    assert arrived(small_disk / NAME, content)
    assert server.sent() - before < 1_000_000


def test_a_folder_that_cannot_be_written_is_a_sentence(hub: Hub, file: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "occupied.part").mkdir()
    with pytest.raises(LibraryError, match=r"x.safetensors cannot be kept in .* \(Is a directory\)"):
        download(hub, file, tmp_path / "occupied")


@pytest.mark.parametrize(
    ("size", "text"), [(5, "5 bytes"), (23_804_922_408, "23.8 GB"), (335_304_388, "335.3 MB"), (2_000, "2 kB")]
)
def test_sizes_are_written_as_people_read_them(size: int, text: str) -> None:
    assert size_text(size) == text


def test_room_of_nothing_is_always_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", free(0))
    require_room(tmp_path / "not" / "yet", 0, "nothing")
