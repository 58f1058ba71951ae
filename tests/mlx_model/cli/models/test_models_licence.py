"""The licence is shown and asked for: by an option where there is no terminal, by a question where there is one."""

import os
import pty
import signal
from pathlib import Path

import pytest

from tests.hub_server import HubServer
from tests.mlx_model.cli.models.conftest import NAME, Ace
from tests.mlx_model.cli.models.program import MINUTE, read_the_rest, read_until, start


def test_without_a_terminal_the_licence_has_to_be_accepted_by_an_option(ace: Ace, server: HubServer) -> None:
    ran = ace("models", "install", NAME, "--json")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "has to be accepted first: start again with --yes" in ran.err
    assert ran.event("error")["text"] in ran.err
    assert server.requests == []


def test_on_a_terminal_the_licence_is_asked_for(environment: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with start(environment, "install", NAME, stdin=theirs, stderr=theirs) as process:
        os.close(theirs)
        assert b"non-commercial purposes only" in read_until(ours, b"Do you accept this licence?")
        os.write(ours, b"y\n")
        read_the_rest(ours)
        process.communicate(timeout=MINUTE)
    assert process.returncode == 0
    assert (tmp_path / "models" / NAME / "config.json").exists()


@pytest.mark.parametrize("key", ["Ctrl-C", "Ctrl-D"])
def test_leaving_at_the_licence_question_is_quiet(environment: dict[str, str], key: str) -> None:
    ours, theirs = pty.openpty()
    with start(environment, "install", NAME, stdin=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = read_until(ours, b"[y/N]")
        if key == "Ctrl-C":
            process.send_signal(signal.SIGINT)
        else:
            os.write(ours, b"\x04")
        assert process.wait(MINUTE) == 130
    assert b"Traceback" not in said + read_the_rest(ours)
