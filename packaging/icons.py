"""Draw the program's icon at all sizes that systems ask for: python packaging/icons.py [FOLDER].

From `resources/icons/app.svg`, and up to 32 points from `app-small.svg`, which has fewer and coarser parts on whole
pixels. Writes `app.icns`, `app-16.png` … `app-1024.png` and a sheet to look at.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QImageWriter, QPainter
from PySide6.QtSvg import QSvgRenderer

ROOT = Path(__file__).parents[1]
SIZES = (16, 32, 64, 128, 256, 512, 1024)
LARGEST_SMALL = 32
TYPES = (
    (b"icp4", 16, 16), (b"icp5", 32, 32), (b"ic11", 32, 16), (b"ic12", 64, 32), (b"ic07", 128, 128),
    (b"ic13", 256, 128), (b"ic08", 256, 256), (b"ic14", 512, 256), (b"ic09", 512, 512), (b"ic10", 1024, 512),
)  # fmt: skip
"""Of an .icns file: type, pixels a side, points a side."""


def drawn(pixels: int, points: int) -> QImage:
    """Draw the icon for a place of so many points."""
    name = "app-small" if points <= LARGEST_SMALL else "app"
    image = QImage(pixels, pixels, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(str(ROOT / "resources" / "icons" / f"{name}.svg")).render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    return image


def png(image: QImage) -> bytes:
    """Give an image as a PNG file."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(image)
    buffer.close()
    return bytes(data.data())


def icns() -> bytes:
    """Give the icon as macOS has it: PNGs, each behind its type and its length."""
    entries = [(kind, png(drawn(pixels, points))) for kind, pixels, points in TYPES]
    body = b"".join(kind + struct.pack(">I", len(data) + 8) + data for kind, data in entries)
    return b"icns" + struct.pack(">I", len(body) + 8) + body


def sheet() -> QImage:
    """Lay the sizes out on light and dark, the small ones enlarged too."""
    shown = (512, 128, 32, 16)
    image = QImage(2 * (sum(shown) + 460), 560, QImage.Format.Format_ARGB32_Premultiplied)
    painter = QPainter(image)
    x = 0
    for ground in ("#f2f2f2", "#1e1e1e"):
        painter.fillRect(x, 0, image.width() // 2, image.height(), QColor(ground))
        for size in shown:
            picture = drawn(size, size)
            painter.drawImage(x + 24, 24, picture)
            if size <= LARGEST_SMALL:
                enlarged = picture.scaled(160, 160)
                painter.drawImage(x + 24 - (0 if size == LARGEST_SMALL else -124), 300, enlarged)
            x += size + 24
        x = image.width() // 2
    painter.end()
    return image


def main() -> int:
    """Write the files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "icons"
    folder.mkdir(parents=True, exist_ok=True)
    application = QGuiApplication([])
    for size in SIZES:
        (folder / f"app-{size}.png").write_bytes(png(drawn(size, size)))
    (folder / "app.icns").write_bytes(icns())
    (folder / "sheet.png").write_bytes(png(sheet()))
    application.quit()
    print(f"{folder}: app.icns and {len(SIZES)} sizes; look at sheet.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
