"""From a hub to a picture with the real converter: installed at 8 bits by ``ace``, edited with no socket allowed.

Of the original files, and of GGUF files in their place.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlx_model.cli.main import run
from mlx_model.editor import Editor
from mlx_model.pictures.read import read_picture
from mlx_model.request import EditRequest, digest
from mlx_model.runtime import mx
from mlx_model.weights.config import ModelConfig
from mlx_model.weights.model_folder import read_tensors
from mlx_model.weights.part_tensors import part_tensors
from mlx_model.weights.source_layouts import LAYOUTS
from tests.hub_server import HubServer, running_hub
from tests.mlx_model.cli.conftest import draw_samples
from tests.mlx_model.tiny_model import tiny_config
from tests.mlx_model.weights.sources import save_gguf
from tests.released_models import catalogue_values

REPOSITORY, NAME = "ali-vilab/ACE_Plus", "tiny-fft-8bit"
SOURCES = {
    "fft_transformer": "ace_plus_fft.safetensors",
    "t5": "t5xxl.safetensors",
    "clip": "clip_l.safetensors",
    "autoencoder": "ae.safetensors",
    "tokenizer_t5": "t5/tokenizer.json",
    "tokenizer_clip": "clip/tokenizer.json",
}


GGUF = {"fft_transformer": "ace_plus_fft-Q8_0.gguf", "t5": "t5xxl-Q8_0.gguf"}
STRAIGHT_IN_T5 = "encoder.block.0.layer.1.DenseReluDense.wo"
"""The one matrix of the tiny T5 whose inputs fill blocks."""
BOUND = 24
"""Of 255: how far two packings of the tiny model may be apart in any pixel; it knows nothing, so it exaggerates."""


def released_files(model: Path, scratch: Path) -> dict[str, bytes]:
    """Return the tiny model's files as the hub has released ones: the transformer whole, T5's embedding once."""
    transformer = read_tensors(model / "transformer.safetensors") | read_tensors(model / "modulation.safetensors")
    mx.save_safetensors(str(scratch / "whole.safetensors"), transformer)
    files = {SOURCES["fft_transformer"]: (scratch / "whole.safetensors").read_bytes()}
    for part in ("t5", "clip", "autoencoder"):
        files[SOURCES[part]] = (model / f"{part}.safetensors").read_bytes()
    for part in ("tokenizer_t5", "tokenizer_clip"):
        files[SOURCES[part]] = (model / part / "tokenizer.json").read_bytes()
    return files


def gguf_files(model: Path, scratch: Path) -> dict[str, bytes]:
    """Return transformer and T5 as others publish them: blocks of Q8_0, T5 in llama.cpp's names."""
    whole = read_tensors(model / "transformer.safetensors") | read_tensors(model / "modulation.safetensors")
    (layout,) = [layout for layout in LAYOUTS if layout.name == "llama.cpp"]
    places = layout.places(part_tensors("t5", tiny_config())["t5.safetensors"], tiny_config())
    t5 = read_tensors(model / "t5.safetensors")
    renamed = {theirs: t5[place.name] for theirs, place in places.items()}
    files: dict[str, bytes] = {}
    for part, tensors in (("fft_transformer", whole), ("t5", renamed)):
        save_gguf(scratch / GGUF[part], tensors, "Q8_0")
        files[GGUF[part]] = (scratch / GGUF[part]).read_bytes()
    return files


