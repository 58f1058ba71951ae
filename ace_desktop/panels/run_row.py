"""Run, with how long it will take; while this document's job is on its way: how far it is, cancel, and run more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QWidget,
)

from .. import job_words
from ..icons import icon
from ..menus import tool_tip
from ..theme import ROW
from ..translation import tr
from .controls import ElidedLabel, PlainButton

if TYPE_CHECKING:
    from ..engine.jobs import JobStatus

MOST_VARIATIONS = 16
_STEPS = 1000


class Stepper(QWidget):
    """How many variations: a number between minus and plus; up and down change it too."""

    changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("stepper")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(ROW)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.value = 1
        self._less, self._more = (self._button(name, way) for name, way in (("minus", -1), ("plus", 1)))
        self._label = QLabel("1", self)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setFixedWidth(24)
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 0, 2, 0)
        row.setSpacing(0)
        for part in (self._less, self._label, self._more):
            row.addWidget(part)
        self.retranslate()

    def _button(self, name: str, way: int) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("flat")
        button.setIcon(icon(name))
        button.setIconSize(QSize(14, 14))
        button.setFixedSize(22, 22)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the arrow keys do it
        button.setAutoRepeat(True)
        button.clicked.connect(lambda: self._step(way))
        return button

    def show_value(self, value: int) -> None:
        """Show a number without telling anyone."""
        self.value = value
        self._label.setText(str(value))
        self._less.setEnabled(value > 1)
        self._more.setEnabled(value < MOST_VARIATIONS)
        self.setAccessibleName(tr("Variations: {number}", number=value))

    def retranslate(self) -> None:
        """Name it in the present language."""
        self.setToolTip(tr("How many variations are made"))
        self._less.setAccessibleName(tr("Fewer variations"))
        self._more.setAccessibleName(tr("More variations"))
        self.show_value(self.value)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Count."""
        way = {Qt.Key.Key_Up: 1, Qt.Key.Key_Plus: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_Minus: -1}.get(
            Qt.Key(event.key())
        )
        if way is None:
            super().keyPressEvent(event)
        else:
            self._step(way)

    def _step(self, way: int) -> None:
        value = min(max(self.value + way, 1), MOST_VARIATIONS)
        if value != self.value:
            self.show_value(value)
            self.changed.emit(value)


class RunRow(QWidget):
    """One of two faces: ready to run, or at work; then another edit can be put behind."""

    variations_changed = Signal(int)
    cancelled = Signal()

    def __init__(self, run: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run = run
        self.setFixedHeight(ROW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.stepper = Stepper(self)
        self.stepper.changed.connect(self.variations_changed)
        self.button = QPushButton(self)
        self.button.setObjectName("run")
        self.button.setFixedHeight(ROW)
        self.button.clicked.connect(run.trigger)
        self.bar = QProgressBar(self)
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.words = ElidedLabel(self)
        self.words.setObjectName("caption")
        self.cancel = PlainButton(icon("close"), "", self)
        self.cancel.clicked.connect(self.cancelled)
        self.behind = QPushButton(self)
        self.behind.setFixedHeight(ROW - 2)
        self.behind.clicked.connect(run.trigger)
        for button in (self.cancel, self.behind):
            button.installEventFilter(self)
        self._faces = QStackedLayout(self)
        self._faces.setContentsMargins(0, 0, 0, 0)
        self._faces.addWidget(self._ready())
        self._faces.addWidget(self._working())
        self._expected: float | None = None
        self.retranslate()

    def _ready(self) -> QWidget:
        face = QWidget(self)
        row = QHBoxLayout(face)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.stepper)
        row.addWidget(self.button, 1)
        return face

    def _working(self) -> QWidget:
        face = QWidget(self)
        grid = QGridLayout(face)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.addWidget(self.words, 0, 0, Qt.AlignmentFlag.AlignBottom)
        grid.addWidget(self.bar, 1, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.cancel, 0, 1, 2, 1)
        grid.addWidget(self.behind, 0, 2, 2, 1)
        grid.setColumnStretch(0, 1)
        return face

    @property
    def working(self) -> bool:
        """Whether it shows a job on its way."""
        return self._faces.currentIndex() == 1

    def show_ready(self, expected: float | None, *, can_run: bool, reason: str) -> None:
        """Offer to run; `expected` seconds, `reason` why it cannot be."""
        self._expected = expected
        self._turn(0, self.button)
        self.button.setEnabled(can_run)
        time = job_words.about(expected) if can_run and expected is not None else ""
        self.button.setText(tr("Run · {time}", time=time) if time else tr("Run"))
        self.button.setToolTip(reason or tool_tip(self._run))

    def show_jobs(self, jobs: Sequence[JobStatus], *, can_run: bool, reason: str) -> None:
        """Show how far the first of these jobs is: those of this document that run or wait."""
        self.behind.setEnabled(can_run)
        self.behind.setToolTip(reason or tr("Put this edit behind those that run"))
        job = jobs[0]
        self._turn(1, self.behind)
        running = job.phase == "running"
        self.bar.setValue(round(_STEPS * job_words.share(job.progress, job.index, job.total)) if running else 0)
        parts = [job_words.stage_in_short(job.progress)] if running else [tr("Waiting for another edit")]
        if running and job.total > 1:
            parts.insert(0, tr("{number} of {all}", number=job.index + 1, all=job.total))
        if running and job.seconds_left is not None:
            parts.insert(0, job_words.left(job.seconds_left))
        if len(jobs) > 1:
            parts.append(tr("{number} more waiting", number=len(jobs) - 1))
        self.words.show_words(*parts)
        self.bar.setAccessibleName(self.words.whole)

    def _turn(self, face: int, keyboard: QWidget) -> None:
        """Show a face; the keyboard stays in the row, but never where it would cancel what it has just begun."""
        if face != self._faces.currentIndex():
            held = self.isAncestorOf(self.window().focusWidget())
            self._faces.setCurrentIndex(face)
            if held:
                keyboard.setFocus()

    def retranslate(self) -> None:
        """Say everything in the present language."""
        self.stepper.retranslate()
        self.cancel.setToolTip(tr("Cancel the edits of this picture"))
        self.cancel.setAccessibleName(tr("Cancel the edits of this picture"))
        self.behind.setText(tr("Run"))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Keep the second half of a double click on Run, after which the face turns, from running or cancelling."""
        return event.type() == QEvent.Type.MouseButtonDblClick or super().eventFilter(watched, event)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
