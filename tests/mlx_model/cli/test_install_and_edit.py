"""From a hub to a picture with the real converter: installed at 8 bits by ``ace``, edited with no socket allowed."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlx_model.cli.main import run
from mlx_model.editor import Editor
from mlx_model.pictures.read import read_picture
from mlx_model.request import EditRequest, digest
from mlx_model.runtime import mx
from mlx_model.weights.config import ModelConfig
from mlx_model.weights.model_folder import read_tensors
from tests.hub_server import HubServer, running_hub
from tests.mlx_model.cli.conftest import draw_samples
from tests.mlx_model.tiny_model import tiny_config
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


def catalogue_of(files: dict[str, bytes]) -> dict[str, Any]:
    """Return a catalogue with the tiny model, at 8 bits in groups of 32, as the only one."""
    values, config = catalogue_values(), asdict(tiny_config())
    parts: dict[str, Any] = {}
    for part, path in SOURCES.items():
        converter = part.removeprefix("fft_") if "tokenizer" not in part else None
        target = {"target": f"{part}/tokenizer.json"} if converter is None else {}
        described = {"name": "official", "repository": REPOSITORY, "licence": "mit", "about": "a test's"}
        layout = "tokenizer" if converter is None else "original"
        listed = [{"path": path, "size": len(files[path]), **target}]
        alternative = {**described, "layout": layout, "files": listed}
        parts[part] = {"title": part, "converter": converter, "alternatives": [alternative]}
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


def test_a_model_is_installed_quantized_and_edits_offline(
    hub: HubServer,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = released_files(tiny_model, tmp_path)
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

    assert run(["models", "install", NAME, "--yes", "--json"]) == 0, capsys.readouterr().err
    folder = tmp_path / "models" / NAME
    assert ModelConfig.load(folder).transformer == tiny_config().transformer
    tensors = read_tensors(folder / "transformer.safetensors")
    assert tensors["single_blocks.0.linear1.weight"].dtype == mx.uint32
    assert tensors["img_in.weight"].dtype == mx.bfloat16, "the policy keeps it"
    fetched = len(hub.requests)

    with monkeypatch.context() as offline:
        offline.setattr(socket, "socket", no_socket)
        offline.setattr(socket, "create_connection", no_socket)
        assert run(["models", "verify", NAME]) == 0
        asked = ["p.png", "a red star", "-m", "m.png", "--seed", "0", "-o", "out.png"]
        assert run(["edit", *asked, "--model", NAME]) == 0
    assert len(hub.requests) == fetched

    picture, mask = read_picture(tmp_path / "p.png"), read_picture(tmp_path / "m.png")
    request = EditRequest("a red star", picture=digest(picture), mask=digest(mask))
    full = Editor(tiny_model).edit(request, {digest(p): p for p in (picture, mask)})
    off = np.abs(read_picture(tmp_path / "out.png").pixels.astype(int) - full.picture.pixels.astype(int))
    assert 0 < off.max() <= 24, f"8 bits differ from the full precision by up to {off.max()} of 255"


def no_socket(*_: Any, **__: Any) -> Any:
    """Stand where a socket would be opened."""
    raise AssertionError("a socket was opened")
