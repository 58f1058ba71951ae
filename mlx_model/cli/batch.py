"""``ace batch``: one job per line, carried on where it stopped.

A journal beside the outputs, ``JOBS.journal.jsonl``, has a line for every finished job: the digest of what was asked
(settings, model, and the sha256 of every input file), of the adapters that were used, and of the files that came out.
A job counts as finished while all of them still hold, so that a changed line, input, model, adapter or output is done
again, and nothing else, whatever the current folder is.
"""

import hashlib
import json
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args, get_type_hints

from mlx_model.cli.edit import (
    MAX_COUNT,
    PIPE,
    Editors,
    Job,
    Target,
    adapter_digests,
    carry_out,
    parse_region,
    parse_size,
    prepare,
    targets_of,
)
from mlx_model.cli.report import Report, Untold
from mlx_model.library.folders import find_model, model_digest
from mlx_model.pictures.read import read_bytes
from mlx_model.places import exists, is_file, is_folder, reason
from mlx_model.request import Cancelled, RequestError

Journal: TypeAlias = Mapping[str, "Finished"]
"""What was asked, by digest → what was done."""

_FILES: Final = ("picture", "mask", "control_picture", "out")


@dataclass(frozen=True)
class Line:
    """A job with the number of its line, and the files that it makes."""

    number: int
    job: Job
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Finished:
    """A finished job: the sha256 of each output file by path, the digest of each adapter by name."""

    outputs: Mapping[str, str]
    adapters: Mapping[str, str]


@dataclass
class _Models:
    """The folders and digests of the models that were needed so far."""

    home: Path
    digests: dict[Path, str] = field(default_factory=dict[Path, str])

    def of(self, name: str | None) -> tuple[Path, str]:
        folder = find_model(name, self.home).absolute()
        if folder not in self.digests:
            self.digests[folder] = model_digest(folder)
        return folder, self.digests[folder]


def run_batch(jobs: Path, out: Path | None, report: Report) -> bool:
    """Do all jobs of a file that are not done yet; return whether every one succeeded.

    Paths in the file are relative to its folder. Outputs without a name go to ``out`` (that folder by default) as
    ``JOBS-LINE.png``; one whose ``out`` is a folder is named after its picture, and replaces only what is its own.
    A job that fails, for whatever reason, does not keep the others from being done.

    Raises:
        RequestError: the file cannot be read, or has lines that cannot be understood or that write to the same file;
            then nothing was begun.
    """
    folder = out or jobs.parent
    if not is_folder(folder):
        raise RequestError(f"there is no folder {folder}; make it first")
    folder = folder.resolve()
    lines = read_jobs(jobs, folder)
    journal_file = folder / f"{jobs.stem}.journal.jsonl"
    journal, editors, models = _read_journal(journal_file), Editors(), _Models(jobs.parent.resolve())
    lines = _with_targets(lines, {name for finished in journal.values() for name in finished.outputs}, jobs)
    done = failed = 0
    for line in lines:
        report.job = f"job {line.number}, {done + failed + 1} of {len(lines)}"
        try:
            if entry := _do(line, models, journal, editors, report):
                _append(journal_file, entry)
            done += 1
        except RequestError as error:
            report.error(f"line {line.number} of {jobs}: {error}")
            failed += 1
        except (Cancelled, BrokenPipeError, Untold):
            raise
        except Exception as error:  # one job must not take the others with it
            report.error(
                f"line {line.number} of {jobs}: it failed unexpectedly ({_described(error)}); run the batch again"
            )
            failed += 1
            editors = Editors()  # nobody knows what state the old ones are in
    report.job = ""
    report.result({"done": done, "failed": failed}, f"{done} of {len(lines)} jobs done")
    return not failed


