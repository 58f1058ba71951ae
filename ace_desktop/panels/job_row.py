"""One job in the list: what it is, how far it is or why it failed, and what can be done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QGuiApplication, QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from mlx_model.tasks import TASKS

from .. import job_words
from ..edit_names import TASK_NAMES
from ..engine.sentences import job_said
from ..icons import icon
from ..translation import marked as _
from ..translation import tr
from .controls import PlainButton, plain_tip, shortened
from .thumbnail_frame import draw_thumbnail

if TYPE_CHECKING:
    from ..engine.jobs import JobStatus

_PICTURE = 40
_STEPS = 1000

PHASES = {
    "waiting": _("Waiting"),
    "done": _("Done"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
    "interrupted": _("Interrupted"),
}
"""By phase; a running job says its stage instead."""


class JobRow(QWidget):
    """Shows a status. `asked` says what is wanted: "cancel", "remove", "again", "afresh" or "end"."""

    asked = Signal(str, str)
    """A job's id and what is wanted of it."""
    grown = Signal()
    """It needs another height."""

    def __init__(self, status: JobStatus, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.job_id = status.id
        self.status = status
        self.picture = _Picture(self)
        self.title, self.state, self.notes, self.sentence = (QLabel(self) for _unused in range(4))
        for label in (self.state, self.notes, self.sentence):
            label.setObjectName("caption")
            label.setWordWrap(label is not self.state)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar(self)
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.again, self.afresh, self.end, self.copy = (QPushButton(self) for _unused in range(4))
        self.close_button = PlainButton(icon("close"), "", self)
        self._buttons = (self.again, self.afresh, self.end, self.copy)
        self._lay_out()
        for button, wanted in ((self.again, "again"), (self.afresh, "afresh"), (self.end, "end")):
            button.clicked.connect(lambda _checked=False, wanted=wanted: self.asked.emit(self.job_id, wanted))
        self.copy.clicked.connect(self._copy)
        self.close_button.clicked.connect(lambda: self.asked.emit(self.job_id, self.close_means))
        self.show_status(status)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in self._buttons:
            button.setObjectName("small")
            buttons.addWidget(button)
        buttons.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title)
        words.addWidget(self.state)
        words.addSpacing(2)
        words.addWidget(self.bar)
        words.addWidget(self.sentence)
        words.addWidget(self.notes)
        words.addSpacing(2)
        words.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 8, 8, 8)
        row.setSpacing(12)
        row.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)

    @property
    def close_means(self) -> str:
        """What the cross does: cancel what is on its way, take away what has ended."""
        return "cancel" if self.status.phase in ("waiting", "running") else "remove"

    def show_status(self, status: JobStatus) -> None:
        """Show where the job stands now."""
        self.status = status
        running = status.phase == "running"
        self.state.setText(state_words(status))
        self.bar.setVisible(running)
        share = job_words.share(status.progress, status.done, status.total)
        self.bar.setValue(round(_STEPS * share) if running else 0)
        self.sentence.setObjectName("problem" if status.phase == "failed" or status.stuck else "caption")
        self.sentence.style().polish(self.sentence)
        sentence = job_said(status.sentence) if status.sentence else ""
        self.sentence.setText(sentence)
        self.notes.setText(" ".join(map(job_said, status.notes)))
        resumes = status.resume_step > 0 and status.phase != "running"
        repeatable = status.phase in ("failed", "cancelled", "interrupted")
        self.again.setText(tr("Continue from step {step}", step=status.resume_step) if resumes else tr("Run again"))
        self.afresh.setText(tr("From the start"))
        self.end.setText(tr("End it"))
        self.copy.setText(tr("Copy details"))
        seen = [bool(status.sentence), bool(status.notes), repeatable, repeatable and resumes, status.stuck]
        seen.append(bool(status.details))
        parts = (self.sentence, self.notes, self.again, self.afresh, self.end, self.copy)
        before = [not part.isHidden() for part in parts]
        for part, shown in zip(parts, seen, strict=True):
            part.setVisible(shown)
        name = tr("Cancel") if self.close_means == "cancel" else tr("Remove from the list")
        self.close_button.setToolTip(name)
        self.close_button.setAccessibleName(name)
        self.setAccessibleName(", ".join(filter(None, (title_words(status), self.state.text(), sentence))))
        self._elide()
        if status.progress is not None and running:
            from .result_model import image_of_preview

            preview = image_of_preview(status.progress)
            if preview is not None:
                self.picture.show_picture(preview)
        if before != seen:
            self.grown.emit()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self.sentence.text()}\n\n{self.status.details}")

    def _elide(self) -> None:
        words = title_words(self.status)
        self.title.setToolTip(plain_tip(shortened(words)))
        metrics = QFontMetrics(self.title.font())
        self.title.setText(metrics.elidedText(words, Qt.TextElideMode.ElideRight, max(self.title.width(), 80)))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Cut the title to what there is room for."""
        super().resizeEvent(event)
        self._elide()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write everything again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.show_status(self.status)
        super().changeEvent(event)


class _Picture(QWidget):
    """A small picture of a job."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedSize(QSize(_PICTURE + 2, _PICTURE + 2))
        self.image: QImage | None = None

    def show_picture(self, image: QImage | None) -> None:
        """Show another picture."""
        self.image = image
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002
        """Draw it."""
        painter = QPainter(self)
        draw_thumbnail(painter, self.rect().adjusted(1, 1, -1, -1), self.image, self.palette(), 4)


def title_words(status: JobStatus) -> str:
    """Say what a job is: its words, or what kind of edit it is."""
    task, title = status.job.task, status.job.title
    if title and not (task in TASKS and title == TASKS[task].title):
        return title
    return tr(TASK_NAMES[task][0]) if task in TASK_NAMES else tr("Edit")


def state_words(status: JobStatus) -> str:
    """Say where a job stands, on one line."""
    if status.phase != "running":
        parts = [tr(PHASES[status.phase])]
        if status.total > 1 and status.phase != "waiting":
            parts.append(tr("{number} of {all} made", number=status.done, all=status.total))
        return " · ".join(parts)
    parts = [tr("{number} of {all}", number=status.done + 1, all=status.total)] if status.total > 1 else []
    parts.append(job_words.stage(status.progress))
    if status.seconds_left is not None:
        parts.append(job_words.left(status.seconds_left))
    return " · ".join(parts)
