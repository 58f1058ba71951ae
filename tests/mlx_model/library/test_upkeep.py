"""Installed models: damage is found and only what is bad is mended; removing and exporting touch nothing else."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlx_model.library.catalogue import Catalogue, model_named
from mlx_model.library.errors import Damaged, LibraryError
from mlx_model.library.export import export
from mlx_model.library.folders import model_digest
from mlx_model.library.hub import Hub
from mlx_model.library.install import Order, install
from mlx_model.library.progress import Work
from mlx_model.library.record import Record
from mlx_model.library.released_files import search, supplies_from
from mlx_model.library.upkeep import installed_folder, remove, repair, verify, verify_sources
from tests.hub_server import Fault, HubServer
from tests.released_models import (
    FFT,
    RELEASED,
    TEXT,
    TRANSFORMER,
    VAE,
    catalogue_values,
    plain_convert,
    publish,
    safetensors,
    sha256,
    write_catalogue,
)

NAME, OTHER = "small-fft-4bit", "small-fft-8bit"
Install = Callable[[str], Record]


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return write_catalogue(tmp_path / "catalogue.json")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def installed(server: HubServer, hub: Hub, catalogue: Catalogue, models: Path) -> Install:
    """Install models of the small catalogue."""
    publish(server)

    def make(name: str) -> Record:
        model = model_named(catalogue, name)
        return install(Order(catalogue, model, models, frozenset(model.family.licences)), hub, plain_convert, Work())

    return make


def spoil(path: Path, at: int = 2000) -> None:
    """Change a byte of this name's content, leaving other names of it alone."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.unlink()
    path.write_bytes(data)


def test_every_kind_of_damage_is_found(installed: Install, models: Path) -> None:
    record = installed(NAME)
    folder = models / NAME
    spoil(folder / "autoencoder.safetensors")
    os.truncate(folder / "t5.safetensors", 100)
    (folder / "tokenizer_clip" / "merges.txt").unlink()
    found = {finding.path: finding.problem for finding in verify(folder, record, Work())}
    size = next(file.size for file in record.files if file.path == "t5.safetensors")
    assert found == {
        "autoencoder.safetensors": "has other contents than when it was installed",
        "t5.safetensors": f"has 100 bytes instead of {size}",
        "tokenizer_clip/merges.txt": "is missing",
    }


def test_only_what_is_bad_is_fetched_again(
    server: HubServer, hub: Hub, installed: Install, models: Path, catalogue: Catalogue
) -> None:
    record = installed(NAME)
    folder = models / NAME
    spoil(folder / "autoencoder.safetensors")
    (folder / "tokenizer_t5" / "tokenizer.json").unlink()
    (folder / "config.json").write_text("{}")
    before = server.sent()
    findings = repair(models, NAME, catalogue, hub, plain_convert, Work())
    assert {finding.path for finding in findings} == {
        "autoencoder.safetensors", "tokenizer_t5/tokenizer.json", "config.json",
    }  # fmt: skip
    assert verify(folder, Record.load(folder), Work()) == []
    assert server.sent() - before <= len(RELEASED[VAE]["vae/ae.safetensors"]) + 200
    assert Record.load(folder).part("fft_transformer") == record.part("fft_transformer")


def test_a_converted_part_is_made_again_alone(
    server: HubServer, hub: Hub, installed: Install, models: Path, catalogue: Catalogue
) -> None:
    record = installed(NAME)
    folder = models / NAME
    spoil(folder / "modulation.safetensors")
    before, told = server.sent(), list[str]()
    repair(models, NAME, catalogue, hub, plain_convert, Work(note=told.append))
    assert verify(folder, record, Work()) == [], "it has the same bytes as before"
    sent = server.sent() - before
    assert sent <= 2 * len(RELEASED[FFT]["ace_plus_fft.safetensors"])
    assert server.sent("t5xxl_fp16.safetensors") <= len(RELEASED[TEXT]["t5xxl_fp16.safetensors"]) * 1.1
    assert told == ["transformer is made again"]


