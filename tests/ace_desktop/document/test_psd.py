"""Photoshop files: written with layers, read back by psd-tools, Pillow and us; foreign ones as far as they go."""

import io
import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from psd_tools import PSDImage
from psd_tools.api.layers import Group
from psd_tools.constants import BlendMode

from ace_desktop.document.compose import compose
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.plane import Plane
from ace_desktop.document.psd_read import read_psd
from ace_desktop.document.psd_write import write_psd
from ace_desktop.document.state import GroupLayer, Layer, RasterLayer, State, walk
from tests.ace_desktop.document.drawings import noise, plain, raster, states
from tests.ace_desktop.document.test_openraster import masked_document
from tests.mlx_model.pictures.profiles import srgb_profile


def facts(layer: Layer) -> tuple[object, ...]:
    return (type(layer), layer.name, layer.visible, layer.blend, layer.locked, round(layer.opacity * 255),
            layer.mask is not None, layer.mask is None or layer.mask_enabled)  # fmt: skip


@given(states())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_layers_written_and_read_make_the_same_picture(tmp_path: Path, state: State) -> None:
    """Tree, names, modes, opacities (as 255ths), masks and offsets; 8-bit layers beside 16-bit ones become 16."""
    path = tmp_path / "a.psd"
    steps = tuple(replace(layer, opacity=round(layer.opacity * 255) / 255) for layer in state.layers)
    state = replace(state, layers=steps, profile=srgb_profile(), resolution=240.0)
    write_psd(path, state)
    back = read_psd(path)
    assert [facts(a) for a in walk(back.layers)] == [facts(b) for b in walk(state.layers)]
    assert (back.width, back.height, back.profile, back.resolution) == (40, 30, srgb_profile(), 240.0)
    assert np.abs(compose(back).astype(int) - compose(state)).max() <= 2


def test_16_bits_come_back_exactly(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.psd", noise(3, 9, 7, depth=16)
    write_psd(path, State(width=9, height=7, layers=(RasterLayer(pixels=Plane.of(pixels), name="deep"),)))
    (layer,) = read_psd(path).layers
    assert isinstance(layer, RasterLayer)
    assert layer.pixels.depth == 16
    assert np.array_equal(layer.pixels.read(layer.pixels.content()), pixels[: layer.pixels.content().bottom])


def test_other_programs_see_the_merged_picture_and_the_layers(tmp_path: Path) -> None:
    """Pillow reads the merged picture alone; psd-tools the tree."""
    path, state = tmp_path / "a.psd", replace(masked_document(), profile=srgb_profile())
    state = replace(state, layers=(*state.layers, raster((0, 255, 0, 128), name="유리", blend="screen", opacity=0.4)))
    write_psd(path, state)
    with Image.open(path) as image:
        assert image.info["icc_profile"] == srgb_profile()
        seen = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(seen - compose(state)[..., :3]).max() <= 1
    file = PSDImage.open(path)
    assert [(x.name, x.blend_mode, x.opacity) for x in file] == [
        ("blue", BlendMode.MULTIPLY, 255), ("group", BlendMode.NORMAL, 255), ("유리", BlendMode.SCREEN, 102)
    ]  # fmt: skip
    assert file[1].mask is not None
    assert file[1].mask.bbox[:2] == (10, 10)
    group = file[1]
    assert isinstance(group, Group)
    assert group[0].bbox == (5, 5, 25, 25)


def test_a_transparent_picture_keeps_its_alpha_for_others(tmp_path: Path) -> None:
    path, state = tmp_path / "a.psd", State(width=40, height=30, layers=(raster((200, 100, 50, 128)),))
    write_psd(path, state)
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        assert image.getpixel((3, 3)) == (200, 100, 50, 128)


def test_what_we_lack_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Unknown modes become normal and are named; a clipped layer gets the alpha of its base."""
    path, told = tmp_path / "a.psd", list[str]()
    file = PSDImage.new("RGB", (8, 8))
    base = np.zeros((8, 8, 4), np.uint8)
    base[:, :4] = 255
    file.create_pixel_layer_from_array(base, name="base")
    top = file.create_pixel_layer_from_array(np.full((8, 8, 4), 255, np.uint8), name="top")
    top.clipping, top.blend_mode = True, BlendMode.LINEAR_BURN
    file._record.write(out := io.BytesIO())  # pyright: ignore[reportPrivateUsage]
    path.write_bytes(out.getvalue())
    state = read_psd(path, told.append)
    assert len(told) == 1
    assert "linear burn is shown as normal" in told[0]
    assert "clipped layers" in told[0]
    mask = state.layers[1].mask
    assert mask is not None
    assert mask.content().right == 4


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "RGBA"])
def test_flat_files_of_every_mode_have_one_layer(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "flat.psd"
    image = Image.new("RGBA", (6, 4), (200, 200, 200, 255)).convert(mode)
    PSDImage.frompil(ImageChops.invert(image) if mode == "CMYK" else image).save(path)  # the format counts no ink
    (layer,) = read_psd(path).layers
    assert isinstance(layer, RasterLayer)
    assert layer.name == "flat"
    assert np.abs(layer.pixels.read(layer.pixels.content()).astype(int) - (200, 200, 200, 255)).max() <= 1


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_layers_of_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.psd"
    file = PSDImage.new(mode, (8, 8))
    file.create_pixel_layer(Image.new("L", (4, 4), 200).convert(mode), name="grey", left=2, top=1)
    file._record.write(out := io.BytesIO())  # pyright: ignore[reportPrivateUsage]
    path.write_bytes(out.getvalue())
    (layer,) = read_psd(path).layers
    assert isinstance(layer, RasterLayer)
    assert (layer.x, layer.y) == (2, 1)
    assert np.abs(layer.pixels.read(layer.pixels.content()).astype(int) - (200, 200, 200, 255)).max() <= 2


def test_a_picture_larger_than_any_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.psd"
    write_psd(path, State(width=8, height=8, layers=(raster((1, 2, 3, 255)),)))
    data = bytearray(path.read_bytes())
    data[14:22] = (30000).to_bytes(4, "big") * 2
    path.write_bytes(data)
    with pytest.raises(DocumentError, match="30000×30000"):
        read_psd(path)


@given(st.data())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_open_or_are_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Nothing but a document or a DocumentError, and no words in the log."""
    path = tmp_path / "a.psd"
    group = GroupLayer(children=(raster((1, 2, 3, 4)),), name="g", mask=plain((9,)))
    write_psd(path, State(width=8, height=8, layers=(group,)))
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    path.write_bytes(damaged)
    with suppress(DocumentError):
        read_psd(path)
    assert logging.getLogger("psd_tools").getEffectiveLevel() >= logging.ERROR
