"""`--self-test` from the source tree, and that it can fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ace_desktop import self_test

ROOT = Path(__file__).parents[2]


def test_every_part_works() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ace_desktop", "--self-test"],
        cwd=ROOT, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}, capture_output=True, text=True, timeout=400,
        check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("FAILED")] == []
    assert lines[-1] == f"{len(self_test.CHECKS)} of {len(self_test.CHECKS)} checks passed"
    assert done.returncode == 0


def test_a_check_that_fails_is_said_and_the_others_still_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_folder: Path) -> str:
        raise self_test.Failure("it is not there")

    checks = (self_test.Check("one", broken), self_test.Check("two", lambda folder: f"{folder.is_dir()}"))
    monkeypatch.setattr(self_test, "CHECKS", checks)
    assert self_test.main() == 1
    out = capsys.readouterr().out
    assert "FAILED  one: Failure: it is not there" in out
    assert "ok      two: True" in out
    assert "1 of 2 checks passed" in out
