"""``ace`` as a program of its own: signals, pipes, terminals, exit codes, and how fast it answers."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import pytest
from PIL import Image

from mlx_model.pictures.read import read_picture
from tests.mlx_model.cli.conftest import names_in, recipe_in

ACE = [sys.executable, "-m", "mlx_model.cli"]
ENDLESS = ["edit", "p.png", "a star", "--mask", "m.png", "--steps", "1000", "-o", "out.png"]
MINUTE = 60.0


@pytest.fixture
def environment(samples: Path, tiny_model: Path) -> dict[str, str]:
    """Return an environment in which the random model is installed; the samples lie in the current folder."""
    assert samples == Path.cwd()
    return {**os.environ, "ACE_MODELS": str(tiny_model.parent), "PYTHONPATH": str(Path(__file__).parents[3])}


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[bytes]":
    command = [*ACE, *arguments, *(["--model", "tiny"] if arguments[0] in ("edit", "generate") else [])]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_until_painting(stream: IO[bytes] | None) -> None:
    """Read JSON lines until two steps are painted."""
    assert stream is not None
    for line in stream:
        event: dict[str, Any] = json.loads(line)
        if event.get("stage") == "denoise" and event["step"] >= 2:
            return
    raise AssertionError("it ended before it painted")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_painting_ends_it_quietly_and_leaves_nothing(
    environment: dict[str, str], samples: Path, number: int, code: int
) -> None:
    before = names_in(samples)
    with start(environment, *ENDLESS, "--json") as process:
        wait_until_painting(process.stdout)
        process.send_signal(number)
        begun = time.monotonic()
        _, err = process.communicate(timeout=MINUTE)
        seconds = time.monotonic() - begun
    assert process.returncode == code, err
    assert err == b""
    assert names_in(samples) == before
    assert seconds < 5, f"{seconds:.1f} s"


INTERRUPTED_START = """
import os, signal, sys
from mlx_model.cli.main import main

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[0]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
del sys.argv[0]
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["typer", "numpy", "mlx_model.editor"])
def test_ctrl_c_while_the_program_starts_is_quiet(environment: dict[str, str], samples: Path, module: str) -> None:
    """Ctrl-C arrives just when a module begins to load."""
    before = names_in(samples)
    command = [sys.executable, "-c", INTERRUPTED_START, module, *ENDLESS, "--model", "tiny"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=MINUTE)
    assert (done.returncode, done.stderr) == (130, b"")
    assert names_in(samples) == before


def test_a_batch_that_is_killed_carries_on(environment: dict[str, str], samples: Path) -> None:
    """Kill it in the second job, as a power cut does: the first is not done again, and no half file is left."""
    first = {"picture": "p.png", "mask": "m.png", "instruction": "a star", "model": "tiny", "seed": 1}
    second = {**first, "seed": 2, "steps": 1000}
    (samples / "j.jsonl").write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    with start(environment, "batch", "j.jsonl", "--json") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b'"result"' in line:
                break
        wait_until_painting(process.stdout)
        process.kill()
        process.communicate(timeout=MINUTE)
    made = {name for name in names_in(samples) if name.startswith("j")}
    assert made == {"j.jsonl", "j-1.png", "j.journal.jsonl"}
    (samples / "j.jsonl").write_text(f"{json.dumps(first)}\n{json.dumps({**second, 'steps': 2})}\n")
    with start(environment, "batch", "j.jsonl", "--json") as process:
        out, _ = process.communicate(timeout=MINUTE)
    assert process.returncode == 0
    events: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert [event["job"] for event in events if event.get("skipped")] == [1]
    assert recipe_in(samples / "j-2.png").request.seed == 2


def test_pictures_flow_from_ace_to_ace(environment: dict[str, str], samples: Path) -> None:
    edit = f"{sys.executable} -m mlx_model.cli edit - 'a star' --model tiny"
    script = f"set -o pipefail; {edit} < p.png | {edit} --mask m.png > out.png"
    done = subprocess.run(["/bin/bash", "-c", script], env=environment, capture_output=True, timeout=MINUTE)
    assert done.returncode == 0, done.stderr
    assert read_picture(samples / "out.png").size == (96, 80)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["tasks --json", "edit p.png x --steps 200 --model tiny --json -o out.png"])
def test_a_reader_that_goes_away_ends_it_quietly(environment: dict[str, str], samples: Path, command: str) -> None:
    before = names_in(samples)
    script = f"{sys.executable} -m mlx_model.cli {command} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", script], env=environment, capture_output=True, timeout=MINUTE)
    assert done.stderr == b""
    assert done.stdout.count(b"\n") == 1
    if command.startswith("edit"):
        assert done.returncode == 1
        assert names_in(samples) == before


def test_a_picture_is_not_written_to_a_terminal_and_not_read_from_one(environment: dict[str, str]) -> None:
    for arguments, words in (
        (["edit", "p.png", "x", "-o", "-"], "would go to the terminal as raw bytes"),
        (["edit", "-", "x", "-o", "out.png"], "nothing comes through the pipe"),
    ):
        code, said = on_a_terminal([*arguments, "--model", "tiny"], environment)
        assert code == 2
        assert words in said


