"""Results on their way from the model to the disk: those of open documents and of closed ones alike."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from mlx_model.request import EditResult

from .background import Background
from .document.result_stores import ResultStores
from .document.results import Result
from .engine.engine import Engine
from .reporting import in_english
from .translation import tr


class Arrivals(QObject):
    """Puts everything that the engine makes into the store of its project, in threads."""

    arrived = Signal(str, object)
    """A project's id and the Result that is on the disk now."""
    failed = Signal(str, object)
    """A project's id and an Exception: a result could not be kept."""
    tidied = Signal(str, str)
    """A project's id and a sentence: rejected results were deleted to keep to the budget."""

    def __init__(
        self, engine: Engine, stores: ResultStores, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.engine, self.stores = engine, stores
        self._background = background
        engine.made.connect(self._made)

    def _made(self, job_id: str, index: int, made: EditResult) -> None:
        status = self.engine.status(job_id)
        if status is None or not status.job.document:
            return
        job, store = status.job, self.stores.of(status.job.document)
        self.engine.hold(job_id)

        def work() -> tuple[Result, int]:
            kept = store.add(made, job, index, run=job.id, model_folder=job.folder)
            return kept, len(store.tidy())

        def now() -> str:
            """Give the project that the job belongs to by now: it may have been saved as another one."""
            status = self.engine.status(job_id)
            return job.document if status is None else status.job.document

        def done(answer: tuple[Result, int]) -> None:
            kept, gone = answer
            self.engine.release(job_id)
            document = now()
            self.arrived.emit(document, kept)
            if gone:
                sentence = tr("Rejected results were deleted to make room for new ones: {number}.", number=gone)
                self.tidied.emit(document, sentence)

        def failed(error: Exception) -> None:
            self.engine.release(job_id, lost=index, sentence=in_english(error))
            self.failed.emit(now(), error)

        self._background.run(work, done, failed, self)
