"""Reading keeps what a file holds, turns it upright, and answers bad files with one sentence."""

import hashlib
import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from mlx_model.pictures import png
from mlx_model.pictures.read import MAX_PIXELS, holds_several, open_picture, read_all, read_picture
from mlx_model.pictures.tiff import encode_tiff
from mlx_model.request import RequestError, digest
from tests.mlx_model.pictures.profiles import cmyk_profile, grey_profile, srgb_profile

Array = npt.NDArray[Any]


def noise(*shape: int, bits: int = 8) -> Array:
    return np.random.default_rng(7).integers(0, 2**bits, shape).astype(np.uint8 if bits == 8 else np.uint16)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def raw_png(pixels: Array, colour_type: int, extra: bytes = b"") -> bytes:
    height, width = pixels.shape[:2]
    bits = pixels.dtype.itemsize * 8
    rows = b"".join(b"\0" + row.astype(pixels.dtype.newbyteorder(">")).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = png.chunk(b"IHDR", header) + extra + png.chunk(b"IDAT", zlib.compress(rows)) + png.chunk(b"IEND", b"")
    return png.SIGNATURE + parts


def raw_tiff(
    pixels: Array, *, photometric: int, extra: int | None = None, planar: int = 1, big: bool = False
) -> bytes:
    """Encode without compression, as other programs do."""
    (height, width, channels), order = pixels.shape, ">" if big else "<"
    raw = (pixels if planar == 1 else pixels.transpose(2, 0, 1)).astype(pixels.dtype.newbyteorder(order)).tobytes()
    plane = len(raw) // channels
    offsets, counts = ([8], [len(raw)])
    if planar == 2:
        offsets, counts = [8 + i * plane for i in range(channels)], [plane] * channels
    entries = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [16] * channels), (259, 3, [1]), (262, 3, [photometric]),
        (273, 4, offsets), (277, 3, [channels]), (278, 4, [height]), (279, 4, counts), (284, 3, [planar]),
    ]  # fmt: skip
    entries += [(338, 3, [extra])] if extra is not None else []
    body, directory = (
        bytearray((b"MM\0*" if big else b"II*\0") + b"\0\0\0\0" + raw),
        struct.pack(order + "H", len(entries)),
    )
    for tag, kind, values in entries:
        data = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        directory += struct.pack(order + "HHI", tag, kind, len(values))
        if len(data) <= 4:
            directory += data.ljust(4, b"\0")
        else:
            directory += struct.pack(order + "I", len(body))
            body += data
    body[4:8] = struct.pack(order + "I", len(body))
    return bytes(body + directory + b"\0\0\0\0")


