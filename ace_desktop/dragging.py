"""Layers as files, for other programs that they are dragged to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QObject, QTimer, QUrl

from .background import Background
from .document.state import State
from .document.tree import find, parent_origin

_URLS = "text/uri-list"
_PATIENCE = 30.0
"""Seconds that a drop waits for a file that is still being written."""


class WithFile(QMimeData):
    """Other data, and a file that is written while the hand drags; only a drop that comes too soon waits for it.

    macOS counts the files before the drag begins, which must not wait: until then the answer is where it will be.
    """

    def __init__(
        self,
        other: QMimeData,
        make: Callable[[], QUrl | None],
        background: Background,
        failed: Callable[[Exception], None],
        asks: QObject,
        where: Path | None = None,
    ) -> None:
        """Begin to make the file; `failed` is told why there is none, and the other data can still be dropped.

        `where` is where it will be, if that is known.
        """
        super().__init__()
        self._where = where
        QTimer.singleShot(0, self, self._begun)
        for form in other.formats():
            self.setData(form, other.data(form))
        self._file: Future[QUrl | None] = Future()

        def work() -> None:
            url = None
            try:
                url = make()
            finally:
                self._file.set_result(url)

        background.run(work, lambda _: None, failed, asks)

    def _begun(self) -> None:
        """From now on who asks wants the file."""
        self._where = None

    def formats(self) -> list[str]:
        """List what there is, the file included."""
        return [*super().formats(), _URLS]

    def hasFormat(self, mimetype: str) -> bool:  # noqa: N802
        """Tell whether it is there."""
        return mimetype in self.formats()

    def retrieveData(self, mimetype: str, preferredType: Any) -> Any:  # noqa: N802, N803
        """Give the data of a kind."""
        if mimetype != _URLS:
            return super().retrieveData(mimetype, preferredType)
        if self._where is not None:
            return [QUrl.fromLocalFile(str(self._where))]
        try:
            url = self._file.result(_PATIENCE)
        except TimeoutError:
            return []
        return [] if url is None else [url]


def place_of(state: State, ids: Sequence[str], folder: Path) -> Path | None:
    """Give where `layers_as_png` writes."""
    if not ids:
        return None
    name = re.sub(r'[\\/:*?"<>|\0]', "-", find(state, ids[0]).name).strip()[:80] or "layer"
    return folder / f"{name}.png"


def layers_as_png(state: State, ids: Sequence[str], folder: Path) -> QUrl | None:
    """Write the first of these layers as it is shown alone, cut to the frame; None where there is none.

    Raises:
        DocumentError: it cannot be written.
    """
    from .document.export import Export, export_picture

    file = place_of(state, ids, folder)
    if file is None:
        return None
    layer = find(state, ids[0])
    x, y = parent_origin(state, layer.id)
    alone = replace(layer, visible=True, blend="normal", x=layer.x + x, y=layer.y + y)
    export_picture(file, replace(state, layers=(alone,)), Export("png"))
    return QUrl.fromLocalFile(str(file))
