"""What people are told when something goes wrong, and where the rest is written down."""

from __future__ import annotations

import logging
import platform
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler, qVersion

from mlx_model.request import RequestError

from .document.errors import DocumentError
from .sentences import said
from .translation import marked as _
from .translation import tr

log = logging.getLogger("ace_desktop")

NO_MEMORY = _("There is not enough memory for this. Close other documents and try again.")
UNFORESEEN = _("Something went wrong, and nothing was changed. Try again, or copy the details to report it.")
_BYTES = 1 << 20
_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def explain(error: BaseException) -> tuple[str, str]:
    """Give a sentence for the user and the details that can be copied."""
    details = f"{about()}\n\n{''.join(traceback.format_exception(error))}"
    if isinstance(error, DocumentError | RequestError):
        return said(str(error)), details
    return tr(in_english(error)), details


def in_english(error: BaseException) -> str:
    """Give the sentence as it is kept where the language may still change; what was not foreseen is logged."""
    if isinstance(error, DocumentError | RequestError):
        return str(error)
    if isinstance(error, MemoryError):
        return NO_MEMORY
    log.error("unexpected", exc_info=error)
    return UNFORESEEN


def about() -> str:
    """Give the versions of everything that matters, on one line."""
    try:
        ours = version("ace-desktop")
    except PackageNotFoundError:
        ours = "?"
    return f"ACE Desktop {ours}, Python {platform.python_version()}, Qt {qVersion()}, {platform.platform()}"


def write_log(folder: Path) -> None:
    """Keep a log file there, at most two of 1 MiB; without one where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / "ace-desktop.log", maxBytes=_BYTES, backupCount=1, encoding="utf-8")
    except OSError:
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    log.info("%s", about())


def catch(tell: Callable[[str, str], None]) -> None:
    """Let nothing that goes wrong unexpectedly end in a terminal: it is logged, and `tell` gets words and details."""

    def excepthook(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            sys.__excepthook__(_kind, error, _trace)
            return
        tell(*explain(error))

    sys.excepthook = excepthook
    qInstallMessageHandler(_qt_message)


def _qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    logging.getLogger("qt").log(_LEVELS.get(kind, logging.INFO), "%s (%s)", message, context.category or "default")
