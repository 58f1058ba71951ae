"""Documents as Photoshop files, through psd-tools: layers, groups, masks, modes and the merged picture."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import Compression, Resource
from psd_tools.psd.image_resources import ImageResource

from .compose import compose_layers
from .description import check_depth
from .errors import DocumentError
from .plane import Pixels, Plane
from .plane_png import held_rect, read_held
from .psd_read import MODES
from .savefile import save_file
from .state import GroupLayer, Layer, RasterLayer, State, walk

LONGEST_NAME: Final = 255
_FIXED: Final = 65536
_PER_INCH, _INCHES = 1, 1


def write_psd(path: Path, state: State) -> None:
    """Write a Photoshop file with all layers; PSB where a side has more than 30 000 pixels.

    It has 16 bits where any layer has. Edit mask, selection and saved masks have no place in it.

    Raises:
        DocumentError: it cannot be written.
    """
    deep = any(isinstance(layer, RasterLayer) and layer.pixels.depth == 16 for layer in walk(state.layers))
    depth = 16 if deep else 8
    merged = compose_layers(state.layers, state.frame, depth)
    opaque = bool((merged[..., 3] == np.iinfo(merged.dtype).max).all())
    try:
        file = PSDImage.new("RGB" if opaque else "RGBA", (state.width, state.height), depth=depth)
    except ValueError as error:
        raise DocumentError("a Photoshop file has at most 300 000 pixels a side; save another kind") from error
    _add_layers(file, state.layers, 0, 0, 1)
    _add_resources(file, state)
    file._update_record()  # pyright: ignore[reportPrivateUsage]  (after what was changed behind its back)
    record: Any = file._record  # pyright: ignore[reportPrivateUsage]  (psd-tools' documented door to the format)
    # Saving through the library would merge the layers again, slower and without our modes.
    record.image_data.compression = Compression.RLE
    channels = merged[..., : 3 if opaque else 4].astype(merged.dtype.newbyteorder(">"), copy=False)
    record.image_data.set_data([channels[..., at].tobytes() for at in range(channels.shape[2])], record.header)
    if not opaque:
        # Below zero: the merged picture's fourth channel is its transparency (Photoshop File Formats, Layer info).
        info: Any = record.layer_and_mask_information.layer_info
        info.layer_count = -abs(info.layer_count)
    save_file(path, record.write)


def _add_layers(parent: Any, layers: Sequence[Layer], x: int, y: int, depth: int) -> None:
    check_depth(depth)
    for layer in layers:
        left, top = x + layer.x, y + layer.y
        if isinstance(layer, GroupLayer):
            made = parent.create_group(blend_mode=MODES[layer.blend])
            # The library gives both ends of a group one list, and a mask belongs to one of them.
            made._bounding_channels = type(made._channels)(list(made._channels))
            _add_layers(made, layer.children, left, top, depth + 1)
        else:
            made = _pixel_layer(parent, layer, left, top)
        made.name = layer.name.replace("\0", " ")[:LONGEST_NAME].encode("utf-16", "replace").decode("utf-16")
        made.opacity = round(layer.opacity * 255)
        made.visible = layer.visible
        if layer.locked:
            made.lock()
        if layer.mask is not None:
            _add_mask(made, layer.mask, left, top, layer.mask_enabled)


def _pixel_layer(parent: Any, layer: RasterLayer, left: int, top: int) -> Any:
    rect = held_rect(layer.pixels)
    empty = np.zeros((1, 1, 4), layer.pixels.dtype)
    pixels: Pixels = read_held(layer.pixels, rect, f"the layer “{layer.name}”") if rect else empty
    return parent.create_pixel_layer_from_array(
        pixels,
        top=top + rect.y,
        left=left + rect.x,
        compression=Compression.RLE,
        blend_mode=MODES[layer.blend],
    )


def _add_mask(made: Any, mask: Plane, left: int, top: int, enabled: bool) -> None:
    rect = held_rect(mask)
    values = read_held(mask, rect, "a mask")[..., 0] if rect else np.full((1, 1), mask.default, np.uint8)
    held = made.create_mask(Image.fromarray(values), top=top + rect.y, left=left + rect.x)
    held.data.background_color = mask.default
    held.disabled = not enabled


def _add_resources(file: PSDImage, state: State) -> None:
    resolution = min(max(round(state.resolution * _FIXED), 1), 2**32 - 1)
    held = {Resource.RESOLUTION_INFO: struct.pack(">I2HI2H", *(resolution, _PER_INCH, _INCHES) * 2)}
    if state.profile is not None:
        held[Resource.ICC_PROFILE] = state.profile
    for key, data in held.items():
        file.image_resources[key] = ImageResource(key=key, data=data)  # pyright: ignore[reportCallIssue]
