"""How much there is to do for a request: what the model will see, how many steps, and the work of every stage.

Geometry and counting without MLX: a program can say how long an edit will take, from the paces that an
:class:`~mlx_model.editor.Editor` measured earlier, before anything is loaded.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mlx_model.conditioning.region import Region, plan_region
from mlx_model.progress import STAGES, Stage
from mlx_model.request import Box, EditRequest
from mlx_model.weights.config import ModelConfig

PATCH: Final = 16
"""Pixels along the side of a token."""


@dataclass(frozen=True)
class Pictures:
    """The bytes that are given, and what is delivered: pixels of so many bytes each, an edit's with a patch."""

    given: int = 0
    pixels: int = 0
    pixel_bytes: int = 4
    patch: bool = False


@dataclass(frozen=True)
class Work:
    """What is computed: (width, height) in pixels of the whole canvas, references included, and of the part that is
    decoded, the denoising steps, and the pictures.
    """  # noqa: D205

    canvas: tuple[int, int]
    target: tuple[int, int]
    steps: int
    pictures: Pictures = Pictures()


def region_of(
    request: EditRequest,
    config: ModelConfig,
    picture: tuple[int, int] | None = None,
    extent: Box | None = None,
    references: Sequence[tuple[int, int]] = (),
) -> Region:
    """Decide what the model will see of a request's pictures.

    ``picture`` is the (width, height) of the picture to edit, None for a new one; ``extent`` the bounding box of its
    mask, None where everything may change; ``references`` the sizes of the reference pictures.

    Raises:
        RequestError: something has no room, or the region or the size cannot be used.
    """
    size = picture or request.size or (config.size.native, config.size.native)
    return plan_region(
        size,
        extent,
        references,
        replace(config.size, max_tokens=request.max_tokens or config.size.max_tokens),
        keep_pixels=config.kind == "fft",
        region=request.region,
        working_size=None if picture is None else request.size,
    )


def work_of(
    request: EditRequest,
    config: ModelConfig,
    picture: tuple[int, int] | None = None,
    extent: Box | None = None,
    references: Sequence[tuple[int, int]] = (),
) -> Work:
    """Count what a request asks of a model; the arguments are those of :func:`region_of`.

    Raises:
        RequestError: as :func:`region_of`.
    """
    region = region_of(request, config, picture, extent, references)
    width, height = picture or request.size or (config.size.native, config.size.native)
    held = Pictures(pixels=width * height, patch=picture is not None)
    return Work(region.canvas_size, region.worked, request.steps or config.sampling.steps, held)


def stage_work(work: Work, config: ModelConfig, reused: Collection[Stage] = ()) -> dict[Stage, float]:
    """Return the work of every stage, in units whose duration a machine's paces tell (seconds per unit).

    ``reused`` names the stages whose outcome is kept from an earlier request: nothing is to be done for them. What a
    process that is warm does for a variation with another seed is the rest of "load", "text", "encode", "modulation".
    """
    amounts: dict[Stage, float] = {
        "load": 1,
        "text": 1,
        "encode": work.canvas[0] * work.canvas[1],
        "modulation": work.steps,
        "denoise": work.steps * step_work(config, work.canvas),
        "decode": work.target[0] * work.target[1],
        "finish": work.pictures.pixels,
    }
    return {stage: 0 if stage in reused else amounts[stage] for stage in STAGES}


def step_work(config: ModelConfig, canvas: tuple[int, int]) -> float:
    """Return the work of one denoising step: billions of multiplications, those of attention included."""
    sizes = config.transformer
    hidden, blocks = sizes.hidden_size, sizes.depth + sizes.depth_single_blocks
    tokens = (canvas[0] // PATCH) * (canvas[1] // PATCH)
    length = tokens + config.prompt.t5_length
    layers = blocks * length * (4 * hidden**2 + 2 * hidden * sizes.mlp_size)
    ends = tokens * hidden * (sizes.in_channels + sizes.out_channels)
    return (layers + blocks * 2 * hidden * length**2 + ends) / 1e9


def expected_seconds(amounts: Mapping[Stage, float], paces: Mapping[Stage, float]) -> float | None:
    """Return how long so much work takes at these paces; None where the pace of denoising is not known.

    Other stages whose pace was never measured count for nothing.
    """
    if amounts["denoise"] and "denoise" not in paces:
        return None
    return sum(amount * paces.get(stage, 0.0) for stage, amount in amounts.items())
