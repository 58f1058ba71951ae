"""``ace batch``: one job per line, carried on where it stopped.

A journal beside the outputs, ``JOBS.journal.jsonl``, has a line for every finished job: the digest of what was asked
(settings, model, and the sha256 of every input file) and of the files that came out. A job counts as finished while
both still hold, so that a changed line, input, model or output is done again.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args, get_type_hints

from mlx_model.cli.edit import PIPE, Editors, Job, carry_out, parse_region, parse_size, prepare
from mlx_model.cli.report import Report
from mlx_model.library.folders import find_model, model_digest
from mlx_model.pictures.read import read_bytes
from mlx_model.request import RequestError

Journal: TypeAlias = Mapping[str, Mapping[str, str]]
"""What was asked, by digest → the sha256 of each output file."""

_FILES: Final = ("picture", "mask", "control_picture", "out")


@dataclass(frozen=True)
class Line:
    """A job with the number of its line."""

    number: int
    job: Job


def run_batch(jobs: Path, out: Path | None, report: Report) -> bool:
    """Do all jobs of a file that are not done yet; return whether every one succeeded.

    Paths in the file are relative to its folder. Outputs without a name go to ``out`` (that folder by default) as
    ``JOBS-LINE.png``.

    Raises:
        RequestError: the file cannot be read, or has lines that cannot be understood; then nothing was begun.
    """
    folder = out or jobs.parent
    if not folder.is_dir():
        raise RequestError(f"there is no folder {folder}; make it first")
    lines = read_jobs(jobs, folder)
    journal_file = folder / f"{jobs.stem}.journal.jsonl"
    journal, editors = _read_journal(journal_file), Editors()
    model_digests: dict[str | None, str] = {}
    done = failed = 0
    for line in lines:
        report.job = f"job {line.number}, {done + failed + 1} of {len(lines)}"
        try:
            if line.job.model not in model_digests:
                model_digests[line.job.model] = model_digest(find_model(line.job.model))
            asked = _asked(line.job, model_digests[line.job.model])
            if _is_done(journal.get(asked)):
                report.result({"job": line.number, "skipped": True}, f"line {line.number}: done already")
            else:
                prepared = prepare(line.job)
                carry_out(prepared, editors, report)
                outputs = {str(target): _sha256(target) for target in prepared.targets if target is not None}
                _append(journal_file, {"asked": asked, "line": line.number, "outputs": outputs})
            done += 1
        except RequestError as error:
            report.error(f"line {line.number} of {jobs}: {error}")
            failed += 1
    report.job = ""
    report.result({"done": done, "failed": failed}, f"{done} of {len(lines)} jobs done")
    return not failed


def read_jobs(path: Path, out: Path) -> list[Line]:
    """Read one job per line; empty lines are left out.

    Raises:
        RequestError: lines cannot be understood; the sentence names the first of them and what is wrong.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is not a text file in UTF-8") from error
    lines: list[Line] = []
    for number, row in enumerate(text.splitlines(), 1):
        if row.strip():
            try:
                lines.append(Line(number, _job(row, path, out / f"{path.stem}-{number}.png")))
            except RequestError as error:
                raise RequestError(f"line {number} of {path}: {error}; nothing was begun") from error
    names = [line.job.out for line in lines]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"two lines of {path} write to {twice}; give each its own out")
    if not lines:
        raise RequestError(f"{path} has no jobs: write one JSON object per line")
    return lines


def _job(row: str, path: Path, default_out: Path) -> Job:
    try:
        values: Any = json.loads(row)
    except ValueError as error:
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
    placed: dict[str, Any] = {
        name: str(path.parent / value) for name in _FILES if (value := getattr(job, name)) is not None
    }
    references = tuple(_placed_reference(path.parent, text) for text in job.references)
    return replace(job, references=references, **{"out": str(default_out), **placed})


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
            return float(value)
        if type(value) in kinds:
            return value
    raise RequestError(f"{name} cannot be {json.dumps(value, ensure_ascii=False)}")


def _placed_reference(folder: Path, text: str) -> str:
    name, colon, mask = text.rpartition(":")
    if colon and name and mask and not (folder / text).exists():
        return f"{folder / name}:{folder / mask}"
    return str(folder / text)


def _asked(job: Job, model: str) -> str:
    """Digest what a job asks for: its settings, its model and the bytes of its inputs."""
    settings = {item.name: getattr(job, item.name) for item in fields(job)}
    names = [job.picture, job.mask, job.control_picture, *job.references]
    files = [path for name in names if name is not None for path in _files_of(name)]
    state = json.dumps([settings, model, [_sha256(path) for path in files]], sort_keys=True)
    return hashlib.sha256(state.encode()).hexdigest()


def _files_of(name: str) -> Sequence[Path]:
    """Return the file, or both files of "PICTURE:MASK"; a missing one is named when the job is prepared."""
    whole, parts = Path(name), [Path(part) for part in name.rsplit(":", 1)]
    return [path for path in ([whole] if whole.exists() else parts) if path.is_file()]


def _sha256(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()


def _is_done(outputs: Mapping[str, str] | None) -> bool:
    if outputs is None:
        return False
    return all(Path(name).is_file() and _sha256(Path(name)) == known for name, known in outputs.items())


def _read_journal(path: Path) -> Journal:
    """Read the journal; a last line that was cut off, as by a power cut, counts for nothing."""
    entries: dict[str, Mapping[str, str]] = {}
    if path.is_file():
        for row in read_bytes(path).decode("utf-8", "replace").splitlines():
            try:
                entry: Any = json.loads(row)
                entries[str(entry["asked"])] = {str(name): str(known) for name, known in entry["outputs"].items()}
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
    return entries


def _append(path: Path, entry: Mapping[str, Any]) -> None:
    try:
        with path.open("ab") as file:
            if file.tell() and not path.read_bytes().endswith(b"\n"):
                file.write(b"\n")
            file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise RequestError(f"cannot write the journal {path}: {error.strerror or error}") from error
