"""Writing keeps pixels, depth, alpha and profile exactly, whole or not at all, and says what it cannot keep."""

import io
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mlx_model.pictures import png
from mlx_model.pictures.read import read_picture
from mlx_model.pictures.write import (
    ATTACHMENT,
    Metadata,
    check_writable,
    encode_picture,
    losses,
    write_picture,
    write_whole,
)
from mlx_model.request import Picture, RequestError, digest
from tests.mlx_model.locked import lock
from tests.mlx_model.pictures.profiles import large_profile, srgb_profile


def picture_of(seed: int, height: int, width: int, bits: int, alpha: str, grey: bool, profile: bool) -> Picture:
    top = 2**bits - 1
    pixels = np.random.default_rng(seed).integers(0, top + 1, (height, width, 4))
    if grey:
        pixels[..., :3] = pixels[..., :1]
    if alpha == "opaque":
        pixels[..., 3] = top
    held = pixels.astype(np.uint8) if bits == 8 else pixels.astype(np.uint16)
    return Picture(held, srgb_profile() if profile else None)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


PICTURES = st.builds(
    picture_of,
    st.integers(0, 2**32),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([8, 16]),
    st.sampled_from(["opaque", "any"]),
    st.booleans(),
    st.booleans(),
)


@pytest.mark.parametrize("kind", ["png", "tiff"])
@given(picture=PICTURES)
@settings(max_examples=60, deadline=None)
def test_png_and_tiff_come_back_with_the_same_digest(kind: str, picture: Picture) -> None:
    """Shape, depth, alpha (also under it), profile: everything that names a picture."""
    back = read_picture(encode_picture(kind, picture, Metadata({"a": "é"}, "<x>é</x>", [b"whatever"])))
    assert digest(back) == digest(picture)


@given(picture=PICTURES.filter(lambda p: p.pixels.dtype == np.uint8))
@settings(max_examples=30, deadline=None)
def test_webp_comes_back_with_the_same_digest(picture: Picture) -> None:
    assert digest(read_picture(encode_picture("webp", picture))) == digest(picture)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_the_file_has_as_many_channels_as_the_picture_needs(kind: str, bits: int) -> None:
    for alpha, grey, profile, bands in (
        ("opaque", False, False, 3),
        ("opaque", True, False, 1),
        ("opaque", True, True, 3),
        ("any", False, False, 4),
    ):
        data = encode_picture(kind, picture_of(1, 9, 9, bits, alpha, grey, profile))
        with Image.open(io.BytesIO(data)) as image:
            assert len(image.getbands()) == bands, (kind, bits, alpha, grey, profile)
            assert bool(image.info.get("icc_profile")) == profile


def test_large_tiffs_have_several_strips() -> None:
    picture = picture_of(3, 900, 700, 16, "any", False, True)
    data = encode_picture("tiff", picture)
    assert digest(read_picture(data)) == digest(picture)
    with Image.open(io.BytesIO(data)) as image:
        offsets = image.tag_v2[273]  # type: ignore[attr-defined]
        assert len(offsets) > 1


