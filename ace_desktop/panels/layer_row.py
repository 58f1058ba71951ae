"""How a layer is drawn in the list, and what a click on its parts means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QGuiApplication, QMouseEvent, QPainter, QPalette, QPen
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ..document.result_layers import result_of_layer
from ..document.state import GroupLayer, Layer
from ..icons import paint_icon
from ..theme import CAPTION_PX, RADIUS
from ..translation import tr
from .blend_names import BLEND_NAMES
from .layer_model import LAYER, MASK_THUMBNAIL, STALE, THUMBNAIL
from .thumbnail_frame import draw_thumbnail

HEIGHT = 48
_PICTURE = 36
_ICON = 16
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Parts:
    """Where the parts of a row lie."""

    eye: QRect
    picture: QRect
    mask: QRect
    words: QRect
    again: QRect
    lock: QRect


def parts(rect: QRect, has_mask: bool, stale: bool = False) -> Parts:
    """Lay a row out: eye, picture, mask, words, what runs a stale layer again, lock."""
    middle = rect.center().y() + 1
    eye = QRect(rect.x() + 4, middle - 12, 24, 24)
    picture = QRect(eye.right() + 5, middle - _PICTURE // 2, _PICTURE, _PICTURE)
    mask = picture.translated(_PICTURE + 4, 0) if has_mask else QRect(picture.right() + 1, picture.y(), 0, _PICTURE)
    lock = QRect(rect.right() - 27, middle - 12, 24, 24)
    left = (mask if has_mask else picture).right() + 9
    again = lock.translated(-26, 0) if stale else QRect(lock.x(), lock.y(), 0, 0)
    return Parts(eye, picture, mask, QRect(left, rect.y(), again.x() - left - 4, rect.height()), again, lock)


class LayerRow(QStyledItemDelegate):
    """Draws a layer: eye, thumbnail, mask, name with what is unusual about it, lock."""

    eye_clicked = Signal(str)
    lock_clicked = Signal(str)
    mask_clicked = Signal(str, bool)
    """A layer's mask; True with Alt held: show it alone."""
    picture_clicked = Signal(str)
    again_clicked = Signal(str)
    """A stale layer is to be run again."""

    def __init__(self, paints_mask: Callable[[str], bool], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paints_mask = paints_mask

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802, ARG002
        """Give every row the same height."""
        return QSize(120, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a row."""
        layer: Layer = index.data(LAYER)
        rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        palette = QGuiApplication.palette()  # the list's own has no highlight: rows draw it, with rounded corners
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        if chosen or hovered:
            ground = palette.color(QPalette.ColorRole.Highlight if chosen else QPalette.ColorRole.Midlight)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            whole = QRectF(0, rect.y(), rect.right() + 1, rect.height())
            painter.drawRoundedRect(whole.adjusted(2, 1, -2, -1), RADIUS, RADIUS)
        role = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text
        ink = palette.color(role)
        faint = QColor(ink)
        faint.setAlphaF(0.78 if chosen else 0.68)
        if state & QStyle.StateFlag.State_Children:
            triangle = "chevron-down" if state & QStyle.StateFlag.State_Open else "chevron-right"
            paint_icon(painter, triangle, QRectF(rect.x() - 13, rect.center().y() - 5, 12, 12), ink)
        stale = bool(index.data(STALE))
        place = parts(rect, layer.mask is not None, stale)
        paint_icon(
            painter, "eye" if layer.visible else "eye-off", _centred(place.eye), ink if layer.visible else faint
        )
        painter.setOpacity(1.0 if layer.visible else 0.5)
        self._draw_pictures(painter, layer, place, index, palette, ink)
        if not (stale or layer.locked or hovered):
            place.words.setRight(place.lock.right() - 4)
        self._draw_words(painter, layer, stale, place.words, ink, faint)
        if stale:
            paint_icon(painter, "refresh", _centred(place.again), ink)
        if layer.locked:
            paint_icon(painter, "lock", _centred(place.lock), ink)
        elif hovered:
            paint_icon(painter, "lock-open", _centred(place.lock), faint)
        painter.restore()

    def _draw_pictures(
        self, painter: QPainter, layer: Layer, place: Parts, index: Index, palette: QPalette, ink: QColor
    ) -> None:
        if isinstance(layer, GroupLayer):
            paint_icon(painter, "group", _centred(place.picture, 24), ink)
        else:
            draw_thumbnail(painter, place.picture, index.data(THUMBNAIL), palette)
        if layer.mask is not None:
            draw_thumbnail(painter, place.mask, index.data(MASK_THUMBNAIL), palette)
            if not layer.mask_enabled:
                painter.setPen(QPen(QColor("#ff453a"), 2))
                painter.drawLine(place.mask.topLeft(), place.mask.bottomRight())
            target = place.mask if self._paints_mask(layer.id) else place.picture
            painter.setPen(QPen(ink, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(target).adjusted(-1.25, -1.25, 1.25, 1.25), 4, 4)

    def _draw_words(
        self, painter: QPainter, layer: Layer, stale: bool, rect: QRect, ink: QColor, faint: QColor
    ) -> None:
        unusual = [tr("Changed below")] if stale else []
        unusual += [tr(BLEND_NAMES[layer.blend])] if layer.blend != "normal" else []
        if layer.opacity < 1:
            unusual.append(f"{round(layer.opacity * 100)} %")
        font = QFont(painter.font())
        if result_of_layer(layer) is not None:
            middle = rect.center().y() - 8 if unusual else rect.center().y() + 1
            paint_icon(painter, "sparkle", QRectF(rect.x() - 1, middle - 7, 14, 14), ink)
            whole, rect = rect, rect.adjusted(17, 0, 0, 0)
        else:
            whole = rect
        name = painter.fontMetrics().elidedText(layer.name, Qt.TextElideMode.ElideRight, rect.width())
        painter.setPen(ink)
        if not unusual:
            painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
            return
        half = QRect(rect.x(), rect.center().y() - 17, rect.width(), 18)
        painter.drawText(half, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        below = QRect(whole.x(), half.y() + 18, whole.width(), 18)
        font.setPixelSize(CAPTION_PX)
        painter.setFont(font)
        painter.setPen(faint)
        words = painter.fontMetrics().elidedText(" · ".join(unusual), Qt.TextElideMode.ElideRight, below.width())
        painter.drawText(below, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)

    def editorEvent(  # noqa: N802
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        """Take clicks on the eye, the lock and the two pictures."""
        if event.type() == QEvent.Type.MouseButtonRelease and isinstance(event, QMouseEvent):
            layer: Layer = index.data(LAYER)
            rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
            place = parts(rect, layer.mask is not None, bool(index.data(STALE)))
            at = event.position().toPoint()
            if event.button() == Qt.MouseButton.LeftButton:
                if place.again.contains(at):
                    self.again_clicked.emit(layer.id)
                    return True
                if place.eye.contains(at):
                    self.eye_clicked.emit(layer.id)
                    return True
                if place.lock.contains(at):
                    self.lock_clicked.emit(layer.id)
                    return True
                if place.mask.contains(at):
                    alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
                    self.mask_clicked.emit(layer.id, alt)
                    return True
                if place.picture.contains(at):
                    self.picture_clicked.emit(layer.id)
        return super().editorEvent(event, model, option, index)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:  # noqa: N802, ARG002
        """Make the field in which a layer is renamed."""
        field = QLineEdit(parent)
        field.setAccessibleName(tr("Layer name"))
        return field

    def setEditorData(self, editor: QWidget, index: Index) -> None:  # noqa: N802
        """Show the name in the field; not again over what is being typed, when a thumbnail comes meanwhile."""
        if isinstance(editor, QLineEdit) and not editor.isModified():
            super().setEditorData(editor, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:  # noqa: N802
        """Put that field where the name stands."""
        rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        words = parts(rect, index.data(LAYER).mask is not None).words
        editor.setGeometry(words.x() - 7, words.center().y() - 12, words.width() + 7, 26)


def _centred(rect: QRect, side: int = _ICON) -> QRectF:
    return QRectF(rect.center().x() + 0.5 - side / 2, rect.center().y() + 0.5 - side / 2, side, side)
