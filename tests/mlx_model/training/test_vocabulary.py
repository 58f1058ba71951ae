"""The built-in model's own tokenizers know every wording, English and Korean, within their lengths."""

from mlx_model.conditioning.prompt import tokenize
from mlx_model.training.scenes import all_instructions
from tests.mlx_model.training.tiny_training import tokenizers


def test_every_wording_is_known_and_fits() -> None:
    words = tokenizers()[0]
    for instruction in sorted(set(all_instructions()))[::5]:
        ids = tokenize(words, instruction)
        assert ids.unknown_share == 0, f"unknown words in {instruction!r}"
        assert not ids.truncated, f"{instruction!r} is too long"
        assert not ids.clip_truncated, f"{instruction!r} is too long for CLIP"


def test_the_end_token_of_clip_has_the_greatest_id_and_the_added_tokens_are_there() -> None:
    words, config = tokenizers()
    ids = tokenize(words, "{image} make the Red star blue")
    assert config.clip.eos_token_id == words.clip.get_vocab_size() - 1 == ids.clip.max()
    assert ids.t5[0] == words.t5.token_to_id("{image}")
    assert words.t5.encode("the red star").ids == words.t5.encode("The RED star").ids


def test_a_korean_noun_is_one_piece_whatever_its_particle() -> None:
    words = tokenizers()[0]
    assert words.t5.encode("별을 지워 줘").tokens[:2] == ["▁별", "을"]
    assert words.t5.encode("원을 파란색으로 바꿔 줘").tokens[:4] == ["▁원", "을", "▁파란색", "으로"]


def test_words_never_seen_are_spelled_and_foreign_signs_are_unknown() -> None:
    words = tokenizers()[0]
    assert tokenize(words, "a house").unknown_share == 0
    assert tokenize(words, "звезда").unknown_share > 0.3
