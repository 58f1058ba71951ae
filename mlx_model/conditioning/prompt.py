"""From an instruction to the ids that T5 and CLIP read.

T5's tokenizer comes as ``tokenizer_t5/tokenizer.json``, CLIP's as ``tokenizer_clip/tokenizer.json`` or as the
``vocab.json`` and ``merges.txt`` of the release, from which its byte-level BPE is put together here.
"""

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path

import ftfy
import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from mlx_model.request import RequestError
from mlx_model.weights.config import PromptConfig

_CLIP_START, _CLIP_END = "<|startoftext|>", "<|endoftext|>"
# The words of CLIP's training: its own two tokens, English contractions, runs of letters, digits, runs of the rest.
_CLIP_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@dataclass(frozen=True)
class PromptTokenizers:
    """The two tokenizers of a model and how it wants its prompts."""

    t5: Tokenizer
    clip: Tokenizer
    t5_pad: int
    clip_pad: int
    config: PromptConfig


@dataclass(frozen=True, eq=False)
class PromptIds:
    """An instruction as ids.

    ``t5`` is int32 (t5_length,), ``clip`` int32 (clip_length,), both padded. ``unknown_share`` is the part of T5's
    tokens, 0 to 1, that it does not know (the end token not counted); ``truncated`` says that T5's end is missing,
    ``clip_truncated`` that CLIP's is.
    """

    t5: npt.NDArray[np.int32]
    clip: npt.NDArray[np.int32]
    unknown_share: float
    truncated: bool
    clip_truncated: bool


def load_tokenizers(folder: Path, config: PromptConfig) -> PromptTokenizers:
    """Read the tokenizers of a model folder and add the config's tokens to T5's, in order after its last id.

    Raises:
        RequestError: a tokenizer is missing or damaged.
    """
    t5, t5_pad = _read_tokenizer(folder / "tokenizer_t5", "<pad>")
    clip, clip_pad = _read_tokenizer(folder / "tokenizer_clip", _CLIP_END)
    t5.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in config.added_tokens])
    return PromptTokenizers(t5, clip, t5_pad, clip_pad, config)


def tokenize(tokenizers: PromptTokenizers, instruction: str) -> PromptIds:
    """Turn an instruction into padded ids, cleaning it first if the model was trained that way."""
    config = tokenizers.config
    text = clean(instruction) if config.clean else instruction
    t5 = tokenizers.t5.encode(text).ids
    clip = tokenizers.clip.encode(text).ids
    unknown = sum(identity == tokenizers.t5.token_to_id("<unk>") for identity in t5[:-1])
    return PromptIds(
        t5=_padded(t5, config.t5_length, tokenizers.t5_pad),
        clip=_padded(clip, config.clip_length, tokenizers.clip_pad),
        unknown_share=unknown / max(len(t5) - 1, 1),
        truncated=len(t5) > config.t5_length,
        clip_truncated=len(clip) > config.clip_length,
    )


def clean(text: str) -> str:
    """Repair broken encodings, resolve HTML entities (twice, as some are escaped twice), collapse whitespace."""
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", text).strip()


def clip_tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """Put CLIP's tokenizer together: lower-cased byte-level BPE whose words end in ``</w>``."""
    model = models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>", unk_token=_CLIP_END)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.add_special_tokens([_CLIP_START, _CLIP_END])
    start, end = ((token, vocabulary[token]) for token in (_CLIP_START, _CLIP_END))
    tokenizer.post_processor = processors.RobertaProcessing(end, start, trim_offsets=False, add_prefix_space=False)
    return tokenizer


def _read_tokenizer(folder: Path, pad_token: str) -> tuple[Tokenizer, int]:
    # The id to pad with is that of the file's own padding if it has one. Length is our business, not the file's.
    if not folder.is_dir():
        raise RequestError(f"the model lacks its tokenizer {folder}; install it again")
    try:
        if (folder / "vocab.json").exists() and not (folder / "tokenizer.json").exists():
            vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
            lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
            pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
            tokenizer = clip_tokenizer(vocabulary, [(left, right) for left, right in pairs])
        else:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises bare Exception
        raise RequestError(f"the tokenizer in {folder} cannot be read ({error}); install the model again") from error
    pad = tokenizer.padding["pad_id"] if tokenizer.padding else tokenizer.token_to_id(pad_token)
    if pad is None:
        raise RequestError(f"the tokenizer in {folder} has no {pad_token} to pad with; install the model again")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, int(pad)


def _padded(ids: list[int], length: int, pad: int) -> npt.NDArray[np.int32]:
    if len(ids) > length:
        ids = [*ids[: length - 1], ids[-1]]  # the end token stays
    return np.array(ids + [pad] * (length - len(ids)), np.int32)
