"""Read a picture as it is: its own colour profile, its alpha, its 16 bits, the right way up."""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, PngImagePlugin

from mlx_model.pictures import png
from mlx_model.places import reason
from mlx_model.request import Picture, RequestError, digest

Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MAX_PIXELS: Final = 2**28
"""268 megapixels: more is refused before a single pixel is decoded."""
MAX_BYTES: Final = 2**31
_CHUNK: Final = 2**24

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "TIFF", "AVIF")
_ORIENTATION: Final = 274
_MOST_BESIDE_PIXELS: Final = 2**28
_MOST_BRANDS: Final = 1024
_PIXEL_CHUNKS: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_HEIC_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


class _Unreadable(Exception):
    """Why a sound file is not read; the sentence goes on behind the file's name."""


Image.MAX_IMAGE_PIXELS = None  # our own limit stands above, and is a sentence instead of a warning
# A camera's profile may have megabytes, and so may a recipe: what we write must come back.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = _MOST_BESIDE_PIXELS
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damage is raised here, not printed


@dataclass(frozen=True, eq=False)
class PictureFile:
    """A picture and the file it came from; ``path`` is absolute, "-" for standard input.

    ``first_of_several``: the file holds an animation or pages, of which this is the first.
    """

    picture: Picture
    path: str
    sha256: str
    bytes: int
    first_of_several: bool = False

    @property
    def digest(self) -> str:
        """The digest of the pixels, by which a request names the picture."""
        return digest(self.picture)


def read_picture(source: Path | bytes, name: str | None = None) -> Picture:
    """Decode a PNG, JPEG, WebP, TIFF or AVIF file, or HEIC on macOS (animations: the first picture).

    Grey and CMYK become RGB; a grey or CMYK profile is carried out, so that the numbers are sRGB. ``name`` is
    what errors call the picture.

    Raises:
        RequestError: there is no such file, or it cannot be read; the sentence names the file.
    """
    data = source if isinstance(source, bytes) else read_bytes(source)
    name = name or ("the picture" if isinstance(source, bytes) else str(source))
    if not data:
        raise RequestError(f"{name} is empty; export it again")
    if _is_heic(data):
        data = _heic_as_tiff(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data)
    except _Unreadable as error:
        raise RequestError(f"{name} {error}") from error
    except Image.UnidentifiedImageError as error:
        raise RequestError(f"{name} is not a PNG, JPEG, WebP, TIFF or AVIF picture, or it is damaged") from error
    except MemoryError as error:
        raise RequestError(f"{name} is too large for the memory of this machine; scale it down first") from error
    except Exception as error:  # the decoders raise anything on a damaged file
        raise RequestError(f"{name} is damaged or cut short and cannot be read; export or copy it again") from error


def open_picture(path: Path) -> PictureFile:
    """Read a file with what a recipe says about it.

    Raises:
        RequestError: as :func:`read_picture`.
    """
    data = read_bytes(path)
    absolute = os.path.abspath(path)  # noqa: PTH100  (symbolic links stay as the person wrote them)
    return file_of(data, str(path), absolute)


def file_of(data: bytes, name: str, path: str) -> PictureFile:
    """Decode bytes that are at hand already (a pipe's, or a file's) with what a recipe says about them."""
    picture = read_picture(data, name)
    return PictureFile(picture, path, hashlib.sha256(data).hexdigest(), len(data), holds_several(data))


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; pipes are fine, devices and folders are not.

    Raises:
        RequestError: the file is missing, unreadable, or larger than :data:`MAX_BYTES`.
    """
    try:
        if path.is_dir():
            raise RequestError(f"{path} is a folder, not a picture")
        if not path.exists():
            raise RequestError(f"there is no file {path}; check the name and the folder")
        if not (path.is_file() or path.is_fifo()):
            raise RequestError(f"{path} is a device, not a picture")
        with path.open("rb") as file:
            return read_all(file, str(path))
    except (OSError, ValueError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError(f"{path} cannot be opened: {reason(error)}") from error


def read_all(file: IO[bytes], name: str) -> bytes:
    """Return what is left of a file or a pipe; memory is taken for what comes, not for what might.

    Raises:
        RequestError: it is larger than :data:`MAX_BYTES`, or than the memory.
    """
    data = io.BytesIO()
    try:
        while chunk := file.read(_CHUNK):
            if data.tell() + len(chunk) > MAX_BYTES:
                raise RequestError(f"{name} is larger than 2 GiB; scale it down first")
            data.write(chunk)
        return data.getvalue()
    except MemoryError as error:
        raise RequestError(f"{name} is too large for the memory of this machine; scale it down first") from error


def holds_several(data: bytes) -> bool:
    """Whether there are more pictures to see than the first; what cameras keep beside a JPEG (MPO) is none."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return image.format in ("PNG", "WEBP", "TIFF", "AVIF") and getattr(image, "n_frames", 1) > 1
    except Exception:  # HEIC, which the system has read
        return False


def _is_heic(data: bytes) -> bool:
    """Whether it is HEIC; an AVIF file may begin with the same general brand, and names its own behind it."""
    if data[4:8] != b"ftyp" or data[8:12] not in _HEIC_BRANDS:
        return False
    compatible = data[16 : min(int.from_bytes(data[:4]), _MOST_BRANDS)]
    brands = {compatible[at : at + 4] for at in range(0, len(compatible), 4)}
    return not brands & {b"avif", b"avis"}


