"""How the present job stands, in one line for the status bar; a click opens the list of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QToolButton, QWidget

from .. import job_words
from ..background import Background
from ..engine.sentences import job_said
from ..icons import icon
from ..translation import tr
from .controls import PlainButton
from .job_row import state_words
from .popover import Popover
from .queue_list import QueueList
from .result_model import image_of_preview

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

    from mlx_model.request import Progress

    from ..engine.engine import Engine
    from ..engine.jobs import JobStatus

_STEPS = 1000
_TROUBLED = frozenset({"failed", "interrupted"})


class _Words(QToolButton):
    """Words that are cut off where they have no room, so that they never keep the window from being narrow."""

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Ask for some letters' room."""
        return QSize(64, 18)


class JobLine(QWidget):
    """20 px high; hidden while no job runs, waits or needs the user."""

    def __init__(self, engine: Engine, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._engine, self._background = engine, background
        self.setFixedHeight(20)
        self.words = _Words(self)
        self.words.setObjectName("job")
        self.words.setFixedHeight(18)
        self.words.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.words.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.words.clicked.connect(self.open_list)
        self.bar = QProgressBar(self)
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedSize(72, 4)
        self.cancel = PlainButton(icon("close"), "", self)
        self.cancel.setFixedSize(18, 18)
        self.cancel.clicked.connect(self._cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (self.words, self.bar, self.cancel):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        engine.jobs_changed.connect(self.refresh)
        engine.progressed.connect(self._progressed)
        self._pictures: dict[str, QImage | None] = {}
        self.popover: Popover | None = None
        self.hide()  # said outright: a layout shows what nobody has hidden
        self.refresh()

    @property
    def _running(self) -> JobStatus | None:
        return next((status for status in self._engine.jobs if status.phase == "running"), None)

    def refresh(self) -> None:
        """Show the job that runs; otherwise how many wait, or need the user."""
        jobs, running = self._engine.jobs, self._running
        waiting = sum(status.phase == "waiting" for status in jobs)
        troubled = [status for status in jobs if status.phase in _TROUBLED]
        parts: list[str] = []
        if running is not None:
            parts.append(job_said(running.sentence) if running.stuck else state_words(running))
            self.bar.setValue(round(_STEPS * job_words.share(running.progress, running.done, running.total)))
        if waiting:
            parts.append(tr("{number} waiting", number=waiting))
        if troubled:
            failed = sum(status.phase == "failed" for status in troubled)
            parts += [tr("{number} failed", number=failed)] if failed else []
            stopped = len(troubled) - failed
            parts += [tr("{number} interrupted", number=stopped)] if stopped else []
        self.words.setText(" · ".join(parts))
        self.words.setAccessibleName(self.words.text())
        self.words.setToolTip(tr("Show all edits"))
        self.bar.setVisible(running is not None)
        self.bar.setAccessibleName(tr("Progress"))
        self.cancel.setVisible(running is not None)
        self.cancel.setToolTip(tr("Cancel the edit"))
        self.cancel.setAccessibleName(tr("Cancel the edit"))
        if self.isHidden() == bool(parts):
            self.setVisible(bool(parts))

    def _progressed(self, job_id: str, progress: Progress) -> None:
        preview = image_of_preview(progress)
        if preview is not None:  # a job that is done has no other picture any more
            self._pictures[job_id] = preview
        for gone in self._pictures.keys() - {status.id for status in self._engine.jobs}:
            del self._pictures[gone]
        self.refresh()

    def _cancel(self) -> None:
        running = self._running
        if running is not None:
            self._engine.cancel(running.id)

    def open_list(self) -> None:
        """Open the list of jobs above the line, or close it."""
        if self.popover is not None:
            self.popover.leave()
            return
        popover = self.popover = Popover(self.window())
        popover.opener = self.words
        popover.destroyed.connect(self._closed)
        popover.setAccessibleName(tr("Edits"))
        content = QueueList(self._engine, self._background, popover, self._pictures)
        popover.column.addWidget(content)
        popover.open_above(self)
        content.resized.connect(lambda: popover.fit_above(self))
        popover.fit_above(self)

    def _closed(self) -> None:
        self.popover = None

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write everything again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.refresh()
            if self.popover is not None:
                self.popover.setAccessibleName(tr("Edits"))
        super().changeEvent(event)
