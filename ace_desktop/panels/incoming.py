"""Pictures that come from outside: files, pictures of other programs and addresses, dropped or pasted."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QImage

from ..document.errors import DocumentError
from ..translation import tr

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlx_model.request import Picture

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif"})
"""Of files that are one picture; .ora and .psd are documents and open as such."""
LARGEST = 64 * 2**20
"""Bytes of a picture that is fetched from an address."""
_TIMEOUT_S = 20.0


@dataclass(frozen=True, eq=False)
class Incoming:
    """A picture on its way: what it is called, and how it is read (slowly; raises DocumentError)."""

    name: str
    read: Callable[[], Picture]


def has_pictures(data: QMimeData) -> bool:
    """Tell whether something dropped or pasted holds pictures, as far as can be seen without reading it."""
    return data.hasImage() or any(_is_picture(url) for url in data.urls())


def pictures_of(data: QMimeData) -> list[Incoming]:
    """List the pictures of what was dropped or pasted.

    Files come before the picture that the clipboard shows for them, such as their icon; a picture comes before the
    address it was taken from, so that nothing is fetched that is here already.
    """
    files = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile() and _is_picture(url)]
    if files:
        return [of_file(file) for file in files]
    if data.hasImage():
        image = QImage(data.imageData())
        if not image.isNull():
            named = next((Path(url.path()).stem for url in data.urls() if url.path()), "")
            return [Incoming(named or tr("Pasted picture"), lambda: of_image(image))]
    return [_of_address(url) for url in data.urls() if _is_picture(url)]


def of_file(path: Path) -> Incoming:
    """Make one of a picture file."""

    def read() -> Picture:
        from mlx_model.pictures.read import read_picture
        from mlx_model.request import RequestError

        try:
            return read_picture(path)
        except RequestError as error:
            raise DocumentError(str(error)) from error

    return Incoming(path.stem, read)


def of_image(image: QImage) -> Picture:
    """Make a picture of one of Qt's, in the colour space it says it has."""
    from mlx_model.request import Picture

    from ..canvas.clipboard import pixels_of

    space = image.colorSpace()
    profile = bytes(space.iccProfile().data()) if space.isValid() and space != _srgb() else None
    return Picture(pixels_of(image), profile)


def eight_bits(picture: Picture) -> NDArray[np.uint8]:
    """Give a picture's pixels at 8 bits a channel, which is what a reference keeps."""
    import numpy as np

    from mlx_model.conditioning.colour import as_depth

    pixels = picture.pixels
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    return as_depth(pixels.astype(np.uint16, copy=False), np.dtype(np.uint8))


def _srgb() -> object:
    from PySide6.QtGui import QColorSpace

    return QColorSpace(QColorSpace.NamedColorSpace.SRgb)


def _is_picture(url: QUrl) -> bool:
    if url.isLocalFile():
        return Path(url.toLocalFile()).suffix.lower() in SUFFIXES
    return url.scheme() in ("http", "https", "data")


def _of_address(url: QUrl) -> Incoming:
    name = (Path(url.path()).stem if url.scheme() != "data" else "") or tr("Picture")
    # Said here and not in the thread that reads: only the GUI thread may change the language meanwhile.
    no_picture = tr(
        "“{name}” is no picture that can be read. Save it in the other program and drop the file.", name=name
    )
    unfetched = tr("The picture could not be fetched from {host}. Save it there and drop the file.", host=url.host())

    def read() -> Picture:
        from mlx_model.pictures.read import read_picture
        from mlx_model.request import RequestError

        try:
            data = _embedded(url) if url.scheme() == "data" else _fetched(url, unfetched)
            return read_picture(data, name)
        except DocumentError:
            raise
        except (RequestError, ValueError) as error:
            raise DocumentError(no_picture) from error

    return Incoming(name, read)


def _embedded(url: QUrl) -> bytes:
    """Decode a data: address (RFC 2397); raises ValueError."""
    head, _comma, body = url.toString(QUrl.ComponentFormattingOption.FullyEncoded).partition(",")
    data = unquote_to_bytes(body)
    return base64.b64decode(data) if head.endswith(";base64") else data


def _fetched(url: QUrl, unfetched: str) -> bytes:
    """Fetch what the user dragged here from a browser, and nothing else; raises DocumentError."""
    import httpx2

    data = bytearray()
    try:
        with httpx2.stream("GET", url.toString(), timeout=_TIMEOUT_S, follow_redirects=True) as answer:
            answer.raise_for_status()
            for part in answer.iter_bytes():
                data += part
                if len(data) > LARGEST:
                    raise DocumentError(unfetched)
    except httpx2.HTTPError as error:
        raise DocumentError(unfetched) from error
    return bytes(data)