def with_tiff_orientation(tiff: bytes, orientation: int) -> bytes:
    """Put the orientation in the place of the "planar" tag, whose value 1 is the default."""
    (start,) = struct.unpack("<I", tiff[4:8])
    (count,) = struct.unpack("<H", tiff[start : start + 2])
    entries = [tiff[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    entries = [entry for entry in entries if entry[:2] != struct.pack("<H", 284)]
    entries.append(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: struct.unpack("<H", entry[:2])[0])
    return tiff[: start + 2] + b"".join(entries) + tiff[start + 2 + 12 * count :]


# What is kept


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_lossless_8_bit_files_come_back_exactly_with_profile(kind: str, mode: str) -> None:
    pixels, profile = noise(13, 17, len(mode)), srgb_profile()
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    picture = read_picture(saved(Image.fromarray(pixels, mode), kind, icc_profile=profile, **options))
    assert picture.pixels.dtype == np.uint8
    assert picture.profile == profile
    assert picture.size == (17, 13)
    assert np.array_equal(picture.pixels[..., : len(mode)], pixels)
    assert mode == "RGBA" or (picture.pixels[..., 3] == 255).all()


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_lossy_files_come_back_closely_with_profile(kind: str) -> None:
    pixels = np.linspace(0, 255, 64 * 48 * 3).reshape(48, 64, 3).astype(np.uint8)
    picture = read_picture(saved(Image.fromarray(pixels), kind, quality=95, icc_profile=srgb_profile()))
    worst = np.abs(picture.pixels[..., :3].astype(int) - pixels).max()
    assert worst <= 12, f"{worst} of 255"
    assert picture.profile == srgb_profile()


@pytest.mark.parametrize(
    ("channels", "colour_type"), [(1, 0), (2, 4), (3, 2), (4, 6)], ids=["grey", "grey+alpha", "rgb", "rgba"]
)
def test_16_bit_png_keeps_every_bit(channels: int, colour_type: int) -> None:
    pixels = noise(9, 11, channels, bits=16)
    picture = read_picture(raw_png(pixels, colour_type))
    assert picture.pixels.dtype == np.uint16
    colours = pixels[..., :1].repeat(3, axis=2) if channels < 3 else pixels[..., :3]
    assert np.array_equal(picture.pixels[..., :3], colours)
    alpha = pixels[..., -1] if channels in (2, 4) else np.full((9, 11), 65535)
    assert np.array_equal(picture.pixels[..., 3], alpha)


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_png_with_one_transparent_colour(channels: int) -> None:
    pixels = noise(9, 11, channels, bits=16)
    clear = pixels[2, 3]
    picture = read_picture(
        raw_png(pixels, 0 if channels == 1 else 2, png.chunk(b"tRNS", clear.astype(">u2").tobytes()))
    )
    assert np.array_equal(picture.pixels[..., 3] == 0, (pixels == clear).all(axis=2))
    assert np.array_equal(picture.pixels[..., 0], pixels[..., 0])


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_tiff_keeps_every_bit_in_both_byte_orders(channels: int, big: bool) -> None:
    pixels = noise(9, 11, channels, bits=16)
    extra = 2 if channels == 4 else None
    picture = read_picture(raw_tiff(pixels, photometric=1 if channels == 1 else 2, extra=extra, big=big))
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels[..., :channels], pixels)


def test_16_bit_tiff_with_white_as_zero_is_turned_around() -> None:
    pixels = noise(9, 11, 1, bits=16)
    assert np.array_equal(read_picture(raw_tiff(pixels, photometric=0)).pixels[..., 1], 65535 - pixels[..., 0])


def test_16_bit_tiff_with_colour_multiplied_by_alpha_becomes_straight() -> None:
    straight = noise(9, 11, 4, bits=16)
    straight[..., 3] |= 0x4000
    multiplied = straight.copy()
    multiplied[..., :3] = straight[..., :3].astype(np.uint64) * straight[..., 3:] // 65535
    back = read_picture(raw_tiff(multiplied, photometric=2, extra=1)).pixels
    worst = np.abs(back.astype(int) - straight).max()
    assert worst <= 4, f"{worst} of 65535"


def test_16_bit_tiff_in_planes_is_refused_instead_of_scrambled() -> None:
    with pytest.raises(RequestError, match="interleaved"):
        read_picture(raw_tiff(noise(9, 11, 3, bits=16), photometric=2, planar=2))


@pytest.mark.parametrize("depth", [10, 12])
def test_deep_avif_fills_16_bits(depth: int) -> None:
    pixels = np.linspace(0, 2**depth - 1, 64 * 48).reshape(48, 64, 1).repeat(3, axis=2).astype(np.uint16)
    options = [cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_QUALITY, 100]
    picture = read_picture(cv2.imencode(".avif", pixels, options)[1].tobytes())
    assert picture.pixels.dtype == np.uint16
    worst = np.abs(picture.pixels[..., 0] / 65535 - pixels[..., 0] / (2**depth - 1)).max()
    assert worst < 4 / 2**depth, worst
    assert (picture.pixels[..., 3] == 65535).all()


def test_palette_with_transparency_and_one_bit_pictures() -> None:
    palette = Image.fromarray(noise(8, 8, 3)).quantize(8)
    palette.info["transparency"] = 3
    picture = read_picture(saved(palette, "PNG", transparency=3))
    assert np.array_equal(picture.pixels[..., 3] == 0, np.asarray(palette) == 3)
    assert np.array_equal(picture.pixels[..., :3], np.asarray(palette.convert("RGB")))
    bits = Image.fromarray(noise(8, 8) > 128)
    assert np.array_equal(read_picture(saved(bits, "PNG")).pixels[..., 2] == 255, np.asarray(bits))


def test_animations_give_their_first_picture() -> None:
    frames = [Image.fromarray(noise(8, 8, 3)), Image.new("RGB", (8, 8), "red")]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert np.array_equal(read_picture(data).pixels[..., :3], np.asarray(frames[0]))


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "AVIF"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    image = Image.fromarray(np.kron(noise(2, 3, 3), np.ones((16, 16, 1), np.uint8)))
    exif = image.getexif()
    exif[274] = orientation
    data = saved(image, kind, exif=exif, quality=95)
    with Image.open(io.BytesIO(data)) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGBA"))
    assert np.array_equal(read_picture(data).pixels, expected)
    assert (expected.shape[0] > expected.shape[1]) == (orientation > 4), "the expectation itself is turned"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_orientation_is_applied_once_in_both_depths(bits: int, orientation: int) -> None:
    pixels = noise(6, 9, 3, bits=bits)
    turned = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.transpose(1, 0, 2), 6: np.rot90(pixels, -1), 7: np.rot90(pixels, 2).transpose(1, 0, 2),
        8: np.rot90(pixels),
    }[orientation]  # fmt: skip
    picture = read_picture(with_tiff_orientation(encode_tiff(pixels, None, b""), orientation))
    assert np.array_equal(picture.pixels[..., :3], turned)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_the_same_for_8_and_16_bit_png(orientation: int) -> None:
    pixels = noise(6, 9, 3)
    exif = Image.Exif()
    exif[274] = orientation
    chunk = png.chunk(b"eXIf", exif.tobytes()[6:])
    shallow = read_picture(raw_png(pixels, 2, chunk)).pixels
    deep = read_picture(raw_png(pixels.astype(np.uint16) * 257, 2, chunk)).pixels
    assert np.array_equal(deep, shallow.astype(np.uint16) * 257)
    assert shallow.shape[:2] == ((9, 6) if orientation > 4 else (6, 9))


