"""Words to begin with: examples for each task, and those that the user has kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from .places import resources
from .settings import Settings
from .translation import language

HISTORY = 50
"""How many instructions are remembered."""


@dataclass(frozen=True)
class Preset:
    """A label in the user's language, and the words for the model."""

    label: str
    instruction: str


@lru_cache(maxsize=1)
def _examples() -> Mapping[str, Mapping[str, list[Mapping[str, str]]]]:
    return json.loads((resources() / "presets.json").read_text(encoding="utf-8"))


def examples(task: str, *, built_in: bool, wanted: str = "system") -> tuple[Preset, ...]:
    """Give the examples of a task for the built-in model or for a full one; `wanted` is the language of the labels.

    The words are English: the full models read nothing else.
    """
    found = _examples()["built-in" if built_in else "full"].get(task, [])
    shown = language(wanted)
    return tuple(Preset(item.get(shown, item["en"]), item["instruction"]) for item in found)


def with_instruction(settings: Settings, words: str) -> tuple[str, ...]:
    """Give the remembered instructions with these words first; nothing is remembered twice."""
    words = words.strip()
    others = tuple(other for other in settings.instructions if other != words)
    return (words, *others)[:HISTORY] if words else others


def with_preset(settings: Settings, label: str, instruction: str) -> dict[str, str]:
    """Give the user's presets with one more; another of the same label is replaced."""
    return {**settings.presets, label: instruction}
