"""Write a picture whole or not at all: it is built in a file beside its place and renamed when it is safe on disk."""

import contextlib
import io
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from mlx_model.pictures import png
from mlx_model.pictures.camera import with_resolution
from mlx_model.pictures.read import Pixels, is_grey
from mlx_model.pictures.tiff import encode_tiff
from mlx_model.places import is_folder, reason
from mlx_model.request import Picture, RequestError

KINDS: Final = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}
ATTACHMENT: Final = b"acIN"
"""Our PNG chunk for embedded inputs: ancillary, private, and void once another program changes the pixels."""
LONGEST: Final = {"png": 2**20, "tiff": 2**20, "webp": 16383, "jpeg": 65500, "avif": 65536}
_JPEG_XMP_BYTES: Final = 65502
_JPEG_QUALITY: Final = 95
_AVIF_QUALITY: Final = 85


@dataclass(frozen=True)
class Metadata:
    """What is written beside the pixels.

    ``texts`` are PNG text chunks by keyword; ``xmp`` goes into every kind of file; ``attachments`` are whole PNG
    files (only a PNG holds them). ``resolution`` is in pixels per inch. ``exif`` is a block that
    :func:`mlx_model.pictures.camera.camera_data` found.
    """

    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    xmp: str = ""
    attachments: Sequence[bytes] = ()
    resolution: float | None = None
    exif: bytes = b""


