"""A conversion appears whole or not at all, and goes on after a kill, a cancel or a cut with the same bytes."""

import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from mlx_model.library import disk
from mlx_model.library.conversion import recorded
from mlx_model.library.errors import Damaged, DiskFull
from mlx_model.library.hub import Hub
from mlx_model.library.progress import Control
from mlx_model.library.tensor_files import LocalSource, RemoteSource, TensorFile
from mlx_model.request import Cancelled
from mlx_model.weights.config import QuantizationConfig
from mlx_model.weights.convert import Converted, convert_part
from tests.hub_server import Fault, HubServer, running_hub
from tests.known_answers import GOLDEN
from tests.mlx_model.library.conftest import QUICK, REPOSITORY
from tests.mlx_model.weights.sources import (
    FOUR_BITS,
    contents,
    golden_model,
    golden_weights,
    opened,
    require_described,
    save,
    shards,
)

FFT = golden_model()
TRANSFORMER = GOLDEN / "transformer_fft.weights.safetensors"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_digest_is_compared_and_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    source = opened(TRANSFORMER, sha256(TRANSFORMER))
    converted = convert_part(
        "transformer", [source], tmp_path, FFT, FOUR_BITS, report=lambda a, b: told.append((a, b))
    )
    assert converted.digests_checked
    (read,) = converted.sources
    assert (read.title, read.size, read.sha256) == (str(TRANSFORMER), TRANSFORMER.stat().st_size, sha256(TRANSFORMER))
    assert read.header_sha256 == source.header_sha256
    total = sum(entry.stop - entry.start for entry in source.entries)
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    unknown = convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, FOUR_BITS)
    assert not unknown.digests_checked
    assert unknown.sources[0].sha256 == read.sha256


def test_a_damaged_source_leaves_nothing_in_place_and_what_was_there_stays(tmp_path: Path) -> None:
    convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, FOUR_BITS)
    before = contents(tmp_path)
    with pytest.raises(Damaged, match="is not the file that it should be"):
        convert_part("transformer", [opened(TRANSFORMER, "0" * 64)], tmp_path, FFT, None)
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before
    # the work that was begun is not gone on with: all of the source is read again, and now it is good
    good = convert_part("transformer", [opened(TRANSFORMER, sha256(TRANSFORMER))], tmp_path, FFT, None)
    assert good.digests_checked
    require_described(good, tmp_path)


class Watched(LocalSource):
    """A file that passes for a far one, remembers from where it was read, and may break off."""

    def __init__(self, path: Path, sha256: str | None = None, breaks_at: int | None = None) -> None:
        super().__init__(path, sha256)
        object.__setattr__(self, "starts", [])
        object.__setattr__(self, "breaks_at", breaks_at)

    starts: list[int]
    breaks_at: int | None

    @property
    def near(self) -> bool:
        """Whether it can be read again at no cost."""
        return False

    def stream(self, start: int) -> Iterator[bytes]:
        """Read in small pieces."""
        self.starts.append(start)
        data = self.path.read_bytes()
        for at in range(start, len(data), 4096):
            if self.breaks_at is not None and at >= self.breaks_at:
                raise ConnectionError("the cable was pulled")
            yield data[at : at + 4096]


def test_what_breaks_off_is_gone_on_with_at_the_tensor_that_was_not_done(tmp_path: Path) -> None:
    convert_part("transformer", [opened(TRANSFORMER)], tmp_path / "a", FFT, FOUR_BITS)
    broken = Watched(TRANSFORMER, sha256(TRANSFORMER), breaks_at=900_000)
    with pytest.raises(ConnectionError):
        convert_part("transformer", [TensorFile(broken)], tmp_path / "b", FFT, FOUR_BITS)
    assert all(name.endswith((".converting", ".jsonl")) for name in contents(tmp_path / "b"))
    again = Watched(TRANSFORMER, sha256(TRANSFORMER))
    converted = convert_part("transformer", [TensorFile(again)], tmp_path / "b", FFT, FOUR_BITS)
    assert not converted.digests_checked
    assert converted.sources[0].sha256 is None
    (start,) = again.starts
    assert 800_000 < start <= 900_000
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("told", ["by digest", "by time"])
def test_another_content_of_the_same_header_is_never_mixed_in(tmp_path: Path, told: str) -> None:
    """As when a repository gets a new commit between a cut and going on."""
    other = tmp_path / "other.safetensors"
    data = bytearray(TRANSFORMER.read_bytes())
    for at in range(len(data) - 200_000, len(data) - 2, 64):
        data[at] ^= 1
    other.write_bytes(data)
    os.utime(other, ns=(0, 0))
    first, then = (sha256(TRANSFORMER), sha256(other)) if told == "by digest" else (None, None)
    assert TensorFile(LocalSource(other)).header_sha256 == TensorFile(LocalSource(TRANSFORMER)).header_sha256
    broken = TensorFile(Watched(TRANSFORMER, first, breaks_at=900_000))
    with pytest.raises(ConnectionError):
        convert_part("transformer", [broken], tmp_path / "mixed", FFT, FOUR_BITS)
    convert_part("transformer", [TensorFile(LocalSource(other, then))], tmp_path / "mixed", FFT, FOUR_BITS)
    convert_part("transformer", [TensorFile(LocalSource(other, then))], tmp_path / "whole", FFT, FOUR_BITS)
    assert contents(tmp_path / "mixed") == contents(tmp_path / "whole")


