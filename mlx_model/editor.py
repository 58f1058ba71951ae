"""The one door for programs: an :class:`Editor` carries requests through a model, from words and pictures to results.

The stages stand in :mod:`mlx_model.stages`; here they are strung together, with what is kept between requests (loaded
parts, encoded texts, the canvas, the schedule's modulation) and what the person is told on the way.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeVar

import mlx_model
from mlx_model import memory, stages
from mlx_model.conditioning.canvas import Canvas
from mlx_model.networks.modulation import ModulationKey, StepModulation, schedule_modulation
from mlx_model.networks.transformer import Transformer
from mlx_model.parts import Parts
from mlx_model.progress import Journey, Stage
from mlx_model.request import EditRequest, EditResult, Picture, Progress, RequestError
from mlx_model.runtime import mx, slow_reason
from mlx_model.sampling.denoise import denoise, noise
from mlx_model.sampling.preview import preview
from mlx_model.sampling.schedule import sigmas
from mlx_model.tasks import Recipe, recipe_for, settled
from mlx_model.text_store import TextStore
from mlx_model.weights.config import ModelConfig
from mlx_model.weights.lora import LoadedAdapter

_TEXTS: Final = 32  # how many are kept, of each
_CANVASES: Final = 1
_MODULATIONS: Final = 2
_CACHE_SHARE: Final = 16  # MLX keeps at most this part of the memory for arrays to come

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class _Job:
    """A request that is being worked on, and what was settled about it."""

    request: EditRequest
    recipe: Recipe
    steps: int
    guidance: float
    plan: stages.Plan
    need: memory.Need
    journey: Journey
    previews: bool


class Editor:
    """Edits pictures with the model in ``folder``, in the thread that made it; parts are loaded when first needed.

    ``memory_limit`` is in bytes (None: what the machine can give); ``max_tokens`` overrides the model's budget for a
    canvas where a request leaves it open (None: as its config says). ``text_store`` is a folder that keeps encoded
    instructions for the next time (None: only memory does). ``model`` is the config.

    Raises:
        RequestError: the folder holds no usable model.
    """

    def __init__(
        self,
        folder: Path,
        memory_limit: int | None = None,
        max_tokens: int | None = None,
        text_store: Path | None = None,
    ):
        config = ModelConfig.load(folder)
        if max_tokens is not None:
            config = replace(config, size=replace(config.size, max_tokens=max_tokens))
        self.model: Final = config
        self._parts = Parts(folder, config)
        self._store = None if text_store is None else TextStore(text_store, folder, config)
        self._limit = memory_limit or memory.machine_limit()
        self._thread = threading.get_ident()
        self._paces: dict[Stage, float] = {}
        self._texts: dict[str, stages.Text] = {}
        self._canvases: dict[EditRequest, Canvas] = {}
        self._conditions: dict[EditRequest, mx.array] = {}
        self._modulations: dict[ModulationKey, list[StepModulation]] = {}
        mx.set_cache_limit(self._limit // _CACHE_SHARE)

    def edit(
        self,
        request: EditRequest,
        pictures: Mapping[str, Picture],
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        previews: bool = False,
    ) -> EditResult:
        """Carry a request through the model.

        ``pictures`` holds every picture that the request names, by digest. ``cancelled`` is asked many times a
        second. With ``previews`` the progress of each step carries a small picture. For variations call this with
        several seeds: text, canvas and modulation are used again.

        Raises:
            RequestError: the request cannot be carried out; the message is for the person who asked.
            Cancelled: ``cancelled`` returned true.
        """
        if threading.get_ident() != self._thread:
            raise RuntimeError("an Editor works only in the thread that made it")
        journey = Journey(on_progress, cancelled, self._paces)
        journey.enter("load")
        job = self._settle(request, pictures, journey, previews)
        shown = _shown(job.request)
        canvas = _kept(
            self._canvases,
            shown,
            _CANVASES,
            lambda: stages.draw(job.plan, request, job.recipe, pictures, journey.tick),
        )
        text = self._text(job)
        condition = _kept(self._conditions, shown, _CANVASES, lambda: self._condition(job, canvas))
        try:
            latent, notes = self._sample(job, text, canvas, condition)
            journey.enter("decode")
            made = stages.decode(self._parts.autoencoder(journey.tick), latent, self.model.latent, journey.tick)
        except ArithmeticError as error:
            raise RequestError(
                f"the model gave unusable numbers ({error}): try again, and install it anew if that does not help"
            ) from error
        journey.enter("finish")
        picture, patch = stages.deliver(job.plan, request, made, journey.tick)
        journey.tick()
        return EditResult(
            picture=picture,
            patch=patch,
            request=job.request,
            model=self.model.name,
            seen_box=job.plan.region.box,
            seen_size=job.plan.region.content,
            canvas_size=job.plan.region.canvas_size,
            timings=journey.arrive(),
            versions={"ace": mlx_model.__version__, "mlx": version("mlx")},
            warnings=(*text.warnings, *notes, *_warnings(job.plan)),
        )

    def _settle(
        self, request: EditRequest, pictures: Mapping[str, Picture], journey: Journey, previews: bool
    ) -> _Job:
        """Decide everything that can be decided before anything slow begins."""
        model, size = self.model, self.model.size
        max_tokens = request.max_tokens or size.max_tokens
        model = replace(model, size=replace(size, max_tokens=max_tokens))
        recipe = recipe_for(request, model.kind)
        steps = request.steps or model.sampling.steps
        guidance = model.sampling.guidance if request.guidance is None else request.guidance
        plan = stages.plan(request, recipe, pictures, model, journey.tick)
        adapters = [self._parts.adapter_path(adapter) for adapter in recipe.adapters]
        weights = memory.weights_of(self._parts.folder, adapters, previews)
        canvas, target = plan.region.canvas_size, plan.region.worked
        held = memory.Pictures(
            given=sum(picture.pixels.nbytes for picture in pictures.values()),
            pixels=plan.size[0] * plan.size[1],
            pixel_bytes=4 * (1 if plan.picture is None else plan.picture.pixels.itemsize),
            patch=plan.picture is not None,
        )
        need = memory.check(model, weights, memory.Work(canvas, target, steps, held), self._limit)
        new_size = plan.size if plan.picture is None else request.size
        asked = replace(settled(request, recipe, steps, guidance, max_tokens), size=new_size)
        journey.plan(
            {
                "load": 1,
                "text": 0 if recipe.instruction in self._texts else 1,
                "encode": 0 if _shown(asked) in self._conditions else canvas[0] * canvas[1],
                "modulation": 0 if self._key(recipe, guidance, plan, steps) in self._modulations else steps,
                "denoise": plan.tokens * steps,
                "decode": target[0] * target[1],
                "finish": plan.size[0] * plan.size[1],
            },
            steps,
        )
        return _Job(asked, recipe, steps, guidance, plan, need, journey, previews)

    def _text(self, job: _Job) -> stages.Text:
        def encode() -> stages.Text:
            if job.need.text_released > self._limit:
                self._parts.release_all_but_text()
            job.journey.enter("load")
            encoders = self._parts.text(job.journey.tick)
            job.journey.enter("text")
            return stages.encode_text(encoders, self._parts.tokenizers, job.recipe.instruction, job.journey.tick)

        short = job.need.all_kept > self._limit
        if short or job.need.all_kept + self._parts.idle_adapter_bytes(job.recipe.adapters) > self._limit:
            # What was kept while smaller requests left room for it.
            self._parts.release_idle(job.recipe.adapters, modulation=short)
        words = job.recipe.instruction
        make = encode if self._store is None else partial(self._store.find_or_make, words, encode)
        text = _kept(self._texts, words, _TEXTS, make)
        if short:
            self._parts.release_text()
        return text

    def _condition(self, job: _Job, canvas: Canvas) -> mx.array:
        job.journey.enter("load")
        autoencoder = self._parts.autoencoder(job.journey.tick)
        job.journey.enter("encode")
        return stages.encode_canvas(autoencoder, canvas, self.model, job.journey.tick)

    def _sample(
        self, job: _Job, text: stages.Text, canvas: Canvas, condition: mx.array
    ) -> tuple[mx.array, tuple[str, ...]]:
        """Return the target's latent, and warnings."""
        journey = job.journey
        journey.enter("load")
        transformer, adapters = self._parts.transformer(job.recipe.adapters, journey.tick)
        levels = sigmas(job.steps, job.plan.tokens, self.model.sampling.shift)
        modulation = self._modulation(job, transformer, adapters, text, levels)
        decoder = self._parts.preview_decoder(journey.tick) if job.previews else None
        look = None if decoder is None else partial(decoder.decode, on_chunk=journey.tick)
        journey.enter("denoise")
        rows, columns = (side // 8 for side in canvas.mask.shape)
        embedded = transformer.embed_text(text.context)
        velocity = stages.velocity_of(transformer, embedded, condition, modulation, (rows, columns), journey.tick)

        def on_step(done: int, clean: mx.array) -> None:
            target = stages.target_of(clean, canvas)
            journey.step(done, preview(target, self.model.preview, look) if job.previews else None)

        start = noise(job.request.seed, (1, rows, columns, self.model.transformer.out_channels // 4))
        latent = denoise(velocity, start, levels, on_step)
        return stages.target_of(latent, canvas), tuple(
            warning for adapter in adapters for warning in adapter.warnings
        )

    def _modulation(
        self,
        job: _Job,
        transformer: Transformer,
        adapters: list[LoadedAdapter],
        text: stages.Text,
        levels: list[float],
    ) -> list[StepModulation]:
        def compute() -> list[StepModulation]:
            job.journey.enter("modulation")
            vectors = transformer.vector(
                mx.array(levels[:-1]), mx.full((len(levels) - 1,), job.guidance), text.pooled
            )
            return schedule_modulation(
                self.model.transformer,
                self._parts.modulation(keep=job.need.all_kept <= self._limit),
                vectors,
                adapters,
                on_layer=job.journey.tick,
            )

        key = self._key(job.recipe, job.guidance, job.plan, job.steps)
        if key not in self._modulations and job.need.all_kept > self._limit:
            self._modulations.clear()  # the estimate has room for one schedule
        return _kept(self._modulations, key, _MODULATIONS, compute)

    def _key(self, recipe: Recipe, guidance: float, plan: stages.Plan, steps: int) -> ModulationKey:
        levels = sigmas(steps, plan.tokens, self.model.sampling.shift)
        return ModulationKey(recipe.instruction, guidance, tuple(levels), recipe.adapters)


def _shown(request: EditRequest) -> EditRequest:
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


def _kept(cache: dict[Key, Value], key: Key, most: int, make: Callable[[], Value]) -> Value:
    """Return what was made for ``key``, or make it; the ``most`` used last are kept."""
    value = cache.pop(key) if key in cache else make()
    cache[key] = value
    while len(cache) > most:
        del cache[next(iter(cache))]
    return value


def _warnings(plan: stages.Plan) -> list[str]:
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
