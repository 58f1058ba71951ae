"""What the view paints around, behind and over the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPalette, QPen, QPixmap, QPolygonF, QRegion, QTransform

from ..document.geometry import Rect
from .transform import ViewTransform

GRID_FROM = 8.0
"""The zoom from which on every pixel has its lines."""
CHECK = 8
"""The side of a field of the checkerboard behind transparency, in view pixels."""
MASK_COLOUR = QColor(255, 45, 45, 115)  # 45 % of red
ANT = 4
"""The length of an ant, and of the gap between two, in view pixels."""

_LARGEST_KEPT = 1000.0
"""View pixels from the middle of a brush beyond which its outline is drawn each time."""


@dataclass(frozen=True)
class Look:
    """The colours around and behind the picture, as "#rrggbb"; `hairline` frames it."""

    surround: str
    light_field: str
    dark_field: str
    hairline: str


DARK_LOOK = Look(surround="#141414", light_field="#4a4a4a", dark_field="#404040", hairline="#3a3a3a")
LIGHT_LOOK = Look(surround="#d0d0d0", light_field="#ffffff", dark_field="#ececec", hairline="#a8a8a8")


def look_of(palette: QPalette) -> Look:
    """Choose the look that goes with a window's colours."""
    return DARK_LOOK if palette.color(QPalette.ColorRole.Window).lightness() < 128 else LIGHT_LOOK


def paint_nothing(painter: QPainter, rect: QRect, palette: QPalette, words: str) -> None:
    """Paint a view without a document: the surround, and words in its middle."""
    painter.fillRect(rect, QColor(look_of(palette).surround))
    painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)


def paint_below(painter: QPainter, view: QRect, transform: ViewTransform, frame: Rect, look: Look) -> None:
    """Paint the surround, the frame's hairline and the checkerboard in a rectangle of the view."""
    outline = transform.matrix.map(QPolygonF(QRectF(frame.x, frame.y, frame.width, frame.height)))
    turned = transform.rotation % 90 != 0
    covered = QRect() if turned else outline.boundingRect().toRect().adjusted(2, 2, -2, -2)
    for rect in QRegion(view).subtracted(covered):  # pyright: ignore[reportGeneralTypeIssues] it can be walked over
        painter.fillRect(rect, QColor(look.surround))
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, turned)
    board = QBrush(_checkerboard(look, transform.ratio))
    board.setTransform(
        QTransform().translate(transform.x, transform.y).scale(1 / transform.ratio, 1 / transform.ratio)
    )
    pen = QPen(QColor(look.hairline), 2 / transform.ratio)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolygon(outline)  # its inner half lies under the picture
    if turned:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(board)
        painter.drawPolygon(outline)
    else:
        painter.fillRect(outline.boundingRect() & QRectF(view), board)
    painter.restore()


@lru_cache(maxsize=4)
def _checkerboard(look: Look, ratio: float) -> QPixmap:
    side = max(1, round(CHECK * ratio))
    board = QPixmap(2 * side, 2 * side)
    board.fill(QColor(look.light_field))
    painter = QPainter(board)
    painter.fillRect(0, 0, side, side, QColor(look.dark_field))
    painter.fillRect(side, side, side, side, QColor(look.dark_field))
    painter.end()
    return board


def paint_grid(painter: QPainter, transform: ViewTransform, rect: Rect) -> None:
    """Paint the lines between the pixels of a rectangle of the document, from 800 % on."""
    if transform.zoom < GRID_FROM or not rect:
        return
    painter.save()
    pen = QPen(QColor(128, 128, 128, 90), 0)
    pen.setCosmetic(True)
    painter.setPen(pen)
    lines = [QLineF(x, rect.y, x, rect.bottom) for x in range(rect.x, rect.right + 1)]
    lines += [QLineF(rect.x, y, rect.right, y) for y in range(rect.y, rect.bottom + 1)]
    painter.drawLines([transform.matrix.map(line) for line in lines])
    painter.restore()


def tint_table(colour: QColor) -> NDArray[np.uint32]:
    """Give the premultiplied colour for each value of a mask: the colour's own alpha is that of 255."""
    share = np.arange(256) / 255 * colour.alphaF()
    parts = [np.rint(share * value).astype(np.uint32) for value in (255, colour.red(), colour.green(), colour.blue())]
    alpha, red, green, blue = parts
    return (alpha << 24 | red << 16 | green << 8 | blue).astype(np.uint32)