# Colour


def test_a_grey_profile_is_carried_out_in_8_and_16_bits() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    shallow = read_picture(saved(Image.fromarray(ramp), "PNG", icc_profile=grey_profile(1.0)))
    assert shallow.profile is None
    assert shallow.pixels[8, 0, :3].tolist() == [188, 188, 188], "half of the light is 188 in sRGB"
    chunk = png.profile_chunk(grey_profile(1.0))
    deep = read_picture(raw_png(ramp[..., None].astype(np.uint16) * 257, 0, chunk)).pixels
    worst = np.abs(deep / 257 - shallow.pixels).max()
    assert deep.dtype == np.uint16
    assert worst <= 0.01, f"{worst} of 255"


def test_a_profile_of_another_colour_space_or_a_broken_one_is_left_out() -> None:
    image = Image.fromarray(noise(8, 8, 3))
    for profile in (grey_profile(2.2), cmyk_profile(), b"no profile at all" * 20):
        picture = read_picture(saved(image, "PNG", icc_profile=profile))
        assert picture.profile is None
        assert np.array_equal(picture.pixels[..., :3], np.asarray(image))


def test_cmyk_jpeg_is_carried_out_with_and_without_profile() -> None:
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:, 8:, 3] = 255
    image = Image.fromarray(inks, "CMYK")
    plain = read_picture(saved(image, "JPEG", quality=100))
    assert plain.pixels[8, 2, :3].min() >= 250
    assert plain.pixels[8, 13, :3].max() <= 5
    assert plain.profile is None
    managed = read_picture(saved(image, "JPEG", quality=100, icc_profile=cmyk_profile()))
    assert managed.profile is None
    grey = managed.pixels[8, 13, :3].astype(int)
    assert np.abs(grey - 119).max() <= 3, f"lightness 50 is 119 in sRGB, not {grey}"


def test_a_grey_jpeg_with_an_rgb_profile_keeps_it() -> None:
    picture = read_picture(saved(Image.fromarray(noise(8, 8)), "JPEG", icc_profile=srgb_profile()))
    assert picture.profile == srgb_profile()


# Bad files


