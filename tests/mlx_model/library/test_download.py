"""Whole files: in parallel ranges, checked, and renamed when whole.

``server.sent()`` counts the bytes of content that left the hub: what is not fetched again is proved by it.
"""

import hashlib
import time
from pathlib import Path

import pytest

from mlx_model.library.download import FileRecord, download, unharmed
from mlx_model.library.errors import Damaged, LibraryError
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.progress import TransferProgress
from tests.hub_server import Fault, HubServer
from tests.mlx_model.library.conftest import QUICK, REPOSITORY
from tests.mlx_model.library.downloads import NAME, RANGE, arrived, settle


def test_a_file_arrives_whole_in_parallel_ranges_and_is_recorded(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    record = download(hub, file, target)
    assert arrived(target, content)
    ranges = [seen.wanted for seen in server.requests if seen.where == "store"]
    assert len(ranges) == len(set(ranges)) == -(-len(content) // RANGE)
    assert server.sent() == len(content)
    assert record == record_file_with(record, target, file)
    assert unharmed(record, target.parent)


def record_file_with(record: FileRecord, target: Path, file: RemoteFile) -> FileRecord:
    """Compute a record anew from the file, in the pieces of the given one."""
    data = target.read_bytes()
    pieces = tuple(
        type(piece)(piece.start, piece.stop, hashlib.sha256(data[piece.start : piece.stop]).hexdigest())
        for piece in record.pieces
    )
    return FileRecord(NAME, len(data), hashlib.sha256(data).hexdigest(), pieces, file)


def test_the_hub_is_asked_for_few_links_and_connections_are_used_again(
    server: HubServer, hub: Hub, file: RemoteFile, target: Path
) -> None:
    download(hub, file, target)
    asked = sum(seen.where == "resolve" for seen in server.requests)
    assert asked <= QUICK.parallel, f"{asked} links for {QUICK.parallel} connections: the hub limits such requests"
    made = server.connections["store"]
    assert made <= QUICK.parallel, f"{made} connections for {QUICK.parallel} at a time: they are not used again"


def test_small_files_are_checked_by_the_name_git_gives_them(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    server.add(REPOSITORY, {"config.json": b'{"a": 1}', "empty.txt": b""})
    small, empty = hub.describe(REPOSITORY, ["config.json", "empty.txt"])
    download(hub, small, tmp_path / "config.json")
    assert download(hub, empty, tmp_path / "empty.txt").size == 0
    assert (tmp_path / "config.json").read_bytes() == b'{"a": 1}'
    server.faults.append(Fault("resolve", damage=2))
    with pytest.raises(Damaged, match="arrived damaged"):
        download(hub, small, tmp_path / "again.json")


def test_a_file_that_is_there_is_checked_and_kept(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    download(hub, file, target)
    sent = server.sent()
    assert download(hub, file, target).sha256 == file.sha256
    assert server.sent() == sent
    target.write_bytes(content[:-1] + b"?" if content[-1:] != b"?" else content[:-1] + b"!")
    download(hub, file, target)
    assert arrived(target, content)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("store", times=6, cut=5_000)],
        [Fault("store", times=3, cut=0)],
        [Fault("store", times=3, status=500)],
        [Fault("resolve", times=3, status=503)],
        [Fault("resolve", times=2, status=429, headers={"Retry-After": "0"})],
        [Fault("resolve", status=429, headers={"RateLimit": '"resolvers";r=0;t=0'})],
        [Fault("store", status=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})],
    ],
    ids=["cut", "cut at once", "500", "503 for the link", "429", "429 by RateLimit", "429 until a date"],
)
def test_trouble_that_passes_costs_no_byte_twice(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path, faults: list[Fault]
) -> None:
    server.faults += faults
    download(hub, file, target)
    assert arrived(target, content)
    assert server.sent() == len(content), f"{server.sent() - len(content)} bytes came twice"


def test_a_server_that_asks_for_patience_gets_it_from_all_ranges_up_to_a_limit(
    server: HubServer, file: RemoteFile, content: bytes, target: Path
) -> None:
    told: list[str | None] = []
    server.faults.append(Fault("store", status=429, headers={"Retry-After": "3600"}))
    with Hub(endpoint=server.url, pace=QUICK, on_wait=told.append) as hub:
        begun = time.monotonic()
        download(hub, file, target)
        waited = time.monotonic() - begun
    assert arrived(target, content)
    assert waited >= QUICK.longest_pause, f"only {waited:.2f} s were waited"
    assert "the hub answers with error 429; trying again in 1 s" in told


