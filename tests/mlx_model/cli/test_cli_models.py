"""``ace models`` as a function and as a program: lines of JSON, signals, standard input, terminals, no network."""

import contextlib
import io
import json
import os
import pty
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import keyring
import numpy as np
import pytest
from PIL import Image

from mlx_model.cli.main import run
from mlx_model.library.catalogue import load_catalogue
from mlx_model.library.tensor_files import LocalSource, TensorFile
from mlx_model.library.tokens import find_token
from tests.hub_server import Account, Fault, HubServer, running_hub
from tests.mlx_model.library.conftest import QUICK, MemoryKeychain
from tests.mlx_model.tiny_model import tiny_config
from tests.plain_ace import put_in_place
from tests.released_models import (
    FFT,
    FILL,
    RELEASED,
    TEXT,
    VAE,
    catalogue_values,
    publish,
    write_catalogue,
    write_tensors,
)

NAME = "small-fft-4bit"
SECRET = "hf_abcdefghijklmnop"  # noqa: S105
ROOT = Path(__file__).parents[3]
MINUTE = 90.0
ALL_BYTES = len(RELEASED[FFT]["ace_plus_fft.safetensors"]) + sum(
    len(data) for name in (TEXT, VAE) for data in RELEASED[name].values()
)


@dataclass
class Ran:
    """How a call of ``ace`` ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    def event(self, name: str) -> dict[str, Any]:
        """Return the last event of a name."""
        return [event for event in self.events if event.get("event") == name][-1]


Ace = Callable[..., Ran]


@pytest.fixture
def server() -> Generator[HubServer]:
    """Serve the released models."""
    with running_hub() as hub:
        publish(hub)
        yield hub


@pytest.fixture(autouse=True)
def keychain() -> Generator[MemoryKeychain]:
    """Use a keychain of the test's own."""
    before, chain = keyring.get_keyring(), MemoryKeychain()
    keyring.set_keyring(chain)
    yield chain
    keyring.set_keyring(before)


