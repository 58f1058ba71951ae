"""``ace edit`` and ``ace generate``: every option reaches the model, every mistake is one sentence and no file."""

import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mlx_model
from mlx_model.cli.main import run
from mlx_model.pictures.read import read_picture
from mlx_model.pictures.recipe import find_recipe
from mlx_model.pictures.write import write_picture
from mlx_model.request import Adapter, EditRequest, Picture, digest
from mlx_model.runtime import mx
from mlx_model.tasks import TASKS
from tests.mlx_model.cli.conftest import Ace, names_in, pixels_of, recipe_in
from tests.mlx_model.locked import lock
from tests.mlx_model.pictures.profiles import srgb_profile
from tests.mlx_model.tiny_model import tiny_config

LONG = "x" * 300
SAMPLES = ["empty.png", "m.png", "p.png", "r.png", "rm.png", "small.png"]


def test_an_edit_changes_what_the_mask_allows_and_nothing_else(ace: Ace, tmp_path: Path) -> None:
    ran = ace("edit", "p.png", "a red star", "--mask", "m.png", "--grow", 0, "--seed", 3, "-o", "out.png")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("out.png: 96×80, worked on at ")
    assert "repaint · seed 3" in ran.out
    before, after = pixels_of(tmp_path / "p.png"), pixels_of(tmp_path / "out.png")
    inside = pixels_of(tmp_path / "m.png")[..., 0] > 0
    assert np.array_equal(before[~inside], after[~inside])
    changed = (before[inside] != after[inside]).any(axis=1).mean()
    assert changed > 0.5, f"only {changed:.0%} of the masked pixels changed"


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others(ace: Ace, tmp_path: Path) -> None:
    for seed, name in ((3, "a.png"), (3, "b.png"), (4, "c.png")):
        assert ace("edit", "p.png", "a star", "-m", "m.png", "--seed", seed, "-o", name).code == 0
    a, b, c = (pixels_of(tmp_path / name) for name in ("a.png", "b.png", "c.png"))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_without_a_seed_each_run_draws_one_and_says_which(ace: Ace) -> None:
    seeds = {ace("edit", "p.png", "a star", "-m", "m.png").out.split("seed ")[1].split(" ")[0] for _ in range(2)}
    assert len(seeds) == 2


def test_count_makes_variants_with_consecutive_seeds(ace: Ace, tmp_path: Path) -> None:
    ran = ace("edit", "p.png", "a star", "-m", "m.png", "--count", 3, "--seed", 7, "-o", "v.png", "--json")
    assert ran.code == 0
    results = [event for event in ran.events if event["event"] == "result"]
    assert [(e["output"], e["seed"]) for e in results] == [("v-1.png", 7), ("v-2.png", 8), ("v-3.png", 9)]
    assert [recipe_in(tmp_path / f"v-{n}.png").request.seed for n in (1, 2, 3)] == [7, 8, 9]
    assert results[0]["digest"] == digest(read_picture(tmp_path / "v-1.png"))


def test_results_without_a_name_never_replace_anything(ace: Ace, tmp_path: Path) -> None:
    for _ in range(2):
        assert ace("edit", "p.png", "a star").code == 0
    assert ace("generate", "a star", "--count", 2).code == 0
    (tmp_path / "results").mkdir()
    assert ace("edit", "p.png", "a star", "-o", "results").code == 0
    made = set(names_in(tmp_path)) - set(SAMPLES)
    assert made == {"p-edited.png", "p-edited-2.png", "generated.png", "generated-2.png", "results/p-edited.png"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--mask", "m.png"], {"task": "repaint", "strength": 1.0, "steps": 2, "guidance": 50.0}),
        ([], {"task": "instruct", "strength": 0.0}),
        (["--mask", "m.png", "--reference", "r.png"], {"task": "reference"}),
        (["--mask", "m.png", "--control", "canny"], {"task": "control", "control": "canny", "strength": 0.0}),
        (["--mask", "m.png", "--control", "contour"], {"control": "contour"}),
        (["--mask", "m.png", "--control", "mosaic"], {"control": "mosaic"}),
        (["--mask", "m.png", "--control", "grey"], {"control": "grey"}),
        (["--mask", "m.png", "--control-picture", "p.png"], {"control": "as-is"}),
        (["--mask", "m.png", "--task", "remove"], {"task": "remove"}),
        (["--mask", "m.png", "--strength", "0.25"], {"strength": 0.25}),
        (["--mask", "m.png", "--region", "16,16,64,48"], {"region": (16, 16, 64, 48)}),
        (["--steps", "3", "--guidance", "7.5"], {"steps": 3, "guidance": 7.5}),
        (["--max-tokens", "36"], {"max_tokens": 36}),
        (["--size", "64x48"], {"size": (64, 48)}),
        (["--mask", "m.png", "--grow", "9", "--fade", "2"], {"grow": 9, "fade": 2}),
        (["--mask", "m.png", "--no-colour-match"], {"colour_match": False}),
        (["--mask", "m.png"], {"grow": EditRequest.grow, "fade": EditRequest.fade, "colour_match": True}),
    ],
)
def test_every_option_reaches_the_request(
    ace: Ace, tmp_path: Path, arguments: list[str], expected: dict[str, Any]
) -> None:
    ran = ace("edit", "p.png", "make the star red", *arguments, "-o", "out.png")
    assert ran.code == 0, ran.err
    request = recipe_in(tmp_path / "out.png").request
    assert {name: getattr(request, name) for name in expected} == expected


