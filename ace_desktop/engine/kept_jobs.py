"""Jobs on the disk, for the day the program does not end as it should, or ends with work undone.

    <folder>/<queue>/lock                   held by the program that works on this queue
    <folder>/<queue>/order.json             the ids of its jobs in their order
    <folder>/<queue>/<job>/job.json         what is to be done, where it stands
    <folder>/<queue>/<job>/<digest>.npz     a picture: pixels.npy, and profile.npy where it has one
    <folder>/<queue>/<job>/step.npz         where its first undone request can go on

Each running program has a queue of its own and takes over those whose program is gone. Use it from one thread at a
time; pictures are written before the job that names them, so that a job that can be read is whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout

from mlx_model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from mlx_model.request import EditRequest, Picture, RequestError, digest

from .jobs import Job, JobStatus, Phase

_FORMAT: Final = 1
_JOB: Final = "job.json"
_STEP: Final = "step.npz"
_LOCK: Final = "lock"
_ORDER: Final = "order.json"
_BACK_AS: Final = MappingProxyType(
    {
        Phase.waiting: Phase.interrupted,
        Phase.running: Phase.interrupted,
        Phase.interrupted: Phase.interrupted,
        Phase.failed: Phase.failed,
    }
)
"""Phases in which a job is worth having back after a restart, and how it comes back."""


@dataclass(frozen=True)
class KeptPictures(Mapping[str, Picture]):
    """The pictures of a kept job, read when they are asked for.

    Raises (on reading):
        OSError: a file is gone.
        ValueError: it is damaged.
    """

    place: Path
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> Picture:
        if name not in self.names:
            raise KeyError(name)
        return _read_picture(self.place / f"{name}.npz", name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class KeptJobs:
    """The queue on the disk.

    Raises:
        OSError: the folder cannot be made, or its disk does not lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.place: Final = folder / uuid4().hex
        self.place.mkdir(parents=True)
        self._lock = FileLock(self.place / _LOCK, thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except (Timeout, NotImplementedError) as error:
            raise OSError(f"{folder} cannot be locked: {error}") from error

    def take_over(self) -> list[JobStatus]:
        """Take the jobs of programs that are gone, as interrupted or failed.

        Damaged ones are removed; those of a later version stay for it.
        """
        found: list[list[tuple[float, JobStatus]]] = []
        for queue in sorted(self._folder.iterdir()):
            if queue == self.place or not queue.is_dir():
                continue
            lock = FileLock(queue / _LOCK)
            with contextlib.suppress(OSError, Timeout, NotImplementedError):
                lock.acquire(timeout=0)
                try:
                    order = _read_order(queue)
                    taken = sorted(self._take_queue(queue), key=lambda item: (_rank(item[1].id, order), item[0]))
                    found += [taken] if taken else []
                    if not any(queue.glob(f"*/{_JOB}")):  # one that could not be moved waits for the next start
                        shutil.rmtree(queue, ignore_errors=True)
                finally:
                    lock.release()
        found.sort(key=lambda taken: min(written for written, _ in taken))
        return [status for taken in found for _, status in taken]

    def keep_order(self, job_ids: Sequence[str]) -> None:
        """Note in which order the jobs are.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        part = self.place / f"{_ORDER}.part"
        part.write_text(json.dumps(list(job_ids)), encoding="utf-8")
        part.replace(self.place / _ORDER)

    def _take_queue(self, queue: Path) -> Iterator[tuple[float, JobStatus]]:
        for left in sorted(queue.iterdir()):
            if not (left / _JOB).is_file():
                continue
            place = self.place / left.name
            try:
                left.replace(place)
                written, status = _read_job(place)
            except (OSError, _LaterVersion):
                continue
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                shutil.rmtree(place, ignore_errors=True)
                continue
            if status.phase in _BACK_AS:
                yield written, replace(status, phase=_BACK_AS[status.phase])
            else:
                shutil.rmtree(place, ignore_errors=True)

    def write(self, status: JobStatus) -> Mapping[str, Picture]:
        """Bring a job up to date on the disk; returns its pictures as they are kept.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        place = self.place / status.id
        place.mkdir(exist_ok=True)
        pictures = status.job.pictures
        for name in pictures:
            path = place / f"{name}.npz"
            if not path.exists():
                _write_picture(path, pictures[name])
        part = place / f"{_JOB}.part"
        part.write_text(json.dumps(_described(status), ensure_ascii=False), encoding="utf-8")
        part.replace(place / _JOB)
        return KeptPictures(place, tuple(pictures))

    def save(self, job_id: str, checkpoint: Checkpoint) -> None:
        """Keep where a job can go on.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        write_checkpoint(self.place / job_id / _STEP, checkpoint)

    def saved(self, job_id: str) -> Checkpoint | None:
        """Read where a job can go on; None where it begins anew."""
        with contextlib.suppress(RequestError):
            return read_checkpoint(self.place / job_id / _STEP)
        return None

    def forget_step(self, job_id: str) -> None:
        """Remove where a job could have gone on."""
        with contextlib.suppress(OSError):
            (self.place / job_id / _STEP).unlink(missing_ok=True)

    def forget(self, job_id: str) -> None:
        """Remove all that is kept of a job."""
        place = self.place / job_id
        with contextlib.suppress(OSError):  # the description goes first: half a job is offered to nobody
            (place / _JOB).unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)

    def close(self) -> None:
        """Leave what is undone to the next start."""
        self._lock.release()
        with contextlib.suppress(OSError):
            if not any(entry.is_dir() for entry in self.place.iterdir()):
                shutil.rmtree(self.place, ignore_errors=True)


def _read_order(queue: Path) -> list[Any]:
    """Read the ids of a queue's jobs in their order; empty where that is not known."""
    try:
        order: Any = json.loads((queue / _ORDER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return order if isinstance(order, list) else []  # pyright: ignore[reportUnknownVariableType] JSON


def _rank(job_id: str, order: Sequence[Any]) -> int:
    return order.index(job_id) if job_id in order else len(order)


class _LaterVersion(Exception):
    """A job that this version cannot read."""


def _described(status: JobStatus) -> dict[str, Any]:
    job = status.job
    return {
        "format": _FORMAT,
        "id": job.id,
        "requests": [request.to_json() for request in job.requests],
        "pictures": list(job.pictures),
        "folder": os.fspath(job.folder),
        "model": job.model,
        "title": job.title,
        "task": job.task,
        "document": job.document,
        "below": job.below,
        "parents": list(job.parents),
        "place": list(job.place),
        "replaces": job.replaces,
        "phase": status.phase.value,
        "made": sorted(status.made),
        "notes": list(status.notes),
        "sentence": status.sentence,
        "details": status.details,
    }


def _read_job(place: Path) -> tuple[float, JobStatus]:
    """Read a job and when it was written last."""
    path = place / _JOB
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["format"] != _FORMAT:
        raise _LaterVersion
    job = Job(
        requests=tuple(EditRequest.from_json(text) for text in kept["requests"]),
        pictures=KeptPictures(place, tuple(map(str, kept["pictures"]))),
        folder=Path(kept["folder"]),
        model=str(kept["model"]),
        title=str(kept["title"]),
        task=str(kept["task"]),
        document=str(kept["document"]),
        below=str(kept["below"]),
        parents=tuple(map(str, kept["parents"])),
        place=tuple(map(float, kept.get("place", ()))),
        replaces=str(kept.get("replaces", "")),
        id=str(kept["id"]),
    )
    if job.id != place.name:
        raise ValueError("another job's")
    made = frozenset(int(index) for index in kept["made"])
    try:
        step = read_checkpoint(place / _STEP).step
    except RequestError:
        step = 0
    phase, notes = Phase(kept["phase"]), tuple(map(str, kept["notes"]))
    status = JobStatus(job, phase, made=made, notes=notes, resume_step=step)
    if phase is Phase.failed:
        status = replace(status, sentence=str(kept["sentence"]), details=str(kept["details"]))
    return path.stat().st_mtime, status


def _write_picture(path: Path, picture: Picture) -> None:
    """Write an .npz file that NumPy reads; deflated quickly, for it is soon gone."""
    arrays: dict[str, np.ndarray[Any, Any]] = {"pixels": picture.pixels}
    if picture.profile is not None:
        arrays["profile"] = np.frombuffer(picture.profile, np.uint8)
    part = path.with_suffix(".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            for name, array in arrays.items():
                with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)  # on a full disk it takes what others need


def _read_picture(path: Path, name: str) -> Picture:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            profile = arrays["profile"].tobytes() if "profile" in arrays.files else None
            picture = Picture(arrays["pixels"], profile)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error
    if digest(picture) != name:
        raise ValueError(f"{path.name} is another picture")
    return picture
