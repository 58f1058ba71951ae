"""The eight handles of a box and the cursors that say what dragging them does."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from PySide6.QtCore import Qt

Handle: TypeAlias = tuple[float, float]
"""Where it is, as parts of the box's width and height."""
Hold: TypeAlias = Handle | Literal["move"]
"""What a hand has hold of: a handle, or the whole."""

HANDLES: tuple[Handle, ...] = (
    (0, 0), (1, 0), (1, 1), (0, 1), (0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5),
)  # fmt: skip
"""Corners, then sides."""

CURSORS: Mapping[Handle | str, Qt.CursorShape] = MappingProxyType(
    {
        (0, 0): Qt.CursorShape.SizeFDiagCursor, (1, 1): Qt.CursorShape.SizeFDiagCursor,
        (1, 0): Qt.CursorShape.SizeBDiagCursor, (0, 1): Qt.CursorShape.SizeBDiagCursor,
        (0.5, 0): Qt.CursorShape.SizeVerCursor, (0.5, 1): Qt.CursorShape.SizeVerCursor,
        (0, 0.5): Qt.CursorShape.SizeHorCursor, (1, 0.5): Qt.CursorShape.SizeHorCursor,
        "move": Qt.CursorShape.SizeAllCursor, "turn": Qt.CursorShape.PointingHandCursor,
    }
)  # fmt: skip
