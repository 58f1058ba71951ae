"""Where a document's picture lies in the frame, against where it lay at first: crops move it, resizing scales it.

A result knows the place of the picture that it was made for, so that it is put where it belongs whatever became of
the frame meanwhile.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from .description import frozen
from .geometry import Rect
from .resample import Matrix, mapped_rect

Place: TypeAlias = tuple[float, ...]
"""The first two rows of a matrix from where the picture lay at first to where it lies; () while that is the same."""

PLACE: Final = "place"
"""Under this name a document's settings hold it."""
_EDIT: Final = "edit"  # as `edit.SETTINGS`; that module knows models, which the tools do not
_NUMBERS: Final = 6
_DIGITS: Final = 9
_SMALLEST_AREA: Final = 1e-9


def place_of(settings: Mapping[str, Any]) -> Place:
    """Read the place from a document's settings; what is damaged is as if nothing had ever moved."""
    held = settings.get(PLACE, ())
    try:
        return checked(held)
    except (TypeError, ValueError):
        return ()


def checked(held: Any) -> Place:
    """Give a place as it was read from a file.

    Raises:
        ValueError, TypeError: it is none.
    """
    place = tuple(float(number) for number in held)
    if place and (len(place) != _NUMBERS or not all(map(math.isfinite, place))):
        raise ValueError("a place is missing")
    if place and abs(np.linalg.det(_matrix(place)[:2, :2])) < _SMALLEST_AREA:
        raise ValueError("a place has an area")
    return place


def between(before: Place, now: Place) -> Matrix:
    """Give the matrix that brings what was put at a place to another one."""
    return _matrix(now) @ np.linalg.inv(_matrix(before))


def followed(settings: Mapping[str, Any], matrix: Matrix) -> Mapping[str, Any]:
    """Give a document's settings after its picture was mapped by a matrix: its place, and the frame of the edit."""
    place = tuple(round(float(number), _DIGITS) for number in (matrix @ _matrix(place_of(settings)))[:2].flat)
    others = {name: value for name, value in settings.items() if name != PLACE}
    if not np.array_equal(_matrix(place), np.eye(3)):
        others[PLACE] = list(place)
    edit = others.get(_EDIT)
    if isinstance(edit, Mapping) and "region" in edit:
        with contextlib.suppress(TypeError, ValueError, OverflowError):  # a damaged one counts for nothing
            others[_EDIT] = {**edit, "region": _mapped(matrix, edit["region"])}
    return frozen(others)


def _mapped(matrix: Matrix, region: Any) -> list[int]:
    x, y, width, height = (int(number) for number in region)
    left, top, right, bottom = (round(edge) for edge in mapped_rect(matrix, Rect(x, y, width, height)))
    return [left, top, max(right - left, 1), max(bottom - top, 1)]


def _matrix(place: Place) -> Matrix:
    return np.array([*place, 0.0, 0.0, 1.0]).reshape(3, 3) if place else np.eye(3)
