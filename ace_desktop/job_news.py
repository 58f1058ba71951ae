"""What follows when an edit moves on or ends: the icon in the Dock or taskbar, and a word where nobody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import job_words
from .sentences import said
from .translation import tr

if TYPE_CHECKING:
    from .desktop import Desktop
    from .engine.engine import Engine

_SOURCE = "edit"


def follow_engine(desktop: Desktop, engine: Engine) -> None:
    """Connect the queue of edits with what is told outside the windows."""
    attention = desktop.attention

    def progress() -> None:
        running = next((status for status in engine.jobs if status.phase == "running"), None)
        if running is None:
            attention.progress(_SOURCE, None)
        else:
            attention.progress(_SOURCE, job_words.share(running.progress, running.index, running.total))

    def shown(job_id: str) -> None:
        """Bring the window of a job's document to the front."""
        status = engine.status(job_id)
        for window in desktop.windows:
            if status is not None and window.editing is not None and window.editing.document == status.job.document:
                window.show()
                window.raise_()
                window.activateWindow()

    def finished(job_id: str) -> None:
        status = engine.status(job_id)
        if status is not None:
            title = status.job.title or tr("The edit")
            count = tr("1 result") if status.total == 1 else tr("{number} results", number=status.total)
            attention.ended(tr("“{title}” is ready", title=title), count, lambda: shown(job_id))

    def failed(job_id: str) -> None:
        status = engine.status(job_id)
        if status is not None:
            title = status.job.title or tr("The edit")
            words = tr("“{title}” could not be made", title=title)
            attention.ended(words, said(status.sentence), lambda: shown(job_id))

    engine.jobs_changed.connect(progress)
    engine.progressed.connect(progress)
    engine.finished.connect(finished)
    engine.failed.connect(failed)