def kind_of(path: Path) -> str:
    """Return the kind of file that a name asks for: "png", "tiff", "webp" or "jpeg".

    Raises:
        RequestError: the name ends in something else.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise RequestError(f"cannot write {path}: the name must end in {', '.join(KINDS)}")
    return kind


def losses(kind: str, picture: Picture) -> tuple[str, ...]:
    """Say in sentences what a kind of file cannot keep of a picture."""
    found: list[str] = []
    if kind == "jpeg":
        found.append("JPEG is lossy: even pixels outside the mask change a little; write PNG to keep them exactly")
        if not _opaque(picture.pixels):
            found.append("JPEG has no transparency: the picture is laid on white")
    if kind in ("jpeg", "webp") and picture.pixels.dtype == np.uint16:
        found.append(f"{'JPEG' if kind == 'jpeg' else 'WebP'} has 8 bits: the picture's 16 are rounded")
    return tuple(found)


def check_writable(path: Path, size: tuple[int, int] | None = None) -> None:
    """Find out before the long work whether a picture of ``size`` can be written to ``path``.

    Raises:
        RequestError: the kind is unknown or too small for the picture, or the folder is missing or not writable, or
            the name cannot be one.
    """
    kind = kind_of(path)
    if size and max(size) > LONGEST[kind]:
        raise RequestError(f"{path.suffix} files hold at most {LONGEST[kind]} pixels a side; write PNG or TIFF")
    if is_folder(path):
        raise RequestError(f"cannot write {path}: it is a folder")
    try:
        path.stat()
        protected = not os.access(path, os.W_OK)
    except (FileNotFoundError, NotADirectoryError):
        protected = False  # nothing stands there yet
    except (OSError, ValueError) as error:
        raise RequestError(f"cannot write {path}: {reason(error)}; give another name or folder") from error
    if protected:
        raise RequestError(f"cannot write {path}: the file is write-protected")
    write_whole(path, b"", keep=False)


def encode_picture(
    kind: str, picture: Picture, metadata: Metadata | None = None, quality: int | None = None
) -> bytes:
    """Encode a picture with its profile; an opaque alpha channel is left out, and grey stays one channel.

    ``kind`` is "png", "tiff", "webp", "jpeg" or "avif". PNG and TIFF are lossless, WebP as well unless a ``quality``
    (1 to 100) is given. :func:`losses` says what is lost otherwise.
    """
    metadata = metadata or Metadata()
    if kind == "png":
        return _encode_png(picture, metadata)
    if kind == "tiff":
        xmp = metadata.xmp.encode()
        return encode_tiff(_channels(picture), picture.profile, xmp, metadata.resolution, metadata.exif)
    pixels = picture.pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if kind == "jpeg" and not _opaque(pixels):
        alpha = pixels[..., 3:].astype(np.uint32)
        pixels = ((pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    image = Image.fromarray(pixels[..., :3] if kind == "jpeg" or _opaque(pixels) else pixels)
    xmp, profile = metadata.xmp.encode(), picture.profile
    file = io.BytesIO()
    if kind == "jpeg":
        xmp = xmp if len(xmp) < _JPEG_XMP_BYTES else b""
        held: dict[str, Any] = {"exif": metadata.exif} if metadata.exif else {}
        if metadata.resolution:
            held["dpi"] = (min(round(metadata.resolution), 65535),) * 2
        quality = _JPEG_QUALITY if quality is None else quality
        image.save(file, "JPEG", quality=quality, subsampling=0, optimize=True, icc_profile=profile, xmp=xmp, **held)
        return file.getvalue()
    exif = with_resolution(metadata.exif, metadata.resolution)
    held = {"exif": exif} if exif else {}
    if kind == "avif":
        quality = _AVIF_QUALITY if quality is None else quality
        image.save(
            file, "AVIF", quality=quality, subsampling="4:4:4", speed=7, icc_profile=profile or b"", xmp=xmp, **held
        )
    elif quality is None:
        image.save(
            file, "WEBP", lossless=True, exact=True, quality=60, method=4, icc_profile=profile or b"", xmp=xmp, **held
        )
    else:
        image.save(file, "WEBP", quality=quality, method=4, icc_profile=profile or b"", xmp=xmp, **held)
    return file.getvalue()


def write_picture(path: Path, picture: Picture, metadata: Metadata | None = None) -> tuple[str, ...]:
    """Write a picture in the kind its name asks for, whole or not at all; return :func:`losses`.

    Raises:
        RequestError: it cannot be written; nothing is left behind, and a file that stood there still stands.
    """
    kind = kind_of(path)
    write_whole(path, encode_picture(kind, picture, metadata))
    return losses(kind, picture)


def write_whole(path: Path, data: bytes, *, keep: bool = True) -> None:
    """Write bytes under another name in the same folder, then rename; ``keep`` False only tries it out.

    Raises:
        RequestError: the folder is missing or full, or may not be written to, or the name cannot be one.
    """
    # A name may have 255 bytes, and a letter up to four: what is added must fit as well.
    part = path.with_name(f".{path.name[:50]}.{secrets.token_hex(4)}.part")
    try:
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if keep:
                part.replace(path)
                _sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not is_folder(path.parent):
            raise RequestError(f"cannot write {path}: there is no folder {path.parent}; make it first") from error
        raise RequestError(f"cannot write {path}: {reason(error)}; give another name or folder") from error


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot, and the file itself is safe already
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _encode_png(picture: Picture, metadata: Metadata) -> bytes:
    pixels = _channels(picture)
    if pixels.shape[2] > 1:
        pixels = np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])
    encoded, file = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not encoded:
        raise RequestError("the picture could not be encoded as PNG; write TIFF instead")
    chunks = b"".join(png.text_chunk(keyword, text) for keyword, text in metadata.texts.items())
    if metadata.xmp:
        chunks += png.text_chunk("XML:com.adobe.xmp", metadata.xmp)
    chunks += b"".join(png.chunk(ATTACHMENT, whole) for whole in metadata.attachments)
    if metadata.exif:
        chunks += png.chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    if metadata.resolution:
        chunks = png.resolution_chunk(metadata.resolution) + chunks
    if picture.profile:
        chunks = png.profile_chunk(picture.profile) + chunks
    return png.with_chunks(file.tobytes(), chunks)


def _channels(picture: Picture) -> Pixels:
    pixels = picture.pixels
    if not _opaque(pixels):
        return pixels
    # A colour profile belongs to colour: with one, grey is written as RGB.
    return pixels[..., :1] if picture.profile is None and is_grey(pixels) else pixels[..., :3]


def _opaque(pixels: Pixels) -> bool:
    return pixels.shape[2] == 3 or bool((pixels[..., 3] == np.iinfo(pixels.dtype).max).all())
