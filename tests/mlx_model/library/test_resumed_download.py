"""Downloads go on after every kind of interruption, and can be cancelled and paused.

``server.sent()`` counts the bytes of content that left the hub: what is not fetched again is proved by it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mlx_model.library.download import download
from mlx_model.library.errors import ConnectionBroken
from mlx_model.library.hub import Hub, RemoteFile
from mlx_model.library.progress import Control, Meter, TransferProgress
from mlx_model.request import Cancelled
from tests.hub_server import Fault, HubServer
from tests.mlx_model.library.conftest import QUICK, REPOSITORY
from tests.mlx_model.library.downloads import NAME, RANGE, arrived, interrupt, settle


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
