"""What a camera wrote survives into every kind of file; what would betray or mislead does not."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from mlx_model.pictures.camera import camera_data
from mlx_model.pictures.write import Metadata, encode_picture
from mlx_model.request import Picture

PHOTO, GPS = 0x8769, 0x8825


def photograph() -> bytes:
    """Make a JPEG as a phone writes it: turned, with a place, a thumbnail's directory and notes of the maker."""
    exif = Image.Exif()
    exif[271], exif[272], exif[274] = "Maker", "Model 3", 6
    exif[315], exif[33432] = "이진".encode(), "© 이진".encode()
    exif[306] = "2026:05:01 10:00:00"
    photo = exif.get_ifd(PHOTO)
    photo[36867], photo[36881] = "2026:04:30 18:22:09", "+09:00"
    photo[33434], photo[33437], photo[34855] = TiffImagePlugin.IFDRational(1, 250), 2.8, 400
    photo[37380], photo[37386], photo[42036] = TiffImagePlugin.IFDRational(-2, 3), 35.0, "35mm F1.8"
    photo[37500] = b"notes of the maker"
    exif.get_ifd(GPS)[2] = (37.0, 33.0, 59.0)
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (9, 99, 199)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def told(data: bytes) -> tuple[dict[int, Any], dict[int, Any]]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        exif = image.getexif()
        return dict(exif), dict(exif.get_ifd(PHOTO))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff", "avif"])
@pytest.mark.parametrize("resolution", [None, 300.0])
def test_every_kind_tells_when_with_what_and_whose(kind: str, resolution: float | None) -> None:
    picture = Picture(np.full((30, 40, 4), 255, np.uint8))
    data = encode_picture(kind, picture, Metadata(resolution=resolution, exif=camera_data(photograph())))
    image, photo = told(data)
    assert (image[271], image[272]) == ("Maker", "Model 3")
    assert (image[315], image[33432]) == ("이진".encode().decode("latin1"), "© 이진".encode().decode("latin1"))
    assert (photo[36867], photo[36881]) == ("2026:04:30 18:22:09", "+09:00")
    assert (photo[34855], photo[42036]) == (400, "35mm F1.8")
    assert float(photo[33434]) == pytest.approx(1 / 250)
    assert float(photo[37380]) == pytest.approx(-2 / 3)
    assert float(photo[33437]) == pytest.approx(2.8)


def test_place_thumbnail_notes_and_orientation_are_left_out() -> None:
    kept = camera_data(photograph())
    exif = Image.Exif()
    exif.load(kept)
    assert 274 not in exif
    assert 306 not in exif
    assert not exif.get_ifd(GPS)
    assert 37500 not in exif.get_ifd(PHOTO)
    assert b"notes" not in kept


def test_pictures_that_say_nothing_stay_silent(tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    Image.new("RGB", (4, 4)).save(plain)
    assert camera_data(plain.read_bytes()) == b""
    assert camera_data(b"no picture") == b""
    file = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 8
    Image.new("RGB", (4, 4)).save(file, "JPEG", exif=exif)
    assert camera_data(file.getvalue()) == b""


@given(st.binary(max_size=300), st.integers(0, 200))
def test_damaged_blocks_never_stop_the_opening(noise: bytes, place: int) -> None:
    data = bytearray(photograph())
    data[30 + place : 30 + place + len(noise)] = noise
    assert isinstance(camera_data(bytes(data)), bytes)
