"""The parts of a window that belong to its document: the edit, the inspector's sections, the strip of results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer

from .edit_on_canvas import EditOnCanvas
from .panels.before_key import BeforeKey
from .panels.canvas_drops import CanvasDrops
from .panels.filmstrip import Filmstrip
from .panels.inspector import INSTRUCT, LAYERS, REFERENCES
from .panels.instruct import InstructPanel
from .panels.job_line import JobLine
from .panels.layers import LayersPanel
from .panels.reference_board import ReferenceBoard
from .session import Session
from .translation import tr

if TYPE_CHECKING:
    from .document.state import State
    from .main_window import MainWindow
    from .settings import Settings

_OFFER_MS: Final = 60_000
"""How long what was deleted can be brought back, unless something else is said before."""


class DocumentPanels(QObject):
    """Made when a window shows a document, and closed when it shows another."""

    def __init__(self, window: MainWindow, session: Session) -> None:
        super().__init__(window)
        desktop = window.desktop
        self._window = window
        self.editing = desktop.edit(session)
        actions, background = window.actions_by_id, desktop.background
        self.instruct = InstructPanel(self.editing, desktop.models, desktop.kept, background, actions, window)
        self.board = ReferenceBoard(session, background, window)
        self.layers = LayersPanel(session, actions, background, lambda: window.paints_mask, window)
        self.filmstrip = Filmstrip(
            self.editing, background, window, with_recipe=lambda: desktop.kept.value.export_recipe
        )
        self.drops = CanvasDrops(window.view, session, background, desktop.kept, self)
        self.on_canvas = EditOnCanvas(self.editing, window.view, self)
        strip = self.filmstrip
        self.before_key = BeforeKey(window.view, lambda: strip.chosen is not None, strip.show_before, self)
        self.job_line = JobLine(desktop.engine, background, window)
        window.status.show_job_line(self.job_line)
        self._offer = QTimer(self, interval=_OFFER_MS, singleShot=True)
        self._offer.timeout.connect(window.message.clear)
        self.layers.paint_on_mask.connect(window.paint_on_mask)
        self.layers.show_mask_alone.connect(window.show_mask_alone)
        self.layers.carry_files(partial(desktop.with_layer_file, window))
        window.inspector.show_sections(((INSTRUCT, self.instruct), (REFERENCES, self.board), (LAYERS, self.layers)))
        window.inspector.sections[INSTRUCT].folded.connect(self.follow_settings)
        self._connect()
        self.follow_settings()

    def _connect(self) -> None:
        window, editing = self._window, self.editing
        self.instruct.asked.connect(window.run)
        self.instruct.models_wanted.connect(lambda: window.run("models.show"))
        for failing in (self.instruct, self.board, self.filmstrip, self.drops, editing):
            failing.failed.connect(window.fail)
        editing.said.connect(window.status.say)
        editing.document_made.connect(self._show_document)
        self.board.said.connect(window.status.say)
        editing.changed.connect(window.refresh_soon)
        editing.jobs_changed.connect(window.refresh_soon)
        window.desktop.kept.changed.connect(self._settings_changed)
        window.view.wipe_moved.connect(self._wipe)
        self.filmstrip.deleted.connect(self._offer_back)
        self.filmstrip.chosen_changed.connect(window.refresh_soon)
        self.drops.placed.connect(self._say_ready)
        self.board.place_wanted.connect(self.drops.place_in_view)
        self.drops.result_dropped.connect(self.filmstrip.accept)
        self.layers.run_again.connect(editing.rerun)
        editing.stale_changed.connect(lambda: self.layers.show_stale(editing.stale))
        self.layers.show_stale(editing.stale)

    def _show_document(self, state: State) -> None:
        self._window.desktop.show(Session(state))

    def _settings_changed(self, before: Settings) -> None:
        if self._window.desktop.kept.value.show_frame != before.show_frame:
            self.follow_settings()
            self._window.refresh_soon()

    def follow_settings(self) -> None:
        """Show the frame while Instruct is open and the frame is wanted; the strip unless the canvas is alone."""
        window = self._window
        self.filmstrip.want(not window.canvas_only)
        shown = window.inspector.is_open(INSTRUCT) and not window.canvas_only
        self.on_canvas.show_frame(shown and window.desktop.kept.value.show_frame)

    def _wipe(self, wipe: float) -> None:
        self.filmstrip.wipe(wipe)

    def _offer_back(self, sentence: str, back: Callable[[], None], free: Callable[[], None]) -> None:
        """Offer what was deleted for a while; then it is off the disk."""

        def brought_back() -> None:
            self._offer.stop()
            back()

        message = self._window.message
        message.say(sentence, buttons={tr("Bring back"): brought_back}, gone=partial(self._offer_over, free))
        self._offer.start()

    def _offer_over(self, free: Callable[[], None]) -> None:
        self._offer.stop()
        free()

    def _say_ready(self) -> None:
        self._window.inspector.open(INSTRUCT)
        self._window.status.say(tr("Ready. Press Run to blend it in."))

    def close(self) -> None:
        """Take everything away."""
        if self._offer.isActive():
            self._window.message.clear()
        self._window.desktop.kept.changed.disconnect(self._settings_changed)
        self.drops.close()
        self.before_key.close()
        self._window.status.show_job_line(None)
        self._window.view.wipe_moved.disconnect(self._wipe)
        self.on_canvas.close()
        self._window.inspector.show_sections(())
        self.filmstrip.hide()
        self.filmstrip.deleteLater()
        self.deleteLater()