@pytest.mark.parametrize(("path", "repository"), [("clip.safetensors", TEXT), ("transformer.safetensors", FFT)])
def test_a_source_that_is_gone_is_told_with_what_can_be_done(
    path: str,
    repository: str,
    server: HubServer,
    hub: Hub,
    installed: Install,
    models: Path,
    catalogue: Catalogue,
) -> None:
    installed(NAME)
    spoil(models / NAME / path)
    del server.repositories[repository]
    server.expire_links()
    with pytest.raises(LibraryError, match=rf"127.0.0.1; remove {NAME} and install it again from another source$"):
        repair(models, NAME, catalogue, hub, plain_convert, Work())


def test_what_another_model_has_unharmed_is_taken_from_there_with_no_network(
    server: HubServer, hub: Hub, installed: Install, models: Path, catalogue: Catalogue
) -> None:
    installed(NAME)
    installed(OTHER)
    spoil(models / NAME / "t5.safetensors")
    asked = len(server.requests)
    repair(models, NAME, catalogue, hub, plain_convert, Work())
    assert len(server.requests) == asked
    assert (models / NAME / "t5.safetensors").samefile(models / OTHER / "t5.safetensors")


def test_damage_that_two_models_share_is_mended_in_both(
    hub: Hub, installed: Install, models: Path, catalogue: Catalogue
) -> None:
    installed(NAME)
    other = installed(OTHER)
    for name in ("t5.safetensors", "autoencoder.safetensors"):
        shared = models / NAME / name
        data = bytearray(shared.read_bytes())
        data[-1] ^= 0xFF
        shared.write_bytes(data)  # in place: both names see it
    assert len(verify(models / OTHER, other, Work())) == 2
    repair(models, NAME, catalogue, hub, plain_convert, Work())
    assert verify(models / OTHER, other, Work()) == []


