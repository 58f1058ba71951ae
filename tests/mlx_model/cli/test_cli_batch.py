"""``ace batch``: many jobs, carried on where it stopped, and again only what has changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlx_model.request import RequestError
from tests.mlx_model.cli.conftest import Ace, Ran, names_in, pixels_of, recipe_in

JOBS = [
    {"picture": "p.png", "mask": "m.png", "instruction": "a star", "seed": 1},
    {"instruction": "a circle", "size": "48x32", "seed": 2, "out": "new.png"},
    {"picture": "p.png", "mask": "m.png", "instruction": "put it here", "references": ["r.png:rm.png"], "seed": 3,
     "count": 2, "region": [16, 16, 64, 48], "out": "both.tif"},
]  # fmt: skip


def write_jobs(path: Path, jobs: list[dict[str, Any]]) -> None:
    path.write_text("\n\n".join(json.dumps(job, ensure_ascii=False) for job in jobs), encoding="utf-8")


def finished(ran: Ran) -> list[int]:
    """Return the lines that were skipped, as they were done already."""
    return [event["job"] for event in ran.events if event.get("skipped")]


@pytest.fixture
def jobs(samples: Path) -> Path:
    """Write the jobs into a folder of their own, with the samples that they name beside them."""
    folder = samples / "jobs"
    folder.mkdir()
    for name in ("p.png", "m.png", "r.png", "rm.png"):
        (samples / name).rename(folder / name)
    write_jobs(folder / "j.jsonl", JOBS)
    return folder / "j.jsonl"


def test_all_jobs_are_done_and_a_second_run_does_nothing(ace: Ace, jobs: Path) -> None:
    ran = ace("batch", "jobs/j.jsonl")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "3 of 3 jobs done"
    made = ["both-1.tif", "both-2.tif", "j-1.png", "j.journal.jsonl", "new.png"]
    assert set(names_in(jobs.parent)) == {*made, "j.jsonl", "m.png", "p.png", "r.png", "rm.png"}
    assert recipe_in(jobs.parent / "both-2.tif").request.seed == 4
    before = {name: (jobs.parent / name).stat().st_mtime_ns for name in made}
    again = ace("batch", "jobs/j.jsonl", "--json")
    assert again.code == 0
    assert finished(again) == [1, 3, 5]
    assert {name: (jobs.parent / name).stat().st_mtime_ns for name in made} == before


def test_what_was_not_finished_or_has_changed_is_done_again_and_nothing_else(ace: Ace, jobs: Path) -> None:
    folder = jobs.parent
    assert ace("batch", jobs).code == 0
    (folder / "new.png").unlink()
    assert finished(ace("batch", jobs, "--json")) == [1, 5], "an output is missing"
    (folder / "both-1.tif").write_bytes((folder / "both-1.tif").read_bytes()[:-9])
    assert finished(ace("batch", jobs, "--json")) == [1, 3], "an output is cut short"
    write_jobs(jobs, [JOBS[0] | {"seed": 9}, *JOBS[1:]])
    assert finished(ace("batch", jobs, "--json")) == [3, 5], "a line has changed"
    (folder / "r.png").write_bytes((folder / "p.png").read_bytes())
    (folder / "rm.png").write_bytes((folder / "m.png").read_bytes())
    assert finished(ace("batch", jobs, "--json")) == [1, 3], "an input has changed"
    assert finished(ace("batch", jobs, "--json")) == [1, 3, 5]


def test_a_journal_cut_short_loses_its_last_line_only(ace: Ace, jobs: Path) -> None:
    assert ace("batch", jobs).code == 0
    journal = jobs.parent / "j.journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])
    assert finished(ace("batch", jobs, "--json")) == [1, 3]
    assert finished(ace("batch", jobs, "--json")) == [1, 3, 5]


def test_outputs_can_go_elsewhere_with_their_journal(ace: Ace, jobs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_jobs(jobs, JOBS[:1])
    assert ace("batch", jobs, "-o", "out").code == 0
    assert names_in(tmp_path / "out") == ["j-1.png", "j.journal.jsonl"]


def test_a_job_gives_the_pixels_of_the_same_edit(ace: Ace, jobs: Path, tmp_path: Path) -> None:
    write_jobs(jobs, JOBS[:1])
    assert ace("batch", jobs).code == 0
    assert ace("edit", "jobs/p.png", "a star", "-m", "jobs/m.png", "--seed", 1, "-o", "one.png").code == 0
    assert (pixels_of(jobs.parent / "j-1.png") == pixels_of(tmp_path / "one.png")).all()


def test_a_job_that_fails_is_named_and_the_others_are_done(ace: Ace, jobs: Path) -> None:
    bad = {"picture": "missing.png", "instruction": "x"}
    write_jobs(jobs, [bad, JOBS[1]])
    ran = ace("batch", jobs)
    assert ran.code == 2
    assert (
        ran.err
        == f"ace: line 1 of {jobs}: there is no file {jobs.parent}/missing.png; check the name and the folder\n"
    )
    assert ran.out.splitlines()[-1] == "1 of 2 jobs done"
    assert (jobs.parent / "new.png").exists()
    assert finished(ace("batch", jobs, "--json")) == [3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1 of .*: it is not JSON"),
        ("[1]", "it is not a JSON object"),
        ('{"instruction": "x"}\n{"pictur": "p.png"}', "line 2 of .*unknown settings .pictur.; there are: .*picture"),
        ('{"instruction": 3}', "instruction cannot be 3"),
        ('{"seed": "7"}', 'seed cannot be "7"'),
        ('{"seed": true}', "seed cannot be true"),
        ('{"references": "r.png"}', 'references cannot be "r.png"'),
        ('{"region": [1, 2]}', "a region is X,Y,WIDTH,HEIGHT"),
        ('{"size": {}}', "size cannot be {}"),
        ('{"picture": "-"}', "a batch has no pipe"),
        ('{"out": "a.png"}\n{"out": "a.png"}', "two lines of .* write to .*a.png"),
        ("\n \n", "has no jobs"),
        ("\xff", "not a text file in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_before_anything_begins(
    ace: Ace, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "j.jsonl").write_bytes(text.encode("latin-1"))
    before = names_in(tmp_path)
    ran = ace("batch", "j.jsonl")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    with pytest.raises(RequestError, match=words):
        raise RequestError(ran.err)
    assert names_in(tmp_path) == before
