"""``ace replay``: the same pixels from the recipe alone, or what is missing, changed or different."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlx_model.cli.replay import differences
from mlx_model.pictures.read import read_picture
from mlx_model.pictures.recipe import KEYWORD, attachments_of
from mlx_model.pictures.write import Metadata, encode_picture
from mlx_model.request import Picture, digest
from tests.mlx_model.cli.conftest import Ace, recipe_in
from tests.mlx_model.locked import lock
from tests.mlx_model.tiny_model import write_tiny_model

SAME = "the pixels are the same as they were"


@pytest.fixture
def result(ace: Ace, tmp_path: Path) -> Path:
    """Edit with every kind of input: a stretched mask, references with and without mask, a control picture."""
    Image.open(tmp_path / "p.png").transpose(Image.Transpose.ROTATE_180).save(tmp_path / "c.png")
    ran = ace(
        *("edit", "p.png", "a star", "--mask", "small.png", "--fit-mask", "-r", "r.png:rm.png", "-r", "r.png"),
        *("--control-picture", "c.png", "--embed-inputs", "-o", "result.png"),
    )
    assert ran.code == 0, ran.err
    return tmp_path / "result.png"


def test_a_result_is_made_again_pixel_for_pixel(ace: Ace, result: Path, tmp_path: Path) -> None:
    ran = ace("replay", result)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == SAME
    again = tmp_path / "result-replay.png"
    assert digest(read_picture(again)) == digest(read_picture(result))
    assert recipe_in(again) == recipe_in(result)


@pytest.mark.parametrize("name", ["a.tif", "a.webp", "a.jpg"])
def test_results_of_every_kind_can_be_replayed(ace: Ace, name: str) -> None:
    assert ace("edit", "p.png", "a star", "-m", "m.png", "-o", name).code == 0
    ran = ace("replay", name, "-o", "again.png", "--json")
    assert ran.code == 0
    assert ran.events[-1] == {"event": "result", "identical": True, "differences": []}


def test_embedded_inputs_are_all_but_the_picture_itself(ace: Ace, result: Path, tmp_path: Path) -> None:
    assert len(attachments_of(result.read_bytes())) == 4, "mask, reference (once), its mask, control picture"
    for name in ("small.png", "r.png", "rm.png", "c.png"):
        (tmp_path / name).unlink()
    assert ace("replay", result).out.splitlines()[-1] == SAME


def test_inputs_that_moved_are_looked_for_in_a_folder(ace: Ace, tmp_path: Path) -> None:
    assert ace("edit", "p.png", "a star", "-m", "m.png", "-o", "result.png").code == 0
    (tmp_path / "moved").mkdir()
    (tmp_path / "p.png").rename(tmp_path / "moved" / "photo")
    (tmp_path / "m.png").rename(tmp_path / "moved" / "mask")
    ran = ace("replay", "result.png")
    assert ran.code == 2
    assert ran.out == ""
    for words in (f"the picture {tmp_path}/p.png is missing", f"the mask {tmp_path}/m.png is missing", "--inputs"):
        assert words in ran.err
    ran = ace("replay", "result.png", "--inputs", "moved")
    assert ran.out.splitlines()[-1] == SAME
    assert ace("replay", "result.png", "--inputs", "nowhere").code == 2


def test_inputs_in_a_folder_that_may_not_be_entered_are_looked_for_elsewhere(
    ace: Ace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    for name in ("p.png", "m.png"):
        shutil.copy(tmp_path / name, shut / name)
    assert ace("edit", "shut/p.png", "a star", "-m", "shut/m.png", "-o", "result.png").code == 0
    lock(shut, monkeypatch)
    ran = ace("replay", "result.png")
    assert ran.code == 2
    assert f"the picture {shut}/p.png is missing" in ran.err
    assert ace("replay", "result.png", "-o", "shut/again.png", "--inputs", ".").code == 2
    assert ace("replay", "result.png", "--inputs", ".").out.splitlines()[-1] == SAME


def test_an_input_that_changed_is_named(ace: Ace, tmp_path: Path) -> None:
    assert ace("edit", "p.png", "a star", "-m", "m.png", "-o", "result.png").code == 0
    shutil.copy(tmp_path / "empty.png", tmp_path / "m.png")
    ran = ace("replay", "result.png")
    assert ran.code == 2
    assert f"the mask {tmp_path}/m.png has changed" in ran.err
    assert "p.png" not in ran.err
    assert not (tmp_path / "result-replay.png").exists()


def test_another_model_of_the_same_name_gives_other_pixels_and_says_so(
    ace: Ace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ace("edit", "p.png", "a star", "-m", "m.png", "-o", "result.png").code == 0
    other = write_tiny_model(tmp_path / "models" / "tiny", seed=1)
    monkeypatch.setenv("ACE_MODELS", str(other.parent))
    ran = ace("replay", "result.png")
    assert ran.code == 0
    assert "the pixels differ from what they were: the model tiny has other contents" in ran.out
    shutil.rmtree(other.parent)
    ran = ace("replay", "result.png", "-o", "b.png")
    assert ran.out.splitlines()[-1] == SAME, "found where its folder last was"


def test_a_result_that_was_painted_over_is_told_apart(ace: Ace, tmp_path: Path) -> None:
    assert ace("edit", "p.png", "a star", "-m", "m.png", "-o", "result.png").code == 0
    recipe, picture = recipe_in(tmp_path / "result.png"), read_picture(tmp_path / "result.png")
    painted = Picture((picture.pixels // 2).astype(np.uint8))
    (tmp_path / "result.png").write_bytes(encode_picture("png", painted, Metadata({KEYWORD: recipe.to_json()})))
    ran = ace("replay", "result.png")
    assert ran.out.splitlines()[-1] == SAME
    assert "was changed by another program" in ran.err


def test_every_difference_is_a_sentence(result: Path) -> None:
    then = recipe_in(result)
    now = replace(
        then,
        model_digest="0" * 64,
        adapters={"bold": "1" * 64},
        versions={**then.versions, "mlx": "99"},
        device="GPU Apple M9",
    )
    assert differences(then, then) == []
    assert differences(then, now) == [
        "the model tiny has other contents than the tiny of then",
        "the adapter bold has other contents than then",
        f"mlx was {then.versions['mlx']}, now 99",
        f"the device was {then.device}, now GPU Apple M9",
    ]


def test_a_replay_never_replaces_what_it_replays(ace: Ace, result: Path) -> None:
    before = result.read_bytes()
    ran = ace("replay", result, "-o", result)
    assert ran.code == 2
    assert "another name" in ran.err
    assert result.read_bytes() == before
