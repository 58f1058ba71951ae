"""Pictures, layers and selections made ready for the reference board, in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ..document.references import NewReference, move_reference, new_reference, put_reference
from ..document.state import State
from .incoming import Incoming, eight_bits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlx_model.request import Picture

    Found: TypeAlias = tuple[Picture, NDArray[np.uint8] | None] | None


@dataclass(frozen=True, eq=False)
class Source:
    """Where a reference comes from: its name, and what reads it with its mask (slowly; None: nothing is seen)."""

    name: str
    read: Callable[[], Found]


@dataclass(frozen=True, eq=False)
class Ready:
    """What was read: the references, how many sources were empty, and the first error."""

    references: tuple[NewReference, ...]
    empty: int = 0
    error: Exception | None = None


def of_incoming(incoming: Incoming) -> Source:
    """Take a picture from outside."""
    return Source(incoming.name, lambda: (incoming.read(), None))


def of_layer(state: State, layer_id: str) -> Source:
    """Take a layer as it is seen alone."""
    from ..document.placing import layer_picture
    from ..document.tree import find

    def read() -> Found:
        picture = layer_picture(state, layer_id)
        return None if picture is None else (picture, None)

    return Source(find(state, layer_id).name, read)


def of_selection(state: State, name: str) -> Source:
    """Take what is selected of the picture, its outline as the mask."""
    from ..document.placing import selected_picture

    return Source(name, lambda: selected_picture(state))


def make_ready(sources: Sequence[Source]) -> Ready:
    """Read and encode sources in their order; one that cannot be read does not keep the others out. Slow."""
    made: list[NewReference] = []
    empty, first = 0, None
    for source in sources:
        try:
            found = source.read()
            if found is None:
                empty += 1
                continue
            picture, mask = found
            made.append(new_reference(eight_bits(picture), source.name, picture.profile, mask=mask))
        except Exception as error:  # told to the person when the others are there
            first = first or error
    return Ready(tuple(made), empty, first)


def put_ready(ready: Ready, row: int | None, state: State) -> State:
    """Give the document with the references on the board: before a row, or at the end. Quick."""
    for place, made in enumerate(ready.references):
        state = put_reference(state, made)
        if row is not None:
            state = move_reference(state, made.reference.id, row + place)
    return state
