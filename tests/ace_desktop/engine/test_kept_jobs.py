"""Jobs on the disk: exact, taken over only from the dead, and whole or not there."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ace_desktop.engine.jobs import Job, JobStatus, Phase
from ace_desktop.engine.kept_jobs import KeptJobs
from mlx_model.checkpoint import Checkpoint
from mlx_model.request import Adapter, EditRequest, Picture, Reference, digest

KEEP = """
import os, signal, sys
from pathlib import Path
from ace_desktop.engine.jobs import JobStatus, Phase
from ace_desktop.engine.kept_jobs import KeptJobs
from tests.ace_desktop.engine.sample_jobs import job
kept = KeptJobs(Path(sys.argv[1]))
kept.write(JobStatus(job("killed"), Phase.running))
os.kill(os.getpid(), signal.SIGKILL)
"""


def status(phase: Phase = Phase.waiting, **changes: object) -> JobStatus:
    deep = Picture(np.random.default_rng(1).integers(0, 65536, (9, 7, 4)).astype(np.uint16), b"a profile" * 1000)
    flat = Picture(np.zeros((3, 200, 4), np.uint8))
    request = EditRequest(
        "별 하나", picture=digest(deep), references=(Reference(digest(flat)),), adapters=(Adapter("a"),)
    )
    job = Job(
        (request, EditRequest("more", picture=digest(deep))), {digest(p): p for p in (deep, flat)}, Path("/a/model"),
        "model", "title", "reference", "document", "below", ("one", "two"), (1.0, 0.0), "layer",
    )  # fmt: skip
    return JobStatus(job, phase, **changes)  # pyright: ignore[reportArgumentType]


def test_a_job_comes_back_as_it_was_and_interrupted(tmp_path: Path) -> None:
    first = KeptJobs(tmp_path)
    before = status(Phase.running, made=frozenset({0}), notes=("less memory",))
    pictures = first.write(before)
    for name, picture in before.job.pictures.items():
        assert pictures[name].pixels.dtype == picture.pixels.dtype
        assert np.array_equal(pictures[name].pixels, picture.pixels)
        assert pictures[name].profile == picture.profile
    first.close()
    (after,) = KeptJobs(tmp_path).take_over()
    assert after.phase is Phase.interrupted
    assert (after.made, after.notes, after.left) == (before.made, before.notes, (1,))
    for part in (
        "id",
        "requests",
        "folder",
        "model",
        "title",
        "task",
        "document",
        "below",
        "parents",
        "place",
        "replaces",
    ):
        assert getattr(after.job, part) == getattr(before.job, part)
    assert {name: digest(picture) for name, picture in after.job.pictures.items()} == {
        name: name for name in before.job.pictures
    }


def test_a_step_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    first, kept = KeptJobs(tmp_path), status(Phase.running)
    first.write(kept)
    latent = np.random.default_rng(0).normal(size=(1, 4, 6, 16)).astype(np.float32)
    first.save(kept.id, Checkpoint(latent, 4, kept.job.requests[0], "model", "digest", "float32"))
    first.close()
    second = KeptJobs(tmp_path)
    (after,) = second.take_over()
    found = second.saved(after.id)
    assert found is not None
    assert (after.resume_step, found.step, found.request) == (4, 4, kept.job.requests[0])
    assert np.array_equal(found.latent, latent)
    second.forget_step(after.id)
    assert second.saved(after.id) is None


def test_a_living_programs_jobs_are_left_alone_and_a_killed_ones_are_taken(tmp_path: Path) -> None:
    living = KeptJobs(tmp_path)
    living.write(status())
    subprocess.run([sys.executable, "-c", KEEP, str(tmp_path)], check=False)
    other = KeptJobs(tmp_path)
    (found,) = other.take_over()
    assert found.job.title == "killed"
    assert other.take_over() == []
    assert (living.place / "lock").exists()


def test_jobs_come_back_in_the_order_of_the_list_whenever_they_were_written(tmp_path: Path) -> None:
    first = KeptJobs(tmp_path)
    jobs = [status() for _ in range(4)]
    for each in jobs:
        first.write(each)
    order = [jobs[2].id, jobs[0].id, "gone", jobs[1].id]
    first.keep_order(order)
    first.write(replace(jobs[2], made=frozenset({0})))  # it runs, and is written again and again
    first.close()
    second = KeptJobs(tmp_path)
    later = status()
    second.write(later)
    assert [each.id for each in second.take_over()] == [order[0], order[1], order[3], jobs[3].id]
    second.keep_order([later.id, *order])
    second.close()
    assert next(iter(KeptJobs(tmp_path).take_over())).id == later.id


@pytest.mark.parametrize("text", ["", "{}", "3", '[["a"], null, 5]', "[" * 100_000])
def test_a_damaged_order_loses_no_job(tmp_path: Path, text: str) -> None:
    first = KeptJobs(tmp_path)
    jobs = [status() for _ in range(2)]
    for each in jobs:
        first.write(each)
    (first.place / "order.json").write_text(text)
    first.close()
    assert {each.id for each in KeptJobs(tmp_path).take_over()} == {each.id for each in jobs}


def test_a_failed_job_still_says_why(tmp_path: Path) -> None:
    first = KeptJobs(tmp_path)
    first.write(status(Phase.failed, sentence="No memory.", details="a traceback"))
    first.close()
    (after,) = KeptJobs(tmp_path).take_over()
    assert (after.phase, after.sentence, after.details) == (Phase.failed, "No memory.", "a traceback")


@pytest.mark.parametrize("phase", [Phase.done, Phase.cancelled])
def test_what_nobody_waits_for_does_not_come_back(tmp_path: Path, phase: Phase) -> None:
    first = KeptJobs(tmp_path)
    first.write(status(phase))
    first.close()
    second = KeptJobs(tmp_path)
    assert second.take_over() == []
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_job_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    first, damaged, whole = KeptJobs(tmp_path), status(), status()
    for kept in (damaged, whole):
        first.write(kept)
    (first.place / damaged.id / "job.json").write_text("{")
    picture = next(iter(whole.job.pictures))
    first.close()
    (found,) = KeptJobs(tmp_path).take_over()
    assert found.id == whole.id
    pictures = found.job.pictures
    path = next(tmp_path.rglob(f"{whole.id}/{picture}.npz"))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match="damaged"):
        pictures[picture]
    path.unlink()
    with pytest.raises(FileNotFoundError):
        pictures[picture]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "requests": [1]}'])
def test_a_damaged_job_takes_no_room_for_ever(tmp_path: Path, text: str) -> None:
    first, damaged = KeptJobs(tmp_path), status()
    first.write(damaged)
    (first.place / damaged.id / "job.json").write_text(text)
    first.close()
    second = KeptJobs(tmp_path)
    assert second.take_over() == []
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_a_job_of_a_later_version_waits_for_it(tmp_path: Path) -> None:
    first, later = KeptJobs(tmp_path), status()
    first.write(later)
    path = first.place / later.id / "job.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    first.close()
    second = KeptJobs(tmp_path)
    assert second.take_over() == []
    second.close()
    path = next(tmp_path.rglob("job.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 1}))
    assert [found.id for found in KeptJobs(tmp_path).take_over()] == [later.id]


def test_what_the_disk_did_not_take_leaves_nothing_behind(tmp_path: Path) -> None:
    kept, large = KeptJobs(tmp_path), noisy()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))  # as on a full disk, a file ends there
    try:
        with pytest.raises(OSError):
            kept.write(large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert list((kept.place / large.id).iterdir()) == []
    kept.write(large)
    kept.close()
    assert [found.id for found in KeptJobs(tmp_path).take_over()] == [large.id]


def noisy() -> JobStatus:
    """Give a job whose picture takes 400 kB."""
    picture = Picture(np.random.default_rng(1).integers(0, 256, (320, 320, 4)).astype(np.uint8))
    request = EditRequest("a star", picture=digest(picture))
    return JobStatus(Job((request,), {digest(picture): picture}, Path("/a/model")))


def test_a_job_that_cannot_be_moved_waits_for_the_next_start(tmp_path: Path) -> None:
    first, one = KeptJobs(tmp_path), status()
    first.write(one)
    first.close()
    second = KeptJobs(tmp_path)
    (second.place / one.id).mkdir()
    (second.place / one.id / "in the way").touch()
    assert second.take_over() == []
    assert (first.place / one.id / "job.json").exists()
    second.close()
    (second.place / one.id / "in the way").unlink()
    assert [found.id for found in KeptJobs(tmp_path).take_over()] == [one.id]


def test_a_forgotten_job_leaves_nothing(tmp_path: Path) -> None:
    kept, one = KeptJobs(tmp_path), status()
    kept.write(one)
    kept.forget(one.id)
    kept.close()
    assert list(tmp_path.iterdir()) == []
