"""``ace models`` as a program of its own: start it, and read what it says."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any

from tests.mlx_model.cli.models.conftest import ROOT

MINUTE = 90.0


def start(
    environment: dict[str, str],
    *arguments: str,
    stdin: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    preexec_fn: Callable[[], None] | None = None,
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.plain_ace", "models", *arguments]
    return subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=stdin,
        stderr=stderr,
        preexec_fn=preexec_fn,
    )


def wait_for(stream: IO[bytes] | None, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read lines of JSON until one is as wanted."""
    assert stream is not None
    seen: list[bytes] = []
    for line in stream:
        seen.append(line)
        event = json.loads(line)
        if wanted(event):
            return event
    raise AssertionError(f"it ended before; it said {seen[-3:]}")


def is_at(done: int) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == "progress" and event["done"] >= done


def read_until(terminal: int, wanted: bytes) -> bytes:
    """Read what a program says on a terminal, up to some words."""
    said = b""
    while wanted not in said:
        said += os.read(terminal, 4096)
    return said


def read_the_rest(terminal: int) -> bytes:
    """Read until nobody holds the terminal's other end any more, and close this one."""
    said = b""
    with contextlib.suppress(OSError):
        while more := os.read(terminal, 4096):
            said += more
    os.close(terminal)
    return said
