"""A record that cannot be used is put together again; what is whole is not fetched, and nothing is lost."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mlx_model.library.catalogue import Catalogue, model_named
from mlx_model.library.errors import Damaged, LibraryError
from mlx_model.library.hub import Hub
from mlx_model.library.install import Order, install
from mlx_model.library.progress import Work
from mlx_model.library.rebuild import AS_FOUND
from mlx_model.library.record import Record
from mlx_model.library.upkeep import remove, repair, verify
from tests.hub_server import HubServer
from tests.released_models import FFT, RELEASED, TEXT, VAE, plain_convert, publish, write_catalogue

NAME, OTHER = "small-fft-4bit", "small-fft-8bit"
CONVERTED = {"fft_transformer", "t5"}


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return write_catalogue(tmp_path / "catalogue.json")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def installed(server: HubServer, hub: Hub, catalogue: Catalogue, models: Path) -> Record:
    publish(server)
    return installed_as(NAME, hub, catalogue, models)


def installed_as(name: str, hub: Hub, catalogue: Catalogue, models: Path, convert: Any = plain_convert) -> Record:
    model = model_named(catalogue, name)
    return install(Order(catalogue, model, models, frozenset(model.family.licences)), hub, convert, Work())


def contents(record: Record) -> dict[str, str]:
    return {file.path: file.sha256 for file in record.files}


def never(*_: object, **__: object) -> Any:
    raise AssertionError("something is converted")


@pytest.mark.parametrize("damage", ["cut", "not ours", "gone"])
def test_a_whole_model_gets_its_record_again_and_nothing_is_fetched(
    server: HubServer, hub: Hub, installed: Record, models: Path, catalogue: Catalogue, damage: str
) -> None:
    folder = models / NAME
    old = (folder / "record.json").read_bytes()[:200] if damage == "cut" else b"[]"
    (folder / "record.json").unlink() if damage == "gone" else (folder / "record.json").write_bytes(old)
    (folder / "adapters").mkdir()
    (folder / "adapters" / "mine.safetensors").write_bytes(b"mine")
    if damage != "gone":
        with pytest.raises(Damaged, match=f"cannot be used .*; mend it with: ace models repair {NAME}"):
            Record.load(folder)
    before, told = server.sent(), list[str]()
    findings = repair(models, NAME, catalogue, hub, never, Work(note=told.append))
    assert [finding.path for finding in findings] == ["record.json"]
    assert server.sent() == before
    record = Record.load(folder)
    assert contents(record) == contents(installed)
    assert verify(folder, record, Work()) == []
    for part in installed.parts:
        again = record.part(part.part)
        assert again is not None
        if part.part in CONVERTED:
            assert (again.alternative, again.digests_checked) == (AS_FOUND, False), (
                "nothing proves what it is made of"
            )
        else:
            assert (again.alternative, again.digests_checked, again.sources) == (part.alternative, True, part.sources)
            assert [file.source for file in again.files] == [file.source for file in part.files]
    assert len(told) == len(CONVERTED)
    assert (folder / "adapters" / "mine.safetensors").read_bytes() == b"mine"
    assert damage == "gone" or (folder / "record.json.set-aside").read_bytes() == old
    assert repair(models, NAME, catalogue, hub, never, Work()) == []
    assert "record.json.set-aside" in remove(models, NAME, Work()).left or damage == "gone"


def test_only_what_is_broken_is_fetched_and_what_makes_room_is_kept(
    server: HubServer, hub: Hub, installed: Record, models: Path, catalogue: Catalogue
) -> None:
    folder = models / NAME
    (folder / "record.json").write_text("{")
    os.truncate(folder / "modulation.safetensors", 50)
    (folder / "autoencoder.safetensors").unlink()
    (folder / "autoencoder.safetensors").write_bytes(b"my own autoencoder")
    (folder / "tokenizer_clip" / "merges.txt").unlink()
    before = {name: server.sent(name) for name in ("t5xxl_fp16.safetensors", "clip_l.safetensors")}
    findings = repair(models, NAME, catalogue, hub, plain_convert, Work())
    assert {finding.part for finding in findings} == {"config", "fft_transformer", "autoencoder", "tokenizer_clip"}
    assert before == {name: server.sent(name) for name in before}, "what is whole is fetched again"
    record = Record.load(folder)
    assert contents(record) == contents(installed)
    assert verify(folder, record, Work()) == []
    assert (folder / "autoencoder.safetensors.set-aside").read_bytes() == b"my own autoencoder"
    assert len(list(folder.rglob("*.set-aside"))) == 2, "with the record"
    assert (folder / "autoencoder.safetensors").read_bytes() == RELEASED[VAE]["vae/ae.safetensors"]
    assert record.part("fft_transformer") == installed.part("fft_transformer")


def test_what_another_model_has_is_known_from_its_record(
    server: HubServer, hub: Hub, installed: Record, models: Path, catalogue: Catalogue
) -> None:
    installed_as(OTHER, hub, catalogue, models)
    (models / NAME / "record.json").write_text("{")
    asked = len(server.requests)
    repair(models, NAME, catalogue, hub, never, Work())
    assert len(server.requests) == asked
    record = Record.load(models / NAME)
    assert record.part("t5") == installed.part("t5")
    transformer = record.part("fft_transformer")
    assert transformer is not None
    assert transformer.alternative == AS_FOUND, "the other one is quantized in another way"


def test_a_part_taken_as_found_is_made_again_where_the_config_says_once_it_is_damaged(
    server: HubServer, hub: Hub, installed: Record, models: Path, catalogue: Catalogue
) -> None:
    folder = models / NAME
    (folder / "record.json").write_text("{")
    repair(models, NAME, catalogue, hub, never, Work())
    os.truncate(folder / "t5.safetensors", 50)
    before = server.sent("ace_plus_fft.safetensors")
    assert [finding.path for finding in repair(models, NAME, catalogue, hub, plain_convert, Work())] == [
        "t5.safetensors"
    ]
    assert server.sent("ace_plus_fft.safetensors") == before
    record = Record.load(folder)
    assert contents(record) == contents(installed)
    part = record.part("t5")
    assert part is not None
    assert [source.title for source in part.sources] == [f"t5xxl_fp16.safetensors of {TEXT}"]


def test_a_config_that_is_lost_too_is_written_from_the_catalogue(
    hub: Hub, installed: Record, models: Path, catalogue: Catalogue
) -> None:
    folder = models / NAME
    (folder / "record.json").write_text("{")
    (folder / "config.json").write_text('{"mine": 1}')
    repair(models, NAME, catalogue, hub, never, Work())
    assert (folder / "config.json.set-aside").read_text() == '{"mine": 1}'
    assert json.loads((folder / "config.json").read_text())["name"] == NAME
    assert verify(folder, Record.load(folder), Work()) == []
    assert {**contents(Record.load(folder)), "config.json": ""} == {**contents(installed), "config.json": ""}


def test_a_folder_that_is_not_the_model_of_its_name_is_left_alone(
    hub: Hub, installed: Record, models: Path, catalogue: Catalogue
) -> None:
    assert installed.name == NAME
    (models / NAME).rename(models / OTHER)
    (models / OTHER / "record.json").write_text("{")
    with pytest.raises(LibraryError, match=f"holds {NAME} by its config.json; give the folder that name"):
        repair(models, OTHER, catalogue, hub, never, Work())
    (models / OTHER / "record.json").unlink()
    with pytest.raises(LibraryError, match=f'no model "{OTHER}" was installed'):
        repair(models, OTHER, catalogue, hub, never, Work())
    assert (models / OTHER / "t5.safetensors").exists()


def test_without_a_network_nothing_is_lost(
    server: HubServer, hub: Hub, installed: Record, models: Path, catalogue: Catalogue
) -> None:
    folder = models / NAME
    (folder / "record.json").write_text("{")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    server.repositories.clear()
    with pytest.raises(LibraryError, match="choose another source"):
        repair(models, NAME, catalogue, hub, never, Work())
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    publish(server)
    repair(models, NAME, catalogue, hub, never, Work())
    assert contents(Record.load(folder)) == contents(installed)
    assert server.repositories[FFT].commit
