"""Layers as files, for other programs that they are dragged to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QUrl

from .document.state import State
from .document.tree import find, parent_origin


def layers_as_png(state: State, ids: Sequence[str], folder: Path) -> QUrl | None:
    """Write the first of these layers as it is shown alone, cut to the frame; None where there is none.

    Raises:
        DocumentError: it cannot be written.
    """
    from .document.export import Export, export_picture

    if not ids:
        return None
    layer = find(state, ids[0])
    x, y = parent_origin(state, layer.id)
    alone = replace(layer, visible=True, blend="normal", x=layer.x + x, y=layer.y + y)
    name = re.sub(r'[\\/:*?"<>|\0]', "-", layer.name).strip()[:80] or "layer"
    file = folder / f"{name}.png"
    export_picture(file, replace(state, layers=(alone,)), Export("png"))
    return QUrl.fromLocalFile(str(file))
