"""Tensors out of safetensors and GGUF files: right, in file order, and unmoved by damaged headers."""

import json
import os
import struct
import threading
import time
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlx_model.library.errors import Damaged, LibraryError
from mlx_model.library.hub import Hub
from mlx_model.library.progress import Control, Meter
from mlx_model.library.tensor_files import LocalSource, RemoteSource, TensorFile
from mlx_model.request import Cancelled
from mlx_model.runtime import mx
from tests.hub_server import Fault, HubServer
from tests.mlx_model.library.conftest import QUICK, REPOSITORY

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NAME = "x.safetensors"
LIMIT = 12 << 20
"""No header of a few hundred bytes may make the reader take more memory than this."""


def safetensors(tensors: dict[str, bytes], metadata: dict[str, str] | None = None) -> bytes:
    """Write a file of uint8 tensors."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    at = 0
    for name, data in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [at, at + len(data)]}
        at += len(data)
    return with_header(header, b"".join(tensors.values()))


def with_header(header: object, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


SMALL = safetensors({"a": b"abc", "b.weight": b"", "c": b"0123456789"}, {"format": "pt"})
MANY = {f"blocks.{index}.weight": os.urandom(7_000 + 3_000 * index) for index in range(12)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / NAME


def open_bytes(path: Path, data: bytes) -> TensorFile:
    path.write_bytes(data)
    return TensorFile(LocalSource(path))


@pytest.mark.parametrize("name", ["transformer_fft.weights", "lora_comfyui", "autoencoder.weights"])
def test_tensors_are_those_that_mlx_reads(name: str) -> None:
    file = TensorFile(LocalSource(GOLDEN / f"{name}.safetensors"))
    known = mx.load(str(GOLDEN / f"{name}.safetensors"))
    assert isinstance(known, dict)
    seen = 0
    for entry, data in file.tensors():
        values = np.frombuffer(data, {"F32": np.float32}[entry.dtype]).reshape(entry.shape)
        assert np.array_equal(values, np.array(known[entry.name])), entry.name
        assert file.one(entry.name) == bytes(data)
        seen += 1
    assert seen == len(known) == len(file.entries)


def test_gguf_files_of_another_writer_are_read(tmp_path: Path) -> None:
    tensors = {
        "wide": mx.arange(6, dtype=mx.float32).reshape(2, 3),
        "half": mx.array([1.5, -2.0], dtype=mx.float16),
    }
    path = tmp_path / "x.gguf"
    mx.save_gguf(str(path), tensors, {"general.name": "a name", "ids": mx.array([1, 2, 3])})
    file = TensorFile(LocalSource(path))
    kinds = {"F32": np.float32, "F16": np.float16}
    found = {
        entry.name: np.frombuffer(data, kinds[entry.dtype]).reshape(entry.shape) for entry, data in file.tensors()
    }
    assert found.keys() == tensors.keys()
    for name, values in found.items():
        assert np.array_equal(values, np.array(tensors[name])), name


def test_a_file_may_say_nothing_about_itself(path: Path) -> None:
    mx.save_safetensors(str(path), {"a": mx.zeros((2,))})
    assert b'"__metadata__":null' in path.read_bytes()
    assert TensorFile(LocalSource(path)).metadata == {}


def test_safetensors_speak_about_themselves(path: Path) -> None:
    file = open_bytes(path, SMALL)
    assert file.metadata == {"format": "pt"}
    assert [(entry.name, bytes(data)) for entry, data in file.tensors()] == [
        ("a", b"abc"),
        ("b.weight", b""),
        ("c", b"0123456789"),
    ]


# From the hub.


@pytest.fixture
def remote(server: HubServer, hub: Hub) -> RemoteSource:
    """Publish a file of a dozen tensors that no range boundary respects."""
    server.add(REPOSITORY, {NAME: safetensors(MANY)})
    return RemoteSource(hub, hub.describe(REPOSITORY, [NAME])[0])


def test_a_far_file_is_read_in_order_checked_and_fetched_once(server: HubServer, remote: RemoteSource) -> None:
    file = TensorFile(remote)
    header = server.sent()
    way = file.tensors()
    assert {entry.name: bytes(data) for entry, data in way} == MANY
    assert way.sha256 == remote.sha256
    assert way.check()
    assert server.sent() - header == sum(map(len, MANY.values())), "the data was fetched more than once"


def test_a_slow_beginning_does_not_change_the_order(server: HubServer, remote: RemoteSource) -> None:
    file = TensorFile(remote)
    server.faults.append(Fault("store", times=1, rate=30_000))
    way = file.tensors()
    assert [entry.name for entry, _ in way] == list(MANY)
    assert way.check()


@pytest.mark.parametrize(
    "fault", [Fault("store", times=5, cut=3_000), Fault("store", times=3, status=500)], ids=["cut", "500"]
)
def test_trouble_that_passes_does_not_show(server: HubServer, remote: RemoteSource, fault: Fault) -> None:
    file = TensorFile(remote)
    before = server.sent()
    server.faults.append(fault)
    way = file.tensors()
    assert {entry.name: bytes(data) for entry, data in way} == MANY
    assert way.check()
    assert server.sent() - before == sum(map(len, MANY.values()))


def test_a_pass_is_taken_up_again_at_a_later_tensor(server: HubServer, remote: RemoteSource) -> None:
    first = TensorFile(remote)
    for index, (entry, data) in enumerate(first.tensors()):
        assert bytes(data) == MANY[entry.name]
        if index == 6:
            break
    server.settle()
    before = server.sent()
    again = TensorFile(remote)
    assert again.header_sha256 == first.header_sha256
    way = again.tensors(first=7)
    rest = {entry.name: bytes(data) for entry, data in way}
    assert rest == {name: MANY[name] for name in list(MANY)[7:]}
    assert server.sent() - before == sum(map(len, rest.values())) + len(safetensors(MANY)) - sum(
        map(len, MANY.values())
    )
    assert way.sha256 is None
    assert not way.check(), "a pass that was taken up again has no digest to compare"
    assert list(again.tensors(first=len(MANY))) == []


def test_no_more_is_fetched_ahead_than_the_window(server: HubServer, remote: RemoteSource) -> None:
    file = TensorFile(remote)
    before, taken = server.sent(), 0
    for entry, data in file.tensors():
        taken += len(data)
        time.sleep(0.1)
        ahead = server.sent() - before - taken
        assert ahead <= (QUICK.ahead + 1) * QUICK.range_bytes, f"{ahead} bytes ahead at {entry.name}"


def test_damage_on_the_way_is_noticed_at_the_end(server: HubServer, remote: RemoteSource) -> None:
    file = TensorFile(remote)
    server.faults.append(Fault("store", times=None, damage=100_000))
    way = file.tensors()
    assert {entry.name: bytes(data) for entry, data in way} != MANY
    with pytest.raises(Damaged, match="arrived damaged, so what was made of it is not used"):
        way.check()


def test_leaving_early_leaves_no_thread_behind(remote: RemoteSource) -> None:
    for _ in TensorFile(remote).tensors():
        break
    until = time.monotonic() + 10
    while any(thread.name == "fetch" for thread in threading.enumerate()):
        assert time.monotonic() < until, "threads go on fetching for no one"
        time.sleep(0.01)


def test_cancelling_ends_a_pass(remote: RemoteSource) -> None:
    control, meter = Control(), Meter()
    source = RemoteSource(remote.hub, remote.file, control, meter)

    def cancel_at_once() -> None:
        for _ in TensorFile(source).tensors():
            control.cancel()

    with pytest.raises(Cancelled):
        cancel_at_once()
    assert 0 < meter.now().fetched < source.size + 1


# Damaged headers.


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "U8", "shape": [3], "data_offsets": [0, 3], **changes}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"abc",
        b"\x80\x02}q\x00.",
        struct.pack("<Q", 1 << 63) + b"{}",
        struct.pack("<Q", 1 << 20) + b"{}",
        struct.pack("<Q", 1) + b"{",
        with_header(b"[" * 100_000, b""),
        with_header(b"\xff\xfe{}", b""),
        with_header([], b""),
        with_header({"a": 1}, b""),
        with_header({"a": entry(shape=[4])}, b"abc"),
        with_header({"a": entry(shape=[-1, -3])}, b"abc"),
        with_header({"a": entry(shape=[True, 3])}, b"abc"),
        with_header({"a": entry(shape=[3.0])}, b"abc"),
        with_header({"a": entry(shape=[1 << 62, 1 << 62])}, b"abc"),
        with_header({"a": entry(shape=[1] * 9 + [3])}, b"abc"),
        with_header({"a": entry(data_offsets=[0, 1 << 62], shape=[1 << 62])}, b"abc"),
        with_header({"a": entry(data_offsets=[-3, 0])}, b"abc"),
        with_header({"a": entry(data_offsets=[3, 0])}, b"abc"),
        with_header({"a": entry(data_offsets=[0])}, b"abc"),
        with_header({"a": entry(dtype="F4")}, b"abc"),
        with_header({"a": entry(dtype=["U8"])}, b"abc"),
        with_header({"a": entry(extra=1)}, b"abc"),
        with_header({"a": entry(), "b": entry()}, b"abc"),
        with_header({"a": entry(), "b": entry(data_offsets=[4, 7])}, b"abcdefg"),
        with_header({"a": entry()}, b"abcdef"),
        with_header({"a": entry()}, b"ab"),
        with_header({"a\n": entry()}, b"abc"),
        with_header({"": entry()}, b"abc"),
        with_header({"\ud800": entry()}, b"abc"),
        with_header({"a" * 600: entry()}, b"abc"),
        with_header({"__metadata__": {"a": 1}}, b""),
        with_header({"__metadata__": 7}, b""),
        with_header(b'{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"a":7}', b"abc"),
        with_header(b'{"a":' + b"9" * 5000 + b"}", b""),
        b"GGUF",
        b"GGUF" + struct.pack("<I", 1),
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 63, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 63),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1 << 62),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<QcIIQ", 1, b"k", 9, 8, 1 << 62),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<QcIIQ", 1, b"k", 9, 9, 1),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<QcI", 1, b"k", 77),
    ],
)
def test_damaged_headers_are_a_sentence(path: Path, data: bytes) -> None:
    with pytest.raises(Damaged) as damaged:
        open_bytes(path, data)
    assert "\n" not in str(damaged.value)
    assert str(damaged.value).startswith(str(path))


def gguf(records: list[tuple[str, tuple[int, ...], int, int]], data: bytes, alignment: int | None = None) -> bytes:
    """Write a GGUF file; a record is name, shape with columns first, packing, offset."""
    key = b"general.alignment"
    pairs = b"" if alignment is None else struct.pack("<Q", len(key)) + key + struct.pack("<II", 4, alignment)
    text = b"GGUF" + struct.pack("<IQQ", 3, len(records), alignment is not None) + pairs
    for name, shape, packing, offset in records:
        text += struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", len(shape))
        text += b"".join(struct.pack("<Q", side) for side in shape) + struct.pack("<IQ", packing, offset)
    return text + b"\0" * (-len(text) % (alignment or 32)) + data


def test_gguf_blocks_lie_where_the_header_says(path: Path) -> None:
    blocks = os.urandom(18 * 4)
    file = open_bytes(path, gguf([("late", (32,), 8, 96), ("early", (64, 2), 2, 0)], blocks + b"\0" * 24 + b"8" * 34))
    assert [(entry.name, entry.dtype, entry.shape) for entry in file.entries] == [
        ("early", "Q4_0", (2, 64)),
        ("late", "Q8_0", (32,)),
    ]
    assert [bytes(data) for _, data in file.tensors()] == [blocks, b"8" * 34]
    wide = open_bytes(path, gguf([("a", (32,), 8, 0)], b"8" * 34, alignment=128))
    assert next(bytes(data) for _, data in wide.tensors()) == b"8" * 34


@pytest.mark.parametrize(
    ("records", "alignment"),
    [
        ([("a", (32,), 8, 0), ("b", (32,), 8, 32)], None),
        ([("a", (33,), 8, 0)], None),
        ([("a", (32,), 8, 7)], None),
        ([("a", (32,), 99, 0)], None),
        ([("a", (1 << 62,), 0, 0)], None),
        ([("a", (1, 1, 1, 1, 32), 8, 0)], None),
        ([("a", (32,), 8, 0), ("a", (32,), 8, 64)], None),
        ([("a", (32,), 8, 0)], 7),
        ([("a", (32,), 8, 0)], 0),
    ],
    ids=[
        "overlap",
        "half a block",
        "unaligned",
        "packing",
        "too large",
        "rank",
        "twice",
        "alignment 7",
        "alignment 0",
    ],
)
def test_gguf_records_that_make_no_sense_are_a_sentence(
    path: Path, records: list[tuple[str, tuple[int, ...], int, int]], alignment: int | None
) -> None:
    data = gguf(records, b"8" * 200, alignment or None)
    if alignment == 0:
        data = gguf(records, b"8" * 200, 32).replace(struct.pack("<II", 4, 32), struct.pack("<II", 4, 0))
    with pytest.raises(Damaged):
        open_bytes(path, data)


VALID = [SMALL, gguf([("late", (32,), 8, 96), ("early", (64, 2), 2, 0)], b"x" * 200, 32)]
QUIETLY = settings(
    max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@contextmanager
def little_memory() -> Generator[None]:
    """Watch the memory that a reader takes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < LIMIT, f"a small damaged header made the reader take {peak / 1e6:.1f} MB"


