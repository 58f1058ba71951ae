"""Pictures of every kind open as one layer, as they are; what a file is, its bytes say."""

import io
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ace_desktop.document.errors import DocumentError
from ace_desktop.document.export import Export, export_picture
from ace_desktop.document.geometry import Rect
from ace_desktop.document.opening import open_document
from ace_desktop.document.openraster_write import write_openraster
from ace_desktop.document.pictures import avif_bits, picture_document
from ace_desktop.document.plane import Pixels
from ace_desktop.document.psd_write import write_psd
from ace_desktop.document.state import RasterLayer, State
from mlx_model.pictures.write import Metadata, encode_picture
from mlx_model.request import Picture
from tests.ace_desktop.document.drawings import noise, raster
from tests.mlx_model.pictures.profiles import cmyk_profile, srgb_profile


def pixels_of(state: State) -> Pixels:
    (layer,) = state.layers
    assert isinstance(layer, RasterLayer)
    return layer.pixels.read(state.frame)


def save(path: Path, mode: str = "RGB", kind: str = "PNG", **more: object) -> Path:
    Image.new("RGBA", (6, 4), (200, 100, 50, 255)).convert(mode).save(path, kind, **more)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_every_kind_opens_by_its_bytes_whatever_its_name(tmp_path: Path, kind: str) -> None:
    state = open_document(save(tmp_path / "my photo.psd", kind=kind))
    assert (state.width, state.height, state.layers[0].name) == (6, 4, "my photo")
    assert state.active == state.layers[0].id
    assert np.abs(pixels_of(state).astype(int) - (200, 100, 50, 255)).max() <= 6


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_alpha_depth_profile_and_resolution_stay(tmp_path: Path, kind: str, depth: int) -> None:
    path, pixels = tmp_path / "a", noise(1, 7, 5, depth=depth)
    path.write_bytes(encode_picture(kind, Picture(pixels, srgb_profile()), Metadata(resolution=300.0)))  # type: ignore[arg-type]
    state = open_document(path)
    assert np.array_equal(pixels_of(state), pixels)
    assert state.profile == srgb_profile()
    assert state.resolution == pytest.approx(300, abs=0.1)


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
def test_the_resolution_of_lossy_kinds(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(encode_picture(kind, Picture(noise(1, 7, 5)), Metadata(resolution=240.0)))  # type: ignore[arg-type]
    assert open_document(path).resolution == pytest.approx(240)


def test_centimetres_are_counted_as_such(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[282], exif[283], exif[296] = 100.0, 100.0, 3
    assert open_document(save(tmp_path / "a", kind="WEBP", exif=exif)).resolution == pytest.approx(254)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_become_rgb(tmp_path: Path, mode: str) -> None:
    more = {"icc_profile": cmyk_profile()} if mode == "CMYK" else {}
    state = open_document(save(tmp_path / "a", mode, "JPEG", **more))
    assert pixels_of(state).shape == (4, 6, 4)
    assert state.profile is None


def test_a_turned_photo_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    state = open_document(save(tmp_path / "a", kind="JPEG", exif=exif))
    assert (state.width, state.height) == (4, 6)


def test_a_recipe_goes_with_the_layer(tmp_path: Path) -> None:
    """And comes out again with an export: see test_export."""
    assert "recipe" not in open_document(save(tmp_path / "a")).layers[0].extra


def test_projects_and_photoshop_files_are_known_by_their_bytes(tmp_path: Path) -> None:
    state = State(width=40, height=30, layers=(raster((1, 2, 3, 255), name="one"),))
    write_openraster(tmp_path / "project.jpg", state)
    write_psd(tmp_path / "layers.png", state)
    assert [open_document(tmp_path / name).layers[0].name for name in ("project.jpg", "layers.png")] == ["one", "one"]


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "is empty"), (b"hello", "is not a PNG"), (b"8BPS" + bytes(30), "damaged"), (b"PK\3\4", "damaged")],
)
def test_what_is_no_picture_is_refused_with_a_sentence(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(DocumentError, match=says):
        open_document(path)


def test_a_picture_cut_short_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(noise(1, 60, 50)).save(file, "PNG")
    (tmp_path / "a.png").write_bytes(file.getvalue()[:-3000])
    with pytest.raises(DocumentError, match="cut short"):
        open_document(tmp_path / "a.png")


def test_folders_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="is a folder"):
        open_document(tmp_path)
    with pytest.raises(DocumentError, match="no file"):
        open_document(tmp_path / "gone.png")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS reads HEIC")
def test_heic_gets_one_sentence_where_the_system_has_no_decoder(tmp_path: Path) -> None:
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(
        DocumentError, match=r"IMG_1\.HEIC is a HEIC picture, which is read on macOS only; convert it"
    ):
        open_document(path)


def test_the_state_of_a_document_needs_no_decoders() -> None:
    """The window is up before they are loaded."""
    code = "import sys, ace_desktop.document.state; print({'cv2', 'PIL', 'psd_tools'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


def test_what_the_camera_wrote_goes_through_a_project_into_exports_unless_unwanted(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[272], exif[274] = "Camera", 6
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg", exif=exif)
    state = picture_document(tmp_path / "a.jpg")
    assert (state.width, state.height) == (10, 20)
    write_openraster(tmp_path / "a.ora", state)
    again = open_document(tmp_path / "a.ora")
    for wanted in (True, False):
        export_picture(tmp_path / "b.jpg", again, Export("jpeg", camera_data=wanted))
        with Image.open(tmp_path / "b.jpg") as image:
            assert image.size == (10, 20)
            assert image.getexif().get(272) == ("Camera" if wanted else None)
            assert image.getexif().get(274) is None


def test_of_an_animation_or_pages_the_first_opens_with_a_sentence_that_says_so(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    for name in ("a.webp", "pages.tiff"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        said: list[str] = []
        (layer,) = open_document(tmp_path / name, said.append).layers
        assert isinstance(layer, RasterLayer)
        assert layer.pixels.read(Rect(0, 0, 16, 16))[8, 8, 0] > 200, "red"
        assert said == [f"{name} holds more than one picture, of which the first is opened"]


def test_an_avif_of_more_bits_opens_with_a_sentence_that_says_what_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "a.avif"
    written, data = cv2.imencode(".avif", np.full((16, 16, 3), 40000, np.uint16), [cv2.IMWRITE_AVIF_DEPTH, 10])
    assert written
    file.write_bytes(data.tobytes())
    said: list[str] = []
    assert open_document(file, said.append).width == 16
    assert said == ["a.avif has 10 bits a colour, of which 8 are read; convert it to TIFF or PNG to keep all"]
    file.write_bytes(encode_picture("avif", Picture(noise(1, 16, 16))))
    said.clear()
    open_document(file, said.append)
    assert said == []
    assert avif_bits(data.tobytes().replace(b"av1C", b"free")) == 8
    assert avif_bits(b"\0\0\0\x1cftypavif") == 8
