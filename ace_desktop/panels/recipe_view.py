"""How a result was made, to be read and copied."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QDateTime, QLocale, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from mlx_model.tasks import TASKS

from ..document.results import Result, ResultStore
from ..edit_names import CONTROL_NAMES, TASK_NAMES
from ..models import BUILT_IN
from ..translation import tr
from .popover import Popover

_WIDTH = 340


class RecipeView(Popover):
    """The recipe in words, where the result came from, and what came of it."""

    chosen = Signal(str)
    """Another result that is to be shown."""

    def __init__(self, store: ResultStore, result: Result, window: QWidget) -> None:
        super().__init__(window)
        self.setAccessibleName(tr("Recipe"))
        self.column.setContentsMargins(16, 12, 16, 12)
        self.column.setSpacing(8)
        form = QFormLayout()
        form.setHorizontalSpacing(12)
        form.setVerticalSpacing(4)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        for name, value in rows_of(result):
            label, words = QLabel(name, self), QLabel(value, self)
            label.setObjectName("caption")
            words.setWordWrap(True)
            words.setTextFormat(Qt.TextFormat.PlainText)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            form.addRow(label, words)
        self._add_related(form, tr("Made from"), [store.get(name) for name in result.parents])
        self._add_related(form, tr("Led to"), list(store.children(result.id)))
        self.column.addLayout(form)
        copy = QPushButton(tr("Copy recipe"), self)
        copy.setObjectName("small")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(result.recipe.to_json()))
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(copy)
        self.column.addLayout(row)
        self.setFixedWidth(_WIDTH)

    def _add_related(self, form: QFormLayout, name: str, results: Sequence[Result | None]) -> None:
        for result in results[:4]:
            if result is None:
                continue
            label = QLabel(name, self)
            label.setObjectName("caption")
            button = QPushButton(result.words or tr("Without words"), self)
            button.setObjectName("link")
            button.clicked.connect(lambda _checked=False, result_id=result.id: self._choose(result_id))
            form.addRow(label, button)
            name = ""

    def _choose(self, result_id: str) -> None:
        self.leave()
        self.chosen.emit(result_id)


def rows_of(result: Result) -> list[tuple[str, str]]:
    """Say how a result was made: names and values."""
    request = result.request
    rows = [
        (tr("Words"), result.words or tr("Without words")),
        (tr("Kind"), tr(TASK_NAMES[result.task][0]) if result.task in TASK_NAMES else result.task),
        (tr("Model"), tr("Built-in model") if result.model == BUILT_IN else result.model),
        (tr("Seed"), str(result.seed)),
    ]
    for name, value in (
        (tr("Steps"), request.steps),
        (tr("Guidance"), request.guidance),
        (tr("References"), len(request.references) or None),
    ):
        if value is not None:
            rows.append((name, f"{value:g}"))
    if request.strength is not None:
        keeps = request.control is not None or (result.task in TASKS and TASKS[result.task].scale_fft == 0)
        strength = 1 - request.strength if keeps else request.strength
        rows.append((tr("Closeness") if keeps else tr("Strength"), f"{100 * strength:.0f} %"))
    if request.control in CONTROL_NAMES:
        rows.append((tr("Keep"), tr(CONTROL_NAMES[request.control])))
    rows += [(tr("Adapter"), f"{adapter.name} × {adapter.strength:g}") for adapter in request.adapters]
    made = QDateTime.fromString(result.created, Qt.DateFormat.ISODateWithMs).toLocalTime()
    rows.append((tr("Made"), QLocale().toString(made, QLocale.FormatType.ShortFormat)))
    rows.append((tr("Took"), tr("{seconds} s", seconds=f"{result.seconds:.1f}")))
    rows += [("", warning) for warning in result.warnings]
    return rows