CHANGING = (
    "--steps 3", "--guidance 1", "--strength 0.5", "--region 16,16,64,48", "--grow 20", "--no-colour-match",
    "--size 48x48",
    "--control canny", "--control-picture c.png", "--reference r.png",
)  # fmt: skip


def test_options_change_the_pixels(ace: Ace, tmp_path: Path) -> None:
    """An option that only reached the recipe would be a lie."""
    Image.open(tmp_path / "p.png").transpose(Image.Transpose.ROTATE_180).save(tmp_path / "c.png")
    seen: dict[str, str] = {}
    for more in ("", *CHANGING):
        ran = ace("edit", "p.png", "a star", "-m", "m.png", "--seed", 1, *more.split(), "-o", "out.png")
        assert ran.code == 0, ran.err
        name = digest(read_picture(tmp_path / "out.png"))
        assert name not in seen, f'"{more}" gave the same pixels as "{seen[name]}"'
        seen[name] = more


def test_references_with_and_without_masks_are_named_in_the_recipe(ace: Ace, tmp_path: Path) -> None:
    (tmp_path / "odd:name.png").write_bytes((tmp_path / "r.png").read_bytes())
    ran = ace("generate", "the star", "-r", "r.png:rm.png", "-r", "odd:name.png", "--size", "48x64", "-o", "out.png")
    assert ran.code == 0, ran.err
    recipe = recipe_in(tmp_path / "out.png")
    assert [entry.role for entry in recipe.inputs] == ["reference 1", "mask of reference 1", "reference 2"]
    assert [Path(entry.path).name for entry in recipe.inputs] == ["r.png", "rm.png", "odd:name.png"]
    assert recipe.request.references[1].mask is None
    assert recipe.request.task == "subject"
    assert pixels_of(tmp_path / "out.png").shape == (64, 48, 4)


def test_an_adapter_acts_with_its_strength_and_is_named_by_content(
    ace: Ace, tmp_path: Path, tiny_model: Path
) -> None:
    sizes = tiny_config().transformer
    key = mx.random.key(1)
    down = mx.random.normal((4, sizes.hidden_size), key=key)
    up = mx.random.normal((3 * sizes.hidden_size, 4), key=key)
    layer = "lora_unet_double_blocks_0_img_attn_qkv"
    (tiny_model.parent / "adapters").mkdir(exist_ok=True)
    file = tiny_model.parent / "adapters" / "bold.safetensors"
    mx.save_safetensors(str(file), {f"{layer}.lora_down.weight": down, f"{layer}.lora_up.weight": up})
    (tmp_path / "own.safetensors").write_bytes(file.read_bytes())
    common = ("edit", "p.png", "a star", "-m", "m.png", "--seed", 1)
    made: list[str] = []
    for name, adapter in (("0", None), ("1", "bold"), ("2", "bold=0.5"), ("3", "./own.safetensors=0.5")):
        ran = ace(*common, *(["--adapter", adapter] if adapter else []), "-o", f"{name}.png")
        assert ran.code == 0, ran.err
        made.append(digest(read_picture(tmp_path / f"{name}.png")))
    assert len(set(made[:3])) == 3
    assert made[2] == made[3]
    recipe = recipe_in(tmp_path / "2.png")
    assert recipe.request.adapters == (Adapter("bold", 0.5),)
    own = recipe_in(tmp_path / "3.png")
    assert own.request.adapters == (Adapter(str(tmp_path / "own.safetensors"), 0.5),)
    assert list(own.adapters.values()) == list(recipe.adapters.values())


