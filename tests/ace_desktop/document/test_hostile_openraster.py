"""Files made to do harm, and damaged ones: refused with a sentence before they cost anything."""

import io
import struct
import time
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_desktop.document import archive
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.openraster_read import read_openraster
from ace_desktop.document.openraster_write import write_openraster
from ace_desktop.document.state import GroupLayer, State
from mlx_model.pictures import png
from tests.ace_desktop.document.drawings import raster
from tests.ace_desktop.document.test_openraster import masked_document, png_of

STACK = "<image w='4' h='4'><stack>{layers}</stack></image>"
LAYER = "<layer src='data/a.png' {more}/>"


def archive_of(
    path: Path, more: Mapping[str, bytes] = MappingProxyType({}), layers: str = LAYER.format(more="")
) -> Path:
    entries = {"stack.xml": STACK.format(layers=layers).encode(), "data/a.png": png_of((1, 2, 3, 255))}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in {**entries, **more}.items():
            file.writestr(name, data)
    return path


def header_only(width: int, height: int) -> bytes:
    """Return a PNG that promises many pixels and has none."""
    header = png.chunk(b"IHDR", struct.pack(">II5B", width, height, 8, 6, 0, 0, 0))
    return png.SIGNATURE + header + png.chunk(b"IDAT", zlib.compress(b"")) + png.chunk(b"IEND", b"")


def refused(path: Path) -> str:
    """Return the sentence with which a file is refused."""
    with pytest.raises(DocumentError) as caught:
        read_openraster(path)
    sentence = str(caught.value)
    assert sentence
    assert "\n" not in sentence
    assert ";" in sentence, "it must say what to do"
    return sentence


LAUGHS = "<!DOCTYPE image [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {new} '{f'&{old};' * 10}'>" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
) + "]>"  # fmt: skip


@pytest.mark.parametrize(
    ("stack", "about"),
    [
        (LAUGHS + "<image w='4' h='4' note='&i;'><stack/></image>", "definitions"),
        ("<!DOCTYPE image SYSTEM 'file:///etc/passwd'><image w='4' h='4'/>", "definitions"),
        ("<image w='4' h='4'>" + "<stack>" * 10_000 + "</stack>" * 10_000 + "</image>", "deep"),
        ("<image w='1000000' h='1000000'><stack/></image>", "scale it down"),
        ("<image w='0' h='4'><stack/></image>", "damaged"),
        ("<image w='4' h='-4'><stack/></image>", "damaged"),
        ("<image w='four' h='4'><stack/></image>", "damaged"),
        ("<image><stack/></image>", "damaged"),
        ("<stack/>", "damaged"),
        ("<image w='4' h='4'><stack>", "damaged"),
        ("", "damaged"),
        *(
            (STACK.format(layers=LAYER.format(more=more)), about)
            for more, about in (
                ("opacity='nan'", "damaged"),
                ("opacity='inf'", "damaged"),
                ("x='1e300'", "damaged"),
                ("x='99999999999'", "damaged"),
                ("src='data/b.png'", "damaged"),
            )
        ),
        (STACK.format(layers="<layer src='data/missing.png'/>"), "lacks its part"),
        (STACK.format(layers="<layer src='../../a.png'/>"), "lacks its part"),
        (STACK.format(layers="<layer/>"), "damaged"),
    ],
)
def test_hostile_lists_of_layers(tmp_path: Path, stack: str, about: str) -> None:
    """Entities, depth, sizes and numbers; quickly."""
    start = time.process_time()
    assert about in refused(archive_of(tmp_path / "a.ora", {"stack.xml": stack.encode()}))
    assert time.process_time() - start < 2


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "C:/a", "a\\b", "a//b", "./a"])
def test_names_that_lead_outside(tmp_path: Path, name: str) -> None:
    assert "unsafe names" in refused(archive_of(tmp_path / "a.ora", {name: b""}))


@pytest.mark.parametrize(
    ("width", "height", "about"),
    [(60_000, 60_000, "more pixels"), (2**31 - 1, 1, "more pixels"), (0, 4, "more pixels"), (8, 8, "damaged")],
)
def test_pictures_that_promise_what_they_do_not_have(tmp_path: Path, width: int, height: int, about: str) -> None:
    """The size is judged from the header, before anything is unpacked."""
    assert about in refused(archive_of(tmp_path / "a.ora", {"data/a.png": header_only(width, height)}))


