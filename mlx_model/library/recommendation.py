"""Which bit width suits a machine, by its memory."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mlx_model.library.catalogue import CatalogueModel

_SMALL_MACHINE: Final = 36 << 30


@dataclass(frozen=True)
class Recommendation:
    """The model to take; ``small_pictures`` says that it works at about 512 x 512 pixels, not at 1024 x 1024."""

    model: CatalogueModel
    small_pictures: bool


def usable_bytes(memory: int) -> int:
    """Return how much of a Mac's memory a GPU program may keep in use.

    Two thirds up to 36 GB and three quarters beyond, as Metal's recommended working set is reported to be.
    """
    return memory * 2 // 3 if memory <= _SMALL_MACHINE else memory * 3 // 4


def recommended(models: Sequence[CatalogueModel], memory: int) -> Recommendation | None:
    """Return the model with the most bits that fits a machine with so many bytes of memory, or None.

    One fits if the text encoders can be read beside the transformer. Where none does, the smallest is recommended
    for small pictures, if its parts fit in turn.
    """
    usable = usable_bytes(memory)
    if at_ease := [model for model in models if model.memory <= usable]:
        return Recommendation(max(at_ease, key=lambda model: model.memory), small_pictures=False)
    smallest = min(models, key=lambda model: model.memory_small, default=None)
    if smallest is not None and smallest.memory_small <= usable:
        return Recommendation(smallest, small_pictures=True)
    return None


def memory_bytes() -> int:
    """Return the size of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
