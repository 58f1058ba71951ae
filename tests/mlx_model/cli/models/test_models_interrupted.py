"""``ace models install`` as a program: killed, told to end, paused, out of room, run twice; what is here is kept."""

import json
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.hub_server import Fault, HubServer
from tests.mlx_model.cli.models.conftest import NAME
from tests.mlx_model.cli.models.program import MINUTE, is_at, start, wait_for
from tests.mlx_model.library.conftest import QUICK
from tests.released_models import (
    FFT,
    RELEASED,
    TEXT,
    VAE,
)

ALL_BYTES = len(RELEASED[FFT]["ace_plus_fft.safetensors"]) + sum(
    len(data) for name in (TEXT, VAE) for data in RELEASED[name].values()
)


def test_what_was_killed_goes_on_without_fetching_again_what_is_there(
    environment: dict[str, str],
    server: HubServer,
    tmp_path: Path,
) -> None:
    server.faults.append(Fault("store", times=None, rate=30_000))
    with start(environment, "install", NAME, "--yes", "--json") as process:
        wait_for(process.stdout, is_at(120_000))
        process.kill()
    server.settle()
    before = server.sent()
    assert before >= 120_000
    assert not (tmp_path / "models" / NAME).exists()
    server.faults.clear()
    with start(environment, "install", NAME, "--yes", "--json") as process:
        out, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 0, err
    server.settle()
    window, tensor = QUICK.range_bytes * (QUICK.ahead + QUICK.parallel), 132_000
    again = server.sent() - ALL_BYTES
    assert again <= window + tensor + 1000, f"{again} bytes came twice"
    done = json.loads(out.splitlines()[-1])
    assert done["event"] == "done"
    assert not done["parts"]["fft_transformer"]["digests_checked"], "it was read in two goes"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_and_keeps_what_is_here(
    environment: dict[str, str],
    server: HubServer,
    tmp_path: Path,
    number: int,
    code: int,
) -> None:
    server.faults.append(Fault("store", times=None, rate=20_000))
    with start(environment, "install", NAME, "--yes", "--json") as process:
        wait_for(process.stdout, is_at(40_000))
        process.send_signal(number)
        out, err = process.communicate(timeout=MINUTE)
    assert process.returncode == code, err
    assert err == b""
    assert json.loads(out.splitlines()[-1])["event"] == "cancelled"
    assert (tmp_path / "models" / f"{NAME}.installing").exists()


def test_words_on_standard_input_pause_resume_and_cancel(environment: dict[str, str], server: HubServer) -> None:
    server.faults.append(Fault("store", times=None, rate=30_000))
    with start(environment, "install", NAME, "--yes", "--json") as process:
        assert process.stdin is not None
        wait_for(process.stdout, is_at(20_000))
        process.stdin.write(b"pause\n")
        process.stdin.flush()
        wait_for(process.stdout, lambda event: event.get("paused") is True)
        time.sleep(0.5)  # what was under way comes to its end
        server.settle()
        before = server.sent()
        time.sleep(0.5)
        assert server.sent() == before, "bytes come while it rests"
        process.stdin.write(b"resume\n")
        process.stdin.flush()
        wait_for(process.stdout, lambda event: event.get("paused") is False and event["done"] > before - 50_000)
        process.stdin.write(b"nonsense\ncancel\n")
        process.stdin.close()
        process.stdin = None
        out, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 130, err
    assert json.loads(out.splitlines()[-1])["event"] == "cancelled"


def test_the_end_of_standard_input_changes_nothing(environment: dict[str, str]) -> None:
    with start(environment, "install", NAME, "--yes", "--json", stdin=subprocess.DEVNULL) as process:
        _, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 0, err


def test_an_application_that_goes_away_changes_nothing(environment: dict[str, str], server: HubServer) -> None:
    """Nobody reads what it says and nobody steers it any more; it goes on to its end."""
    server.faults.append(Fault("store", times=None, rate=30_000))
    with start(environment, "install", NAME, "--yes", "--json") as process:
        wait_for(process.stdout, is_at(20_000))
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
        server.faults.clear()
        assert process.wait(MINUTE) == 0
    with start(environment, "verify", NAME, "--json") as process:
        assert process.wait(MINUTE) == 0


def test_an_application_that_goes_away_during_a_pause_does_not_keep_the_next_one_waiting(
    environment: dict[str, str], server: HubServer
) -> None:
    server.faults.append(Fault("store", times=None, rate=30_000))
    with start(environment, "install", NAME, "--yes", "--json") as process:
        assert process.stdin is not None
        wait_for(process.stdout, is_at(20_000))
        process.stdin.write(b"pause\n")
        process.stdin.flush()
        wait_for(process.stdout, lambda event: event.get("paused") is True)
        process.stdin.close()
        process.stdin = None
        out, _ = process.communicate(timeout=MINUTE)
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["event"] == "cancelled"
    server.faults.clear()
    with start(environment, "install", NAME, "--yes", "--json") as process:
        out, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 0, err
    assert not any(json.loads(line)["event"] == "waiting" for line in out.splitlines())
    server.settle()
    window = QUICK.range_bytes * (QUICK.ahead + QUICK.parallel)
    assert server.sent() <= ALL_BYTES + window + 132_000 + 1000, "what was there is fetched again"


def test_two_processes_that_install_the_same_fetch_it_once(environment: dict[str, str], server: HubServer) -> None:
    server.faults.append(Fault("store", times=None, rate=4_000))
    with start(environment, "install", NAME, "--yes", "--json") as first:
        wait_for(first.stdout, is_at(10_000))
        with start(environment, "install", NAME, "--yes", "--json") as second:
            said = wait_for(second.stdout, lambda event: event["event"] == "waiting")
            server.faults.clear()
            _, first_err = first.communicate(timeout=MINUTE)
            _, second_err = second.communicate(timeout=MINUTE)
    assert "another process is changing the models in" in said["text"]
    assert (first.returncode, second.returncode) == (0, 0), (first_err, second_err)
    assert server.sent() <= ALL_BYTES + 1000


def test_a_disk_that_gets_full_is_a_sentence_and_what_is_here_is_kept(
    environment: dict[str, str], tmp_path: Path
) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))

    with start(environment, "install", NAME, "--yes", "--json", preexec_fn=small) as process:
        out, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 2, err
    assert err.count(b"\n") == 1
    assert b"is full; make room and start again" in err
    assert json.loads(out.splitlines()[-1])["event"] == "error"
    with start(environment, "install", NAME, "--yes", "--json") as process:
        _, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 0, err
    assert (tmp_path / "models" / NAME / "record.json").exists()