def test_jpeg_is_close_and_says_what_it_loses() -> None:
    smooth = np.linspace(0, 65535, 40 * 60).reshape(40, 60, 1).repeat(4, axis=2).astype(np.uint16)
    smooth[..., 3] = 65535
    smooth[:, :20, 3] = 0
    picture = Picture(smooth, srgb_profile())
    back = read_picture(encode_picture("jpeg", picture))
    assert back.profile == picture.profile
    assert back.pixels[20, 5, 0] > 250, "what is transparent lies on white"
    assert abs(int(back.pixels[20, 50, 0]) - int(smooth[20, 50, 0]) // 257) <= 3
    assert [sentence.split()[0] for sentence in losses("jpeg", picture)] == ["JPEG", "JPEG", "JPEG"]
    assert "lossy" in losses("jpeg", picture)[0]
    assert losses("png", picture) == losses("tiff", picture) == ()
    assert len(losses("webp", picture)) == 1


def test_a_file_appears_whole_with_usual_permissions(tmp_path: Path) -> None:
    picture = picture_of(1, 20, 20, 8, "opaque", False, False)
    (tmp_path / "usual").touch()
    assert write_picture(tmp_path / "a.png", picture) == ()
    assert names_in(tmp_path) == ["a.png", "usual"]
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.png", "usual")}
    assert len(modes) == 1, modes
    assert "lossy" in write_picture(tmp_path / "a.jpg", picture)[0]


def test_a_failed_write_leaves_what_stood_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RequestError, match="No space left"):
        write_whole(tmp_path / "a.png", b"after")
    assert names_in(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"before"


def test_an_interrupted_write_leaves_what_stood_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(b"before")

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.png", b"after")
    assert names_in(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"before"


def test_unwritable_places_are_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for path, words in (
        (tmp_path / "a.gif", "must end in .png"),
        (tmp_path / "a", "must end in .png"),
        (tmp_path / "missing" / "a.png", "there is no folder"),
        (tmp_path / "folder.png", "it is a folder"),
        (tmp_path / "file" / "a.png", "there is no folder"),
        (Path("/proc/a.png") if Path("/proc").exists() else Path("/dev/fd/a.png"), "cannot write"),
    ):
        with pytest.raises(RequestError, match=words):
            check_writable(path)
    with pytest.raises(RequestError, match="16383 pixels a side"):
        check_writable(tmp_path / "a.webp", (16384, 10))
    check_writable(tmp_path / "a.png", (16384, 10))
    assert names_in(tmp_path) == ["file", "folder.png"], "trying left something behind"


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "a\0.png", "\ud800.png", "locked/a.png", "locked/deep/a.png"])
def test_names_that_cannot_be_written_are_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "locked").mkdir()
    lock(tmp_path / "locked", monkeypatch)
    with pytest.raises(RequestError, match="cannot write"):
        check_writable(tmp_path / name)
    with pytest.raises(RequestError, match="cannot write"):
        write_whole(tmp_path / name, b"x")
    assert names_in(tmp_path) == ["locked"]


def test_the_longest_names_can_be_written(tmp_path: Path) -> None:
    """83 Korean letters are 249 bytes; with .png 253 of the 255 that a name may have."""
    path = tmp_path / f"{'별' * 83}.png"
    check_writable(path)
    write_whole(path, b"x")
    assert names_in(tmp_path) == [path.name]


def test_a_write_protected_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"kept")
    (tmp_path / "a.png").chmod(0o444)
    if os.access(tmp_path / "a.png", os.W_OK):
        pytest.skip("this user may write everything")
    with pytest.raises(RequestError, match="write-protected"):
        check_writable(tmp_path / "a.png")


def test_texts_and_attachments_are_read_by_others_and_by_us() -> None:
    picture = picture_of(1, 20, 20, 16, "any", False, True)
    data = encode_picture("png", picture, Metadata({"one": "하나 ✓", "two": "2"}, "<x/>", [b"abc", b"x" * 3_000_000]))
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.text["one"] == "하나 ✓"  # type: ignore[attr-defined]
        assert image.info["xmp"] == b"<x/>"
    assert png.texts_of(data) == {"one": "하나 ✓", "two": "2", "XML:com.adobe.xmp": "<x/>"}
    assert [chunk for name, chunk in png.chunks_of(data) if name == ATTACHMENT] == [b"abc", b"x" * 3_000_000]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("megabytes", [2, 9])
def test_large_profiles_and_attachments_come_back(bits: int, megabytes: int) -> None:
    made = picture_of(1, 20, 20, bits, "any", False, False)
    picture = Picture(made.pixels, large_profile(megabytes << 20))
    data = encode_picture("png", picture, Metadata({"one": "1"}, "<x/>", [bytes(megabytes << 20)]))
    assert digest(read_picture(data)) == digest(picture)


def test_text_that_is_not_unicode_is_escaped() -> None:
    data = encode_picture("png", picture_of(1, 4, 4, 8, "opaque", False, False), Metadata({"name": "별 \udcb0"}))
    assert png.texts_of(data) == {"name": "별 \\udcb0"}


def test_a_damaged_chunk_ends_the_walk() -> None:
    data = encode_picture("png", picture_of(1, 4, 4, 8, "opaque", False, False), Metadata({"one": "1", "two": "2"}))
    at = data.index(b"two")
    assert png.texts_of(data[:at] + b"x" + data[at + 1 :]) == {"one": "1"}
    assert png.texts_of(data[:at]) == {"one": "1"}
    assert list(png.chunks_of(b"no png at all")) == []
