"""The one door for programs: an :class:`Editor` carries requests through a model, from words and pictures to results.

The stages stand in :mod:`mlx_model.stages`; here they are strung together, with what is kept between requests (loaded
parts, encoded texts, the canvas, the schedule's modulation) and what the person is told on the way.
"""

import hashlib
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

import mlx_model
from mlx_model import memory, stages
from mlx_model.checkpoint import Checkpoint, require_same_run
from mlx_model.conditioning.canvas import Canvas
from mlx_model.library.folders import file_digest, model_digest
from mlx_model.networks.modulation import ModulationKey, StepModulation, schedule_modulation
from mlx_model.networks.transformer import Transformer
from mlx_model.outline import Outline, fitted, outline, shown, warnings_of
from mlx_model.parts import Parts
from mlx_model.progress import Journey, Stage, Tick
from mlx_model.request import (
    Adapter,
    EditRequest,
    EditResult,
    Estimate,
    OutOfMemory,
    Picture,
    Precision,
    Progress,
    RequestError,
    UnusableNumbers,
)
from mlx_model.runtime import COMPUTE_TYPE, DTYPES, ON_GPU, mx
from mlx_model.sampling.denoise import denoise, noise
from mlx_model.sampling.preview import preview, without_fill
from mlx_model.tasks import Recipe
from mlx_model.text_store import TextStore
from mlx_model.weights.config import ModelConfig
from mlx_model.weights.lora import LoadedAdapter
from mlx_model.work import stage_work

