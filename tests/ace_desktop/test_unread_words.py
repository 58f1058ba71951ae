"""Which words a model reads: asked of the built-in model's own tokenizer, and of one that reads English alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from ace_desktop.presets import examples
from ace_desktop.unread_words import WordReader
from mlx_model.library.folders import find_model
from mlx_model.tasks import TASKS
from mlx_model.weights.config import ModelConfig

FOLDER = find_model()


@pytest.fixture(scope="module")
def pocket() -> WordReader:
    return WordReader(FOLDER, ModelConfig.load(FOLDER))


def unread(reader: WordReader, text: str) -> list[str]:
    return [text[start : start + length] for start, length in reader.unread(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a Red star.", []), ("별을 하트로", []), ("2 stars!", []), ("", []),
        ("make the jacket red, please", ["jacket", "please"]), ("하늘을 파랗게", ["하늘을", "파랗게"]),
        ("красный star", ["красный"]),
    ],
)  # fmt: skip
def test_the_built_in_model_reads_its_own_words_in_both_languages(
    text: str, words: list[str], pocket: WordReader
) -> None:
    assert unread(pocket, text) == words


def test_it_reads_every_example_that_is_offered_for_it(pocket: WordReader) -> None:
    for task in TASKS:
        for preset in examples(task, built_in=True, wanted="en"):
            assert unread(pocket, preset.instruction) == [], preset


def test_a_full_model_reads_any_latin_word_and_no_hangul(tmp_path: Path) -> None:
    letters = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    letters += [(chr(code), -5.0) for code in range(33, 127)] + [(f"▁word{number}", -9.0) for number in range(5000)]
    tokenizer = Tokenizer(models.Unigram(letters, 2, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    for name in ("tokenizer_t5", "tokenizer_clip"):
        (tmp_path / name).mkdir()
        tokenizer.save(str(tmp_path / name / "tokenizer.json"))
    clip = json.loads((tmp_path / "tokenizer_clip" / "tokenizer.json").read_text(encoding="utf-8"))
    clip["model"]["vocab"].append(["<|endoftext|>", 0.0])
    (tmp_path / "tokenizer_clip" / "tokenizer.json").write_text(json.dumps(clip), encoding="utf-8")
    config = ModelConfig.load(FOLDER)
    reader = WordReader(tmp_path, replace(config, prompt=replace(config.prompt, added_tokens=())))
    assert not reader.small
    assert unread(reader, "make the jacket red: 재킷을 빨갛게") == ["재킷을", "빨갛게"]