def test_a_terminal_sees_a_bar_with_stage_and_time_left(environment: dict[str, str], samples: Path) -> None:
    arguments = ["edit", "p.png", "a star", "--mask", "m.png", "--steps", "60", "-o", "out.png", "--model", "tiny"]
    code, said = on_a_terminal(arguments, environment)
    assert code == 0, said
    assert "painting" in said
    assert " s left" in said
    assert "out.png: 96×80" in said
    assert (samples / "out.png").exists()


def on_a_terminal(arguments: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run ``ace`` with a terminal on all three ends; return its exit code and what the terminal showed."""
    ours, theirs = pty.openpty()
    seen = {**environment, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen([*ACE, *arguments], env=seen, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    until = time.monotonic() + MINUTE
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:  # Linux says so at the end
            break
        if not data:
            break
        said += data
    os.close(ours)
    return process.wait(MINUTE), said.decode("utf-8", "replace")


def test_mistakes_end_with_2_and_without_a_traceback(environment: dict[str, str]) -> None:
    with start(environment, "edit", "missing.png", "x") as process:
        out, err = process.communicate(timeout=MINUTE)
    assert (process.returncode, out) == (2, b"")
    assert err == b"ace: there is no file missing.png; check the name and the folder\n"


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from mlx_model.cli.main import run; run(['edit', '--help']); "
        "print(sorted({'mlx', 'numpy', 'cv2', 'PIL', 'tokenizers', 'ftfy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=MINUTE)
    assert done.stdout.splitlines()[-1] == "[]"


def test_mistakes_are_found_without_loading_mlx(environment: dict[str, str]) -> None:
    asked = [["edit", "missing.png", "x"], ["edit", "p.png", "x", "-o", "nowhere/a.png"], ["tasks"]]
    script = (
        "import sys; from mlx_model.cli.main import run; "
        f"print([(run(asked), 'mlx' in sys.modules) for asked in {asked}])"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=MINUTE)
    assert done.stdout.splitlines()[-1] == "[(2, False), (2, False), (0, False)]", done.stderr


def test_the_program_on_the_path_is_this_one() -> None:
    program = Path(sys.executable).with_name("ace")
    if not program.exists():
        pytest.skip("not installed")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=MINUTE)
    assert done.stdout.startswith("ace ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to try")
def test_a_full_disk_behind_the_pipe_is_a_sentence(environment: dict[str, str]) -> None:
    command = [*ACE, "edit", "p.png", "a star", "--model", "tiny", "-o", "-"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment, timeout=MINUTE)
    assert done.returncode == 2, done.stderr
    assert done.stderr == (b"ace: cannot write to standard output: No space left on device; give --out NAME.png\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to try")
@pytest.mark.parametrize("command", ["tasks", "edit p.png x --model tiny --json", "batch two.jsonl --out ."])
def test_a_full_disk_behind_what_is_told_is_a_sentence(
    environment: dict[str, str], samples: Path, command: str
) -> None:
    job = {"picture": "p.png", "instruction": "x", "model": "tiny"}
    (samples / "two.jsonl").write_text(f"{json.dumps(job)}\n" * 2)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*ACE, *command.split()], stdout=full, stderr=subprocess.PIPE, env=environment, timeout=MINUTE
        )
    sentence = b"ace: cannot write: No space left on device; make room, or send the output elsewhere\n"
    assert (done.returncode, done.stderr) == (2, sentence)


def test_streams_that_are_closed_are_done_without(environment: dict[str, str], samples: Path) -> None:
    """A file that took a closed stream's number would get what is told."""
    edit = f"exec {sys.executable} -m mlx_model.cli edit p.png 'a star' --steps 1 --model tiny --json -o out.png"
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(["sh", "-c", f"{edit} {closed}"], env=environment, timeout=MINUTE)
        assert done.returncode == 0, closed
        assert read_picture(samples / "out.png").size == (96, 80)
        (samples / "out.png").unlink()


def test_file_names_in_another_encoding_are_told_on_any_terminal(environment: dict[str, str], samples: Path) -> None:
    name = "별".encode("cp949") + b".png"
    (samples / "p.png").rename(samples / os.fsdecode(name))
    script = (
        "import sys; from mlx_model.cli.main import run; edit = ['edit', sys.argv[1], 'a star', '--model', 'tiny']; "
        "sys.exit(run(edit) or print() or run([*edit, '--json']))"
    )
    for encoding in ("utf-8", "ascii"):
        told = {**environment, "PYTHONIOENCODING": encoding}
        done = subprocess.run([sys.executable, "-c", script, name], env=told, capture_output=True, timeout=MINUTE)
        assert (done.returncode, done.stderr) == (0, b"")
        sentence, lines = done.stdout.split(b"\n\n")
        assert b"\\udcba\\udcb0-edited" in sentence
        assert b"\\udcba\\udcb0-edited" in lines
        assert all(json.loads(line) for line in lines.splitlines())


def test_large_pictures_go_through_pipes_whole(environment: dict[str, str], samples: Path) -> None:
    """More than a pipe holds at once, both ways."""
    Image.effect_noise((700, 500), 90).convert("RGB").save(samples / "large.png")
    with (samples / "large.png").open("rb") as source:
        done = subprocess.run(
            [*ACE, "edit", "-", "a star", "--region", "0,0,64,64", "--model", "tiny"],
            stdin=source, env=environment, capture_output=True, timeout=MINUTE,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) > 300_000
    assert read_picture(done.stdout).size == (700, 500)
