"""What differs in a frozen program: its child processes are started through its own executable, not through Python's.

`multiprocessing` starts a child as `executable --multiprocessing-fork …` and its resource tracker as
`executable … -c "from multiprocessing.resource_tracker import main;main(FD)"`. A frozen executable knows neither
unless the program sees to it: otherwise each child would open another window.
"""

from __future__ import annotations

import multiprocessing
import re
import runpy
import sys
from multiprocessing import resource_tracker, spawn
from pathlib import Path

ACE = "--ace"
"""What follows it are the arguments of the `ace` command, which a frozen program brings with it."""
_TRACKER = re.compile(r"from multiprocessing\.resource_tracker import main;\s*main\((\d+)\)")


def begin_process() -> None:
    """Do the work of a child process, if this is one, and end; else let children be started through the bundle.

    Called before anything else is imported, so that a child loads no window.
    """
    executable = bundle_executable(Path(__file__))
    if executable is not None:
        sys.frozen = True  # pyright: ignore[reportAttributeAccessIssue]  what `multiprocessing` asks for
        sys.executable = str(executable)
        multiprocessing.set_executable(sys.executable)
    if sys.argv[1:2] == [ACE]:
        sys.argv = ["ace", *sys.argv[2:]]
        runpy.run_module("mlx_model.cli", run_name="__main__")  # which ends the process
    if not getattr(sys, "frozen", False):
        return
    tracked = tracker_of(sys.argv)
    if tracked is not None:
        resource_tracker.main(tracked)
        sys.exit(0)  # a number: the bundle's launcher takes none at all for -1
    spawn.freeze_support()


def bundle_executable(module: Path) -> Path | None:
    """Find the executable of the macOS bundle that a module of ours lies in, as briefcase lays them out; else None.

    Its launcher tells Python of no executable, or of one that is not itself.
    """
    contents = module.absolute().parents[3] if len(module.absolute().parents) > 3 else module
    if contents.name != "Contents":
        return None
    import plistlib

    try:
        name = plistlib.loads((contents / "Info.plist").read_bytes())["CFBundleExecutable"]
    except (OSError, KeyError, plistlib.InvalidFileException):
        return None
    return contents / "MacOS" / name


def tracker_of(arguments: list[str]) -> int | None:
    """Give the pipe that `multiprocessing`'s resource tracker is to listen to; None if that is not asked for."""
    if len(arguments) < 3 or arguments[-2] != "-c":
        return None
    found = _TRACKER.fullmatch(arguments[-1])
    return None if found is None else int(found[1])