def test_links_to_the_store_that_ended_are_asked_for_anew(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    ended = False

    def end_links(progress: TransferProgress) -> None:
        nonlocal ended
        if progress.done > 50_000 and not ended:
            ended = True
            server.expire_links()

    download(hub, file, target, report=end_links)
    assert ended
    assert arrived(target, content)
    assert server.sent() == len(content)


def test_progress_tells_bytes_rate_and_time_left(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    server.faults.append(Fault("store", times=None, rate=100_000))
    seen: list[TransferProgress] = []
    download(hub, file, target, report=seen.append)
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    last = seen[-1]
    assert (last.file, last.done, last.total, last.fetched) == (NAME, len(content), len(content), len(content))
    middle = next(one for one in seen if one.done > 150_000)
    assert 20_000 < middle.rate < 100_000 * QUICK.parallel * 1.3, f"{middle.rate:.0f} bytes per second"
    assert middle.seconds_left is not None
    assert middle.seconds_left == pytest.approx((middle.total - middle.done) / middle.rate)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault("store", damage=150_000), "x.safetensors of owner/model arrived damaged and was thrown away"),
        (Fault("resolve", etag="0" * 64), "changed on the hub while it was being fetched"),
    ],
    ids=["damaged on the way", "another version"],
)
def test_wrong_bytes_are_noticed_and_never_kept(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path, fault: Fault, sentence: str
) -> None:
    fault.times = None if fault.damage else 1
    server.faults.append(fault)
    with pytest.raises(Damaged, match=sentence):
        download(hub, file, target)
    assert not target.exists()
    settle(server)
    download(hub, file, target)
    assert arrived(target, content)


def test_a_file_that_changes_between_two_ranges_is_noticed(
    server: HubServer, hub: Hub, file: RemoteFile, target: Path
) -> None:
    server.faults.append(Fault("store", times=5, etag="first"))
    with pytest.raises(Damaged, match=r"x\.safetensors of owner/model changed on the hub while it was being fetched"):
        download(hub, file, target)


def test_a_server_without_ranges_is_a_sentence(server: HubServer, hub: Hub, file: RemoteFile, target: Path) -> None:
    server.faults.append(Fault("store", times=None, whole=True))
    with pytest.raises(LibraryError, match="cannot be fetched in parts: the server, or a proxy on the way"):
        download(hub, file, target)


@pytest.mark.parametrize("says", ["bytes 5-9/300000", "bytes", f"bytes 0-9/{'9' * 5000}", "bytes -1-9/300000"])
def test_a_server_that_lies_about_its_ranges_is_a_sentence(
    server: HubServer, hub: Hub, file: RemoteFile, target: Path, says: str
) -> None:
    server.faults.append(Fault("store", times=None, says=says))
    with pytest.raises(LibraryError, match="cannot be fetched in parts: the server, or a proxy on the way"):
        download(hub, file, target)


def test_a_file_of_another_size_is_noticed(server: HubServer, hub: Hub, file: RemoteFile, target: Path) -> None:
    server.repositories[REPOSITORY].files[NAME] = b"x" * 250_000
    with pytest.raises(Damaged, match="another size than the hub lists"):
        download(hub, file, target)


def test_a_hub_that_sends_in_circles_is_a_sentence(
    server: HubServer, hub: Hub, file: RemoteFile, target: Path
) -> None:
    server.faults.append(Fault("resolve", times=None, redirect=f"/{REPOSITORY}/resolve/main/{NAME}"))
    with pytest.raises(LibraryError, match="from one address to the next"):
        download(hub, file, target)
    for nowhere in ("file:///etc/passwd", "http://[::1", "http://\x7f/x", "http://" + "a" * 300 + ".com/"):
        server.faults[:] = [Fault("resolve", times=None, redirect=nowhere)]
        with pytest.raises(LibraryError, match="an address that is not safe"):
            download(hub, file, target)
