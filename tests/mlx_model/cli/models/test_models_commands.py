"""The commands of ``ace models``, called as functions: what they do and what they say."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from rich.progress import TextColumn

from mlx_model.cli import transfer
from mlx_model.library.tokens import find_token
from tests.hub_server import Account, HubServer
from tests.mlx_model.cli.models.conftest import NAME, ROOT, Ace
from tests.mlx_model.library.conftest import MemoryKeychain
from tests.released_models import (
    FFT,
    FILL,
    RELEASED,
    TEXT,
    TOKENIZERS,
    VAE,
)

SECRET = "hf_abcdefghijklmnop"  # noqa: S105
ALL_BYTES = len(RELEASED[FFT]["ace_plus_fft.safetensors"]) + sum(
    len(data) for name in (TEXT, VAE) for data in RELEASED[name].values()
)


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
    assert lines[4].strip() == "A token is entered with: ace models login"
    rows = {row["model"]: row for row in ace("models", "list", "--json").events}
    assert not rows["small-fill-4bit"]["half_made"], "nothing was begun"
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
    (listed,) = (row for row in ace("models", "list", "--json").events if row["model"] == NAME)
    assert listed["problem"].startswith("clip.safetensors has 10 bytes instead of "), "seen without reading it"
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


def test_what_is_begun_or_headless_is_told_and_can_be_mended(ace: Ace, tmp_path: Path) -> None:
    (tmp_path / "models" / f"{NAME}.installing").mkdir(parents=True)
    for command in ("verify", "repair"):
        said = ace("models", command, NAME)
        assert (said.code, said.err) == (2, f"ace: {NAME} is only begun; go on with: ace models install {NAME}\n")
    assert ace("models", "install", NAME, "--yes").code == 0
    (tmp_path / "models" / NAME / "config.json").unlink()
    assert "damaged" in next(line for line in ace("models", "list").out.splitlines() if line.startswith(NAME))
    assert ace("models", "repair", NAME, "--json").event("done")["mended"] == ["config.json"]


def test_what_the_finder_leaves_in_a_model_is_removed_with_it(ace: Ace, tmp_path: Path) -> None:
    assert ace("models", "install", NAME, "--yes").code == 0
    (tmp_path / "models" / NAME / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (tmp_path / "models" / NAME / "tokenizer_t5" / "._tokenizer.json").write_bytes(b"\0\5\x16\7")
    assert ace("models", "remove", NAME, "--yes", "--json").event("done")["left"] == []
    assert ace("models", "install", NAME, "--yes").code == 0, "the folder was left in the way"


def test_released_files_are_shown_and_imported(ace: Ace, tmp_path: Path, server: HubServer) -> None:
    place = tmp_path / "외장 disk"
    place.mkdir()
    for name in ("ace_plus_fft.safetensors", "t5xxl_fp16.safetensors", "clip_l.safetensors"):
        (place / name).write_bytes({**RELEASED[FFT], **RELEASED[TEXT]}[name])
    (place / "old.ckpt").write_bytes(b"\x80")
    (place / "._t5xxl_fp16.safetensors").write_bytes(b"\0\5\x16\7")  # as macOS makes them on other disks
    shown = ace("models", "import", place)
    assert shown.code == 2
    assert "found fft_transformer (original, BF16, " in shown.out
    assert "old.ckpt may be a pickle" in shown.out
    assert "._t5xxl" not in shown.out
    assert "input channels" not in shown.out, "a model that one family is made of is no stray file"
    assert f"say which model to make of it, for example: ace models import '{place}' small-f" in shown.err
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
    verified = ace("models", "verify", NAME).out
    assert "note: of fft_transformer, t5, clip there is no sha256 of the sources" in verified
    assert "--full" not in verified, "it reads no file of this machine"


def test_an_import_that_fetches_nothing_needs_no_usable_proxy(
    ace: Ace, tmp_path: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for files in (RELEASED[FFT], RELEASED[TEXT], RELEASED[VAE], RELEASED[TOKENIZERS]):
        for name, data in files.items():
            (tmp_path / "disk" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "disk" / name).write_bytes(data)
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "nonsense://x")
    ran = ace("models", "import", tmp_path / "disk", NAME, "--yes")
    assert ran.code == 0, ran.err
    assert server.requests == []


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
    assert "small-fft: One model for every task" in text, "what tells the two apart"
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


COMMANDS = (("install", NAME, "--yes"), ("where",), ("verify", NAME))
ONE_AFTER_ANOTHER = """
import json, sys
from mlx_model.cli.main import run
print(*(run(["models", *command]) for command in json.loads(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("address", "first"),
    [("http://[", 0), ("hub.example", 0), ("ftp://hub.example", 1), ("https://hub.example:port", 2)],
)
def test_an_address_of_the_hub_that_is_none_gets_one_sentence(address: str, first: int) -> None:
    # In a process of its own: the hub's client reads the address while it is imported, by the first command.
    asked = json.dumps([*COMMANDS[first:], *COMMANDS[:first]])
    program = [sys.executable, "-c", ONE_AFTER_ANOTHER, asked]
    environment = {**os.environ, "HF_ENDPOINT": address}
    ran = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == "2 2 2\n"
    sentence = f"ace: HF_ENDPOINT is not the address of a hub: {address}; correct it, or unset it"
    assert ran.stderr.split() == sentence.split() * 3


def test_file_names_with_brackets_are_shown_as_they_are() -> None:
    bar = transfer._bar()  # pyright: ignore[reportPrivateUsage]
    try:
        bar.update(bar.task_ids[0], description="a [b] [/c].safetensors")
        assert str(cast(TextColumn, bar.columns[0]).render(bar.tasks[0])) == "a [b] [/c].safetensors"
    finally:
        bar.stop()
