"""Finding words by some of their letters."""

from __future__ import annotations


def score(query: str, text: str) -> int | None:
    """Rate how well a text answers a query, higher is better; None where its letters do not occur in order.

    Letters that begin a word or follow the one before count more; shorter texts come first among equals.
    """
    wanted, found = query.casefold().replace(" ", ""), text.casefold()
    if not wanted:
        return 0
    best: dict[int, int] = {-1: 0}  # of matches that end at a place, the best sum so far
    for letter in wanted:
        following: dict[int, int] = {}
        for place, here in enumerate(found):
            if here != letter:
                continue
            begins = place == 0 or not found[place - 1].isalnum()
            for last, total in best.items():
                if last < place:
                    gained = total + 1 + (6 if begins else 0) + (4 if last == place - 1 and last >= 0 else 0)
                    if gained > following.get(place, -1):
                        following[place] = gained
        if not following:
            return None
        best = following
    return max(best.values()) * 100 - len(found)