def _decode(data: bytes) -> Picture:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            limit = f"{MAX_PIXELS // 10**6} megapixels"
            raise _Unreadable(f"has {width}×{height} pixels, more than the {limit} that can be read; scale it down")
        depth = _depth(image, data)
        # Loading finds damage that OpenCV passes over. Pillow and OpenCV both turn TIFF upright, and nothing else.
        image.load()
        orientation = 1 if image.format == "TIFF" else image.getexif().get(_ORIENTATION, 1)
        profile: bytes | None = image.info.get("icc_profile")
        space = colour_space(profile)
        pixels = _deep_pixels(image, data, depth) if depth > 8 else _pixels(image, profile, space)
        if profile and space == "GRAY" and is_grey(pixels):
            pixels[..., :3] = _grey_curve(profile, pixels.dtype)[pixels[..., :3]]
        upright = cast(Pixels, np.ascontiguousarray(_upright(pixels, orientation)))
        return Picture(upright, profile if space == "RGB" else None)


def colour_space(profile: bytes | None) -> str | None:
    """Return the colour space that an ICC profile describes ("RGB", "GRAY", "CMYK" …), None if it is no profile."""
    if not profile or profile[36:40] != b"acsp":
        return None
    return profile[16:20].decode("latin-1").strip()


def is_grey(pixels: Pixels) -> bool:
    """Whether red, green and blue are equal everywhere."""
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all())


def _depth(image: Image.Image, data: bytes) -> int:
    """Bits per channel that the file holds and that can be kept: 8, 10, 12 or 16."""
    if image.format == "PNG":
        return max(8, data[24])
    if image.format == "TIFF":
        tags = _tags(image)
        plain = tags.get(262) in (0, 1, 2) and set(tags.get(339, (1,))) == {1}  # grey or RGB, whole numbers
        if not plain or set(tags.get(258, ())) != {16}:
            return 8
        if tags.get(284) == 2:
            raise _Unreadable("holds its 16-bit channels one after the other; save it with interleaved channels")
        return 16
    if image.format == "AVIF" and (at := data.find(b"av1C")) > 0:
        return 8 if not data[at + 6] & 0x40 else 12 if data[at + 6] & 0x20 else 10
    return 8


def _pixels(image: Image.Image, profile: bytes | None, space: str | None) -> Pixels:
    if image.mode == "CMYK" and profile and space == "CMYK":
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        image = converted or image
    if image.mode in ("I", "F", "LAB") or image.mode.startswith("I;16"):
        raise _Unreadable("is in LAB or has more than 16 bits per channel; save it as RGB with 8 or 16 bits")
    return np.array(image.convert("RGBA"))


def _deep_pixels(image: Image.Image, data: bytes, depth: int) -> Pixels:
    if image.format == "PNG":  # OpenCV refuses chunks above 8 MB, such as a large profile or embedded input
        bare = (png.chunk(name, content) for name, content in png.chunks_of(data) if name in _PIXEL_CHUNKS)
        data = png.SIGNATURE + b"".join(bare)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise ValueError("not decoded")
    if decoded.ndim == 2:
        decoded = decoded[..., None].repeat(3, axis=2)
    pixels = np.full((*decoded.shape[:2], 4), 65535, np.uint16)
    pixels[..., :3] = decoded[..., 2::-1]
    if decoded.shape[2] == 4:
        pixels[..., 3] = decoded[..., 3]
    elif isinstance(clear := image.info.get("transparency"), int):
        pixels[..., 3] = np.where(pixels[..., 0] == clear, 0, 65535)
    if depth < 16:
        filled = pixels[..., : decoded.shape[2]]
        filled[:] = filled << (16 - depth) | filled >> (2 * depth - 16)
    if image.format == "TIFF":
        _settle_tiff(pixels, _tags(image))
    return pixels


def _settle_tiff(pixels: Pixels, tags: Mapping[int, Any]) -> None:
    """Do what OpenCV leaves undone: white as zero, and colour multiplied by alpha."""
    if tags.get(262) == 0:
        pixels[..., :3] = 65535 - pixels[..., :3]
    if 1 in tags.get(338, ()):
        alpha = np.maximum(pixels[..., 3:], 1).astype(np.uint32)
        pixels[..., :3] = np.minimum((pixels[..., :3] * np.uint32(65535) + alpha // 2) // alpha, 65535)


def _tags(image: Image.Image) -> Mapping[int, Any]:
    return cast(Mapping[int, Any], getattr(image, "tag_v2", {}))


def _grey_curve(profile: bytes, depth: np.dtype[Any]) -> Pixels:
    """Return what each grey value of a grey profile is in sRGB, as a table."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(ramp, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    curve = np.asarray(converted)[0, :, 1]
    if depth == np.uint8:
        return curve
    return np.interp(np.arange(65536), np.arange(256) * 257, curve * 257.0).round().astype(np.uint16)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _heic_as_tiff(data: bytes, name: str) -> bytes:
    if sys.platform != "darwin":
        raise RequestError(f"{name} is a HEIC picture, which is read on macOS only; convert it to JPEG or PNG first")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "picture.heic", Path(folder) / "picture.tiff"
        source.write_bytes(data)
        try:
            command = ["/usr/bin/sips", "-s", "format", "tiff", str(source), "--out", str(target)]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
            return target.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise RequestError(f"macOS could not read the HEIC picture {name}; convert it to JPEG first") from error
