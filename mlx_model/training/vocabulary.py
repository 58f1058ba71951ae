"""The tokenizers of the built-in model, made from all wordings of the scenes, English and Korean."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

ADDED_TOKENS: Final = (
    "<img>",
    "{image}",
    "{caption}",
    "{mask}",
    "{ref_image}",
    *(f"{{image{n}}}" for n in range(1, 10)),
)
T5_LENGTH: Final = 18
CLIP_LENGTH: Final = 22
_SPECIAL: Final = ("<pad>", "</s>", "<unk>")
_START, _END = "<|startoftext|>", "<|endoftext|>"
_PARTICLES: Final = ("을", "를", "으로", "로", "의", "에", "에게", "에서")
_UNSPLIT: Final = ("\u2581여기에",)


def make_tokenizers(instructions: Iterable[str], folder: Path) -> tuple[int, int]:
    """Write ``tokenizer_t5`` and ``tokenizer_clip`` into ``folder``; returns how many tokens each has.

    T5: <pad> 0, </s> 1, <unk> 2, the pieces, FFT's added tokens; </s> is appended. CLIP: the same pieces, then
    <|startoftext|> and <|endoftext|>, so that the end token has the greatest id.
    """
    pieces = _pieces(line for line in instructions if "{" not in line)
    t5, clip = _tokenizer(pieces, ADDED_TOKENS), _tokenizer(pieces, (_START, _END))
    t5.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    ends = [(token, clip.token_to_id(token)) for token in (_START, _END)]
    clip.post_processor = processors.TemplateProcessing(single=f"{_START} $A {_END}", special_tokens=ends)
    for name, tokenizer in (("tokenizer_t5", t5), ("tokenizer_clip", clip)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        tokenizer.save(str(folder / name / "tokenizer.json"))
    return t5.get_vocab_size(), clip.get_vocab_size()


def _pieces(instructions: Iterable[str]) -> list[tuple[str, float]]:
    """Whole words, Korean particles by themselves, and single characters as a last resort, with their scores."""
    words = {f"\u2581{word}" for line in instructions for word in line.lower().split()}
    stems: set[str] = set()
    for word in words:
        ends = [end for end in _PARTICLES if word.endswith(end) and len(word) > len(end) + 1]
        longest = max(ends, key=len, default="")
        stems.add(word[: len(word) - len(longest)] if longest and word not in _UNSPLIT else word)
    letters = {chr(code) for code in range(33, 127) if not chr(code).isupper()} | {c for word in words for c in word}
    scored = [(stem, -8.0) for stem in sorted(stems) if len(stem) > 1]
    scored += [(end, -9.0) for end in _PARTICLES if len(end) > 1]
    return scored + [(letter, -9.0 if letter in _PARTICLES else -15.0) for letter in sorted(letters)]


def _tokenizer(pieces: list[tuple[str, float]], added: Iterable[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram([*((token, 0.0) for token in _SPECIAL), *pieces], 2, False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in added])
    return tokenizer
