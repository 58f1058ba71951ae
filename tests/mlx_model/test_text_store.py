"""Encoded instructions on disk: they save the reading, never change a picture, and never end an edit."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlx_model.editor import Editor
from mlx_model.parts import Parts
from mlx_model.request import EditRequest, EditResult
from mlx_model.runtime import mx
from mlx_model.stages import Text
from mlx_model.text_store import TextStore
from mlx_model.weights.config import ModelConfig
from tests.mlx_model.tiny_model import write_tiny_model

REQUEST = EditRequest("빨간 별을 그려 줘", size=(64, 64), steps=2)


def paint(folder: Path, store: Path, request: EditRequest = REQUEST) -> EditResult:
    return Editor(folder, text_store=store).edit(request, {})


def same(one: EditResult, other: EditResult) -> bool:
    return one.warnings == other.warnings and np.array_equal(one.picture.pixels, other.picture.pixels)


def files_in(store: Path) -> Sequence[str]:
    return sorted(path.name for path in store.glob("*"))


def test_an_instruction_that_was_read_before_needs_no_text_encoders(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(*_: object) -> None:
        pytest.fail("the text encoders were loaded")

    first = paint(tiny_model, tmp_path)
    assert first.warnings, "Korean is warned about"
    with monkeypatch.context() as patch:
        patch.setattr(Parts, "text", loaded)
        assert same(paint(tiny_model, tmp_path), first), "the same pixels and warnings"
    assert same(Editor(tiny_model).edit(REQUEST, {}), first), "as without a store"
    assert len(files_in(tmp_path)) == 1
    paint(tiny_model, tmp_path, replace(REQUEST, instruction="a red star"))
    assert len(files_in(tmp_path)) == 2


@pytest.mark.parametrize("changed", ["t5.safetensors", "tokenizer_t5/tokenizer.json", "config.json"])
def test_what_another_model_made_is_not_used(tiny_model: Path, tmp_path: Path, changed: str) -> None:
    paint(tiny_model, tmp_path / "store")
    other = write_tiny_model(tmp_path / "other")
    if changed == "t5.safetensors":
        tensors: dict[str, mx.array] = mx.load(str(other / changed))  # pyright: ignore[reportAssignmentType]
        mx.save_safetensors(str(other / changed), {name: tensor * 0.5 for name, tensor in tensors.items()})
    elif changed == "config.json":
        config = ModelConfig.load(other)
        replace(config, prompt=replace(config.prompt, clean=not config.prompt.clean)).save(other)
    else:
        (other / changed).write_text((other / changed).read_text() + " ")
    assert same(paint(other, tmp_path / "store"), Editor(other).edit(REQUEST, {}))
    assert len(files_in(tmp_path / "store")) == 2


@pytest.mark.parametrize("damage", [b"", b"no safetensors", None])
def test_a_damaged_file_is_read_anew_and_replaced(tiny_model: Path, tmp_path: Path, damage: bytes | None) -> None:
    first = paint(tiny_model, tmp_path)
    (path,) = tmp_path.glob("*")
    whole = path.read_bytes()
    path.write_bytes(whole[:-8] if damage is None else damage)
    assert same(paint(tiny_model, tmp_path), first)
    assert path.read_bytes() == whole


def test_a_place_that_cannot_be_written_costs_nothing_but_the_saving(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert same(paint(tiny_model, tmp_path / "file" / "store"), Editor(tiny_model).edit(REQUEST, {}))


def test_what_was_used_longest_ago_goes_first(tiny_model: Path, tmp_path: Path) -> None:
    made = 0

    def make() -> Text:
        nonlocal made
        made += 1
        return Text(mx.full((1, 4, 64), made), mx.zeros((1, 8)), ())

    config = ModelConfig.load(tiny_model)
    TextStore(tmp_path, tiny_model, config).find_or_make("0", make)
    (first,) = tmp_path.glob("*")
    store = TextStore(tmp_path, tiny_model, config, limit=3 * first.stat().st_size)
    for index in (1, 2):
        store.find_or_make(str(index), make)
    for age, path in enumerate(sorted(tmp_path.glob("*"), key=lambda path: path.stat().st_mtime_ns, reverse=True)):
        os.utime(path, (1e9 - age, 1e9 - age))
    assert float(store.find_or_make("0", make).context[0, 0, 0]) == 1, "it is used, so it is young again"
    store.find_or_make("3", make)
    assert len(files_in(tmp_path)) == 3
    before = made
    for words in ("3", "0", "2"):
        store.find_or_make(words, make)
    assert made == before, "these are still there"
    store.find_or_make("1", make)
    assert made == before + 1, "this one had gone"
