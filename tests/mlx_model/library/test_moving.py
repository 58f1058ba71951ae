"""Models in another folder: all of them whole there, or everything as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from mlx_model.library import moving
from mlx_model.library.errors import DiskFull, LibraryError
from mlx_model.library.folders import installed_models
from mlx_model.library.lock import LOCK
from mlx_model.library.moving import Move, move_models, plan_move, settle_move
from tests.mlx_model.tiny_model import write_tiny_model


def content(folder: Path) -> dict[str, bytes]:
    """Read all files but the locks."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Make a folder of two models that share a file, of half a third one, of adapters and of the person's own."""
    folder = tmp_path / "here"
    one, two = (write_tiny_model(folder / name, name=name) for name in ("one", "two"))
    (two / "autoencoder.safetensors").unlink()
    os.link(one / "autoencoder.safetensors", two / "autoencoder.safetensors")
    for name in ("three.installing/part.json", "adapters/style.safetensors", "notes/list.txt", "file.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    return folder


def planned(here: Path, there: Path, *, copied: bool) -> Move:
    """Plan a move, to another disk or to the same one."""
    plan = plan_move(here, there)
    assert plan.copied == 0, "the test's folders are on one disk"
    return Move(plan.here, plan.there, plan.names, plan.taken, plan.size, plan.size if copied else 0)


@pytest.mark.parametrize("copied", [False, True])
def test_all_models_are_there_and_what_is_not_ours_stays(here: Path, tmp_path: Path, copied: bool) -> None:
    before, there, told = content(here), tmp_path / "new" / "there", list[int]()
    plan = planned(here, there, copied=copied)
    assert set(plan.names) == {"one", "two", "three.installing", "adapters"}
    move_models(plan, told.append)
    own = {"notes/list.txt", "file.txt"}
    assert content(here) == {name: before[name] for name in own}
    assert content(there) == {name: data for name, data in before.items() if name not in own}
    assert (there / "one/autoencoder.safetensors").samefile(there / "two/autoencoder.safetensors")
    assert told == sorted(told)
    assert (told[-1] == plan.size) if copied else not told
    assert [model.name for model in installed_models(there) if model.config][:2] == ["one", "two"]
    assert plan_move(here, there).names == ()


@pytest.mark.parametrize("copied", [False, True])
def test_what_is_there_already_is_not_touched(here: Path, tmp_path: Path, copied: bool) -> None:
    there = tmp_path / "there"
    write_tiny_model(there / "one", name="one", seed=7)
    mine, theirs = content(here / "one"), content(there / "one")
    plan = planned(here, there, copied=copied)
    assert plan.taken == ("one",)
    move_models(plan, lambda _: None)
    assert (content(here / "one"), content(there / "one")) == (mine, theirs)


class Stopped(Exception):
    """The person does not want to wait any longer."""


def test_a_copy_that_is_stopped_or_fails_leaves_everything_as_it_was(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, there = content(here), tmp_path / "there"
    plan = planned(here, there, copied=True)
    monkeypatch.setattr(moving, "_CHUNK", 4096)

    def stop(copied: int) -> None:
        if copied > plan.size // 2:
            raise Stopped

    with pytest.raises(Stopped):
        move_models(plan, stop)
    assert (content(here), content(there)) == (before, {})

    def full(copied: int) -> None:
        if copied > plan.size // 2:
            raise OSError(28, "No space left on device")

    with pytest.raises(DiskFull, match="is full"):
        move_models(plan, full)
    assert (content(here), content(there)) == (before, {})
    move_models(plan, lambda _: None)
    assert content(there)


def test_a_rename_that_fails_half_way_is_taken_back(here: Path, tmp_path: Path) -> None:
    before, there = content(here), tmp_path / "there"
    plan = planned(here, there, copied=False)
    (there / "two").mkdir(parents=True)
    (there / "two" / "came meanwhile").write_text("mine")
    with pytest.raises(LibraryError):
        move_models(plan, lambda _: None)
    assert content(here) == before
    assert content(there) == {"two/came meanwhile": b"mine"}


def test_too_little_room_and_another_process_are_said_before_anything_moves(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, plan = content(here), planned(here, tmp_path / "there", copied=True)
    with FileLock(here / LOCK), pytest.raises(LibraryError, match="another process"):
        move_models(plan, lambda _: None)

    def free(_folder: Path) -> int:
        return 1000

    monkeypatch.setattr("mlx_model.library.disk.free_bytes", free)
    with pytest.raises(DiskFull, match="but only"):
        move_models(plan, lambda _: None)
    assert content(here) == before


def test_to_the_same_folder_or_from_none_nothing_is_to_be_moved(here: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(here)
    for one, other in ((here, here), (here, tmp_path / "link"), (tmp_path / "nothing", here)):
        assert plan_move(one, other).names == ()


def test_what_comes_or_changes_while_it_is_copied_is_not_deleted(here: Path, tmp_path: Path) -> None:
    """A person puts adapters there at any time; links to folders lead where they led."""
    (tmp_path / "far").mkdir()
    (here / "adapters" / "link").symlink_to(Path("..") / ".." / "far")
    late, changed = here / "adapters" / "late.safetensors", here / "adapters" / "style.safetensors"

    def tick(_copied: int) -> None:
        late.write_text("late")
        changed.write_text("trained for longer")

    there = tmp_path / "there"
    move_models(planned(here, there, copied=True), tick)
    assert (late.read_text(), changed.read_text()) == ("late", "trained for longer")
    assert (there / "adapters" / "style.safetensors").read_text() == "adapters/style.safetensors"
    assert (there / "adapters" / "link").samefile(tmp_path / "far")
    assert sorted(path.name for path in here.rglob("*") if path.is_file() and path.name != LOCK) == sorted(
        [late.name, changed.name, "list.txt", "file.txt"]
    )


def test_a_disk_that_does_not_lock_is_said(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def acquire(*_: object, **__: object) -> None:
        raise NotImplementedError("no locks")

    before = content(here)
    monkeypatch.setattr(FileLock, "acquire", acquire)
    with pytest.raises(LibraryError, match="no locks"):
        move_models(planned(here, tmp_path / "there", copied=False), lambda _: None)
    assert content(here) == before


KILLED = """
import json, os, signal, sys
from pathlib import Path
from mlx_model.library import moving

here, there, copied, where = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "copied", sys.argv[4]
plan = moving.plan_move(here, there)
plan = moving.Move(here, there, plan.names, plan.taken, plan.size, plan.size if copied else 0)
name, _, count = where.partition(" ")
left = int(count or 1)

def after(event, *_):
    global left
    left -= event == name
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

rename, unlink = Path.rename, Path.unlink
Path.rename = lambda *a: (rename(*a), after("rename"))[0]
Path.unlink = lambda path, **k: (unlink(path, **k), after("unlink"))[0]
moving._CHUNK = 4096
moving.move_models(plan, lambda _: after("tick"), lambda: after("arrived"))
"""


@pytest.mark.parametrize(
    ("how", "where", "arrives"),
    [
        ("copied", "tick", False),
        ("copied", "tick 20", False),
        ("copied", "rename", True),
        ("copied", "arrived", True),
        ("copied", "unlink", True),
        ("copied", "unlink 5", True),
        ("renamed", "rename", True),
    ],
)
def test_of_a_move_that_was_killed_the_next_start_makes_an_end(
    here: Path, tmp_path: Path, how: str, where: str, arrives: bool
) -> None:
    """Gigabytes that nobody knows of would stay, or models that nobody finds."""
    before, there = content(here), tmp_path / "there"
    (here / "adapters" / "of my own").symlink_to(tmp_path)
    killed = subprocess.run([sys.executable, "-c", KILLED, here, there, how, where], check=False)
    assert killed.returncode == -9
    moved = settle_move(here)
    own = {"notes/list.txt", "file.txt"}
    if arrives:
        assert moved is not None
        assert (moved.here, moved.there, len(moved.names)) == (here, there, 4)
        assert content(here) == {name: before[name] for name in own}
        assert content(there) == {name: data for name, data in before.items() if name not in own}
        assert (there / "one/autoencoder.safetensors").samefile(there / "two/autoencoder.safetensors")
    else:
        assert moved is None
        assert (content(here), content(there)) == (before, {})
    assert [path.name for path in there.iterdir() if path.name.startswith(".")] == [LOCK]
    assert settle_move(here) is None


def test_a_move_is_not_settled_while_it_goes_on_or_the_other_disk_is_away(here: Path, tmp_path: Path) -> None:
    there, asked = tmp_path / "there", list[Move | None]()
    plan = planned(here, there, copied=True)
    move_models(plan, lambda _: asked.append(settle_move(here)), lambda: asked.append(settle_move(here)))
    assert set(asked) == {None}
    assert len(content(there)) > len(plan.names)
    note = {"there": str(tmp_path / "away"), "names": ["notes"], "copied": True, "whole": True}
    for text in (json.dumps(note), "", "[]", json.dumps({**note, "names": 3})):
        (here / ".moving.json").write_text(text)
        assert settle_move(here) is None
        assert (here / "notes" / "list.txt").is_file()


def test_a_full_disk_can_be_moved_away_from(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a note fits on it."""

    def write_whole(_path: Path, _text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(moving, "write_whole", write_whole)
    there = tmp_path / "there"
    move_models(planned(here, there, copied=True), lambda _: None)
    assert (there / "one" / "config.json").is_file()
    assert not (here / "one").exists()
