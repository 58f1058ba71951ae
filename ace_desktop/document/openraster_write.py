"""A document as an OpenRaster file (openraster.org, version 0.0.6), which other programs open too.

What they read is `stack.xml` with one PNG per layer; masks are multiplied into the alpha there, so that they show the
right picture. What only we read lies in `ace/`: `document.json`, the whole description, and PNGs of what the others
have no place for, among it the alpha of masked layers as it was. Whatever else was in the file stands in the
document's attachments and is written back under its old name.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, TypeAlias

import cv2
import numpy as np

from .archive import is_safe
from .compose import compose
from .description import describe
from .errors import DocumentError
from .geometry import Rect
from .openraster_stack import Drawn, image_element
from .plane import Pixels, Plane, tile_rect
from .plane_png import encode_png, held_rect, read_held
from .savefile import save_file
from .state import GroupLayer, Layer, RasterLayer, State

FORMAT: Final = 1
MIMETYPE: Final = "image/openraster"
DOCUMENT: Final = "ace/document.json"
STACK: Final = "stack.xml"
MERGED: Final = "mergedimage.png"
THUMBNAIL: Final = "Thumbnails/thumbnail.png"
PLANES: Final = "ace/planes/"
THUMBNAIL_SIDE: Final = 256

Encoded: TypeAlias = Mapping[Any, bytes]
"""What a save encoded, by the planes it is made of: the next save takes from it what has not changed."""

Shade: TypeAlias = tuple[Plane, int, int]
"""A mask over a layer, and where its origin stands in the layer's coordinates."""

NOTHING_ENCODED: Final[Encoded] = MappingProxyType({})


def write_openraster(path: Path, state: State, before: Encoded = NOTHING_ENCODED) -> Encoded:
    """Save a document; safe to call in any thread, since the state never changes.

    `before` is what the last save of this document returned; give the next one what this returns.

    Raises:
        DocumentError: it cannot be saved; the file that stood there is whole.
    """
    encoded: dict[Any, bytes] = {}
    save_file(path, lambda file: _write(file, state, before, encoded))
    return encoded


class _Writer:
    """One save on its way: names are given out and pictures written as they come."""

    def __init__(self, archive: zipfile.ZipFile, state: State, before: Encoded, encoded: dict[Any, bytes]) -> None:
        self.archive, self.state, self.before, self.encoded = archive, state, before, encoded
        self.taken = set(state.attachments)
        self.checksums: dict[str, int] = {}
        self.drawn: dict[str, Drawn] = {}
        self.alphas: dict[int, str] = {}
        self.colours: dict[int, tuple[str, Rect]] = {}

    def name(self, pattern: str) -> str:
        """Give out a name that no attachment has."""
        number = 0
        while (name := pattern.format(number)) in self.taken:
            number += 1
        self.taken.add(name)
        return name

    def put(self, name: str, data: bytes, packed: bool = False) -> str:
        """Write an entry and return its name."""
        info = zipfile.ZipInfo(name)  # dated 1980, so that the same document gives the same bytes
        info.external_attr = 0o644 << 16
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        self.archive.writestr(info, data)
        return name

    def picture(self, key: tuple[Any, ...], name: str, pixels: Callable[[], Pixels], coloured: bool) -> str:
        """Write pixels as PNG, taken from the last save where they are made of the same planes."""
        key = (*key, self.state.profile, self.state.resolution) if coloured else key
        data = self.encoded.get(key) or self.before.get(key)
        if data is None:
            profile, resolution = (self.state.profile, self.state.resolution) if coloured else (None, None)
            data = encode_png(pixels(), profile, resolution)
        self.encoded[key] = data
        self.checksums[name] = zlib.crc32(data)
        return self.put(name, data)

    def layers(self, layers: Iterable[Layer], x: int, y: int, shades: tuple[Shade, ...]) -> None:
        """Write the pixels of layers whose parent stands at x, y and lies under these masks."""
        for layer in layers:
            left, top = x + layer.x, y + layer.y
            inner = tuple((mask, dx - layer.x, dy - layer.y) for mask, dx, dy in shades)
            if layer.mask is not None and layer.mask_enabled:
                inner += ((layer.mask, 0, 0),)
            if isinstance(layer, GroupLayer):
                self.layers(layer.children, left, top, inner)
            else:
                self.layer(layer, left, top, inner)

    def layer(self, layer: RasterLayer, left: int, top: int, shades: tuple[Shade, ...]) -> None:
        """Write one layer as others see it, and its own alpha where masks cover it."""
        plane = layer.pixels
        rect = held_rect(plane) or Rect(0, 0, 1, 1)
        shades = tuple(shade for shade in shades if _covers(shade, rect))
        name = self.name("data/layer{:03}.png")

        def shown() -> Pixels:
            return shaded(read_held(plane, rect, f"the layer “{layer.name}”"), rect, shades)

        self.picture((plane, shades), name, shown, coloured=True)
        if shades:
            alpha = self.name(PLANES + "alpha{:03}.png")
            self.alphas[id(plane)] = self.picture(
                (plane, "alpha"), alpha, lambda: read_held(plane, rect, "a layer")[..., 3:], coloured=False
            )
        self.colours[id(plane)] = name, rect
        self.drawn[layer.id] = Drawn(name, rect.x + left, rect.y + top)

    def describe(self, plane: Plane) -> Any:
        """Say where a plane's pixels are, writing them if no layer did."""
        held = {"channels": plane.channels, "depth": plane.depth, "default": plane.default}
        if id(plane) in self.colours:
            source, rect = self.colours[id(plane)]
            held |= {"source": source, "x": rect.x, "y": rect.y, "alpha": self.alphas.get(id(plane))}
        elif rect := held_rect(plane):
            name = self.name(PLANES + "plane{:03}.png")
            self.picture((plane,), name, lambda: read_held(plane, rect, "a mask"), coloured=False)
            held |= {"source": name, "x": rect.x, "y": rect.y, "alpha": None}
        return held


