"""A result carries its recipe in every kind of file, and its inputs are found again or named."""

import io
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mlx_model.pictures.inputs import Inputs, check_mask, check_size, find_inputs
from mlx_model.pictures.read import file_of, open_picture
from mlx_model.pictures.recipe import (
    KEYWORD,
    SavedRecipe,
    attachments_of,
    find_recipe,
    metadata_for,
    parameters_line,
    recipe_from_json,
)
from mlx_model.pictures.write import encode_picture, write_picture
from mlx_model.request import Adapter, EditRequest, Picture, Reference, RequestError, digest
from tests.mlx_model.locked import lock
from tests.mlx_model.pictures.profiles import srgb_profile

SOURCE_TYPE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


def picture(seed: int = 0, height: int = 20, width: int = 30, bits: int = 8) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (height, width, 4))
    return Picture(pixels.astype(np.uint8) if bits == 8 else pixels.astype(np.uint16), srgb_profile())


def recipe(inputs: Inputs | None = None, **changes: Any) -> SavedRecipe:
    request = EditRequest(
        instruction='put the <heart> & "star" here\n빨간 별 ]]>',
        picture="a" * 64,
        mask="b" * 64,
        references=(Reference("c" * 64, "d" * 64), Reference("e" * 64)),
        task="reference",
        strength=0.5,
        adapters=(Adapter("local", 0.25),),
        region=(1, 2, 3, 4),
        seed=2**63,
        steps=8,
        guidance=50.0,
    )
    entries = tuple(inputs.entries) if inputs else ()
    versions = {"ace": "0.1.0", "mlx": "0.32.4"}
    made = SavedRecipe(
        request, "pocket", "/models/pocket", "f" * 64, {"local": "9" * 64}, versions, "CPU", entries, "7" * 64
    )
    return replace(made, **changes)


@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "jpeg"])
def test_the_recipe_comes_back_from_every_kind_of_file(kind: str) -> None:
    inputs = Inputs()
    inputs.add("mask", file_of(encode_picture("png", picture(1)), "m.png", "/a/m.png"), fit=(40, 50))
    written = recipe(inputs)
    data = encode_picture(kind, picture(), metadata_for(written, (30, 20), kind))
    assert find_recipe(data, "x") == written


@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "jpeg"])
def test_file_names_that_are_not_unicode_come_back(kind: str) -> None:
    name = os.fsdecode("별".encode("cp949"))
    inputs = Inputs()
    inputs.add("picture", file_of(encode_picture("png", picture(1)), "p.png", f"/빨간/{name}.png"))
    written = recipe(inputs, model_folder=f"/models/{name}", adapters={f"/{name}.safetensors": "9" * 64})
    assert "빨간" in written.to_json(), "what is Unicode stays readable"
    data = encode_picture(kind, picture(), metadata_for(written, (30, 20), kind))
    assert find_recipe(data, "x") == written


def test_every_setting_is_written_out_so_that_later_defaults_change_nothing() -> None:
    text = recipe(request=EditRequest()).to_json()
    for name in EditRequest.__dataclass_fields__:
        assert f'"{name}"' in text, name


@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "jpeg"])
@pytest.mark.parametrize("edited", [True, False])
def test_xmp_is_well_formed_and_says_whether_it_was_edited_or_generated(kind: str, edited: bool) -> None:
    made = recipe() if edited else recipe(request=EditRequest("a star"))
    data = encode_picture(kind, picture(), metadata_for(made, (30, 20), kind))
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        xmp: Any = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
    packet = re.sub(r"<\?xpacket.*?\?>", "", xmp.decode() if isinstance(xmp, bytes) else xmp)
    (source,) = ElementTree.fromstring(packet.strip().rstrip("\0")).iter(SOURCE_TYPE)  # noqa: S314  (our own)
    word = "compositeWithTrainedAlgorithmicMedia" if edited else "trainedAlgorithmicMedia"
    assert source.text == f"http://cv.iptc.org/newscodes/digitalsourcetype/{word}"


def test_the_parameters_line_is_readable_by_other_programs() -> None:
    line = parameters_line(recipe(), (640, 480))
    *instruction, settings = line.split("\n")
    assert "\n".join(instruction) == recipe().request.instruction
    read = dict(re.findall(r"\s*([\w ]+):\s*([^,]*)(?:,|$)", settings))
    assert read["Seed"] == str(2**63)
    assert (read["Steps"], read["Size"], read["Model"], read["Sampler"]) == ("8", "640x480", "pocket", "Euler")
    assert (read["Distilled CFG Scale"], read["Model hash"]) == ("50.0", "f" * 10)


def test_files_without_a_recipe_or_with_a_damaged_one_say_so() -> None:
    with pytest.raises(RequestError, match=r"x.png carries no recipe"):
        find_recipe(encode_picture("png", picture()), "x.png")
    for text, words in (
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"format": 1}', "damaged"),
        ('{"format": 2}', "later version"),
        (recipe().to_json().replace('"seed"', '"sead"'), "does not know: sead"),
        (recipe().to_json().replace('"device"', '"divice"'), "damaged"),
    ):
        with pytest.raises(RequestError, match=words):
            recipe_from_json(text, "x.png")


def test_the_recipe_chunk_is_in_the_png_for_any_program_to_see() -> None:
    data = encode_picture("png", picture(), metadata_for(recipe(), (30, 20), "png"))
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.text[KEYWORD] == recipe().to_json()  # type: ignore[attr-defined]
        assert image.text["parameters"].startswith("put the <heart>")  # type: ignore[attr-defined]


