"""A result laid over the document to be compared with it; the document itself does not change."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from .background import Background
from .document.result_layers import box_now
from .document.results import ResultStore
from .result_images import image_of_patch
from .session import Session

MOST_BYTES: Final = 2**28
"""Of the images that are kept; the last one always is."""


class Comparing(QObject):
    """Reads what is to be shown in threads; what is no longer wanted by then is not shown."""

    compared = Signal(object, object, object)
    """A QImage, its box, and where the wiping line stands (0..1 or None); None, None, None at the end."""
    failed = Signal(object)
    """An Exception: a result cannot be read."""

    def __init__(
        self, session: Session, results: ResultStore, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._results, self._background = session, results, background
        self._images: dict[tuple[str, bytes | None], QImage] = {}
        self._wanted: str | None = None
        self._wipe: float | None = None

    def show(self, result_id: str | None, wipe: float | None) -> None:
        """Show a result; None ends it, as does one that has no place here: of another picture, or of another size."""
        result = None if result_id is None else self._results.get(result_id)
        box = None if result is None else box_now(self._session.state, result.box, result.place)
        self._wanted, self._wipe = result_id, wipe
        if result_id is None or result is None or result.foreign or box is None:
            self._wanted = None
            self.compared.emit(None, None, None)
            return
        profile = self._session.state.profile
        key = result_id, profile
        if key in self._images:
            self.compared.emit(self._images[key], box, wipe)
            return

        def done(image: QImage) -> None:
            self._images[key] = image
            while len(self._images) > 1 and sum(map(QImage.sizeInBytes, self._images.values())) > MOST_BYTES:
                del self._images[next(iter(self._images))]
            if self._wanted == result_id:
                self.compared.emit(image, box, self._wipe)

        def failed(error: Exception) -> None:
            if self._wanted == result_id:  # otherwise it may have been deleted meanwhile
                self.failed.emit(error)

        self._background.run(lambda: image_of_patch(self._results.patch(result_id), profile), done, failed, self)
