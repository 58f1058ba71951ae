"""Everything that can be decided about a request before anything slow begins, and the ladder down to what fits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mlx_model import memory, stages
from mlx_model.networks.modulation import ModulationKey
from mlx_model.progress import Tick
from mlx_model.request import Adapter, EditRequest, Estimate, Picture, RequestError
from mlx_model.runtime import slow_reason
from mlx_model.sampling.schedule import sigmas
from mlx_model.tasks import LEAST_TOKENS, Recipe, recipe_for, settled
from mlx_model.weights.config import ModelConfig
from mlx_model.work import Pictures, Work

_LOWEST: Final = 4  # a budget is lowered to this part of a canvas at most
_BUDGET_STEP: Final = 16  # tokens


@dataclass(frozen=True, eq=False)
class Outline:
    """A request and what was decided about it; ``settled`` is the request with nothing left open."""

    request: EditRequest
    settled: EditRequest
    recipe: Recipe
    steps: int
    guidance: float
    plan: stages.Plan
    config: ModelConfig
    weights: memory.Weights
    work: Work

    @property
    def levels(self) -> list[float]:
        """The noise levels of its run."""
        return sigmas(self.steps, self.plan.tokens, self.config.sampling.shift)

    @property
    def modulation_key(self) -> ModulationKey:
        """What the modulation of its schedule depends on."""
        return ModulationKey(self.recipe.instruction, self.guidance, tuple(self.levels), self.recipe.adapters)

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(1, rows, columns, channels) of its canvas."""
        width, height = self.work.canvas
        return 1, height // 8, width // 8, self.config.transformer.out_channels // 4

    def check(self, limit: int) -> memory.Fit:
        """Return how it fits into ``limit`` bytes, as :func:`mlx_model.memory.check`."""
        return memory.check(self.config, self.weights, self.work, limit)

    def estimate(self, limit: int) -> Estimate:
        """Say what it needs, and what is let go on the way to fit into ``limit`` bytes."""
        fit = memory.fit(self.config, self.weights, self.work, limit)
        released = fit.released
        return Estimate(fit.peak, limit, self.request, self.work.canvas, tuple(released), tuple(released.values()))


def outline(
    request: EditRequest,
    pictures: Mapping[str, Picture],
    config: ModelConfig,
    weights_of: Callable[[tuple[Adapter, ...]], memory.Weights],
    tick: Tick,
) -> Outline:
    """Decide what a request means for a model; ``weights_of`` counts its weights with some adapters.

    Raises:
        RequestError: it cannot be carried out.
    """
    recipe = recipe_for(request, config.kind)
    steps = request.steps or config.sampling.steps
    guidance = config.sampling.guidance if request.guidance is None else request.guidance
    plan = stages.plan(request, recipe, pictures, config, tick)
    held = Pictures(
        given=sum(picture.pixels.nbytes for picture in pictures.values()),
        pixels=plan.size[0] * plan.size[1],
        pixel_bytes=4 * (1 if plan.picture is None else plan.picture.pixels.itemsize),
        patch=plan.picture is not None,
    )
    work = Work(plan.region.canvas_size, plan.region.worked, steps, held)
    new_size = plan.size if plan.picture is None else request.size
    whole = settled(request, recipe, steps, guidance, request.max_tokens or config.size.max_tokens)
    weights = weights_of(recipe.adapters)
    return Outline(request, replace(whole, size=new_size), recipe, steps, guidance, plan, config, weights, work)


def fitted(request: EditRequest, outlined: Callable[[EditRequest], Outline], limit: int) -> Estimate:
    """Return the estimate of a request that fits: as it is, or with the highest lower token budget that does.

    Raises:
        RequestError: none fits.
    """
    whole = outlined(request)
    estimate = whole.estimate(limit)
    if estimate.fits:
        return estimate
    tokens = whole.plan.tokens
    low, high = max(LEAST_TOKENS, tokens // _LOWEST) // _BUDGET_STEP, tokens // _BUDGET_STEP
    found: Estimate | None = None
    while low <= high:
        middle = (low + high) // 2
        lower = _lowered(request, middle * _BUDGET_STEP, outlined, limit)
        if lower is not None and lower.fits:
            found, low = lower, middle + 1
        else:
            high = middle - 1
    if found is None:
        fit = memory.fit(whole.config, whole.weights, whole.work, limit)
        raise memory.refusal(whole.config, fit, whole.work, limit)
    return replace(found, notes=(*found.notes, _smaller(found.canvas_size, whole.work.canvas)))


def _lowered(
    request: EditRequest, tokens: int, outlined: Callable[[EditRequest], Outline], limit: int
) -> Estimate | None:
    """Estimate a request with a lower budget, None where something of it has no room then."""
    size = None if request.picture is not None else request.size  # an edit's is that of the canvas
    try:
        return outlined(replace(request, max_tokens=tokens, size=size)).estimate(limit)
    except RequestError:
        return None


def _smaller(canvas: tuple[int, int], asked: tuple[int, int]) -> str:
    return (
        f"to save memory the model works on {canvas[0]} x {canvas[1]} pixels instead of {asked[0]} x {asked[1]}, "
        "so fine detail is lost"
    )


def shown(request: EditRequest) -> EditRequest:
    """Return what a canvas depends on: the request without everything else."""
    nothing = EditRequest()
    return replace(
        request,
        instruction=nothing.instruction,
        task=nothing.task,
        adapters=nothing.adapters,
        seed=nothing.seed,
        steps=nothing.steps,
        guidance=nothing.guidance,
        grow=nothing.grow,
        fade=nothing.fade,
        colour_match=nothing.colour_match,
    )


def warnings_of(plan: stages.Plan) -> list[str]:
    """Say in sentences what the person should know about the result."""
    region, warnings = plan.region, list[str]()
    if region.scale < 1:
        width, height = region.box[2:]
        what = "a smaller region shows it more" if plan.picture is not None else "a smaller size needs no enlarging"
        warnings.append(
            f"the model works on {region.content[0]} x {region.content[1]} pixels for these {width} x {height} "
            f"({region.scale:.2f}x), so fine detail is lost: {what}"
        )
    if plan.mask_empty:
        what = "picture" if region.box == (0, 0, *plan.size) else "region"
        warnings.append(f"the mask is empty, so the whole {what} is edited: paint white what may change")
    if region.cut:
        warnings.append("the model does not see all that was to be edited; the part outside its view stays as it is")
    if (reason := slow_reason()) is not None:
        warnings.append(reason)
    return warnings
