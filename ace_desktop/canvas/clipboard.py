"""Pixels on the system's clipboard: a picture that every program reads, and where it lay for ours."""

from __future__ import annotations

import json
from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class Taken:
    """What was copied or cut: the document after that, and what goes to the clipboard (None where that is nothing).

    It is worked out in any thread; only `put` belongs to the GUI's.
    """

    after: State
    clip: Clip | None
    image: QImage | None


def put(clip: Clip, image: QImage | None = None) -> None:
    """Put pixels on the clipboard, of which `image` may have been made; Qt encodes them when another program asks."""
    data = QMimeData()
    data.setImageData(_image(clip.pixels) if image is None else image)
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


def copy(state: State) -> Taken:
    """Copy the selected pixels of the active layer.

    Raises:
        ValueError: the active layer is a group.
    """
    return _taken(state, pixels.copy(state, state.active) if state.active else None)


def copy_merged(state: State) -> Taken:
    """Copy the selected pixels of the whole picture."""
    return _taken(state, pixels.copy_merged(state))


def cut(state: State) -> Taken:
    """Copy the selected pixels of the active layer and make them transparent.

    Raises:
        ValueError: the active layer is locked, or a group.
    """
    if state.active is None:
        return Taken(state, None, None)
    after, clip = pixels.cut(state, state.active)
    return _taken(state if clip is None else after, clip)


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


def _taken(after: State, clip: Clip | None) -> Taken:
    return Taken(after, clip, None if clip is None else _image(clip.pixels))


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
