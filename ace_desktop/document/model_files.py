"""What of a model's folder decides whether an edit can work: which words it reads, which adapters it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from mlx_model.conditioning.prompt import PromptTokenizers, load_tokenizers, tokenize
from mlx_model.places import is_file
from mlx_model.weights.config import ModelConfig

Span: TypeAlias = tuple[int, int]
"""Where a word begins and ends in an instruction."""
_SPELLED: Final = 3
"""Letters of the shortest word that counts as unknown when it is spelled out."""


@dataclass(frozen=True, eq=False)
class ModelFiles:
    """A model's tokenizers and the folders in which its adapters (LoRA) lie."""

    tokenizers: PromptTokenizers
    adapter_folders: tuple[Path, ...]

    def has_adapter(self, name: str) -> bool:
        """Tell whether an adapter is there, by its name or the path of its file."""
        if name.endswith(".safetensors"):
            return is_file(Path(name))
        return any(is_file(folder / f"{name}.safetensors") for folder in self.adapter_folders)

    def adapters(self) -> tuple[str, ...]:
        """List the names of all adapters."""
        found = {path.stem for folder in self.adapter_folders for path in folder.glob("*.safetensors")}
        return tuple(sorted(found))

    def unread(self, instruction: str) -> tuple[Span, ...]:
        """List the words of an instruction of which the model's text encoder knows nothing.

        It has no token for them, or can only spell them out letter by letter.
        """
        t5 = self.tokenizers.t5
        unknown, encoded = t5.token_to_id("<unk>"), t5.encode(instruction)
        pieces = [(*offsets, identity) for identity, offsets in zip(encoded.ids, encoded.offsets, strict=True)]
        spans: list[Span] = []
        for word in re.finditer(r"\w+", instruction):
            inside = [identity for start, end, identity in pieces if start < word.end() and end > word.start()]
            spelled = word[0].isalpha() and len(inside) == len(word[0]) >= _SPELLED
            if spelled or unknown in inside:
                spans.append(word.span())
        return tuple(spans)

    def too_long(self, instruction: str) -> bool:
        """Tell whether the end of an instruction would not be read."""
        return tokenize(self.tokenizers, instruction).truncated


def read_model_files(folder: Path, config: ModelConfig) -> ModelFiles:
    """Read a model's tokenizers; slow, for a thread.

    Raises:
        RequestError: they are missing or damaged.
    """
    tokenizers = load_tokenizers(folder, config.prompt)
    return ModelFiles(tokenizers, (folder / "adapters", folder.parent / "adapters"))
