"""How a document's colours become those of the window, which are sRGB on every screen that the system knows.

The window's surface says that it is sRGB (`tag_windows`), and macOS converts from that to the screen. Documents with
another profile are converted here, tile by tile, for the eye only.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray
from PySide6.QtGui import QColorSpace, QColorTransform, QImage, QSurfaceFormat

SRGB = QColorSpace.NamedColorSpace.SRgb


def tag_windows() -> None:
    """Let the windows that are made from now on say that their colours are sRGB; called before there is one."""
    form = QSurfaceFormat.defaultFormat()
    form.setColorSpace(QColorSpace(SRGB))
    QSurfaceFormat.setDefaultFormat(form)


@lru_cache(maxsize=4)
def to_window(profile: bytes | None) -> QColorTransform | None:
    """Give how the colours of an ICC profile become the window's; None where they are the same or cannot be read."""
    if profile is None or profile[36:40] != b"acsp":
        return None
    space = QColorSpace.fromIccProfile(QByteArray(profile))
    if not space.isValid():
        return None
    same = (space.primaries(), space.transferFunction()) == (
        QColorSpace.Primaries.SRgb,
        QColorSpace.TransferFunction.SRgb,
    )
    return None if same else space.transformationToColorSpace(QColorSpace(SRGB))


def converted(pixels: NDArray[np.uint8], transform: QColorTransform | None) -> NDArray[np.uint8]:
    """Convert premultiplied pixels as `render` gives them."""
    if transform is None:
        return pixels
    height, width = pixels.shape[:2]
    image = QImage(pixels.data, width, height, pixels.strides[0], QImage.Format.Format_ARGB32_Premultiplied)
    there = image.colorTransformed(transform)
    return np.frombuffer(there.constBits(), np.uint8).reshape(pixels.shape).copy()
