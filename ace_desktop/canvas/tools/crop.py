"""Crop and expand: a frame that is dragged; room beyond the picture comes transparent and in the edit mask."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QLineF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QPainter, QPainterPath, QPen, QPolygonF, QRegion

from ...document.canvas_size import crop, expand
from ...document.geometry import EMPTY, Rect
from ...document.state import State
from ...session import Session
from ...translation import marked, tr
from ..handles import HANDLES
from ..transform import ViewTransform
from .masking import paint_handle
from .move import REACH
from .tool import Pointer, Tool

LARGEST = 32768
"""The longest side that a picture may get."""
_RATIOS: dict[str, float] = {"1:1": 1.0, "4:3": 4 / 3, "3:2": 3 / 2, "16:9": 16 / 9}


class CropTool(Tool):
    """Drag the frame's handles, or a new frame; Return or a double click applies it, Esc takes it back."""

    frame_grip = None

    def __init__(self, session: Session, options: Mapping[str, Any]) -> None:
        super().__init__(session, options)
        self._rect = EMPTY  # the new frame; empty where it is the picture's
        self._drag: tuple[tuple[float, float] | str, Pointer, Rect] | None = None

    @property
    def rect(self) -> Rect:
        """The frame that applying would make, in document pixels."""
        return self._rect or self.session.state.frame

    def press(self, pointer: Pointer) -> None:
        """Take hold of a handle, of the frame, or begin another."""
        if self.work.running:
            return
        rect = self.rect
        where: tuple[float, float] | str = "new"
        for across, down in HANDLES:
            place = rect.x + across * rect.width, rect.y + down * rect.height
            if math.dist((pointer.x, pointer.y), place) * pointer.scale <= REACH:
                where = across, down
                break
        else:
            inside = rect.x <= pointer.x <= rect.right and rect.y <= pointer.y <= rect.bottom
            if inside and self._rect and not pointer.shift:
                where = "move"
        self.begin()
        self._drag = where, pointer, rect

    def move(self, pointer: Pointer) -> None:
        """Drag."""
        if self._drag is None:
            return
        where, start, rect = self._drag
        if where == "move":
            self._rect = rect.moved(round(pointer.x - start.x), round(pointer.y - start.y))
        elif isinstance(where, str):
            self._rect = self._shaped(start.x, start.y, pointer.x, pointer.y, True, True)
        else:
            across, down = where
            x, y = rect.x + (1 - across) * rect.width, rect.y + (1 - down) * rect.height
            to_x = pointer.x if across != 0.5 else rect.right
            to_y = pointer.y if down != 0.5 else rect.bottom
            if across == 0.5:
                x = rect.x
            if down == 0.5:
                y = rect.y
            self._rect = self._shaped(x, y, to_x, to_y, across != 0.5, down != 0.5)
        self.repaint.emit()

    def release(self, pointer: Pointer) -> None:
        """Let go; the frame waits to be applied."""
        if self._drag is None:
            return
        self.move(pointer)
        where, start, _ = self._drag
        clicked = math.dist((pointer.x, pointer.y), (start.x, start.y)) * pointer.scale < 3
        if where == "new" and clicked:
            self._rect = EMPTY
        self._drag = None
        if self._rect and self._rect != self.session.state.frame:
            self.message.emit(tr("Return applies the frame, Esc takes it back."))
        else:
            self.finish()

    def double_click(self, pointer: Pointer) -> bool:  # noqa: ARG002
        """Apply the frame."""
        self.apply()
        return True

    def key(self, event: QKeyEvent) -> bool:
        """Apply the frame with Return."""
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or not self._rect:
            return False
        self.apply()
        return True

    def apply(self) -> None:
        """Make the frame the picture's, as one step of undo."""
        rect, state = self._rect, self.session.state
        if not rect or rect == state.frame or self.work.running:
            return
        if max(rect.width, rect.height) > LARGEST:
            self.message.emit(tr("A picture is at most {pixels} pixels wide and high.", pixels=LARGEST))
            return
        keep = bool(self.options["keep"])
        state = self.begin()
        label = marked("Crop") if rect in state.frame else marked("Expand")
        self.work.start(lambda: framed(state, rect, keep=keep), lambda after: self.commit(label, after))

    def cancel(self) -> None:
        """Take the frame back."""
        self.finish()

    def finish(self) -> None:
        """Note that nothing is under way any more."""
        self._rect, self._drag = EMPTY, None
        super().finish()

    def _shaped(self, x: float, y: float, to_x: float, to_y: float, wide: bool, high: bool) -> Rect:
        """Give the frame between two corners, in the proportions of the option where both may change."""
        width, height = to_x - x, to_y - y
        wanted = str(self.options["ratio"])
        state = self.session.state
        ratio = state.width / state.height if wanted == "original" else _RATIOS.get(wanted)
        if ratio and wide and high:
            height = math.copysign(abs(width) / ratio, height or 1)
        elif ratio and wide:
            height = abs(width) / ratio
        elif ratio:
            width = abs(height) * ratio
        xs, ys = sorted((x, x + width)), sorted((y, y + height))
        return Rect.of_edges(
            round(xs[0]), round(ys[0]), max(round(xs[1]), round(xs[0]) + 1), max(round(ys[1]), round(ys[0]) + 1)
        )

    def paint(self, painter: QPainter, transform: ViewTransform) -> None:
        """Darken what goes, and paint the frame with its handles, thirds and size."""
        rect = self.rect
        whole = QRectF(rect.x, rect.y, rect.width, rect.height)
        outline = transform.matrix.map(QPolygonF(whole))
        if self._rect:
            frame = self.session.state.frame
            picture = transform.matrix.map(QPolygonF(QRectF(frame.x, frame.y, frame.width, frame.height)))
            # What is added comes in the edit mask, and looks like it already.
            painter.fillPath(_path(outline).subtracted(_path(picture)), self.tint)
            outside = QRegion(painter.viewport()) - QRegion(outline.toPolygon())
            painter.save()
            painter.setClipRegion(outside)
            painter.fillRect(painter.viewport(), QColor(0, 0, 0, 130))
            painter.restore()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._drag is not None:
            painter.setPen(QPen(QColor(255, 255, 255, 110), 1))
            for part in (1 / 3, 2 / 3):
                x, y = rect.x + part * rect.width, rect.y + part * rect.height
                painter.drawLine(transform.matrix.map(QLineF(x, rect.y, x, rect.bottom)))
                painter.drawLine(transform.matrix.map(QLineF(rect.x, y, rect.right, y)))
        for colour, width in ((QColor(0, 0, 0, 120), 2.5), (QColor(255, 255, 255), 1.0)):
            painter.setPen(QPen(colour, width))
            painter.drawPolygon(outline)
        for across, down in HANDLES:
            paint_handle(painter, transform.to_view(rect.x + across * rect.width, rect.y + down * rect.height))
        if self._rect:
            _paint_size(painter, rect, outline.boundingRect())


