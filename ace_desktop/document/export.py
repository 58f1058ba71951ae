"""The flattened picture as a file that other people open, and what each kind of file loses of the document."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from mlx_model.conditioning.colour import into_srgb
from mlx_model.pictures.recipe import SavedRecipe, metadata_for, recipe_from_json
from mlx_model.pictures.write import LONGEST, Metadata, encode_picture
from mlx_model.request import Picture, RequestError

from .compose import compose_layers
from .description import MAX_PIXELS, plain
from .errors import DocumentError
from .pictures import CAMERA_DATA, RECIPE
from .plane import Pixels
from .savefile import save_file
from .state import RasterLayer, State, walk

WHITE: Final = (255, 255, 255)


@dataclass(frozen=True)
class Kind:
    """A kind of picture file: what it can hold, and whether a quality can be chosen.

    `longest` is the most pixels a side.
    """

    name: str
    suffixes: tuple[str, ...]
    alpha: bool
    depths: tuple[int, ...]
    lossless: bool
    quality: bool
    longest: int


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind("png", (".png",), True, (8, 16), True, False, LONGEST["png"]),
            Kind("jpeg", (".jpg", ".jpeg"), False, (8,), False, True, LONGEST["jpeg"]),
            Kind("webp", (".webp",), True, (8,), True, True, LONGEST["webp"]),
            Kind("tiff", (".tif", ".tiff"), True, (8, 16), True, False, LONGEST["tiff"]),
            Kind("avif", (".avif",), True, (8,), False, True, LONGEST["avif"]),
        )
    }
)


@dataclass(frozen=True)
class Export:
    """How to write the picture.

    `kind` is a key of `KINDS`. `quality` is 1..100; None means lossless where the kind can, otherwise its usual
    quality. `background` lies under what is transparent where the kind has no alpha, in the document's colours.
    `depth` 8 or 16; None keeps what the document has, as far as the kind can. `percent` scales. `srgb` converts to
    sRGB. `recipe` goes into the metadata, and with `camera_data` what the document has of the photograph's exposure.
    """

    kind: str
    quality: int | None = None
    background: tuple[int, int, int] = WHITE
    depth: int | None = None
    percent: float = 100.0
    srgb: bool = False
    recipe: SavedRecipe | None = None
    camera_data: bool = True


def kind_of(path: Path) -> str | None:
    """Name the kind that a file name asks for; None if no kind ends so."""
    return next((kind.name for kind in KINDS.values() if path.suffix.lower() in kind.suffixes), None)


def losses(state: State, export: Export) -> frozenset[str]:
    """Tell what the file will not have of the document, for the dialog to put into words.

    "layers" (there are several, or masks), "alpha" (the kind has none), "depth" (16 bits become 8), "exactness" (the
    kind or the quality is lossy). Alpha is counted as lost where the kind has none, used or not.
    """
    kind, found = KINDS[export.kind], set[str]()
    if len(state.layers) != 1 or any(layer.mask is not None for layer in walk(state.layers)):
        found.add("layers")
    if not kind.alpha:
        found.add("alpha")
    if depth_of(state) == 16 and _depth(state, export) == 8:
        found.add("depth")
    if not kind.lossless or (kind.quality and export.quality is not None):
        found.add("exactness")
    return frozenset(found)


def depth_of(state: State) -> int:
    """Give the bits per channel of the deepest layer that can be seen: 8 or 16."""
    return max((x.pixels.depth for x in walk(state.layers) if isinstance(x, RasterLayer) and x.visible), default=8)


def recipe_of(state: State) -> SavedRecipe | None:
    """Find the recipe of the topmost layer that can be seen and has one."""
    for layer in reversed([*walk(state.layers)]):
        if layer.visible and RECIPE in layer.extra:
            try:
                return recipe_from_json(json.dumps(plain(layer.extra[RECIPE])), layer.name)
            except RequestError:
                continue
    return None


def size_of(state: State, percent: float) -> tuple[int, int]:
    """Give the (width, height) that so many percent make; at least 1 pixel."""
    return max(1, round(state.width * percent / 100)), max(1, round(state.height * percent / 100))


def flattened(state: State, export: Export) -> Picture:
    """Make the picture that will be written.

    Raises:
        DocumentError: it is too large for the kind.
    """
    kind, size = KINDS[export.kind], size_of(state, export.percent)
    if max(size) > kind.longest or size[0] * size[1] > MAX_PIXELS:
        raise DocumentError(
            f"{size[0]}×{size[1]} pixels are more than a {kind.name.upper()} file holds; choose a smaller size or PNG"
        )
    depth = _depth(state, export)
    pixels = compose_layers(state.layers, state.frame, depth)
    if size != (state.width, state.height):
        pixels = scaled(pixels, size)
    if not kind.alpha:
        pixels = on_background(pixels, export.background)
    profile = state.profile
    if export.srgb and profile is not None:
        pixels, profile = in_srgb(pixels, profile), None
    return Picture(pixels, profile)  # pyright: ignore[reportArgumentType]  (uint8 or uint16)


def export_picture(path: Path, state: State, export: Export) -> None:
    """Write the flattened picture, whole or not at all.

    Raises:
        DocumentError: it cannot be written; a file that stood there is whole.
    """
    picture = flattened(state, export)
    try:
        held = Metadata() if export.recipe is None else metadata_for(export.recipe, picture.size, export.kind)
        exif = state.attachments.get(CAMERA_DATA, b"") if export.camera_data else b""
        metadata = Metadata(held.texts, held.xmp, held.attachments, state.resolution, exif)
        quality = export.quality if KINDS[export.kind].quality else None
        data = encode_picture(export.kind, picture, metadata, quality)
    except RequestError as error:
        raise DocumentError(str(error)) from error
    except MemoryError as error:
        raise DocumentError(f"there is no memory left to write {path.name}; choose a smaller size") from error
    save_file(path, lambda file: file.write(data))


def scaled(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Scale straight RGBA (h x w x 4) to (width, height), each colour weighted by its alpha."""
    shrinking = size[0] * size[1] < pixels.shape[0] * pixels.shape[1]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    top = np.iinfo(pixels.dtype).max
    held: NDArray[Any] = pixels.astype(np.float32)
    held[..., :3] *= held[..., 3:] / np.float32(top)
    held = cv2.resize(held, size, interpolation=method)
    alpha = held[..., 3:].clip(0, top)
    held[..., :3] *= top / np.maximum(alpha, 1e-3)
    held[..., 3:] = alpha
    return np.rint(held).clip(0, top).astype(pixels.dtype)


def on_background(pixels: Pixels, colour: tuple[int, int, int]) -> Pixels:
    """Lay straight RGBA over a colour (0..255 each); the result is opaque."""
    top = int(np.iinfo(pixels.dtype).max)
    if (pixels[..., 3] == top).all():
        return pixels
    # 65535 squared and half of it fit into 32 bits.
    under = np.array(colour, np.uint32) * (top // 255)
    alpha = pixels[..., 3:].astype(np.uint32)
    out = np.full_like(pixels, top)
    out[..., :3] = (pixels[..., :3] * alpha + under * (top - alpha) + top // 2) // top
    return out


def in_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """Convert RGBA from a profile to sRGB; one that cannot be read counts as sRGB."""
    out = pixels.copy()
    if pixels.dtype == np.uint16:  # LittleCMS is offered in 8 bits only
        out[..., :3] = into_srgb(profile)(pixels[..., :3])  # pyright: ignore[reportArgumentType]
        return out
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), intent)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return pixels
    out[..., :3] = np.asarray(converted)
    return out


def _depth(state: State, export: Export) -> int:
    wanted = depth_of(state) if export.depth is None else export.depth
    return wanted if wanted in KINDS[export.kind].depths else 8