# Inputs


def files(folder: Path) -> Inputs:
    """Write a 16-bit picture, a mask that has to be stretched, a reference."""
    inputs = Inputs()
    for role, name, made, fit in (
        ("picture", "p.png", picture(1, 40, 50, bits=16), None),
        ("mask", "m.png", picture(2, 20, 25), (50, 40)),
        ("reference 1", "r.tif", picture(3), None),
    ):
        write_picture(folder / name, made)
        inputs.add(role, open_picture(folder / name), fit)
    return inputs


def same(found: Inputs, inputs: Inputs) -> bool:
    found_digests = {name: digest(p) for name, p in found.pictures.items()}
    return found_digests == {name: digest(p) for name, p in inputs.pictures.items()}


def test_inputs_are_found_at_their_last_paths(tmp_path: Path) -> None:
    inputs = files(tmp_path)
    assert all(digest(p) == name for name, p in inputs.pictures.items())
    assert inputs.entries[1].fitted == (50, 40)
    assert same(find_inputs(inputs.entries), inputs)


def test_moved_and_renamed_inputs_are_found_in_a_folder_by_content(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    inputs = files(tmp_path / "old")
    new = tmp_path / "new" / "deep"
    new.mkdir(parents=True)
    for index, path in enumerate(sorted((tmp_path / "old").iterdir())):
        path.rename(new / f"{index}.bin")
    (new / "other.bin").write_bytes(bytes(inputs.entries[0].bytes))  # as large, but not it
    with pytest.raises(RequestError, match=r"p\.png is missing.*m\.png is missing.*r\.tif is missing.*--inputs"):
        find_inputs(inputs.entries)
    found = find_inputs(inputs.entries, folder=tmp_path / "new")
    assert same(found, inputs)
    assert {Path(entry.path).parent for entry in found.entries} == {new}, "the new recipe names the new places"
    with pytest.raises(RequestError, match="does not have it"):
        find_inputs(inputs.entries, folder=tmp_path / "old")


def test_inputs_in_a_folder_that_may_not_be_entered_are_found_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locked").mkdir()
    inputs = files(tmp_path / "locked")
    shutil.copytree(tmp_path / "locked", tmp_path / "all" / "copy")
    (tmp_path / "all" / "shut").mkdir()
    (tmp_path / "all" / "shut" / "p.png").touch()
    lock(tmp_path / "locked", monkeypatch)
    lock(tmp_path / "all" / "shut", monkeypatch)
    with pytest.raises(RequestError, match=r"p\.png is missing.*--inputs"):
        find_inputs(inputs.entries)
    assert same(find_inputs(inputs.entries, folder=tmp_path / "all"), inputs)
    odd = [
        replace(entry, path=path) for entry, path in zip(inputs.entries, ("a\0", "x" * 300, "\ud800"), strict=True)
    ]
    assert same(find_inputs(odd, folder=tmp_path / "all"), inputs)


def test_a_changed_input_is_named_as_changed(tmp_path: Path) -> None:
    inputs = files(tmp_path)
    write_picture(tmp_path / "m.png", picture(9))
    with pytest.raises(RequestError, match=r"the mask \S+m\.png has changed") as caught:
        find_inputs(inputs.entries)
    assert "p.png" not in str(caught.value)
    assert inputs.entries[1].sha256[:12] in str(caught.value)
    (tmp_path / "m.png").write_bytes(b"damaged")
    with pytest.raises(RequestError, match="has changed"):
        find_inputs(inputs.entries)


def test_a_file_whose_pixels_are_unchanged_is_as_good(tmp_path: Path) -> None:
    inputs = files(tmp_path)
    data = encode_picture("png", picture(2, 20, 25), metadata_for(recipe(), (25, 20), "png"))
    (tmp_path / "m.png").write_bytes(data)
    assert same(find_inputs(inputs.entries), inputs)


def test_embedded_inputs_travel_in_the_png(tmp_path: Path) -> None:
    inputs = files(tmp_path)
    embedded = [encode_picture("png", inputs.pictures[entry.digest]) for entry in inputs.entries[1:]]
    saved = encode_picture("png", picture(), metadata_for(recipe(inputs), (30, 20), "png", embedded))
    for name in ("m.png", "r.tif"):
        (tmp_path / name).unlink()
    assert same(find_inputs(find_recipe(saved, "x").inputs, attachments_of(saved)), inputs)


def test_an_input_that_came_through_a_pipe_is_named_so() -> None:
    inputs = Inputs()
    inputs.add("picture", file_of(encode_picture("png", picture()), "standard input", "-"))
    with pytest.raises(RequestError, match="the picture came through a pipe"):
        find_inputs(inputs.entries)


def test_sizes_are_checked_with_a_way_out() -> None:
    with pytest.raises(RequestError, match=r"x\.png is 15×20: at least 16 pixels"):
        check_size(picture(0, 20, 15), "x.png")
    check_size(picture(0, 16, 16), "x.png")
    with pytest.raises(RequestError, match=r"the mask m is 30×20 but p is 40×20.*--fit-mask"):
        check_mask(picture(), "m", (40, 20), "p", fit=False)
    check_mask(picture(), "m", (40, 20), "p", fit=True)
    check_mask(picture(), "m", (30, 20), "p", fit=False)