def stopped(path: Path, folder: Path) -> int:
    """Convert a file of this machine and stop half-way; return the bytes that were done."""
    control, reached = Control(), 0

    def stop(done: int, total: int) -> None:
        nonlocal reached
        reached = done
        if done > total // 2:
            control.cancel()

    with pytest.raises(Cancelled):
        convert_part("transformer", [opened(path)], folder, FFT, FOUR_BITS, control=control, report=stop)
    return reached


def test_a_file_near_is_compared_from_its_beginning_and_known_to_its_end(tmp_path: Path) -> None:
    done = stopped(TRANSFORMER, tmp_path / "a")
    told: list[int] = []
    converted = convert_part(
        "transformer", [opened(TRANSFORMER)], tmp_path / "a", FFT, FOUR_BITS, report=lambda at, _: told.append(at)
    )
    assert told[0] >= done, "what was done is done again"
    assert converted.sources[0].sha256 == sha256(TRANSFORMER)
    convert_part("transformer", [opened(TRANSFORMER)], tmp_path / "b", FFT, FOUR_BITS)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_file_near_that_was_exchanged_meanwhile_is_begun_anew(tmp_path: Path) -> None:
    """With the same header, size and time of writing: its content alone tells it."""
    source, data = tmp_path / "usb.safetensors", bytearray(TRANSFORMER.read_bytes())
    source.write_bytes(data)
    written = source.stat().st_mtime_ns
    stopped(source, tmp_path / "a")
    start = opened(TRANSFORMER).entries[0].start
    for at in range(start, start + 20_000, 64):
        data[at] ^= 1
    source.write_bytes(data)
    os.utime(source, ns=(written, written))
    told: list[int] = []
    converted = convert_part(
        "transformer", [opened(source)], tmp_path / "a", FFT, FOUR_BITS, report=lambda at, _: told.append(at)
    )
    assert converted.sources[0].sha256 == sha256(source)
    assert told[-1] == sum(entry.stop - entry.start for entry in opened(source).entries), "it is counted once"
    convert_part("transformer", [opened(source)], tmp_path / "b", FFT, FOUR_BITS)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_shard_that_was_read_whole_stays_checked_when_another_breaks_off(tmp_path: Path) -> None:
    files = [file.source for file in shards(tmp_path, golden_weights("transformer_fft.weights"), 2)]
    paths = [Path(source.title) for source in files]
    folder = tmp_path / "a"
    for breaks_at in (300_000, None):
        watched = [Watched(path, sha256(path), breaks_at if i else None) for i, path in enumerate(paths)]
        try:
            converted = convert_part("transformer", [TensorFile(w) for w in watched], folder, FFT, FOUR_BITS)
        except ConnectionError:
            continue
        assert watched[0].starts == [], "the first shard is not read again"
        assert [source.sha256 for source in converted.sources] == [sha256(paths[0]), None]
        assert not converted.digests_checked
        require_described(converted, folder)
        return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("change", ["bits", "source", "journal"])
