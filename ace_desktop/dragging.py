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
    """Write the first of these layers as it is shown alone, cut to the frame; None where it is empty."""
    from .document.compose import compose_layers
    from .document.plane_png import encode_png

    if not ids:
        return None
    layer = replace(find(state, ids[0]), visible=True, blend="normal")
    x, y = parent_origin(state, layer.id)
    pixels = compose_layers([layer], state.frame.moved(-x, -y))
    file = folder / (re.sub(r'[\\/:*?"<>|\0]', "-", layer.name).strip() or "layer")[:80]
    file = file.with_name(file.name + ".png")
    file.write_bytes(encode_png(pixels, state.profile, state.resolution))
    return QUrl.fromLocalFile(str(file))
