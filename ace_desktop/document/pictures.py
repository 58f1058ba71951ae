"""Picture files as documents of one layer: PNG, JPEG, WebP, TIFF, AVIF, and HEIC on macOS."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from PIL import Image

from mlx_model.pictures.camera import camera_data
from mlx_model.pictures.read import holds_several, read_bytes, read_picture
from mlx_model.pictures.recipe import find_recipe
from mlx_model.request import RequestError

from .errors import DocumentError, Warn, ignore
from .plane import Plane
from .state import NOTHING, RasterLayer, State

RECIPE: Final = "recipe"
"""Under this name a layer's `extra` has the recipe of the edit that made it, as JSON."""
CAMERA_DATA: Final = "camera.exif"
"""The name of the attachment that has what the camera wrote, as an EXIF block: when, with what, by whom, whose."""
_HEADER: Final = 1 << 16  # bytes in which an AVIF file describes itself
_DEFAULT_RESOLUTION: Final = 72.0
_X_RESOLUTION, _RESOLUTION_UNIT, _CENTIMETRES = 282, 296, 3
_CM_PER_INCH: Final = 2.54


def picture_document(path: Path, warn: Warn = ignore) -> State:
    """Open a picture as it is: right way up, with its alpha, its depth, its profile and its resolution.

    AVIF is read with 8 bits, and of an animation or of pages the first: where a file has more, `warn` is told.

    Grey and CMYK become RGB, in sRGB where their profile says what they are. A recipe that the file carries goes into
    the layer's `extra`, what the camera wrote of it into the attachments.

    Raises:
        DocumentError: it cannot be read.
    """
    try:
        data = read_bytes(path)
        picture = read_picture(data, path.name)
    except RequestError as error:
        raise DocumentError(str(error)) from error
    if (bits := avif_bits(data)) > 8:
        warn(f"{path.name} has {bits} bits a colour, of which 8 are read; convert it to TIFF or PNG to keep all")
    if holds_several(data):
        warn(f"{path.name} holds more than one picture, of which the first is opened")
    width, height = picture.size
    layer = RasterLayer(pixels=Plane.of(picture.pixels), name=path.stem, extra=_recipe(data, path.name))
    return State(
        width=width,
        height=height,
        layers=(layer,),
        active=layer.id,
        profile=picture.profile,
        resolution=_resolution(data),
        attachments=MappingProxyType({CAMERA_DATA: exif} if (exif := camera_data(data)) else {}),
    )


def avif_bits(data: bytes) -> int:
    """Give the bits a colour of an AVIF file, by what it says of its coding; 8 for any other file."""
    if data[4:8] != b"ftyp" or b"avif" not in data[8:64]:
        return 8
    place = data.find(b"av1C", 0, _HEADER)
    flags = data[place + 6] if 0 <= place < len(data) - 6 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


def _recipe(data: bytes, name: str) -> Mapping[str, Any]:
    try:
        return MappingProxyType({RECIPE: json.loads(find_recipe(data, name).to_json())})
    except RequestError:
        return NOTHING


def _resolution(data: bytes) -> float:
    """Read pixels per inch from the header; 72 where it says nothing that can be."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            dots = image.info.get("dpi")
            # Asking a PNG for its EXIF would decode the whole of it.
            if dots is None and image.format != "PNG":
                exif = image.getexif()
                dots = (exif.get(_X_RESOLUTION),)
                if dots[0] and exif.get(_RESOLUTION_UNIT) == _CENTIMETRES:
                    dots = (float(dots[0]) * _CM_PER_INCH,)
        value = float((dots and dots[0]) or 0)
    except Exception:  # the pixels are read: what the header says beside them is not worth a refusal
        return _DEFAULT_RESOLUTION
    return value if math.isfinite(value) and 1 <= value <= 2**20 else _DEFAULT_RESOLUTION
