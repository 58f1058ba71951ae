"""The edit of one open document: what panels and commands stand on. Settings, problems, runs, results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from PySide6.QtCore import QObject, Signal

from mlx_model.request import Box, Picture
from mlx_model.weights.config import ModelConfig

from .background import Background
from .document.edit import EditSettings
from .document.references import BoardReference
from .document.results import ResultStore
from .document.snapshot import Problem
from .session import Session

if TYPE_CHECKING:
    from .engine.engine import Engine  # pyright: ignore[reportMissingImports]
    from .engine.jobs import JobStatus  # pyright: ignore[reportMissingImports]

Models: TypeAlias = Callable[[str], "tuple[Path, ModelConfig] | None"]
"""Gives a model's folder and config by its key; None where it is not installed."""


class Editing(QObject):
    """The edit of one session. All calls return at once and belong to the GUI thread; slow work runs in threads."""

    changed = Signal()
    """Settings, references, the inferred task or the problems."""
    results_changed = Signal()
    jobs_changed = Signal()
    """A job of this document, or its progress."""
    preview = Signal(object, object)
    """A running edit's picture (QImage) and its box in document pixels; None, None when there is none to show."""
    compared = Signal(object, object, object)
    """A result's QImage, its box, and where the wiping line stands (0..1 or None); None, None, None at the end."""
    stale_changed = Signal()
    failed = Signal(object)
    """An Exception to be explained."""
    said = Signal(str)
    """A sentence for the status line."""

    def __init__(
        self,
        session: Session,
        engine: Engine,  # pyright: ignore[reportUnknownParameterType]
        results: ResultStore,
        background: Background,
        models: Models,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.engine, self.results = session, engine, results
        self._background, self._models = background, models

    # Settings

    @property
    def document(self) -> str:
        """The project's id."""
        raise NotImplementedError

    @property
    def settings(self) -> EditSettings:
        """What is set now."""
        raise NotImplementedError

    def change(self, **values: Any) -> None:
        """Set fields of `EditSettings`; changes of the same field in a row are one undo step."""
        raise NotImplementedError

    @property
    def references(self) -> tuple[BoardReference, ...]:
        """The references on the board."""
        raise NotImplementedError

    @property
    def task(self) -> str:
        """The task that is set or inferred: a key of TASKS."""
        raise NotImplementedError

    @property
    def config(self) -> ModelConfig | None:
        """The config of the model that is set; None where it is not installed."""
        raise NotImplementedError

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What stands in the way, in the order of the controls."""
        raise NotImplementedError

    @property
    def can_run(self) -> bool:
        """Whether nothing stands in the way."""
        raise NotImplementedError

    @property
    def frame(self) -> tuple[Box, tuple[int, int]] | None:
        """What the model will see (box in document pixels) and at what size; None where it cannot be said."""
        raise NotImplementedError

    @property
    def expected_seconds(self) -> float | None:
        """How long a run will take on this machine; None while nothing is known."""
        raise NotImplementedError

    # Runs

    def run(self) -> None:
        """Put the edit as it is now into the queue; `failed` says why where it cannot be."""
        raise NotImplementedError

    def run_on_many(self, subjects: Sequence[str | Picture]) -> None:
        """Run the edit over several references (by id) or pictures, as one job."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Cancel all that runs or waits for this document."""
        raise NotImplementedError

    @property
    def jobs(self) -> tuple[JobStatus, ...]:  # pyright: ignore[reportUnknownParameterType]
        """The jobs of this document, in their order."""
        raise NotImplementedError

    # Results

    def compare(self, result_id: str | None, wipe: float | None = None) -> None:
        """Show a result over the canvas without changing the document; None ends it."""
        raise NotImplementedError

    def accept(self, result_id: str) -> None:
        """Make a result a layer, as one undo step."""
        raise NotImplementedError

    def star(self, result_id: str, on: bool = True) -> None:
        """Mark a result as good, or no longer."""
        raise NotImplementedError

    def reject(self, result_id: str, on: bool = True) -> None:
        """Mark a result as bad, or no longer."""
        raise NotImplementedError

    def delete(self, result_id: str) -> None:
        """Take a result away; `restore` brings it back."""
        raise NotImplementedError

    def restore(self, result_id: str) -> None:
        """Bring a deleted result back."""
        raise NotImplementedError

    def more_like(self, result_id: str) -> None:
        """Run a result's request again on what it was made of, with other seeds."""
        raise NotImplementedError

    def same_seed(self, result_id: str) -> None:
        """Set a result's request and lock its seed, for other words."""
        raise NotImplementedError

    # Layers

    def edit_again(self, layer_id: str) -> None:
        """Set the request of a result's layer, restore its mask and hide it: ready to be changed and run."""
        raise NotImplementedError

    def repeat_exactly(self, layer_id: str) -> None:
        """Run a layer's request once more on what it was made of: the same pixels."""
        raise NotImplementedError

    def rerun(self, layer_id: str) -> None:
        """Run a layer's request on what lies below it now; the result takes the place of its pixels when accepted."""
        raise NotImplementedError

    @property
    def stale(self) -> frozenset[str]:
        """The ids of the layers whose request was made of something that has changed since."""
        raise NotImplementedError
