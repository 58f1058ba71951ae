"""A saved file is the old one or the new one, whatever happens to the program, the disk or the folder."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from ace_desktop.document import savefile
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.savefile import save_file

OLD, NEW = b"old" * 1000, b"new" * 1000

SLOW_WRITER = """
import sys, time
from pathlib import Path
from ace_desktop.document.savefile import save_file

def write(file):
    for _ in range(1000):
        file.write(b"n" * 1000)
        file.flush()
        print("writing", flush=True)
        time.sleep(0.01)

save_file(Path(sys.argv[1]), write)
"""


def put(data: bytes):
    def write(file: BinaryIO) -> None:
        file.write(data)

    return write


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "picture.ora"
    path.write_bytes(OLD)
    return path


def test_new_and_old_files_are_written_whole(path: Path) -> None:
    save_file(path, put(NEW))
    other = path.with_name("한글 " + "x" * 200)
    save_file(other, put(NEW))
    assert path.read_bytes() == other.read_bytes() == NEW
    assert names_in(path.parent) == sorted([path.name, other.name])


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o640])
def test_permissions_stay(path: Path, mode: int) -> None:
    path.chmod(mode)
    save_file(path, put(NEW))
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_symbolic_link_stays_and_its_file_is_replaced(path: Path) -> None:
    folder = path.parent / "elsewhere"
    folder.mkdir()
    link, dangling = folder / "link.ora", folder / "new.ora"
    link.symlink_to(path)
    dangling.symlink_to(path.parent / "fresh.ora")
    save_file(link, put(NEW))
    save_file(dangling, put(NEW))
    assert link.is_symlink()
    assert path.read_bytes() == (path.parent / "fresh.ora").read_bytes() == NEW


def test_a_writer_killed_in_the_middle_leaves_the_old_file_and_its_remains_go_later(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SLOW_WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (part,) = path.parent.glob(".*.ace-part")
        os.utime(part, (0, 0))
        save_file(path, put(NEW))
        assert part.exists(), "a file in work is nobody's to remove"
        process.send_signal(signal.SIGKILL)
    assert path.read_bytes() == NEW
    os.utime(part)
    save_file(path, put(OLD))
    assert part.exists(), "it is young: its writer may be about to lock it"
    os.utime(part, (0, 0))
    save_file(path, put(OLD))
    assert names_in(path.parent) == [path.name]
    assert path.read_bytes() == OLD


def test_other_files_that_look_alike_are_not_removed(path: Path) -> None:
    others = [path.with_name(name) for name in (".other.ora.0123abcd.ace-part", ".picture.ora.0123abcd.part")]
    for other in others:
        other.write_bytes(b"")
        os.utime(other, (0, 0))
    save_file(path, put(NEW))
    assert all(other.exists() for other in others)


FULL_DISK = """
import resource, sys
from pathlib import Path
from ace_desktop.document.savefile import save_file
from ace_desktop.document.errors import DocumentError

resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    save_file(Path(sys.argv[1]), lambda file: file.write(bytes(100_000)))
except DocumentError as error:
    print(error)
"""


def test_no_room_leaves_the_old_file(path: Path) -> None:
    """The system itself refuses: no file may be larger than 5000 bytes."""
    told = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    assert told.stdout == "picture.ora could not be saved: the disk is full; make room or save on another disk\n"
    assert path.read_bytes() == OLD
    assert names_in(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("code", "says"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full"), (errno.EROFS, "another folder"),
     (errno.EACCES, "another folder"), (errno.EIO, "Input/output error")],
)  # fmt: skip
def test_what_the_system_says_becomes_a_sentence(
    path: Path, code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As late as it can come: when everything is written and only has to be made safe."""

    def fail(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(savefile, "flush_to_disk", fail)
    with pytest.raises(DocumentError, match=says):
        save_file(path, put(NEW))
    assert path.read_bytes() == OLD
    assert names_in(path.parent) == [path.name]


def test_an_error_while_writing_leaves_the_old_file_and_passes_on(path: Path) -> None:
    def fail(file: BinaryIO) -> None:
        file.write(NEW)
        raise KeyError("x")

    with pytest.raises(KeyError):
        save_file(path, fail)
    assert path.read_bytes() == OLD
    assert names_in(path.parent) == [path.name]


def test_places_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="is not a file"):
        save_file(tmp_path, put(NEW))
    with pytest.raises(DocumentError, match="no folder"):
        save_file(tmp_path / "missing" / "a.ora", put(NEW))
    with pytest.raises(DocumentError, match="another name"):
        save_file(tmp_path / ("x" * 300), put(NEW))


def test_a_protected_file_is_not_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replacing needs no right to write to the file itself, so it is asked for."""

    def refuse(*_: object) -> bool:
        return False

    monkeypatch.setattr(os, "access", refuse)
    with pytest.raises(DocumentError, match="write-protected"):
        save_file(path, put(NEW))
    assert path.read_bytes() == OLD
