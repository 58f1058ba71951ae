"""How a result is drawn in the strip: its thumbnail, what was decided about it, or how far it is."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPainterPath, QPalette, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ..icons import paint_icon
from .result_model import ITEM, RELATED, THUMBNAIL, Item, Pending
from .thumbnail_frame import draw_thumbnail

PICTURE = 72
CELL = QSize(PICTURE + 8, PICTURE + 8)
_MARK = 16
Index = QModelIndex | QPersistentModelIndex


class ResultItem(QStyledItemDelegate):
    """Draws one cell of the strip."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802, ARG002
        """Give every cell the same size."""
        return CELL

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a cell."""
        item: Item = index.data(ITEM)
        cell: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        palette = QGuiApplication.palette()
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        place = QRect(0, 0, PICTURE, PICTURE)
        place.moveCenter(cell.center())
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        picture: QImage | None = index.data(THUMBNAIL)
        pending = isinstance(item, Pending)
        if pending or item.rejected:
            painter.setOpacity(1.0 if pending and item.running else 0.4)
        rect = draw_thumbnail(painter, place, picture, palette, radius=4)
        painter.setOpacity(1.0)
        if isinstance(item, Pending):
            _draw_progress(painter, rect, item, palette)
        else:
            for corner, name in _marks(item):
                _draw_mark(painter, rect, corner, name)
        accent = palette.color(QPalette.ColorRole.Highlight)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            colour = accent if chosen else palette.color(QPalette.ColorRole.PlaceholderText)
            painter.setPen(QPen(colour, 2.5 if chosen else 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(rect).adjusted(-2, -2, 2, 2), 6, 6)
        if index.data(RELATED) and not chosen:
            painter.setPen(QPen(accent, 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            bottom = cell.bottom() - 0.5
            painter.drawLine(QPointF(cell.center().x() - 8, bottom), QPointF(cell.center().x() + 8, bottom))
        painter.restore()


def _marks(item: Item) -> list[tuple[str, str]]:
    if isinstance(item, Pending):
        return []
    marks = [("top right", "star-filled")] if item.starred else []
    marks += [("top right", "reject")] if item.rejected else []
    marks += [("bottom right", "layers")] if item.accepted else []
    return marks


def _draw_mark(painter: QPainter, rect: QRect, corner: str, name: str) -> None:
    """Draw a small white icon on a dark disc in a corner, which is seen on any picture."""
    y = rect.top() + 3 if corner.startswith("top") else rect.bottom() - _MARK - 2
    disc = QRectF(rect.right() - _MARK - 2, y, _MARK, _MARK)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 150))
    painter.drawEllipse(disc)
    colour = QColor("#ffd60a") if name == "star-filled" else QColor("#ffffff")
    paint_icon(painter, name, disc.adjusted(3, 3, -3, -3), colour)


def _draw_progress(painter: QPainter, rect: QRect, item: Pending, palette: QPalette) -> None:
    """Draw a bar along the lower edge, or three dots for one that waits."""
    if not item.running:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(palette.color(QPalette.ColorRole.PlaceholderText))
        for way in (-10, 0, 10):
            painter.drawEllipse(QPointF(rect.center().x() + way, rect.center().y()), 2.5, 2.5)
        return
    bar = QRectF(rect.x() + 6, rect.bottom() - 9, rect.width() - 12, 4)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 120))
    painter.drawRoundedRect(bar, 2, 2)
    clip = QPainterPath()
    clip.addRoundedRect(bar, 2, 2)
    painter.setClipPath(clip)
    done = QRectF(bar.x(), bar.y(), bar.width() * item.share, bar.height())
    painter.fillRect(done, palette.color(QPalette.ColorRole.Highlight))
    painter.setClipping(False)
