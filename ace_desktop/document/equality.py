"""Documents compared by value: states are frozen but compare by identity, which is what undo needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .plane import Plane
from .state import Layer, State


def equal(one: State, other: State) -> bool:
    """Tell whether two documents are the same to the last pixel, setting and attached file."""
    return _same(one, other)


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, Plane) and isinstance(other, Plane):
        return one.equals(other)
    if isinstance(one, State | Layer):
        return type(one) is type(other) and all(
            _same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)