@pytest.fixture
def environment(server: HubServer, tmp_path: Path) -> dict[str, str]:
    """Return an environment with a hub, a catalogue and a folder of models of its own, and no login."""
    write_catalogue(tmp_path / "catalogue.json")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))},
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(tmp_path / "hf"),
        "ACE_MODELS": str(tmp_path / "models"),
        "ACE_CATALOGUE": str(tmp_path / "catalogue.json"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def ace(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ace:
    """Call ``ace`` with the stand-in for the converter; ``said`` comes on standard input."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    put_in_place(monkeypatch.setattr)

    def call(*arguments: object, said: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return call


def start(
    environment: dict[str, str],
    *arguments: str,
    stdin: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    preexec_fn: Callable[[], None] | None = None,
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.plain_ace", "models", *arguments]
    return subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=stdin,
        stderr=stderr,
        preexec_fn=preexec_fn,
    )


def wait_for(stream: IO[bytes] | None, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read lines of JSON until one is as wanted."""
    assert stream is not None
    seen: list[bytes] = []
    for line in stream:
        seen.append(line)
        event = json.loads(line)
        if wanted(event):
            return event
    raise AssertionError(f"it ended before; it said {seen[-3:]}")


def is_at(done: int) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == "progress" and event["done"] >= done


def test_an_installation_is_told_as_lines_of_json(ace: Ace, tmp_path: Path) -> None:
    ran = ace("models", "install", NAME, "--yes", "--json")
    assert (ran.code, ran.err) == (0, "")
    done = ran.event("done")
    assert done["folder"] == str(tmp_path / "models" / NAME)
    assert done["parts"]["fft_transformer"] == {
        "alternative": "official",
        "from": [f"ace_plus_fft.safetensors of {FFT}"],
        "digests_checked": True,
    }
    last = ran.event("progress")
    assert set(last) == {
        "event", "file", "done", "total", "fetched", "rate", "seconds_left", "paused", "waiting",
    }  # fmt: skip
    assert last["done"] == last["total"] >= ALL_BYTES
    assert Path(done["folder"], "config.json").exists()


def test_people_get_sentences(ace: Ace, tmp_path: Path) -> None:
    ran = ace("models", "install", NAME, "--yes")
    assert ran.code == 0
    assert ran.out.startswith(f"{NAME} is installed in {tmp_path / 'models' / NAME} (")
    assert "may be used for non-commercial purposes only" in ran.err
    assert ace("models", "install", NAME, "--yes").code == 0


def test_without_a_terminal_the_licence_has_to_be_accepted_by_an_option(ace: Ace, server: HubServer) -> None:
    ran = ace("models", "install", NAME, "--json")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "has to be accepted first: start again with --yes" in ran.err
    assert ran.event("error")["text"] in ran.err
    assert server.requests == []


def test_a_gated_repository_gives_three_steps_and_the_way_without_an_account(ace: Ace, server: HubServer) -> None:
    ran = ace("models", "install", "small-fill-4bit", "--yes", "--json")
    assert ran.code == 2
    steps = ran.event("steps")
    assert steps["page"] == f"{server.url}/{FILL}"
    assert len(steps["steps"]) == 3
    assert "--without-account" in steps["otherwise"]
    lines = ran.err.splitlines()
    assert lines[0].startswith("ace: black-forest-labs/FLUX.1-Fill-dev wants its licence accepted")
    assert [line.strip()[:2] for line in lines[1:4]] == ["1.", "2.", "3."]
    assert ace("models", "install", "small-fill-4bit", "--yes", "--without-account").code == 0


def test_a_source_can_be_chosen(ace: Ace) -> None:
    assert ace("models", "install", "small-fft-bf16", "--yes", "--source", "fft_transformer").code == 2
    ran = ace("models", "install", "small-fft-bf16", "--yes", "--json", "--source", "fft_transformer=fp8")
    assert ran.event("done")["parts"]["fft_transformer"]["alternative"] == "fp8"


def test_the_whole_life_of_a_model(ace: Ace, tmp_path: Path) -> None:
    folder = tmp_path / "models" / NAME
    assert ace("models", "install", NAME, "--yes").code == 0
    assert ace("models", "where", NAME).out.strip() == str(folder)
    assert ace("models", "where").out.strip() == str(folder.parent)
    assert "is whole: " in ace("models", "verify", NAME).out
    assert ace("models", "verify", NAME, "--full", "--json").event("done")["unchecked"] == []
    os.truncate(folder / "clip.safetensors", 10)
    damaged = ace("models", "verify", NAME, "--json")
    assert damaged.code == 2
    assert damaged.event("finding")["file"] == "clip.safetensors"
    assert f"mend it with: ace models repair {NAME}" in damaged.err
    assert ace("models", "repair", NAME, "--json").event("done")["mended"] == ["clip.safetensors"]
    assert ace("models", "repair", NAME).out == f"{NAME} was whole already\n"
    assert ace("models", "export", NAME, tmp_path / "export").code == 0
    assert (tmp_path / "export" / "README.md").exists()
    assert ace("models", "remove", NAME).code == 2, "there is no one to ask"
    removed = ace("models", "remove", NAME, "--yes", "--json").event("done")
    assert removed["shared"] > 0, "the export holds the same contents"
    assert not folder.exists()
    assert ace("models", "verify", NAME).code == 2


def test_released_files_are_shown_and_imported(ace: Ace, tmp_path: Path, server: HubServer) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    for name in ("ace_plus_fft.safetensors", "t5xxl_fp16.safetensors", "clip_l.safetensors"):
        (place / name).write_bytes({**RELEASED[FFT], **RELEASED[TEXT]}[name])
    (place / "old.ckpt").write_bytes(b"\x80")
    shown = ace("models", "import", place)
    assert shown.code == 2
    assert "found fft_transformer (original, BF16, " in shown.out
    assert "old.ckpt may be a pickle" in shown.out
    assert "say which model to make of it, for example: ace models import" in shown.err
    lacking = ace("models", "import", place, NAME, "--yes", "--json")
    assert lacking.code == 2
    assert {event["part"] for event in lacking.events if event["event"] == "found"} == {
        "fft_transformer",
        "t5",
        "clip",
    }
    assert "lacks autoencoder: vae/ae.safetensors of comfy/vae; " in lacking.err
    assert server.requests == []
    ran = ace("models", "import", place, NAME, "--yes", "--json", "--fetch-missing")
    assert ran.code == 0, ran.err
    assert server.sent("ace_plus_fft.safetensors") == 0
    assert ran.event("done")["parts"]["t5"]["alternative"] == "on this machine"


def test_the_list_says_what_is_here_and_what_suits_the_machine(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlx_model.cli.model_list.memory_bytes", lambda: 16 << 30)
    ace("models", "install", NAME, "--yes")
    rows = {row["model"]: row for row in ace("models", "list", "--json").events}
    assert list(rows)[:3] == ["small-fft-4bit", "small-fft-8bit", "small-fft-bf16"]
    assert (rows[NAME]["installed"], rows[NAME]["recommended"]) == (True, True)
    assert (rows["small-fft-8bit"]["installed"], rows["small-fft-8bit"]["recommended"]) == (False, False)
    assert rows["pocket"]["installed"]
    for columns in ("80", "120"):
        monkeypatch.setenv("COLUMNS", columns)
        text = ace("models", "list").out
        assert "installed, recommended" in text
        assert max(map(len, text.splitlines()[:-1])) <= int(columns)
    assert "For this machine's 16 GB: small-fft-4bit, ACE++ FFT; or small-fill-4bit" in text


def test_a_token_is_checked_kept_and_forgotten(ace: Ace, server: HubServer, keychain: MemoryKeychain) -> None:
    server.tokens[SECRET] = Account({FILL})
    wrong = ace("models", "login", said="hf_not_the_right_one\n")
    assert wrong.code == 2
    assert "does not know the token that was entered" in wrong.err
    assert keychain.secrets == {}
    ran = ace("models", "login", "--json", said=SECRET + "\n")
    assert ran.event("done") == {"event": "done", "account": "ann", "hub": server.url}
    assert SECRET not in ran.out + ran.err
    assert getattr(find_token(server.url), "secret", None) == SECRET
    assert ace("models", "install", "small-fill-4bit", "--yes").code == 0
    assert ace("models", "logout").code == 0
    assert keychain.secrets == {}


def test_listing_loads_no_mlx_and_no_hub_client(environment: dict[str, str]) -> None:
    code = (
        "import sys; from mlx_model.cli.main import run; assert run(['models', 'list']) == 0;"
        "print({'mlx', 'huggingface_hub', 'httpx2', 'cv2'} & {name.split('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "set()"


def test_what_was_killed_goes_on_without_fetching_again_what_is_there(
    environment: dict[str, str],
    server: HubServer,
    tmp_path: Path,
) -> None:
    server.faults.append(Fault("store", times=None, rate=30_000))
    with start(environment, "install", NAME, "--yes", "--json") as process:
        wait_for(process.stdout, is_at(120_000))
        process.kill()
    server.settle()
    before = server.sent()
    assert before >= 120_000
    assert not (tmp_path / "models" / NAME).exists()
    server.faults.clear()
    with start(environment, "install", NAME, "--yes", "--json") as process:
        out, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 0, err
    server.settle()
    window, tensor = QUICK.range_bytes * (QUICK.ahead + QUICK.parallel), 132_000
    again = server.sent() - ALL_BYTES
    assert again <= window + tensor + 1000, f"{again} bytes came twice"
    done = json.loads(out.splitlines()[-1])
    assert done["event"] == "done"
    assert not done["parts"]["fft_transformer"]["digests_checked"], "it was read in two goes"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_and_keeps_what_is_here(
    environment: dict[str, str],
    server: HubServer,
    tmp_path: Path,
    number: int,
    code: int,
) -> None:
    server.faults.append(Fault("store", times=None, rate=20_000))
    with start(environment, "install", NAME, "--yes", "--json") as process:
        wait_for(process.stdout, is_at(40_000))
        process.send_signal(number)
        out, err = process.communicate(timeout=MINUTE)
    assert process.returncode == code, err
    assert err == b""
    assert json.loads(out.splitlines()[-1])["event"] == "cancelled"
    assert (tmp_path / "models" / f"{NAME}.installing").exists()


def test_words_on_standard_input_pause_resume_and_cancel(environment: dict[str, str], server: HubServer) -> None:
    server.faults.append(Fault("store", times=None, rate=30_000))
    with start(environment, "install", NAME, "--yes", "--json") as process:
        assert process.stdin is not None
        wait_for(process.stdout, is_at(20_000))
        process.stdin.write(b"pause\n")
        process.stdin.flush()
        wait_for(process.stdout, lambda event: event.get("paused") is True)
        time.sleep(1.0)  # what was under way comes to its end
        server.settle()
        before = server.sent()
        time.sleep(1.0)
        assert server.sent() == before, "bytes come while it rests"
        process.stdin.write(b"resume\n")
        process.stdin.flush()
        wait_for(process.stdout, lambda event: event.get("paused") is False and event["done"] > before - 50_000)
        process.stdin.write(b"nonsense\ncancel\n")
        process.stdin.close()
        process.stdin = None
        out, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 130, err
    assert json.loads(out.splitlines()[-1])["event"] == "cancelled"


def test_the_end_of_standard_input_changes_nothing(environment: dict[str, str]) -> None:
    with start(environment, "install", NAME, "--yes", "--json", stdin=subprocess.DEVNULL) as process:
        _, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 0, err


def test_two_processes_that_install_the_same_fetch_it_once(environment: dict[str, str], server: HubServer) -> None:
    server.faults.append(Fault("store", times=None, rate=4_000))
    with start(environment, "install", NAME, "--yes", "--json") as first:
        wait_for(first.stdout, is_at(10_000))
        with start(environment, "install", NAME, "--yes", "--json") as second:
            said = wait_for(second.stdout, lambda event: event["event"] == "waiting")
            server.faults.clear()
            _, first_err = first.communicate(timeout=MINUTE)
            _, second_err = second.communicate(timeout=MINUTE)
    assert "another process is changing the models in" in said["text"]
    assert (first.returncode, second.returncode) == (0, 0), (first_err, second_err)
    assert server.sent() <= ALL_BYTES + 1000


def test_a_disk_that_gets_full_is_a_sentence_and_what_is_here_is_kept(
    environment: dict[str, str], tmp_path: Path
) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))

    with start(environment, "install", NAME, "--yes", "--json", preexec_fn=small) as process:
        out, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 2, err
    assert err.count(b"\n") == 1
    assert b"is full; make room and start again" in err
    assert json.loads(out.splitlines()[-1])["event"] == "error"
    with start(environment, "install", NAME, "--yes", "--json") as process:
        _, err = process.communicate(timeout=MINUTE)
    assert process.returncode == 0, err
    assert (tmp_path / "models" / NAME / "record.json").exists()


def read_until(terminal: int, wanted: bytes) -> bytes:
    """Read what a program says on a terminal, up to some words."""
    said = b""
    while wanted not in said:
        said += os.read(terminal, 4096)
    return said


def read_the_rest(terminal: int) -> bytes:
    """Read until nobody holds the terminal's other end any more, and close this one."""
    said = b""
    with contextlib.suppress(OSError):
        while more := os.read(terminal, 4096):
            said += more
    os.close(terminal)
    return said


def test_on_a_terminal_the_licence_is_asked_for(environment: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with start(environment, "install", NAME, stdin=theirs, stderr=theirs) as process:
        os.close(theirs)
        assert b"non-commercial purposes only" in read_until(ours, b"Do you accept this licence?")
        os.write(ours, b"y\n")
        read_the_rest(ours)
        process.communicate(timeout=MINUTE)
    assert process.returncode == 0
    assert (tmp_path / "models" / NAME / "config.json").exists()


def test_an_installed_model_edits_with_no_network(
    ace: Ace,
    server: HubServer,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A whole tiny model in the released layout, fetched, and then used with every socket forbidden."""
    publish_tiny(server, tiny_model, tmp_path)
    assert ace("models", "install", NAME, "--yes").code == 0

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something reaches out")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    out = tmp_path / "out.png"
    ran = ace("edit", tmp_path / "p.png", "a star", "--model", NAME, "--seed", "1", "--steps", "1", "-o", out)
    assert ran.code == 0, ran.err
    assert out.exists()
    assert ace("models", "list").code == 0
    assert ace("models", "verify", NAME).code == 0


def publish_tiny(server: HubServer, folder: Path, tmp_path: Path) -> None:
    """Publish the tiny model as its authors would, in one transformer file, and write a catalogue of it."""
    both = [TensorFile(LocalSource(folder / f"{name}.safetensors")) for name in ("transformer", "modulation")]
    tensors = {entry.name: (entry, bytes(data)) for file in both for entry, data in file.tensors()}
    write_tensors(tmp_path / "whole.safetensors", tensors)
    server.add(FFT, {"ace_plus_fft.safetensors": (tmp_path / "whole.safetensors").read_bytes()})
    contents = {name: (folder / f"{name}.safetensors").read_bytes() for name in ("t5", "clip", "autoencoder")}
    server.add(TEXT, {"t5xxl_fp16.safetensors": contents["t5"], "clip_l.safetensors": contents["clip"]})
    server.add(VAE, {"vae/ae.safetensors": contents["autoencoder"]})
    tokens = {
        f"{part}.json": (folder / f"tokenizer_{part}" / "tokenizer.json").read_bytes() for part in ("t5", "clip")
    }
    server.add("tiny/tokenizers", tokens)
    values = catalogue_values()
    del values["parts"]["autoencoder"]["alternatives"][0]["files"][0]["sha256"]
    for part in ("t5", "clip"):
        (alternative,) = values["parts"][f"tokenizer_{part}"]["alternatives"]
        target = f"tokenizer_{part}/tokenizer.json"
        alternative |= {
            "repository": "tiny/tokenizers",
            "files": [{"path": f"{part}.json", "size": 1, "target": target}],
        }
    config = asdict(tiny_config())
    values["families"]["small-fft"]["config"] = {
        name: config[name] for name in values["families"]["small-fft"]["config"]
    }
    write_catalogue(tmp_path / "catalogue.json", values)
    assert load_catalogue(tmp_path / "catalogue.json").families["small-fft"].kind == "fft"


@pytest.mark.parametrize("key", ["Ctrl-C", "Ctrl-D"])
def test_leaving_at_the_licence_question_is_quiet(environment: dict[str, str], key: str) -> None:
    ours, theirs = pty.openpty()
    with start(environment, "install", NAME, stdin=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = read_until(ours, b"[y/N]")
        if key == "Ctrl-C":
            process.send_signal(signal.SIGINT)
        else:
            os.write(ours, b"\x04")
        assert process.wait(MINUTE) == 130
    assert b"Traceback" not in said + read_the_rest(ours)
