"""The edit of one open document: what panels and commands stand on. Settings, problems, runs, results."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from mlx_model.request import Box, Progress, RequestError
from mlx_model.weights.config import ModelConfig

from .arrivals import Arrivals
from .background import Background
from .comparing import Comparing
from .document.edit import (
    EditSettings,
    has_picture,
    inferred_task,
    project_of,
    settings_of,
    with_project,
    with_settings,
)
from .document.geometry import Rect
from .document.references import BoardReference, references_of
from .document.result_layers import accept, accept_again, box_now, document_of, result_of_layer
from .document.results import Result, ResultStore
from .document.snapshot import Problem, Snapshot, Subject, frame_of, measures_of, problems, snapshot
from .document.state import State, new_id, walk
from .edit_again import again_in, exactly, more, rerun_snapshot
from .engine.jobs import Job, JobStatus, Phase
from .result_images import clip_of, image_of_preview
from .session import Session
from .slow_steps import do_when_still
from .stale_layers import StaleLayers
from .translation import marked as _
from .translation import tr

Models: TypeAlias = Callable[[str], tuple[Path, ModelConfig] | None]
"""Gives a model's folder and config by its key; None where it is not installed."""

SEEDS: Final = 2**32
"""Seeds are rolled below this."""
_UNDER_WAY: Final = (Phase.waiting, Phase.running)

STEPS: Mapping[str, str] = {
    "instruction": _("Change instruction"),
    "task": _("Change task"),
    "control": _("Change control"),
    "control_reference": _("Change control"),
    "seed": _("Change seed"),
    "seed_locked": _("Lock seed"),
    "variations": _("Change variations"),
    "model": _("Change model"),
    "region": _("Move frame"),
}
"""What a step of undo that sets one field is called."""


