"""A file on this machine is told by its content: one that was replaced is never taken for the one before."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlx_model.library.catalogue import model_named
from mlx_model.library.hub import Hub
from mlx_model.library.install import Order, install
from mlx_model.library.progress import Work
from mlx_model.library.record import Record
from mlx_model.library.released_files import search, supplies_from
from mlx_model.request import Cancelled
from tests.hub_server import HubServer
from tests.released_models import CLIP, RELEASED, T5, TRANSFORMER, plain_convert, safetensors, sha256, write_catalogue

FIRST, SECOND = "small-fft-4bit", "small-fft-8bit"
REPLACED = {
    "ace_plus_fft.safetensors": safetensors(TRANSFORMER, 101),
    "t5xxl_fp16.safetensors": safetensors(T5, 105, "F16"),
    "clip_l.safetensors": safetensors(CLIP, 106, "F16"),
}
"""Other contents of the same size and with the same header."""


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    folder = tmp_path / "usb"
    folder.mkdir()
    for files in RELEASED.values():
        for name, data in files.items():
            (folder / Path(name).name).write_bytes(data)
    return folder


@pytest.fixture
def import_(usb: Path, hub: Hub, tmp_path: Path) -> Callable[..., Record]:
    """Import a model from the disk."""
    catalogue = write_catalogue(tmp_path / "catalogue.json")

    def make(name: str, convert: Any = plain_convert) -> Record:
        model = model_named(catalogue, name)
        supplies = supplies_from(catalogue, model, search(usb, catalogue, "small-fft").found)
        order = Order(catalogue, model, tmp_path / "models", frozenset(model.family.licences), local=supplies)
        return install(order, hub, convert, Work())

    return make


def exchange(usb: Path) -> None:
    """Replace files by others of the same size, and with the same time of writing, under the same names."""
    for name, data in REPLACED.items():
        path = usb / name
        before = path.stat()
        assert before.st_size == len(data)
        path.unlink()
        path.write_bytes(data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def digests(record: Record) -> dict[str, str | None]:
    return {source.title: source.sha256 for part in record.parts for source in part.sources}


def test_a_part_is_shared_with_another_import_only_if_it_has_the_same_content(
    usb: Path, import_: Callable[..., Record], tmp_path: Path, server: HubServer
) -> None:
    import_(FIRST)
    models = tmp_path / "models"
    before = {name: (models / FIRST / name).read_bytes() for name in ("t5.safetensors", "clip.safetensors")}
    exchange(usb)
    made = digests(import_(SECOND))
    for name, data in REPLACED.items():
        assert made[name] == sha256(data), name
    for name, data in before.items():
        assert (models / FIRST / name).read_bytes() == data, "the first model has changed"
        assert (models / SECOND / name).read_bytes() != data, "the second one is made of what is not there any more"
    assert (models / FIRST / "autoencoder.safetensors").samefile(models / SECOND / "autoencoder.safetensors")
    assert server.requests == []


def stopping_once(converted: list[str]) -> Any:
    """Convert, but stop before T5 the first time; ``converted`` are the parts that it was asked for."""

    def convert(part: str, *given: Any, **named: Any) -> Any:
        converted.append(part)
        if converted.count("t5") == 1 and part == "t5":
            raise Cancelled
        return plain_convert(part, *given, **named)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    return convert


def test_an_import_that_goes_on_converts_nothing_again(import_: Callable[..., Record]) -> None:
    converted: list[str] = []
    convert = stopping_once(converted)
    with pytest.raises(Cancelled):
        import_(FIRST, convert)
    import_(FIRST, convert)
    assert converted == ["transformer", "t5", "t5"]


def test_an_import_that_goes_on_makes_anew_what_was_replaced(usb: Path, import_: Callable[..., Record]) -> None:
    converted: list[str] = []
    convert = stopping_once(converted)
    with pytest.raises(Cancelled):
        import_(FIRST, convert)
    exchange(usb)
    made = digests(import_(FIRST, convert))
    assert converted == ["transformer", "t5", "transformer", "t5"]
    for name, data in REPLACED.items():
        assert made[name] == sha256(data), name
