"""The small popover that asks, where a picture was dropped on the canvas, what it is to become."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QLabel, QToolButton, QWidget

from ..icons import SIDE, paint_icon
from ..theme import CAPTION_PX
from ..translation import marked as _
from ..translation import tr
from .popover import Popover

_WIDTH, _HEIGHT = 272, 44


@dataclass(frozen=True)
class Choice:
    """What a dropped picture can become."""

    id: str
    text: str
    hint: str
    icon: str


CHOICES: tuple[Choice, ...] = (
    Choice("layer", _("New layer"), _("Lay it over the picture as it is"), "layers"),
    Choice("reference", _("Reference"), _("Show it to the model"), "reference"),
    Choice("place", _("Blend in here"), _("The model fits it in at this spot"), "place"),
)
"""In this order; the first is the default until another was chosen."""


class DropChoice(Popover):
    """Three buttons under the name of what was dropped; Return takes the one that was chosen last."""

    chosen = Signal(str)

    def __init__(self, window: QWidget, name: str, default: str, several: bool = False) -> None:
        super().__init__(window)
        self.setAccessibleName(tr("What should the picture become?"))
        title = QLabel(self)
        title.setObjectName("caption")
        words = name or tr("Picture")
        title.setText(QFontMetrics(title.font()).elidedText(words, Qt.TextElideMode.ElideMiddle, _WIDTH - 16))
        title.setContentsMargins(8, 4, 8, 4)
        self.column.addWidget(title)
        shown = [choice for choice in CHOICES if choice.id != "place" or not several]
        self.buttons = {choice.id: _ChoiceButton(choice, self) for choice in shown}
        for choice_id, button in self.buttons.items():
            self.column.addWidget(button)
            button.clicked.connect(lambda _checked=False, choice_id=choice_id: self._choose(choice_id))
        self._default = self.buttons.get(default, self.buttons["layer"])

    def focus_default(self) -> None:
        """Let Return take what was chosen last."""
        self._default.setFocus(Qt.FocusReason.TabFocusReason)

    def _choose(self, choice_id: str) -> None:
        self.leave()
        self.chosen.emit(choice_id)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move with the arrow keys, take with Return."""
        buttons, key = list(self.buttons.values()), Qt.Key(event.key())
        at = next((place for place, button in enumerate(buttons) if button.hasFocus()), 0)
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            step = 1 if key == Qt.Key.Key_Down else -1
            buttons[(at + step) % len(buttons)].setFocus(Qt.FocusReason.TabFocusReason)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            buttons[at].click()
        else:
            super().keyPressEvent(event)


class _ChoiceButton(QToolButton):
    """An icon, a name and a line that explains it."""

    def __init__(self, choice: Choice, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("choice")
        self._choice = choice
        self.setFixedSize(QSize(_WIDTH, _HEIGHT))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr(choice.text))
        self.setAccessibleDescription(tr(choice.hint))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the words beside the icon."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(QPalette.ColorRole.Text)
        box = self.rect().adjusted(44, 4, -8, -4)
        paint_icon(painter, self._choice.icon, self.rect().adjusted(12, 12, 12 + SIDE - self.width(), -12), ink)
        painter.setPen(ink)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(box.adjusted(0, 0, 0, -box.height() // 2), left, tr(self._choice.text))
        font = painter.font()
        font.setPixelSize(CAPTION_PX)
        painter.setFont(font)
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        painter.drawText(box.adjusted(0, box.height() // 2, 0, 0), left, tr(self._choice.hint))
