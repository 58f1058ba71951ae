"""A model is installed part by part, shared, continued after any end, and never half there under its own name.

``server.sent()`` counts the bytes of content that left the hub: what is not fetched again is proved by it.
"""

import os
import shutil
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlx_model.library import disk
from mlx_model.library.catalogue import Catalogue, model_named
from mlx_model.library.errors import (
    ConnectionBroken,
    Damaged,
    DiskFull,
    GatedRepository,
    LibraryError,
    NotOnHub,
    TokenRefused,
)
from mlx_model.library.folders import installed_models
from mlx_model.library.hub import Hub
from mlx_model.library.install import LicenceNotAccepted, Order, install
from mlx_model.library.lock import changing
from mlx_model.library.progress import Control, Meter, Work
from mlx_model.library.record import Record
from mlx_model.library.supply import Choice
from mlx_model.library.upkeep import verify
from mlx_model.request import Cancelled
from mlx_model.weights.config import ModelConfig
from tests.hub_server import Account, Fault, HubServer
from tests.mlx_model.library.conftest import QUICK, with_token
from tests.released_models import (
    AGAIN,
    FFT,
    FILL,
    RELEASED,
    TEXT,
    VAE,
    catalogue_values,
    plain_convert,
    publish,
    write_catalogue,
)

SECRET = "hf_abcdefghijklmnop"  # noqa: S105
CHECKPOINT = "ace_plus_fft.safetensors"
FILES = {
    "config.json", "record.json", "transformer.safetensors", "modulation.safetensors", "t5.safetensors",
    "clip.safetensors", "autoencoder.safetensors", "tokenizer_t5/tokenizer.json", "tokenizer_clip/vocab.json",
    "tokenizer_clip/merges.txt",
}  # fmt: skip


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return write_catalogue(tmp_path / "catalogue.json")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def order(catalogue: Catalogue, models: Path) -> Callable[..., Order]:
    def make(name: str = "small-fft-4bit", **choice: Any) -> Order:
        model = model_named(catalogue, name)
        return Order(catalogue, model, models, frozenset(model.family.licences), Choice(**choice))

    return make


