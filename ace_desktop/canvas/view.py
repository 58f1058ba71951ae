"""The widget that shows a document and passes what the hand does to a tool."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QShowEvent,
    QTabletEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from ..document.geometry import EMPTY, Rect
from ..document.state import State
from ..document.target import EDIT_MASK, Target
from ..session import Session
from ..translation import tr
from .frame import Frame
from .marching import MarchingAnts
from .mask_alone import plane_alone, still_alone
from .overlays import MASK_COLOUR, look_of, paint_nothing
from .pictures_above import Above, PicturesAbove
from .pointing import Pointing
from .transform import ViewTransform, fitted, stepped, within_reach

if TYPE_CHECKING:
    from .display import Display
    from .tools.tool import Tool

Overlay: TypeAlias = Literal["tint", "ants", "none"]

BUDGET = 0.010
"""Seconds of rendering in a frame; what is not done by then comes in the next, so that the hand never waits."""
REST_MS = 120
"""Milliseconds after which a gesture that zooms has ended: while it lasts, speed goes before sharpness."""


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
    alone_changed = Signal()
    """Another mask, or none any more, is shown alone."""
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
        self._alone: Target | None = None
        self.frame = Frame(self)
        """What the model will see."""
        self.frame.repaint.connect(self.update)
        self.above = PicturesAbove()
        """What is shown above the document without being part of it."""
        self._pointing = Pointing(self)
        self.budget = BUDGET
        """Seconds of rendering in a frame."""
        self._ants = MarchingAnts(self._edge, self)
        self._ants.stepped.connect(self.update)
        self._later = QTimer(self, interval=0, singleShot=True)
        self._later.timeout.connect(self._go_on)
        self._missed = QRect()  # drawn anew beside what was being painted
        self._zooming = QTimer(self, interval=REST_MS, singleShot=True)
        self._zooming.timeout.connect(self.update)
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
        self.alone = None
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
        self._pointing.let_go()
        if tool is not None:
            tool.tint = self._mask_colour
            tool.setParent(self)  # a thread that still holds it must not be the one to delete it
            tool.message.connect(self.message)
            tool.repaint.connect(self.update)
            tool.option_wanted.connect(self.option_wanted)
        self._pointing.choose_cursor()
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
        if self._tool is not None:
            self._tool.tint = self._mask_colour
        self.update()

    @property
    def alone(self) -> Target | None:
        """The mask that is shown in grey in place of the picture: the edit mask or a layer's; None for the picture.

        Ends by itself with a change that it would hide. Where there is no such mask, setting it means None.
        """
        return self._alone

    @alone.setter
    def alone(self, target: Target | None) -> None:
        if target is not None and (self._session is None or plane_alone(self._session.state, target) is None):
            target = None
        if target != self._alone:
            self._alone = target
            if self._display is not None:
                self._display.set_alone(target)
            self._follow_ants()
            self.update()
            self.alone_changed.emit()

    def set_frame_preview(self, image: QImage | None, rect: Rect = EMPTY) -> None:
        """Show a picture of what is being made over a rectangle of the document, its alpha included; None for none.

        The edit mask gets out of its way.
        """
        self.above.preview = None if image is None else Above(image, rect)
        self.update()

    def set_comparison(self, image: QImage | None, rect: Rect = EMPTY, wipe: float = 0.0) -> None:
        """Show another picture over a rectangle of the document; None for none.

        Only what lies right of `wipe` (0..1 of the rectangle's width) is shown: all of it at 0. Between 0 and 1 there
        is a line that can be dragged (`wipe_moved`).
        """
        self.above.comparison = None if image is None else Above(image, rect, wipe)
        if image is None:
            self._pointing.let_go_of_divider()
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
    def fits(self) -> bool:
        """Whether the whole document is shown, and stays so when the view gets another size."""
        return self._fitted

    @property
    def zoom(self) -> float:
        """Device pixels per document pixel."""
        return self._transform.zoom

    @property
    def zooming(self) -> bool:
        """Whether a gesture is zooming, so that what is seen is gone at once and may be coarser."""
        return self._zooming.isActive() and self.budget < float("inf")

    @property
    def rotation(self) -> float:
        """Degrees clockwise, -180..180."""
        return self._transform.rotation

    def zoom_in(self) -> None:
        """Go to the next larger common zoom."""
        self.zoom_to(stepped(self.zoom, up=True))

    def zoom_out(self) -> None:
        """Go to the next smaller common zoom."""
        self.zoom_to(stepped(self.zoom, up=False))

    def actual_size(self) -> None:
        """Show each pixel of the document as one of the screen."""
        self.zoom_to(1.0)

    def zoom_to(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom, keeping the point `around` of the view in place; where None its middle, and it is no gesture."""
        self._fitted = False
        if around is not None:
            self._zooming.start()
        self._move_to(self._transform.zoomed(factor, self._middle() if around is None else around))

    def fit(self) -> None:
        """Show the whole document."""
        self._fitted = True
        if self._session is not None:
            frame = self._session.state.frame
            self._move_to(
                fitted(frame, self.width(), self.height(), self.devicePixelRatioF(), self.rotation), limited=False
            )

    def rotate_by(self, degrees: float, around: QPointF | None = None) -> None:
        """Turn the view clockwise; around its middle where no point is given, and then what is fitted stays so."""
        self._fitted = self._fitted and around is None
        self._move_to(self._transform.rotated(self.rotation + degrees, self._middle() if around is None else around))
        if self._fitted:
            self.fit()

    def reset_rotation(self) -> None:
        """Show the document upright."""
        self.rotate_by(-self.rotation)

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the document in the view by this many view pixels."""
        self._fitted = False
        self._move_to(self._transform.moved(round(dx), round(dy)))

    def _middle(self) -> QPointF:
        return QPointF(self.width() / 2, self.height() / 2)

    def _move_to(self, transform: ViewTransform, *, limited: bool = True) -> None:
        if limited and self._session is not None:
            transform = within_reach(transform, self._session.state.frame, self.width(), self.height())
        before, self._transform = self._transform, transform.aligned()
        if self._transform == before:
            return
        self._ants.forget()
        self.update()
        if self._transform.zoom != before.zoom:
            self.zoom_changed.emit(self._transform.zoom)
        if self._transform.rotation != before.rotation:
            self.rotation_changed.emit(self._transform.rotation)

    # What changes

    def _new_display(self, state: State) -> None:
        from .display import Display  # not before there is a document: OpenCV takes its time to load

        self._display = Display(state)
        self._display.set_alone(self._alone)

    def _changed(self, rects: list[Rect], before: State) -> None:
        assert self._session is not None  # noqa: S101 the signal is its own
        state = self._session.state
        if self._tool is not None and self._tool.busy and not self._tool.owns(state):
            self._tool.abandon()
            self._pointing.let_go()
        if self._alone is not None and not still_alone(self._alone, state, before):
            self.alone = None
        if self._display is None or (state.frame, state.profile) != (before.frame, before.profile):
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
            paint_nothing(painter, self.rect(), self.palette(), tr("Open a picture, paste one, or drop it here."))
            return
        display = self._display
        display.resize(self._device_size())
        display.set_look(look_of(self.palette()))
        display.set_tint(self._mask_colour if self._overlay == "tint" and not self.above.shown else None)
        display.transform = self._transform
        display.set_coarse(self.zooming)
        drawn = display.mend(self.budget) & self.rect()
        display.paint(painter, event.rect())
        self.above.paint(painter, self._transform)
        self._ants.paint(painter, self._marching(), event.rect(), self.devicePixelRatioF())
        if self._tool is not None:
            painter.save()
            self._tool.paint(painter, self._transform)
            painter.restore()
        if grip := self._pointing.grip:
            self.frame.paint(painter, self._transform, grip)
        self._pointing.paint_outline(painter)
        painter.end()
        if not (drawn.isEmpty() or event.rect().contains(drawn)):
            self._missed |= drawn  # as where the pointer alone was to be painted
        if display.stale or not self._missed.isEmpty():
            self._later.start()

    def _go_on(self) -> None:
        """Paint what there was no time for, and only that."""
        if self._display is not None:
            missed, self._missed = self._missed, QRect()
            self.update(self._display.stale_rect | missed)

    def _edge(self, name: str) -> NDArray[np.uint8] | None:
        return None if self._display is None else self._display.edge(name, self._device_size())

    def _device_size(self) -> QSize:
        ratio = self.devicePixelRatioF()
        return QSize(round(self.width() * ratio), round(self.height() * ratio))

    def _marching(self) -> list[str]:
        """List the masks whose border is shown."""
        names = (
            ["edit_mask"] if self._overlay == "ants" and not (self.above.shown or self._alone == EDIT_MASK) else []
        )
        if self._session is not None and self._session.state.selection is not None:
            names.append("selection")
        return names

    def _follow_ants(self) -> None:
        self._ants.run(self.isVisible() and self._session is not None and bool(self._marching()))

    # The pointer

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begin to work, or to pan."""
        self._pointing.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Go on."""
        self._pointing.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Be done."""
        self._pointing.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Tell the frame or the tool; where it means nothing to them it is another press."""
        self._pointing.double_click(event)

    def tabletEvent(self, event: QTabletEvent) -> None:  # noqa: N802
        """Work with a pen: the same, with its pressure; Qt then makes no mouse event of it."""
        event.accept()
        self._pointing.tablet(event)

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802
        """Show the brush."""
        self._pointing.point(event.position())

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802, ARG002
        """Hide the brush."""
        self._pointing.leave()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Pan with two fingers or the wheel, zoom around the pointer with the command key."""
        self._pointing.wheel(event)

    def event(self, event: QEvent) -> bool:
        """Zoom and turn with two fingers on a trackpad; double tap switches between all and 100 %."""
        if isinstance(event, QNativeGestureEvent) and self._session is not None and self._pointing.gesture(event):
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
        if not self._pointing.key(event):
            zooms.get(Qt.Key(event.key()), lambda: super(CanvasView, self).keyPressEvent(event))()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Let go of the picture."""
        if not self._pointing.key_up(event):
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Let go of the picture as well where another program gets the keyboard."""
        self._pointing.let_go_of_keys()
        super().focusOutEvent(event)

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
        self._zooming.stop()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Speak another language; follow the system's colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        elif event.type() == QEvent.Type.DevicePixelRatioChange:
            self._move_to(replace(self._transform, ratio=self.devicePixelRatioF()))
        self.update()