@pytest.mark.parametrize("name", ["out.png", "out.tif", "out.tiff", "out.webp", "out.jpg", "OUT.JPEG"])
def test_the_kind_of_file_is_read_from_its_name_and_all_carry_the_recipe(ace: Ace, tmp_path: Path, name: str) -> None:
    ran = ace("edit", "p.png", "a star", "-m", "m.png", "-o", name)
    assert ran.code == 0, ran.err
    assert ("lossy" in ran.err) == (name.lower().endswith(("jpg", "jpeg")))
    assert recipe_in(tmp_path / name).request.task == "repaint"
    with Image.open(tmp_path / name) as image:
        assert image.mode == "RGB"


def test_depth_profile_and_alpha_of_the_picture_are_those_of_the_result(ace: Ace, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (64, 80, 4)).astype(np.uint16)
    write_picture(tmp_path / "deep.tif", Picture(pixels, srgb_profile()))
    Image.fromarray(np.pad(np.full((20, 20), 255, np.uint8), ((20, 24), (30, 30)))).save(tmp_path / "dm.png")
    assert ace("edit", "deep.tif", "a star", "-m", "dm.png", "--grow", 0, "-o", "out.png").code == 0
    result = read_picture(tmp_path / "out.png")
    assert result.pixels.dtype == np.uint16
    assert result.profile == srgb_profile()
    outside = np.ones((64, 80), bool)
    outside[20:40, 30:50] = False
    assert np.array_equal(result.pixels[outside], pixels[outside])


def test_json_lines_tell_progress_warnings_and_results(ace: Ace) -> None:
    ran = ace("edit", "p.png", "빨간 별을 그려 줘", "-m", "m.png", "-o", "out.jpg", "--json")
    assert (ran.code, ran.err) == (0, "")
    kinds = [event["event"] for event in ran.events]
    assert kinds[-1] == "result"
    assert kinds.count("warning") == 2
    stages = [event["stage"] for event in ran.events if event["event"] == "progress"]
    assert set(stages) == {"load", "text", "encode", "modulation", "denoise", "decode", "finish"}
    steps = [e["step"] for e in ran.events if e["event"] == "progress" and e["stage"] == "denoise"]
    assert steps == [0, 1, 2]
    result = ran.events[-1]
    assert result["size"] == [96, 80]
    assert len(result["seen_box"]) == 4


def test_korean_is_answered_with_why_it_will_not_work(ace: Ace) -> None:
    ran = ace("edit", "p.png", "재킷을 빨간색으로 바꿔 줘", "-m", "m.png")
    assert ran.code == 0
    assert "text encoder does not know 50%" in ran.err
    assert "text encoder" not in ace("edit", "p.png", "make the jacket red", "-m", "m.png").err


# Pipes