def catalogue_of(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return a catalogue with the tiny model, at 8 bits in groups of 32, as the only one."""
    values, config = catalogue_values(), asdict(tiny_config())
    parts: dict[str, Any] = {}
    for part, path in SOURCES.items():
        converter = part.removeprefix("fft_") if "tokenizer" not in part else None
        target = {"target": f"{part}/tokenizer.json"} if converter is None else {}
        described = {"name": "official", "repository": REPOSITORY, "licence": "mit", "about": "a test's"}
        layout = "tokenizer" if converter is None else "original"
        listed = [{"path": path, "size": len(files[path]), **target}]
        alternatives: list[dict[str, Any]] = [{**described, "layout": layout, "files": listed}]
        if part in GGUF:
            blocks = {"path": GGUF[part], "size": len(files[GGUF[part]])}
            named = {"name": "gguf-q8-0", "layout": "gguf", "files": [blocks], "only_if_chosen": True}
            alternatives.append({**described, **named})
        parts[part] = {"title": part, "converter": converter, "alternatives": alternatives}
    family = values["families"]["small-fft"]
    names = ("transformer", "autoencoder", "latent", "t5", "clip", "prompt", "sampling", "size", "preview")
    family |= {"parts": list(SOURCES), "widths": ["8bit"], "config": {name: config[name] for name in names}}
    packing = {"group_size": 32, "bits": 8}
    values["widths"]["8bit"] |= {"quantization": packing, "t5_quantization": packing}
    return values | {"parts": parts, "families": {"tiny-fft": family}}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with running_hub() as server:
        yield server


@pytest.fixture
def released(
    hub: HubServer, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, bytes]:
    """Publish the tiny model in released layouts, and work in a folder with samples and a catalogue of it."""
    files = released_files(tiny_model, tmp_path) | gguf_files(tiny_model, tmp_path)
    hub.add(REPOSITORY, files)
    (tmp_path / "catalogue.json").write_text(json.dumps(catalogue_of(files)))
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "ACE_MODELS": str(tmp_path / "models"),
        "ACE_CATALOGUE": str(tmp_path / "catalogue.json"),
    }.items():
        monkeypatch.setenv(name, value)
    draw_samples(tmp_path)
    monkeypatch.chdir(tmp_path)
    return files


def edit_offline(monkeypatch: pytest.MonkeyPatch, out: str) -> npt.NDArray[np.int_]:
    """Verify the model and edit the sample with every socket forbidden; return the picture's numbers."""
    with monkeypatch.context() as offline:
        offline.setattr(socket, "socket", no_socket)
        offline.setattr(socket, "create_connection", no_socket)
        assert run(["models", "verify", NAME]) == 0
        asked = ["p.png", "a red star", "-m", "m.png", "--seed", "0", "-o", out]
        assert run(["edit", *asked, "--model", NAME]) == 0
    return read_picture(Path(out)).pixels.astype(int)


def test_a_model_is_installed_quantized_and_edits_offline(
    hub: HubServer,
    released: Mapping[str, bytes],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert released
    assert run(["models", "install", NAME, "--yes", "--json"]) == 0, capsys.readouterr().err
    folder = tmp_path / "models" / NAME
    assert ModelConfig.load(folder).transformer == tiny_config().transformer
    tensors = read_tensors(folder / "transformer.safetensors")
    assert tensors["single_blocks.0.linear1.weight"].dtype == mx.uint32
    assert tensors["img_in.weight"].dtype == mx.bfloat16, "the policy keeps it"
    fetched = len(hub.requests)
    edited = edit_offline(monkeypatch, "out.png")
    assert len(hub.requests) == fetched

    picture, mask = read_picture(tmp_path / "p.png"), read_picture(tmp_path / "m.png")
    request = EditRequest("a red star", picture=digest(picture), mask=digest(mask))
    full = Editor(tiny_model).edit(request, {digest(p): p for p in (picture, mask)})
    off = np.abs(edited - full.picture.pixels.astype(int))
    assert 0 < off.max() <= BOUND, f"8 bits differ from the full precision by up to {off.max()} of 255"

    # The same model of GGUF files, chosen on the command line: blocks of 8 bits instead of MLX's.
    monkeypatch.setenv("ACE_MODELS", str(tmp_path / "of-gguf"))
    before = hub.sent(SOURCES["fft_transformer"])
    chosen = [word for part in GGUF for word in ("--source", f"{part}=gguf-q8-0")]
    capsys.readouterr()
    assert run(["models", "install", NAME, "--yes", "--json", *chosen]) == 0, capsys.readouterr().err
    parts = json.loads(capsys.readouterr().out.splitlines()[-1])["parts"]
    for part, name in GGUF.items():
        assert parts[part] == {
            "alternative": "gguf-q8-0", "from": [f"{name} of {REPOSITORY}"], "digests_checked": True,
        }  # fmt: skip
        assert hub.sent(name) >= len(released[name])
    assert hub.sent(SOURCES["fft_transformer"]) == before, "the original file is fetched too"
    blocks = read_tensors(tmp_path / "of-gguf" / NAME / "transformer.safetensors")
    assert blocks["single_blocks.0.linear1.scales"].dtype == mx.float16, "the blocks are taken over as they are"
    assert blocks["img_in.weight"].dtype == mx.bfloat16, "the policy keeps it, unpacked"
    assert (
        read_tensors(tmp_path / "of-gguf" / NAME / "t5.safetensors")[f"{STRAIGHT_IN_T5}.scales"].dtype == mx.float16
    )
    fetched = len(hub.requests)
    off = np.abs(edit_offline(monkeypatch, "of-gguf.png") - edited)
    assert len(hub.requests) == fetched
    assert off.max() <= BOUND, f"made of GGUF files it differs by up to {off.max()} of 255"


KILLED = """
import os, signal, sys
from mlx_model.cli.main import run
from mlx_model.library.record import Record

Record.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
run(["models", *sys.argv[1:], "--json"])
"""


def killed_before_it_is_written_down(*command: str) -> None:
    """Run ``ace models`` and kill it when a part is made, just before the record would say so."""
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.run([sys.executable, "-c", KILLED, *command], env=environment, check=False)
    assert process.returncode == -signal.SIGKILL


def test_a_part_that_was_made_is_not_fetched_again_after_a_kill_before_it_was_recorded(
    hub: HubServer, released: Mapping[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, folder = SOURCES["fft_transformer"], tmp_path / "models" / NAME
    header = 8 + int.from_bytes(released[source][:8], "little")
    killed_before_it_is_written_down("install", NAME, "--yes")
    hub.settle()
    before = hub.sent(source)
    assert before >= len(released[source])
    assert (tmp_path / "models" / f"{NAME}.installing" / "transformer.safetensors").exists()
    assert run(["models", "install", NAME, "--yes", "--json"]) == 0, capsys.readouterr().err
    hub.settle()
    assert hub.sent(source) - before <= header, "more than the header was fetched again"
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert done["parts"]["fft_transformer"]["digests_checked"], "it was read in one go"
    there = {path.name for path in folder.iterdir()}
    assert not [name for name in there if "converting" in name]

    # Mending has the same moment, in a model's own folder.
    whole = (folder / "modulation.safetensors").read_bytes()
    (folder / "modulation.safetensors").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    killed_before_it_is_written_down("repair", NAME)
    hub.settle()
    before = hub.sent(source)
    assert run(["models", "repair", NAME]) == 0
    assert run(["models", "verify", NAME]) == 0, capsys.readouterr().err
    hub.settle()
    assert hub.sent(source) - before <= header, "more than the header was fetched again"
    assert (folder / "modulation.safetensors").read_bytes() == whole
    assert {path.name for path in folder.iterdir()} == there


def test_files_that_do_not_fit_are_not_imported(
    released: Mapping[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real comparison stands on the command's road: an autoencoder without one of its tensors."""
    place = tmp_path / "usb"
    place.mkdir()
    for part in ("fft_transformer", "t5", "clip", "autoencoder"):
        (place / Path(SOURCES[part]).name).write_bytes(released[SOURCES[part]])
    (place / "ae.safetensors").unlink()
    tensors = read_tensors_of(released[SOURCES["autoencoder"]], tmp_path)
    del tensors["decoder.1.bias"]
    mx.save_safetensors(str(place / "ae.safetensors"), tensors)
    assert run(["models", "import", str(place), NAME, "--yes", "--json"]) == 2
    said = capsys.readouterr()
    events = [json.loads(line) for line in said.out.splitlines()]
    assert {event["part"] for event in events if event["event"] == "found"} == {"fft_transformer", "t5", "clip"}
    (passed,) = [event for event in events if event["event"] == "passed_over"]
    assert passed["file"].endswith("ae.safetensors")
    assert passed["text"].startswith(
        "cannot be used: the files do not fit the model's autoencoder (missing: decoder.1"
    )
    assert "lacks autoencoder" in said.err


def read_tensors_of(content: bytes, scratch: Path) -> dict[str, mx.array]:
    """Read the tensors of a safetensors file from its bytes."""
    (scratch / "read.safetensors").write_bytes(content)
    return read_tensors(scratch / "read.safetensors")


def no_socket(*_: Any, **__: Any) -> Any:
    """Stand where a socket would be opened."""
    raise AssertionError("a socket was opened")
