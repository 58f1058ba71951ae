"""Files that several models have in common: one content, several names, where the disk can do that."""

import os
import shutil
from pathlib import Path


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file another name, or a copy where names of one content are not possible; it appears whole.

    A symbolic link is followed first: what is linked is the content.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(target.name + ".new")
    fresh.unlink(missing_ok=True)
    source = source.resolve()
    try:
        os.link(source, fresh)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, fresh)
    if target.exists() and target.samefile(fresh):  # rename does nothing between two names of one content
        fresh.unlink()
    else:
        fresh.replace(target)


def set_apart(path: Path) -> None:
    """Give a file that has other names a content of its own, so that writing into it changes no other."""
    if path.stat().st_nlink > 1:
        fresh = path.with_name(path.name + ".new")
        shutil.copyfile(path, fresh)
        fresh.replace(path)


def bytes_freed(paths: list[Path]) -> int:
    """Count the bytes that deleting these files would free: those of contents that have no name beside these."""
    names: dict[tuple[int, int], int] = {}
    stats = [path.stat() for path in paths]
    for stat in stats:
        names[stat.st_dev, stat.st_ino] = names.get((stat.st_dev, stat.st_ino), 0) + 1
    contents = {(stat.st_dev, stat.st_ino): stat for stat in stats}
    return sum(stat.st_size for key, stat in contents.items() if stat.st_nlink <= names[key])
