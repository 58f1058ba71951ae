"""A window with one document: tools left, canvas in the middle, inspector right."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QFileInfo, QSize, Qt, QTimer
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QContextMenuEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QIcon,
    QKeyEvent,
)
from PySide6.QtWidgets import (
    QFileIconProvider,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QSplitter,
    QStackedWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from . import hangul_keys, menus
from .actions import CANVAS_MENU
from .canvas.tools import TOOLS
from .canvas.view import CanvasView
from .commands import CHECKED, COMMANDS
from .commands.file import ask_to_close
from .commands.mask import load_mask
from .conditions import CONDITIONS, Situation
from .panels.inspector import WIDTHS as INSPECTOR
from .panels.inspector import Inspector
from .panels.message_bar import MessageBar
from .panels.status import Status
from .panels.tool_column import PREFIX, ToolColumn, tool_actions
from .panels.tool_options import COLOUR_PLACE, PAINT_PLACE, OptionValues, ToolOptions
from .panels.transform_fields import fields_of
from .panels.welcome import Welcome
from .reporting import explain
from .session import Session
from .settings import Settings
from .translation import tr

if TYPE_CHECKING:
    from .desktop import Desktop
    from .document.openraster_write import Saved
    from .document.target import Target
    from .document_panels import DocumentPanels
    from .editing import Editing
    from .panels.instruct import InstructPanel
    from .panels.layers import LayersPanel
    from .panels.reference_board import ReferenceBoard

TOOLBAR_HEIGHT = 40


class MainWindow(QMainWindow):
    """Shows a session, or how to begin where there is none.

    What actions do stands in `commands`; this holds the parts together and follows the document and the settings.
    """

    def __init__(self, desktop: Desktop, session: Session | None = None) -> None:
        super().__init__()
        self.desktop = desktop
        self.session: Session | None = None
        self.panels: DocumentPanels | None = None
        self.last_save: Saved | None = None
        self.saving = False
        self.closing = False
        self.held = False
        self.setAcceptDrops(True)
        self.setUnifiedTitleAndToolBarOnMac(True)
        self.kinds = menus.window_kinds(tool_actions())
        self.actions_by_id = menus.make_actions(self, self.kinds, self.run, desktop.kept.value.shortcuts)
        self.view = CanvasView(session, self)
        only = self.actions_by_id["view.canvas_only"]
        self.view.addActions([only, *only.findChildren(QAction)])
        self.welcome = Welcome(self.actions_by_id, self)
        self.welcome.sample_wanted.connect(self._open_sample)
        self.welcome.models_wanted.connect(lambda: desktop.show_models(self))
        self._stack = QStackedWidget(self)  # the canvas, or how to begin
        self.message = MessageBar(self)
        self.status = Status(self)
        self.options = ToolOptions({"move": lambda strip: fields_of(self.view, strip)}, self)
        self.tools = ToolColumn(self.actions_by_id, [kind for kind in self.kinds if kind.id.startswith(PREFIX)], self)
        self.inspector = Inspector(desktop.kept, self)
        self._toolbar = QToolBar(self)
        self.menus: dict[str, QMenu] = {}
        self._lay_out()
        self._build_menus()
        self.tool_id = ""
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(0)
        self._refresh.timeout.connect(self.refresh)
        self._connect()
        self.set_session(session)
        self._restore_geometry()

    # What it is made of

    def _lay_out(self) -> None:
        self._toolbar.setMovable(False)
        self._toolbar.setIconSize(QSize(20, 20))
        self._toolbar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        menus.fill_toolbar(self._toolbar, self.actions_by_id)
        if not menus.is_mac():
            self._toolbar.setFixedHeight(TOOLBAR_HEIGHT)
        self.addToolBar(self._toolbar)
        middle = QWidget(self)
        self._middle = column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.message)
        self._stack.addWidget(self.view)
        self._stack.addWidget(self.welcome)
        column.addWidget(self._stack, 1)
        column.addWidget(self.status)
        self._splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._splitter.setHandleWidth(1)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(middle)
        self._splitter.addWidget(self.inspector)
        self._splitter.setStretchFactor(0, 1)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.tools)
        row.addWidget(self._splitter, 1)
        self._whole = QWidget(self)
        outer = QVBoxLayout(self._whole)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self.options)
        outer.addLayout(row, 1)
        self.setCentralWidget(self._whole)
        for part in (self.tools, self.options, self.status):
            part.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.resize(1280, 832)

    def _build_menus(self) -> None:
        for menu in self.menus.values():
            menu.deleteLater()  # the bar only lets it go
        self.menus = menus.fill_menu_bar(self.menuBar(), self.actions_by_id, self.kinds)
        self.menus["File/Open recent"].aboutToShow.connect(self._list_recent)
        self.menus["Mask"].aboutToShow.connect(self._list_masks)
        self._masks_menu = QMenu(tr("Load mask"), self.menus["Mask"])
        self.menus["Mask"].insertMenu(self.actions_by_id["mask.tint"], self._masks_menu)
        self.menus["Mask"].insertSeparator(self.actions_by_id["mask.tint"])

    def _connect(self) -> None:
        kept, theme = self.desktop.kept, self.desktop.theme
        kept.changed.connect(self._settings_changed)
        theme.changed.connect(self.update)
        self.desktop.models.changed.connect(self._models_changed)
        self.view.zoom_changed.connect(self.status.show_zoom)
        self.view.pointer_moved.connect(self.status.show_position)
        self.view.message.connect(self.status.say)
        self.view.alone_changed.connect(self._alone_changed)
        self.view.option_wanted.connect(self.set_option)
        QGuiApplication.clipboard().dataChanged.connect(self._refresh.start)

    # What it shows

    def set_session(self, session: Session | None) -> None:
        """Show another document; the one before is let go."""
        if self.session is not None:
            self.session.history_changed.disconnect(self._refresh.start)
            self.session.changed.disconnect(self._state_changed)
            self.session.path_changed.disconnect(self._title)
        before, self.session = self.session, session
        self.paint_on_mask(False)
        self.last_save = None
        self.view.set_session(session)
        self._show_panels()
        self._stack.setCurrentWidget(self.welcome if session is None else self.view)
        if session is None:
            self.welcome.draw_samples()
        if session is not None:
            session.setParent(self)
            session.history_changed.connect(self._refresh.start)
            session.changed.connect(self._state_changed)
            session.path_changed.connect(self._title)
            self.status.show_zoom(self.view.zoom)
        if before is not None:
            before.deleteLater()
        self.choose_tool(self.tool_id or self.desktop.kept.value.tool or TOOLS[0].id)
        self.status.show_state(session.state if session else None)
        self.desktop.autosave.follow(self)
        self._title()
        self.refresh()

    def _show_panels(self) -> None:
        """Show the panels of the document that is here now, which go with it."""
        if self.panels is not None:
            self.panels.close()
            self.panels = None
        shown = self.session is not None and not self.canvas_only
        for part in (self.inspector, self.tools, self.status):
            part.setVisible(shown)
        if self.session is not None:
            from .document_panels import DocumentPanels  # not before there is a document: OpenCV comes with it

            self.panels = DocumentPanels(self, self.session)
            self._middle.insertWidget(self._middle.indexOf(self.status), self.panels.filmstrip)

    @property
    def editing(self) -> Editing | None:
        """The edit of the document that is here."""
        return self.panels.editing if self.panels else None

    @property
    def instruct(self) -> InstructPanel | None:
        """The Instruct panel; there with a document."""
        return self.panels.instruct if self.panels else None

    @property
    def board(self) -> ReferenceBoard | None:
        """The reference board; there with a document."""
        return self.panels.board if self.panels else None

    @property
    def layers(self) -> LayersPanel | None:
        """The layers panel; there with a document."""
        return self.panels.layers if self.panels else None

    def _state_changed(self) -> None:
        if self.session is not None:
            self.status.show_state(self.session.state)
        self._refresh.start()

    def _title(self) -> None:
        path = self.session.path if self.session else None
        self.setWindowFilePath(str(path) if path else "")
        if menus.is_mac():  # where a window shows its file's icon in the title, or else the program's with its bar
            self.setWindowIcon(QFileIconProvider().icon(QFileInfo(str(path))) if path else QIcon())
        name = path.name if path else tr("Untitled") if self.session else "ACE Desktop"
        self.setWindowTitle(f"{name}[*]")
        self.setWindowModified(bool(self.session and self.session.modified))

    @property
    def name(self) -> str:
        """What the document is called in sentences."""
        path = self.session.path if self.session else None
        return path.stem if path else tr("Untitled")

    def refresh(self) -> None:
        """Enable, check and name the actions as the document now is."""
        menus.enable_actions(self.actions_by_id, self.kinds, self._situation())
        for name, checked in CHECKED.items():
            self.actions_by_id[name].setChecked(checked(self))
        history = self.session.history if self.session else None
        undo, redo = (history.undo_label, history.redo_label) if history else (None, None)
        self.actions_by_id["edit.undo"].setText(tr("Undo {step}", step=tr(undo)) if undo else tr("Undo"))
        self.actions_by_id["edit.redo"].setText(tr("Redo {step}", step=tr(redo)) if redo else tr("Redo"))
        self.setWindowModified(bool(self.session and self.session.modified))

    def reason(self, action_id: str) -> str:
        """Say why an action cannot be used now; empty where it can."""
        kind = next(kind for kind in self.kinds if kind.id == action_id)
        condition = CONDITIONS[kind.enabled]
        return "" if condition.holds(self._situation()) else tr(condition.reason)

    def _situation(self) -> Situation:
        kept = self.desktop.kept.value
        result = self.panels.filmstrip.view.chosen if self.panels else ""
        return Situation(self.session, self.desktop.clipboard_has_picture(), bool(kept.recent), self.editing, result)

    def refresh_soon(self) -> None:
        """Refresh the actions when what is going on now is over."""
        self._refresh.start()

    # What it does

    def run(self, action_id: str) -> None:
        """Do what an action is for."""
        if self.held:
            return
        if action_id.startswith(PREFIX):
            self.choose_tool(action_id.removeprefix(PREFIX))
        else:
            COMMANDS[action_id](self)
        self._refresh.start()

    def choose_tool(self, tool_id: str) -> None:
        """Take a tool into the hand and show its options."""
        kind = next((kind for kind in TOOLS if kind.id == tool_id), TOOLS[0])
        self.tool_id = kind.id
        self.actions_by_id[PREFIX + kind.id].setChecked(True)
        values = OptionValues(kind, self.desktop.kept)
        if self.session is not None:
            self.view.tool = kind.make(self.session, values)
        self.options.show_tool(kind if self.session and not self.canvas_only else None, values)
        self.desktop.kept.change(tool=kind.id)

    def paint_on_mask(self, wanted: bool) -> None:
        """Let strokes go to the active layer's mask, or to its pixels again."""
        options = self.desktop.kept.value.tool_options
        target = "layer mask" if wanted else "pixels"
        self.desktop.kept.change(tool_options={**options, PAINT_PLACE: {"target": target}})
        if self.layers is not None:
            self.layers.view.viewport().update()
        self._refresh.start()

    @property
    def paints_mask(self) -> bool:
        """Whether strokes go to the active layer's mask."""
        return self.desktop.kept.value.tool_options.get(PAINT_PLACE, {}).get("target") == "layer mask"

    def set_option(self, name: str, value: object) -> None:
        """Set an option of the tool in hand, as it asks for."""
        kind = next(kind for kind in TOOLS if kind.id == self.tool_id)
        if any(option.name == name for option in kind.options):
            OptionValues(kind, self.desktop.kept).set(name, value)
        elif name == "colour":
            options = self.desktop.kept.value.tool_options
            self.desktop.kept.change(tool_options={**options, COLOUR_PLACE: {"colour": value}})

    def show_mask_alone(self, target: Target | None) -> None:
        """Show a mask in grey in place of the picture, or the picture again where that one is shown or none is named.

        Strokes go to a layer's mask that is shown.
        """
        wanted = None if target == self.view.alone else target
        if wanted is not None and wanted.kind == "layer mask":
            self.paint_on_mask(True)
        self.view.alone = wanted

    def _alone_changed(self) -> None:
        alone = self.view.alone is not None
        self.status.keep(tr("The mask is shown alone. Press Esc for the picture.") if alone else "")
        self._refresh.start()

    def hold(self, label: str) -> None:
        """Wait for a piece of work: nothing can be edited until `release`."""
        self.status.say(tr("{step}…", step=label))
        self._whole.setEnabled(False)
        self.held = True

    def release(self) -> None:
        """Go on."""
        self.status.clear()
        self._whole.setEnabled(True)
        self.held = False
        (self.focusWidget() or self.view).setFocus()  # it was taken from what could not be used

    def fail(self, error: Exception) -> None:
        """Say what went wrong: errors of files in their own words, others in general ones, with details to copy."""
        self.status.clear()
        text, details = explain(error)
        self.message.say(text, details)

    @property
    def canvas_only(self) -> bool:
        """Whether everything but the canvas is hidden."""
        return self._toolbar.isHidden() and not self.isHidden()

    def show_canvas_only(self, wanted: bool) -> None:
        """Hide everything but the canvas, or show it again."""
        self._toolbar.setHidden(wanted)
        if not menus.is_mac():
            self.menuBar().setHidden(wanted)
        shown = not wanted and self.session is not None
        for part in (self.tools, self.inspector, self.status):
            part.setVisible(shown)
        self.options.setVisible(shown and bool(self.options.fields))
        if self.panels is not None:
            self.panels.follow_settings()

    def command_menu(self) -> QMenu:
        """Make the canvas's context menu."""
        return menus.popup(CANVAS_MENU, self.actions_by_id, self)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802
        """Show the canvas's menu."""
        if self.session is not None and self.view.rect().contains(self.view.mapFromGlobal(event.globalPos())):
            self.command_menu().popup(event.globalPos())

    def _list_recent(self) -> None:
        last = self.actions_by_id["file.clear_recent"]
        recent = self.desktop.kept.value.recent
        menus.list_recent(self.menus["File/Open recent"], last, recent, lambda path: self.desktop.open(path, self))

    def _open_sample(self, name: str) -> None:
        self.desktop.open_sample(name, self)

    def _list_masks(self) -> None:
        masks = self.session.state.masks if self.session else ()
        menus.list_masks(self._masks_menu, masks, partial(load_mask, self))

    # What it is told

    def _settings_changed(self, before: Settings) -> None:
        now = self.desktop.kept.value
        if now.shortcuts != before.shortcuts:
            menus.set_shortcuts(self.actions_by_id, self.kinds, now.shortcuts)
        if now.tool_options != before.tool_options:
            self.options.refresh()
            self.view.update()
        if now.recent != before.recent:
            self._refresh.start()

    def _models_changed(self) -> None:
        shelf = self.desktop.models.shelf
        self.welcome.show_built_in_only(shelf is None or all(model.built_in for model in shelf.here))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the language."""
        if event.type() == QEvent.Type.LanguageChange:
            menus.name_actions(self.actions_by_id, self.kinds)
            menus.name_toolbar(self._toolbar, self.actions_by_id)
            self._build_menus()
            if self.panels is not None:
                self.panels.on_canvas.refresh()
            self._title()
            self._alone_changed()
            self.refresh()
        super().changeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Leave a mask that is shown alone with Esc; choose tools by their letters whatever the keyboard writes."""
        if event.key() == Qt.Key.Key_Escape and self.view.alone is not None:
            self.view.alone = None
        elif not hangul_keys.trigger(event, self.actions_by_id.values()):
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()) and not isinstance(event.source(), QWidget):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Open files that were dropped here."""
        for url in event.mimeData().urls():
            if url.isLocalFile():
                self.desktop.open(Path(url.toLocalFile()), self)
        event.acceptProposedAction()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Ask before something would be lost; go away at once where nothing would."""
        if self.held or (not self.closing and ask_to_close(self)):
            event.ignore()
            return
        geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        self.desktop.kept.change(geometry=geometry, inspector_width=max(self.inspector.width(), INSPECTOR[0]))
        self.desktop.closed(self)
        event.accept()

    def _restore_geometry(self) -> None:
        kept = self.desktop.kept.value
        if kept.geometry:
            self.restoreGeometry(QByteArray.fromBase64(kept.geometry.encode()))
        self._splitter.setSizes([self.width() - 41 - kept.inspector_width, kept.inspector_width])
