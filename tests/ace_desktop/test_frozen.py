"""A frozen program: child processes start through its own executable, and its parts say whether they work."""

import os
import plistlib
import stat
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ace_desktop.frozen import bundle_executable, tracker_of

ROOT = Path(__file__).parents[2]

LAUNCHER = """#!{python}
import sys
sys.path.insert(0, {root!r})
sys.frozen, sys.executable = True, sys.argv[0]
import multiprocessing
multiprocessing.set_executable(sys.executable)
from ace_desktop.frozen import begin_process
begin_process()
from multiprocessing import shared_memory
from tests.ace_desktop.test_frozen import shout
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    memory = shared_memory.SharedMemory(create=True, size=16)
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=shout, args=(send, memory.name))
    child.start()
    print(receive.recv(), bytes(memory.buf[:5]).decode(), "in another process" if child.pid else "")
    child.join()
    memory.close()
    memory.unlink()
"""


def shout(send: Connection, name: str) -> None:
    """Write into shared memory, and say so; runs in the child."""
    from multiprocessing import shared_memory

    memory = shared_memory.SharedMemory(name)
    assert memory.buf is not None
    memory.buf[:5] = b"hello"
    memory.close()
    send.send("written")


def test_a_child_and_its_tracker_start_through_an_executable_that_is_not_python(tmp_path: Path) -> None:
    """As frozen programs and briefcase's launcher are: all arguments are the program's, none Python's."""
    program = tmp_path / "program"
    program.write_text(LAUNCHER.format(python=sys.executable, root=str(ROOT)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    done = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False, env={**os.environ})
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["written hello in another process"]


def test_the_bundles_executable_is_found_from_a_module_in_it(tmp_path: Path) -> None:
    contents = tmp_path / "ACE Desktop.app" / "Contents"
    module = contents / "Resources" / "app" / "ace_desktop" / "frozen.py"
    module.parent.mkdir(parents=True)
    assert bundle_executable(module) is None, "no Info.plist"
    (contents / "Info.plist").write_bytes(plistlib.dumps({"CFBundleExecutable": "ACE Desktop"}))
    assert bundle_executable(module) == contents / "MacOS" / "ACE Desktop"
    assert bundle_executable(ROOT / "ace_desktop" / "frozen.py") is None


@pytest.mark.parametrize(
    ("arguments", "pipe"),
    [
        (["ace", "-I", "-c", "from multiprocessing.resource_tracker import main;main(7)"], 7),
        (["ace", "-c", "from multiprocessing.resource_tracker import main;main(7)"], 7),
        (["ace", "-c", "import os;os.remove('/')"], None),
        (["ace", "a.png", "b.png"], None),
        (["ace"], None),
    ],
)
def test_only_the_tracker_is_taken_for_the_tracker(arguments: list[str], pipe: int | None) -> None:
    assert tracker_of(arguments) == pipe
