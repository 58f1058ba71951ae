"""How a reference's card is drawn, and what a click on its parts means."""

from __future__ import annotations

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
from PySide6.QtGui import QColor, QFont, QFontMetrics, QGuiApplication, QMouseEvent, QPainter, QPalette
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ..document.references import BoardReference
from ..icons import paint_icon
from ..theme import CAPTION_PX, RADIUS
from ..translation import tr
from .reference_model import REFERENCE, ROLE_NAMES, THUMBNAIL
from .thumbnail_frame import draw_thumbnail

HEIGHT = 56
_PICTURE = 44
_ICON = 16
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class CardParts:
    """Where the parts of a card lie."""

    eye: QRect
    picture: QRect
    name: QRect
    role: QRect
    edit: QRect


def card_parts(rect: QRect) -> CardParts:
    """Lay a card out: eye, picture, name above role, the button that opens the editor."""
    middle = rect.center().y() + 1
    eye = QRect(rect.x() + 4, middle - 12, 24, 24)
    picture = QRect(eye.right() + 5, middle - _PICTURE // 2, _PICTURE, _PICTURE)
    edit = QRect(rect.right() - 27, middle - 12, 24, 24)
    left = picture.right() + 9
    width = edit.x() - left - 4
    return CardParts(eye, picture, QRect(left, middle - 20, width, 20), QRect(left, middle, width, 20), edit)


class ReferenceRow(QStyledItemDelegate):
    """Draws a card: whether it is on, its picture, its name and its role."""

    eye_clicked = Signal(str)
    role_clicked = Signal(str, QRect)
    """A reference's id, and where its role stands in the list."""
    edit_clicked = Signal(str)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802, ARG002
        """Give every card the same height."""
        return QSize(120, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a card."""
        reference: BoardReference = index.data(REFERENCE)
        rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        palette = QGuiApplication.palette()
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focused = chosen and bool(state & QStyle.StateFlag.State_HasFocus)
        if chosen or hovered:
            ground = QPalette.ColorRole.Highlight if focused else QPalette.ColorRole.Midlight
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(palette.color(ground))
            painter.drawRoundedRect(QRectF(rect).adjusted(2, 1, -2, -1), RADIUS, RADIUS)
        ink = palette.color(QPalette.ColorRole.HighlightedText if focused else QPalette.ColorRole.Text)
        faint = QColor(ink)
        faint.setAlphaF(0.78 if focused else 0.68)
        place = card_parts(rect)
        eye = "eye" if reference.on else "eye-off"
        paint_icon(painter, eye, _centred(place.eye), ink if reference.on else faint)
        if hovered or chosen:
            paint_icon(painter, "more", _centred(place.edit), ink)
        painter.setOpacity(1.0 if reference.on else 0.5)
        draw_thumbnail(painter, place.picture, index.data(THUMBNAIL), palette)
        painter.setOpacity(1.0)
        painter.setPen(ink if reference.on else faint)
        left = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        elided = painter.fontMetrics().elidedText(reference.name, Qt.TextElideMode.ElideRight, place.name.width())
        painter.drawText(place.name, left, elided)
        self._draw_role(painter, reference, place.role, faint)
        painter.restore()

    def _draw_role(self, painter: QPainter, reference: BoardReference, rect: QRect, ink: QColor) -> None:
        painter.setFont(_caption(painter.font()))
        painter.setPen(ink)
        role = tr(ROLE_NAMES[reference.role])
        width = painter.fontMetrics().horizontalAdvance(role)
        left = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(rect, left, role)
        paint_icon(painter, "chevron-down", QRectF(rect.x() + width + 2, rect.center().y() - 4.5, 10, 10), ink)
        rest = QRect(rect.x() + width + 20, rect.y(), rect.width() - width - 20, rect.height())
        done = [tr("cropped")] if reference.crop is not None else []
        done += [tr("cut out")] if reference.has_mask else []
        words = painter.fontMetrics().elidedText(" · ".join(done), Qt.TextElideMode.ElideRight, rest.width())
        painter.drawText(rest, left, words)

    def editorEvent(  # noqa: N802
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        """Take clicks on the eye, the role and the button."""
        if event.type() == QEvent.Type.MouseButtonRelease and isinstance(event, QMouseEvent):
            reference: BoardReference = index.data(REFERENCE)
            rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
            place, at = card_parts(rect), event.position().toPoint()
            if event.button() == Qt.MouseButton.LeftButton:
                if place.eye.contains(at):
                    self.eye_clicked.emit(reference.id)
                    return True
                if place.edit.contains(at):
                    self.edit_clicked.emit(reference.id)
                    return True
                if self.role_rect(place, reference).contains(at):
                    self.role_clicked.emit(reference.id, place.role)
                    return True
        return super().editorEvent(event, model, option, index)

    def role_rect(self, place: CardParts, reference: BoardReference) -> QRect:
        """Give the part of a card that opens the menu of roles."""
        width = QFontMetrics(_caption(QFont())).horizontalAdvance(tr(ROLE_NAMES[reference.role]))
        return QRect(place.role.x(), place.role.y(), width + 16, place.role.height())

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:  # noqa: N802, ARG002
        """Make the field in which a reference is renamed."""
        field = QLineEdit(parent)
        field.setAccessibleName(tr("Name of the reference"))
        return field

    def setEditorData(self, editor: QWidget, index: Index) -> None:  # noqa: N802
        """Show the name in the field; not again over what is being typed, when a thumbnail comes meanwhile."""
        if isinstance(editor, QLineEdit) and not editor.isModified():
            super().setEditorData(editor, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:  # noqa: N802, ARG002
        """Put that field where the name stands."""
        rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        name = card_parts(rect).name
        editor.setGeometry(name.x() - 9, name.center().y() - 12, name.width() + 9, 26)


def _caption(like: QFont) -> QFont:
    font = QFont(like)
    font.setPixelSize(CAPTION_PX)
    return font


def _centred(rect: QRect, side: int = _ICON) -> QRectF:
    return QRectF(rect.center().x() + 0.5 - side / 2, rect.center().y() + 0.5 - side / 2, side, side)
