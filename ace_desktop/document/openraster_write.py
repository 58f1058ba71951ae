"""A document as an OpenRaster file (openraster.org, version 0.0.6), which other programs open too.

What they read is `stack.xml` with one PNG per layer; masks are multiplied into the alpha there, so that they show the
right picture. What only we read lies in `ace/`: `document.json`, the whole description, and PNGs of what the others
have no place for, among it the alpha of masked layers as it was. Whatever else was in the file stands in the
document's attachments and is written back under its old name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, TypeAlias

import cv2
import numpy as np

from mlx_model.pictures import png
from mlx_model.pictures.write import encode_picture
from mlx_model.request import Picture

from .archive import is_safe
from .compose import compose
from .description import describe
from .errors import DocumentError
from .geometry import Rect
from .openraster_stack import Drawn, image_element
from .plane import Pixels, Plane, indices, tile_rect
from .plane_png import check_held, held_rect
from .png_bands import Band, Bands, Packed, png_of_bands, rows_of
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
NO_FILES: Final[Mapping[str, Path]] = MappingProxyType({})
_RESERVED: Final = frozenset({"mimetype", STACK, MERGED, THUMBNAIL, DOCUMENT})

Shade: TypeAlias = tuple[Plane, int, int]
"""A mask over a layer, and where its origin stands in the layer's coordinates."""


@dataclass(frozen=True, eq=False)
class Saved:
    """What a save packed: the next one takes from it all that is made of the same tiles."""

    bands: Bands = field(default_factory=lambda: MappingProxyType({}))
    strips: Mapping[Any, Pixels] = field(default_factory=lambda: MappingProxyType({}))


def write_openraster(
    path: Path, state: State, before: Saved | None = None, beside: Mapping[str, Path] = NO_FILES
) -> Saved:
    """Save a document; safe to call in any thread, since the state never changes.

    `before` is what the last save of this document returned; give the next one what this returns. `beside` are files
    that travel with the document and not in its state (results), by path in the archive; what is gone by now or
    cannot be read is left out.

    Raises:
        DocumentError: it cannot be saved; the file that stood there is whole.
    """
    for name in (*state.attachments, *beside):
        if not is_safe(name) or name in _RESERVED or name.startswith(PLANES):
            raise DocumentError(f"an attached file cannot be called “{name}”; rename it")
    saved: list[Saved] = []
    save_file(path, lambda file: saved.append(_write(file, state, before or Saved(), beside)))
    return saved[0]


class _Writer:
    """One save on its way: names are given out and pictures written as they come."""

    def __init__(self, archive: zipfile.ZipFile, state: State, before: Saved) -> None:
        self.archive, self.before = archive, before
        self.packed: dict[Any, Packed] = {}
        self.chunks = b"" if state.profile is None else png.profile_chunk(state.profile)
        self.chunks += png.resolution_chunk(state.resolution)
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

    def picture(self, name: str, rect: Rect, channels: int, depth: int, bands: Iterable[Band], chunks: bytes) -> str:
        """Write a PNG, its bands taken from the last save where they are made of the same tiles."""
        data = png_of_bands((rect.width, rect.height), channels, depth, bands, self.before.bands, self.packed, chunks)
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

        check_held(rect, f"the layer “{layer.name}”")
        self.picture(name, rect, 4, plane.depth, _shown_bands(plane, rect, shades), self.chunks)
        if shades:
            alpha = self.name(PLANES + "alpha{:03}.png")
            self.alphas[id(plane)] = self.picture(alpha, rect, 1, plane.depth, _bands(plane, rect, "alpha"), b"")
        self.colours[id(plane)] = name, rect
        self.drawn[layer.id] = Drawn(name, rect.x + left, rect.y + top)

    def describe(self, plane: Plane) -> Any:
        """Say where a plane's pixels are, writing them if no layer did."""
        held = {"channels": plane.channels, "depth": plane.depth, "default": plane.default}
        if id(plane) in self.colours:
            source, rect = self.colours[id(plane)]
            held |= {"source": source, "x": rect.x, "y": rect.y, "alpha": self.alphas.get(id(plane))}
        elif rect := held_rect(plane):
            check_held(rect, "a mask")
            name = self.name(PLANES + "plane{:03}.png")
            self.picture(name, rect, plane.channels, plane.depth, _bands(plane, rect, "plane"), b"")
            held |= {"source": name, "x": rect.x, "y": rect.y, "alpha": None}
        return held


def _bands(plane: Plane, rect: Rect, what: str) -> Iterator[Band]:
    """Cut a plane, or its alpha alone, into bands."""
    first = 3 if what == "alpha" else 0
    for row in rows_of(rect):
        tiles = _tiles(plane, row)
        key = what, row, plane.default, tuple(map(id, tiles))
        yield Band(key, lambda row=row: plane.read(row)[..., first:], tiles)


def _shown_bands(plane: Plane, rect: Rect, shades: tuple[Shade, ...]) -> Iterator[Band]:
    """Cut a layer, with the masks over it, into bands."""
    for row in rows_of(rect):
        tiles = [_tiles(plane, row), *(_tiles(mask, row.moved(-dx, -dy)) for mask, dx, dy in shades)]
        places = tuple((mask.default, dx, dy) for mask, dx, dy in shades)
        key = "layer", row, places, tuple(tuple(map(id, part)) for part in tiles)
        yield Band(key, lambda row=row: shaded(plane.read(row), row, shades), tiles)