CHECKPOINT_STEPS: Final = 4
"""After every how many steps a checkpoint is offered; after the last one in any case."""
_TEXTS: Final = 32  # how many are kept, of each
_CANVASES: Final = 1
_MODULATIONS: Final = 2
_CACHE_SHARE: Final = 16  # MLX keeps at most this part of the memory for arrays to come
_COMPUTED_AGAIN: Final = "the numbers were unusable, so they were computed again in float32, which takes longer"

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a caller of :meth:`Editor.edit` handed over."""

    request: EditRequest
    pictures: Mapping[str, Picture]
    on_progress: Callable[[Progress], None] | None
    cancelled: Callable[[], bool] | None
    previews: bool
    on_checkpoint: Callable[[Checkpoint], None] | None


@dataclass(frozen=True, eq=False)
class _Job:
    """A request that is being worked on: what was settled about it, how it fits into memory, where it begins."""

    asked: _Asked
    outline: Outline
    fit: memory.Fit
    resume: Checkpoint | None
    journey: Journey


class Editor:
    """Edits pictures with the model in ``folder``, in the thread that made it; parts are loaded when first needed.

    ``memory_limit`` is in bytes (None: what the machine can give); ``max_tokens`` overrides the model's budget for a
    canvas where a request leaves it open (None: as its config says). ``text_store`` is a folder that keeps encoded
    instructions for the next time (None: only memory does). ``precision`` is what the networks compute in (None: what
    suits the machine). ``model`` is the config.

    Raises:
        RequestError: the folder holds no usable model.
    """

    def __init__(
        self,
        folder: Path,
        memory_limit: int | None = None,
        max_tokens: int | None = None,
        text_store: Path | None = None,
        precision: Precision | None = None,
    ):
        config = ModelConfig.load(folder)
        if max_tokens is not None:
            config = replace(config, size=replace(config.size, max_tokens=max_tokens))
        self.model: Final = config
        self._folder, self._text_store = folder, text_store
        self._limit = memory_limit or memory.machine_limit()
        self._thread = threading.get_ident()
        self._dtype = COMPUTE_TYPE if precision is None else DTYPES[precision]
        self._paces: dict[Stage, float] = {}
        self._model_digest: str | None = None
        mx.set_cache_limit(self._limit // _CACHE_SHARE)
        self._start_afresh(self._dtype)

    @property
    def paces(self) -> dict[Stage, float]:
        """Seconds per unit of work (see :func:`mlx_model.work.stage_work`) of the stages of the last requests.

        They belong to this model, precision and machine; a program may store them and set them next time, so that
        progress tells the time left from the start.
        """
        return dict(self._paces)

    @paces.setter
    def paces(self, paces: Mapping[Stage, float]) -> None:
        self._paces = dict(paces)

    def estimate(
        self,
        request: EditRequest,
        pictures: Mapping[str, Picture],
        previews: bool = False,
        cancelled: Callable[[], bool] | None = None,
    ) -> Estimate:
        """Say what a request needs of the memory, whether it fits, and what would be let go on the way.

        Nothing is loaded. The arguments are those of :meth:`edit`.

        Raises:
            RequestError: the request cannot be carried out for another reason than memory.
            Cancelled: ``cancelled`` returned true.
        """
        tick = Journey(None, cancelled, {}).tick
        return self._outline(request, pictures, previews, tick).estimate(self._limit)

    def fitted(
        self,
        request: EditRequest,
        pictures: Mapping[str, Picture],
        previews: bool = False,
        cancelled: Callable[[], bool] | None = None,
    ) -> Estimate:
        """Make a request fit: like :meth:`estimate`, with a lower token budget where nothing else is enough.

        Its ``request`` is what to hand to :meth:`edit`, its ``notes`` say what was given up. The budget is lowered to
        a quarter at most: what the model sees of less is of no use.

        Raises:
            RequestError: it does not fit so either; the message says what would. Or as :meth:`estimate`.
            Cancelled: ``cancelled`` returned true.
        """
        tick = Journey(None, cancelled, {}).tick
        return fitted(request, lambda asked: self._outline(asked, pictures, previews, tick), self._limit)

    def edit(
        self,
        request: EditRequest,
        pictures: Mapping[str, Picture],
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        previews: bool = False,
        resume: Checkpoint | None = None,
        on_checkpoint: Callable[[Checkpoint], None] | None = None,
    ) -> EditResult:
        """Carry a request through the model.

        ``pictures`` holds every picture that the request names, by digest. ``cancelled`` is asked many times a
        second. With ``previews`` the progress of each step carries a small picture. For variations call this with
        several seeds: text, canvas and modulation are used again. ``on_checkpoint`` is given where the run stands
        after every 4th step and the last; one of these as ``resume`` goes on from there, to the same pixels.

        Numbers that are no picture are computed again once, in float32 where they were of a smaller type.

        Raises:
            UnusableNumbers: the numbers were no picture in float32 either.
            OutOfMemory: an allocation failed; everything was let go.
            RequestError: the request cannot be carried out; the message is for the person who asked.
            Cancelled: ``cancelled`` returned true.
        """
        if threading.get_ident() != self._thread:
            raise RuntimeError("an Editor works only in the thread that made it")
        asked = _Asked(request, pictures, on_progress, cancelled, previews, on_checkpoint)
        exact = self._dtype == mx.float32
        if not exact and resume is not None and resume.precision == "float32":
            return self._compute_again(asked, resume)
        try:
            return self._attempt(asked, resume)
        except ArithmeticError as error:
            said = _forgotten(error)
        self.release()  # what was kept may be what spoilt the numbers
        if exact:
            raise UnusableNumbers(
                f"the model gave unusable numbers ({said}): try again, and install it anew if that does not help"
            )
        return self._compute_again(asked, None, said)

    def release(self) -> None:
        """Let go everything that is loaded or kept in memory; the next request loads what it needs."""
        self._start_afresh(self._dtype)

    def _start_afresh(self, dtype: mx.Dtype) -> None:
        """Begin with nothing loaded or kept, to compute in ``dtype``."""
        folder = self._text_store
        self._parts = Parts(self._folder, self.model, dtype)
        self._store = None if folder is None else TextStore(folder, self._folder, self.model, dtype=dtype)
        self._texts: dict[str, stages.Text] = {}
        self._canvases: dict[EditRequest, Canvas] = {}
        self._conditions: dict[EditRequest, mx.array] = {}
        self._modulations: dict[ModulationKey, list[StepModulation]] = {}
        mx.clear_cache()

    def _compute_again(self, asked: _Asked, resume: Checkpoint | None, said: str = "") -> EditResult:
        """Carry a request out in float32, then be as before."""
        self._start_afresh(mx.float32)
        try:
            return self._attempt(asked, resume, _COMPUTED_AGAIN)
        except ArithmeticError as error:
            said = _forgotten(error)
            raise UnusableNumbers(
                f"the model gave unusable numbers ({said}), in float32 as well: install it anew"
            ) from None
        except RequestError as error:
            if resume is not None:
                raise
            raise UnusableNumbers(
                f"the model gave unusable numbers ({said}), and there is no memory to compute them in float32: "
                "try a smaller region or size"
            ) from error
        finally:
            self._start_afresh(self._dtype)

    def _attempt(self, asked: _Asked, resume: Checkpoint | None, *notes: str) -> EditResult:
        """Carry a request out in what the parts compute in.

        Raises:
            ArithmeticError: the numbers are no picture.
        """
        usual = self._parts.dtype == self._dtype
        journey = Journey(asked.on_progress, asked.cancelled, self._paces if usual else {})
        journey.note(*notes)
        journey.enter("load")
        settled: Outline | None = None
        try:
            settled = self._outline(asked.request, asked.pictures, asked.previews, journey.tick)
            return self._carry_out(self._job(asked, settled, resume, journey))
        except Exception as error:
            if not memory.is_shortage(error):
                raise
            had, said = mx.get_active_memory(), _forgotten(error)
        self._start_afresh(self._parts.dtype)
        had = min(self._limit, had if ON_GPU else memory.room(self._limit))
        failure = OutOfMemory(
            "the memory ran out: end other programs, or try a smaller picture"
            if settled is None
            else memory.ran_out(self.model, settled.weights, settled.work, had)
        )
        failure.add_note(said)
        raise failure

    def _outline(self, request: EditRequest, pictures: Mapping[str, Picture], previews: bool, tick: Tick) -> Outline:
        def weights_of(adapters: tuple[Adapter, ...]) -> memory.Weights:
            paths = [self._parts.adapter_path(adapter) for adapter in adapters]
            return memory.weights_of(self._folder, paths, previews, self._parts.dtype)

        return outline(request, pictures, self.model, weights_of, tick)

    def _job(self, asked: _Asked, settled: Outline, resume: Checkpoint | None, journey: Journey) -> _Job:
        """Make sure that it can be carried out, and say what lies ahead."""
        fit = settled.check(self._limit)
        if resume is not None:
            weights, shape = self._digest(settled.recipe), settled.latent_shape
            require_same_run(resume, settled.settled, weights, shape, self._parts.precision)
        journey.note(*fit.released.values())
        memory.require_room(fit, self._limit)
        kept: dict[Stage, bool] = {
            "text": settled.recipe.instruction in self._texts,
            "encode": shown(settled.settled) in self._conditions,
            "modulation": settled.modulation_key in self._modulations,
        }
        ahead = stage_work(settled.work, self.model, [stage for stage, known in kept.items() if known])
        ahead["load"] = self._parts.share_to_load(settled.weights, text=not kept["text"])
        journey.plan(ahead, settled.steps, 0 if resume is None else resume.step)
        return _Job(asked, settled, fit, resume, journey)

    def _carry_out(self, job: _Job) -> EditResult:
        request, plan, journey = job.asked.request, job.outline.plan, job.journey
        seen = shown(job.outline.settled)
        canvas = _kept(
            self._canvases,
            seen,
            _CANVASES,
            lambda: stages.draw(plan, request, job.outline.recipe, job.asked.pictures, journey.tick),
        )
        text = self._text(job)
        condition = _kept(self._conditions, seen, _CANVASES, lambda: self._condition(job, canvas))
        latent, warnings = self._sample(job, text, canvas, condition)
        journey.enter("decode")
        autoencoder, rows = self._parts.autoencoder(journey.tick), job.fit.strip_rows
        made = stages.decode(autoencoder, latent, self.model.latent, journey.tick, rows)
        journey.enter("finish")
        picture, patch = stages.deliver(plan, request, made, journey.tick)
        journey.tick()
        return EditResult(
            picture=picture,
            patch=patch,
            request=job.outline.settled,
            model=self.model.name,
            seen_box=plan.region.box,
            seen_size=plan.region.content,
            canvas_size=plan.region.canvas_size,
            timings=journey.arrive(),
            versions={"ace": mlx_model.__version__, "mlx": version("mlx")},
            warnings=(*text.warnings, *warnings, *warnings_of(plan)),
            notes=journey.notes,
        )

    def _text(self, job: _Job) -> stages.Text:
        recipe, journey, release = job.outline.recipe, job.journey, job.fit.release

        def encode() -> stages.Text:
            if release >= memory.Release.ALL:
                self._parts.release_all_but_text()
            journey.enter("load")
            encoders = self._parts.text(journey.tick)
            journey.enter("text")
            return stages.encode_text(encoders, self._parts.tokenizers, recipe.instruction, journey.tick)

        idle = self._parts.idle_adapter_bytes(recipe.adapters)
        if release or job.fit.peak + idle > self._limit:
            # What was kept while smaller requests left room for it.
            self._parts.release_idle(recipe.adapters, modulation=release >= memory.Release.MODULATION)
        make = encode if self._store is None else partial(self._store.find_or_make, recipe.instruction, encode)
        text = _kept(self._texts, recipe.instruction, _TEXTS, make)
        if release:
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
        journey, settled = job.journey, job.outline
        journey.enter("load")
        transformer, adapters = self._parts.transformer(settled.recipe.adapters, journey.tick)
        levels = settled.levels
        modulation = self._modulation(job, transformer, adapters, text, levels)
        look = self._look(job)
        journey.enter("denoise")
        shape = settled.latent_shape
        embedded = transformer.embed_text(text.context)
        velocity = stages.velocity_of(transformer, embedded, condition, modulation, shape[1:3], journey.tick)

        def on_step(done: int, latent: mx.array, clean: mx.array) -> None:
            self._offer(job, done, latent)
            shown = None
            if job.asked.previews:
                made = preview(stages.target_of(clean, canvas), self.model.preview, look)
                shown = without_fill(made, settled.plan.region)
            journey.step(done, shown)

        resume = job.resume
        start = noise(settled.settled.seed, shape) if resume is None else mx.array(resume.latent)
        latent = denoise(velocity, start, levels, on_step, 0 if resume is None else resume.step)
        warnings = tuple(warning for adapter in adapters for warning in adapter.warnings)
        return stages.target_of(latent, canvas), warnings

    def _look(self, job: _Job) -> Callable[[mx.array], mx.array] | None:
        """Return the decoder for previews where there is one and room for it."""
        if not job.asked.previews or job.fit.rough_previews:
            return None
        decoder = self._parts.preview_decoder(job.journey.tick)
        return None if decoder is None else partial(decoder.decode, on_chunk=job.journey.tick)

    def _offer(self, job: _Job, done: int, latent: mx.array) -> None:
        """Hand out where a run stands, where that is asked for and due."""
        settled = job.outline
        if job.asked.on_checkpoint is None or (done % CHECKPOINT_STEPS and done != settled.steps):
            return
        kept = np.array(latent, np.float32)
        job.asked.on_checkpoint(
            Checkpoint(
                kept, done, settled.settled, self.model.name, self._digest(settled.recipe), self._parts.precision
            )
        )

    def _modulation(
        self,
        job: _Job,
        transformer: Transformer,
        adapters: list[LoadedAdapter],
        text: stages.Text,
        levels: list[float],
    ) -> list[StepModulation]:
        release = job.fit.release

        def compute() -> list[StepModulation]:
            job.journey.enter("modulation")
            vectors = transformer.vector(
                mx.array(levels[:-1]), mx.full((len(levels) - 1,), job.outline.guidance), text.pooled
            )
            return schedule_modulation(
                self.model.transformer,
                self._parts.modulation(keep=release < memory.Release.MODULATION),
                vectors,
                adapters,
                self._parts.dtype,
                on_layer=job.journey.tick,
            )

        key = job.outline.modulation_key
        if key not in self._modulations and release:
            self._modulations.clear()  # the estimate has room for one schedule
        return _kept(self._modulations, key, _MODULATIONS, compute)

    def _digest(self, recipe: Recipe) -> str:
        """Name the weights that a run's numbers come from: the model's files and the adapters'."""
        if self._model_digest is None:
            self._model_digest = model_digest(self._folder)
        adapters = [file_digest(self._parts.adapter_path(adapter)) for adapter in recipe.adapters]
        return hashlib.sha256("\n".join([self._model_digest, *adapters]).encode()).hexdigest()


def _kept(cache: dict[Key, Value], key: Key, most: int, make: Callable[[], Value]) -> Value:
    """Return what was made for ``key``, or make it; the ``most`` used last are kept."""
    value = cache.pop(key) if key in cache else make()
    cache[key] = value
    while len(cache) > most:
        del cache[next(iter(cache))]
    return value


def _forgotten(error: BaseException) -> str:
    """Return what an error says, and let go the arrays that its frames hold."""
    traceback.clear_frames(error.__traceback__)
    return str(error)
