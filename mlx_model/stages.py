"""The stages of a request, each a function that can be called alone; :mod:`mlx_model.editor` strings them together.

plan -> draw -> encode_text -> encode_canvas -> sample -> decode -> deliver: data flows one way, and what a stage
needs beside the data (networks, a config) it is given.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from mlx_model.conditioning.canvas import (
    Canvas,
    Mask,
    Rgb,
    binary_mask,
    build_canvas,
    edit_pixels,
    modify_pixels,
    reference_pixels,
    see,
    see_mask,
)
from mlx_model.conditioning.packing import condition_tokens, pack, unpack
from mlx_model.conditioning.paste_back import new_picture, paste_back
from mlx_model.conditioning.preprocess import apply_control
from mlx_model.conditioning.prompt import PromptTokenizers, tokenize
from mlx_model.conditioning.region import LONGEST_ASPECT, Region, bounding_box
from mlx_model.networks.autoencoder import STRIP_ROWS, Autoencoder
from mlx_model.networks.modulation import StepModulation
from mlx_model.networks.transformer import Transformer
from mlx_model.parts import AnyAutoencoder, TextEncoders
from mlx_model.progress import Tick, no_tick
from mlx_model.request import Box, EditRequest, Picture, Reference, RequestError
from mlx_model.runtime import mx
from mlx_model.sampling.denoise import Velocity
from mlx_model.tasks import TASKS, Recipe
from mlx_model.weights.config import LatentConfig, ModelConfig
from mlx_model.work import PATCH, region_of

MAX_UNKNOWN: Final = 1 / 3
LARGEST_SIDE: Final = 8192
SUBJECT_SHARE: Final = 0.8
"""Of the box around a reference's cut-out, where references are seen in place: the subject has a margin there."""
MOST_SLENDER: Final = 3
"""Of that box, to one."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What the model will see. ``mask`` (H, W of the picture) is None where everything may change.

    ``mask_empty`` says that it is None although one was given. ``crops`` are the parts of the references that are
    used, None where that is all of one.
    """

    region: Region
    picture: Picture | None
    mask: Mask | None
    size: tuple[int, int]
    mask_empty: bool = False
    crops: tuple[Box | None, ...] = ()

    @property
    def tokens(self) -> int:
        """Image tokens of the whole canvas."""
        width, height = self.region.canvas_size
        return (width // PATCH) * (height // PATCH)


def plan(
    request: EditRequest, recipe: Recipe, pictures: Mapping[str, Picture], config: ModelConfig, tick: Tick = no_tick
) -> Plan:
    """Find the mask and decide which part of the picture the model sees, at what size, beside which references.

    Raises:
        RequestError: a picture was not given, a mask is empty or of another size, a size is out of range, or
            something has no room.
    """
    references = [_given(pictures, reference.picture, "reference") for reference in request.references]
    picture, mask = None, None
    size = request.size or (config.size.native, config.size.native)
    _check_sides(size, "the model works at sizes" if request.picture else "a new picture has sides")
    if request.picture is not None:
        picture = _given(pictures, request.picture, "picture")
        size = picture.size
        mask = _mask(request, recipe, pictures, size, tick)
    else:
        _check_aspect(size)

    masked = None if mask is None else bounding_box(mask)
    shape = masked[2:] if masked is not None and config.size.references_in_place else None
    crops = tuple(shape and _around_cutout(reference, pictures, shape, tick) for reference in request.references)
    sizes = [reference.size if crop is None else crop[2:] for reference, crop in zip(references, crops, strict=True)]

    def around(extent: Box | None) -> Region:
        return region_of(request, config, None if picture is None else picture.size, extent, sizes)

    region = around(masked)
    tick()
    if mask is not None and region.cut and not _inside(mask, region.box).any():
        # Spots at both ends of a long picture: the middle between them holds none, so work on the largest.
        region = replace(around(bounding_box(_largest_spot(mask))), cut=True)
    return Plan(region, picture, mask, size, mask is None and request.mask is not None, crops)


def _around_cutout(
    reference: Reference, pictures: Mapping[str, Picture], shape: tuple[int, int], tick: Tick
) -> Box | None:
    """Return the box of a shape (width, height) around what a reference's mask cuts out, within the picture.

    What is put in place of a mask's box, whose shape it is, is the subject, not the picture that it was cut out of.
    """
    if reference.mask is None:
        return None
    cutout = binary_mask(_given(pictures, reference.mask, "reference's mask"), tick)
    box, size = bounding_box(cutout), pictures[reference.picture].size
    if box is None or (cutout.shape[1], cutout.shape[0]) != size:
        return None
    width, height = box[2:]
    wide = min(max(shape[0] / shape[1], 1 / MOST_SLENDER), MOST_SLENDER)
    high = max(width / wide, height) / SUBJECT_SHARE
    sides = math.ceil(wide * high), math.ceil(high)
    first = [max((2 * box[axis] + box[axis + 2] - sides[axis]) // 2, 0) for axis in (0, 1)]
    last = [min(start + side, whole) for start, side, whole in zip(first, sides, size, strict=True)]
    return first[0], first[1], last[0] - first[0], last[1] - first[1]


def _cropped(picture: Picture, crop: Box) -> Picture:
    left, top, width, height = crop
    return Picture(picture.pixels[top : top + height, left : left + width], picture.profile)


def _check_sides(size: tuple[int, int], what: str) -> None:
    if not PATCH <= min(size) <= max(size) <= LARGEST_SIDE:
        raise RequestError(f"{what} of {PATCH} to {LARGEST_SIDE} pixels, not {size[0]} x {size[1]}")


def _check_aspect(size: tuple[int, int]) -> None:
    """Refuse a new picture of which the model could make only the middle."""
    least = -(-max(size) // LONGEST_ASPECT)
    if min(size) >= least:
        return
    wider = (max(size[0], least), max(size[1], least))
    shorter = (min(size[0], LONGEST_ASPECT * size[1]), min(size[1], LONGEST_ASPECT * size[0]))
    raise RequestError(
        f"a new picture is at most {LONGEST_ASPECT} : 1, not {size[0]} x {size[1]}: "
        f"{wider[0]} x {wider[1]} or {shorter[0]} x {shorter[1]} would work"
    )


def _inside(mask: Mask, box: Box) -> Mask:
    left, top, width, height = box
    return mask[top : top + height, left : left + width]


def _largest_spot(mask: Mask) -> Mask:
    """Return the largest connected part of what a mask selects."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return np.asarray(labels == 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax()))


def _mask(
    request: EditRequest, recipe: Recipe, pictures: Mapping[str, Picture], size: tuple[int, int], tick: Tick
) -> Mask | None:
    if request.mask is None:
        return None
    picture = _given(pictures, request.mask, "mask")
    _same_size(picture, size, "mask")
    mask = binary_mask(picture, tick)
    if mask.any():
        return mask
    if TASKS[recipe.task].needs_mask or recipe.task == "control":
        raise RequestError("the mask is empty: paint white what may change")
    return None


def draw(
    plan: Plan, request: EditRequest, recipe: Recipe, pictures: Mapping[str, Picture], tick: Tick = no_tick
) -> Canvas:
    """Put the canvas together: references, the region of the picture, its control, the mask.

    Raises:
        RequestError: a control or a mask cannot be used.
    """
    edit, mask = None, None
    if plan.picture is not None:
        edit = see(plan.picture, plan.region, tick)
        mask = np.ones(edit.shape[:2], np.bool_) if plan.mask is None else see_mask(plan.mask, plan.region)
        if recipe.control is not None:
            tick()
            edit = apply_control(recipe.control, edit, mask, _control(plan, request, pictures, tick))
    references: list[tuple[Rgb, Mask | None]] = []
    for reference, crop in zip(request.references, plan.crops, strict=True):
        given = _given(pictures, reference.picture, "reference")
        cutout = None if reference.mask is None else _given(pictures, reference.mask, "reference's mask")
        if crop is not None and cutout is not None:
            given, cutout = _cropped(given, crop), _cropped(cutout, crop)
        references.append(reference_pixels(given, cutout, tick))
    tick()
    return build_canvas(plan.region, edit, mask, references, recipe.repainting_scale)


def _control(
    plan: Plan, request: EditRequest, pictures: Mapping[str, Picture], tick: Tick
) -> npt.NDArray[np.uint8] | None:
    if request.control_picture is None:
        return None
    control = _given(pictures, request.control_picture, "control picture")
    _same_size(control, plan.size, "control picture")
    return see(control, plan.region, tick)


def _given(pictures: Mapping[str, Picture], name: str, what: str) -> Picture:
    if name not in pictures:
        raise RequestError(f"the {what} {name[:12]} was named but not given")
    return pictures[name]


def _same_size(picture: Picture, size: tuple[int, int], what: str) -> None:
    if picture.size != size:
        raise RequestError(
            f"the {what} is {picture.size[0]} x {picture.size[1]} pixels, the picture {size[0]} x {size[1]}: "
            "give one of the same size"
        )


@dataclass(frozen=True, eq=False)
class Text:
    """An instruction as the transformer reads it: T5's states (1, L, d_model), CLIP's pooled output (1, hidden)."""

    context: mx.array
    pooled: mx.array
    warnings: tuple[str, ...]


def encode_text(encoders: TextEncoders, tokenizers: PromptTokenizers, instruction: str, tick: Tick) -> Text:
    """Encode an instruction, with a warning where the encoders cannot make much of it.

    Raises:
        ArithmeticError: the numbers are not finite.
    """
    ids = tokenize(tokenizers, instruction)
    context = encoders.t5(mx.array(ids.t5)[None], tick)
    pooled = encoders.clip(mx.array(ids.clip)[None], tick)
    usable = mx.all(mx.isfinite(context)) & mx.all(mx.isfinite(pooled))
    mx.eval(context, pooled, usable)
    if not usable.item():
        raise ArithmeticError("the encoded instruction is not finite")
    warnings: list[str] = []
    if ids.unknown_share > MAX_UNKNOWN:
        warnings.append(
            f"the model's text encoder does not know {ids.unknown_share:.0%} of the instruction (its language or "
            "letters), so the result will hardly follow it; try English"
        )
    if ids.truncated:
        warnings.append("the instruction is longer than the model reads, so its end is left out; shorten it")
    return Text(context, pooled, tuple(warnings))


def encode_canvas(autoencoder: AnyAutoencoder, canvas: Canvas, config: ModelConfig, tick: Tick) -> mx.array:
    """Return what stands beside the noise in every token, (1, N, in_channels - 64): latents and mask."""
    modify = config.kind == "fft"
    edit = encode(autoencoder, edit_pixels(canvas, modify=modify), config.latent, tick)
    changing = encode(autoencoder, modify_pixels(canvas), config.latent, tick) if modify else None
    tokens = condition_tokens(edit, mx.array(canvas.mask.astype(np.float32))[None], changing)
    mx.eval(tokens)
    return tokens


def encode(
    autoencoder: AnyAutoencoder, pixels: npt.NDArray[np.float32], latent: LatentConfig, tick: Tick
) -> mx.array:
    """Pixels (H, W, 3) in [-1, 1] to the transformer's latent (1, H/8, W/8, 16)."""
    batch = mx.array(pixels)[None]
    tiled = isinstance(autoencoder, Autoencoder)
    raw = autoencoder.encode_tiled(batch, on_strip=tick) if tiled else autoencoder.encode(batch, tick)
    return latent.scale * (raw - latent.shift)


def velocity_of(
    transformer: Transformer,
    text: mx.array,
    condition: mx.array,
    modulation: Sequence[StepModulation],
    grid: tuple[int, int],
    tick: Tick,
) -> Velocity:
    """Return the velocity of a latent (1, h, w, 16) at each step, under these conditions.

    ``text`` is embedded (:meth:`Transformer.embed_text`); ``grid`` is (h, w).
    """
    rows, columns = grid
    rope = transformer.rope(text.shape[1], rows // 2, columns // 2)
    mx.eval(text, rope.cos, rope.sin)

    def velocity(latent: mx.array, step: int) -> mx.array:
        tokens = mx.concatenate([pack(latent), condition], axis=-1)
        return unpack(transformer(tokens, text, modulation[step], rope, tick), rows, columns)

    return velocity


def decode(
    autoencoder: AnyAutoencoder, latent: mx.array, config: LatentConfig, tick: Tick, strip_rows: int = STRIP_ROWS
) -> npt.NDArray[np.float32]:
    """Turn the transformer's latent (1, h, w, 16) into sRGB (8 h, 8 w, 3) from 0 to 1, by strips of so many rows.

    Raises:
        ArithmeticError: the numbers are not finite, or one number everywhere.
    """
    raw = latent / config.scale + config.shift
    tiled = isinstance(autoencoder, Autoencoder)
    decoded = autoencoder.decode_tiled(raw, strip_rows, tick) if tiled else autoencoder.decode(raw, tick)
    pixels = np.array(decoded[0], np.float32)
    if not (np.isfinite(pixels).all() and pixels.min() < pixels.max()):
        raise ArithmeticError("the decoded picture is not finite, or the same everywhere")
    return np.clip((pixels + 1) / 2, 0, 1, dtype=np.float32)


def target_of(latent: mx.array, canvas: Canvas) -> mx.array:
    """Crop the references away from a latent (1, h, w, channels) of the whole canvas."""
    return latent[:, :, canvas.reference_width // 8 :]


def deliver(
    plan: Plan, request: EditRequest, made: npt.NDArray[np.float32], tick: Tick = no_tick
) -> tuple[Picture, Picture]:
    """Return the edited picture and the changed part alone, from what the model made of the region."""
    if plan.picture is None:
        picture = new_picture(plan.region, made, tick)
        return picture, picture
    return paste_back(
        plan.picture,
        plan.region,
        made,
        plan.mask,
        grow=request.grow,
        fade=request.fade,
        colour_match=request.colour_match,
        keep_alpha=plan.mask is None,
        tick=tick,
    )