Ordered = Callable[..., Order]


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_model_is_installed_whole_and_recorded(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    record = install(order(), hub, plain_convert, Work())
    folder = order().folder
    assert files_in(folder) == FILES
    assert Record.load(folder) == record
    assert verify(folder, record, Work()) == []
    assert (folder / "autoencoder.safetensors").read_bytes() == RELEASED[VAE]["vae/ae.safetensors"]
    transformer = record.part("fft_transformer")
    assert transformer is not None
    (source,) = transformer.sources
    commit = server.repositories[FFT].commit
    assert source.remote is not None
    assert (source.remote.repository, source.remote.commit, source.remote.path) == (FFT, commit, CHECKPOINT)
    assert (transformer.alternative, transformer.digests_checked) == ("official", True)
    assert transformer.quantization == order().model.width.quantization
    config = ModelConfig.load(folder)
    assert (config.name, config.kind, config.source) == (
        "small-fft-4bit", "fft", f"made of {CHECKPOINT} of {FFT}, t5xxl_fp16.safetensors of {TEXT}"
    )  # fmt: skip
    assert not order().half_made.exists()
    assert next(model.name for model in installed_models()) == "small-fft-4bit"


def test_a_model_that_is_there_is_left_alone(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    install(order(), hub, plain_convert, Work())
    asked, told = len(server.requests), list[str]()
    install(order(), hub, plain_convert, Work(note=told.append))
    assert len(server.requests) == asked
    assert told == ["small-fft-4bit is installed already"]


def test_the_licence_is_accepted_before_anything_is_asked(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    with pytest.raises(LicenceNotAccepted, match=r"Non-Commercial License.*has to be accepted first") as refused:
        install(replace(order(), accepted=frozenset()), hub, plain_convert, Work())
    assert refused.value.licences == ("flux-1-dev-non-commercial",)
    assert server.requests == []


def test_parts_that_another_model_has_are_linked_and_never_fetched_twice(
    server: HubServer, hub: Hub, order: Ordered
) -> None:
    publish(server)
    server.tokens[SECRET] = Account({FILL})
    first = install(order(), hub, plain_convert, Work())
    before = server.sent()
    with with_token(server, SECRET) as logged_in:
        install(order("small-fill-4bit"), logged_in, plain_convert, Work())
    adapter = len(RELEASED[FFT]["local/comfyui_local_lora16.safetensors"])
    own = len(RELEASED[FILL]["flux1-fill-dev.safetensors"]) + adapter
    headers = 2 * 20_000
    assert server.sent() - before <= own + headers
    fft, fill = order().folder, order("small-fill-4bit").folder
    for name in ("t5.safetensors", "clip.safetensors", "autoencoder.safetensors", "tokenizer_t5/tokenizer.json"):
        assert (fft / name).samefile(fill / name), name
    assert not (fft / "transformer.safetensors").samefile(fill / "transformer.safetensors")
    assert verify(fft, first, Work()) == []


def test_where_links_are_not_possible_shared_parts_are_copied(
    server: HubServer, hub: Hub, order: Ordered, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server)
    install(order(), hub, plain_convert, Work())

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    record = install(order("small-fft-8bit"), hub, plain_convert, Work())
    folder = order("small-fft-8bit").folder
    assert not (folder / "t5.safetensors").samefile(order().folder / "t5.safetensors")
    assert verify(folder, record, Work()) == []


def test_a_part_that_is_quantized_in_another_way_is_made_anew(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    install(order(), hub, plain_convert, Work())
    install(order("small-fft-bf16"), hub, plain_convert, Work())
    assert not (order("small-fft-bf16").folder / "t5.safetensors").samefile(order().folder / "t5.safetensors")
    assert (order("small-fft-bf16").folder / "clip.safetensors").samefile(order().folder / "clip.safetensors")


@pytest.mark.parametrize("after", [20_000, 150_000, 260_000])
def test_what_is_cancelled_goes_on_where_it_stopped(server: HubServer, hub: Hub, order: Ordered, after: int) -> None:
    publish(server)
    control = Control()
    meter = CancellingMeter(control, after)
    with pytest.raises(Cancelled):
        install(order(), hub, plain_convert, Work(control, meter))
    server.settle()
    assert not order().folder.exists()
    assert [model.name for model in installed_models() if "small" in model.name] == []
    record = install(order(), hub, plain_convert, Work())
    server.settle()
    assert verify(order().folder, record, Work()) == []
    assert files_in(order().folder) == FILES
    all_bytes = sum(len(data) for name, files in RELEASED.items() if name in (TEXT, VAE) for data in files.values())
    all_bytes += len(RELEASED[FFT][CHECKPOINT]) + 100
    window = QUICK.range_bytes * (QUICK.ahead + QUICK.parallel)
    longest = 140_000  # T5's embedding: a tensor that was under way is read again
    assert server.sent() <= all_bytes + window + longest, "more came twice than was under way"


class CancellingMeter(Meter):
    """Cancels once so many bytes came."""

    def __init__(self, control: Control, after: int) -> None:
        super().__init__()
        self._control, self._after = control, after

    def came(self, size: int) -> None:
        """Count, and cancel."""
        super().came(size)
        if self.done >= self._after:
            self._control.cancel()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("store", times=3, status=500),
        Fault("resolve", times=2, status=429, headers={"Retry-After": "0"}),
        Fault("store", times=4, cut=5_000),
        Fault("api", times=2, status=503),
    ],
    ids=["500", "429", "cut", "503 for metadata"],
)
def test_trouble_that_passes_is_borne(server: HubServer, hub: Hub, order: Ordered, fault: Fault) -> None:
    publish(server)
    server.faults.append(fault)
    record = install(order(), hub, plain_convert, Work())
    assert verify(order().folder, record, Work()) == []


def test_a_network_that_is_gone_keeps_what_is_there(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    server.faults.append(Fault("store", times=None, path="t5xxl_fp16.safetensors", status=500))
    with pytest.raises(ConnectionBroken, match="what is already here is kept"):
        install(order(), hub, plain_convert, Work())
    server.faults.clear()
    before = server.sent(CHECKPOINT)
    install(order(), hub, plain_convert, Work())
    assert server.sent(CHECKPOINT) == before, "the transformer was fetched again"


def test_a_gated_repository_gives_the_steps_and_an_upload_by_others_only_to_those_who_ask(
    server: HubServer, hub: Hub, order: Ordered
) -> None:
    publish(server)
    told: list[str] = []
    with pytest.raises(GatedRepository) as refused:
        install(order("small-fill-4bit"), hub, plain_convert, Work(note=told.append))
    assert len(refused.value.steps) == 3
    assert server.sent() == 0, "nothing is fetched for a model that cannot be had"
    assert told == []
    record = install(order("small-fill-4bit", without_account=True), hub, plain_convert, Work())
    transformer = record.part("fill_transformer")
    assert transformer is not None
    assert transformer.alternative == "again"
    assert transformer.sources[0].title == f"fill.safetensors of {AGAIN}"


@pytest.mark.parametrize(
    ("account", "error", "sentence"),
    [
        (None, TokenRefused, "does not know the token"),
        (Account(expired=True), TokenRefused, "has expired"),
        (Account(), GatedRepository, "is not accepted yet"),
    ],
)
def test_a_token_that_does_not_help_is_a_sentence(
    server: HubServer, order: Ordered, account: Account | None, error: type[LibraryError], sentence: str
) -> None:
    publish(server)
    if account is not None:
        server.tokens[SECRET] = account
    with with_token(server, SECRET) as hub, pytest.raises(error, match=sentence):
        install(order("small-fill-4bit"), hub, plain_convert, Work())


def test_the_token_never_goes_along_a_redirect(server: HubServer, order: Ordered) -> None:
    publish(server)
    server.tokens[SECRET] = Account({FILL})
    with with_token(server, SECRET) as hub:
        install(order("small-fill-4bit"), hub, plain_convert, Work())
    by_place = {
        where: {seen.authorization for seen in server.requests if seen.where == where}
        for where in ("resolve", "store")
    }
    assert by_place == {"resolve": {f"Bearer {SECRET}"}, "store": {None}}


def test_a_repository_that_is_gone_is_a_sentence_and_another_source_is_taken_where_there_is_one(
    server: HubServer, hub: Hub, order: Ordered
) -> None:
    publish(server, without=(FFT,))
    with pytest.raises(NotOnHub, match=r"ali-vilab/ACE_Plus is not \(or no longer\) on"):
        install(order(), hub, plain_convert, Work())
    publish(server)
    del server.repositories[FILL]
    told: list[str] = []
    server.tokens[SECRET] = Account({FILL})
    with with_token(server, SECRET) as logged_in, pytest.raises(NotOnHub, match="choose another source"):
        install(order("small-fill-4bit"), logged_in, plain_convert, Work(note=told.append))
    record = install(order("small-fill-4bit", alternatives={"fill_transformer": "again"}), hub, plain_convert, Work())
    assert {part.part: part.alternative for part in record.parts}["fill_transformer"] == "again"


def test_the_next_source_is_taken_and_told(server: HubServer, hub: Hub, models: Path, tmp_path: Path) -> None:
    values = catalogue_values()
    clip = values["parts"]["clip"]["alternatives"]
    clip.insert(0, {**clip[0], "name": "gone", "repository": "owner/gone"})
    catalogue = write_catalogue(tmp_path / "c.json", values)
    model = model_named(catalogue, "small-fft-4bit")
    publish(server)
    told: list[str] = []
    record = install(
        Order(catalogue, model, models, frozenset(model.family.licences)), hub, plain_convert, Work(note=told.append)
    )
    part = record.part("clip")
    assert part is not None
    assert part.alternative == "text"
    assert "owner/gone is not" in told[0]
    assert f"comes from {TEXT}" in told[1]


def test_a_file_whose_digest_is_not_the_catalogues_is_not_taken(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    server.add(VAE, {"vae/ae.safetensors": b"something else" * 1000})
    with pytest.raises(NotOnHub, match="is not the file that the catalogue names"):
        install(order(), hub, plain_convert, Work())


def test_eight_bit_floats_only_for_bf16_and_only_when_chosen(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    with pytest.raises(LibraryError, match='has no source "fp8" for 4bit; there are: official'):
        install(order(alternatives={"fft_transformer": "fp8"}), hub, plain_convert, Work())
    with pytest.raises(LibraryError, match='no part "transformer" to choose a source for'):
        install(order(alternatives={"transformer": "fp8"}), hub, plain_convert, Work())
    record = install(order("small-fft-bf16", alternatives={"fft_transformer": "fp8"}), hub, plain_convert, Work())
    part = record.part("fft_transformer")
    assert part is not None
    assert part.alternative == "fp8"


def test_damage_on_the_way_is_found_and_nothing_of_it_is_used(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    server.faults.append(Fault("store", path=CHECKPOINT, damage=100_000, times=None))
    with pytest.raises(Damaged, match="arrived damaged"):
        install(order(), hub, plain_convert, Work())
    assert not order().folder.exists()


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    server: HubServer, hub: Hub, order: Ordered, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server)
    usage = shutil.disk_usage("/")

    def nearly_full(_: object) -> object:
        return usage._replace(free=10_000_000)

    monkeypatch.setattr(disk.shutil, "disk_usage", nearly_full)
    with pytest.raises(DiskFull, match=r"small-fft-4bit .* needs .* but only 10.0 MB are free"):
        install(order(), hub, plain_convert, Work())
    assert server.sent() == 0


def test_a_folder_of_the_persons_own_is_not_touched(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    order().folder.mkdir(parents=True)
    (order().folder / "mine.txt").write_text("mine")
    with pytest.raises(LibraryError, match="did not make; move it away"):
        install(order(), hub, plain_convert, Work())
    assert files_in(order().folder) == {"mine.txt"}


def test_a_damaged_model_is_not_taken_for_an_installed_one(server: HubServer, hub: Hub, order: Ordered) -> None:
    publish(server)
    install(order(), hub, plain_convert, Work())
    (order().folder / "clip.safetensors").unlink()
    with pytest.raises(Damaged, match="mend it with: ace models repair small-fft-4bit"):
        install(order(), hub, plain_convert, Work())


def test_who_comes_second_waits_says_so_and_fetches_nothing(server: HubServer, order: Ordered, models: Path) -> None:
    publish(server)
    work = Work()
    done: list[Record] = []

    def second() -> None:
        with Hub(endpoint=server.url, pace=QUICK) as other:
            done.append(install(order(), other, plain_convert, work))

    waiting = threading.Thread(target=second)
    with changing(models, Work()):
        waiting.start()
        for _ in range(400):
            if work.meter.now().waiting:
                break
            threading.Event().wait(0.05)
        said = work.meter.now().waiting
        asked = len(server.requests)
    waiting.join(60)
    assert said is not None
    assert said.startswith("another process is changing the models in")
    assert asked == 0
    assert done[0].name == "small-fft-4bit"


def test_waiting_for_another_can_be_cancelled(order: Ordered, hub: Hub, models: Path) -> None:
    work = Work()
    work.control.cancel()
    with changing(models, Work()), pytest.raises(Cancelled):
        install(order(), hub, plain_convert, work)


def test_what_is_installed_is_listed_and_checked_with_no_network(
    server: HubServer, hub: Hub, order: Ordered, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server)
    record = install(order(), hub, plain_convert, Work())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something reaches out")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert verify(order().folder, record, Work()) == []
    assert installed_models()[0].config is not None
