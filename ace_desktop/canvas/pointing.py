"""What the hand does in a view: pans it, works with its tool, or drags what lies above the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRect, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QNativeGestureEvent, QPainter, QTabletEvent, QWheelEvent

from .frame import Grip
from .overlays import brush_rect, paint_brush

if TYPE_CHECKING:
    from .tools.tool import Pointer, Tool
    from .view import CanvasView


class Pointing:
    """Where the pointer is in a view and what it holds: the picture, a stroke of the tool, the frame or a divider."""

    def __init__(self, view: CanvasView) -> None:
        self._view = view
        self._at: QPointF | None = None
        self._outline = QRect()  # where the brush's outline is painted now
        self._panning: QPointF | None = None
        self._space = False
        self._pressed = False
        self._wiping = False
        self._wheel_zooms = False

    @property
    def _tool(self) -> Tool | None:
        return self._view.tool

    @property
    def grabbing(self) -> bool:
        """Whether the picture is being moved, or would be."""
        return self._panning is not None or self._space

    def let_go(self) -> None:
        """Forget that the button is held on a tool, which has ended what it was doing."""
        self._pressed = False

    def let_go_of_divider(self) -> None:
        """Forget that the line of a comparison is held, which is gone."""
        self._wiping = False

    # The pointer

    def press(self, event: QMouseEvent | QTabletEvent, pressure: float = 1.0) -> None:
        """Begin to work, to pan, or to drag what lies above."""
        position, left = event.position(), event.button() == Qt.MouseButton.LeftButton
        self.point(position)
        if self._view.session is None:
            return
        above = left and not self._space and self._take_above(position)
        grabs = self._space or (self._tool is not None and self._tool.pans)
        if above:
            pass
        elif event.button() == Qt.MouseButton.MiddleButton or (left and grabs):
            self._panning = position
        elif left and self._tool is not None:
            self._pressed = True
            self._tool.press(self._pointer_at(position, event.modifiers(), pressure))
        self.choose_cursor()

    def move(self, event: QMouseEvent | QTabletEvent, pressure: float = 1.0) -> None:
        """Go on with it, or follow the pointer."""
        position = event.position()
        if self._panning is not None:
            way = position - self._panning
            self._panning += QPointF(round(way.x()), round(way.y()))
            self._view.pan_by(way.x(), way.y())
        elif self._drag_above(position):
            pass
        elif self._tool is not None and self._view.session is not None:
            pointer = self._pointer_at(position, event.modifiers(), pressure)
            (self._tool.move if self._pressed else self._tool.hover)(pointer)
            shape = self._view.cursor().shape()
            if not self.grabbing and self._view.frame.cursor is None and shape != self._tool.cursor:
                self.choose_cursor()
        self.point(position)

    def release(self, event: QMouseEvent | QTabletEvent, pressure: float = 1.0) -> None:
        """Be done with it."""
        position = event.position()
        if self._panning is not None:
            self._panning = None
        elif self._wiping or self._view.frame.held:
            self._wiping = False
            self._view.frame.release()
        elif self._pressed and self._tool is not None:
            self._pressed = False
            self._tool.release(self._pointer_at(position, event.modifiers(), pressure))
        self.choose_cursor()
        self.point(position)

    def double_click(self, event: QMouseEvent) -> None:
        """Tell the frame or the tool; where it means nothing to them it is another press."""
        view, position = self._view, event.position()
        if self.grip is not None and view.frame.double_click(position, view.transform):
            return
        tool = self._tool if event.button() == Qt.MouseButton.LeftButton and not self._space else None
        if tool is not None and tool.double_click(self._pointer_at(position, event.modifiers(), 1.0)):
            return
        self.press(event)

    def tablet(self, event: QTabletEvent) -> None:
        """Do the same with a pen, and its pressure."""
        kinds = {QEvent.Type.TabletPress: self.press, QEvent.Type.TabletRelease: self.release}
        kinds.get(event.type(), self.move)(event, event.pressure())

    def wheel(self, event: QWheelEvent) -> None:
        """Pan, or zoom around the pointer with the command key; what rolls on from fingers goes on as they began."""
        pixels, angle = event.pixelDelta(), event.angleDelta()
        way = pixels if not pixels.isNull() else angle * 0.5
        if event.phase() != Qt.ScrollPhase.ScrollMomentum:
            self._wheel_zooms = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if self._wheel_zooms:
            self._view.zoom_to(self._view.zoom * 2 ** (way.y() / 120), event.position())
        elif not way.isNull():
            self._view.pan_by(way.x(), way.y())
        self.point(event.position())

    def gesture(self, event: QNativeGestureEvent) -> bool:
        """Zoom and turn with two fingers on a trackpad; tell whether it was one of these gestures."""
        view, kind = self._view, event.gestureType()
        where = view.mapFromGlobal(event.globalPosition())  # Qt leaves the other place as it is in the window
        if kind == Qt.NativeGestureType.ZoomNativeGesture:
            view.zoom_to(view.zoom * (1 + event.value()), where)
        elif kind == Qt.NativeGestureType.RotateNativeGesture:
            view.rotate_by(event.value(), where)
        elif kind == Qt.NativeGestureType.SmartZoomNativeGesture:
            if view.fits:
                view.zoom_to(1.0, where)
            else:
                view.fit()
        else:
            return False
        return True

    def leave(self) -> None:
        """Hide what follows the pointer, which is no longer over the view."""
        self.point(None)
        self._view.frame.hover(None, self._view.transform, "edge")
        if self._tool is not None:
            self._tool.hover(None)

    def point(self, position: QPointF | None) -> None:
        """Note where the pointer is now and repaint the brush's outline."""
        view = self._view
        self._at = position
        view.pointer_moved.emit(None if position is None else view.transform.to_document(position))
        size = None if self._tool is None else self._tool.brush_size
        if size is not None or not self._outline.isEmpty():
            view.update(self._outline)
            if position is not None and size is not None:
                view.update(brush_rect(position, max(size * view.transform.scale / 2, 0.5)))

    def _pointer_at(self, position: QPointF, modifiers: Qt.KeyboardModifier, pressure: float) -> Pointer:
        from .tools.tool import Pointer

        x, y = self._view.transform.to_document(position)
        return Pointer(x, y, pressure, modifiers, self._view.transform.scale)

    # What lies above the document

    @property
    def grip(self) -> Grip | None:
        """What of the frame can be taken hold of beside the tool in hand; None where it is not shown."""
        if self._tool is None:
            return "edge"
        if self._tool.brush_size is not None:
            return "handles"
        return self._tool.frame_grip

    def _take_above(self, position: QPointF) -> bool:
        """Take hold of the line of a comparison, or of the frame."""
        if self._tool is not None and self._tool.busy:
            return False
        transform, grip = self._view.transform, self.grip
        self._wiping = self._view.above.on_divider(position, transform)
        return self._wiping or (grip is not None and self._view.frame.press(position, transform, grip))

    def _drag_above(self, position: QPointF) -> bool:
        """Drag what of that is held, or follow the pointer; tell whether something is held."""
        view = self._view
        if self._wiping:
            view.wipe_moved.emit(view.above.wipe_at(position, view.transform))
        elif view.frame.held:
            view.frame.move(position, view.transform)
        elif not self._pressed and not (self._tool and self._tool.busy) and (grip := self.grip):
            before = view.frame.cursor
            view.frame.hover(position, view.transform, grip)
            if view.frame.cursor != before:
                self.choose_cursor()
        return self._wiping or view.frame.held

    # Keys

    def key(self, event: QKeyEvent) -> bool:
        """Hold space to pan; Esc ends what is under way; the tool gets the rest. Tell whether it meant something."""
        if event.key() == Qt.Key.Key_Space:
            self._hold_space(True)
        elif event.key() == Qt.Key.Key_Escape and self._tool is not None and self._tool.busy:
            self._pressed = False
            self._tool.cancel()
        elif event.key() == Qt.Key.Key_Escape and self.grip is not None and self._view.frame.escape():
            self.choose_cursor()
        elif self._tool is not None and self._tool.key(event):
            self.point(self._at)
        else:
            return False
        return True

    def key_up(self, event: QKeyEvent) -> bool:
        """Let go of the picture; tell whether it meant that."""
        if event.key() != Qt.Key.Key_Space or event.isAutoRepeat():
            return False
        self._hold_space(False)
        return True

    def let_go_of_keys(self) -> None:
        """Forget a held key, of whose end a view without the keyboard does not hear."""
        if self._space:
            self._hold_space(False)

    def _hold_space(self, held: bool) -> None:
        self._space = held
        self.choose_cursor()
        self.point(self._at)

    # How it looks

    def paint_outline(self, painter: QPainter) -> None:
        """Paint the brush's outline around the pointer."""
        size = None if self._tool is None else self._tool.brush_size
        self._outline = QRect()
        if size is not None and self._at is not None and not self.grabbing:
            radius = max(size * self._view.transform.scale / 2, 0.5)
            self._outline = brush_rect(self._at, radius)
            view = self._view
            paint_brush(painter, self._at, radius, view.devicePixelRatioF(), briefly=view.zooming)

    def choose_cursor(self) -> None:
        """Give the pointer the shape of what it would do, or does."""
        view = self._view
        if self._panning is not None:
            view.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._space:
            view.setCursor(Qt.CursorShape.OpenHandCursor)
        elif self._wiping:
            view.setCursor(Qt.CursorShape.SplitHCursor)
        elif (shape := view.frame.cursor) is not None:
            view.setCursor(shape)
        elif self._tool is None:
            view.unsetCursor()
        else:
            view.setCursor(self._tool.cursor)