def test_mending_changes_no_file_that_has_a_name_elsewhere(
    hub: Hub, installed: Install, models: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    installed(NAME)
    ours, theirs = models / NAME / "autoencoder.safetensors", tmp_path / "theirs.safetensors"
    spoil(ours)
    os.link(ours, theirs)
    before = theirs.read_bytes()
    repair(models, NAME, catalogue, hub, plain_convert, Work())
    assert theirs.read_bytes() == before
    assert ours.read_bytes() == RELEASED[VAE]["vae/ae.safetensors"]


def test_a_whole_model_needs_no_mending(
    server: HubServer, hub: Hub, installed: Install, models: Path, catalogue: Catalogue
) -> None:
    installed(NAME)
    asked = len(server.requests)
    assert repair(models, NAME, catalogue, hub, plain_convert, Work()) == []
    assert len(server.requests) == asked


def test_the_sources_are_read_again_and_compared(server: HubServer, hub: Hub, installed: Install) -> None:
    record = installed(NAME)
    before = server.sent("ace_plus_fft.safetensors")
    assert verify_sources(hub, record, Work()) == []
    size = len(RELEASED[FFT]["ace_plus_fft.safetensors"])
    assert size <= server.sent("ace_plus_fft.safetensors") - before <= size + 10_000
    server.faults.append(Fault("store", path="ace_plus_fft.safetensors", damage=90_000, times=None))
    (found,) = verify_sources(hub, record, Work())
    assert (found.part, found.problem) == ("fft_transformer", "arrives with another sha256 than the hub listed")


def test_removing_frees_what_no_other_model_shares(installed: Install, models: Path) -> None:
    installed(NAME)
    record = installed(OTHER)
    shared = sum(
        f.size
        for f in record.files
        if f.path not in ("transformer.safetensors", "modulation.safetensors", "config.json")
    )
    removed = remove(models, NAME, Work())
    assert removed.shared == shared
    assert removed.freed > 0
    assert not (models / NAME).exists()
    assert verify(models / OTHER, record, Work()) == []
    assert remove(models, OTHER, Work()).freed == record.size


def test_files_of_the_persons_own_stay(installed: Install, models: Path) -> None:
    installed(NAME)
    (models / NAME / "adapters").mkdir()
    (models / NAME / "adapters" / "mine.safetensors").write_bytes(b"mine")
    assert remove(models, NAME, Work()).left == ("adapters/mine.safetensors",)
    assert [path.name for path in (models / NAME).rglob("*") if path.is_file()] == ["mine.safetensors"]


def test_a_model_that_was_moved_to_another_disk_is_checked_and_removed_there(
    installed: Install, models: Path, tmp_path: Path
) -> None:
    record = installed(NAME)
    (models / NAME).rename(tmp_path / "disk")
    (models / NAME).symlink_to(tmp_path / "disk")
    assert verify(models / NAME, record, Work()) == []
    assert remove(models, NAME, Work()).freed == record.size
    assert not (models / NAME).is_symlink()
    assert list((tmp_path / "disk").iterdir()) == []


def test_what_a_killed_repair_left_is_removed_with_the_model(installed: Install, models: Path) -> None:
    record = installed(NAME)
    for name in ("transformer.safetensors.converting", "clip.safetensors.part"):
        (models / NAME / name).write_bytes(b"x" * 5000)
    for name in ("transformer.converting.jsonl", "clip.safetensors.journal"):
        (models / NAME / name).write_bytes(b"")
    removed = remove(models, NAME, Work())
    assert (removed.left, removed.freed) == ((), record.size + 10_000)
    assert not (models / NAME).exists()


def test_a_model_that_was_never_finished_can_be_removed(models: Path) -> None:
    half = models / (NAME + ".installing")
    half.mkdir(parents=True)
    (half / "x.part").write_bytes(b"x" * 5000)
    assert remove(models, NAME, Work()).freed == 5000
    assert not half.exists()


@pytest.mark.parametrize("name", ["nothing", "../models", "", ".", "a\0b"])
def test_a_model_that_is_not_ours_is_a_sentence(name: str, models: Path, installed: Install) -> None:
    installed(NAME)
    for act in (lambda: installed_folder(models, name), lambda: remove(models, name, Work())):
        with pytest.raises(LibraryError, match=f"was installed by `ace models`; there are: {NAME}"):
            act()


def test_a_record_that_leads_elsewhere_is_refused(installed: Install, models: Path, tmp_path: Path) -> None:
    installed(NAME)
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    path = models / NAME / "record.json"
    values = json.loads(path.read_text())
    for evil in ("../../victim.txt", str(victim), "a/../../../victim.txt"):
        values["parts"][0]["files"][0]["path"] = evil
        path.write_text(json.dumps(values))
        with pytest.raises(Damaged, match="not a plain path"):
            remove(models, NAME, Work())
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("other", ["TOKENIZER_t5/Tokenizer.json", "caf\u00e9.json", "record.json", "Record.JSON"])
def test_a_record_with_two_names_for_one_place_on_a_macs_disk_is_refused(
    other: str, installed: Install, models: Path
) -> None:
    installed(NAME)
    values = json.loads((models / NAME / "record.json").read_text())
    files = values["parts"][-1]["files"]
    Record.from_json(json.dumps(values), "it", "mend it")
    files += [{**files[0], "path": path} for path in ("cafe\u0301.json", other)]
    with pytest.raises(Damaged, match=r"it cannot be used .*names a file twice"):
        Record.from_json(json.dumps(values), "it", "mend it")


def test_a_folder_that_links_elsewhere_is_not_followed(installed: Install, models: Path, tmp_path: Path) -> None:
    record = installed(NAME)
    elsewhere = tmp_path / "elsewhere"
    (models / NAME / "tokenizer_t5").rename(elsewhere)
    (models / NAME / "tokenizer_t5").symlink_to(elsewhere)
    with pytest.raises(LibraryError, match="leads out of"):
        remove(models, NAME, Work())
    assert (elsewhere / "tokenizer.json").exists()
    assert record.name == NAME


def test_where_a_model_came_from_is_no_part_of_what_it_is(installed: Install, models: Path) -> None:
    installed(NAME)
    before = model_digest(models / NAME)
    (models / NAME / "record.json").write_text("{}")
    (models / NAME / "._transformer.safetensors").write_bytes(b"\0\5\x16\7")  # as a Mac writes beside it on exFAT
    assert model_digest(models / NAME) == before


def test_an_export_can_be_published_and_installed_from_there(
    server: HubServer, hub: Hub, installed: Install, models: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    record = installed(NAME)
    target = tmp_path / "export"
    export(models / NAME, record, target, catalogue, Work())
    card = (target / "README.md").read_text()
    assert card.startswith("---\n")
    assert "license_name: flux.1-dev-non-commercial-license\n" in card
    for file in record.files:
        assert sha256((target / file.path).read_bytes()) == file.sha256
        assert file.sha256 in card
    assert "4 bits, groups of 64" in card
    assert server.repositories[FFT].commit in card
    with pytest.raises(LibraryError, match="is not empty"):
        export(models / NAME, record, target, catalogue, Work())
    with pytest.raises(LibraryError, match=r"README.md is a file; give a new folder"):
        export(models / NAME, record, target / "README.md", catalogue, Work())
    looked_at = tmp_path / "looked at"
    looked_at.mkdir()
    (looked_at / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")  # the Finder leaves one where it was
    assert export(models / NAME, record, looked_at, catalogue, Work())

    files = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    published = json.loads(files["record.json"])
    published["parts"][0]["sources"][0]["path"] = "/etc/passwd"
    server.add("someone/ready", {**files, "record.json": json.dumps(published).encode()})
    values = catalogue_values()
    values["families"]["small-fft"]["ready"] = {"4bit": {"repository": "someone/ready", "about": "a test's"}}
    with_ready = write_catalogue(tmp_path / "ready.json", values)
    model = model_named(with_ready, NAME)
    elsewhere = tmp_path / "other-models"
    before = server.sent()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something is converted")

    order = Order(with_ready, model, elsewhere, frozenset(model.family.licences))
    again = install(order, hub, never, Work())  # pyright: ignore[reportArgumentType]
    assert again.ready == "someone/ready"
    assert all(source.path is None for part in again.parts for source in part.sources), "no file of this machine"
    assert verify(elsewhere / NAME, again, Work()) == []
    assert server.sent() - before <= sum(map(len, files.values()))
    spoil(elsewhere / NAME / "transformer.safetensors")
    repair(elsewhere, NAME, with_ready, hub, never, Work())  # pyright: ignore[reportArgumentType]
    assert verify(elsewhere / NAME, again, Work()) == []


def test_a_published_folder_that_lies_is_refused(
    server: HubServer, hub: Hub, installed: Install, models: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    record = installed(NAME)
    export(models / NAME, record, tmp_path / "export", catalogue, Work())
    files = {
        path.relative_to(tmp_path / "export").as_posix(): path.read_bytes()
        for path in (tmp_path / "export").rglob("*")
        if path.is_file()
    }
    values = catalogue_values()
    values["families"]["small-fft"]["ready"] = {"4bit": {"repository": "someone/ready", "about": "a test's"}}
    with_ready = write_catalogue(tmp_path / "ready.json", values)
    model = model_named(with_ready, NAME)
    order = Order(with_ready, model, tmp_path / "other", frozenset(model.family.licences))
    lies = json.loads(files["record.json"])
    lies["parts"][0]["files"][0]["path"] = "../../evil.safetensors"
    server.add("someone/ready", {**files, "record.json": json.dumps(lies).encode()})
    with pytest.raises(Damaged, match="not a plain path"):
        install(order, hub, plain_convert, Work())
    server.add("someone/ready", {**files, "t5.safetensors": files["t5.safetensors"][:-1] + b"?"})
    with pytest.raises(Damaged, match=r"t5.safetensors of someone/ready is not the file that its record.json names"):
        install(order, hub, plain_convert, Work())
    lies = {**json.loads(files["record.json"]), "name": "another"}
    server.add("someone/ready", {**files, "record.json": json.dumps(lies).encode()})
    with pytest.raises(LibraryError, match="someone/ready holds another, not small-fft-4bit"):
        install(order, hub, plain_convert, Work())
    assert not (tmp_path / "evil.safetensors").exists()
    del server.repositories["someone/ready"]
    told: list[str] = []
    assert install(order, hub, plain_convert, Work(note=told.append)).ready is None
    assert "converted instead" in told[0]


def imported(usb: Path, models: Path, catalogue: Catalogue, hub: Hub) -> Record:
    """Make the model of files that lie in a folder."""
    usb.mkdir()
    for files in RELEASED.values():
        for name, data in files.items():
            (usb / Path(name).name).write_bytes(data)
    model = model_named(catalogue, NAME)
    supplies = supplies_from(catalogue, model, search(usb, catalogue, "small-fft").found)
    order = Order(catalogue, model, models, frozenset(model.family.licences), local=supplies)
    return install(order, hub, plain_convert, Work())


def test_an_imported_file_is_taken_from_its_place_again(
    server: HubServer, hub: Hub, models: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    usb = tmp_path / "usb"
    record = imported(usb, models, catalogue, hub)
    tokenizer = models / NAME / "tokenizer_t5" / "tokenizer.json"
    tokenizer.unlink()
    (usb / "t5.tokenizer.json").rename(tmp_path / "elsewhere.json")
    with pytest.raises(
        LibraryError, match=r"tokenizer\.json came from .*t5\.tokenizer\.json, which is not there any more"
    ):
        repair(models, NAME, catalogue, hub, plain_convert, Work())
    (tmp_path / "elsewhere.json").rename(usb / "t5.tokenizer.json")
    assert [finding.path for finding in repair(models, NAME, catalogue, hub, plain_convert, Work())]
    assert verify(models / NAME, record, Work()) == []
    assert server.requests == []


def test_a_part_whose_files_were_taken_away_cannot_be_made_again_and_says_so(
    server: HubServer, hub: Hub, models: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    usb = tmp_path / "usb"
    record = imported(usb, models, catalogue, hub)
    spoil(models / NAME / "modulation.safetensors")
    usb.rename(tmp_path / "unplugged")
    with pytest.raises(LibraryError, match=r"was made from .*, which is not there any more; bring it back"):
        repair(models, NAME, catalogue, hub, plain_convert, Work())
    (tmp_path / "unplugged").rename(usb)
    repair(models, NAME, catalogue, hub, plain_convert, Work())
    assert verify(models / NAME, record, Work()) == []
    assert server.requests == []


def test_a_part_is_not_made_again_of_another_file_in_the_place_of_its_own(
    hub: Hub, models: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    usb = tmp_path / "usb"
    record = imported(usb, models, catalogue, hub)
    spoil(models / NAME / "modulation.safetensors")
    before = (models / NAME / "transformer.safetensors").read_bytes()
    (usb / "ace_plus_fft.safetensors").write_bytes(safetensors(TRANSFORMER, 99))
    with pytest.raises(Damaged, match=r"was made from .*, which has other contents now; bring the file back"):
        repair(models, NAME, catalogue, hub, plain_convert, Work())
    assert (models / NAME / "transformer.safetensors").read_bytes() == before
    for path in (models / NAME).glob("*.work/*"):  # the stand-in's: the converter throws its own away itself
        path.unlink()
    (usb / "ace_plus_fft.safetensors").write_bytes(RELEASED[FFT]["ace_plus_fft.safetensors"])
    repair(models, NAME, catalogue, hub, plain_convert, Work())
    assert verify(models / NAME, record, Work()) == []


def test_an_export_names_no_place_of_this_machine(
    hub: Hub, models: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    record = imported(tmp_path / "usb-disk-of-ann", models, catalogue, hub)
    assert "usb-disk-of-ann" in (models / NAME / "record.json").read_text()
    export(models / NAME, record, tmp_path / "export", catalogue, Work())
    for name in ("record.json", "README.md", "config.json"):
        assert "usb-disk-of-ann" not in (tmp_path / "export" / name).read_text(), name