def _merged_bands(state: State, before: Mapping[Any, Pixels], strips: dict[Any, Pixels]) -> Iterator[Band]:
    """Cut the picture that all layers make into bands, and gather a small strip of each for the thumbnail."""
    scale = min(1.0, THUMBNAIL_SIDE / max(state.width, state.height))
    width = max(1, round(state.width * scale))
    for row in rows_of(state.frame):
        held: list[Any] = []
        key = "merged", row, _ingredients(state.layers, row, held)
        height = round(row.bottom * scale) - round(row.y * scale) if row.y else max(1, round(row.bottom * scale))

        def pixels(row: Rect = row, key: Any = key, height: int = height) -> Pixels:
            made = compose(state, row)
            strips[key] = scaled_down(made, (width, height))
            return made

        if key in before:
            strips[key] = before[key]
        yield Band(key, pixels, held)


def _ingredients(layers: Sequence[Layer], rect: Rect, held: list[Any]) -> tuple[Any, ...]:
    """Name everything of which a rectangle of the merged picture is made, and hold it."""
    parts: list[Any] = []
    for layer in layers:
        if not layer.visible:
            continue
        local = rect.moved(-layer.x, -layer.y)
        mask = layer.mask if layer.mask_enabled else None
        planes = [] if mask is None else [mask]
        inner: tuple[Any, ...] = ()
        if isinstance(layer, GroupLayer):
            inner = _ingredients(layer.children, local, held)
        else:
            planes.append(layer.pixels)
        tiles = [_tiles(plane, local) for plane in planes]
        held += tiles
        names = tuple(tuple(None if tile is None else id(tile) for tile in part) for part in tiles)
        parts.append((local, layer.opacity, layer.blend, None if mask is None else mask.default, inner, names))
    return tuple(parts)


def _tiles(plane: Plane, rect: Rect) -> list[Pixels | None]:
    """List the tiles that a rectangle touches, None for those that are missing."""
    return [plane.tiles.get(index) for index in indices(rect)]


def shaded(pixels: Pixels, rect: Rect, shades: Iterable[Shade]) -> Pixels:
    """Multiply masks into the alpha of the pixels (h x w x 4) that stand at a rectangle of a layer."""
    for mask, dx, dy in shades:
        shade = mask.read(rect.moved(-dx, -dy))[..., 0]
        product = pixels[..., 3].astype(np.uint32) * shade
        pixels[..., 3] = (product + 127) // 255
    return pixels


def scaled_down(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Scale straight RGBA uint8 down to (width, height), which may have no rows."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    if size[1] == 0:
        return np.zeros((0, size[0], 4), np.uint8)
    # Colours count as much as they show, or transparent ones bleed into the edges.
    alpha = cv2.resize(pixels[..., 3].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    weighted = pixels[..., :3].astype(np.float32) * pixels[..., 3:].astype(np.float32)
    colour = cv2.resize(weighted, size, interpolation=cv2.INTER_AREA) / np.maximum(alpha, 1e-6)[..., None]
    return np.dstack([np.rint(colour), np.rint(alpha)]).clip(0, 255).astype(np.uint8)


def thumbnail_of(pixels: Pixels) -> Pixels:
    """Scale straight RGBA uint8 down to at most THUMBNAIL_SIDE pixels a side; smaller ones stay as they are."""
    height, width = pixels.shape[:2]
    scale = min(1.0, THUMBNAIL_SIDE / max(width, height))
    return scaled_down(pixels, (max(1, round(width * scale)), max(1, round(height * scale))))


def _covers(shade: Shade, rect: Rect) -> bool:
    """Tell whether a mask takes anything away from a rectangle of the layer."""
    mask, dx, dy = shade
    if mask.default != 255:
        return True
    return any(tile_rect(index).moved(dx, dy) & rect for index in mask.tiles)


def _write(file: BinaryIO, state: State, before: Saved, beside: Mapping[str, Path]) -> Saved:
    strips: dict[Any, Pixels] = {}
    with zipfile.ZipFile(file, "w") as archive:
        writer = _Writer(archive, state, before)
        writer.put("mimetype", MIMETYPE.encode())
        writer.layers(state.layers, 0, 0, ())
        description = describe(state, writer.describe)
        stack = image_element(state, writer.drawn)
        ours = {
            "format": FORMAT,
            "stack": hashlib.sha256(stack).hexdigest(),
            "checksums": dict(writer.checksums),
            "document": description,
        }
        writer.put(STACK, stack, packed=True)
        writer.put(DOCUMENT, json.dumps(ours).encode(), packed=True)
        writer.picture(MERGED, state.frame, 4, 8, _merged_bands(state, before.strips, strips), writer.chunks)
        thumbnail = Picture(np.concatenate(list(strips.values())).astype(np.uint8, copy=False), state.profile)
        writer.put(THUMBNAIL, encode_picture("png", thumbnail))
        for name, data in state.attachments.items():
            writer.put(name, data)
        for name, place in beside.items():
            if name not in state.attachments:
                data = None
                with contextlib.suppress(OSError):
                    data = place.read_bytes()
                if data is not None:
                    writer.put(name, data)
    return Saved(writer.packed, strips)
