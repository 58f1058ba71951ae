"""Which words of an instruction a model's text encoder cannot read; asks its own tokenizer."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlx_model.weights.config import ModelConfig

Span = tuple[int, int]
"""Where a word begins, and how long it is."""

_SMALL = 4096
"""A vocabulary of fewer pieces holds whole words: what it has to spell letter by letter was never learnt."""
_REMEMBERED = 4096
"""Words whose answer is kept: a line is read anew at every key."""
_SPELLED = 2  # a single one may be a Korean particle


class WordReader:
    """Reads words as a model would; `small` says that it knows only the words of its vocabulary."""

    def __init__(self, folder: Path, config: ModelConfig) -> None:
        """Load the tokenizer, which may take long.

        Raises:
            RequestError: it is missing or damaged.
        """
        from mlx_model.conditioning.prompt import load_tokenizers

        self._tokenizer: Any = load_tokenizers(folder, config.prompt).t5
        self._unknown: int | None = self._tokenizer.token_to_id("<unk>")
        self.small: bool = self._tokenizer.get_vocab_size() < _SMALL
        self._read_before = lru_cache(_REMEMBERED)(self._reads)

    def unread(self, text: str) -> list[Span]:
        """List the words that are not read: some of their letters are unknown, or all of them only as letters."""
        words = re.finditer(r"\S+", text)
        return [(word.start(), len(word[0])) for word in words if not self._read_before(word[0])]

    def _reads(self, word: str) -> bool:
        if not any(letter.isalpha() for letter in word):
            return True
        encoded = self._tokenizer.encode(word, add_special_tokens=False)
        if self._unknown in encoded.ids:
            return False
        spelled = sum(len(piece) == 1 and piece.isalpha() for piece in encoded.tokens)
        return not (self.small and spelled >= _SPELLED)
