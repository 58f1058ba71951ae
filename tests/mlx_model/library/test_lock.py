"""Who changes the folder of models holds it alone; a folder that cannot be held is told at once, never waited for."""

import os
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from mlx_model.library.errors import LibraryError
from mlx_model.library.lock import LOCK, changing
from mlx_model.library.progress import Work
from tests.mlx_model.locked import lock

IMPATIENCE = 20.0
"""Seconds after which a wait that should not be is ended, as a failure."""


def refusal(models: Path) -> str:
    """Return what is said when a folder cannot be held; Cancelled where it is waited for instead."""
    work = Work()
    ending = threading.Timer(IMPATIENCE, work.control.cancel)
    ending.start()
    try:
        with pytest.raises(LibraryError) as refused, changing(models, work):
            pass
    finally:
        ending.cancel()
    assert work.meter.now().waiting is None
    return str(refused.value)


@pytest.fixture
def read_only(tmp_path: Path) -> Generator[Path]:
    """Return a folder that cannot be written to: by its mode, or for root a disk that is read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False
    if os.geteuid():
        folder.chmod(0o555)
    else:
        command = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        if not mounted:
            pytest.skip("root needs a read-only disk for this, which cannot be mounted here")
    yield folder
    folder.chmod(0o755) if not mounted else subprocess.run(["umount", str(folder)], check=True)


def test_a_folder_that_is_read_only_is_told_at_once(read_only: Path) -> None:
    for models in (read_only, read_only / "models"):
        said = refusal(models)
        assert said.startswith(f"the folder of models {models} cannot be written to ("), said
        assert said.endswith("; allow it, or set ACE_MODELS to a folder that can be"), said


def test_a_folder_that_may_not_be_entered_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    models.mkdir()
    lock(models, monkeypatch)
    assert "cannot be written to (Permission denied)" in refusal(models)


def test_what_stands_in_the_place_of_the_folder_or_of_its_lock_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "models" / LOCK).mkdir(parents=True)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / LOCK).symlink_to(tmp_path / "file")
    for models, why in (
        (tmp_path / "file", "File exists"),
        (tmp_path / "file" / "models", "Not a directory"),
        (tmp_path / "models", "Is a directory"),
        (tmp_path / "linked", "symbolic links"),
    ):
        said = refusal(models)
        assert f"the folder of models {models} cannot be written to (" in said, said
        assert why in said, said
    assert (tmp_path / "file").read_text() == "mine"


def test_the_folder_is_free_again_whatever_happened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trouble"), changing(tmp_path / "models", Work()):
        raise ValueError("trouble")
    with changing(tmp_path / "models", Work()):
        assert (tmp_path / "models" / LOCK).is_file()
