"""What the actions of `actions.py` do to a window, by their ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from . import edit, file, image, instruct, layer, mask, result, select, view

if TYPE_CHECKING:
    from ..main_window import MainWindow

COMMANDS: Mapping[str, Callable[[MainWindow], None]] = MappingProxyType(
    {
        **file.COMMANDS,
        **edit.COMMANDS,
        **image.COMMANDS,
        **layer.COMMANDS,
        **select.COMMANDS,
        **mask.COMMANDS,
        **instruct.COMMANDS,
        **result.COMMANDS,
        **view.COMMANDS,
    }
)

CHECKED: Mapping[str, Callable[[MainWindow], bool]] = MappingProxyType(
    {**layer.CHECKED, **mask.CHECKED, **instruct.CHECKED, **result.CHECKED, **view.CHECKED}
)
"""Of the actions that can be checked, whether they are."""