def _path(polygon: QPolygonF) -> QPainterPath:
    path = QPainterPath()
    path.addPolygon(polygon)
    path.closeSubpath()
    return path


def _paint_size(painter: QPainter, rect: Rect, where: QRectF) -> None:
    """Write the frame's size beneath it."""
    words = f"{rect.width} × {rect.height}"
    font = painter.font()
    font.setPixelSize(11)
    painter.setFont(font)
    metrics = QFontMetrics(font)
    width, height = metrics.horizontalAdvance(words) + 16, 20
    view = painter.viewport()
    top = min(where.bottom() + 8, view.bottom() - height - 8.0)
    left = min(max(where.center().x() - width / 2, 8.0), view.right() - width - 8.0)
    badge = QRect(round(left), round(top), width, height)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 170))
    painter.drawRoundedRect(QRectF(badge), 6, 6)
    painter.setPen(QColor(255, 255, 255))
    painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, words)


def framed(state: State, rect: Rect, *, keep: bool) -> State:
    """Make a rectangle the frame: what it has beyond the picture comes transparent and in the edit mask."""
    frame = state.frame
    room = (
        max(0, -rect.x),
        max(0, -rect.y),
        max(0, rect.right - frame.right),
        max(0, rect.bottom - frame.bottom),
    )
    larger = expand(state, *room) if any(room) else state
    return crop(larger, rect.moved(room[0], room[1]), keep_outside=keep)