def test_work_for_something_else_is_begun_anew(tmp_path: Path, change: str) -> None:
    folder, known = tmp_path / "b", QuantizationConfig(32, 5 if change == "bits" else 4)
    with pytest.raises(ConnectionError):
        convert_part("transformer", [TensorFile(Watched(TRANSFORMER, breaks_at=900_000))], folder, FFT, FOUR_BITS)
    path = TRANSFORMER
    if change == "source":  # the same tensors in another file
        path = Path(save(tmp_path / "x.safetensors", golden_weights("transformer_fft.weights")).source.title)
    elif change == "journal":
        (folder / "transformer.converting.jsonl").write_bytes(b"not json" + bytes([10]))
    again = Watched(path, sha256(path))
    converted = convert_part("transformer", [TensorFile(again)], folder, FFT, known)
    assert converted.digests_checked
    require_described(converted, folder)
    convert_part("transformer", [opened(TRANSFORMER)], tmp_path / "a", FFT, known)
    assert contents(tmp_path / "a") == contents(folder)


def test_cancelling_keeps_what_is_done(tmp_path: Path) -> None:
    control = Control()

    def cancel_half_way(done: int, total: int) -> None:
        if done > total // 2:
            control.cancel()

    with pytest.raises(Cancelled):
        convert_part(
            "transformer", [opened(TRANSFORMER)], tmp_path, FFT, FOUR_BITS, control=control, report=cancel_half_way
        )
    again = Watched(TRANSFORMER)
    convert_part("transformer", [TensorFile(again)], tmp_path, FFT, FOUR_BITS)
    assert again.starts[0] > TRANSFORMER.stat().st_size // 2


KILLED = """
import os, signal, sys
from pathlib import Path
from mlx_model.library.tensor_files import LocalSource, TensorFile
from mlx_model.weights.convert import Converted, convert_part
from tests.mlx_model.weights.sources import FOUR_BITS, golden_model

source, folder, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def kill(done, total, seen=[]):
    seen.append(done)
    if len(seen) == count:
        os.kill(os.getpid(), signal.SIGKILL)

convert_part("transformer", [TensorFile(LocalSource(source, sys.argv[4]))], folder, golden_model(), FOUR_BITS,
             report=kill, sync_bytes=1)
"""


def test_a_killed_conversion_goes_on_at_the_next_tensor_and_gives_the_same_bytes(tmp_path: Path) -> None:
    convert_part("transformer", [opened(TRANSFORMER)], tmp_path / "a", FFT, FOUR_BITS)
    root = Path(__file__).parents[3]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(TRANSFORMER), str(tmp_path / "b"), "20", sha256(TRANSFORMER)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    again = Watched(TRANSFORMER, sha256(TRANSFORMER))
    file = TensorFile(again)
    converted = convert_part("transformer", [file], tmp_path / "b", FFT, FOUR_BITS)
    assert again.starts == [file.entries[20].start]
    assert not converted.digests_checked
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_kill_between_the_renames_is_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert_part("transformer", [opened(TRANSFORMER)], tmp_path / "a", FFT, FOUR_BITS)
    rename = Path.replace

    def die_at_the_second(path: Path, target: Path) -> Path:
        if target.name == "transformer.safetensors":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            convert_part("transformer", [opened(TRANSFORMER)], tmp_path / "b", FFT, FOUR_BITS)
    assert "modulation.safetensors" in contents(tmp_path / "b")
    again = Watched(TRANSFORMER)
    converted = convert_part("transformer", [TensorFile(again)], tmp_path / "b", FFT, FOUR_BITS)
    assert again.starts == []
    require_described(converted, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("since", ["nothing", "damage", "recorded"])
def test_what_was_made_is_not_made_again_until_it_is_recorded(tmp_path: Path, since: str) -> None:
    """As when a process is killed after a conversion, before it has written down that there is one."""
    first = convert_part("transformer", [opened(TRANSFORMER, sha256(TRANSFORMER))], tmp_path, FFT, FOUR_BITS)
    made = contents(tmp_path)
    if since == "damage":
        data = bytearray(made["modulation.safetensors"])
        data[-1] ^= 1
        (tmp_path / "modulation.safetensors").write_bytes(data)
    elif since == "recorded":
        recorded(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == set(made), "nothing is left beside the files"
    again = Watched(TRANSFORMER, sha256(TRANSFORMER))
    assert convert_part("transformer", [TensorFile(again)], tmp_path, FFT, FOUR_BITS) == first
    assert len(again.starts) == (0 if since == "nothing" else 1)
    assert contents(tmp_path) == made


def test_reading_what_was_made_can_be_cancelled(tmp_path: Path) -> None:
    convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, FOUR_BITS)
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, FOUR_BITS, control=control)
    assert (tmp_path / "transformer.safetensors").exists()