def test_every_kind_of_bad_file_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    good = saved(Image.fromarray(noise(64, 64, 3)), "PNG")
    for name, data, words in [
        ("empty.png", b"", "empty"),
        ("text.png", b"this is no picture\n" * 9, "not a PNG"),
        ("cut.png", good[: len(good) // 2], "damaged"),
        ("cut16.png", raw_png(noise(64, 64, 3, bits=16), 2)[:-900], "damaged"),
        ("flipped.png", good[:4000] + bytes([good[4000] ^ 255]) + good[4001:], "damaged"),
        ("cut.jpg", saved(Image.fromarray(noise(64, 64, 3)), "JPEG")[:2000], "damaged"),
        ("cut.tif", encode_tiff(noise(64, 64, 3, bits=16), None, b"")[:9000], "damaged"),
        ("float.tif", saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "more than 16 bits"),
    ]:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(RequestError, match=words) as caught:
            open_picture(path)
        assert str(path) in str(caught.value), name
        assert "\n" not in str(caught.value), name


def test_missing_files_folders_and_devices(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no file"):
        open_picture(tmp_path / "missing.png")
    with pytest.raises(RequestError, match="is a folder"):
        open_picture(tmp_path)
    with pytest.raises(RequestError, match="is a device"):
        open_picture(Path("/dev/zero"))
    with pytest.raises(RequestError, match="cannot be opened"):
        open_picture(tmp_path / ("long" * 200))


def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(b"x")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(RequestError, match="Permission denied"):
        open_picture(path)


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = png.SIGNATURE + png.chunk(b"IHDR", header) + png.chunk(b"IDAT", zlib.compress(bytes(1000)))
    with pytest.raises(RequestError, match=f"60000×60000 pixels, more than the {MAX_PIXELS // 10**6} megapixels"):
        read_picture(bomb + png.chunk(b"IEND", b""))


@pytest.mark.parametrize("kind", [b"mif1", b"msf1"])
def test_avif_under_a_general_brand_is_not_taken_for_heic(kind: bytes) -> None:
    avif = saved(Image.new("RGB", (32, 24), (200, 0, 0)), "AVIF")
    assert avif[8:12] == b"avif"
    assert read_picture(avif[:8] + kind + avif[12:]).size == (32, 24)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS reads HEIC")
def test_heic_says_what_to_do_where_no_decoder_is_at_hand() -> None:
    with pytest.raises(RequestError, match="convert it to JPEG or PNG"):
        read_picture(b"\0\0\0\x18ftypheic" + bytes(100))


@pytest.mark.skipif(sys.platform != "darwin", reason="only macOS reads HEIC")
def test_heic_is_read_by_the_system_and_damage_is_a_sentence(tmp_path: Path) -> None:
    pixels = np.kron(noise(2, 3, 3), np.ones((32, 32, 1), np.uint8))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    command = ["/usr/bin/sips", "-s", "format", "heic", str(tmp_path / "a.png"), "--out", str(tmp_path / "a.heic")]
    subprocess.run(command, check=True, capture_output=True)
    picture = open_picture(tmp_path / "a.heic").picture
    assert picture.size == (96, 64)
    assert np.abs(picture.pixels[..., :3].astype(int) - pixels).mean() < 8
    with pytest.raises(RequestError, match="could not read the HEIC"):
        read_picture(b"\0\0\0\x18ftypheic" + bytes(100))


KINDS = {
    "png": saved(Image.fromarray(noise(24, 24, 4)), "PNG", icc_profile=srgb_profile()),
    "png16": raw_png(noise(24, 24, 3, bits=16), 2),
    "jpeg": saved(Image.fromarray(noise(24, 24, 3)), "JPEG"),
    "webp": saved(Image.fromarray(noise(24, 24, 3)), "WEBP"),
    "tiff": encode_tiff(noise(24, 24, 3), srgb_profile(), b"<x/>"),
    "tiff16": encode_tiff(noise(24, 24, 4, bits=16), None, b""),
    "avif": saved(Image.fromarray(noise(24, 24, 3)), "AVIF"),
}


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_damage_gets_past_as_anything_but_a_sentence(data: st.DataObject) -> None:
    """Cut files anywhere and overwrite bytes anywhere: a picture or a RequestError comes back, without a warning."""
    whole = bytearray(KINDS[data.draw(st.sampled_from(sorted(KINDS)))])
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            picture = read_picture(cut)
        except RequestError:
            return
    assert picture.pixels.ndim == 3
    assert picture.pixels.shape[2] == 4


def test_open_picture_states_the_file(tmp_path: Path) -> None:
    data = saved(Image.fromarray(noise(8, 8, 3)), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    opened = open_picture(tmp_path / "a.png")
    assert opened.bytes == len(data)
    assert opened.sha256 == hashlib.sha256(data).hexdigest()
    assert opened.path == str(tmp_path / "a.png")
    assert opened.digest == digest(read_picture(data))


def test_counting_the_pictures_of_a_cut_file_says_nothing_beside(recwarn: pytest.WarningsRecorder) -> None:
    two = io.BytesIO()
    Image.new("RGB", (8, 8)).save(two, "TIFF", save_all=True, append_images=[Image.new("RGB", (4, 4))])
    assert holds_several(two.getvalue())
    for length in range(8, len(two.getvalue()), 4):
        holds_several(two.getvalue()[:length])
    assert [str(warning.message) for warning in recwarn] == []


def test_reading_takes_memory_for_what_comes_not_for_what_might(monkeypatch: pytest.MonkeyPatch) -> None:
    read, least, asked = io.BytesIO(b"x" * 10), 2**30, list[int]()

    class Pipe(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size or -1)
            return read.read(size)

    assert read_all(Pipe(), "a pipe") == b"x" * 10
    assert all(0 < size < least for size in asked)
    monkeypatch.setattr("mlx_model.pictures.read.MAX_BYTES", 10)
    assert read_all(io.BytesIO(b"x" * 10), "a pipe") == b"x" * 10
    with pytest.raises(RequestError, match="a pipe is larger than 2 GiB"):
        read_all(io.BytesIO(b"x" * 11), "a pipe")


def test_the_profiles_of_these_tests_are_what_they_say() -> None:
    """LittleCMS reads the hand-made profiles: a test on a profile that is dropped would prove nothing."""
    for profile, space in ((grey_profile(1.8), "GRAY"), (cmyk_profile(), "CMYK"), (srgb_profile(), "RGB")):
        opened: Any = ImageCms.getOpenProfile(io.BytesIO(profile)).profile
        assert opened.xcolor_space.strip() == space
