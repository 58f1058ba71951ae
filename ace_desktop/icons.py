"""Icons: line drawings that are tinted when they are painted, so that they fit light and dark at any scale."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QIconEngine, QImage, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

from .places import resources

SIDE = 20


@lru_cache(maxsize=128)
def _drawing(name: str) -> bytes:
    return (resources() / "icons" / f"{name}.svg").read_bytes()


def paint_icon(painter: QPainter, name: str, rect: QRect | QRectF, colour: QColor) -> None:
    """Paint an icon in one colour."""
    drawing = _drawing(name).replace(b"#000", colour.name().encode())
    painter.save()
    painter.setOpacity(painter.opacity() * colour.alphaF())
    QSvgRenderer(QByteArray(drawing)).render(painter, QRectF(rect))
    painter.restore()


class TintedEngine(QIconEngine):
    """Paints a drawing in the colour that the palette has for the icon's state at that moment."""

    def __init__(self, name: str, *, on_accent: bool) -> None:
        super().__init__()
        self.name, self.on_accent = name, on_accent

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Paint it in the rectangle."""
        side = min(rect.width(), rect.height())
        square = QRect(0, 0, side, side)
        square.moveCenter(rect.center())
        paint_icon(painter, self.name, square, tint(mode, state if self.on_accent else QIcon.State.Off))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Paint it on nothing, `size` in device pixels."""
        image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return QPixmap.fromImage(image)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:  # noqa: N802
        """Paint it for a screen of this scale; `size` is in the screen's own, larger pixels."""
        pixmap = self.pixmap(size * scale, mode, state)
        pixmap.setDevicePixelRatio(scale)
        return pixmap

    def clone(self) -> QIconEngine:
        """Make another like it."""
        return TintedEngine(self.name, on_accent=self.on_accent)


def tint(mode: QIcon.Mode, state: QIcon.State) -> QColor:
    """Give the colour for a state of a control: text, disabled text, or the one on the accent."""
    palette = QGuiApplication.palette()
    if mode == QIcon.Mode.Disabled:
        return palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText)
    chosen = mode == QIcon.Mode.Selected or state == QIcon.State.On
    return palette.color(QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.ButtonText)


def icon(name: str, *, on_accent: bool = True) -> QIcon:
    """Give the icon of this name in `resources/icons`; `on_accent`: its ground is the accent while it is checked."""
    return QIcon(TintedEngine(name, on_accent=on_accent))


def app_icon() -> QIcon:
    """Give the program's own icon, in its own colours."""
    return QIcon(str(resources() / "icons" / "app.svg"))


def names() -> Mapping[str, str]:
    """Map the names of all icons to their files."""
    return {file.stem: str(file) for file in sorted((resources() / "icons").glob("*.svg"))}
