"""Results as layers that know how they were made, and whether what they were made of is still there."""

from __future__ import annotations

from mlx_model.request import EditRequest, Picture

from .results import Result
from .state import Layer, State


def accept(state: State, result: Result, patch: Picture) -> State:
    """Give the document with a result as a new layer above the active one and all that was seen; it becomes active.

    The layer's mask is the patch's alpha; its `extra` holds the request, the result's id and what lay below.

    Raises:
        DocumentError: the result was made for another picture, or its place lies outside this one.
    """
    raise NotImplementedError


def request_of_layer(layer: Layer) -> EditRequest | None:
    """Give the request that made a layer; None for other layers."""
    raise NotImplementedError


def result_of_layer(layer: Layer) -> str | None:
    """Give the id of the result that a layer was made of; None for other layers."""
    raise NotImplementedError


def is_stale(state: State, layer_id: str) -> bool:
    """Tell whether what lies below a result's layer is no longer what it was made of; False for other layers.

    Quick while few tiles have changed since it was asked last.
    """
    raise NotImplementedError


def rerun(state: State, layer_id: str) -> State:
    """Give the document as it has to be for a layer's request to be run again: its settings set, the layer hidden.

    Raises:
        ValueError: the layer was not made by an edit.
    """
    raise NotImplementedError
