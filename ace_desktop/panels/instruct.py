"""The Instruct section: the words, what kind of edit they make, Run, and under "More" how it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from ..background import Background
from ..edit_names import WORDS_HINTS
from ..engine.sentences import job_said
from ..following import Follower
from ..icons import icon
from ..models import BUILT_IN, Models
from ..presets import with_instruction
from ..sentences import said
from ..settings import Kept
from ..theme import ROW
from ..translation import marked as _
from ..translation import tr
from .edit_details import Details, EditDetails
from .ideas import Ideas
from .note import Note
from .run_row import RunRow
from .task_chip import TaskChip
from .words import WordsField

if TYPE_CHECKING:
    from mlx_model.weights.config import ModelConfig

    from ..editing import Editing
    from ..engine.jobs import JobStatus
    from ..unread_words import WordReader

LINKS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "mask": ((_("Paint a mask"), "tool.mask-brush"), (_("Whole image"), "instruct.whole_picture")),
        "references": ((_("Add a reference"), "reference.add"),),
        "picture": ((_("Open a picture"), "file.open"),),
        "model": ((_("Show models"), "models.show"),),
        "region": ((_("Let the model choose"), "instruct.frame_automatic"),),
    }
)
"""Actions that help with a problem, by its field; those that the window does not have are left out."""

_UNDER_WORDS = ("instruction",)
_UNDER_CHIP = ("picture", "task", "mask", "references")
_UNDER_RUN = ("region", "size")


Said: TypeAlias = tuple[str, Sequence[tuple[str, str]]]
"""A sentence and its links."""


def _nothing() -> Said:
    return "", ()


class InstructPanel(QWidget):
    """Stands on the edit of one document; `actions` are the window's."""

    asked = Signal(str)
    """An action that is to be done."""
    models_wanted = Signal()
    failed = Signal(object)
    """An Exception to be explained."""

    def __init__(
        self,
        editing: Editing,
        models: Models,
        kept: Kept,
        background: Background,
        actions: Mapping[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.editing = editing
        self._models, self._kept, self._background, self._actions = models, kept, background, actions
        self._reader: WordReader | None = None
        self._read_for: tuple[str, ModelConfig] | None = None
        self._adapters: tuple[str, ...] = ()
        self.words = WordsField(lambda: kept.value.instructions, self)
        self.words_note, self.chip_note, self.run_note = Note(self), Note(self), Note(self)
        self.chip = TaskChip(self)
        self.ideas = Ideas(kept, self)
        self.run_row = RunRow(actions["instruct.run"], self)
        self.more = QToolButton(self)
        self.more.setObjectName("more")
        self.more.setFixedHeight(ROW - 4)
        self.more.setIconSize(QSize(12, 12))
        self.more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.details = EditDetails(self)
        self._follower = Follower(editing.session, self.refresh, self)
        self._lay_out()
        self._connect()
        self.retranslate()
        self._show_jobs()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 12, 8)
        column.setSpacing(8)
        task = QHBoxLayout()
        task.setSpacing(4)
        task.addWidget(self.chip, 1)
        task.addWidget(self.ideas)
        for part in (self.words, self.words_note, task, self.chip_note, self.run_row, self.run_note):
            column.addLayout(part) if isinstance(part, QHBoxLayout) else column.addWidget(part)
        column.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.details)

    def _connect(self) -> None:
        editing = self.editing
        editing.changed.connect(self._follower.follow)
        editing.jobs_changed.connect(self._show_jobs)
        self._models.changed.connect(self.refresh)
        self.words.edited.connect(self._setter("instruction"))
        self.chip.chosen.connect(self._setter("task"))
        self.ideas.chosen.connect(self.fill_in)
        self.run_row.variations_changed.connect(self._setter("variations"))
        self.run_row.cancelled.connect(editing.cancel)
        self.more.clicked.connect(lambda: self.show_more(not self.more_shown))
        self.details.changed.connect(self._take)
        self.details.models_wanted.connect(self.models_wanted)
        for note in (self.words_note, self.chip_note, self.run_note):
            note.asked.connect(self.asked)
        self.details.asked.connect(self.asked)

    # What it does

    def run(self) -> None:
        """Run, and remember the words, with the syllable that an input method has not given away yet."""
        QGuiApplication.inputMethod().commit()
        words = self.editing.settings.instruction
        self._kept.change(instructions=with_instruction(self._kept.value, words))
        self.editing.run()

    def fill_in(self, words: str) -> None:
        """Put words into the field, ready to be changed."""
        self._change(instruction=words)
        self.words.setFocus()

    def _change(self, **values: Any) -> None:
        self.editing.change(**values)

    def _setter(self, field: str) -> Callable[[Any], None]:
        return lambda value: self._change(**{field: value})

    def _take(self, values: Mapping[str, Any]) -> None:
        self._change(**values)

    @property
    def more_shown(self) -> bool:
        """Whether what stands under "More" is shown."""
        return self._kept.value.edit_details

    def show_more(self, shown: bool) -> None:
        """Show or hide what stands under "More"; it is remembered."""
        self._kept.change(edit_details=shown)
        self._fold()
        self.refresh()

    def _fold(self) -> None:
        self.more.setIcon(icon("chevron-down" if self.more_shown else "chevron-right"))
        self.details.setVisible(self.more_shown)

    # What it shows

    def refresh(self) -> None:
        """Show the settings and what stands in the way, as they are now."""
        editing = self.editing
        settings, task, config = editing.settings, editing.task, editing.config
        used = [r for r in editing.references if r.on and r.id != settings.control_reference]
        self.words.show_words(settings.instruction)
        self.words.setPlaceholderText(tr(WORDS_HINTS.get(task, "What should change?")))
        self.chip.show_task(task, len(used), by_user=settings.task is not None)
        self.ideas.follow(task, settings.instruction, built_in=settings.model == BUILT_IN)
        self.run_row.stepper.show_value(settings.variations)
        if self.more_shown:
            self.details.show_details(self._details())
        self._show_problems()
        self._show_run()
        self._follow_model(settings.model, config)

    def _details(self) -> Details:
        from mlx_model.tasks import TASKS

        editing = self.editing
        settings, config = editing.settings, editing.config
        controlled = settings.control is not None or settings.control_reference is not None
        held = TASKS.get("control" if controlled else editing.task, TASKS["repaint"])
        fill = config is not None and config.kind == "fill"
        shelf = self._models.shelf
        here = [(model.name, model.title) for model in shelf.here if model.config is not None] if shelf else []
        if BUILT_IN not in dict(here):
            here.insert(0, (BUILT_IN, tr("Built-in model")))
        named = [(name, tr("Built-in model") if name == BUILT_IN else title) for name, title in here]
        return Details(
            settings=settings,
            config=config,
            strength=held.scale_fill if fill else held.scale_fft,
            references=editing.references,
            models=named,
            adapters=self._adapters,
            control="canny" if editing.task == "control" and not controlled else None,
            keeps=held.scale_fft == 0,
        )

    def _show_problems(self) -> None:
        sentences: dict[str, str] = {}
        for problem in self.editing.problems:
            sentences.setdefault(problem.field, said(problem.sentence))
        hidden = [name for name in sentences if name in self.details.notes] if not self.more_shown else []
        for note, fields, otherwise in (
            (self.words_note, _UNDER_WORDS, self._remark),
            (self.chip_note, _UNDER_CHIP, _nothing),
            (self.run_note, (*_UNDER_RUN, *hidden), self._failure),
        ):
            name = next((name for name in fields if name in sentences), "")
            failure = not name and note is self.run_note
            note.say(*((sentences[name], self._links(name)) if name else otherwise()), failure=failure)
        for name, note in self.details.notes.items():
            note.say(sentences.get(name, "") if self.more_shown else "", self._links(name))

    def _remark(self) -> Said:
        """Say what will happen that is not seen: words that are not read, and what is done without words."""
        editing = self.editing
        if self.words.marked and self._reader is not None:
            if self._reader.small:
                return tr("The built-in model doesn't know the underlined words."), ()
            return tr("This model reads English: it does not see the underlined words."), ()
        if editing.task == "remove" and not editing.settings.instruction.strip():
            return tr("Without words, what is under the mask is removed."), ()
        return _nothing()

    def _links(self, name: str) -> list[tuple[str, str]]:
        return [(tr(text), action) for text, action in LINKS.get(name, ()) if action in self._actions]

    def _show_jobs(self) -> None:
        self._show_run()
        self._show_problems()

    def _on_the_way(self) -> list[JobStatus]:
        jobs = [job for job in self.editing.jobs if job.phase in ("running", "waiting")]
        return sorted(jobs, key=lambda job: job.phase != "running")

    def _show_run(self) -> None:
        editing, jobs = self.editing, self._on_the_way()
        reason = next((said(problem.sentence) for problem in editing.problems if problem.blocks), "")
        if jobs:
            self.run_row.show_jobs(jobs, can_run=not reason, reason=reason)
        else:
            self.run_row.show_ready(editing.expected_seconds, can_run=not reason, reason=reason)

    def _failure(self) -> Said:
        """Say why the last job failed, until another begins."""
        last = self.editing.jobs[-1:]
        if last and last[0].phase in ("failed", "interrupted"):
            return job_said(last[0].sentence), ((tr("Run again"), "instruct.run_again"),)
        return _nothing()

    # What the model reads

    def _follow_model(self, name: str, config: ModelConfig | None) -> None:
        """Load the model's tokenizer and look for its adapters when it is another one."""
        found = self._models.find(name) if config is not None else None
        now = None if config is None or found is None else (name, config)
        if now == self._read_for:
            return
        self._read_for = now
        self._reader, self._adapters = None, ()
        self.words.mark(None)
        if found is None or config is None:
            return
        folder, known = found

        def work() -> tuple[WordReader, tuple[str, ...]]:
            from ..unread_words import WordReader

            files = [file for where in (folder, folder.parent) for file in (where / "adapters").glob("*.safetensors")]
            return WordReader(folder, known), tuple(sorted({file.stem for file in files}))

        def done(answer: tuple[WordReader, tuple[str, ...]]) -> None:
            if self._read_for == now:
                self._reader, self._adapters = answer
                self.words.mark(self._reader.unread)
                self.refresh()

        self._background.run(work, done, self.failed.emit, self)

    def retranslate(self) -> None:
        """Say everything in the present language."""
        self.words.setAccessibleName(tr("What should happen"))
        self.more.setText(tr("More"))
        self.more.setAccessibleName(tr("More settings of the edit"))
        self.ideas.retranslate()
        self._fold()
        self.refresh()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
