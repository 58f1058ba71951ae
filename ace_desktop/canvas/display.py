"""What the view shows of the document, kept as one picture of the view's size: panning moves it, edits mend it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap, QRegion

from ..document.geometry import EMPTY, Rect
from ..document.plane import Plane
from ..document.state import State
from ..document.target import EDIT_MASK, Target
from .colours import converted, to_window
from .compositor import LEVELS, LIMIT_BYTES, Pyramid, covering, level_for
from .mask_alone import GREYS, LayerMask
from .overlays import Look, paint_below, paint_grid, tint_table, traced
from .renderer import Renderer
from .transform import ViewTransform

_OPENING = 4
"""How much longer a frame may take until all of a document was shown once: fewer of them take less in all."""
_SHARE = LIMIT_BYTES // 8
"""Of the tiles of a mask."""


class Display:
    """The document as it is shown through a transform, without selection, tools and pointer.

    `mend` renders what changed. `transform`, `look`, `tint` (the colour of the edit mask, or None) and `alone` (the
    mask that is shown in place of the picture) may be set at any time.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._transform = ViewTransform()
        self._coarse = False
        self._tint: QColor | None = None
        self._table = tint_table(QColor())
        self._look: Look | None = None
        self._shown = QPixmap()
        self._stale = QRegion()  # in device pixels, as the next two
        self._blank = QRegion()  # what of that shows nothing of use, and has to be drawn however little is rendered
        self._pace = 0.0  # seconds that drawing a pixel took last
        self._opening = True  # nothing is there yet that a hand could wait for
        colours = to_window(state.profile)
        self._renderer = Renderer()
        self.picture = Pyramid(
            state.frame, 4, lambda rect: converted(self._renderer.render(self._state.layers, rect), colours)
        )
        self.edit_mask = Pyramid(state.frame, 1, lambda rect: _grey(self._state.edit_mask, rect), _SHARE)
        self.selection = Pyramid(state.frame, 1, lambda rect: _grey(self._state.selection, rect), _SHARE)
        self._alone: Target | None = None
        self._layer_mask: LayerMask | None = None  # where that is what is shown alone

    @property
    def pending(self) -> bool:
        """Whether something that is shown is not as exact as it will be."""
        return self._coarse or self.stale

    @property
    def stale(self) -> bool:
        """Whether there is something to render for what is shown."""
        return not self._stale.isEmpty()

    @property
    def stale_rect(self) -> QRect:
        """Where that is, in view coordinates."""
        return self._view_around(self._stale.boundingRect())

    @property
    def nbytes(self) -> int:
        """The bytes that it holds."""
        shown = self._shown.width() * self._shown.height() * 4
        masks = self.edit_mask.nbytes + self.selection.nbytes
        masks += self._layer_mask.pyramid.nbytes if self._layer_mask else 0
        return self.picture.nbytes + masks + self._renderer.nbytes + shown

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

    def set_coarse(self, coarse: bool) -> None:
        """Paint from the next coarser level, in a third of the time, or exactly."""
        if coarse != self._coarse:
            self._coarse = coarse
            self._stale = QRegion(self._shown.rect())

    @property
    def _level(self) -> int:
        level = level_for(self._transform.zoom)
        return min(level + 1, LEVELS - 1) if self._coarse and self._transform.zoom < 1 else level

    def set_tint(self, colour: QColor | None) -> None:
        """Show the edit mask in this colour, or not at all."""
        if colour != self._tint:
            self._tint = colour
            self._table = tint_table(colour or QColor())
            self.spoil()

    def set_alone(self, target: Target | None) -> None:
        """Show a mask in grey in place of the picture: the edit mask, or a layer's; None for the picture."""
        if target != self._alone:
            self._alone = target
            shows_layer = target is not None and target != EDIT_MASK
            self._layer_mask = LayerMask(self._state, target, _SHARE) if target and shows_layer else None
            self.spoil()

    @property
    def _seen(self) -> Pyramid:
        """What is shown, tint apart."""
        if self._alone is None:
            return self.picture
        return self.edit_mask if self._layer_mask is None else self._layer_mask.pyramid

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
        self._stale, self._blank = QRegion(self._shown.rect()), QRegion(self._shown.rect())

    def update(self, state: State, before: State, rects: Sequence[Rect]) -> list[QRect]:
        """Show another state of the same frame and profile, which differs here; give what changes in the view."""
        self._state = state
        if state.layers is not before.layers:
            self.picture.invalidate(rects)
        if state.edit_mask is not before.edit_mask:
            self.edit_mask.invalidate(rects)
        if state.selection is not before.selection:
            self.selection.invalidate(rects)
        masked = bool(self._tint or self._alone) and state.edit_mask is not before.edit_mask
        if self._layer_mask is not None:  # it may differ where the layer shows nothing
            rects = [*rects, *self._layer_mask.update(state, before)]
        seen = [rect for rect in map(self._view_rect, rects) if not rect.isEmpty()]
        if state.layers is not before.layers or masked:
            for rect in seen:
                self._stale += self._device_rect(rect)
        return seen

    def mend(self, budget: float) -> QRect:
        """Render what is stale and draw it, in about so many seconds; what is left shows what it did, or coarser.

        Returns what of the view was drawn, which may be more than is being painted.
        """
        stale, blank = self._stale & self._shown.rect(), self._blank & self._shown.rect()
        self._stale, self._blank = QRegion(), QRegion()
        if stale.isEmpty() or self._look is None:
            return QRect()
        began = time.perf_counter()
        budget *= _OPENING if self._opening else 1
        for rect in _few(stale):
            self._refresh(rect, began + budget - self._pace * _area(blank))
        began = time.perf_counter()
        painter = QPainter(self._shown)
        mended = stale.subtracted(self._stale).united(blank)
        drawn = _few(mended)
        for rect in drawn:
            self._draw(painter, rect, self._look)
        painter.end()
        self._opening = self._opening and self.stale
        area = sum(rect.width() * rect.height() for rect in drawn)
        if 2 * area > self._shown.width() * self._shown.height():
            self._pace = (time.perf_counter() - began) / area
        return self._view_around(mended.boundingRect())

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
        level = self._level
        ratio = self._transform.ratio
        view = QRect(0, 0, round(size.width() / ratio) + 1, round(size.height() / ratio) + 1)
        rect = self._level_rect(pyramid, view, level)
        if not rect:
            return None
        pyramid.refresh(level, rect)
        pixels = pyramid.read(level, rect)
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
        self._blank.translate(dx, dy)
        self._shown.scroll(dx, dy, self._shown.rect(), exposed)
        self._stale += exposed
        self._blank += exposed

    def _refresh(self, rect: QRect, deadline: float) -> None:
        """Render what a rectangle of device pixels shows, and note what is left of it."""
        level, view = self._level, self._view_around(rect)
        seen = self._level_rect(self._seen, view, level)
        left = self._seen.refresh(level, seen, deadline)
        tinted = seen & self._tinted(level)
        if tinted:
            left += self.edit_mask.refresh(level, tinted, deadline)
        for rest in left:
            self._stale += self._device_rect(self._view_rect(_document_rect(rest, level)))

    def _draw(self, painter: QPainter, rect: QRect, look: Look) -> None:
        """Draw a rectangle of device pixels from what is rendered."""
        ratio, transform = self._transform.ratio, self._transform
        painter.save()
        painter.setClipRect(rect)
        painter.scale(ratio, ratio)
        view = self._view_around(rect)
        paint_below(painter, view, transform, self._state.frame, look)
        level = self._level
        seen = self._level_rect(self._seen, view, level)
        if seen:
            pixels = self._seen.read(level, seen)
            if self._alone is not None:
                pixels = np.take(GREYS, pixels[..., 0])
            tinted = seen & self._tinted(level)
            if tinted:  # before it is scaled, which takes the most time
                colours = np.take(self._table, self.edit_mask.read(level, tinted)[..., 0])
                image = _image(pixels)
                over = QPainter(image)
                over.drawImage(tinted.x - seen.x, tinted.y - seen.y, _image(colours))
                over.end()
            self._draw_image(painter, pixels, level, seen)
            paint_grid(painter, transform, transform.document_rect(view) & self._state.frame)
        painter.restore()

    def _tinted(self, level: int) -> Rect:
        """Give the rectangle of a level that the edit mask's tint reaches into, with what is mixed with it."""
        mask = self._state.edit_mask
        if self._tint is None or self._alone == EDIT_MASK or not (mask.tiles or mask.default):
            return EMPTY
        if mask.default:
            return self.edit_mask.level_frame(level)
        return covering(mask.bounds, level).grown(2) & self.edit_mask.level_frame(level)

    def _draw_image(self, painter: QPainter, pixels: NDArray[Any], level: int, rect: Rect) -> None:
        """Draw premultiplied pixels, four bytes each, in the place of a rectangle of a level."""
        transform = self._transform
        image = _image(pixels)
        painter.save()
        enlarged = transform.zoom * (1 << level)
        smooth = transform.zoom < 2 and (abs(enlarged - 1) > 1e-6 or transform.rotation != 0)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.setTransform(transform.matrix * painter.transform())
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
        margin = min(2 << self._level, 2 << LEVELS) if self._transform.zoom < 2 else 0
        return self._transform.view_rect(rect.grown(margin))

    def _view_around(self, rect: QRect) -> QRect:
        """Give the rectangle of the view around one of device pixels."""
        ratio = self._transform.ratio
        return QRectF(rect.x() / ratio, rect.y() / ratio, rect.width() / ratio, rect.height() / ratio).toAlignedRect()

    def _device_rect(self, rect: QRect) -> QRect:
        ratio = self._transform.ratio
        return QRectF(rect.x() * ratio, rect.y() * ratio, rect.width() * ratio, rect.height() * ratio).toAlignedRect()


def _grey(plane: Plane | None, rect: Rect) -> NDArray[np.uint8]:
    if plane is None:
        return np.zeros((rect.height, rect.width, 1), np.uint8)
    return plane.read(rect).astype(np.uint8, copy=False)


def _image(pixels: NDArray[Any]) -> QImage:
    """Wrap premultiplied pixels of four bytes."""
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, QImage.Format.Format_ARGB32_Premultiplied)


def _document_rect(rect: Rect, level: int) -> Rect:
    return Rect(rect.x << level, rect.y << level, rect.width << level, rect.height << level)


def _few(region: QRegion) -> list[QRect]:
    """List rectangles that cover a region: its own where they are few and far apart, else the one around all."""
    rects = [QRect(rect) for rect in region]  # pyright: ignore[reportGeneralTypeIssues] it can be walked over
    whole = region.boundingRect()
    if len(rects) > 4 or whole.width() * whole.height() < 1.5 * _area(region):
        return [] if whole.isEmpty() else [whole]
    return rects


def _area(region: QRegion) -> int:
    return sum(rect.width() * rect.height() for rect in region)  # pyright: ignore[reportGeneralTypeIssues]
