"""The flattened picture as every kind of file: what is kept, what is said to be lost, and nothing else lost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ace_desktop.document.compose import compose
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.export import (
    KINDS,
    Export,
    export_picture,
    flattened,
    kind_of,
    losses,
    recipe_of,
    scaled,
)
from ace_desktop.document.geometry import Rect
from ace_desktop.document.opening import open_document
from ace_desktop.document.plane import Plane
from ace_desktop.document.state import RasterLayer, State
from mlx_model.pictures.read import read_picture
from mlx_model.pictures.recipe import find_recipe
from mlx_model.request import EditRequest
from tests.ace_desktop.document.drawings import noise, plain, raster
from tests.mlx_model.conditioning.rgb_profiles import display_p3
from tests.mlx_model.pictures.profiles import srgb_profile
from tests.mlx_model.pictures.test_recipe import recipe

LAYERED = State(
    width=40, height=30, profile=srgb_profile(), resolution=300.0,
    layers=(raster((10, 20, 30, 255)), raster((200, 100, 50, 128), Rect(5, 5, 10, 10), blend="screen")),
)  # fmt: skip
DEEP = State(width=9, height=7, layers=(RasterLayer(pixels=Plane.of(noise(2, 9, 7, depth=16)), name="deep"),))


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_opens_again_as_what_was_seen(tmp_path: Path, kind: str) -> None:
    """Pixels, profile and resolution; lossy kinds nearly, away from sharp edges."""
    path = tmp_path / f"a{KINDS[kind].suffixes[0]}"
    export_picture(path, LAYERED, Export(kind))
    back = open_document(path)
    apart = np.abs(compose(back).astype(int) - compose(LAYERED))
    assert apart.max() == 0 if KINDS[kind].lossless else apart.mean() < 1.5
    assert back.profile == srgb_profile()
    assert back.resolution == pytest.approx(300, abs=0.1)
    assert kind_of(path) == kind


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bits_stay_where_the_kind_has_them(tmp_path: Path, kind: str) -> None:
    export_picture(tmp_path / "a", DEEP, Export(kind))
    back = read_picture(tmp_path / "a").pixels
    assert back.dtype == np.uint16
    shown = back[..., 3] > 0
    assert np.array_equal(back[shown], noise(2, 9, 7, depth=16)[shown])
    export_picture(tmp_path / "a", DEEP, Export(kind, depth=8))
    assert read_picture(tmp_path / "a").pixels.dtype == np.uint8


def test_what_a_kind_loses_is_data() -> None:
    assert losses(LAYERED, Export("png")) == {"layers"}
    assert losses(DEEP, Export("png")) == frozenset()
    assert losses(DEEP, Export("png", depth=8)) == {"depth"}
    assert losses(DEEP, Export("jpeg")) == {"alpha", "depth", "exactness"}
    assert losses(DEEP, Export("webp")) == {"depth"}
    assert losses(DEEP, Export("webp", quality=80)) == {"depth", "exactness"}
    assert losses(DEEP, Export("avif")) == {"depth", "exactness"}


@pytest.mark.parametrize("depth", [8, 16])
def test_transparency_lies_on_the_chosen_colour_where_there_is_no_alpha(depth: int) -> None:
    """Exactly, in the depth of the layer; white unless chosen."""
    layer = raster((200, 100, 0, 128)) if depth == 8 else replace(
        raster((0, 0, 0, 0)), pixels=plain((51400, 25700, 0, 32896), depth=16))  # fmt: skip
    state = State(width=40, height=30, layers=(layer,))
    assert flattened(state, Export("jpeg")).pixels[3, 3].tolist() == [227, 177, 127, 255]
    seen = flattened(state, Export("jpeg", background=(0, 0, 255))).pixels[3, 3]
    assert seen.tolist() == [100, 50, 127, 255]
    assert flattened(state, Export("png")).pixels[3, 3, 3] in (128, 32896)


def test_quality_makes_files_smaller(tmp_path: Path) -> None:
    state = State(width=64, height=64, layers=(RasterLayer(pixels=Plane.of(noise(1, 64, 64)), name="noise"),))
    for kind in ("jpeg", "webp", "avif"):
        sizes: list[int] = []
        for quality in (30, 95):
            export_picture(tmp_path / "a", state, Export(kind, quality=quality))
            sizes.append((tmp_path / "a").stat().st_size)
        assert sizes[0] < sizes[1], kind


def test_a_size_in_percent(tmp_path: Path) -> None:
    export_picture(tmp_path / "a.png", LAYERED, Export("png", percent=50))
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (20, 15)
    assert flattened(LAYERED, Export("png", percent=250)).size == (100, 75)
    assert flattened(LAYERED, Export("png", percent=0.001)).size == (1, 1)


def test_scaling_lets_no_hidden_colour_in() -> None:
    """Transparent red beside opaque blue: only blue is to be seen, at any size."""
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[:, :10], pixels[:, 10:] = (255, 0, 0, 0), (0, 0, 255, 255)
    for size in ((7, 7), (41, 41)):
        seen = scaled(pixels, size)
        assert seen[seen[..., 3] > 8][:, 0].max() <= 1


def test_conversion_to_srgb_changes_the_numbers_and_not_the_look() -> None:
    """Display P3's numbers become sRGB's, in 8 bits through LittleCMS and in 16 as closely."""
    shallow = State(width=40, height=30, layers=(raster((200, 100, 50, 255)),), profile=display_p3())
    deep = replace(
        shallow, layers=(replace(raster((0, 0, 0, 0)), pixels=plain((51400, 25700, 12850, 65535), depth=16)),)
    )
    seen = flattened(shallow, Export("png", srgb=True))
    assert seen.profile is None
    assert seen.pixels[3, 3].tolist() != [200, 100, 50, 255]
    precise = flattened(deep, Export("png", srgb=True)).pixels[3, 3] / 257
    assert np.abs(precise - seen.pixels[3, 3]).max() <= 1
    assert flattened(shallow, Export("png")).pixels[3, 3].tolist() == [200, 100, 50, 255]


@pytest.mark.parametrize("kind", list(KINDS))
def test_with_or_without_the_recipe(tmp_path: Path, kind: str) -> None:
    """An exported result opens with its recipe on the layer, and that can be exported again."""
    path = tmp_path / "a"
    export_picture(path, LAYERED, Export(kind))
    assert recipe_of(open_document(path)) is None
    export_picture(path, LAYERED, Export(kind, recipe=recipe()))
    assert recipe_of(open_document(path)) == recipe()
    assert find_recipe(path.read_bytes(), "a").request == recipe().request
    assert isinstance(recipe().request, EditRequest)


def test_too_large_for_the_kind_is_said_before_the_work() -> None:
    wide = State(width=70_000, height=1, layers=())
    with pytest.raises(DocumentError, match="70000×1 pixels are more than a JPEG file holds"):
        flattened(wide, Export("jpeg"))
    with pytest.raises(DocumentError, match="choose a smaller size"):
        flattened(wide, Export("webp"))
