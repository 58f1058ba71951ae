"""Move, scale, turn and mirror the active layer by its handles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter, QPen, QPolygonF, QTransform

from ...document.geometry import EMPTY, Rect
from ...document.plane import Plane
from ...document.resample import Matrix, around, mapped_rect, rotation, scaling, translation, whole_shift
from ...document.state import Layer, RasterLayer, State
from ...document.transform import content, transformed
from ...document.tree import find, origin, parent_origin, replaced
from ...session import Session
from ...translation import marked, tr
from ..handles import CURSORS, HANDLES
from ..render import image_of, render
from ..transform import ViewTransform
from .masking import paint_handle
from .tool import Pointer, Tool

REACH = 7.0
"""View pixels around a handle that take hold of it."""
TURNING = 22.0
"""View pixels beyond a corner from which on dragging turns."""
_PROXY = 1024
"""The longer side of the picture that stands for a layer while it is turned and scaled."""


class MoveTool(Tool):
    """Drag inside to move, a handle to scale, beyond a corner to turn; shift frees the proportions or snaps.

    What is scaled and turned several times in a row is made from the pixels as they were before the first time.
    """

    cursor = Qt.CursorShape.ArrowCursor
    frame_grip = "caption"  # it has handles of its own

    def __init__(self, session: Session, options: Mapping[str, Any]) -> None:
        super().__init__(session, options)
        self._start: Pointer | None = None
        self._grip: tuple[float, float] | str = ""
        self._matrix: Matrix | None = None  # what is being done, in document coordinates
        self._proxy: tuple[QImage, Rect] | None = None
        self._before: State | None = None
        self._found: tuple[Plane, Rect] | None = None
        # What the layer was before it was first turned, what was made of it, and by which matrix of its parent's.
        self._kept: tuple[Layer, Layer, Matrix] | None = None

    def press(self, pointer: Pointer) -> None:
        """Take hold."""
        if self.work.running:
            return
        layer = self.layer_to_edit(pixels=False)
        if layer is None:
            return
        box = self._box()
        if not box:
            self.message.emit(tr("“{name}” is empty: there is nothing to move.", name=layer.name))
            return
        self._grip = grip(box, pointer)
        self._start, self._before = pointer, self.begin()

    def move(self, pointer: Pointer) -> None:
        """Drag."""
        if self._start is None or self._before is None or self._before.active is None:
            return
        self._matrix = dragged(self._grip, self._box(), self._start, pointer)
        shift = whole_shift(self._matrix)
        layer = find(self._before, self._before.active)
        if shift is not None and self._grip == "move":
            self.show_preview(replaced(self._before, replace(layer, x=layer.x + shift[0], y=layer.y + shift[1])))
        elif self._proxy is None:
            self._proxy = self._picture(self._before, layer)
            self.show_preview(replaced(self._before, replace(layer, visible=False)))
        self.repaint.emit()

    def release(self, pointer: Pointer) -> None:
        """Let go: one step of undo."""
        if self._start is None or self._before is None or self._before.active is None:
            return
        self.move(pointer)
        before, matrix, self._start = self._before, self._matrix, None
        if matrix is None or np.allclose(matrix, np.eye(3), atol=1e-6):
            self.cancel()
            return
        if self._grip == "move":
            self.commit(marked("Move layer"), self.session.state)
            return
        self._transform(before, matrix, marked("Turn layer") if self._grip == "turn" else marked("Scale layer"))

    @property
    def placed(self) -> Rect:
        """Where what the active layer holds lies in document pixels, during a drag as well; empty for nothing."""
        box = self._box()
        if self._matrix is None or not box:
            return box
        left, top, right, bottom = mapped_rect(self._matrix, box)
        return Rect.of_edges(
            round(left), round(top), max(round(right), round(left) + 1), max(round(bottom), round(top) + 1)
        )

    @property
    def angle(self) -> float:
        """How far the active layer is turned clockwise since it was first turned or scaled: -180..180 degrees."""
        turned = self._kept[2] if self._kept is not None and self._kept[1] is self._layer() else np.eye(3)
        if self._matrix is not None:
            turned = self._matrix @ turned
        return math.degrees(math.atan2(turned[1, 0], turned[0, 0]))

    def place(self, rect: Rect) -> None:
        """Move and scale what the active layer holds into a rectangle, as one step of undo."""
        box = self._box()
        if self.busy or not box or not rect or rect == box or self.layer_to_edit(pixels=False) is None:
            return
        corner = translation(rect.x - box.x, rect.y - box.y)
        sized = scaling(rect.width / box.width, rect.height / box.height, (box.x, box.y))
        moves = (rect.width, rect.height) == (box.width, box.height)
        self._transform(self.begin(), corner @ sized, marked("Move layer") if moves else marked("Scale layer"))

    def turn(self, angle: float) -> None:
        """Turn the active layer around its middle until `angle` is this, as one step of undo."""
        box, way = self._box(), angle - self.angle
        if self.busy or not box or abs(way) < 1e-6 or self.layer_to_edit(pixels=False) is None:
            return
        middle = box.x + box.width / 2, box.y + box.height / 2
        self._transform(self.begin(), rotation(way, middle), marked("Turn layer"))

    def _transform(self, before: State, matrix: Matrix, label: str) -> None:
        """Transform the active layer by a matrix of document pixels, from the pixels that it had at first."""
        layer = find(before, before.active or "")
        px, py = parent_origin(before, layer.id)
        own = around(matrix, (-px, -py))
        base, through = layer, own
        if self._kept is not None and self._kept[1] is layer:
            base, through = self._kept[0], own @ self._kept[2]

        def done(made: Layer) -> None:
            self._kept = base, made, through
            self.commit(label, replaced(before, made))

        self.work.start(lambda: transformed(base, through), done)

    def finish(self) -> None:
        """Note that nothing is under way any more."""
        self._start = self._matrix = self._proxy = self._before = None
        super().finish()

    def key(self, event: QKeyEvent) -> bool:
        """Move by a pixel with the arrows, by ten with shift."""
        ways = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
        way = ways.get(Qt.Key(event.key()))
        if way is None or self.busy:
            return False
        layer = self.layer_to_edit(pixels=False)
        if layer is not None:
            far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            moved = replace(layer, x=layer.x + far * way[0], y=layer.y + far * way[1])
            self.session.do(marked("Move layer"), replaced(self.session.state, moved), key=("move", layer.id))
            self.repaint.emit()
        return True

    def hover(self, pointer: Pointer | None) -> None:
        """Show by the pointer's shape what dragging would do."""
        box = self._box()
        self.cursor = CURSORS.get(grip(box, pointer), Qt.CursorShape.ArrowCursor) if pointer and box else self.cursor

    def _layer(self) -> Layer | None:
        state = self._before or self.session.state
        return None if state.active is None else find(state, state.active)

    def _box(self) -> Rect:
        """Give what the active layer holds, in document pixels, as it was before the drag."""
        state = self._before or self.session.state
        layer = self._layer()
        if layer is None:
            return EMPTY
        if not isinstance(layer, RasterLayer):
            return content(layer).moved(*parent_origin(state, layer.id))
        if self._found is None or self._found[0] is not layer.pixels:  # it takes a while, and is asked for often
            self._found = layer.pixels, layer.pixels.content()
        return self._found[1].moved(*origin(state, layer.id))

    def _picture(self, state: State, layer: Layer) -> tuple[QImage, Rect]:
        """Make a small picture of a layer, and say where it lies."""
        px, py = parent_origin(state, layer.id)
        box = self._box() & state.frame.grown(max(state.width, state.height))
        factor = max(1, -(-max(box.width, box.height) // _PROXY))
        shown = replace(layer, visible=True, blend="normal")
        pixels = render([shown], box.moved(-px, -py))
        image = image_of(pixels, QImage.Format.Format_ARGB32_Premultiplied)
        size = max(1, box.width // factor), max(1, box.height // factor)
        small = image.scaled(*size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
        return small.copy(), box

    def paint(self, painter: QPainter, transform: ViewTransform) -> None:
        """Paint the box with its handles, and what is turned where it goes."""
        box = self._box()
        if not box:
            return
        matrix = transform.matrix
        if self._matrix is not None:
            matrix = qt_matrix(self._matrix) * matrix
            if self._proxy is not None:
                image, place = self._proxy
                painter.save()
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.setTransform(matrix * painter.transform())
                painter.drawImage(QRectF(place.x, place.y, place.width, place.height), image)
                painter.restore()
        outline = matrix.map(QPolygonF(QRectF(box.x, box.y, box.width, box.height)))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((QColor(0, 0, 0, 120), 2.5), (QColor(255, 255, 255), 1.0)):
            painter.setPen(QPen(colour, width))
            painter.drawPolygon(outline)
        for across, down in HANDLES:
            paint_handle(painter, matrix.map(QPointF(box.x + across * box.width, box.y + down * box.height)))


def grip(box: Rect, pointer: Pointer) -> tuple[float, float] | str:
    """Tell what dragging from there does: a handle, "turn" or "move"."""
    for across, down in HANDLES:
        if (
            math.dist((pointer.x, pointer.y), (box.x + across * box.width, box.y + down * box.height)) * pointer.scale
            <= REACH
        ):
            return across, down
    outside = not (box.x <= pointer.x <= box.right and box.y <= pointer.y <= box.bottom)
    near = min(
        math.dist((pointer.x, pointer.y), (box.x + a * box.width, box.y + d * box.height)) for a, d in HANDLES[:4]
    )
    return "turn" if outside and near * pointer.scale <= TURNING else "move"


def dragged(where: tuple[float, float] | str, box: Rect, start: Pointer, now: Pointer) -> Matrix:
    """Give the matrix, of document pixels, that a drag from `start` to `now` means for a box."""
    if where == "move":
        dx, dy = now.x - start.x, now.y - start.y
        if now.shift:
            dx, dy = (dx, 0.0) if abs(dx) > abs(dy) else (0.0, dy)
        return translation(round(dx), round(dy))
    if isinstance(where, str):
        x, y = box.x + box.width / 2, box.y + box.height / 2
        angle = math.degrees(math.atan2(now.y - y, now.x - x) - math.atan2(start.y - y, start.x - x))
        return rotation(round(angle / 15) * 15 if now.shift else angle, (x, y))
    across, down = where
    held_x, held_y = (0.5, 0.5) if now.alt else (1 - across, 1 - down)
    x, y = box.x + held_x * box.width, box.y + held_y * box.height
    width, height = (across - held_x) * box.width, (down - held_y) * box.height
    factor_x = (width + now.x - start.x) / width if width else 1.0
    factor_y = (height + now.y - start.y) / height if height else 1.0
    if width and height and not now.shift:  # a corner keeps the proportions
        factor = max(abs(factor_x), abs(factor_y))
        factor_x, factor_y = math.copysign(factor, factor_x), math.copysign(factor, factor_y)
    return scaling(_enough(factor_x, box.width), _enough(factor_y, box.height), (x, y))


def _enough(factor: float, length: int) -> float:
    """Leave at least a pixel."""
    return math.copysign(max(abs(factor), 1 / max(length, 1)), factor)


def qt_matrix(matrix: Matrix) -> QTransform:
    """Give a matrix as Qt's, whose points are rows."""
    (a, b, c), (d, e, f) = matrix[:2].tolist()
    return QTransform(a, d, b, e, c, f)
