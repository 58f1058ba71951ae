"""What follows when a model has been installed or deleted: the program switches over, and says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .installer import Phase, Transfer
from .model_words import model_title, transfer_caption, transfer_title
from .models import BUILT_IN
from .translation import tr

if TYPE_CHECKING:
    from .desktop import Desktop
    from .session import Session

_SOURCE = "download"


def follow_installer(desktop: Desktop) -> None:
    """Connect the installer with the models, the icon in the Dock and the windows."""
    installer, models = desktop.installer, desktop.models

    def progress() -> None:
        now = installer.transfer
        shown = now is not None and installer.busy and now.total > 0 and now.what in ("install", "import", "repair")
        desktop.attention.progress(_SOURCE, now.done / now.total if now is not None and shown else None)

    def ended(transfer: Transfer) -> None:
        families = () if models.shelf is None else models.shelf.families
        name = model_title(transfer.model, families)
        title, sentence = transfer_title(transfer, name), transfer_caption(transfer, name)
        ready = transfer.phase is Phase.DONE and transfer.what in ("install", "import")
        if ready:
            models.choose(transfer.model)
            for window in desktop.windows:
                if window.session is not None:
                    switch_over(window.session, transfer.model)
        elif transfer.phase is Phase.DONE and transfer.what == "remove" and transfer.model == models.chosen:
            models.choose(BUILT_IN)
        models.look()
        if transfer.what not in ("install", "import", "repair"):
            return

        def show() -> None:
            if (window := desktop.active_window()) is not None:
                desktop.show_models(window)

        desktop.attention.ended(title, sentence, show)
        if (window := desktop.active_window()) is not None and not desktop.shows_models:
            window.message.say(f"{title}. {sentence}", buttons={tr("Models…"): show}, calm=ready)

    installer.changed.connect(progress)
    installer.ended.connect(ended)


def adopt_model(session: Session, name: str) -> None:
    """Let a document in which no edit was ever set be edited with this model; makes no step of undo."""
    from .document.edit import SETTINGS, settings_of, with_settings

    state = session.state
    if SETTINGS not in state.settings and name != BUILT_IN:
        session.amend(with_settings(state, replace(settings_of(state), model=name)))


def switch_over(session: Session, name: str) -> None:
    """Let an open document that is edited with the built-in model be edited with a full one from now on."""
    from .document.edit import settings_of, with_settings

    settings = settings_of(session.state)
    if settings.model == BUILT_IN:
        session.amend(with_settings(session.state, replace(settings, model=name)))


def begin_with_models(desktop: Desktop) -> None:
    """Look for models, and go on with what was being moved or installed when the program ended."""
    models, mover = desktop.models, desktop.mover
    models.look()

    def usual() -> None:  # where copies are left if the program was killed after it had gone over to the new folder
        mover.settle(models.usual_folder, desktop.installer.go_on_at_start, models.folder)

    mover.settle(models.folder, usual)
