"""The installed models in another folder: whole there, or left where they are."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mlx_model.library.disk import force_out, require_room, writing
from mlx_model.library.errors import LibraryError
from mlx_model.library.folders import INSTALLING, RECORD
from mlx_model.library.lock import LOCK
from mlx_model.places import exists, is_file, is_folder

ADAPTERS: Final = "adapters"
"""The folder beside the models that all of them take adapters from."""
_MOVING: Final = ".moving"
_CHUNK: Final = 8 << 20

Tick = Callable[[int], None]
"""Called with the bytes that have been copied so far; may raise to stop."""


@dataclass(frozen=True)
class Move:
    """What would be moved: ``names`` of folders, of ``size`` bytes; ``copied`` of them have to be copied.

    ``names`` that are in the other folder already are ``taken``: they stay where they are.
    """

    here: Path
    there: Path
    names: tuple[str, ...]
    taken: tuple[str, ...]
    size: int
    copied: int


def plan_move(here: Path, there: Path) -> Move:
    """Look what could be moved from one folder of models to another."""
    found = _ours(here) if is_folder(here) and not _same(here, there) else []
    names = [name for name in found if not exists(there / name)]
    sizes = {(stat.st_dev, stat.st_ino): stat.st_size for path in _files(here, names) if (stat := path.stat())}
    size = sum(sizes.values())
    return Move(
        here, there, tuple(names), tuple(set(found) - set(names)), size, 0 if _one_disk(here, there) else size
    )


def move_models(move: Move, tick: Tick) -> None:
    """Move them; slow where they have to be copied. A model is at one of the two places at any moment, whole.

    Raises:
        LibraryError: there is no room, a folder cannot be written to, or another process is changing one of them;
            everything is where it was.
    """
    what = ", ".join(move.names)
    if move.copied:
        require_room(move.there, move.copied, what)
    with ExitStack() as held:
        held.enter_context(writing(move.there, what))
        for folder in (move.here, move.there):
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / LOCK)
            try:
                lock.acquire(timeout=0)
            except NotImplementedError as error:
                raise LibraryError(f"{what} cannot be kept in {folder} ({error})") from error
            except Timeout as error:
                raise LibraryError(f"another process is changing the models in {folder}; wait for it") from error
            held.callback(lock.release)
        if move.copied:
            _copy(move, tick)
        else:
            _rename(move)


def _rename(move: Move) -> None:
    done: list[str] = []
    try:
        for name in move.names:
            (move.here / name).rename(move.there / name)
            done.append(name)
    except OSError:
        for name in done:
            (move.there / name).rename(move.here / name)
        raise


def _copy(move: Move, tick: Tick) -> None:
    """Copy all, then give each its name there, then delete here; files with several names keep them."""
    part = move.there / _MOVING
    shutil.rmtree(part, ignore_errors=True)  # of a program that was killed
    done: list[str] = []
    try:
        files = _copy_files(move, part, tick)
        for name in move.names:
            (part / name).rename(move.there / name)
            done.append(name)
    except BaseException:
        for name in done:
            shutil.rmtree(move.there / name, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    for name in move.names:
        with suppress(OSError):  # what says that it is a model goes first: half a model is not one
            (move.here / name / "config.json").unlink(missing_ok=True)
            (move.here / name / RECORD).unlink(missing_ok=True)
    for path, seen in files.items():  # and no more: what came meanwhile, such as an adapter, has no copy
        with suppress(OSError):
            now = path.lstat()
            if (now.st_ino, now.st_size, now.st_mtime_ns) == (seen.st_ino, seen.st_size, seen.st_mtime_ns):
                path.unlink()
    for name in move.names:
        for folder, _folders, _files in os.walk(move.here / name, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def _copy_files(move: Move, part: Path, tick: Tick) -> dict[Path, os.stat_result]:
    """Copy them; returns what was copied, by its old place, as it was then."""
    files: dict[Path, os.stat_result] = {}
    known: dict[tuple[int, int], Path] = {}
    copied = 0
    for path in (*_files(move.here, move.names), *_links(move.here, move.names)):
        target = part / path.relative_to(move.here)
        target.parent.mkdir(parents=True, exist_ok=True)
        files[path] = path.lstat()
        if not path.is_file():  # a link to a folder, or to nothing
            target.symlink_to(path.resolve())
            continue
        stat = path.stat()
        twin = known.setdefault((stat.st_dev, stat.st_ino), target)
        if twin is not target:
            with suppress(OSError):  # a disk without links has it twice
                os.link(twin, target)
                continue
        with path.open("rb") as source, target.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                sink.write(chunk)
                copied += len(chunk)
                tick(copied)
            sink.flush()
            force_out(sink.fileno())
        shutil.copystat(path, target)
        if target.stat().st_size != stat.st_size:
            raise LibraryError(f"{path} was changed while it was moved; try again")
    return files


def _ours(folder: Path) -> list[str]:
    """Name what in a folder is a model, a part of one, or the adapters of all."""
    names = [path.name for path in sorted(folder.iterdir()) if is_folder(path) and not path.is_symlink()]
    return [
        name
        for name in names
        if name == ADAPTERS
        or name.endswith(INSTALLING)
        or is_file(folder / name / "config.json")
        or is_file(folder / name / RECORD)
    ]


def _files(folder: Path, names: tuple[str, ...] | list[str]) -> Iterator[Path]:
    for name in names:
        yield from (path for path in sorted((folder / name).rglob("*")) if path.is_file())


def _links(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """List the links that lead to no file."""
    for name in names:
        yield from (path for path in sorted((folder / name).rglob("*")) if path.is_symlink() and not path.is_file())


def _one_disk(here: Path, there: Path) -> bool:
    while not there.exists() and there != there.parent:
        there = there.parent
    return here.exists() and here.stat().st_dev == there.stat().st_dev


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return one == other
