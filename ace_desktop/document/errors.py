"""What a person is told about files, in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Warn: TypeAlias = Callable[[str], None]
"""Is told, in a sentence, what went otherwise than a person may expect."""


class DocumentError(ValueError):
    """A document cannot be opened or saved; the message says what is wrong and what to do."""


def ignore(_sentence: str) -> None:
    """Let a warning pass."""
