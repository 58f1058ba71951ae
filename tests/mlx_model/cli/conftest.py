"""A folder to work in, with sample files and an installed model, and ``ace`` called as a function."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mlx_model.cli.main import run
from mlx_model.pictures.read import read_picture
from mlx_model.pictures.recipe import SavedRecipe, find_recipe


@dataclass
class Ran:
    """How a call of ``ace`` ended and what it said."""

    code: int
    out: str
    err: str
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


Ace = Callable[..., Ran]


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with sample files, which is the current one."""
    draw_samples(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ace(tiny_model: Path, samples: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ace:
    """Call ``ace`` in the folder of the samples, the random model being the default one."""
    assert samples == Path.cwd()
    monkeypatch.setenv("ACE_MODELS", str(tiny_model.parent))
    monkeypatch.setattr("mlx_model.library.folders.DEFAULT_MODEL", tiny_model.name)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        lines = said.out.splitlines() if "--json" in arguments else []
        return Ran(code, said.out, said.err, [json.loads(line) for line in lines])

    return call


def draw_samples(folder: Path) -> None:
    """Draw p.png (96x80), its mask m.png, small.png (the mask at half size), empty.png, r.png (40x32) and rm.png."""
    colours = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    pixels = np.kron(colours, np.ones((16, 16, 1), np.uint8))
    mask = np.zeros((80, 96), np.uint8)
    mask[24:56, 32:64] = 255
    Image.fromarray(pixels).save(folder / "p.png")
    Image.fromarray(mask).save(folder / "m.png")
    Image.fromarray(mask[::2, ::2]).save(folder / "small.png")
    Image.fromarray(mask * 0).save(folder / "empty.png")
    Image.fromarray(pixels[:32, :40]).save(folder / "r.png")
    Image.fromarray(mask[16:48, 56:96]).save(folder / "rm.png")


def pixels_of(path: Path) -> Any:
    """Return the pixels of a picture file."""
    return read_picture(path).pixels


def recipe_in(path: Path) -> SavedRecipe:
    """Return the recipe that a result carries."""
    return find_recipe(path.read_bytes(), str(path))


def names_in(folder: Path) -> Sequence[str]:
    """Return the names of all files below a folder, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