class Pipe(io.TextIOWrapper):
    """Standard input with bytes in it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))


def test_pictures_go_through_pipes(
    ace: Ace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ace("edit", "p.png", "a star", "-m", "m.png", "--seed", 3, "-o", "file.png").code == 0
    out = io.BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdin", Pipe((tmp_path / "p.png").read_bytes()))
        patched.setattr(sys, "stdout", io.TextIOWrapper(out))
        assert run(["edit", "-", "a star", "-m", "m.png", "--seed", "3", "--json"]) == 0
        made = out.getvalue()
    assert digest(read_picture(made)) == digest(read_picture(tmp_path / "file.png"))
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert told[-1]["output"] == "-", "the JSON lines gave way to the picture"
    assert [entry.path for entry in find_recipe(made, "pipe").inputs] == ["-", str(tmp_path / "m.png")]


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("edit missing.png x", "there is no file missing.png"),
        ("edit . x", "is a folder"),
        ("edit broken.png x", "broken.png is not a PNG"),
        ("edit empty.bin x", "empty.bin is empty"),
        ("edit tiny.png x", "tiny.png is 12×30: at least 16 pixels"),
        ("edit p.png", "needs an instruction"),
        ("edit p.png x --mask small.png", "the mask small.png is 48×40 but p.png is 96×80.*--fit-mask"),
        ("edit p.png x --mask empty.png", "the mask is empty"),
        ("edit p.png x --task remove --mask empty.png", "the mask is empty"),
        ("edit p.png x --task repaint", "needs a mask"),
        ("edit p.png x --mask m.png --task reference", "needs at least one reference"),
        ("edit p.png x --mask m.png -r missing.png", "there is no file missing.png"),
        ("edit p.png x --mask m.png -r r.png:m.png", "the mask m.png is 96×80 but r.png is 40×32"),
        ("edit p.png x --mask m.png -r r.png:black.png", "mask of a reference selects nothing"),
        ("edit p.png x --task paint", 'there is no task "paint"; choose one of: generate'),
        ("edit p.png x --mask m.png --control edges", 'there is no control "edges"'),
        ("edit p.png x --mask m.png --control depth", "depth"),
        ("edit p.png x --mask m.png --strength 2", "strength must lie between 0 and 1"),
        ("edit p.png x --mask m.png --strength nan", "strength must lie between 0 and 1"),
        ("edit p.png x --steps 0", "steps must lie between 1"),
        ("edit p.png x --steps 1.5", "--steps"),
        ("edit p.png x --guidance -1", "guidance must lie between 0"),
        ("edit p.png x --guidance inf", "guidance must lie between 0"),
        ("edit p.png x --seed -1", "seed must be a whole number from 0"),
        ("edit p.png x --seed 99999999999999999999", "seed must be a whole number from 0"),
        (f"edit p.png x --seed {2**64 - 2} --count 3", f"3 variants have no seeds from {2**64 - 2} on; begin at"),
        ("edit p.png x --count 0", "--count must lie between 1"),
        ("edit p.png x --mask m.png --grow -1", "grown"),
        ("edit p.png x --region 1,2,3", "a region is X,Y,WIDTH,HEIGHT"),
        ("edit p.png x --region 400,400,50,50", "outside the picture"),
        ("edit p.png x --region 0,0,0,0", "outside the picture"),
        ("edit p.png x --mask m.png --region 0,0,20,20", "mask lies outside the region"),
        ("edit p.png x --size 64", "a size is WIDTHxHEIGHT"),
        ("edit p.png x --size 8x64", "the model works at sizes of 16 to"),
        ("edit p.png x --size 512x512", "272 x 240 is the largest that fits"),
        ("edit p.png x --max-tokens 9", "at most 16 to 8192 tokens of 16 x 16 pixels, not 9"),
        ("edit p.png x --mask m.png --task remove --control grey", "keeps nothing that a control could show"),
        ("edit p.png x --control grey --mask empty.png", "the mask is empty"),
        ("generate x --size 800x100", "800 x 200 or 400 x 100 would work"),
        ("generate x --size 8x64", "sides of 16 to"),
        ("generate x --size 64x99999", "sides of 16 to"),
        ("generate", "needs an instruction"),
        ("generate x --task subject", "needs at least one reference"),
        ("generate x --task repaint", "needs a picture"),
        ("edit p.png x --model nope", 'there is no model "nope"; there are: .*tiny'),
        ("edit p.png x --model .", 'there is no model "."'),
        ("edit p.png x --adapter nope", 'the adapter "nope" is not installed'),
        ("edit p.png x --adapter nope=much", "an adapter is NAME or NAME=STRENGTH"),
        ("edit p.png x --adapter nope.safetensors", "there is no adapter file"),
        ("edit p.png x -o nowhere/out.png", "there is no folder nowhere"),
        ("edit p.png x -o out.gif", "must end in .png"),
        (f"edit p.png x -o {LONG}.png", "cannot write x+.png: File name too long"),
        (f"edit p.png x -o {LONG}.png --count 2", "cannot write x+-1.png: File name too long"),
        (f"edit p.png x --model {LONG}", 'there is no model "x+"'),
        (f"edit p.png x --mask m.png -r {LONG}", "x+ cannot be opened: File name too long"),
        (f"edit p.png x --adapter {LONG}=much", "an adapter is NAME or NAME=STRENGTH"),
        (f"edit {LONG} x", "x+ cannot be opened: File name too long"),
        (f"replay p.png --inputs {LONG}", "there is no folder x+"),
        (f"batch {LONG}", "x+ cannot be opened: File name too long"),
        (f"batch p.png -o {LONG}", "there is no folder x+"),
        ("edit p.png x -o locked/x.png", "cannot write locked/x.png: Permission denied"),
        ("edit p.png x -o locked/x.png --count 2", "cannot write locked/x-1.png: Permission denied"),
        ("edit p.png x -o locked", "cannot write locked/p-edited.png: Permission denied"),
        ("edit p.png x -r locked/p.png:locked/m.png", "locked/p.png cannot be opened: Permission denied"),
        ("edit p.png x --model locked/model", 'there is no model "locked/model"'),
        ("edit p.png x --adapter locked/a.safetensors=0.5", "there is no adapter file locked/a.safetensors"),
        (f"edit p.png x --adapter {LONG}.safetensors", "there is no adapter file x+"),
        ("edit p.png x --adapter locked/a=much", "an adapter is NAME or NAME=STRENGTH"),
        ("edit p.png x --mask locked/m.png", "locked/m.png cannot be opened: Permission denied"),
        ("replay locked/a.png", "locked/a.png cannot be opened: Permission denied"),
        ("edit p.png \udcb0", "the instruction is not valid Unicode text"),
        ("edit \udcb0.png x", r"there is no file \\udcb0.png"),
        ("edit p.png x -o p.png", "is one of the inputs"),
        ("edit p.png x --mask m.png -o ./m.png", "is one of the inputs"),
        ("edit p.png x -o out.jpg --embed-inputs", "only a PNG can hold its inputs"),
        ("edit p.png x --count 2 -o -", "only one picture can go through the pipe"),
        ("edit - x --mask - -o out.png", "only one picture can come through the pipe"),
        ("edit p.png x --unknown", r"No such option.*\(ace --help says more\)"),
        ("edit -p.png x", r"No such option.*\(write \./-p\.png if you mean that file\)"),
        ("edit", "Missing argument 'PICTURE'"),
        ("paint p.png", "No such command 'paint'"),
        ("replay p.png", "p.png carries no recipe"),
        ("replay missing.png", "there is no file missing.png"),
        ("batch missing.jsonl", "there is no file missing.jsonl"),
    ],
)
def test_a_mistake_is_one_sentence_exit_code_2_and_no_file(
    ace: Ace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, words: str
) -> None:
    (tmp_path / "locked").mkdir()
    lock(tmp_path / "locked", monkeypatch)
    (tmp_path / "broken.png").write_bytes(b"not a picture at all")
    (tmp_path / "empty.bin").touch()
    (tmp_path / "-p.png").write_bytes((tmp_path / "p.png").read_bytes())
    Image.new("RGB", (12, 30)).save(tmp_path / "tiny.png")
    Image.new("L", (40, 32)).save(tmp_path / "black.png")
    before = names_in(tmp_path)
    ran = ace(*arguments.split())
    assert ran.code == 2, ran
    assert ran.out == ""
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("ace: ")
    assert re.search(words, ran.err), ran.err
    assert names_in(tmp_path) == before


def test_of_an_animation_it_is_said_that_the_first_picture_is_edited(ace: Ace, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    for name in ("a.webp", "a.png", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        ran = ace("edit", name, "a star", "--steps", 1)
        assert (ran.code, ran.err) == (0, f"ace: note: {name} holds more than one picture; the first is edited\n")
    frames[0].save(tmp_path / "camera.jpg", "MPO", save_all=True, append_images=frames[1:])
    assert ace("edit", "camera.jpg", "a star", "--steps", 1).err == ""


def test_a_file_name_in_another_encoding_goes_all_the_way(ace: Ace, tmp_path: Path) -> None:
    name = os.fsdecode("별".encode("cp949"))
    (tmp_path / f"{name}.png").write_bytes((tmp_path / "p.png").read_bytes())
    shown = name.encode("utf-8", "backslashreplace").decode()
    ran = ace("edit", f"{name}.png", "a 빨간 star", "-m", "m.png", "--seed", 1)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{shown}-edited.png: 96×80")
    assert recipe_in(tmp_path / f"{name}-edited.png").inputs[0].path == str(tmp_path / f"{name}.png")
    ran = ace("replay", f"{name}-edited.png", "--json")
    assert ran.code == 0
    assert ran.events[-2]["output"] == f"{name}-edited-replay.png"
    assert ran.events[-1]["identical"]


def test_fit_mask_stretches_masks_of_pictures_and_references(ace: Ace, tmp_path: Path) -> None:
    for mask, name in (("m.png", "a.png"), ("small.png", "b.png")):
        assert ace("edit", "p.png", "a star", "-m", mask, "--fit-mask", "--seed", 1, "-o", name).code == 0
    assert np.array_equal(pixels_of(tmp_path / "a.png"), pixels_of(tmp_path / "b.png"))
    recipe = recipe_in(tmp_path / "b.png")
    assert [entry.fitted for entry in recipe.inputs] == [None, (96, 80)]
    assert ace("generate", "a star", "-r", "r.png:small.png", "--fit-mask", "-o", "c.png").code == 0


def test_an_error_is_told_in_json_as_well(ace: Ace) -> None:
    ran = ace("edit", "missing.png", "x", "--json")
    assert ran.code == 2
    assert ran.events == [{"event": "error", "text": "there is no file missing.png; check the name and the folder"}]
    assert ran.err == "ace: there is no file missing.png; check the name and the folder\n"


def test_too_little_memory_says_how_much_is_needed(ace: Ace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlx_model.memory.machine_limit", lambda: 3_000_000)
    ran = ace("edit", "p.png", "x", "-o", "out.png")
    assert ran.code == 2
    assert "needs" in ran.err
    assert "MB of memory" in ran.err
    assert names_in(tmp_path) == SAMPLES


def test_too_little_memory_names_a_size_that_fits(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what 64 x 64 pixels need, 160 x 160 are refused with a size that then is painted."""
    (facts,) = ace("info", "--json").events
    (need,) = (model["memory"] for model in facts["models"] if model["name"] == "tiny")
    limit = max(need["stages"].values()) + 500_000  # the pictures take some too
    monkeypatch.setattr("mlx_model.memory.machine_limit", lambda: limit)
    ran = ace("generate", "a star", "--size", "160x160", "-o", "out.png")
    assert ran.code == 2
    said = re.search(
        r"this needs \d+ MB of memory and \d+ MB can be used; .* would fit: about (\d+) x \1 pixels", ran.err
    )
    assert said is not None, ran.err
    side = int(said[1])
    assert 64 <= side < 160
    assert ace("generate", "a star", "--size", f"{side}x{side}", "-o", "out.png").code == 0


