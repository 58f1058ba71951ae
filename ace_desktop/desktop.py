"""The running program: its windows and what they share."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QMimeData, QObject
from PySide6.QtGui import QFileOpenEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from .attention import Attention
from .autosave import Autosaves
from .background import Background
from .document.errors import DocumentError
from .icons import app_icon
from .installer import Installer
from .installing import adopt_model
from .job_news import JobNews
from .main_window import MainWindow
from .model_moving import ModelMover
from .models import Models
from .places import Places, resources
from .sentences import said
from .session import Session
from .settings import Kept, Settings
from .theme import Theme
from .translation import Language, tr

if TYPE_CHECKING:
    from mlx_model.library.moving import Move

    from .arrivals import Arrivals
    from .document.journal import Journal
    from .document.recovery import Recoverable
    from .document.result_stores import ResultStores
    from .document.state import State
    from .editing import Editing
    from .engine.engine import Engine

log = logging.getLogger(__name__)

COLOUR = "#e0413a"  # what brushes begin with
SMALL, ENLARGED = 256, 4.0  # a sample so many pixels wide is shown so many times larger


class FileOpenEvents(QObject):
    """Takes the files that the system asks to open, from the first moment on; keeps them until someone listens."""

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._waiting: list[Path] = []
        self._open: Callable[[Path], None] | None = None
        application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take the events that name a file."""
        if isinstance(event, QFileOpenEvent):
            path = event.url().toLocalFile() or event.file()
            if path:
                self._take(Path(path))
            return True
        return super().eventFilter(watched, event)

    def _take(self, path: Path) -> None:
        if self._open is None:
            self._waiting.append(path)
        else:
            self._open(path)

    def listen(self, open_file: Callable[[Path], None]) -> list[Path]:
        """Call this for every file from now on; returns those that came before."""
        self._open = open_file
        waiting, self._waiting = self._waiting, []
        return waiting