def test_what_was_made_needs_no_more_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, FOUR_BITS)

    def nothing_free(_: Path) -> int:
        return 0

    monkeypatch.setattr(disk, "free_bytes", nothing_free)
    assert convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, FOUR_BITS) == first


def test_a_full_disk_is_a_sentence_and_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, room = os.pwrite, [150_000]

    def with_little_room(descriptor: int, data: memoryview, at: int) -> int:
        room[0] -= len(data)
        if room[0] < 0:
            raise OSError(errno.ENOSPC, "no space left on device")
        return write(descriptor, data, at)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", with_little_room)
        with pytest.raises(DiskFull, match="make room and start again"):
            convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, FOUR_BITS)
    again = Watched(TRANSFORMER)
    require_described(convert_part("transformer", [TensorFile(again)], tmp_path, FFT, FOUR_BITS), tmp_path)
    assert again.starts[0] > 100_000


def test_room_for_the_rest_is_asked_for_before_and_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up because of someone else: it is not written full to the last byte."""
    left = [1 << 30]

    def room(_: Path) -> int:
        return left[0]

    monkeypatch.setattr(disk, "free_bytes", room)

    def fill(done: int, total: int) -> None:
        if done > total // 2 and left[0] == 1 << 30:
            left[0] = (16 << 20) + 1000

    def convert(source: LocalSource) -> Converted:
        file = TensorFile(source)
        return convert_part("transformer", [file], tmp_path, FFT, FOUR_BITS, report=fill, sync_bytes=100_000)

    with pytest.raises(DiskFull, match=r"the rest of the converted transformer needs .*, but only 16.8 MB are free"):
        convert(LocalSource(TRANSFORMER))
    again = Watched(TRANSFORMER)
    with pytest.raises(DiskFull, match="the rest of the converted transformer"):
        convert(again)
    assert again.starts == []
    left[0] = 2 << 30
    require_described(convert(again), tmp_path)
    assert again.starts[0] > TRANSFORMER.stat().st_size // 2


def test_what_is_noted_is_on_the_disk_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command that macOS has for it; a disk that does not know it is written all the same."""
    told: list[int] = []

    def command(descriptor: int, number: int) -> None:
        told.append(number)
        os.fstat(descriptor)
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", command)
    require_described(convert_part("transformer", [opened(TRANSFORMER)], tmp_path, FFT, FOUR_BITS), tmp_path)
    assert set(told) == {51}


# From the hub.


@pytest.fixture
def server() -> Generator[HubServer]:
    """Serve the golden transformer."""
    with running_hub() as hub:
        hub.add(REPOSITORY, {TRANSFORMER.name: TRANSFORMER})
        yield hub


def test_a_far_file_is_converted_and_gone_on_with_without_fetching_anything_twice(
    server: HubServer, tmp_path: Path
) -> None:
    with Hub(endpoint=server.url, pace=QUICK) as hub:

        def source() -> TensorFile:
            return TensorFile(RemoteSource(hub, hub.describe(REPOSITORY, [TRANSFORMER.name])[0]))

        whole = convert_part("transformer", [source()], tmp_path / "a", FFT, FOUR_BITS)
        assert whole.digests_checked
        control = Control()

        def cancel_half_way(done: int, total: int) -> None:
            if done > total // 2:
                control.cancel()

        with pytest.raises(Cancelled):
            convert_part(
                "transformer", [source()], tmp_path / "b", FFT, FOUR_BITS, control=control, report=cancel_half_way
            )
        server.settle()
        before = server.sent()
        convert_part("transformer", [source()], tmp_path / "b", FFT, FOUR_BITS)
        assert server.sent() - before < TRANSFORMER.stat().st_size // 2 + 64_000  # the header is read again
        assert contents(tmp_path / "a") == contents(tmp_path / "b")
        server.faults.append(Fault("store", times=None, damage=100_000))
        with pytest.raises(Damaged, match="arrived damaged"):
            convert_part("transformer", [source()], tmp_path / "c", FFT, FOUR_BITS)
        assert not (tmp_path / "c/transformer.safetensors").exists()
