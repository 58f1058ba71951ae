"""What stands under "More": how the edit is done. What nobody has set shows, faintly, what the model does."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QToolButton, QWidget

from ..edit_names import CONTROL_NAMES
from ..icons import icon
from ..theme import ROW
from ..translation import marked as _
from ..translation import tr
from .adapter_rows import AdapterRows
from .controls import PlainButton, ValueSlider
from .note import Note
from .number_field import NumberField

if TYPE_CHECKING:
    from mlx_model.weights.config import ModelConfig

    from ..document.edit import EditSettings
    from ..document.references import BoardReference

OWN_PICTURE = "as-is"
_SEEDS = 2**32
_CAPTION_WIDTH = 76
MORE_MODELS = ""


@dataclass(frozen=True)
class NumberRow:
    """A number of the settings: what people read, its range, and what it is for."""

    field: str
    text: str
    low: float
    high: float
    step: float
    decimals: int
    unit: str
    tip: str


NUMBERS: tuple[NumberRow, ...] = (
    NumberRow("steps", _("Steps"), 1, 200, 1, 0, "",
              _("More steps take longer and are often finer.")),
    NumberRow("guidance", _("Guidance"), 0, 100, 0.5, 1, "",
              _("How closely the picture follows the words.")),
    NumberRow("grow", _("Edge"), 0, 200, 1, 0, "px",
              _("How far the result may reach beyond the mask. 0 keeps strictly inside.")),
    NumberRow("fade", _("Soft edge"), 0, 200, 1, 0, "px",
              _("Over how many pixels the result fades into the picture.")),
)  # fmt: skip
STRENGTH = _("Strength"), _("100 % paints anew; less lets what was there show through.")
CLOSENESS = _("Closeness"), _("100 % keeps to what is there; less leaves the model freer.")
"""What strength is called, and its other side."""
OPEN = frozenset({"steps", "guidance"})
"""Numbers that are left to the model where nobody sets them."""


@dataclass(frozen=True)
class Details:
    """What the panel shows: the settings, what holds where they leave something open, and what can be chosen."""

    settings: EditSettings
    config: ModelConfig | None
    strength: float
    references: Sequence[BoardReference]
    models: Sequence[tuple[str, str]]
    adapters: Sequence[str]
    control: str | None
    """The control that holds where none is set."""
    keeps: bool = False
    """The model sees what was there, or a control of it: strength is shown as how closely it keeps to that."""


class EditDetails(QWidget):
    """Rows of a caption, a control, and a button that sets it back."""

    changed = Signal(object)
    """A dict of fields of EditSettings and their new values."""
    models_wanted = Signal()
    """The user wants other models than those that are here."""
    asked = Signal(str)
    """The action of a link that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: Details | None = None
        self._captions: list[tuple[QLabel, str]] = []
        self.notes: dict[str, Note] = {}
        self.resets: dict[str, QToolButton] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self._grid.setColumnMinimumWidth(0, _CAPTION_WIDTH)
        self.model = QComboBox(self)
        self.model.activated.connect(self._choose_model)
        self._row("model", _("Model"), self.model)
        self.adapters = AdapterRows(self)
        self.adapters.changed.connect(self._setter("adapters"))
        self._row("adapters", _("Adapters"), self.adapters)
        self.control = QComboBox(self)
        self.control.activated.connect(self._choose_control)
        self._row("control", _("Keep"), self.control, lambda: self._set(control=None, control_reference=None))
        self.own_picture = QComboBox(self)
        self.own_picture.activated.connect(self._choose_picture)
        self._row("own_picture", _("Picture"), self.own_picture)
        self.strength = ValueSlider("", 0, 100, " %", self)
        self.strength.moved.connect(self._move_strength)
        self._row("strength", STRENGTH[0], self.strength, lambda: self._set(strength=None))
        self.numbers: dict[str, NumberField] = {}
        for row in NUMBERS[:2]:
            self._number(row)
        self._seed_row()
        for row in NUMBERS[2:]:
            self._number(row)
        self.colour_match = QCheckBox(self)
        self.colour_match.toggled.connect(self._setter("colour_match"))
        self._grid.addWidget(self.colour_match, self._grid.rowCount(), 1, 1, 2)
        for box in (self.model, self.control, self.own_picture):
            box.setFixedHeight(ROW - 4)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(8)
        self.retranslate()

    def _row(self, field: str, text: str, control: QWidget, reset: Callable[[], None] | None = None) -> None:
        at = self._grid.rowCount()
        caption = QLabel(self)
        caption.setObjectName("caption")
        caption.setBuddy(control)
        self._captions.append((caption, text))
        top = Qt.AlignmentFlag.AlignTop if field == "adapters" else Qt.AlignmentFlag.AlignVCenter
        if field == "adapters":
            caption.setFixedHeight(ROW - 4)
        self._grid.addWidget(caption, at, 0, top)
        self._grid.addWidget(control, at, 1, 1, 1 if reset else 2)
        if reset is not None:
            button = PlainButton(icon("reset"), "", self)
            button.setIconSize(QSize(14, 14))
            policy = button.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            button.setSizePolicy(policy)
            button.clicked.connect(reset)
            self.resets[field] = button
            self._grid.addWidget(button, at, 2)
        note = Note(self)
        note.asked.connect(self.asked)
        self.notes[field] = note
        self._grid.addWidget(note, at + 1, 1, 1, 2)

    def _number(self, row: NumberRow) -> None:
        field = NumberField(row.low, row.high, row.step, row.decimals, row.unit, self)
        self.numbers[row.field] = field
        usual = None if row.field in OPEN else 4
        field.settled.connect(self._setter(row.field, usual))
        self._row(row.field, row.text, field, lambda: self._set(**{row.field: usual}))

    def _seed_row(self) -> None:
        holder = QWidget(self)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.seed = NumberField(0, 2**64 - 1, parent=holder)
        self.seed.settled.connect(self._setter("seed", 0))
        self.dice = PlainButton(icon("dice"), "", holder)
        self.dice.clicked.connect(lambda: self._set(seed=secrets.randbelow(_SEEDS)))
        self.lock = PlainButton(icon("lock-open", on_accent=False), "", holder)
        self.lock.setCheckable(True)
        self.lock.clicked.connect(self._setter("seed_locked"))
        for part in (self.seed, self.dice, self.lock):
            row.addWidget(part)
        self._row("seed", _("Seed"), holder)

    def retranslate(self) -> None:
        """Say everything in the present language."""
        for caption, text in self._captions:
            caption.setText(tr(text))
        for row in NUMBERS:
            self.numbers[row.field].setAccessibleName(tr(row.text))
            self.numbers[row.field].setToolTip(tr(row.tip))
        named = (
            (self.model, tr("Model"), ""),
            (self.control, tr("Keep"), tr("What stays as it was, or as in a picture of your own.")),
            (self.own_picture, tr("Picture"), tr("The reference whose shape is kept.")),
            (self.seed, tr("Seed"), tr("The same seed and settings give the same picture again.")),
            (self.dice, tr("Another seed"), tr("Another seed")),
            (self.lock, tr("Keep the seed"), tr("Keep the seed for the next run")),
            (self.colour_match, "", tr("Bring the result's colours to those around the mask.")),
        )
        for control, name, tip in named:
            control.setAccessibleName(name)
            control.setToolTip(tip)
        for button in self.resets.values():
            button.setToolTip(tr("Back to what the model does by itself"))
            button.setAccessibleName(tr("Back to what the model does by itself"))
        self.colour_match.setText(tr("Match colours"))
        self.adapters.retranslate()
        if self._shown is not None:
            self.show_details(self._shown)

    # What it shows

    def show_details(self, details: Details) -> None:
        """Show settings, without telling anyone."""
        self._shown = details
        settings, config = details.settings, details.config
        self._fill(self.model, details.models, settings.model, (tr("Other models…"), MORE_MODELS))
        self.adapters.show_adapters(settings.adapters, details.adapters)
        automatic = tr("Nothing")
        if details.control:
            automatic = tr("{choice} (automatic)", choice=tr(CONTROL_NAMES[details.control]))
        names = [(name, tr(text)) for name, text in CONTROL_NAMES.items()]
        own = settings.control_reference is not None
        chosen = OWN_PICTURE if own and settings.control is None else settings.control
        self._fill(self.control, [("", automatic), *names], chosen or "")
        own = own or chosen == OWN_PICTURE
        self._show_row("own_picture", self.own_picture, shown=own)
        pictures = [(reference.id, reference.name) for reference in details.references]
        self._fill(self.own_picture, pictures or [("", tr("No reference yet"))], settings.control_reference or "")
        self._show_strength(details, details.strength if settings.strength is None else settings.strength)
        self.strength.value_label.setEnabled(settings.strength is not None)
        defaults = {"steps": None, "guidance": None, "grow": 4.0, "fade": 4.0}
        if config is not None:
            defaults |= {"steps": float(config.sampling.steps), "guidance": config.sampling.guidance}
        for name, field in self.numbers.items():
            value = getattr(settings, name)
            field.show_value(None if value == defaults[name] and name not in OPEN else value, defaults[name])
            self.resets[name].setVisible(field.value is not None)
        self.resets["control"].setVisible(settings.control is not None or own)
        self.resets["strength"].setVisible(settings.strength is not None)
        self.seed.show_value(settings.seed, 0)
        self.lock.setChecked(settings.seed_locked)
        self.lock.setIcon(icon("lock" if settings.seed_locked else "lock-open", on_accent=False))
        blocked = self.colour_match.blockSignals(True)
        self.colour_match.setChecked(settings.colour_match)
        self.colour_match.blockSignals(blocked)

    def _show_strength(self, details: Details, strength: float) -> None:
        name, tip = map(tr, CLOSENESS if details.keeps else STRENGTH)
        next(caption for caption, _ in self._captions if caption.buddy() is self.strength).setText(name)
        self.strength.slider.setAccessibleName(name)
        self.strength.slider.setToolTip(tip)
        self.strength.set_value(round(100 * (1 - strength if details.keeps else strength)))

    def _show_row(self, field: str, control: QWidget, *, shown: bool) -> None:
        control.setVisible(shown)
        next(caption for caption, _ in self._captions if caption.buddy() is control).setVisible(shown)
        if not shown:
            self.notes[field].say("")

    def _fill(
        self, box: QComboBox, items: Sequence[tuple[str, str]], chosen: str, last: tuple[str, str] | None = None
    ) -> None:
        wanted = [(text, name) for name, text in items]
        if last is not None and chosen not in dict(items):
            wanted.append((chosen, chosen))
        wanted += [last] if last else []
        if [(box.itemText(row), box.itemData(row)) for row in range(box.count())] != wanted:
            box.clear()
            for text, name in wanted:
                if last is not None and (text, name) == last:
                    box.insertSeparator(box.count())
                box.addItem(text, name)
        box.setCurrentIndex(max(box.findData(chosen), 0))

    # What it tells

    def _set(self, **values: Any) -> None:
        self.changed.emit(values)

    def _setter(self, field: str, usual: object = None) -> Callable[[Any], None]:
        """Make what sets a field to what a control tells; to the usual value where that is nothing."""
        return lambda value: self._set(**{field: usual if value is None else value})

    def _move_strength(self, percent: int) -> None:
        keeps = self._shown is not None and self._shown.keeps
        self._set(strength=(100 - percent if keeps else percent) / 100)

    def _choose_picture(self, row: int) -> None:
        self._set(control_reference=self.own_picture.itemData(row) or None)

    def _choose_model(self, row: int) -> None:
        name = self.model.itemData(row)
        if name == MORE_MODELS:
            self.model.setCurrentIndex(max(self.model.findData(self._shown.settings.model if self._shown else ""), 0))
            self.models_wanted.emit()
        elif name is not None:
            self._set(model=name)

    def _choose_control(self, row: int) -> None:
        name = self.control.itemData(row) or None
        pictures = self._shown.references if self._shown else ()
        own = pictures[0].id if name == OWN_PICTURE and pictures else None
        self._set(control=name, control_reference=own)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
