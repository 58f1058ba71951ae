"""Whole files: in parallel, continued after every kind of interruption, checked, and renamed when whole.

``server.sent()`` counts the bytes of content that left the hub: what is not fetched again is proved by it.
"""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from mlx_model.library import disk
from mlx_model.library import download as download_module
from mlx_model.library.disk import require_room, size_text
from mlx_model.library.download import FileRecord, download, record_file, repair, room_for, unharmed
from mlx_model.library.errors import ConnectionBroken, Damaged, DiskFull, LibraryError
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.progress import Control, Meter, TransferProgress
from mlx_model.request import Cancelled
from tests.hub_server import Fault, HubServer
from tests.mlx_model.library.conftest import QUICK, REPOSITORY

NAME = "x.safetensors"
RANGE = QUICK.range_bytes


@pytest.fixture
def file(server: HubServer, hub: Hub, content: bytes) -> RemoteFile:
    """Publish the content and look it up."""
    server.add(REPOSITORY, {NAME: content})
    return hub.describe(REPOSITORY, [NAME])[0]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model" / NAME


def arrived(target: Path, content: bytes) -> bool:
    """Whether the file is there, whole, and nothing beside it."""
    return target.read_bytes() == content and [path.name for path in target.parent.iterdir()] == [target.name]


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


