"""Ask what stands at a place on the disk, never raising: what cannot be reached or named is not there.

``Path.exists`` and its like raise where a folder may not be entered or a name is too long. Opening the place later
says so in the system's own words, which is what a person needs to know.
"""

import os
from pathlib import Path


def exists(path: Path) -> bool:
    """Whether anything that can be reached stands there."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether an ordinary file that can be reached stands there."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether a folder that can be reached stands there."""
    return os.path.isdir(path)  # noqa: PTH112


def is_of_the_finder(path: Path) -> bool:
    """Whether macOS made a file by itself: the Finder's notes, and what other disks keep beside a file for it."""
    return path.name == ".DS_Store" or path.name.startswith("._")


def home_expanded(path: str) -> Path:
    """Put the home folder in the place of ``~``; of a user who does not exist, it stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def reason(error: Exception) -> str:
    """Return what the system says about a path that cannot be opened or written."""
    return str(getattr(error, "strerror", None) or error)
