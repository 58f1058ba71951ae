"""What can go wrong with a person's files, in one sentence."""

from __future__ import annotations


class DocumentError(ValueError):
    """A document cannot be opened or saved; the message says what is wrong and what to do."""
