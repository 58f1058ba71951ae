"""What is about to be placed on the canvas, under the pointer: the reference and its outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QPolygonF, QTransform
from PySide6.QtWidgets import QWidget

from ..canvas.view import CanvasView
from ..document.references import BoardReference
from ..document.state import State
from .reference_model import reference_image

_SIDE = 512
_SHARE = 0.4
"""Of what is seen of the document: how long a placed reference's longer side is, as long as nothing else is known."""


@dataclass(frozen=True, eq=False)
class Ghost:
    """A reference as it is shown while it is dragged: a small picture, and outlines in shares of its sides."""

    image: QImage
    outlines: tuple[QPolygonF, ...]


def make_ghost(state: State, reference_id: str) -> Ghost:
    """Make the ghost of a reference; safe in any thread."""
    import cv2

    image = reference_image(state, reference_id, _SIDE)
    width, height = image.width(), image.height()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(height, image.bytesPerLine() // 4, 4)[:, :width]
    inside = (rows[..., 3] >= 128).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outlines = tuple(
        QPolygonF([QPointF((x + 0.5) / width, (y + 0.5) / height) for x, y in contour[:, 0].tolist()])
        for contour in found
        if len(contour) > 2
    )
    return Ghost(image, outlines)


def longest_side(view: CanvasView) -> float:
    """Say how long the longer side of what is placed may be, in document pixels: sensible for what is seen."""
    session = view.session
    if session is None:
        return 1.0
    seen = view.transform.document_rect(view.rect()) & session.state.frame
    room = min(seen.width, seen.height) or min(session.state.width, session.state.height)
    return max(room * _SHARE, 1.0)


def placed_size(reference: BoardReference, longest: float) -> tuple[float, float]:
    """Give the width and height of a placed reference, in document pixels; it is never made larger than it is."""
    width, height = reference.crop[2:] if reference.crop else (reference.width, reference.height)
    scale = min(1.0, longest / max(width, height))
    return width * scale, height * scale


class PlacingGhost(QWidget):
    """Lies over the view while a card is dragged and lets everything through."""

    def __init__(self, view: CanvasView) -> None:
        super().__init__(view)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._view = view
        self._ghost: Ghost | None = None
        self.at: QPointF | None = None
        self.size_in_document = (1.0, 1.0)
        self.hide()

    def follow(self, at: QPointF, size: tuple[float, float]) -> None:
        """Show the outline around a point of the view."""
        self.at, self.size_in_document = at, size
        self.setGeometry(self._view.rect())
        self.show()
        self.update()

    def set_ghost(self, ghost: Ghost | None) -> None:
        """Show this picture; a plain rectangle where there is none yet."""
        self._ghost = ghost
        self.update()

    def forget(self) -> None:
        """Show nothing any more."""
        self._ghost = self.at = None
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Paint the picture half through, and its outline."""
        if self.at is None:
            return
        width, height = self.size_in_document
        scale = self._view.transform.scale
        place = QTransform().translate(self.at.x(), self.at.y()).rotate(self._view.rotation)
        place = place.scale(width * scale, height * scale).translate(-0.5, -0.5)
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        outlines = self._ghost.outlines if self._ghost else ()
        if self._ghost is not None:
            painter.save()
            painter.setTransform(place)
            painter.setOpacity(0.6)
            painter.drawImage(QRectF(0, 0, 1, 1), self._ghost.image)
            painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, line in ((QColor(0, 0, 0, 160), 3.0), (QColor(255, 255, 255), 1.5)):
            painter.setPen(QPen(colour, line))
            for outline in outlines or (QPolygonF(QRectF(0, 0, 1, 1)),):
                painter.drawPolygon(place.map(outline))
