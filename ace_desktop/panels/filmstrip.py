"""The strip of results below the canvas: compare, star, reject, accept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QMimeData, QPoint, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDrag, QGuiApplication, QPixmap
from PySide6.QtWidgets import QFileDialog, QLabel, QMenu, QVBoxLayout, QWidget

from ..background import Background
from ..dialogs import confirm_deletion
from ..document.result_layers import result_of_layer
from ..document.results import Result
from ..document.state import State, walk
from ..translation import tr
from .recipe_view import RecipeView
from .result_bar import ResultBar, accept_words
from .result_files import ResultFiles, file_name, write_result
from .result_model import RESULT_MIME, SIDE, THUMBNAIL, Item, ResultModel, pending_of
from .result_preview import ResultPreview
from .result_space import deletable, freed_words, size_words
from .result_view import ResultView
from .thumbnails import straight_image

if TYPE_CHECKING:
    from ..editing import Editing

_SEARCH_MS = 150


class Filmstrip(QWidget):
    """The results of one document, newest first, and those on their way; hidden while there are none.

    What is chosen is shown on the canvas without touching the document; what the pointer rests on as well, as long
    as it stays there.
    """

    failed = Signal(object)
    """An Exception to be explained."""
    chosen_changed = Signal()
    """Another result is chosen, or marked, or none."""
    deleted = Signal(str, object, object)
    """A sentence for the message bar, a call that brings back what was deleted, and one that frees the disk of it."""

    def __init__(
        self,
        editing: Editing,
        background: Background,
        parent: QWidget | None = None,
        *,
        with_recipe: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("filmstrip")
        self.hide()  # a layout shows what was never hidden
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._editing, self._background = editing, background
        self._wanted = True
        self._shown = ("", None)
        self._before = False
        self._known: frozenset[str] | None = None
        self._found: tuple[Result, ...] = ()
        self._any = False
        self.wipe_at: float | None = None
        """Where the line of the comparison stands, 0..1; None while there is none."""
        self.model = ResultModel(self)
        self.view = ResultView(self.model, self)
        self.bar = ResultBar(self)
        self.files = ResultFiles(editing.results, background, with_recipe, self)
        self.preview = ResultPreview(editing.results, background, self)
        self.nothing = QLabel(self)
        self.nothing.setObjectName("caption")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.view)
        column.addWidget(self.nothing)
        self._search = QTimer(self, interval=_SEARCH_MS, singleShot=True)
        self._search.timeout.connect(self.refresh)
        self._connect()
        self.files.clear()
        self.refresh()

    def _connect(self) -> None:
        editing, view, bar = self._editing, self.view, self.bar
        editing.results_changed.connect(self._results_changed)
        editing.jobs_changed.connect(self._show_items)
        editing.session.changed.connect(self._document_changed)
        self.model.thumbnail_wanted.connect(self._make_thumbnail)
        view.selectionModel().selectionChanged.connect(self._choose)
        view.rested.connect(self._rest)
        view.accept_wanted.connect(self.accept)
        view.before_wanted.connect(self.show_before)
        view.key_wanted.connect(self.mark)
        view.wipe_wanted.connect(self._nudge)
        view.pressed_on.connect(self._prepare)
        view.drag_wanted.connect(self._drag)
        view.escaped.connect(self.view.clearSelection)
        view.customContextMenuRequested.connect(self._menu)
        bar.accept_button.clicked.connect(lambda: self.accept(self.view.chosen))
        bar.star_button.clicked.connect(lambda: self.mark("star", self.view.chosen))
        bar.reject_button.clicked.connect(lambda: self.mark("reject", self.view.chosen))
        bar.delete_button.clicked.connect(lambda: self.mark("delete", self.view.chosen))
        bar.before_button.pressed.connect(lambda: self.show_before(True))
        bar.before_button.released.connect(lambda: self.show_before(False))
        bar.wipe_button.toggled.connect(self._divide)
        bar.field.textChanged.connect(lambda: self._search.start())
        bar.tasks.activated.connect(lambda: self.refresh())
        bar.space_button.clicked.connect(self._open_space_menu)

    # What it shows

    def refresh(self) -> None:
        """Show the results and jobs as they are now."""
        store, chosen = self._editing.results, self.view.chosen
        everything = store.all()
        self.bar.show_tasks(sorted({result.task for result in everything}))
        words, task = self.bar.field.text(), self.bar.task
        self._found = store.search(words, task) if words or task else everything
        self._any = bool(everything)
        self._show_items()
        if self.view.chosen != chosen:
            self._choose()
        self.bar.show_space(store.bytes_used, store.budget, claimed=store.claimed)
        self.bar.show_result(store.get(self.view.chosen) if self.view.chosen else None)
        self.chosen_changed.emit()

    def _show_items(self) -> None:
        """Show what is on its way beside the results that were found; quick, since every step asks for it."""
        chosen = self.view.chosen
        items: list[Item] = [*pending_of(self._editing.jobs), *self._found]
        blocked = self.view.selectionModel().blockSignals(True)
        self.model.show(items)
        index = self.model.index_of(chosen)
        if index.isValid() and self.view.chosen != chosen:
            self.view.setCurrentIndex(index)
        self.view.selectionModel().blockSignals(blocked)
        self.nothing.setText(tr("No result has these words."))
        self.nothing.setVisible(not items and self._any)
        self.nothing.setFixedHeight(self.view.height())
        self.view.setVisible(bool(items))
        self._appear(bool(items) or self._any)

    def _results_changed(self) -> None:
        self.refresh()
        self._welcome(self._editing.results.all())

    def _welcome(self, everything: tuple[Result, ...]) -> None:
        """Show the first new result of a run in the place of its preview, unless the person looks at another one.

        What is there when results are told for the first time, as they were read from the disk, is not new.
        """
        session = self._editing.session
        known, self._known = self._known, frozenset(result.id for result in everything) | (self._known or frozenset())
        runs = {status.id for status in self._editing.jobs}
        new = [result for result in everything if known is not None and result.id not in known and result.run in runs]
        if new and session.still and not self.view.chosen and self.isVisible():
            self.choose(new[-1].id)

    def _document_changed(self, _rects: object, before: State) -> None:
        """Look at the document again as soon as the person goes on with it."""
        state = self._editing.session.state
        if self.view.chosen and (state.layers is not before.layers or state.edit_mask is not before.edit_mask):
            self.view.clearSelection()

    @property
    def chosen(self) -> Result | None:
        """The chosen result."""
        return self._editing.results.get(self.view.chosen)

    def step(self, way: int) -> None:
        """Choose the next result of the strip, or the one before."""
        shown = [item.id for item in self.model.items if isinstance(item, Result)]
        if shown:
            chosen = self.view.chosen
            place = shown.index(chosen) + way if chosen in shown else 0
            self.choose(shown[min(max(place, 0), len(shown) - 1)])

    def want(self, wanted: bool) -> None:
        """Be seen where there is something to show, or never (canvas only)."""
        self._wanted = wanted
        self.refresh()

    def _appear(self, something: bool) -> None:
        shown = something and self._wanted
        if shown == self.isHidden():
            self.setVisible(shown)

    def _make_thumbnail(self, result_id: str) -> None:
        store = self._editing.results

        def failed(error: Exception) -> None:
            if store.get(result_id) is None:  # deleted meanwhile, or damaged and set aside
                self.refresh()
            else:
                self.failed.emit(error)

        self._background.run(
            lambda: straight_image(store.thumbnail(result_id, SIDE)),
            lambda image: self.model.set_thumbnail(result_id, image),
            failed,
            self.model,
        )

    # Comparing

    def _choose(self) -> None:
        chosen = self.view.chosen
        self.bar.show_result(self._editing.results.get(chosen) if chosen else None)
        self.model.set_related(self._relatives(chosen))
        self._compare(chosen)
        self.chosen_changed.emit()

    def _relatives(self, result_id: str) -> frozenset[str]:
        result = self._editing.results.get(result_id)
        if result is None:
            return frozenset()
        return frozenset({*result.parents, *(child.id for child in self._editing.results.children(result_id))})

    def _rest(self, result_id: str) -> None:
        self._compare(result_id or self.view.chosen)

    def _compare(self, result_id: str) -> None:
        """Show a result on the canvas, or the document alone; nothing where it is so already."""
        result = self._editing.results.get(result_id)
        if result is not None and result.foreign:
            index = self.model.index_of(result_id)
            self.preview.show(result_id, self.view.visualRect(index).translated(self.view.pos()))
            result_id = ""
        else:
            self.preview.hide()
        wanted = ("", None) if self._before or not result_id else (result_id, self.wipe_at)
        if wanted != self._shown:
            self._shown = wanted
            self._editing.compare(wanted[0] or None, wanted[1])

    def show_before(self, before: bool) -> None:
        """Show the picture without the result, as long as a key or the button is held."""
        self._before = before
        self._compare(self.view.chosen)

    def wipe(self, at: float | None) -> None:
        """Put the dividing line there (0..1), or take it away."""
        self.wipe_at = None if at is None else min(max(at, 0.005), 0.995)
        if self.bar.wipe_button.isChecked() != (at is not None):
            self.bar.wipe_button.setChecked(at is not None)
        self._compare(self._shown[0] or self.view.chosen)
        self.chosen_changed.emit()

    def _divide(self, on: bool) -> None:
        if on != (self.wipe_at is not None):
            self.wipe(0.5 if on else None)

    def _nudge(self, way: float) -> None:
        if self.view.chosen:
            self.wipe((0.5 if self.wipe_at is None else self.wipe_at) + (way if self.wipe_at is not None else 0))

    # Deciding

    def accept(self, result_id: str) -> None:
        """Make a result a layer, and show the document as it is then."""
        if result_id:
            if self.bar.isAncestorOf(self.window().focusWidget()):
                self.view.setFocus()  # the button that was pressed is of no use now
            self.view.clearSelection()
            self._compare("")
            self._editing.accept(result_id)

    def mark(self, wanted: str, result_id: str) -> None:
        """Star, reject or delete a result; what has a mark already loses it."""
        result = self._editing.results.get(result_id)
        if result is None:
            return
        if wanted == "star":
            self._editing.star(result.id, not result.starred)
        elif wanted == "reject":
            self._editing.reject(result.id, not result.rejected)
        else:
            self.delete([result])

    def delete(self, results: list[Result]) -> None:
        """Take results away; `deleted` offers to bring them back."""
        row = self.model.index_of(results[0].id).row()
        ids = [result.id for result in results]
        self._editing.delete(*ids)
        if len(results) == 1 and row >= 0:
            after = self.model.index(min(row, self.model.rowCount() - 1), 0)
            if self.model.result(after) is not None:
                self.view.setCurrentIndex(after)

        one = tr("The result was deleted.")
        self.deleted.emit(
            one if len(results) == 1 else tr("{number} results were deleted.", number=len(results)),
            partial(self._editing.restore, *ids),
            partial(self._editing.purge, ids),
        )

    # Menus

    def _menu(self, at: QPoint) -> None:
        result = self.model.result(self.view.indexAt(at))
        if result is not None:
            self.menu_of(result).popup(self.view.viewport().mapToGlobal(at))

    def menu_of(self, result: Result) -> QMenu:
        """Make the menu of a result."""
        editing, menu = self._editing, QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def add(text: str, do: Callable[[], object]) -> None:
            menu.addAction(text).triggered.connect(lambda _checked=False: do())

        add(accept_words(result), partial(self.accept, result.id))
        add(tr("Remove star") if result.starred else tr("Star"), partial(self.mark, "star", result.id))
        add(tr("Not rejected") if result.rejected else tr("Reject"), partial(self.mark, "reject", result.id))
        menu.addSeparator()
        add(tr("More like this"), partial(editing.more_like, result.id))
        add(tr("Same seed, other words"), partial(editing.same_seed, result.id))
        layer_id = self._layer_of(result.id)
        if layer_id is not None:
            add(tr("Edit again"), partial(editing.edit_again, layer_id))
            add(tr("Repeat exactly"), partial(editing.repeat_exactly, layer_id))
        menu.addSeparator()
        add(tr("Show recipe"), partial(self.show_recipe, result.id))
        add(tr("Save as PNG…"), partial(self._save, result))
        menu.addSeparator()
        add(tr("Delete"), partial(self.delete, [result]))
        return menu

    def _layer_of(self, result_id: str) -> str | None:
        layers = walk(self._editing.session.state.layers)
        return next((layer.id for layer in layers if result_of_layer(layer) == result_id), None)

    def show_recipe(self, result_id: str) -> None:
        """Show how a result was made, above its thumbnail."""
        result = self._editing.results.get(result_id)
        if result is None:
            return
        view = RecipeView(self._editing.results, result, self.window())
        view.chosen.connect(self.choose)
        view.open_above(self.view.viewport(), self.view.visualRect(self.model.index_of(result_id)))

    def choose(self, result_id: str) -> None:
        """Choose a result, whatever was searched for."""
        if not self.model.index_of(result_id).isValid():
            self.bar.clear_search()
            self.refresh()
        index = self.model.index_of(result_id)
        if index.isValid():
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index)

    def _open_space_menu(self) -> None:
        menu, button = self.space_menu(), self.bar.space_button
        menu.popup(button.mapToGlobal(QPoint(0, -menu.sizeHint().height() - 4)))

    def space_menu(self) -> QMenu:
        """Make the menu of what could be deleted, which says how long the rest stays."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, results in deletable(self._editing.results):
            action = menu.addAction(freed_words(text, results))
            action.setEnabled(bool(results))
            action.triggered.connect(partial(self._free, results))
        menu.addSeparator()
        menu.addAction(self.bar.kept_words).setEnabled(False)
        return menu

    def _free(self, results: list[Result], _checked: bool = False) -> None:
        """Ask, and delete for good: who wants room wants it now."""
        one = tr("Delete the result?")
        asked = one if len(results) == 1 else tr("Delete {number} results?", number=len(results))
        size = size_words(sum(result.size for result in results))
        more = tr("About {size} become free. They can't be brought back.", size=size)

        def delete() -> None:
            ids = [result.id for result in results]
            self._editing.delete(*ids)
            self._editing.purge(ids)

        confirm_deletion(self.window(), "free", asked, more, delete)

    # Files

    def _prepare(self, result_id: str) -> None:
        result = self._editing.results.get(result_id)
        if result is not None:
            self.files.prepare(result, lambda _: None, lambda _: None)

    def _drag(self, result_id: str) -> None:
        result = self._editing.results.get(result_id)
        if result is not None:
            self.files.prepare(result, self.failed.emit, partial(self._begin_drag, result_id))

    def _begin_drag(self, result_id: str, path: Path) -> None:
        """Drag the file, unless the hand has let go while it was written."""
        if not QGuiApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            return
        drag = QDrag(self.view)
        drag.setMimeData(file_data(path, result_id))
        picture = self.model.data(self.model.index_of(result_id), THUMBNAIL)
        if picture is not None:
            pixmap = QPixmap.fromImage(picture)  # pyright: ignore[reportArgumentType] it is a QImage
            drag.setPixmap(pixmap.scaledToHeight(64, Qt.TransformationMode.SmoothTransformation))
            drag.setHotSpot(QPoint(drag.pixmap().width() // 2, 32))
        drag.exec(Qt.DropAction.CopyAction)

    def _save(self, result: Result) -> None:
        dialog = QFileDialog(self.window(), tr("Save as PNG"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        recipe, store = self.files.with_recipe(), self._editing.results
        dialog.selectFile(f"{file_name(result, recipe)}.png")

        def chosen(name: str) -> None:
            self._background.run(
                lambda: write_result(store, result, Path(name), recipe), lambda _: None, self.failed.emit, self
            )

        dialog.fileSelected.connect(chosen)
        dialog.open()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Never keep the window from being narrow."""
        return QSize(0, super().minimumSizeHint().height())

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Write everything again in another language."""
        if event.type() == QEvent.Type.LanguageChange:
            self.view.setAccessibleName(tr("Results"))
            self.bar.translate()
            self.refresh()
        super().changeEvent(event)


def file_data(path: Path, result_id: str) -> QMimeData:
    """Carry a file for other programs, and which result it is for this one."""
    data = QMimeData()
    data.setData(RESULT_MIME, result_id.encode())
    data.setUrls([QUrl.fromLocalFile(str(path))])
    return data
