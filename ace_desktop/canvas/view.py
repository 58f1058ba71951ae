"""The widget that shows a document and passes what the hand does to a tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPixmap,
    QResizeEvent,
    QShowEvent,
    QTabletEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from ..document.geometry import EMPTY, Rect
from ..document.state import State
from ..session import Session
from ..translation import tr
from .frame import Frame, Grip
from .marching import MarchingAnts
from .overlays import DARK_LOOK, LIGHT_LOOK, Look, brush_rect, paint_brush
from .pictures_above import Above, PicturesAbove
from .transform import ViewTransform, fitted, stepped

if TYPE_CHECKING:
    from .display import Display
    from .tools.tool import Pointer, Tool

Overlay: TypeAlias = Literal["tint", "ants", "none"]

BUDGET = 0.010
"""Seconds of rendering in a frame; what is not done by then comes in the next, so that the hand never waits."""
MASK_COLOUR = QColor(255, 45, 45, 115)  # 45 % of red
_KEPT = 64
"""View pixels of the picture that cannot be pushed out of the view."""


class CanvasView(QWidget):
    """Shows the session's document, zoomed and turned; the tool gets the pointer in document coordinates."""

    zoom_changed = Signal(float)
    """Device pixels per document pixel: 1.0 is 100 %."""
    rotation_changed = Signal(float)
    pointer_moved = Signal(object)
    """The document point (x, y) under the pointer, or None."""
    message = Signal(str)
    """A sentence of a tool for the status line."""
    option_wanted = Signal(str, object)
    """A tool asks for another value of one of its options; "colour" is meant for all tools."""
    wipe_moved = Signal(float)
    """The line that divides a comparison was dragged: the new wipe, 0..1."""

    def __init__(self, session: Session | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setTabletTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(160, 120)
        self._session: Session | None = None
        self._display: Display | None = None
        self._tool: Tool | None = None
        self._transform = ViewTransform()
        self._fitted = True
        self._overlay: Overlay = "tint"
        self._mask_colour = MASK_COLOUR
        self._pointer: QPointF | None = None
        self._outline = QRect()  # where the brush's outline is painted now
        self._panning: QPointF | None = None
        self._space = False
        self._pressed = False
        self._wiping = False
        self.frame = Frame(self)
        """What the model will see."""
        self.frame.repaint.connect(self.update)
        self._above = PicturesAbove()
        self.budget = BUDGET
        """Seconds of rendering in a frame."""
        self._ants = MarchingAnts(self._edge, self)
        self._ants.stepped.connect(self.update)
        self._later = QTimer(self, interval=0, singleShot=True)
        self._later.timeout.connect(self.update)
        self.retranslate()
        self.set_session(session)

    def retranslate(self) -> None:
        """Say everything in the present language."""
        self.setAccessibleName(tr("Canvas"))
        self.setAccessibleDescription(tr("Shows the picture. Tools work here."))
        self.update()

    # What is shown

    def set_session(self, session: Session | None) -> None:
        """Show another document, or none; the whole of it is fitted into the view."""
        if self._session is not None:
            self._session.changed.disconnect(self._changed)
        self.tool = None
        self.set_frame_preview(None)
        self.set_comparison(None)
        self._session = session
        self._display = None
        self._ants.forget()
        if session is not None:
            session.changed.connect(self._changed)
            self._new_display(session.state)
            self.fit()
        self._follow_ants()
        self.update()

    @property
    def session(self) -> Session | None:
        """The document that is shown."""
        return self._session

    @property
    def tool(self) -> Tool | None:
        """The tool that works on the document; setting another ends what the one before was doing."""
        return self._tool

    @tool.setter
    def tool(self, tool: Tool | None) -> None:
        if self._tool is not None:
            self._tool.message.disconnect(self.message)
            self._tool.repaint.disconnect(self.update)
            self._tool.option_wanted.disconnect(self.option_wanted)
            self._tool.close()
        self._tool = tool
        self._pressed = False
        if tool is not None:
            tool.setParent(self)  # a thread that still holds it must not be the one to delete it
            tool.message.connect(self.message)
            tool.repaint.connect(self.update)
            tool.option_wanted.connect(self.option_wanted)
        self._choose_cursor()
        self.update()

    @property
    def overlay(self) -> Overlay:
        """How the edit mask is shown: tinted, by marching ants, or not at all."""
        return self._overlay

    @overlay.setter
    def overlay(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self._ants.forget()
        self._follow_ants()
        self.update()

    @property
    def mask_colour(self) -> QColor:
        """The colour of the edit mask's tint; its alpha is how strong it is."""
        return self._mask_colour

    @mask_colour.setter
    def mask_colour(self, colour: QColor) -> None:
        self._mask_colour = QColor(colour)
        self.update()

    def set_frame_preview(self, image: QImage | None, rect: Rect = EMPTY) -> None:
        """Show a picture of what is being made over a rectangle of the document, its alpha included; None for none.

        The edit mask's tint gets out of its way.
        """
        self._above.preview = None if image is None else Above(image, rect)
        self.update()

    def set_comparison(self, image: QImage | None, rect: Rect = EMPTY, wipe: float = 0.0) -> None:
        """Show another picture over a rectangle of the document; None for none.

        Only what lies right of `wipe` (0..1 of the rectangle's width) is shown: all of it at 0. Between 0 and 1 there
        is a line that can be dragged (`wipe_moved`).
        """
        self._above.comparison = None if image is None else Above(image, rect, wipe)
        self._wiping = self._wiping and image is not None
        self.update()

    def whole_grab(self) -> QPixmap:
        """Grab the view when all of it is rendered, which a frame alone may not have time for."""
        budget, self.budget = self.budget, float("inf")
        grabbed = self.grab()
        self.budget = budget
        return grabbed

    @property
    def up_to_date(self) -> bool:
        """Whether all that is seen has been rendered."""
        return self._display is None or not self._display.pending

    # Where it is shown

    @property
    def transform(self) -> ViewTransform:
        """Where the document lies in the view."""
        return self._transform

    @property
    def zoom(self) -> float:
        """Device pixels per document pixel."""
        return self._transform.zoom

    @property
    def rotation(self) -> float:
        """Degrees clockwise, -180..180."""
        return self._transform.rotation

    @Slot()
    def zoom_in(self) -> None:
        """Go to the next larger common zoom."""
        self.zoom_to(stepped(self.zoom, up=True))

    @Slot()
    def zoom_out(self) -> None:
        """Go to the next smaller common zoom."""
        self.zoom_to(stepped(self.zoom, up=False))

    @Slot()
    def actual_size(self) -> None:
        """Show each pixel of the document as one of the screen."""
        self.zoom_to(1.0)

    @Slot(float)
    def zoom_to(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom, keeping the point `around` of the view (its middle where None) in place."""
        self._fitted = False
        self._move_to(self._transform.zoomed(factor, self._middle() if around is None else around))

    @Slot()
    def fit(self) -> None:
        """Show the whole document."""
        self._fitted = True
        if self._session is not None:
            frame = self._session.state.frame
            self._move_to(fitted(frame, self.width(), self.height(), self._ratio(), self.rotation), limited=False)

    @Slot(float)
    def rotate_by(self, degrees: float, around: QPointF | None = None) -> None:
        """Turn the view clockwise, around its middle where no point is given; the document stays as it is."""
        self._move_to(self._transform.rotated(self.rotation + degrees, self._middle() if around is None else around))
        if self._fitted:
            self.fit()

    @Slot()
    def reset_rotation(self) -> None:
        """Show the document upright."""
        self.rotate_by(-self.rotation)

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the document in the view by this many view pixels."""
        self._fitted = False
        self._move_to(self._transform.moved(round(dx), round(dy)))

    def _middle(self) -> QPointF:
        return QPointF(self.width() / 2, self.height() / 2)

    def _ratio(self) -> float:
        return self.devicePixelRatioF()

    def _move_to(self, transform: ViewTransform, *, limited: bool = True) -> None:
        before, self._transform = self._transform, (self._limited(transform) if limited else transform).aligned()
        if self._transform == before:
            return
        self._ants.forget()
        self.update()
        if self._transform.zoom != before.zoom:
            self.zoom_changed.emit(self._transform.zoom)
        if self._transform.rotation != before.rotation:
            self.rotation_changed.emit(self._transform.rotation)

    def _limited(self, transform: ViewTransform) -> ViewTransform:
        """Keep some of the picture within reach."""
        if self._session is None:
            return transform
        seen = transform.view_rect(self._session.state.frame)
        keep_x, keep_y = min(_KEPT, self.width() // 2), min(_KEPT, self.height() // 2)
        dx = max(keep_x - seen.right(), 0) + min(self.width() - keep_x - seen.left(), 0)
        dy = max(keep_y - seen.bottom(), 0) + min(self.height() - keep_y - seen.top(), 0)
        return transform.moved(dx, dy)

    # What changes

    def _new_display(self, state: State) -> None:
        from .display import Display  # not before there is a document: OpenCV takes its time to load

        self._display = Display(state)

    def _changed(self, rects: list[Rect], before: State) -> None:
        assert self._session is not None  # noqa: S101 the signal is its own
        state = self._session.state
        if self._tool is not None and self._tool.busy and not self._tool.owns(state):
            self._tool.abandon()
            self._pressed = False
        if self._display is None or state.frame != before.frame:
            self._new_display(state)
            self._ants.forget()
            if self._fitted:
                self.fit()
            self.update()
        else:
            for rect in self._display.update(state, before, rects):
                self.update(rect & self.rect())
            for name in ("edit_mask", "selection"):
                if getattr(state, name) is not getattr(before, name) and self._ants.forget(name):
                    self.update()
        self._follow_ants()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Mend what changed and paint what is asked for."""
        painter = QPainter(self)
        if self._display is None or self._session is None:
            self._paint_nothing(painter)
            return
        display = self._display
        display.resize(self._device_size())
        display.set_look(self._look())
        display.set_tint(self._mask_colour if self._overlay == "tint" and not self._above.shown else None)
        display.transform = self._transform
        display.mend(self.budget)
        display.paint(painter, event.rect())
        self._above.paint(painter, self._transform)
        self._ants.paint(painter, self._marching(), event.rect(), self._ratio())
        if self._tool is not None:
            painter.save()
            self._tool.paint(painter, self._transform)
            painter.restore()
        if grip := self._grip():
            self.frame.paint(painter, self._transform, grip)
        self._paint_outline(painter)
        painter.end()
        if display.pending:
            self._later.start()

    def _edge(self, name: str) -> NDArray[np.uint8] | None:
        return None if self._display is None else self._display.edge(name, self._device_size())

    def _device_size(self) -> QSize:
        ratio = self._ratio()
        return QSize(round(self.width() * ratio), round(self.height() * ratio))

    def _look(self) -> Look:
        return DARK_LOOK if self.palette().color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT_LOOK

    def _paint_nothing(self, painter: QPainter) -> None:
        painter.fillRect(self.rect(), QColor(self._look().surround))
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        words = tr("Open a picture, paste one, or drop it here.")
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)

    def _marching(self) -> list[str]:
        """List the masks whose border is shown."""
        names = ["edit_mask"] if self._overlay == "ants" else []
        if self._session is not None and self._session.state.selection is not None:
            names.append("selection")
        return names

    def _follow_ants(self) -> None:
        self._ants.run(self.isVisible() and self._session is not None and bool(self._marching()))

    # The pointer

    def _pointer_at(self, position: QPointF, modifiers: Qt.KeyboardModifier, pressure: float = 1.0) -> Pointer:
        from .tools.tool import Pointer

        x, y = self._transform.to_document(position)
        return Pointer(x, y, pressure, modifiers, self._transform.scale)

    def _paint_outline(self, painter: QPainter) -> None:
        size = None if self._tool is None else self._tool.brush_size
        self._outline = QRect()
        if size is not None and self._pointer is not None and not self._grabbing():
            radius = max(size * self._transform.scale / 2, 0.5)
            self._outline = brush_rect(self._pointer, radius)
            paint_brush(painter, self._pointer, radius, self._ratio())

    def _point(self, position: QPointF | None) -> None:
        """Note where the pointer is now and repaint the brush's outline."""
        self._pointer = position
        self.pointer_moved.emit(None if position is None else self._transform.to_document(position))
        size = None if self._tool is None else self._tool.brush_size
        if size is not None or not self._outline.isEmpty():
            self.update(self._outline)
            if position is not None and size is not None:
                self.update(brush_rect(position, max(size * self._transform.scale / 2, 0.5)))

    def _grabbing(self) -> bool:
        return self._panning is not None or self._space

    def _grip(self) -> Grip | None:
        """Tell what of the frame can be taken hold of beside the tool in hand; None where it is not shown."""
        if self._tool is None:
            return "edge"
        if self._tool.brush_size is not None:
            return "handles"
        return self._tool.frame_grip

    def _take_above(self, position: QPointF) -> bool:
        """Take hold of what lies above the document: the line of a comparison, or the frame."""
        if self._tool is not None and self._tool.busy:
            return False
        self._wiping = self._above.on_divider(position, self._transform)
        grip = self._grip()
        return self._wiping or (grip is not None and self.frame.press(position, self._transform, grip))

    def _drag_above(self, position: QPointF) -> bool:
        """Drag what of that is held, or follow the pointer; tell whether something is held."""
        if self._wiping:
            self.wipe_moved.emit(self._above.wipe_at(position, self._transform))
        elif self.frame.held:
            self.frame.move(position, self._transform)
        elif not self._pressed and not (self._tool and self._tool.busy) and (grip := self._grip()):
            before = self.frame.cursor
            self.frame.hover(position, self._transform, grip)
            if self.frame.cursor != before:
                self._choose_cursor()
        return self._wiping or self.frame.held

    def _choose_cursor(self) -> None:
        if self._panning is not None:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._space:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        elif self._wiping:
            self.setCursor(Qt.CursorShape.SplitHCursor)
        elif (shape := self.frame.cursor) is not None:
            self.setCursor(shape)
        elif self._tool is None:
            self.unsetCursor()
        else:
            self.setCursor(self._tool.cursor)

    def _down(
        self, position: QPointF, button: Qt.MouseButton, modifiers: Qt.KeyboardModifier, pressure: float
    ) -> None:
        self._point(position)
        if self._session is None:
            return
        above = button == Qt.MouseButton.LeftButton and not self._space and self._take_above(position)
        grabs = self._space or (self._tool is not None and self._tool.pans)
        if above:
            pass
        elif button == Qt.MouseButton.MiddleButton or (button == Qt.MouseButton.LeftButton and grabs):
            self._panning = position
        elif button == Qt.MouseButton.LeftButton and self._tool is not None:
            self._pressed = True
            self._tool.press(self._pointer_at(position, modifiers, pressure))
        self._choose_cursor()

    def _moved(self, position: QPointF, modifiers: Qt.KeyboardModifier, pressure: float) -> None:
        if self._panning is not None:
            way = position - self._panning
            self._panning += QPointF(round(way.x()), round(way.y()))
            self.pan_by(way.x(), way.y())
        elif self._drag_above(position):
            pass
        elif self._tool is not None and self._session is not None:
            pointer = self._pointer_at(position, modifiers, pressure)
            (self._tool.move if self._pressed else self._tool.hover)(pointer)
            if not self._grabbing() and self.frame.cursor is None and self.cursor().shape() != self._tool.cursor:
                self._choose_cursor()
        self._point(position)

    def _up(self, position: QPointF, modifiers: Qt.KeyboardModifier, pressure: float) -> None:
        if self._panning is not None:
            self._panning = None
        elif self._wiping or self.frame.held:
            self._wiping = False
            self.frame.release()
        elif self._pressed and self._tool is not None:
            self._pressed = False
            self._tool.release(self._pointer_at(position, modifiers, pressure))
        self._choose_cursor()
        self._point(position)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begin to work, or to pan."""
        self._down(event.position(), event.button(), event.modifiers(), 1.0)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Go on."""
        self._moved(event.position(), event.modifiers(), 1.0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Be done."""
        self._up(event.position(), event.modifiers(), 1.0)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Tell the tool; one that has no use for it gets another press."""
        if self._grip() is not None and self.frame.double_click(event.position(), self._transform):
            return
        tool = self._tool if event.button() == Qt.MouseButton.LeftButton and not self._space else None
        if tool is not None and tool.double_click(self._pointer_at(event.position(), event.modifiers())):
            return
        self._down(event.position(), event.button(), event.modifiers(), 1.0)

    def tabletEvent(self, event: QTabletEvent) -> None:  # noqa: N802
        """Work with a pen: the same, with its pressure; Qt then makes no mouse event of it."""
        event.accept()
        position, kind = event.position(), event.type()
        if kind == QEvent.Type.TabletPress:
            self._down(position, event.button(), event.modifiers(), event.pressure())
        elif kind == QEvent.Type.TabletRelease:
            self._up(position, event.modifiers(), event.pressure())
        else:
            self._moved(position, event.modifiers(), event.pressure())

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802
        """Show the brush."""
        self._point(event.position())

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802, ARG002
        """Hide the brush."""
        self._point(None)
        self.frame.hover(None, self._transform, "edge")
        if self._tool is not None:
            self._tool.hover(None)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Pan with two fingers or the wheel, zoom around the pointer with the command key."""
        pixels, angle = event.pixelDelta(), event.angleDelta()
        way = pixels if not pixels.isNull() else angle * 0.5
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_to(self.zoom * 2 ** (way.y() / 120), event.position())
        elif not way.isNull():
            self.pan_by(way.x(), way.y())
        self._point(event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Zoom and turn with two fingers on a trackpad; double tap switches between all and 100 %."""
        if isinstance(event, QNativeGestureEvent) and self._session is not None:
            kind, where = event.gestureType(), event.position()
            if kind == Qt.NativeGestureType.ZoomNativeGesture:
                self.zoom_to(self.zoom * (1 + event.value()), where)
            elif kind == Qt.NativeGestureType.RotateNativeGesture:
                self._fitted = False
                self.rotate_by(event.value(), where)
            elif kind == Qt.NativeGestureType.SmartZoomNativeGesture:
                if self._fitted:
                    self.zoom_to(1.0, where)
                else:
                    self.fit()
            else:
                return super().event(event)
            return True
        return super().event(event)

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Hold space to pan; Esc ends what the tool is doing; plus, minus, 0 and 1 zoom."""
        zooms = {
            Qt.Key.Key_Plus: self.zoom_in,
            Qt.Key.Key_Equal: self.zoom_in,
            Qt.Key.Key_Minus: self.zoom_out,
            Qt.Key.Key_0: self.fit,
            Qt.Key.Key_1: self.actual_size,
        }
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Space:
            self._space = True
            self._choose_cursor()
            self._point(self._pointer)
        elif key == Qt.Key.Key_Escape and self._tool is not None and self._tool.busy:
            self._pressed = False
            self._tool.cancel()
        elif key == Qt.Key.Key_Escape and self._grip() is not None and self.frame.escape():
            self._choose_cursor()
        elif self._tool is not None and self._tool.key(event):
            self._point(self._pointer)
        elif key in zooms:
            zooms[key]()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Let go of the picture."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self._choose_cursor()
            self._point(self._pointer)
        else:
            super().keyReleaseEvent(event)

    # The widget

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the whole picture in view, or what was in the middle of the view there."""
        old, new = event.oldSize(), event.size()
        if self._fitted or not old.isValid():
            self.fit()
        else:
            self._move_to(self._transform.moved((new.width() - old.width()) // 2, (new.height() - old.height()) // 2))
        self._ants.forget()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Let the ants march."""
        super().showEvent(event)
        self._follow_ants()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        """Let nothing run that nobody sees."""
        super().hideEvent(event)
        self._follow_ants()
        self._later.stop()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Speak another language; follow the system's colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        elif event.type() == QEvent.Type.DevicePixelRatioChange:
            self._move_to(ViewTransform(**{**self._transform.__dict__, "ratio": self._ratio()}))
        self.update()