def read_through(path: Path, data: bytes) -> None:
    """Open and read a file that may be damaged: a LibraryError, or tensors that lie inside the file."""
    path.write_bytes(data)
    with little_memory():
        try:
            file = TensorFile(LocalSource(path))
        except LibraryError:
            return
        total = sum(len(tensor) for _, tensor in file.tensors())
    assert total <= len(data)
    assert all(0 <= entry.start <= entry.stop <= len(data) for entry in file.entries)


@QUIETLY
@given(st.sampled_from(VALID), st.data())
def test_fuzz_changed_bytes(path: Path, valid: bytes, data: st.DataObject) -> None:
    spoiled = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(spoiled) - 1))
        spoiled[at] = data.draw(st.integers(0, 255))
    read_through(path, bytes(spoiled[: data.draw(st.integers(1, len(spoiled)))]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 2**70) | st.floats() | st.text(max_size=5)
    | st.sampled_from(["U8", "F32", "BF16"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets", "a", "__metadata__"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
SHAPES = st.lists(st.integers(-1, 2**65) | st.integers(0, 4), max_size=4)
NUMBERS = st.lists(st.integers(-2, 20) | st.integers(2**31, 2**66), min_size=2, max_size=2)
ENTRIES = st.fixed_dictionaries(
    {"dtype": st.sampled_from(["U8", "F32", "F8_E4M3", "X"]), "shape": SHAPES, "data_offsets": NUMBERS}
)


@QUIETLY
@given(
    JSON | st.dictionaries(st.text(max_size=6), ENTRIES | JSON, max_size=4),
    st.binary(max_size=40),
    st.integers(0, 2**64 - 1) | st.just(-1),
)
@example({"a": {"dtype": "U8", "shape": [2**64], "data_offsets": [0, 2**64]}}, b"", -1)
def test_fuzz_made_up_headers(path: Path, header: object, tail: bytes, length: int) -> None:
    data = with_header(header, tail)
    read_through(path, data if length == -1 else struct.pack("<Q", length) + data[8:])


@QUIETLY
@given(st.binary(max_size=120))
def test_fuzz_made_up_gguf(path: Path, rest: bytes) -> None:
    read_through(path, b"GGUF" + struct.pack("<I", 3) + rest)
