"""Installed models are listed, checked and used with every socket forbidden."""

import socket
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlx_model.library.catalogue import load_catalogue
from mlx_model.library.tensor_files import LocalSource, TensorFile
from tests.hub_server import HubServer
from tests.mlx_model.cli.models.conftest import NAME, Ace
from tests.mlx_model.tiny_model import tiny_config
from tests.released_models import (
    FFT,
    TEXT,
    VAE,
    catalogue_values,
    write_catalogue,
    write_tensors,
)


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
