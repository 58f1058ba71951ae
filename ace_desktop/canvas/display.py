"""What the view shows of the document, kept as one picture of the view's size: panning moves it, edits mend it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap, QRegion

from ..document.geometry import Rect
from ..document.plane import Plane
from ..document.state import State
from .compositor import LEVELS, LIMIT_BYTES, Pyramid, level_for
from .overlays import Look, paint_below, paint_grid, tint_table, traced
from .render import image_of, render
from .transform import ViewTransform


class Display:
    """The document as it is shown through a transform, without selection, tools and pointer.

    `mend` renders what changed. `transform`, `look` and `tint` (the colour of the edit mask, or None) may be set at
    any time.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._transform = ViewTransform()
        self._tint: QColor | None = None
        self._table = tint_table(QColor())
        self._look: Look | None = None
        self._shown = QPixmap()
        self._stale = QRegion()  # in device pixels
        self.picture = Pyramid(state.frame, 4, lambda rect: render(self._state.layers, rect))
        share = LIMIT_BYTES // 8
        self.edit_mask = Pyramid(state.frame, 1, lambda rect: _grey(self._state.edit_mask, rect), share)
        self.selection = Pyramid(state.frame, 1, lambda rect: _grey(self._state.selection, rect), share)

    @property
    def pending(self) -> bool:
        """Whether something that is shown is not up to date."""
        return not self._stale.isEmpty()

    @property
    def nbytes(self) -> int:
        """The bytes that it holds."""
        shown = self._shown.width() * self._shown.height() * 4
        return self.picture.nbytes + self.edit_mask.nbytes + self.selection.nbytes + shown

    @property
    def transform(self) -> ViewTransform:
        """Where the document lies."""
        return self._transform

    @transform.setter
    def transform(self, transform: ViewTransform) -> None:
        before, self._transform = self._transform, transform
        dx, dy = (transform.x - before.x) * transform.ratio, (transform.y - before.y) * transform.ratio
        whole = abs(dx - round(dx)) < 1e-3 and abs(dy - round(dy)) < 1e-3
        if whole and replace(transform, x=before.x, y=before.y) == before:
            self._scroll(round(dx), round(dy))
        elif transform != before:
            self.spoil()

    def set_tint(self, colour: QColor | None) -> None:
        """Show the edit mask in this colour, or not at all."""
        if colour != self._tint:
            self._tint = colour
            self._table = tint_table(colour or QColor())
            self.spoil()

    def set_look(self, look: Look) -> None:
        """Use these colours around and behind the picture."""
        if look != self._look:
            self._look = look
            self.spoil()

    def resize(self, size: QSize) -> None:
        """Have this size, in device pixels."""
        if size != self._shown.size() and not size.isEmpty():
            self._shown = QPixmap(size)
            self.spoil()

    def spoil(self) -> None:
        """Paint all anew."""
        self._stale = QRegion(self._shown.rect())

    def update(self, state: State, before: State, rects: Sequence[Rect]) -> list[QRect]:
        """Show another state of the same size, which differs in these rectangles; give what changes in the view."""
        self._state = state
        if state.layers is not before.layers:
            self.picture.invalidate(rects)
        if state.edit_mask is not before.edit_mask:
            self.edit_mask.invalidate(rects)
        if state.selection is not before.selection:
            self.selection.invalidate(rects)
        seen = [rect for rect in map(self._view_rect, rects) if not rect.isEmpty()]
        if state.layers is not before.layers or (self._tint and state.edit_mask is not before.edit_mask):
            for rect in seen:
                self._stale += self._device_rect(rect)
        return seen

    def mend(self, budget: float) -> None:
        """Render what is stale, for about so many seconds."""
        deadline = time.perf_counter() + budget
        stale, self._stale = self._stale & self._shown.rect(), QRegion()
        rects = _rects(stale)
        whole = stale.boundingRect()
        if len(rects) > 4 or whole.width() * whole.height() < 1.5 * sum(r.width() * r.height() for r in rects):
            rects = [whole]
        if stale.isEmpty():
            return
        painter = QPainter(self._shown)
        for rect in rects:
            self._render(painter, rect, deadline)
        painter.end()

    def paint(self, painter: QPainter, rect: QRect) -> None:
        """Paint a part of the view, in view coordinates."""
        ratio = self._transform.ratio
        source = QRectF(rect.x() * ratio, rect.y() * ratio, rect.width() * ratio, rect.height() * ratio)
        painter.drawPixmap(QRectF(rect), self._shown, source)

    def edge(self, name: str, size: QSize) -> NDArray[np.uint8] | None:
        """Trace the border of a mask ("edit_mask" or "selection") in a view of this size, in device pixels."""
        plane = self._state.edit_mask if name == "edit_mask" else self._state.selection
        if plane is None or not (plane.tiles or plane.default):
            return None
        pyramid = self.edit_mask if name == "edit_mask" else self.selection
        level = level_for(self._transform.zoom)
        ratio = self._transform.ratio
        view = QRect(0, 0, round(size.width() / ratio) + 1, round(size.height() / ratio) + 1)
        rect = self._level_rect(pyramid, view, level)
        if not rect:
            return None
        pixels, _ = pyramid.read(level, rect)
        matrix = self._transform.matrix
        matrix.scale(1 << level, 1 << level).translate(rect.x, rect.y)
        there = [[matrix.m11(), matrix.m21(), matrix.dx()], [matrix.m12(), matrix.m22(), matrix.dy()]]
        back = np.linalg.inv(np.array([*np.multiply(there, ratio), (0, 0, 1)]))
        back[:2, 2] += back[:2, :2] @ (0.5, 0.5) - 0.5  # from the middles of pixels to the middles of pixels
        inside = (pixels[..., 0] > 127).astype(np.uint8)
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        shown = cv2.warpAffine(inside, back[:2], (size.width(), size.height()), flags=flags)
        return traced(np.asarray(shown, np.uint8), ratio)

    def _scroll(self, dx: int, dy: int) -> None:
        if (dx, dy) == (0, 0):
            return
        exposed = QRegion()
        self._stale.translate(dx, dy)
        self._shown.scroll(dx, dy, self._shown.rect(), exposed)
        self._stale += exposed

    def _render(self, painter: QPainter, rect: QRect, deadline: float) -> None:
        """Render a rectangle of device pixels, and note what is left of it."""
        if self._look is None:
            return
        ratio, transform = self._transform.ratio, self._transform
        painter.save()
        painter.setClipRect(rect)
        painter.scale(ratio, ratio)
        view = QRectF(rect.x() / ratio, rect.y() / ratio, rect.width() / ratio, rect.height() / ratio).toAlignedRect()
        paint_below(painter, view, transform, self._state.frame, self._look)
        level = level_for(transform.zoom)
        level_rect = self._level_rect(self.picture, view, level)
        if level_rect:
            pixels, left = self.picture.read(level, level_rect, deadline)
            self._draw(painter, image_of(pixels, QImage.Format.Format_ARGB32_Premultiplied), level, level_rect)
            painted = self._state.edit_mask
            if self._tint is not None and (painted.tiles or painted.default):
                values, late = self.edit_mask.read(level, level_rect, deadline)
                left += late
                colours = np.take(self._table, values[..., 0])
                image = QImage(
                    colours.data, level_rect.width, level_rect.height, QImage.Format.Format_ARGB32_Premultiplied
                )
                self._draw(painter, image, level, level_rect)
            paint_grid(painter, transform, transform.document_rect(view) & self._state.frame)
            for rest in left:
                self._stale += self._device_rect(self._view_rect(_document_rect(rest, level)))
        painter.restore()

    def _draw(self, painter: QPainter, image: QImage, level: int, rect: Rect) -> None:
        transform = self._transform
        painter.save()
        enlarged = transform.zoom * (1 << level)
        smooth = transform.zoom < 2 and (abs(enlarged - 1) > 1e-6 or transform.rotation != 0)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        matrix = transform.matrix * painter.transform()
        painter.setTransform(matrix)
        frame = self._state.frame
        if transform.rotation % 90 == 0:
            painter.setClipRect(QRectF(frame.x, frame.y, frame.width, frame.height), Qt.ClipOperation.IntersectClip)
        else:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(1 << level, 1 << level)
        painter.drawImage(QPoint(rect.x, rect.y), image)
        painter.restore()

    def _level_rect(self, pyramid: Pyramid, view: QRect, level: int) -> Rect:
        """Give what of a level is seen in a rectangle of the view, with what smooth scaling looks at beyond."""
        rect = self._transform.document_rect(view)
        size = 1 << level
        around = Rect.of_edges(rect.x // size, rect.y // size, -(-rect.right // size), -(-rect.bottom // size))
        return around.grown(2) & pyramid.level_frame(level)

    def _view_rect(self, rect: Rect) -> QRect:
        """Give what of the view shows a rectangle of the document, neighbours that are mixed with it included."""
        margin = min(2 << level_for(self._transform.zoom), 2 << LEVELS) if self._transform.zoom < 2 else 0
        return self._transform.view_rect(rect.grown(margin))

    def _device_rect(self, rect: QRect) -> QRect:
        ratio = self._transform.ratio
        return QRectF(rect.x() * ratio, rect.y() * ratio, rect.width() * ratio, rect.height() * ratio).toAlignedRect()


def _grey(plane: Plane | None, rect: Rect) -> NDArray[np.uint8]:
    if plane is None:
        return np.zeros((rect.height, rect.width, 1), np.uint8)
    return plane.read(rect).astype(np.uint8, copy=False)


def _document_rect(rect: Rect, level: int) -> Rect:
    return Rect(rect.x << level, rect.y << level, rect.width << level, rect.height << level)


def _rects(region: QRegion) -> list[QRect]:
    return [QRect(rect) for rect in region]  # pyright: ignore[reportGeneralTypeIssues] it can be walked over
