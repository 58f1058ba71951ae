"""What the installer is at, as a card: how far it is, how to pause it, what went wrong and how to go on."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ..installer import Installer, Phase, Transfer
from ..model_words import transfer_caption, transfer_title
from ..translation import tr
from .token_steps import TokenSteps

_MISSING = " lacks "


class TransferCard(QFrame):
    """Follows an installer; hidden where there is nothing to tell."""

    without_account = Signal(str)
    """The user wants this model from places that ask for no account."""

    def __init__(
        self,
        installer: Installer,
        title_of: Callable[[str], str],
        otherwise: Callable[[str], bool],
        parent: QWidget | None = None,
    ) -> None:
        """`title_of` calls a model; `otherwise` says whether all of it can be had without an account."""
        super().__init__(parent)
        self.setObjectName("card")
        self._installer, self._title_of, self._otherwise = installer, title_of, otherwise
        self.title, self.caption = QLabel(self), QLabel(self)
        self.title.setObjectName("name")
        self.caption.setObjectName("caption")
        self.caption.setWordWrap(True)
        self.caption.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setRange(0, 1000)
        self.buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        for name, action in (
            ("details", self._copy),
            ("account", self._skip_account),
            ("fetch", self._fetch_missing),
            ("repair", self._repair),
            ("pause", installer.pause),
            ("continue", installer.go_on),
            ("cancel", installer.cancel),
            ("close", installer.forget),
        ):
            self.buttons[name] = self._button(action)
            row.addWidget(self.buttons[name])
        self.steps = TokenSteps(self)
        self.steps.page_wanted.connect(self._open)
        self.steps.entered.connect(self._enter)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        for part in (self.title, self.bar, self.caption, self.steps):
            column.addWidget(part)
        column.addLayout(row)
        installer.changed.connect(self.refresh)
        self.retranslate()

    def _button(self, action: Callable[[], None]) -> QPushButton:
        button = QPushButton(self)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: action())
        return button

    def retranslate(self) -> None:
        """Say everything in the present language."""
        for name, text in (
            ("details", tr("Copy details")),
            ("account", tr("Do without an account")),
            ("fetch", tr("Fetch what is missing")),
            ("repair", tr("Repair")),
            ("pause", tr("Pause")),
            ("continue", tr("Continue")),
            ("cancel", tr("Stop")),
            ("close", tr("Close")),
        ):
            self.buttons[name].setText(text)
        self.buttons["account"].setToolTip(tr("Takes the same files from others who have uploaded them again."))
        self.buttons["cancel"].setToolTip(tr("What is here is kept for another time."))
        self.refresh()

    def refresh(self) -> None:
        """Show the transfer as it now is."""
        transfer = self._installer.transfer
        self.setVisible(transfer is not None)
        if transfer is None:
            return
        title = self._title_of(transfer.model)
        self.title.setText(transfer_title(transfer, title))
        self.caption.setText(transfer_caption(transfer, title))
        self.caption.setVisible(bool(self.caption.text()))
        self.setAccessibleName(self.title.text())
        self.setAccessibleDescription(self.caption.text())
        self.bar.setAccessibleName(self.title.text())
        self.bar.setVisible(transfer.active or (transfer.phase is Phase.FAILED and transfer.done > 0))
        self.bar.setRange(0, 1000 if transfer.total or transfer.phase is Phase.PAUSED else 0)
        self.bar.setValue(round(1000 * transfer.done / transfer.total) if transfer.total else 0)
        self.steps.setVisible(transfer.phase is Phase.FAILED and transfer.steps is not None)
        if transfer.steps is not None:
            self.steps.show_steps(transfer.steps)
        self._show_buttons(transfer)

    def _show_buttons(self, transfer: Transfer) -> None:
        failed, running = transfer.phase is Phase.FAILED, transfer.phase is Phase.RUNNING
        started = running and self._installer.busy
        pausable = transfer.what in ("install", "import", "repair", "verify")
        damaged = failed and "ace models repair" in transfer.error
        wants_account = failed and transfer.steps is not None
        shown = {
            "details": failed and bool(transfer.details),
            "account": wants_account and transfer.what == "install" and self._otherwise(transfer.model),
            "fetch": failed and transfer.what == "import" and _MISSING in transfer.error,
            "repair": damaged,
            "pause": started and pausable,
            "continue": (failed and not damaged and not wants_account)
            or transfer.phase is Phase.PAUSED
            or (running and not started),
            "cancel": transfer.active,
            "close": not transfer.active,
        }
        for name, visible in shown.items():
            self.buttons[name].setVisible(visible)
        self.buttons["cancel"].setEnabled(transfer.phase is not Phase.STOPPING)

    def _open(self, page: str) -> None:
        QDesktopServices.openUrl(QUrl(page))

    def _copy(self) -> None:
        if (transfer := self._installer.transfer) is not None:
            QGuiApplication.clipboard().setText(f"{transfer.error}\n\n{transfer.details}")

    def _skip_account(self) -> None:
        if (transfer := self._installer.transfer) is not None:
            self.without_account.emit(transfer.model)

    def _fetch_missing(self) -> None:
        if (transfer := self._installer.transfer) is not None:
            self._installer.start(("import", "--fetch-missing", *transfer.arguments[1:]))

    def _repair(self) -> None:
        if (transfer := self._installer.transfer) is not None:
            self._installer.repair(transfer.model)

    def _enter(self, secret: str) -> None:
        self.steps.wait()
        self._installer.log_in(secret, self._answered)

    def _answered(self, problem: str) -> None:
        self.steps.answer(problem)
        if not problem:
            self._installer.go_on()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()
        super().changeEvent(event)