def traced(inside: NDArray[np.uint8], ratio: float) -> NDArray[np.uint8] | None:
    """Find the border of a mask (h x w, 0 outside, device pixels) for ants to march along; None where there is none.

    Gives 0 where there are no ants, else how far along the border a pixel lies, 1 to the length of an ant and a gap.
    """
    import cv2  # not before there is a mask: it takes its time to load

    contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    points = np.concatenate(contours)[:, 0].astype(np.intp)
    edge = np.zeros(inside.shape, np.uint8)
    edge[points[:, 1], points[:, 0]] = np.arange(len(points)) % (2 * _ant(ratio)) + 1
    thick = max(1, round(ratio))
    if thick > 1:
        edge = np.asarray(cv2.dilate(edge, np.ones((thick, thick), np.uint8)), np.uint8)
    for border in (edge[:thick], edge[-thick:], edge[:, :thick], edge[:, -thick:]):
        border[:] = 0  # what ends at the border of the view goes on beyond it
    return edge if edge.any() else None


def ants(edge: NDArray[np.uint8], phase: int, ratio: float) -> QImage:
    """Make an image of marching ants of what `traced` found, black and white, `phase` view pixels on."""
    length = _ant(ratio)
    colours = np.zeros(256, np.uint32)
    places = np.arange(2 * length)
    white = (places - round(phase * ratio)) // length % 2 == 1
    colours[1 : 2 * length + 1] = np.where(white, np.uint32(0xFFFFFFFF), np.uint32(0xFF000000))
    pixels = np.take(colours, edge)
    height, width = edge.shape
    return QImage(pixels.data, width, height, QImage.Format.Format_ARGB32_Premultiplied).copy()


def _ant(ratio: float) -> int:
    return max(1, round(ANT * ratio))


def paint_brush(painter: QPainter, middle: QPointF, radius: float, ratio: float, *, briefly: bool = False) -> None:
    """Paint the outline of a brush: seen on light and on dark. Radius in view pixels.

    `briefly`: it is another radius in the next frame, so that the thinnest lines do, which are drawn fast.
    """
    reach = _reach(radius)
    if briefly:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, beyond in ((QColor(0, 0, 0, 130), 1), (QColor(255, 255, 255, 235), 0)):
            painter.setPen(QPen(colour, 0))
            painter.drawEllipse(middle, radius + beyond, radius + beyond)
        painter.restore()
    elif reach > _LARGEST_KEPT:
        _draw_brush(painter, middle, radius)
    else:
        corner = QPointF(round((middle.x() - reach) * ratio) / ratio, round((middle.y() - reach) * ratio) / ratio)
        painter.drawPixmap(corner, _brush_outline(round(radius * 4) / 4, ratio))


@lru_cache(maxsize=4)
def _brush_outline(radius: float, ratio: float) -> QPixmap:
    """Draw an outline once: a large smooth circle takes longer than the stroke that it goes with."""
    reach = _reach(radius)
    side = math.ceil(2 * reach * ratio)
    pixmap = QPixmap(side, side)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    _draw_brush(painter, QPointF(reach, reach), radius)
    painter.end()
    return pixmap


def _draw_brush(painter: QPainter, middle: QPointF, radius: float) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    shades = ((QColor(0, 0, 0, 130), 2.5), (QColor(255, 255, 255, 235), 1.2))
    if radius < 3:  # a small brush has its place marked
        for colour, width in shades:
            painter.setPen(QPen(colour, width))
            for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                painter.drawLine(
                    QPointF(middle.x() + 3 * x, middle.y() + 3 * y), QPointF(middle.x() + 7 * x, middle.y() + 7 * y)
                )
    for colour, width in shades:
        painter.setPen(QPen(colour, width))
        painter.drawEllipse(middle, radius, radius)
    painter.restore()


def _reach(radius: float) -> float:
    return math.ceil(max(radius, 8)) + 3.0


def brush_rect(middle: QPointF, radius: float) -> QRect:
    """Give the part of the view that `paint_brush` touches."""
    reach = _reach(radius) + 1
    return QRectF(middle.x() - reach, middle.y() - reach, 2 * reach, 2 * reach).toAlignedRect()