def shaded(pixels: Pixels, rect: Rect, shades: Iterable[Shade]) -> Pixels:
    """Multiply masks into the alpha of the pixels (h x w x 4) that stand at a rectangle of a layer."""
    for mask, dx, dy in shades:
        shade = mask.read(rect.moved(-dx, -dy))[..., 0]
        product = pixels[..., 3].astype(np.uint32) * shade
        pixels[..., 3] = (product + 127) // 255
    return pixels


def thumbnail_of(pixels: Pixels, side: int = THUMBNAIL_SIDE) -> Pixels:
    """Scale straight RGBA uint8 down to at most `side` pixels; smaller ones stay as they are."""
    height, width = pixels.shape[:2]
    if max(width, height) <= side:
        return pixels
    size = max(1, round(width * side / max(width, height))), max(1, round(height * side / max(width, height)))
    # Colours count as much as they show, or transparent ones bleed into the edges.
    alpha = cv2.resize(pixels[..., 3].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    weighted = pixels[..., :3].astype(np.float32) * pixels[..., 3:].astype(np.float32)
    colour = cv2.resize(weighted, size, interpolation=cv2.INTER_AREA) / np.maximum(alpha, 1e-6)[..., None]
    return np.dstack([np.rint(colour), np.rint(alpha)]).clip(0, 255).astype(np.uint8)


def _covers(shade: Shade, rect: Rect) -> bool:
    """Tell whether a mask takes anything away from a rectangle of the layer."""
    mask, dx, dy = shade
    if mask.default != 255:
        return True
    return any(tile_rect(index).moved(dx, dy) & rect for index in mask.tiles)


def _write(file: BinaryIO, state: State, before: Encoded, encoded: dict[Any, bytes]) -> None:
    reserved = {"mimetype", STACK, MERGED, THUMBNAIL, DOCUMENT}
    for name in state.attachments:
        if not is_safe(name) or name in reserved or name.startswith(PLANES):
            raise DocumentError(f"an attached file cannot be called “{name}”; rename it")
    with zipfile.ZipFile(file, "w") as archive:
        writer = _Writer(archive, state, before, encoded)
        writer.put("mimetype", MIMETYPE.encode())
        writer.layers(state.layers, 0, 0, ())
        description = describe(state, writer.describe)
        stack = image_element(state, writer.drawn)
        ours = {
            "format": FORMAT,
            "stack": hashlib.sha256(stack).hexdigest(),
            "checksums": writer.checksums,
            "document": description,
        }
        writer.put(STACK, stack, packed=True)
        writer.put(DOCUMENT, json.dumps(ours).encode(), packed=True)
        merged = compose(state)
        writer.put(MERGED, encode_png(merged, state.profile, state.resolution))
        writer.put(THUMBNAIL, encode_png(thumbnail_of(merged)))
        for name, data in state.attachments.items():
            writer.put(name, data)
