"""A project saved and opened is the same document, and other programs read what they should."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ace_desktop.document.compose import compose
from ace_desktop.document.equality import equal
from ace_desktop.document.geometry import Rect
from ace_desktop.document.openraster_read import read_openraster
from ace_desktop.document.openraster_write import write_openraster
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import GroupLayer, Layer, RasterLayer, State, walk
from tests.ace_desktop.document.drawings import noise, plain, raster, states
from tests.mlx_model.pictures.profiles import srgb_profile

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)), max_leaves=5)  # fmt: skip


@given(states(), st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_comes_back_equal(tmp_path: Path, state: State, data: st.DataObject) -> None:
    """Pixels under no alpha, masks, empty layers, names no XML holds, settings, attached files: all of it."""
    layers = [
        replace(
            layer,
            name=data.draw(ANY_TEXT),
            locked=data.draw(st.booleans()),
            extra=data.draw(st.dictionaries(ANY_TEXT, JSON, max_size=2)),
        )
        for layer in state.layers
    ]
    state = replace(
        state,
        layers=(*layers, raster((0, 0, 0, 0))),
        settings=MappingProxyType(data.draw(st.dictionaries(st.text(), JSON, max_size=3))),
        profile=data.draw(st.sampled_from((None, srgb_profile()))),
        resolution=data.draw(st.floats(0.01, 1e6)),
        attachments=MappingProxyType(data.draw(st.sampled_from(({}, {"data/layer000.png": b"x", "ace/notes": b""})))),
    )
    path = tmp_path / "a.ora"
    write_openraster(path, state)
    assert equal(read_openraster(path), state)


def masked_document() -> State:
    half = Plane.of(np.full((30, 20, 1), 128, np.uint8))
    group = GroupLayer(
        children=(raster((255, 0, 0, 255), Rect(-5, -5, 20, 20), name="red"),), name="group", x=10, y=10, mask=half
    )
    return State(width=40, height=30, layers=(raster((0, 0, 255, 255), name="blue", blend="multiply"), group))


def test_other_programs_find_what_the_format_promises(tmp_path: Path) -> None:
    """Read with zipfile, ElementTree and Pillow only: order, offsets, modes, masks in the alpha, merged picture."""
    path, state = tmp_path / "a.ora", replace(masked_document(), profile=srgb_profile(), resolution=300.0)
    write_openraster(path, state)
    with zipfile.ZipFile(path) as file:
        assert file.infolist()[0].filename == "mimetype"
        assert file.infolist()[0].compress_type == zipfile.ZIP_STORED
        assert file.read("mimetype") == b"image/openraster"
        image = ElementTree.fromstring(file.read("stack.xml"))  # noqa: S314  (our own)
        assert (image.get("w"), image.get("h"), image.get("xres")) == ("40", "30", "300")
        group, blue = image[0]
        assert (group.tag, group.get("name"), blue.get("composite-op")) == ("stack", "group", "svg:multiply")
        assert (group[0].get("x"), group[0].get("y")) == ("5", "5")
        red = Image.open(file.open(group[0].attrib["src"]))
        assert red.size == (20, 20)
        assert red.getpixel((6, 6)) == (255, 0, 0, 128)
        assert red.getpixel((4, 4)) == (255, 0, 0, 0)
        merged = Image.open(file.open("mergedimage.png"))
        assert np.array_equal(np.asarray(merged), compose(state))
        assert merged.info["icc_profile"] == srgb_profile()
        assert round(merged.info["dpi"][0]) == 300
        assert max(Image.open(file.open("Thumbnails/thumbnail.png")).size) <= 256


def test_a_16_bit_layer_is_a_16_bit_png(tmp_path: Path) -> None:
    path = tmp_path / "a.ora"
    layer = RasterLayer(pixels=Plane.of(noise(1, 9, 7, depth=16)), name="deep")
    write_openraster(path, State(width=9, height=7, layers=(layer,)))
    with zipfile.ZipFile(path) as file:
        assert file.read("data/layer000.png")[24] == 16


def rewritten(path: Path, **changed: bytes | None) -> Path:
    """Copy an archive with entries replaced, added or (None) left out; names are given with _ for / and ."""
    out = path.with_name("changed.ora")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        entries = {info.filename: old.read(info) for info in old.infolist()}
        for name, data in {**entries, **changed}.items():
            if data is not None:
                new.writestr(name, data)
    return out


def test_what_another_program_changed_counts(tmp_path: Path) -> None:
    """Its layers replace ours; our saved masks and settings stay, and nothing is masked twice."""
    path, state = tmp_path / "a.ora", replace(masked_document(), settings=MappingProxyType({"seed": 7}))
    state = replace(state, masks=MappingProxyType({"sky": plain((128,))}))
    write_openraster(path, state)
    with zipfile.ZipFile(path) as file:
        stack = file.read("stack.xml").replace(b'name="red"', b'name="painted over"')
    opened = read_openraster(rewritten(path, **{"stack.xml": stack}))
    assert [layer.name for layer in walk(opened.layers)] == ["blue", "group", "painted over"]
    assert opened.layers[1].mask is None
    assert np.array_equal(compose(opened), compose(state))
    assert opened.masks["sky"].equals(state.masks["sky"])
    assert opened.settings["seed"] == 7


def png_of(colour: tuple[int, int, int, int], size: tuple[int, int] = (4, 4)) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", size, colour).save(file, "PNG")
    return file.getvalue()


FOREIGN = """<?xml version='1.0'?><image xmlns:my="urn:my" version='0.0.3' w='8' h='6' my:zoom='2' lamp="on">
<stack><layer name='top' src='data/t.png' x='2' y='-1' opacity='0.5' composite-op='svg:color-dodge' my:ink='x&lt;"'/>
<filter/><stack name='g' x='1'><layer src='data/b.png' visibility='hidden' edit-locked='true'/></stack></stack>
</image>"""


def test_unknown_things_are_kept_and_written_back(tmp_path: Path) -> None:
    """Attributes of the image and of layers, an unknown mode, whole entries; the person is told once."""
    path, told = tmp_path / "a.ora", list[str]()
    entries = {"mimetype": b"image/openraster", "stack.xml": FOREIGN.encode(), "extra/notes.txt": b"hello"}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in {**entries, "data/t.png": png_of((1, 2, 3, 4)), "data/b.png": png_of((5, 6, 7, 8))}.items():
            file.writestr(name, data)
    state = read_openraster(path, told.append)
    group, top = state.layers
    assert len(told) == 1
    assert "svg:color-dodge" in told[0]
    assert "<filter>" in told[0]
    assert (top.name, top.opacity, top.blend, top.x, top.y) == ("top", 0.5, "normal", 2, -1)
    assert isinstance(group, GroupLayer)
    assert (group.children[0].x, group.children[0].visible, group.children[0].locked) == (1, False, True)

    write_openraster(path, state)
    assert equal(read_openraster(path), state)
    with zipfile.ZipFile(path) as file:
        assert file.read("extra/notes.txt") == b"hello"
        image = ElementTree.fromstring(file.read("stack.xml"))  # noqa: S314  (our own)
    assert (image.get("{urn:my}zoom"), image.get("lamp")) == ("2", "on")
    assert image[0][0].get("{urn:my}ink") == 'x<"'
    assert image[0][0].get("composite-op") == "svg:color-dodge"


def test_a_second_save_packs_only_the_bands_that_changed(tmp_path: Path) -> None:
    """Three bands of each layer and of the merged picture: a dab changes one tile of one layer.

    That tile reaches one row into the merged picture's next band, since its layer stands one pixel lower.
    """
    path = tmp_path / "a.ora"
    layers = tuple(RasterLayer(pixels=Plane.of(noise(n, 300, 700)), name=str(n), x=n, y=n) for n in (0, 1))
    state = State(width=300, height=700, layers=layers)
    first = write_openraster(path, state)
    dabbed = replace(layers[1], pixels=layers[1].pixels.written(noise(9, 20, 20), 30, 300))
    state = replace(state, layers=(layers[0], dabbed))
    second = write_openraster(path, state, first)
    kept = [band for band in second.bands.values() if any(band is old for old in first.bands.values())]
    assert (len(second.bands), len(kept)) == (9, 6)
    assert equal(read_openraster(path), state)
    saved = hashlib.sha256(path.read_bytes()).hexdigest()
    write_openraster(path, state)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == saved, "a save with and without help is the same"


def flipped(mask: Plane | None) -> Plane | None:
    """Return a mask of the very same tiles that is the other way round outside them."""
    return None if mask is None else Plane(1, 8, 255 - mask.default, mask.tiles)


CHANGES: Mapping[str, Callable[[Layer], Layer]] = {
    "moved": lambda layer: replace(layer, x=layer.x + 1),
    "opacity": lambda layer: replace(layer, opacity=0.25),
    "visible": lambda layer: replace(layer, visible=not layer.visible),
    "mask enabled": lambda layer: replace(layer, mask_enabled=not layer.mask_enabled),
    "mask outside": lambda layer: replace(layer, mask=flipped(layer.mask)),
    "no mask": lambda layer: replace(layer, mask=None),
    "blend": lambda layer: replace(layer, blend="screen"),
    "in a group": lambda layer: GroupLayer(children=(layer,), name="g", mask=plain((99,)), x=3),
}


@pytest.mark.parametrize("change", list(CHANGES))
@given(states(), st.data())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_an_earlier_save_packed_never_shows_where_it_should_not(
    tmp_path: Path, change: str, state: State, data: st.DataObject
) -> None:
    """After one change, or layers exchanged as well, the file is the one that a save without help makes."""
    number = data.draw(st.integers(0, len(state.layers) - 1))
    layers = [CHANGES[change](layer) if at == number else layer for at, layer in enumerate(state.layers)]
    later = replace(state, layers=tuple(data.draw(st.just(layers) | st.permutations(layers))))
    write_openraster(tmp_path / "a.ora", later, write_openraster(tmp_path / "a.ora", state))
    write_openraster(tmp_path / "b.ora", later)
    assert (tmp_path / "a.ora").read_bytes() == (tmp_path / "b.ora").read_bytes()


@pytest.mark.parametrize("missing", ["mimetype", "mergedimage.png", "Thumbnails/thumbnail.png"])
def test_what_can_be_done_without_may_be_missing(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "a.ora"
    state = masked_document()
    write_openraster(path, state)
    assert equal(read_openraster(rewritten(path, **{missing: None})), state)


def test_a_later_format_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "a.ora"
    write_openraster(path, masked_document())
    with zipfile.ZipFile(path) as file:
        later = json.loads(file.read("ace/document.json")) | {"format": 2}
    with pytest.raises(ValueError, match="later version"):
        read_openraster(rewritten(path, **{"ace/document.json": json.dumps(later).encode()}))