def test_the_output_is_checked_before_the_model_is_even_loaded(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(*_: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("mlx_model.cli.edit.Editors.of", loaded)
    assert ace("edit", "p.png", "x", "-o", "nowhere/out.png").code == 2
    assert ace("edit", "p.png", "x", "-o", "out.gif").code == 2


def test_a_file_name_with_line_breaks_stays_one_line(ace: Ace) -> None:
    ran = ace("edit", "two\nlines\x1b[31m.png", "x")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "\x1b" not in ran.err


# Tables


def test_tasks_lists_every_task_with_its_needs(ace: Ace) -> None:
    ran = ace("tasks")
    assert ran.code == 0
    for name in TASKS:
        assert f"\n{name} " in f"\n{ran.out}", name
    told = [json.loads(line) for line in ace("tasks", "--json").out.splitlines()]
    assert {row["task"]: row["needs"]["mask"] for row in told} == {n: t.needs_mask for n, t in TASKS.items()}


def test_info_shows_device_memory_versions_and_models_also_broken_ones(ace: Ace, tiny_model: Path) -> None:
    broken = tiny_model.parent / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    ran = ace("info")
    assert ran.code == 0
    for words in (
        "float32" if sys.platform == "linux" else "bfloat16",
        "mlx ",
        "GB",
        "tiny",
        "A tiny model for tests",
    ):
        assert words in ran.out, words
    (facts,) = ace("info", "--json").events
    problems = {model["name"]: model["problem"] for model in facts["models"]}
    assert problems["tiny"] is None
    assert "cannot be used" in problems["broken"]
    (need,) = (model["memory"] for model in facts["models"] if model["name"] == "tiny")
    assert need["canvas"] == [64, 64]
    assert set(need["stages"]) == {"text", "encode", "denoise", "decode", "finish"}
    assert 0 < max(need["stages"].values()) < need["all_kept"]
    (broken / "config.json").unlink()
    broken.rmdir()


def test_help_and_version(ace: Ace) -> None:
    assert ace("--version").out == f"ace {mlx_model.__version__}\n"
    assert "Usage" in ace("--help").out
    assert ace().out == ace("--help").out
    options = ace("edit", "--help").out
    for name in ("--mask", "--reference", "--control-picture", "--fit-mask", "--embed-inputs", "--no-colour-match"):
        assert name in options