class Desktop(QObject):
    """Holds the windows, the settings, the colours, the language and the threads of the running program."""

    def __init__(self, application: QApplication, places: Places) -> None:
        super().__init__()
        self.places = places
        self.kept = Kept(places.settings / "settings.json", self)
        self.background = Background(parent=self)
        self.language = Language(resources() / "translations", self)
        self.language.use(self.kept.value.language)
        self.theme = Theme(application, self)
        self.theme.use(self.kept.value.theme)
        self.autosave = Autosaves(places.journals, self.background, self.kept, self)
        self.models = Models(self.kept, self.background, self)
        self.installer = Installer(places.settings / "transfer.json", self._installer_environment, self)
        self.mover = ModelMover(self._works_in, self)
        self.attention = Attention(application, self)
        self._engine: Engine | None = None
        self._results: ResultStores | None = None
        self._arrivals: Arrivals | None = None
        self.attention.wanted = self.kept.value.notify
        self.windows: list[MainWindow] = []
        self._quitting = False
        self._dragged = tempfile.TemporaryDirectory(prefix="ace-desktop-")
        application.setWindowIcon(app_icon())
        self.kept.changed.connect(self._settings_changed)
        self.autosave.failed.connect(self._autosave_failed)
        self.mover.moved.connect(self._models_moved)
        self.mover.failed.connect(self._autosave_failed)

    # Windows

    def new_window(self, session: Session | None = None) -> MainWindow:
        """Open a window, a little off the one before."""
        window = MainWindow(self, session)
        if self.windows:
            window.move(self.windows[-1].pos().x() + 24, self.windows[-1].pos().y() + 24)
        self.windows.append(window)
        window.show()
        return window

    def active_window(self) -> MainWindow | None:
        """Give the window that the user works in."""
        found = QApplication.activeWindow()
        return found if isinstance(found, MainWindow) else self.windows[-1] if self.windows else None

    def show(self, session: Session, window: MainWindow | None = None) -> MainWindow:
        """Show a document: in the given window if that is empty, otherwise in another one."""
        if window is not None and window.session is None and window in self.windows:
            window.set_session(session)
            return window
        empty = next((other for other in self.windows if other.session is None), None)
        if empty is not None:
            empty.set_session(session)
            empty.activateWindow()
            return empty
        return self.new_window(session)

    def closed(self, window: MainWindow) -> None:
        """Forget a window that is closing."""
        if window in self.windows:
            self.windows.remove(window)
            self.autosave.forget(window)
            window.set_session(None)
            window.deleteLater()
        if self._quitting:
            self.quit()

    def quit(self) -> None:
        """Close all windows, asking where something would be lost; then end."""
        self._quitting = bool(self.windows)
        if self.windows:
            self.windows[-1].close()
        else:
            QApplication.quit()

    def stay(self) -> None:
        """End an attempt to quit."""
        self._quitting = False

    # Edits

    @property
    def engine(self) -> Engine:
        """What carries edits out. It is begun when it is asked for first, not before the first window is there."""
        if self._engine is None:
            from .engine.engine import Engine

            kept = self.kept.value
            self._engine = Engine(self.places.data / "jobs", parent=self)
            self._engine.change(**_of_engine(kept))
            JobNews(self._engine, self.attention, self._to_front, self._engine)
        return self._engine

    def take_up_jobs(self) -> None:
        """Begin the engine, which lists what an earlier run of the program left undone."""
        _ = self.engine

    @property
    def results(self) -> ResultStores:
        """The results of all projects."""
        if self._results is None:
            from .document.result_stores import ResultStores

            self._results = ResultStores(self.places.data / "results", self.kept.value.results_budget)
            self.background.run(self._results.sweep, lambda _: None, lambda error: log.info("%s", error), self)
        return self._results

    def edit(self, session: Session) -> Editing:
        """Make the edit of a document that is shown; it goes with the session."""
        from .arrivals import Arrivals
        from .editing import Editing

        if self._arrivals is None:
            self._arrivals = Arrivals(self.engine, self.results, self.background, self)
        adopt_model(session, self.models.chosen)
        return Editing(session, self._arrivals, self.background, self.models.find, session)

    # Files

    def open(self, path: Path, window: MainWindow | None = None) -> None:
        """Open a file in a window; one that is open already comes to the front."""
        path = path.absolute()
        if self._is_open(path):
            return

        def done(state: State) -> None:
            if self._is_open(path):  # it was asked for twice
                return
            self.show(Session(state, path), window)
            self.kept.set(self.kept.value.with_recent(path))

        self.read(path, done, window)

    def showing(self, path: Path) -> MainWindow | None:
        """Give the window that shows a file, by whatever name it was opened."""
        shown = ((window, window.session.path) for window in self.windows if window.session is not None)
        return next((window for window, other in shown if other is not None and _same(other, path)), None)

    def _is_open(self, path: Path) -> bool:
        """Bring the window that shows a file to the front; False where none does."""
        window = self.showing(path)
        if window is not None:
            window.activateWindow()
        return window is not None

    def read(self, path: Path, done: Callable[[State], None], window: MainWindow | None) -> None:
        """Read a file in a thread; `window` is told of what went wrong and of what was not kept."""
        teller = window or self.active_window() or self.new_window()
        warnings: list[str] = []
        teller.status.say(tr("Opening {name}…", name=path.name))

        results = self.results

        def work() -> State:
            from .document.projects import open_project

            return open_project(path, results, warnings.append)

        def read(state: State) -> None:
            teller.status.clear()
            done(state)
            for warning in warnings[:1]:
                (self.active_window() or teller).message.say(said(warning), "\n".join(warnings))

        self.background.run(work, read, teller.fail, teller)

    def open_sample(self, name: str, window: MainWindow) -> None:
        """Open a sample project, unsaved and without a file of its own."""
        from .samples import SAMPLES, sample_state

        sample = next(sample for sample in SAMPLES if sample.name == name)
        words = tr(sample.words)

        def done(state: State) -> None:
            shown = self.show(Session(state), window)
            if state.width < SMALL:
                shown.view.zoom_to(ENLARGED)

        self.background.run(lambda: sample_state(sample, words), done, window.fail, window)

    def recover(self, item: Recoverable) -> None:
        """Bring back a document that was open when the program ended unexpectedly."""

        def work() -> tuple[State, Journal]:
            from .document import recovery
            from .document.journal import Journal

            state = recovery.recover(item)
            journal = Journal(self.places.journals, item.title, item.path, self.autosave.failed.emit)
            if journal.write(state):  # the old one goes only when the new one holds everything
                recovery.discard(item)
            return state, journal

        def done(result: tuple[State, Journal]) -> None:
            state, journal = result
            session = Session(state, item.path)
            session.history.mark_saved(replace(state))  # another state than any here: what is here is not saved
            window = self.show(session)
            self.autosave.adopt(window, journal)
            window.status.say(tr("Restored “{name}”. Save it to keep it.", name=item.title))

        teller = self.active_window() or self.new_window()
        self.background.run(work, done, teller.fail, teller)

    def with_layer_file(self, window: MainWindow, data: QMimeData, ids: list[str]) -> QMimeData:
        """Give a drag's data with a PNG file of the dragged layers for other programs."""
        from .dragging import WithFile, layers_as_png, place_of

        if window.session is None:
            return data
        state, folder = window.session.state, Path(self._dragged.name)
        where = place_of(state, ids, folder)
        return WithFile(data, lambda: layers_as_png(state, ids, folder), self.background, window.fail, window, where)

    # What windows share

    @property
    def colour(self) -> str:
        """The colour that brushes and fills use."""
        value = self.kept.value.tool_options.get("*", {}).get("colour", COLOUR)
        if isinstance(value, str):
            return value
        return "#" + "".join(f"{int(part):02x}" for part in value[:3])

    def clipboard_has_picture(self) -> bool:
        """Tell whether there is a picture to paste."""
        data = QGuiApplication.clipboard().mimeData()
        return bool(data and data.hasImage())

    def _to_front(self) -> None:
        if (window := self.active_window()) is not None:
            window.activateWindow()
            window.raise_()

    def _installer_environment(self) -> dict[str, str]:
        moving = self.mover.move  # what is asked for meanwhile waits for the end, and goes where they are then
        return {"ACE_MODELS": str(self.models.folder if moving is None else moving.there)}

    def show_models(self, window: MainWindow) -> None:
        """Open the models page over a window."""
        from .panels.models_page import ModelsPage

        page = self._models_page()
        if page is None:
            page = ModelsPage(self.models, self.installer, window, self._uses_model)
            page.show()
        page.activateWindow()

    def _models_moved(self, move: Move) -> None:
        if self._engine is not None:
            self._engine.models_moved(move.here, move.there)
        usual = move.there == self.models.usual_folder
        self.kept.change(models_folder="" if usual else str(move.there))

    def _works_in(self, folder: Path) -> bool:
        return self._engine is not None and self._engine.works_in(folder)

    def _uses_model(self, name: str) -> bool:
        return name in self.models_in_use()

    def models_in_use(self) -> set[str]:
        """Name the models that edits which run or wait need."""
        jobs = () if self._engine is None else self._engine.jobs
        return {job.job.model for job in jobs if job.phase in ("waiting", "running")}

    @property
    def shows_models(self) -> bool:
        """Whether the models page is open."""
        return self._models_page() is not None

    def _models_page(self) -> QWidget | None:
        return next((page for page in QApplication.topLevelWidgets() if page.objectName() == "models"), None)

    def welcome(self, window: MainWindow) -> None:
        """Show the page that a window without a document has, in this window or another one."""
        if window.session is not None:
            window = next((other for other in self.windows if other.session is None), None) or self.new_window()
        window.activateWindow()

    def show_preferences(self, window: MainWindow, page: str = "general") -> None:
        """Open the preferences over a window."""
        from .preferences import Preferences

        found = window.findChild(Preferences)
        preferences = found or Preferences(self, window)
        preferences.show_page(page)
        preferences.show()
        preferences.activateWindow()

    def _autosave_failed(self, text: str) -> None:
        if (window := self.active_window()) is not None:
            window.fail(DocumentError(text))

    def _settings_changed(self, before: Settings) -> None:
        now = self.kept.value
        if now.theme != before.theme:
            self.theme.use(now.theme)
        if now.language != before.language:
            self.language.use(now.language)
        if self._engine is not None and _of_engine(now) != _of_engine(before):
            self._engine.change(**_of_engine(now))
        if self._results is not None and now.results_budget != before.results_budget:
            self._results.change_budget(now.results_budget)
            for window in self.windows:
                if window.editing is not None:
                    window.editing.results_changed.emit()
        self.attention.wanted = now.notify

    def close(self) -> None:
        """End everything that runs; windows are closed before."""
        if self._engine is not None:
            self._engine.close()
        self.installer.close()
        self.mover.close()
        self.attention.close()
        self.autosave.close()
        self.background.close()
        self.kept.flush()
        self._dragged.cleanup()


def _of_engine(kept: Settings) -> dict[str, Any]:
    """Give what `Engine.change` takes."""
    precision = None if kept.precision == "automatic" else kept.precision
    return {"memory_limit": kept.memory_limit or None, "idle_minutes": kept.idle_minutes, "precision": precision}


def _same(one: Path, other: Path) -> bool:
    """Tell whether two names lead to one file: links, and disks that do not tell capital letters."""
    with contextlib.suppress(OSError):
        return one == other or one.samefile(other)
    return False
