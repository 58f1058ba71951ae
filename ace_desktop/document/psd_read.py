"""Photoshop files (PSD and PSB) as documents, through psd-tools: layers, groups, masks and modes that we have too."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from psd_tools import PSDImage
from psd_tools.api import layers as psd
from psd_tools.constants import BlendMode, ColorMode, Resource

from mlx_model.pictures.read import colour_space, read_bytes
from mlx_model.request import RequestError

from .archive import MAX_BYTES
from .description import MAX_PIXELS, check_depth, whole
from .errors import DocumentError, Warn, ignore
from .plane import Pixels, Plane
from .state import NOTHING, GroupLayer, Layer, RasterLayer, State

MODES: Final = MappingProxyType(
    {
        "normal": BlendMode.NORMAL,
        "multiply": BlendMode.MULTIPLY,
        "screen": BlendMode.SCREEN,
        "overlay": BlendMode.OVERLAY,
        "soft-light": BlendMode.SOFT_LIGHT,
        "darken": BlendMode.DARKEN,
        "lighten": BlendMode.LIGHTEN,
        "colour": BlendMode.COLOR,
        "luminosity": BlendMode.LUMINOSITY,
    }
)
_BLENDS: Final = {mode: blend for blend, mode in MODES.items()}
_FIXED: Final = 65536
"""Resolutions are 16.16 fixed-point numbers of pixels per inch."""


def read_psd(path: Path, warn: Warn = ignore) -> State:
    """Open a Photoshop file; `warn` is told in one sentence what of it is shown otherwise or left out.

    RGB keeps its depth (8 or 16 bits) and its profile; other modes become sRGB of 8 bits. Text, shapes and smart
    objects come as the pixels that the file has of them. A layer clipped to another gets that one's alpha as mask.

    Raises:
        DocumentError: it cannot be read.
    """
    try:
        data = read_bytes(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _Reader(data, path).state(warn)
    except RequestError as error:
        raise DocumentError(str(error)) from error
    except DocumentError:
        raise
    except MemoryError as error:
        raise DocumentError(
            f"{path.name} is too large for the memory of this machine; scale it down first"
        ) from error
    except Exception as error:  # the library raises anything on a damaged file
        raise DocumentError(
            f"{path.name} is damaged or of a kind that is not read; save it again in the program that made it"
        ) from error


class _Reader:
    """One file on its way: what was left out is gathered for one sentence."""

    def __init__(self, data: bytes, path: Path) -> None:
        logging.getLogger("psd_tools").setLevel(logging.ERROR)  # what it warns of, we say
        self.name, self.title = path.name, path.stem
        self.file = PSDImage.open(io.BytesIO(data), max_alloc_bytes=MAX_BYTES)
        if self.file.width * self.file.height > MAX_PIXELS:
            size = f"{self.file.width}×{self.file.height}"
            raise DocumentError(f"{path.name} is {size}, more than can be opened; scale it down first")
        self.left = MAX_BYTES
        profile: Any = self.file.image_resources.get_data(Resource.ICC_PROFILE)
        self.deep = self.file.color_mode == ColorMode.RGB and self.file.depth in (8, 16)
        self.profile: bytes | None = profile if self.deep and colour_space(profile) == "RGB" else None
        self.lost: set[str] = set()

    def state(self, warn: Warn) -> State:
        """Make the document."""
        layers = tuple(self.layers(self.file, 1))
        if not layers and not len(self.file):
            layers = (RasterLayer(pixels=Plane.of(self.merged()), name=self.title),)
        if self.lost:
            warn(f"not everything in {self.name} is known here: {'; '.join(sorted(self.lost))}")
        return State(
            width=self.file.width,
            height=self.file.height,
            layers=layers,
            active=layers[-1].id if layers else None,
            profile=self.profile,
            resolution=self.resolution(),
        )

    def resolution(self) -> float:
        """Read pixels per inch."""
        found: Any = self.file.image_resources.get_data(Resource.RESOLUTION_INFO)
        value = getattr(found, "horizontal", 0) / _FIXED
        return value if 1 <= value <= 2**20 else 72.0

    def merged(self) -> Pixels:
        """Take the picture of a file without layers."""
        self.count(self.file.width, self.file.height)
        if self.deep:
            return self.codes(self.file.numpy())
        return _rgba(self.file.topil(apply_icc=True))

    def layers(self, parent: Any, depth: int) -> Iterator[Layer]:
        """Make the layers of a group, lowest first."""
        check_depth(depth)
        base: RasterLayer | None = None
        for layer in parent:
            made = self.layer(layer, depth)
            if made is None:
                continue
            if layer.clipping and isinstance(made, RasterLayer) and base is not None:
                self.lost.add("clipped layers have masks instead")
                made = _clipped(made, base)
            elif isinstance(made, RasterLayer):
                base = made
            yield made

    def layer(self, layer: Any, depth: int) -> Layer | None:
        """Make one layer, or None of what has no pixels."""
        group = isinstance(layer, psd.Group)
        x, y = (0, 0) if group else (whole(layer.left), whole(layer.top))
        if layer.has_effects():
            self.lost.add("effects are left out")
        mask = self.mask(layer, x, y)
        common: dict[str, Any] = {
            "name": str(layer.name),
            "visible": bool(layer.visible),
            "opacity": layer.opacity / 255 * (layer.fill_opacity / 255),
            "locked": bool(layer.locks is not None and layer.locks.complete),
            "blend": self.blend(layer.blend_mode),
            "x": x,
            "y": y,
            "mask": mask,
            "mask_enabled": not (mask is not None and layer.mask.disabled),
            "extra": NOTHING,
        }
        if group:
            return GroupLayer(children=tuple(self.layers(layer, depth + 1)), **common)
        if not layer.has_pixels():
            if layer.kind == "pixel":
                return RasterLayer(pixels=Plane(4, 16 if self.deep and self.file.depth == 16 else 8), **common)
            self.lost.add(f"“{layer.name}” ({layer.kind}) has no pixels and is left out")
            return None
        return RasterLayer(pixels=Plane.of(self.pixels(layer)), **common)

    def blend(self, mode: BlendMode) -> str:
        """Name a blend mode as we do; normal for what we lack."""
        if mode not in _BLENDS and mode != BlendMode.PASS_THROUGH:
            self.lost.add(f"the mode {mode.name.lower().replace('_', ' ')} is shown as normal")
        return _BLENDS.get(mode, "normal")

    def pixels(self, layer: Any) -> Pixels:
        """Take a layer's pixels, h x w x 4."""
        self.count(layer.width, layer.height)
        if self.deep:
            return self.codes(layer.numpy())
        pixels = _rgba(layer.topil(apply_icc=True))
        alpha = layer.numpy("shape")
        if alpha is not None:
            pixels[..., 3] = np.rint(alpha[..., 0] * 255)
        return pixels

    def mask(self, layer: Any, x: int, y: int) -> Plane | None:
        """Take a layer's mask, in the layer's own coordinates."""
        held = layer.mask
        if held is None:
            return None
        default = 255 if held.background_color else 0
        self.count(held.width, held.height)
        values = layer.numpy("mask") if held.width > 0 and held.height > 0 else None
        if values is None:
            return Plane(1, default=default)
        pixels = np.rint(values * 255).astype(np.uint8)
        return Plane.of(pixels, whole(held.left - x), whole(held.top - y), default)

    def codes(self, values: Any) -> Pixels:
        """Turn numbers of 0 to 1 (h x w x 3 or 4) into RGBA codes of the file's depth."""
        top, dtype = (65535, np.uint16) if self.file.depth == 16 else (255, np.uint8)
        pixels = np.full((*values.shape[:2], 4), top, dtype)
        pixels[..., : values.shape[2]] = np.rint(values * np.float32(top))
        return pixels

    def count(self, width: int, height: int) -> None:
        """Refuse what would need more memory than any document has."""
        if width < 0 or height < 0 or width * height > MAX_PIXELS or self.left < width * height * 8:
            raise DocumentError(f"{self.name} holds more pixels than can be read; flatten or scale it down first")
        self.left -= width * height * 8


def _rgba(image: Any) -> Pixels:
    return np.array(image.convert("RGBA"))


def _clipped(layer: RasterLayer, base: RasterLayer) -> RasterLayer:
    """Let a layer show only where the one below has alpha."""
    area = base.pixels.bounds.moved(base.x - layer.x, base.y - layer.y)
    alpha = base.pixels.read(base.pixels.bounds)[..., 3:]
    if base.pixels.depth == 16:
        alpha = (alpha.astype(np.uint32) * 255 + 32767) // 65535
    if layer.mask is not None and layer.mask_enabled:
        alpha = (alpha.astype(np.uint32) * layer.mask.read(area) + 127) // 255
    mask = Plane.of(alpha.astype(np.uint8), area.x, area.y) if area else Plane(1)

    return replace(layer, mask=mask, mask_enabled=True)