def test_a_dead_network_ends_with_a_sentence_and_costs_nothing(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    server.faults += [Fault("store", times=8, cut=RANGE), Fault("store", times=None, status=502)]
    with pytest.raises(ConnectionBroken, match=r"could not be fetched from 127\.0\.0\.1.*already here is kept"):
        download(hub, file, target)
    assert not target.exists()
    first = server.sent()
    assert first > 0
    server.faults.clear()
    download(hub, file, target)
    assert arrived(target, content)
    again = server.sent() - len(content)
    assert again <= 3 * RANGE, f"{again} bytes came twice of the {first} of the first try: more than was under way"


def test_a_killed_process_goes_on_where_it_was(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    """Only the ranges that were under way when the process was killed come again."""
    server.faults.append(Fault("store", times=None, rate=100_000))
    code = (
        "import sys; from pathlib import Path; from mlx_model.library.hub import Hub, Pace\n"
        "from mlx_model.library.download import download\n"
        f"with Hub(pace=Pace(range_bytes={RANGE}, parallel=2)) as hub:\n"
        f"    download(hub, hub.describe({REPOSITORY!r}, [{NAME!r}])[0], Path(sys.argv[1]))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(target)], env={**os.environ, "HF_ENDPOINT": server.url})
    until = time.monotonic() + 60
    while server.sent() < 120_000 and time.monotonic() < until:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    before = server.sent()
    assert 120_000 <= before < len(content)
    server.faults.clear()
    server.settle()
    before = server.sent()
    download(hub, file, target)
    assert arrived(target, content)
    again = server.sent() - len(content)
    assert again <= 2 * RANGE + 2 * RANGE, f"{again} bytes came twice: more than was under way"
    assert server.sent() - before < len(content) - 120_000 + 2 * RANGE


def test_pieces_that_do_not_hold_any_more_are_fetched_again(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    """A power cut may lose bytes that the journal already speaks of."""
    interrupt(server, hub, file, target)
    part, journal = target.with_name(NAME + ".part"), target.with_name(NAME + ".journal")
    pieces = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    with part.open("r+b") as stream:
        stream.seek(pieces[0]["start"])
        stream.write(b"\0" * 100)
    with journal.open("a") as stream:
        stream.write('{"start": 0, "stop": 99999999, "sha256": "x"}\n{"start": -5, "stop": true}\n{"sta')
    before, held = server.sent(), sum(piece["stop"] - piece["start"] for piece in pieces[1:])
    download(hub, file, target)
    assert arrived(target, content)
    assert server.sent() - before == len(content) - held


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


def test_cancel_is_answered_at_once_and_keeps_what_is_there(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    server.faults.append(Fault("store", times=None, rate=50_000))
    control = Control()
    asked: list[float] = []

    def stop(progress: TransferProgress) -> None:
        if progress.done > 60_000 and not asked:
            asked.append(time.monotonic())
            control.cancel()

    with pytest.raises(Cancelled):
        download(hub, file, target, control=control, report=stop)
    took = time.monotonic() - asked[0]
    assert took < 1.0, f"cancelling took {took:.2f} s"
    settle(server)
    before = server.sent()
    meter = Meter()
    download(hub, file, target, meter=meter)
    assert arrived(target, content)
    again = server.sent() - len(content)
    assert meter.now().fetched == server.sent() - before
    assert again <= QUICK.parallel * RANGE, f"{again} bytes came twice"


def test_a_pause_rests_and_goes_on(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    control = Control()
    seen: list[TransferProgress] = []

    def watch(progress: TransferProgress) -> None:
        seen.append(progress)
        if progress.done > 50_000 and sum(one.paused for one in seen) == 0:
            control.pause()
            threading.Timer(0.5, control.resume).start()

    download(hub, file, target, control=control, report=watch)
    assert arrived(target, content)
    assert server.sent() == len(content)
    resting = [one.done for one in seen if one.paused]
    assert len(resting) > 2
    assert resting[-1] - resting[1] <= QUICK.parallel * 65_536, f"{resting[1]} to {resting[-1]} bytes while paused"


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


def test_another_version_starts_anew(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    interrupt(server, hub, file, target)
    newer = content[::-1]
    server.add(REPOSITORY, {NAME: newer})
    download(hub, hub.describe(REPOSITORY, [NAME])[0], target)
    assert arrived(target, newer)


def test_the_same_bytes_in_a_new_commit_go_on(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    interrupt(server, hub, file, target)
    before = server.sent()
    server.add(REPOSITORY, {NAME: content, "README.md": b"new"})
    newer = hub.describe(REPOSITORY, [NAME])[0]
    assert newer.commit != file.commit
    download(hub, newer, target)
    assert arrived(target, content)
    assert server.sent() - before < len(content) - 50_000


def test_a_server_without_ranges_is_a_sentence(server: HubServer, hub: Hub, file: RemoteFile, target: Path) -> None:
    server.faults.append(Fault("store", times=None, whole=True))
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
    server.faults[:] = [Fault("resolve", times=None, redirect="file:///etc/passwd")]
    with pytest.raises(LibraryError, match="an address that is not safe"):
        download(hub, file, target)


# Room on the disk.


def free(size: int) -> Callable[[Path], int]:
    """Make a disk seem to have so much room."""
    return lambda folder: size if folder else 0


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


# Repair.


def test_a_damaged_file_is_mended_by_its_bad_piece_alone(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path
) -> None:
    record = download(hub, file, target)
    spoiled = bytearray(content)
    spoiled[123_456] ^= 1
    target.write_bytes(spoiled)
    assert not unharmed(record, target.parent)
    before = server.sent()
    assert repair(hub, record, target.parent).sha256 == record.sha256
    assert arrived(target, content)
    assert server.sent() - before == RANGE, "more than the bad piece was fetched"


@pytest.mark.parametrize("kept", [0, 100, 200_000])
def test_a_file_cut_short_or_gone_is_mended(
    server: HubServer, hub: Hub, file: RemoteFile, content: bytes, target: Path, kept: int
) -> None:
    record = download(hub, file, target)
    if kept:
        target.write_bytes(content[:kept])
    else:
        target.unlink()
    before = server.sent()
    repair(hub, record, target.parent)
    assert arrived(target, content)
    assert server.sent() - before == len(content) - kept // RANGE * RANGE


def test_what_was_made_here_cannot_be_mended_from_the_hub(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "made.safetensors").write_bytes(b"x")
    record = record_file(tmp_path / "made.safetensors", "made.safetensors")
    with pytest.raises(Damaged, match="was made on this machine; install the model again"):
        repair(hub, record, tmp_path)
