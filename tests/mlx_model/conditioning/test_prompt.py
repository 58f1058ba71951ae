"""Instructions become the ids that transformers' tokenizers give, padded, with what was lost reported."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from mlx_model.conditioning.prompt import PromptTokenizers, clean, clip_tokenizer, load_tokenizers, tokenize
from mlx_model.request import RequestError
from mlx_model.weights.config import PromptConfig

TESTS = Path(__file__).parents[2]
ANSWERS: dict[str, Any] = json.loads((TESTS / "golden" / "tokens.json").read_text(encoding="utf-8"))
FFT_TOKENS = ("<img>", "{image}", "{caption}", "{mask}", "{ref_image}", *(f"{{image{i}}}" for i in range(1, 10)))
LORA = PromptConfig(t5_length=512, clip_length=77, added_tokens=("{image}",), clean=False)
FFT = PromptConfig(t5_length=512, clip_length=77, added_tokens=FFT_TOKENS, clean=True)
T5_PAD, CLIP_END = 0, 49407


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a model folder that holds the released tokenizers."""
    folder = tmp_path_factory.mktemp("model")
    shutil.copytree(TESTS / "tokenizers" / "t5", folder / "tokenizer_t5")
    shutil.copytree(TESTS / "tokenizers" / "clip", folder / "tokenizer_clip")
    return folder


@pytest.fixture(scope="module")
def lora(folder: Path) -> PromptTokenizers:
    return load_tokenizers(folder, LORA)


@pytest.fixture(scope="module")
def fft(folder: Path) -> PromptTokenizers:
    return load_tokenizers(folder, FFT)


@pytest.mark.parametrize("index", range(len(ANSWERS["texts"])))
def test_ids_are_those_of_transformers_and_padded(lora: PromptTokenizers, index: int) -> None:
    ids = tokenize(lora, ANSWERS["texts"][index])
    t5, clip = ANSWERS["t5_lora"][index], ANSWERS["clip"][index]
    assert ids.t5.tolist() == t5 + [T5_PAD] * (512 - len(t5))
    assert ids.clip.tolist() == clip + [CLIP_END] * (77 - len(clip))
    assert not ids.truncated
    assert not ids.clip_truncated


def test_the_fft_models_fourteen_tokens_have_their_own_ids(fft: PromptTokenizers) -> None:
    as_it_is = replace(fft, config=replace(fft.config, clean=False))
    for text, expected in zip(ANSWERS["texts"], ANSWERS["t5_fft"], strict=True):
        assert tokenize(as_it_is, text).t5.tolist() == expected + [T5_PAD] * (512 - len(expected)), text


def test_added_tokens_count_on_from_32100_in_the_configs_order(fft: PromptTokenizers, lora: PromptTokenizers) -> None:
    assert [fft.t5.token_to_id(token) for token in FFT_TOKENS] == list(range(32100, 32114))
    assert lora.t5.token_to_id("{image}") == 32100


def test_known_ids(lora: PromptTokenizers) -> None:
    photo = tokenize(lora, "A photo of a red car, studio lighting.")
    assert photo.t5[:12].tolist() == [71, 1202, 13, 3, 9, 1131, 443, 6, 3100, 3598, 5, 1]
    assert tokenize(lora, "a photo of a cat").clip[:7].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_the_share_of_unknown_tokens_is_told(lora: PromptTokenizers) -> None:
    korean = tokenize(lora, "재킷을 빨간색으로 바꿔 줘")
    assert korean.t5[:9].tolist() == [3, 2, 3, 2, 3, 2, 3, 2, 1]
    assert korean.unknown_share == 0.5
    assert tokenize(lora, "make the jacket red").unknown_share == 0
    assert tokenize(lora, "").unknown_share == 0


def test_a_long_instruction_is_cut_before_its_end_token_and_that_is_told(lora: PromptTokenizers) -> None:
    ids = tokenize(lora, "red " * 600)
    assert ids.truncated
    assert ids.clip_truncated
    assert (ids.t5.shape, ids.clip.shape) == ((512,), (77,))
    assert ids.t5[-2:].tolist() == [1131, 1]
    assert ids.clip[-2:].tolist() == [736, 49407]
    fits_t5 = tokenize(lora, "red " * 100)
    assert (fits_t5.truncated, fits_t5.clip_truncated) == (False, True)


def test_only_models_trained_on_clean_text_get_it(lora: PromptTokenizers, fft: PromptTokenizers) -> None:
    dirty, tidy = " a &amp;amp;  cafÃ©\n", "a & café"
    assert clean(dirty) == tidy
    assert tokenize(fft, dirty).t5.tolist() == tokenize(fft, tidy).t5.tolist()
    assert tokenize(fft, dirty).clip.tolist() == tokenize(fft, tidy).clip.tolist()
    assert tokenize(lora, dirty).t5.tolist() != tokenize(lora, tidy).t5.tolist()


def test_a_model_may_bring_its_own_clip_tokenizer_as_one_file(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "tokenizer_t5", tmp_path / "tokenizer_t5")
    (tmp_path / "tokenizer_clip").mkdir()
    own = Tokenizer(models.WordLevel({"<unk>": 0, "<pad>": 1, "<s>": 2, "</s>": 3, "red": 4}, unk_token="<unk>"))  # noqa: S106
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    own.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)])
    own.enable_padding(length=4, pad_id=1, pad_token="<pad>")  # noqa: S106
    own.enable_truncation(4)
    own.save(str(tmp_path / "tokenizer_clip" / "tokenizer.json"))
    config = PromptConfig(t5_length=8, clip_length=6, added_tokens=(), clean=False)
    tokenizers = load_tokenizers(tmp_path, config)
    assert tokenize(tokenizers, "red star").clip.tolist() == [2, 4, 0, 3, 1, 1]
    assert tokenize(tokenizers, "red red red red star").clip_truncated


def test_clip_lower_cases_and_marks_word_ends() -> None:
    letters = ("r", "e", "d", "r</w>", "e</w>", "d</w>")
    vocabulary = {token: i for i, token in enumerate([*letters, "re", "red</w>", "<|startoftext|>", "<|endoftext|>"])}
    tokenizer = clip_tokenizer(vocabulary, [("r", "e"), ("re", "d</w>")])
    assert tokenizer.encode("RED re").tokens == ["<|startoftext|>", "red</w>", "r", "e</w>", "<|endoftext|>"]


def test_a_missing_or_damaged_tokenizer_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="lacks its tokenizer"):
        load_tokenizers(tmp_path, LORA)
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / "tokenizer_t5" / "tokenizer.json").write_text("{")
    with pytest.raises(RequestError, match="tokenizer_t5 cannot be read"):
        load_tokenizers(tmp_path / "model", LORA)
    shutil.copy(folder / "tokenizer_t5" / "tokenizer.json", tmp_path / "model" / "tokenizer_t5")
    (tmp_path / "model" / "tokenizer_clip" / "vocab.json").unlink()
    with pytest.raises(RequestError, match="tokenizer_clip cannot be read"):
        load_tokenizers(tmp_path / "model", LORA)