class Editing(QObject):
    """The edit of one session. All calls return at once and belong to the GUI thread; slow work runs in threads."""

    changed = Signal()
    """Settings, references, the inferred task, the frame or the problems."""
    results_changed = Signal()
    jobs_changed = Signal()
    """A job of this document, or its progress."""
    preview = Signal(object, object)
    """A running edit's picture (QImage) and its box in document pixels; None, None when there is none to show."""
    compared = Signal(object, object, object)
    """A result's QImage, its box, and where the wiping line stands (0..1 or None); None, None, None at the end."""
    stale_changed = Signal()
    document_made = Signal(object)
    """A State to be opened: a result that belongs to no open document was accepted."""
    failed = Signal(object)
    """An Exception to be explained."""
    said = Signal(str)
    """A sentence for the status line."""

    def __init__(
        self,
        session: Session,
        arrivals: Arrivals,
        background: Background,
        models: Models,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.engine = session, arrivals.engine
        self._background, self._models = background, models
        self._document = project_of(session.state) or new_id()
        self.results: ResultStore = arrivals.stores.of(self._document)
        self._asked: tuple[State, ModelConfig | None, tuple[Problem, ...]] | None = None
        self._read: tuple[State, str] | None = None
        self._seen: tuple[State, ModelConfig, tuple[Box, tuple[int, int]] | None] | None = None
        self._boxes: dict[str, Box | None] = {}
        self._clips: dict[str, NDArray[np.uint8] | None] = {}
        self._previewed = ""
        self._comparing = Comparing(session, self.results, background, self)
        self._comparing.compared.connect(self.compared)
        self._comparing.failed.connect(self._unreadable)
        self._stale = StaleLayers(session, background, self)
        self._stale.changed.connect(self.stale_changed)
        self._stale.failed.connect(self.failed)
        session.amend(self.named(session.state))
        session.changed.connect(self._state_changed)
        self.engine.jobs_changed.connect(self._jobs_changed)
        self.engine.progressed.connect(self._progressed)
        arrivals.arrived.connect(self._arrived)
        arrivals.failed.connect(self._not_kept)
        arrivals.tidied.connect(self._tidied)
        background.run(self.results.load, self._loaded, self.failed.emit, self)

    # Settings

    @property
    def document(self) -> str:
        """The project's id."""
        return self._document

    def named(self, state: State) -> State:
        """Give a state of this document with the project's id, under which its results are found."""
        return state if project_of(state) == self._document else with_project(state, self._document)

    def become(self, document: str) -> None:
        """Be the edit of a copy from now on, under whose id the results are: the document was saved as that."""
        before, self._document = self._document, document
        state = self.session.state
        if state is self.session.history.state:
            self.session.amend(self.named(state))
        self.engine.hand_over(before, document)
        self.results_changed.emit()

    @property
    def settings(self) -> EditSettings:
        """What is set now."""
        return settings_of(self.session.state)

    def change(self, **values: Any) -> None:
        """Set fields of `EditSettings`; changes of the same fields in a row are one undo step."""
        state = self.session.state
        after = with_settings(state, replace(settings_of(state), **values))
        if after is not state:
            label = STEPS.get("+".join(values), _("Change edit settings"))
            self.session.do(label, after, ("edit", *sorted(values)), [])

    @property
    def references(self) -> tuple[BoardReference, ...]:
        """The references on the board."""
        return references_of(self.session.state)

    @property
    def task(self) -> str:
        """The task that is set or inferred: a key of TASKS."""
        state = self.session.state
        if self._read is None or self._read[0] is not state:
            self._read = state, inferred_task(state)
        return self._read[1]

    @property
    def config(self) -> ModelConfig | None:
        """The config of the model that is set; None where it is not installed."""
        found = self._models(self.settings.model)
        return None if found is None else found[1]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What stands in the way, in the order of the controls."""
        state, found = self.session.state, self._models(self.settings.model)
        folder, config = (None, None) if found is None else found
        if self._asked is None or self._asked[0] is not state or self._asked[1] is not config:
            self._asked = state, config, problems(state, config, folder)
        return self._asked[2]

    @property
    def can_run(self) -> bool:
        """Whether nothing stands in the way."""
        return not any(problem.blocks for problem in self.problems)

    @property
    def frame(self) -> tuple[Box, tuple[int, int]] | None:
        """What the model will see (box in document pixels) and at what size; None where it cannot be said."""
        state, config = self.session.state, self.config
        if config is None:
            return None
        if self._seen is None or self._seen[0] is not state or self._seen[1] is not config:
            try:
                self._seen = state, config, frame_of(state, config)
            except RequestError:
                self._seen = state, config, None
        return self._seen[2]

    @property
    def expected_seconds(self) -> float | None:
        """How long a run will take on this machine; None while nothing is known."""
        state, config = self.session.state, self.config
        if config is None:
            return None
        measures = measures_of(state)
        one = self.engine.expected_seconds(
            measures.asked, measures.picture, config, measures.extent, measures.references
        )
        return None if one is None else one * self.settings.variations

    # Runs

    def run(self) -> None:
        """Put the edit as it is now into the queue; `failed` says why where it cannot be."""
        self.run_on_many(())

    def run_on_many(self, subjects: Sequence[Subject]) -> None:
        """Run the edit over several references (by id), pictures or files of pictures, as one job."""
        state, found = self.session.state, self._models(self.settings.model)
        blocking = [problem for problem in self.problems if problem.blocks]
        if found is None or (blocking and not subjects):
            self.failed.emit(RequestError(blocking[0].sentence))
            return
        folder, config = found
        named = self.named(state)
        self._submit(lambda: snapshot(named, config, tuple(subjects)), folder)
        if not self.settings.seed_locked:
            self._roll()

    def _submit(self, make: Callable[[], Snapshot], folder: Path) -> None:
        """Make a snapshot in a thread and hand it to the engine."""

        def work() -> tuple[Snapshot, NDArray[np.uint8] | None]:
            made = make()
            return made, clip_of(made)

        def done(answer: tuple[Snapshot, NDArray[np.uint8] | None]) -> None:
            made, clip = answer
            job = Job(
                requests=made.requests,
                pictures=made.pictures,
                folder=folder,
                model=made.model,
                title=made.title,
                task=made.task,
                document=self._document,
                below=made.below,
                parents=made.parents,
                place=made.place,
                replaces=made.replaces,
            )
            self._boxes[job.id], self._clips[job.id] = made.box, clip
            self.engine.submit(job)

        self._background.run(work, done, self.failed.emit, self)

    def _roll(self) -> None:
        """Take another seed for the next run; it makes no step of undo."""
        state = self.session.state
        if state is self.session.history.state:  # otherwise a tool is at work, which a change would end
            settings = replace(settings_of(state), seed=secrets.randbelow(SEEDS))
            self.session.amend(with_settings(state, settings))

    def cancel(self) -> None:
        """Cancel all that runs or waits for this document."""
        for status in reversed(self.jobs):
            if status.phase in _UNDER_WAY:
                self.engine.cancel(status.id)

    @property
    def jobs(self) -> tuple[JobStatus, ...]:
        """The jobs of this document, in their order."""
        return tuple(status for status in self.engine.jobs if status.job.document == self._document)

    def _jobs_changed(self) -> None:
        running = [status.id for status in self.jobs if status.phase is Phase.running]
        if self._previewed and self._previewed not in running:
            self._previewed = ""
            self.preview.emit(None, None)
        self.jobs_changed.emit()

    def _progressed(self, job_id: str, progress: Progress) -> None:
        status = self.engine.status(job_id)
        if status is None or status.job.document != self._document:
            return
        box = self._boxes.get(job_id)
        box = None if box is None else box_now(self.session.state, box, status.job.place)
        if progress.preview is not None and box is not None and status.phase is Phase.running:
            self._previewed = job_id
            clip = self._clips.get(job_id)
            self.preview.emit(image_of_preview(progress.preview, self.session.state.profile, clip), box)
        self.jobs_changed.emit()

    # Results

    def _loaded(self, _: None) -> None:
        for sentence in self.results.troubles:
            self.said.emit(sentence)
        self.results_changed.emit()

    def _arrived(self, document: str, _result: Result) -> None:
        if document == self._document:
            self.results_changed.emit()

    def _not_kept(self, document: str, error: Exception) -> None:
        if document == self._document:
            self.failed.emit(error)

    def _tidied(self, document: str, sentence: str) -> None:
        if document == self._document:
            self.said.emit(sentence)

    def compare(self, result_id: str | None, wipe: float | None = None) -> None:
        """Show a result over the canvas without changing the document; None ends it."""
        self._comparing.show(result_id, wipe)

    def accept(self, result_id: str) -> None:
        """Make a result a layer, as one undo step; where its layer was run again it takes that one's place.

        One that was made of another picture becomes a document of its own.
        """
        result = self.results.get(result_id)
        if result is None:
            return
        if result.foreign:
            self._make_document(result)
            return
        layer_id = result.replaces

        def change(state: State) -> State:
            patch = self.results.patch(result_id)
            if layer_id and any(layer.id == layer_id for layer in walk(state.layers)):
                return accept_again(state, layer_id, result, patch)
            return accept(state, result, patch)

        def done() -> None:
            self.results.accept(result_id)
            self._marked()

        self._do(_("Accept result"), change, done)

    def _make_document(self, result: Result) -> None:
        store, name = self.results, tr("Picture")

        def work() -> State:
            base = store.inputs(result.id)[result.request.picture or ""]
            return document_of(result, base, store.patch(result.id), name)

        def done(state: State) -> None:
            store.accept(result.id)
            self._marked()
            self.document_made.emit(state)

        self._background.run(work, done, self.failed.emit, self)

    def _unreadable(self, error: Exception) -> None:
        self.results_changed.emit()  # it was set aside
        self.failed.emit(error)

    def star(self, result_id: str, on: bool = True) -> None:
        """Mark a result as good, or no longer."""
        self.results.star(result_id, on)
        self._marked()

    def reject(self, result_id: str, on: bool = True) -> None:
        """Mark a result as bad, or no longer."""
        self.results.reject(result_id, on)
        self._marked()

    def delete(self, *result_ids: str) -> None:
        """Take results away; `restore` brings them back."""
        for result_id in result_ids:
            self.results.delete(result_id)
        self._marked()

    def restore(self, *result_ids: str) -> None:
        """Bring deleted results back."""
        for result_id in result_ids:
            self.results.restore(result_id)
        self._marked()

    def purge(self, result_ids: Sequence[str]) -> None:
        """Free the disk of deleted results; `restore` does not bring them back from then on."""
        store = self.results
        self._background.run(lambda: store.purge(result_ids), lambda _: None, self.failed.emit, self)

    def _marked(self) -> None:
        self._background.run(self.results.flush, lambda _: None, self.failed.emit, self)
        self.results_changed.emit()

    def more_like(self, result_id: str) -> None:
        """Run a result's request again on what it was made of, with other seeds."""
        number = self.settings.variations
        seeds = tuple(secrets.randbelow(SEEDS) for _number in range(number))
        self._again(result_id, lambda result: more(self.results, result, seeds))

    def same_seed(self, result_id: str) -> None:
        """Set a result's request and lock its seed, for other words."""
        result = self.results.get(result_id)
        if result is not None:
            self._do(_("Same seed"), lambda state: again_in(state, self.results, result, locked=True))

    # Layers

    def edit_again(self, layer_id: str) -> None:
        """Set the request of a result's layer, restore its mask and hide it: ready to be changed and run."""
        result = self._result_of(layer_id)
        if result is not None:
            self._do(_("Edit again"), lambda state: again_in(state, self.results, result, layer_id=layer_id))

    def repeat_exactly(self, layer_id: str) -> None:
        """Run a layer's request once more on what it was made of: the same pixels."""
        result = self._result_of(layer_id)
        if result is not None:
            self._again(result.id, lambda result: exactly(self.results, result))

    def rerun(self, layer_id: str) -> None:
        """Run a layer's request on what lies below it now; the result takes the place of its pixels when accepted."""
        result, state = self._result_of(layer_id), self.session.state
        if result is None:
            return
        found = self._found(result)
        if found is not None:
            folder, config = found
            self._submit(lambda: rerun_snapshot(state, layer_id, self.results, result, config), folder)

    @property
    def stale(self) -> frozenset[str]:
        """The ids of the layers whose request was made of something that has changed since."""
        return self._stale.ids

    def _result_of(self, layer_id: str) -> Result | None:
        layer = next((layer for layer in walk(self.session.state.layers) if layer.id == layer_id), None)
        result_id = None if layer is None else result_of_layer(layer)
        result = None if result_id is None else self.results.get(result_id)
        if result is None:
            self.failed.emit(RequestError(tr("The result of this layer was deleted. Run the edit anew.")))
        return result

    def _again(self, result_id: str, make: Callable[[Result], Snapshot]) -> None:
        result = self.results.get(result_id)
        found = None if result is None else self._found(result)
        if result is not None and found is not None:
            self._submit(lambda: make(result), found[0])

    def _found(self, result: Result) -> tuple[Path, ModelConfig] | None:
        found = self._models(result.model)
        if found is None:
            self.failed.emit(
                RequestError(tr("The model “{name}” is not installed. Install it first.", name=result.model))
            )
        return found

    def _do(self, label: str, change: Callable[[State], State], done: Callable[[], None] | None = None) -> None:
        do_when_still(self.session, self._background, label, change, self.failed.emit, done)

    def _state_changed(self, _rects: list[Rect], before: State) -> None:
        state = self.session.state
        if (
            state.settings is not before.settings
            or state.edit_mask is not before.edit_mask
            or state.attachments is not before.attachments
            or state.frame != before.frame
            or has_picture(state) != has_picture(before)
        ):
            self.changed.emit()
