"""Which models are here, which one paints, and what a document is edited with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.model_shelf import look
from ace_desktop.model_words import duration, memory, size
from ace_desktop.models import BUILT_IN
from ace_desktop.places import resources
from mlx_model.library import recommendation
from mlx_model.library.download import FileRecord
from mlx_model.library.record import RECORD_FORMAT, PartRecord, Record

GIB = 1 << 30


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of models with one in it: the built-in one by another name."""
    monkeypatch.delenv("ACE_MODELS", raising=False)
    shutil.copytree(resources() / "models" / "pocket", tmp_path / "models" / "mine")
    return tmp_path / "models"


def test_the_built_in_model_is_there_before_anything_was_looked_at(desktop: Desktop) -> None:
    models = desktop.models
    assert models.shelf is None
    found = models.find(BUILT_IN)
    assert found is not None
    assert found[0] == resources() / "models" / "pocket"
    assert found[1].name == BUILT_IN
    assert models.find("mine") is None


def test_models_are_found_in_the_chosen_folder_and_one_of_them_paints(
    desktop: Desktop, folder: Path, qtbot: QtBot
) -> None:
    switched: list[str] = []
    desktop.models.switched.connect(switched.append)
    desktop.kept.change(models_folder=str(folder))
    qtbot.waitUntil(lambda: desktop.models.find("mine") is not None)
    assert desktop.models.chosen == BUILT_IN
    desktop.models.choose("mine")
    assert (desktop.models.chosen, switched) == ("mine", ["mine"])
    shutil.rmtree(folder / "mine")
    desktop.models.look()
    qtbot.waitUntil(lambda: desktop.models.find("mine") is None)
    assert desktop.models.chosen == BUILT_IN, "one that is gone cannot paint"


def test_what_is_damaged_is_listed_and_not_used(desktop: Desktop, folder: Path, qtbot: QtBot) -> None:
    (folder / "mine" / "config.json").write_text("{}")
    desktop.kept.change(models_folder=str(folder))
    qtbot.waitUntil(lambda: desktop.models.model("mine") is not None)
    assert desktop.models.find("mine") is None


def test_a_model_with_a_file_cut_short_is_not_used(desktop: Desktop, folder: Path, qtbot: QtBot) -> None:
    file = FileRecord("clip.safetensors", (folder / "mine" / "clip.safetensors").stat().st_size, "0" * 64)
    part = PartRecord("clip", "here", None, digests_checked=True, sources=(), files=(file,))
    Record(RECORD_FORMAT, "mine", "mine", "8bit", "test", (), (part,)).save(folder / "mine")
    desktop.kept.change(models_folder=str(folder))
    qtbot.waitUntil(lambda: desktop.models.find("mine") is not None)
    os.truncate(folder / "mine" / "clip.safetensors", 10)
    desktop.models.look()
    qtbot.waitUntil(lambda: desktop.models.find("mine") is None)
    assert desktop.models.model("mine") is not None, "it is listed as damaged"


def test_the_environment_goes_before_the_preferences(
    desktop: Desktop, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop.kept.change(models_folder=str(tmp_path / "other"))
    assert desktop.models.folder == tmp_path / "other"
    monkeypatch.setenv("ACE_MODELS", str(folder))
    assert desktop.models.folder == folder
    assert desktop.models.folder_is_given


@pytest.mark.parametrize(
    ("gigabytes", "width", "fits"), [(8, "3bit", "small"), (16, "5bit", "at ease"), (64, "bf16", "at ease")]
)
def test_a_width_is_recommended_by_this_machines_memory(
    gigabytes: int, width: str, fits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ace_desktop import model_shelf

    monkeypatch.setattr(model_shelf, "memory_bytes", lambda: gigabytes * GIB)
    shelf = look(tmp_path)
    assert shelf.machine.usable == recommendation.usable_bytes(gigabytes * GIB)
    fft = next(family for family in shelf.families if family.name == "ace-plus-fft")
    assert fft.recommended is not None
    assert (fft.recommended.width, fft.recommended.fits) == (width, fits)
    assert not fft.account
    fill = next(family for family in shelf.families if family.name == "ace-plus-fill")
    assert fill.account
    assert fill.otherwise


def test_sizes_and_times_are_written_as_people_read_them(desktop: Desktop) -> None:
    assert desktop.kept.value.language == "en"
    assert [size(n) for n in (0, 999, 15_075_339, 34_178_099_390)] == ["0 B", "999 B", "15 MB", "34.2 GB"]
    assert [memory(n * GIB) for n in (8, 10.66, 23.5)] == ["8 GB", "10.7 GB", "24 GB"]
    said = [duration(seconds) for seconds in (5, 90, 3599, 5400)]
    assert said == ["less than a minute left", "about 2 min left", "about 1 h 0 min left", "about 1 h 30 min left"]
