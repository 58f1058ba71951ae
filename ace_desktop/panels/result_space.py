"""How much room results take, and what could be let go."""

from __future__ import annotations

from ..document.results import Result, ResultStore
from ..translation import tr


def size_words(size: int) -> str:
    """Say a number of bytes as people read them."""
    if size < 10**6:
        return tr("{number} kB", number=max(1, round(size / 1000)) if size else 0)
    if size < 10**9:
        return tr("{number} MB", number=round(size / 10**6))
    return tr("{number} GB", number=f"{size / 10**9:.1f}")


def deletable(store: ResultStore) -> list[tuple[str, list[Result]]]:
    """List what could be deleted together: a name, and the results."""
    results = store.all()
    return [
        (tr("Delete rejected results"), [result for result in results if result.rejected]),
        (
            tr("Delete what is a layer already and has no star"),
            [result for result in results if result.accepted and not result.starred],
        ),
        (
            tr("Delete everything without a star"),
            [result for result in results if not result.starred],
        ),
    ]


def freed_words(text: str, results: list[Result]) -> str:
    """Say what a menu's entry deletes, and how much room that gives."""
    if not results:
        return text
    size = size_words(sum(result.size for result in results))
    return f"{text} ({len(results)}, {size})"