def read_jobs(path: Path, out: Path) -> list[Line]:
    """Read one job per line, its paths made absolute; empty lines are left out.

    Raises:
        RequestError: lines cannot be understood; the sentence names the first of them and what is wrong.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is not a text file in UTF-8") from error
    home = path.parent.resolve()
    lines: list[Line] = []
    for number, row in enumerate(text.split("\n"), 1):  # JSON may hold other line breaks, as they are
        if row.strip():
            try:
                lines.append(Line(number, _job(row, home, out / f"{path.stem}-{number}.png")))
            except RequestError as error:
                raise RequestError(f"line {number} of {path}: {error}; nothing was begun") from error
    if not lines:
        raise RequestError(f"{path} has no jobs: write one JSON object per line")
    return lines


def _with_targets(lines: Sequence[Line], ours: Collection[str], jobs: Path) -> list[Line]:
    """Decide which files each job makes; ``ours`` were made by earlier runs and may be replaced."""
    placed = [replace(line, targets=_targets(line.job, ours)) for line in lines]
    files = [target for line in placed for target in line.targets if target is not None]
    times = Counter(map(_place, files))
    if twice := next((file for file in files if times[_place(file)] > 1), None):
        raise RequestError(f"two lines of {jobs} write to {twice}; give each its own out")
    return placed


def _targets(job: Job, ours: Collection[str]) -> tuple[Target, ...]:
    possible = 1 <= job.count <= MAX_COUNT  # otherwise the job is refused when its turn comes
    return targets_of(job, ours) if possible else ()


def _place(path: Path) -> str:
    """Name a place so that two names of one file are equal, also on a disk that does not tell case apart."""
    try:
        place = str(Path(os.path.realpath(path.parent)) / path.name)
    except ValueError:  # no name of a file; the job is refused when its turn comes
        place = str(path)
    return unicodedata.normalize("NFC", place).casefold() if sys.platform == "darwin" else place


def _do(line: Line, models: _Models, journal: Journal, editors: Editors, report: Report) -> Mapping[str, Any] | None:
    """Do one job unless it is done already; return what the journal is to say of it."""
    model, name = models.of(line.job.model)
    asked = _asked(line.job, name)
    if _is_done(journal.get(asked), model):
        report.result({"job": line.number, "skipped": True}, f"line {line.number}: done already")
        return None
    prepared = prepare(replace(line.job, model=str(model)), line.targets)
    recipes = carry_out(prepared, editors, report)
    outputs = {str(target): _sha256(target) for target in prepared.targets if target is not None}
    return {"asked": asked, "line": line.number, "outputs": outputs, "adapters": recipes[0].adapters}


def _job(row: str, home: Path, default_out: Path) -> Job:
    try:
        values: Any = json.loads(row)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"it is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise RequestError('it is not a JSON object such as {"picture": "a.png", "instruction": "make it red"}')
    hints = get_type_hints(Job)
    if unknown := sorted(set(values) - set(hints)):
        raise RequestError(f"it has unknown settings ({', '.join(unknown)}); there are: {', '.join(hints)}")
    settings = {name: _setting(name, value, hints[name]) for name, value in values.items()}
    job = replace(Job(), **settings)
    if PIPE in [job.picture, job.mask, job.control_picture, job.out, *job.references]:
        raise RequestError("a batch has no pipe: give files instead of -")
    placed: dict[str, Any] = {name: str(home / value) for name in _FILES if (value := getattr(job, name)) is not None}
    references = tuple(_placed_reference(home, text) for text in job.references)
    adapters = tuple(_placed_adapter(home, text) for text in job.adapters)
    return replace(job, references=references, adapters=adapters, **{"out": str(default_out), **placed})


def _setting(name: str, value: Any, kind: Any) -> Any:
    """Check a JSON value against a field of :class:`Job`; sizes and regions may be texts or lists."""
    if name in ("region", "size") and value is not None:
        text = value
        if isinstance(value, list):
            text = ("," if name == "region" else "x").join(map(str, value))  # pyright: ignore[reportUnknownVariableType]
        if isinstance(text, str):
            return parse_region(text) if name == "region" else parse_size(text)
    elif name in ("references", "adapters"):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):  # pyright: ignore[reportUnknownVariableType]
            return tuple(value)  # pyright: ignore[reportUnknownVariableType]
    else:
        kinds = get_args(kind) or (kind,)
        if type(value) is int and float in kinds:
            try:
                return float(value)
            except OverflowError as error:
                raise RequestError(f"{name} is too large a number") from error
        if type(value) in kinds:
            return value
    raise RequestError(f"{name} cannot be {json.dumps(value, ensure_ascii=False)}")


def _placed_reference(folder: Path, text: str) -> str:
    name, colon, mask = text.rpartition(":")
    if colon and name and mask and not exists(folder / text):
        return f"{folder / name}:{folder / mask}"
    return str(folder / text)


def _placed_adapter(folder: Path, text: str) -> str:
    """Make the path of an adapter's file absolute; a name stays."""
    if text.endswith(".safetensors"):
        return str(folder / text)
    name, _, strength = text.rpartition("=")
    return f"{folder / name}={strength}" if name.endswith(".safetensors") else text


def _asked(job: Job, model: str) -> str:
    """Digest what a job asks for: its settings, its model by content, and the bytes of its inputs."""
    settings = {item.name: getattr(job, item.name) for item in fields(job) if item.name != "model"}
    names = [job.picture, job.mask, job.control_picture, *job.references]
    files = [path for name in names if name is not None for path in _files_of(name)]
    state = json.dumps([settings, model, [_sha256(path) for path in files]], sort_keys=True)
    return hashlib.sha256(state.encode()).hexdigest()


def _files_of(name: str) -> Sequence[Path]:
    """Return the file, or both files of "PICTURE:MASK"; a missing one is named when the job is prepared."""
    whole, parts = Path(name), [Path(part) for part in name.rsplit(":", 1)]
    return [path for path in ([whole] if exists(whole) else parts) if is_file(path)]


def _sha256(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()


def _is_done(finished: Finished | None, model: Path) -> bool:
    if finished is None or not all(_is_still(Path(name), known) for name, known in finished.outputs.items()):
        return False
    # Only adapters need MLX to be loaded for this.
    return not finished.adapters or adapter_digests(model, finished.adapters) == finished.adapters


def _is_still(path: Path, known: str) -> bool:
    return is_file(path) and _sha256(path) == known


def _read_journal(path: Path) -> Journal:
    """Read the journal; a last line that was cut off, as by a power cut, counts for nothing."""
    entries: dict[str, Finished] = {}
    if is_file(path):
        for row in read_bytes(path).decode("utf-8", "replace").split("\n"):
            try:
                entry: Any = json.loads(row)
                entries[str(entry["asked"])] = Finished(_texts(entry["outputs"]), _texts(entry["adapters"]))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
    return entries


def _described(error: Exception) -> str:
    return ": ".join(filter(None, (type(error).__name__, str(error))))


def _texts(values: Any) -> dict[str, str]:
    return {str(name): str(known) for name, known in values.items()}


def _append(path: Path, entry: Mapping[str, Any]) -> None:
    try:
        with path.open("ab") as file:
            if file.tell() and not path.read_bytes().endswith(b"\n"):
                file.write(b"\n")
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RequestError(
            f"cannot write the journal {path}: {reason(error)}; make room or give another --out"
        ) from error