def test_many_layers_of_one_large_picture_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ace_desktop.document.openraster_read.MAX_BYTES", 4 * 4 * 4 * 5)
    read_openraster(archive_of(tmp_path / "a.ora", layers=LAYER.format(more="") * 5))
    assert "more pixels" in refused(archive_of(tmp_path / "a.ora", layers=LAYER.format(more="") * 6))


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """100 MB of zeros in 100 kB: refused from the directory alone."""
    path = archive_of(tmp_path / "a.ora", {"data/zeros": bytes(100_000_000)})
    assert "unpack to far more" in refused(path)


def test_a_size_that_lies_about_its_entry_stops_the_reading(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.ora", {"data/b": bytes(1000)})
    data = path.read_bytes().replace(struct.pack("<I", 1000), struct.pack("<I", 10))
    path.write_bytes(data)
    assert "damaged" in refused(path)


def test_parts_that_overlap_and_parts_of_one_name(tmp_path: Path) -> None:
    """The directory of a bomb lets many names share one packed part."""
    path = archive_of(tmp_path / "a.ora", {"data/b": b"x" * 50, "data/c": b"x" * 50})
    data = bytearray(path.read_bytes())
    entries = [at for at in range(len(data)) if data.startswith(b"PK\1\2", at)]
    data[entries[-1] + 42 : entries[-1] + 46] = data[entries[-2] + 42 : entries[-2] + 46]
    path.write_bytes(data)
    assert "overlap" in refused(path)
    path.write_bytes(archive_of(path, {"data/b": b"", "data/c": b""}).read_bytes().replace(b"data/c", b"data/b"))
    assert "same name" in refused(path)


def test_more_parts_than_any_document_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    assert "more than 3 parts" in refused(archive_of(tmp_path / "a.ora", {"b": b"", "c": b""}))


def test_zip_files_that_are_no_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.ora"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("word/document.xml", "")
    assert "no picture" in refused(path)
    assert "no OpenRaster" in refused(archive_of(path, {"mimetype": b"application/epub+zip"}))
    path.write_bytes(b"PK\3\4 and nothing else")
    assert "damaged" in refused(path)


def test_groups_too_deep_to_be_opened_again_are_not_saved(tmp_path: Path) -> None:
    layer = GroupLayer(children=(raster((1, 2, 3, 4)),), name="g")
    for _ in range(100):
        layer = GroupLayer(children=(layer,), name="g")
    with pytest.raises(DocumentError, match="deep"):
        write_openraster(tmp_path / "a.ora", State(width=4, height=4, layers=(layer,)))
    assert list(tmp_path.iterdir()) == []


@cache
def saved() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.ora"
        write_openraster(path, masked_document())
        return path.read_bytes()


def opens_or_is_refused(data: bytes) -> None:
    """Anything but a document or a DocumentError is an error of ours."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.ora"
        path.write_bytes(data)
        with suppress(DocumentError):
            read_openraster(path)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_bytes_open_or_are_refused(data: st.DataObject) -> None:
    """Bytes changed, cut out and cut off."""
    damaged = bytearray(saved())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    opens_or_is_refused(bytes(damaged[: data.draw(st.sampled_from((len(damaged), len(damaged) // 2)))]))


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_parts_in_a_sound_archive_open_or_are_refused(data: st.DataObject) -> None:
    """With right checksums, so that the damage reaches the readers of XML, JSON and PNG."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved())) as old, zipfile.ZipFile(out, "w") as new:
        victim = data.draw(st.sampled_from(old.namelist()))
        for name in old.namelist():
            part = bytearray(old.read(name))
            if name == victim:
                at = data.draw(st.integers(0, len(part) - 1))
                part[at : at + data.draw(st.integers(0, 8))] = data.draw(
                    st.binary(max_size=8) | st.sampled_from((b"null", b"[]", b"-1", b"NaN", b"1e999", b'"', b"{}"))
                )
            new.writestr(name, bytes(part))
    opens_or_is_refused(out.getvalue())
