"""The installed models in another folder: whole there, or left where they are."""

import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mlx_model.library.disk import force_out, require_room, writing
from mlx_model.library.errors import LibraryError
from mlx_model.library.folders import INSTALLING, RECORD
from mlx_model.library.lock import LOCK
from mlx_model.library.record import write_whole
from mlx_model.places import exists, is_file, is_folder
from mlx_model.request import RequestError
from mlx_model.typed_json import read_typed

ADAPTERS: Final = "adapters"
"""The folder beside the models that all of them take adapters from."""
_MOVING: Final = ".moving"
_NOTE: Final = ".moving.json"
"""In the old folder while something is moved: how far it is, for whoever comes after a program that was killed."""
_CHUNK: Final = 8 << 20
_TICKS_APART: Final = 2.0
"""Seconds by which a disk may round the time of a file."""

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


@dataclass(frozen=True)
class _Note:
    """What is being moved; from the moment at which it is ``whole`` there, it is brought to its end."""

    there: str
    names: tuple[str, ...]
    copied: bool
    whole: bool = False


def plan_move(here: Path, there: Path) -> Move:
    """Look what could be moved from one folder of models to another."""
    found = _ours(here) if is_folder(here) and not _same(here, there) else []
    names = [name for name in found if not exists(there / name)]
    sizes = {(stat.st_dev, stat.st_ino): stat.st_size for path in _files(here, names) if (stat := path.stat())}
    size = sum(sizes.values())
    return Move(
        here, there, tuple(names), tuple(set(found) - set(names)), size, 0 if _one_disk(here, there) else size
    )


def move_models(move: Move, tick: Tick, arrived: Callable[[], None] = lambda: None) -> None:
    """Move them; slow where they have to be copied. A model is at one of the two places at any moment, whole.

    ``arrived`` is called once all are at their new place; a copy that was made is what the old place loses only then.
    A program that is killed meanwhile leaves a note, of which `settle_move` makes an end.

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
            held.enter_context(_locked(folder, what))
        note = _Note(str(move.there.absolute()), move.names, bool(move.copied), not move.copied)
        held.callback((move.here / _NOTE).unlink, missing_ok=True)
        _write_note(move.here, note)
        if move.copied:
            _copy(move, note, tick, arrived)
        else:
            _rename(move)
            arrived()


def settle_move(here: Path, only_to: Path | None = None) -> Move | None:
    """Make an end of a move out of this folder that a killed program left; returns what is at its new place now.

    A copy that had not become whole is deleted, so that all is as it was. Nothing is done while another process
    changes these models, or while the other disk is away, or where the move led elsewhere than ``only_to``.
    """
    note = _read_note(here)
    if note is None or not is_folder(there := Path(note.there)) or (only_to and there != only_to.absolute()):
        return None
    try:
        with _locked(here, ""), _locked(there, ""):
            if note.whole:
                _go_on(here, there, note)
            shutil.rmtree(there / _MOVING, ignore_errors=True)
            (here / _NOTE).unlink(missing_ok=True)
    except (OSError, LibraryError):
        return None
    arrived = tuple(name for name in note.names if note.whole and exists(there / name))
    return Move(here, there, arrived, (), 0, 0) if arrived else None


def _go_on(here: Path, there: Path, note: _Note) -> None:
    """Give what has not its name there yet its name, and delete here what is there as well."""
    for name in note.names:
        source = (there / _MOVING if note.copied else here) / name
        if is_folder(source) and not exists(there / name):
            source.rename(there / name)

    def copied(path: Path) -> bool:
        one, other = path.lstat(), (there / path.relative_to(here)).lstat()
        return path.is_symlink() or (
            one.st_size == other.st_size and abs(one.st_mtime - other.st_mtime) <= _TICKS_APART
        )

    if note.copied:
        _delete(here, [name for name in note.names if is_folder(there / name)], copied)


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


def _copy(move: Move, note: _Note, tick: Tick, arrived: Callable[[], None]) -> None:
    """Copy all, then give each its name there, then delete here; files with several names keep them."""
    part = move.there / _MOVING
    shutil.rmtree(part, ignore_errors=True)  # of a program that was killed
    done: list[str] = []
    try:
        files = _copy_files(move, part, tick)
        _write_note(move.here, replace(note, whole=True))
        for name in move.names:
            (part / name).rename(move.there / name)
            done.append(name)
    except BaseException:
        _write_note(move.here, note)  # what is taken back is not to be brought to its end
        for name in done:
            shutil.rmtree(move.there / name, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    arrived()

    def copied(path: Path) -> bool:
        now, seen = path.lstat(), files.get(path)
        return seen is not None and (now.st_ino, now.st_size, now.st_mtime_ns) == (
            seen.st_ino, seen.st_size, seen.st_mtime_ns,
        )  # fmt: skip

    _delete(move.here, move.names, copied)


def _delete(here: Path, names: Sequence[str], copied: Callable[[Path], bool]) -> None:
    """Delete what was copied, and no more: what came meanwhile, such as an adapter, has no copy."""
    paths = [*_files(here, names), *_links(here, names)]
    paths.sort(key=lambda path: path.name not in ("config.json", RECORD))  # half a model is not one
    for path in paths:
        with suppress(OSError):
            if copied(path):
                path.unlink()
    for name in names:
        for folder, _folders, _files_in_it in os.walk(here / name, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


@contextmanager
def _locked(folder: Path, what: str) -> Generator[None]:
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except NotImplementedError as error:
        raise LibraryError(f"{what} cannot be kept in {folder} ({error})") from error
    except Timeout as error:
        raise LibraryError(f"another process is changing the models in {folder}; wait for it") from error
    try:
        yield
    finally:
        lock.release()


def _write_note(here: Path, note: _Note) -> None:
    with suppress(OSError):  # a full disk is what one moves away from
        write_whole(here / _NOTE, json.dumps(asdict(note)))


def _read_note(here: Path) -> _Note | None:
    """Read what a killed program left; None where there is nothing that can be read."""
    try:
        value = json.loads((here / _NOTE).read_text(encoding="utf-8"))
        return read_typed(value, _Note, _NOTE)
    except (OSError, ValueError, RequestError):
        return None


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


def _files(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        yield from (path for path in sorted((folder / name).rglob("*")) if path.is_file())


def _links(folder: Path, names: Sequence[str]) -> Iterator[Path]:
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
