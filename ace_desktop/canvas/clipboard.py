"""Pixels on the system's clipboard: a picture that every program reads, and where it lay for ours."""

from __future__ import annotations

import json

import numpy as np
from PySide6.QtCore import QByteArray, QMimeData
from PySide6.QtGui import QGuiApplication, QImage

from ..document import pixels
from ..document.pixels import Clip
from ..document.plane import Pixels, Plane
from ..document.state import RasterLayer, State
from ..session import Session
from ..translation import marked

PLACE = "application/x-ace-desktop-place"
"""The private kind beside the picture: JSON of x and y in document pixels."""


def put(clip: Clip) -> None:
    """Put pixels on the clipboard; Qt encodes them when another program asks."""
    data = QMimeData()
    data.setImageData(_image(clip.pixels))
    data.setData(PLACE, QByteArray(json.dumps({"x": clip.x, "y": clip.y}).encode()))
    QGuiApplication.clipboard().setMimeData(data)


def held() -> tuple[Clip, bool] | None:
    """Give the picture on the clipboard, and whether its place in the document is known; None where there is none."""
    data = QGuiApplication.clipboard().mimeData()
    if not data.hasImage():
        return None
    image: QImage = data.imageData()
    if image.isNull():
        return None
    try:
        place = json.loads(bytes(data.data(PLACE).data()))
        return Clip(pixels_of(image), int(place["x"]), int(place["y"])), True
    except (ValueError, KeyError, TypeError):  # another program's, or another kind of JSON
        return Clip(pixels_of(image)), False


def copy(session: Session) -> bool:
    """Copy the selected pixels of the active layer; tell whether there were any.

    Raises:
        ValueError: the active layer is a group.
    """
    state = session.state
    return _put(pixels.copy(state, state.active)) if state.active else False


def copy_merged(session: Session) -> bool:
    """Copy the selected pixels of the whole picture; tell whether there were any."""
    return _put(pixels.copy_merged(session.state))


def cut(session: Session) -> bool:
    """Copy the selected pixels of the active layer and make them transparent; tell whether there were any.

    Raises:
        ValueError: the active layer is locked, or a group.
    """
    state = session.state
    if state.active is None:
        return False
    after, clip = pixels.cut(state, state.active)
    if _put(clip):
        session.do(marked("Cut"), after)
        return True
    return False


def paste(session: Session, name: str, centre: tuple[float, float] | None = None) -> bool:
    """Paste as a layer where the pixels lay, or around a place where they come from elsewhere; tell whether it did.

    `centre` is in document pixels; the picture's middle where None.
    """
    found, state = held(), session.state
    if found is None:
        return False
    clip, known = found
    height, width = clip.pixels.shape[:2]
    middle = centre or (state.width / 2, state.height / 2)
    inside = known and clip.x < state.width and clip.y < state.height and clip.x + width > 0 and clip.y + height > 0
    session.do(marked("Paste"), pixels.paste(state, clip, name, None if inside else middle))
    return True


def new_state(name: str) -> State | None:
    """Make a document of the picture on the clipboard; None where there is none."""
    found = held()
    if found is None:
        return None
    height, width = found[0].pixels.shape[:2]
    layer = RasterLayer(pixels=Plane.of(found[0].pixels), name=name)
    return State(width=width, height=height, layers=(layer,), active=layer.id)


def _put(clip: Clip | None) -> bool:
    if clip is not None:
        put(clip)
    return clip is not None


def _image(array: Pixels) -> QImage:
    height, width = array.shape[:2]
    form = QImage.Format.Format_RGBA8888 if array.dtype == np.uint8 else QImage.Format.Format_RGBA64
    rows = np.ascontiguousarray(array)
    return QImage(rows.data, width, height, rows.strides[0], form).copy()


def pixels_of(image: QImage) -> Pixels:
    """Give straight RGBA, at 16 bits where the picture has more than 8."""
    deep = image.depth() > 32 or image.format() == QImage.Format.Format_Grayscale16
    form, dtype = (QImage.Format.Format_RGBA64, np.uint16) if deep else (QImage.Format.Format_RGBA8888, np.uint8)
    straight = image.convertToFormat(form)
    rows = np.frombuffer(straight.constBits(), dtype).reshape(
        straight.height(), straight.bytesPerLine() // dtype().itemsize
    )
    return rows[:, : straight.width() * 4].reshape(straight.height(), straight.width(), 4).copy()
