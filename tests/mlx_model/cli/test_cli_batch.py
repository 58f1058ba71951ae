"""``ace batch``: many jobs, carried on where it stopped, and again only what has changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlx_model.cli.batch import run_batch
from mlx_model.cli.report import Report
from mlx_model.editor import Editor
from mlx_model.request import Cancelled, RequestError
from mlx_model.runtime import mx
from tests.mlx_model.cli.conftest import Ace, Ran, names_in, pixels_of, recipe_in
from tests.mlx_model.tiny_model import tiny_config, write_tiny_model

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
        ('{"out": "z.png", "count": 2}\n{"out": "z-1.png"}', "two lines of .* write to .*z-1.png"),
        ('{"out": "z.png", "count": 2}\n{"out": "./here/../z-2.png"}', "two lines of .* write to .*z-2.png"),
        ('{"out": "."}\n{"out": "."}', "two lines of .* write to .*generated.png"),
        ('{"out": "."}\n{"out": "generated.png"}', "two lines of .* write to .*generated.png"),
        ('{"guidance": 1%s}' % ("0" * 400), "line 1 of .*: guidance is too large a number"),
        ("[" * 100_000, "line 1 of .*: it is not JSON"),
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


# Where it is run from


def test_it_carries_on_from_any_folder(ace: Ace, jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_model(jobs.parent / "own", name="own")
    write_jobs(jobs, [JOBS[0], JOBS[1] | {"model": "own"}, JOBS[2]])
    assert ace("batch", "jobs/j.jsonl").code == 0
    before = names_in(jobs.parent)
    (tmp_path / "link").symlink_to(jobs.parent)
    for here, name in ((jobs.parent, "j.jsonl"), (jobs.parent / "own", "../j.jsonl"), (Path("/"), jobs)):
        monkeypatch.chdir(here)
        assert finished(ace("batch", name, "--json")) == [1, 3, 5], here
    assert finished(ace("batch", tmp_path / "link" / "j.jsonl", "--json")) == [1, 3, 5]
    assert names_in(jobs.parent) == before


def test_an_adapter_is_found_beside_the_jobs_and_another_one_is_another_job(
    ace: Ace, jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = jobs.parent / "own.safetensors"
    save_adapter(adapter, 1)
    write_jobs(jobs, [JOBS[0] | {"adapters": ["own.safetensors=0.5"]}, JOBS[1]])
    assert ace("batch", jobs).code == 0
    (used,) = recipe_in(jobs.parent / "j-1.png").request.adapters
    assert (used.name, used.strength) == (str(adapter), 0.5)
    monkeypatch.chdir("/")
    assert finished(ace("batch", jobs, "--json")) == [1, 3]
    save_adapter(adapter, 2)
    assert finished(ace("batch", jobs, "--json")) == [3]
    assert finished(ace("batch", jobs, "--json")) == [1, 3]


def save_adapter(path: Path, seed: int) -> None:
    sizes, layer = tiny_config().transformer, "lora_unet_double_blocks_0_img_attn_qkv"
    down = mx.random.normal((4, sizes.hidden_size), key=mx.random.key(seed))
    up = mx.random.normal((3 * sizes.hidden_size, 4), key=mx.random.key(seed + 10))
    mx.save_safetensors(str(path), {f"{layer}.lora_down.weight": down, f"{layer}.lora_up.weight": up})


# Results in a folder


def test_results_go_into_one_folder_under_the_names_of_their_pictures(ace: Ace, jobs: Path) -> None:
    results = jobs.parent / "results"
    results.mkdir()
    (results / "p-edited.png").write_bytes(b"somebody's own")
    lines = [{"picture": name, "instruction": "a star", "seed": 1, "out": "results"} for name in ("p.png", "r.png")]
    write_jobs(jobs, [lines[0] | {"count": 2}, lines[1]])
    assert ace("batch", jobs).code == 0
    made = ["p-edited-2.png", "p-edited-3.png", "p-edited.png", "r-edited.png"]
    assert names_in(results) == made
    assert finished(ace("batch", jobs, "--json")) == [1, 3]
    write_jobs(jobs, [lines[0] | {"count": 2, "seed": 9}, lines[1]])
    assert finished(ace("batch", jobs, "--json")) == [3]
    assert names_in(results) == made, "its own results are replaced, and nobody else's"
    assert recipe_in(results / "p-edited-2.png").request.seed == 9
    assert (results / "p-edited.png").read_bytes() == b"somebody's own"


# One bad line among good ones


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"instruction": "\\ud800"}', "the instruction is not valid Unicode text"),
        ('{"instruction": "x", "picture": "\\ud800.png"}', "there is no file"),
        ('{"instruction": "x", "references": ["\\ud800.png:\\udc00"]}', "there is no file"),
        ('{"instruction": "x", "model": "\\ud800"}', "there is no model"),
        ('{"instruction": "x", "adapters": ["\\ud800"]}', "is not installed"),
        ('{"instruction": "x", "out": "\\ud800.png"}', "cannot write"),
        ('{"instruction": "x", "out": "a\\u0000.png"}', "cannot write"),
        ('{"instruction": "x", "picture": "a\\u0000.png"}', "a .png"),
        ('{"instruction": "x", "out": "%s.png"}' % ("x" * 300), "File name too long"),
        ('{"instruction": "x", "guidance": 1e400}', "guidance must lie between"),
        ('{"instruction": "x", "count": 1000000000000}', "count must lie between"),
        ('{"instruction": "x", "seed": 1%s}' % ("0" * 400), "seed must be a whole number"),
    ],
)
def test_a_bad_line_fails_alone(ace: Ace, jobs: Path, line: str, words: str) -> None:
    good = json.dumps(JOBS[1])
    jobs.write_text(f"{line}\n{good}", encoding="utf-8")
    ran = ace("batch", jobs)
    assert (ran.code, ran.err.count("\n")) == (2, 1), ran.err
    assert ran.err.startswith(f"ace: line 1 of {jobs}: ")
    assert "unexpectedly" not in ran.err
    with pytest.raises(RequestError, match=words):
        raise RequestError(ran.err)
    assert ran.out.splitlines()[-1] == "1 of 2 jobs done"
    assert finished(ace("batch", jobs, "--json")) == [2]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_breaks_inside_a_text_do_not_end_the_line(ace: Ace, jobs: Path, end: str) -> None:
    words = "a\u2028red\u0085star\u2029here"
    lines = [JOBS[1] | {"instruction": words, "out": "a\u2028b.png"}, JOBS[0]]
    text = end.join(json.dumps(line, ensure_ascii=False) for line in lines) + end
    jobs.write_bytes(text.encode())
    ran = ace("batch", jobs)
    assert (ran.code, ran.err) == (0, "")
    assert recipe_in(jobs.parent / "a\u2028b.png").request.instruction == words
    assert finished(ace("batch", jobs, "--json")) == [1, 2]


def test_a_job_that_fails_unexpectedly_does_not_end_the_others(
    ace: Ace, jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Editor, "edit", failing(Editor.edit, ZeroDivisionError("by\nzero")))
        ran = ace("batch", jobs)
    assert ran.code == 2
    assert (
        ran.err
        == f"ace: line 1 of {jobs}: it failed unexpectedly (ZeroDivisionError: by zero); run the batch again\n"
    )
    assert ran.out.splitlines()[-1] == "2 of 3 jobs done"
    assert finished(ace("batch", jobs, "--json")) == [3, 5]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Cancelled, BrokenPipeError])
@pytest.mark.usefixtures("ace")
def test_being_stopped_ends_all_jobs(jobs: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]) -> None:
    before = names_in(jobs.parent)
    monkeypatch.setattr(Editor, "edit", failing(Editor.edit, stop()))
    with pytest.raises(stop):
        run_batch(jobs, None, Report(as_json=False))
    assert names_in(jobs.parent) == before


def failing(edit: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """Raise the error the first time, and edit from then on."""
    errors = [error]

    def fail(*arguments: Any, **named: Any) -> Any:
        if errors:
            raise errors.pop()
        return edit(*arguments, **named)

    return fail
