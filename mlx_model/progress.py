"""A request on its way: whether it was cancelled, how far it is, how long it will take, how long it took."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, MutableMapping
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from mlx_model.request import Cancelled, Progress

Tick: TypeAlias = Callable[[], None]
"""Called between pieces of work of a fraction of a second; it may raise to stop the work."""

Stage: TypeAlias = Literal["load", "text", "encode", "modulation", "denoise", "decode", "finish"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
_MOST_LOADED: Final = 0.5


def no_tick() -> None:
    """Let the work go on: the :data:`Tick` of what nobody cancels."""


class Journey:
    """Follows one request through its stages.

    ``paces`` are seconds per unit of work by stage, known from earlier requests and brought up to date by
    :meth:`arrive`; ``work`` says how much of each stage lies ahead, in any unit that grows with its duration.
    """

    def __init__(
        self,
        on_progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        paces: MutableMapping[Stage, float],
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._on_progress, self._cancelled, self._paces, self._clock = on_progress, cancelled, paces, clock
        self._spent: defaultdict[Stage, float] = defaultdict(float)
        self._work: dict[Stage, float] = {}
        self._stage: Stage = "load"
        self._since = clock()
        self._step, self._steps, self._first = 0, 0, 0
        self._notes: tuple[str, ...] = ()

    def plan(self, work: Mapping[Stage, float], steps: int, done: int = 0) -> None:
        """Say what lies ahead, as soon as that is known; ``done`` steps were made by an earlier run."""
        share = (steps - done) / steps
        self._work = {stage: amount * share if stage == "denoise" else amount for stage, amount in work.items()}
        self._steps, self._step, self._first = steps, done, done

    def note(self, *notes: str) -> None:
        """Say what is done without or done again; it goes with all progress from here on."""
        self._notes += tuple(note for note in notes if note not in self._notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noted so far."""
        return self._notes

    def tick(self) -> None:
        """Give way to cancelling; called several times a second wherever there is work.

        Raises:
            Cancelled: the request was cancelled.
        """
        if self._cancelled is not None and self._cancelled():
            raise Cancelled

    def enter(self, stage: Stage) -> None:
        """Begin a stage, or come back to it: its time goes on."""
        self._leave()
        self._stage = stage
        self._report(None)
        self.tick()

    def step(self, done: int, preview: npt.NDArray[np.uint8] | None = None) -> None:
        """Tell that so many denoising steps are done."""
        self._step = done
        self._report(preview)
        self.tick()

    def arrive(self) -> dict[str, float]:
        """End the last stage; return the seconds of each and remember how fast they went."""
        self._leave()
        for stage, seconds in self._spent.items():
            # Loading includes what is decided before, which a small part of the weights would not outweigh.
            if self._work.get(stage, 0) > (_MOST_LOADED if stage == "load" else 0):
                self._paces[stage] = seconds / self._work[stage]
        return {stage: self._spent[stage] for stage in STAGES if stage in self._spent}

    def _leave(self) -> None:
        now = self._clock()
        self._spent[self._stage] += now - self._since
        self._since = now

    def _report(self, preview: npt.NDArray[np.uint8] | None) -> None:
        if self._on_progress is not None:
            left = self._seconds_left()
            self._on_progress(Progress(self._stage, self._step, self._steps, left, preview, self._notes))

    def _seconds_left(self) -> float | None:
        """Estimate from this run's steps where there are any, otherwise from earlier requests."""
        spent = self._spent.copy()
        spent[self._stage] += self._clock() - self._since
        ahead = STAGES[STAGES.index(self._stage) :]
        left = 0.0
        if "denoise" in ahead:
            if self._step > self._first:
                left = spent["denoise"] / (self._step - self._first) * (self._steps - self._step)
            elif "denoise" in self._paces and "denoise" in self._work:
                left = self._paces["denoise"] * self._work["denoise"]
            else:
                return None
        for stage in ahead:
            if stage != "denoise" and stage in self._paces:
                left += max(0.0, self._paces[stage] * self._work.get(stage, 0.0) - spent[stage])
        return left
