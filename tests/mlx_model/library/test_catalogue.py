"""The catalogue is read strictly, and what it says of the full models agrees with their released files."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mlx_model.library.catalogue import (
    CATALOGUE,
    alternatives_of,
    config_of,
    load_catalogue,
    model_named,
    models_of,
)
from mlx_model.library.errors import LibraryError
from mlx_model.request import RequestError
from mlx_model.tasks import TASKS
from tests.released_models import catalogue_values, write_catalogue

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"


def test_the_catalogue_that_is_shipped_can_be_read_and_has_every_released_model() -> None:
    catalogue = load_catalogue()
    names = [model.name for model in models_of(catalogue)]
    assert names == [f"ace-plus-{kind}-{width}" for kind in ("fft", "fill") for width in catalogue.widths]
    assert list(catalogue.widths) == ["3bit", "4bit", "5bit", "6bit", "8bit", "bf16"]
    assert set(catalogue.built_in) == {"pocket"}


@pytest.mark.parametrize(
    ("name", "file"), [("ace-plus-fft-4bit", "ace_plus_fft"), ("ace-plus-fill-bf16", "flux1_fill_dev")]
)
def test_the_sizes_in_a_config_are_those_of_the_released_file(name: str, file: str) -> None:
    catalogue = load_catalogue()
    sizes = config_of(catalogue, model_named(catalogue, name), "a test").transformer
    shapes = {name: tuple(shape) for name, shape in json.loads((CHECKPOINTS / f"{file}.json").read_text()).items()}
    assert shapes["img_in.weight"] == (sizes.hidden_size, sizes.in_channels)
    assert shapes["txt_in.weight"] == (sizes.hidden_size, sizes.context_in_dim)
    assert shapes["vector_in.in_layer.weight"] == (sizes.hidden_size, sizes.vec_in_dim)
    assert shapes["double_blocks.0.img_mlp.0.weight"] == (sizes.mlp_size, sizes.hidden_size)
    assert shapes["double_blocks.0.img_attn.norm.key_norm.scale"] == (sizes.hidden_size // sizes.num_heads,)
    assert shapes["final_layer.linear.weight"] == (sizes.out_channels, sizes.hidden_size)
    for blocks, depth in (("double_blocks", sizes.depth), ("single_blocks", sizes.depth_single_blocks)):
        assert {int(name.split(".")[1]) for name in shapes if name.startswith(blocks)} == set(range(depth))
    assert sum(sizes.axes_dim) == sizes.hidden_size // sizes.num_heads
    assert "guidance_in.in_layer.weight" in shapes


def test_the_autoencoder_in_a_config_is_that_of_the_released_file() -> None:
    catalogue = load_catalogue()
    autoencoder = catalogue.families["ace-plus-fft"].config.autoencoder
    assert autoencoder.architecture == "full"
    shapes = json.loads((CHECKPOINTS / "ae.json").read_text())
    assert shapes["encoder.conv_in.weight"][:2] == [autoencoder.ch, autoencoder.in_channels]
    assert shapes["decoder.conv_in.weight"][:2] == [autoencoder.ch * autoencoder.ch_mult[-1], autoencoder.z_channels]
    levels = {int(name.split(".")[2]) for name in shapes if name.startswith("encoder.down.")}
    assert levels == set(range(len(autoencoder.ch_mult)))
    listed = sum(math.prod(shape) for shape in shapes.values()) * 4
    file = catalogue.parts["autoencoder"].alternatives[0].files[0]
    assert 0 < file.size - listed < 100_000, "the header of a float32 file"


def test_bytes_on_disk_are_those_of_the_released_shapes_at_each_width() -> None:
    """Linear layers of the blocks at bits + 32 / group, the rest in bfloat16."""
    catalogue = load_catalogue()
    shapes = json.loads((CHECKPOINTS / "ace_plus_fft.json").read_text())
    for name, width in catalogue.widths.items():
        bits = 16.0 if width.quantization is None else width.quantization.bits + 32 / width.quantization.group_size
        quantized = sum(
            math.prod(shape)
            for tensor, shape in shapes.items()
            if len(shape) == 2 and ("blocks" in tensor or "adaLN" in tensor)
        )
        rest = sum(math.prod(shape) for shape in shapes.values()) - quantized
        expected = quantized * bits / 8 + rest * 2
        assert width.transformer_bytes == pytest.approx(expected, rel=0.001), name


def test_both_kinds_can_be_had_without_an_account_and_the_official_gated_file_comes_first() -> None:
    catalogue = load_catalogue()
    for model in models_of(catalogue):
        for part in model.family.parts:
            alternatives = alternatives_of(catalogue, part, model.width_name)
            assert any(not alternative.gated for alternative in alternatives), (model.name, part)
    first = catalogue.parts["fill_transformer"].alternatives[0]
    assert (first.repository, first.gated) == ("black-forest-labs/FLUX.1-Fill-dev", True)


def test_eight_bit_floats_are_only_for_those_who_choose_them_and_never_quantized_again() -> None:
    catalogue = load_catalogue()
    fp8 = [a for part in catalogue.parts.values() for a in part.alternatives if a.layout == "fp8"]
    assert len(fp8) == 2
    for alternative in fp8:
        assert alternative.only_if_chosen
        assert alternative.widths == ("bf16",)
    assert catalogue.widths["bf16"].quantization is None


def test_tasks_and_adapters_are_those_of_the_program() -> None:
    catalogue = load_catalogue()
    fft, fill = catalogue.families["ace-plus-fft"], catalogue.families["ace-plus-fill"]
    assert set(fft.tasks) == set(TASKS)
    assert set(fill.tasks) == {name for name, task in TASKS.items() if task.adapter is not None}
    targets = {
        catalogue.parts[part].alternatives[0].files[0].target for part in fill.parts if part.startswith("adapter")
    }
    assert targets == {f"adapters/{task.adapter}.safetensors" for task in TASKS.values() if task.adapter}
    assert (fft.config.prompt.clean, fill.config.prompt.clean) == (True, False)
    assert fill.config.prompt.added_tokens == ("{image}",)
    assert len(fft.config.prompt.added_tokens) == 14


def test_the_full_models_are_under_a_licence_that_has_to_be_accepted() -> None:
    catalogue = load_catalogue()
    for family in catalogue.families.values():
        assert any(catalogue.licences[name].non_commercial for name in family.licences)


def _set(path: str, value: Any) -> dict[str, Any]:
    values: dict[str, Any] = catalogue_values()
    *groups, last = path.split("/")
    group: Any = values
    for name in groups:
        group = group[int(name)] if isinstance(group, list) else group[name]
    if value is None:
        del group[last]
    else:
        group[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("format", 2, "of format 2"),
        ("widths", None, "lacks widths"),
        ("surprise", 1, "unknown settings: surprise"),
        ("parts/clip/alternatives", [], "no place to have clip from"),
        ("parts/clip/alternatives/0/files", [], "does not say where the files"),
        ("parts/clip/alternatives/0/licence", "wtf", 'no licence "wtf"'),
        ("parts/clip/alternatives/0/repository", "../../etc", "unusable repository"),
        ("parts/clip/alternatives/0/files/0/path", "../../etc/passwd", "not a plain path"),
        ("parts/clip/alternatives/0/files/0/target", "../evil.safetensors", "not a plain path"),
        ("parts/clip/alternatives/0/files/0/target", "/etc/evil", "not a plain path"),
        ("parts/clip/alternatives/0/files/0/size", -1, "unusable size or sha256"),
        ("parts/clip/alternatives/0/files/0/size", "1", "unusable value for parts.clip.alternatives"),
        ("parts/clip/alternatives/0/files/0/sha256", "abc", "unusable size or sha256"),
        ("families/small-fft/parts", ["none"], 'no part "none"'),
        ("families/small-fft/widths", ["2bit"], 'no width "2bit"'),
        ("families/small-fft/config/transformer/depth", None, "lacks families.small-fft.config.transformer.depth"),
        ("families/small-fft/ready", {"4bit": {"repository": "a", "about": ""}}, "unusable repository"),
        ("parts/fft_transformer/alternatives/0/widths", ["bf16"], "no place to have fft_transformer from for"),
        (
            "parts/fill_transformer/alternatives/1/name",
            "official",
            'fill_transformer names the alternative "official"',
        ),
        (
            "parts/tokenizer_clip/alternatives/0/files/0/path",
            "merges.txt",
            'google names the file "merges.txt" twice',
        ),
        (
            "parts/tokenizer_clip/alternatives/0/files/0/target",
            "tokenizer_clip/MERGES.txt",
            'parts.tokenizer_clip.google names the target "tokenizer_clip/merges.txt" twice',
        ),
        (
            "parts/tokenizer_t5/alternatives/0/files/0/target",
            "T5.safetensors",
            "puts both tokenizer_t5 and t5 of families.small-fft at T5.safetensors",
        ),
        (
            "parts/tokenizer_t5/alternatives/0/files/0/target",
            "record.json",
            "puts both tokenizer_t5 and the program itself of families.small-fft at record.json",
        ),
        ("widths/4bit/quantization/group_size", 48, "widths.4bit.quantization cannot be used: .* groups of 48"),
        ("widths/4bit/quantization/bits", 7, "widths.4bit.quantization cannot be used: .* to 7 bits"),
        ("widths/8bit/t5_quantization", {"group_size": 64, "bits": 1}, "widths.8bit.t5_quantization cannot be used"),
        ("widths/4bit/memory", 0, "widths.4bit has a size that is not above 0"),
        ("families/small-fft/tasks", ["paint"], 'no task "paint", which families.small-fft names'),
        ("families/small-fft/tasks", [], "families.small-fft has no tasks"),
        ("built_in/pocket/tasks", ["sing"], 'no task "sing", which built_in.pocket names'),
        ("families/small-fft/parts", [], "families.small-fft has no parts"),
        ("families/small-fft/widths", [], "families.small-fft has no widths"),
        ("families/small-fft/widths", ["4bit", "4bit"], 'families.small-fft names the width "4bit" twice'),
        (
            "families/small-fft/parts",
            ["fft_transformer", "t5", "clip"],
            'no part of the kind "autoencoder" in families.small-fft',
        ),
        (
            "families/small-fft/parts",
            ["fft_transformer", "fill_transformer", "t5", "clip", "autoencoder"],
            "puts both fill_transformer and fft_transformer of families.small-fft at",
        ),
        ("families/small-fft/extra_memory", -1, "families.small-fft has an extra_memory below 0"),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_named(path: str, value: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=sentence):
        write_catalogue(tmp_path / "catalogue.json", _set(path, value))


def test_a_family_name_cannot_lead_out_of_the_folder_of_models(tmp_path: Path) -> None:
    values = catalogue_values()
    values["families"]["../evil"] = values["families"].pop("small-fft")
    with pytest.raises(RequestError, match="unusable name"):
        write_catalogue(tmp_path / "catalogue.json", values)


def test_a_catalogue_that_is_no_json_or_not_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.json").write_text("{")
    monkeypatch.setenv("ACE_CATALOGUE", str(tmp_path / "c.json"))
    with pytest.raises(RequestError, match="is not JSON"):
        load_catalogue()
    monkeypatch.setenv("ACE_CATALOGUE", str(tmp_path / "none.json"))
    with pytest.raises(RequestError, match="cannot be read: No such file"):
        load_catalogue()


def test_an_unknown_model_is_a_sentence_with_those_that_there_are() -> None:
    catalogue = load_catalogue()
    with pytest.raises(LibraryError, match="there are: ace-plus-fft-3bit, ace-plus-fft-4bit"):
        model_named(catalogue, "ace")
    with pytest.raises(LibraryError, match="comes with the program"):
        model_named(catalogue, "pocket")


def test_the_catalogue_names_no_place_but_the_public_hub() -> None:
    text = CATALOGUE.read_text(encoding="utf-8")
    pages = {word.split("/")[2] for word in text.split('"') if word.startswith("http")}
    assert pages <= {"huggingface.co", "www.apache.org", "opensource.org"}
