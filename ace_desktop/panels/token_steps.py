"""The three steps into a repository whose owner wants a licence accepted, with a field for the token."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ..installer import Steps
from ..model_sentences import library_said
from ..translation import tr

_SETTINGS = "/settings/tokens"


class TokenSteps(QWidget):
    """Opens the pages, and takes the token; what is entered goes to the keychain and is not shown."""

    page_wanted = Signal(str)
    entered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: Steps | None = None
        self.lines = [QLabel(self) for _number in range(3)]
        for line in self.lines:
            line.setWordWrap(True)
        self.page, self.tokens = QPushButton(self), QPushButton(self)
        self.field = QLineEdit(self)
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.enter = QPushButton(self)
        self.problem = QLabel(self)
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        for button in (self.page, self.tokens, self.enter):
            button.setAutoDefault(False)
        first, third = QHBoxLayout(), QHBoxLayout()
        for row, line, button in ((first, self.lines[0], self.page), (third, self.lines[2], self.tokens)):
            row.setSpacing(8)
            row.addWidget(line, 1)
            row.addWidget(button)
        token = QHBoxLayout()
        token.setSpacing(8)
        token.addWidget(self.field, 1)
        token.addWidget(self.enter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(8)
        column.addLayout(first)
        column.addWidget(self.lines[1])
        column.addLayout(third)
        column.addLayout(token)
        column.addWidget(self.problem)
        self.page.clicked.connect(self._open_page)
        self.tokens.clicked.connect(self._open_tokens)
        self.enter.clicked.connect(self._take)
        self.field.returnPressed.connect(self._take)
        self.field.textChanged.connect(self._typed)
        self.retranslate()

    def retranslate(self) -> None:
        """Say everything in the present language."""
        for line, text in zip(
            self.lines,
            (
                tr("1. Open its page and log in, or make an account."),
                tr("2. Read the licence there and accept it."),
                tr("3. Make a token that may read, and paste it here."),
            ),
            strict=True,
        ):
            line.setText(text)
        self.page.setText(tr("Open page"))
        self.tokens.setText(tr("Make a token"))
        self.field.setPlaceholderText(tr("Access token (hf_…)"))
        self.field.setAccessibleName(tr("Access token"))
        self.enter.setText(tr("Enter"))
        self._typed()

    def show_steps(self, steps: Steps) -> None:
        """Lead to this page."""
        self._steps = steps

    def wait(self) -> None:
        """Show that the token is being checked."""
        self.enter.setEnabled(False)
        self.field.setEnabled(False)
        self.problem.setText(tr("The token is being checked…"))
        self.problem.show()

    def answer(self, problem: str) -> None:
        """Show what is wrong with the token, in the library's words; "": nothing."""
        self.field.setEnabled(True)
        self.problem.setText(library_said(problem) if problem else "")
        self.problem.setVisible(bool(problem))
        if not problem:
            self.field.clear()
        self._enable()

    def _typed(self) -> None:
        if self.field.isEnabled():
            self.problem.hide()
        self._enable()

    def _enable(self) -> None:
        self.enter.setEnabled(self.field.isEnabled() and bool(self.field.text().strip()))

    def _take(self) -> None:
        if self.enter.isEnabled():
            self.entered.emit(self.field.text().strip())

    def _open_page(self) -> None:
        if self._steps is not None:
            self.page_wanted.emit(self._steps.page)

    def _open_tokens(self) -> None:
        if self._steps is not None:
            scheme, _, rest = self._steps.page.partition("://")
            self.page_wanted.emit(f"{scheme}://{rest.partition('/')[0]}{_SETTINGS}")

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        super().changeEvent(event)
