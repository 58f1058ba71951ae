"""Actions of a window made from their table, and the menu bar, toolbar and context menus made from the actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QActionGroup, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QSizePolicy, QToolBar, QWidget

from .actions import ACTIONS, MENUS, TOOLBAR, ActionKind
from .conditions import CONDITIONS, Situation
from .icons import icon
from .translation import tr

ROLES = {
    "about": QAction.MenuRole.AboutRole,
    "preferences": QAction.MenuRole.PreferencesRole,
    "quit": QAction.MenuRole.QuitRole,
    "field": QAction.MenuRole.TextHeuristicRole,
}
TOOLBAR_BUTTON = QSize(32, 28)
ONLY_ON_CANVAS = frozenset({"view.canvas_only"})
"""Actions whose shortcut is taken only while the canvas has the keyboard: elsewhere Tab goes to the next control."""
OF_FIELDS = ("Tab", "Backspace", "Del")
"""Keys by which fields are left and written in; see `set_shortcuts`."""


def make_actions(
    owner: QWidget,
    kinds: Iterable[ActionKind],
    run: Callable[[str], None],
    shortcuts: Mapping[str, tuple[str, ...]],
    native: bool | None = None,
) -> dict[str, QAction]:
    """Make the actions of a window; `run` gets the id of one that was triggered."""
    made: dict[str, QAction] = {}
    choices: dict[str, QActionGroup] = {}
    for kind in kinds:
        action = QAction(owner)
        action.setObjectName(kind.id)
        action.setCheckable(kind.checkable)
        action.setMenuRole(ROLES.get(kind.role, QAction.MenuRole.NoRole))
        action.setIconVisibleInMenu(False)
        if kind.icon:
            action.setIcon(icon(kind.icon))
        if kind.choice:
            action.setActionGroup(choices.setdefault(kind.choice, QActionGroup(owner)))
        if kind.id in ONLY_ON_CANVAS:
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.triggered.connect(_runner(run, kind.id))
        owner.addAction(action)
        made[kind.id] = action
    name_actions(made, kinds)
    set_shortcuts(made, kinds, shortcuts, native)
    return made


def _runner(run: Callable[[str], None], name: str) -> Callable[[], None]:
    return lambda: run(name)


def name_actions(actions: Mapping[str, QAction], kinds: Iterable[ActionKind]) -> None:
    """Write the actions' names in the language of now."""
    for kind in kinds:
        actions[kind.id].setText(tr(kind.text))


def set_shortcuts(
    actions: Mapping[str, QAction],
    kinds: Iterable[ActionKind],
    chosen: Mapping[str, tuple[str, ...]],
    native: bool | None = None,
) -> None:
    """Give each action the user's shortcuts, otherwise its own.

    A Mac's menu bar (`native`) takes its keys before any control is asked and knows no shortcut of the canvas alone.
    So the keys of fields do not stand in its menus: an action below the real one, which no menu has, listens to them.
    """
    native = is_mac() if native is None else native
    for kind in kinds:
        portable = QKeySequence.SequenceFormat.PortableText
        keys = [QKeySequence(name, portable) for name in chosen.get(kind.id, kind.shortcuts)]
        apart = [key for key in keys if native and key.toString(portable).endswith(OF_FIELDS)]
        if native:  # F11 shows the desktop there: the menu has the other one
            keys.sort(key=lambda key: key.toString(portable) == "F11")
        actions[kind.id].setShortcuts([key for key in keys if key not in apart])
        if native:
            _set_apart(actions[kind.id], apart)


def _set_apart(action: QAction, keys: list[QKeySequence]) -> None:
    listener = action.findChild(QAction)
    if listener is None:
        on_canvas = action.shortcutContext() == Qt.ShortcutContext.WidgetShortcut
        if not keys and not on_canvas:
            return
        listener = QAction(action)
        listener.setShortcutContext(action.shortcutContext())
        listener.triggered.connect(action.trigger)
        action.enabledChanged.connect(listener.setEnabled)
        listener.setEnabled(action.isEnabled())
        owner = action.parent()
        if isinstance(owner, QWidget) and not on_canvas:
            owner.addAction(listener)
    listener.setShortcuts(keys)


def first_key(action: QAction) -> QKeySequence:
    """Give the shortcut that is shown for an action, whether or not its menu has it."""
    listener = action.findChild(QAction)
    return action.shortcut() if listener is None or not action.shortcut().isEmpty() else listener.shortcut()


def enable_actions(actions: Mapping[str, QAction], kinds: Iterable[ActionKind], now: Situation) -> None:
    """Enable what can be used now; the tool tip of the others says why not."""
    holds = {name: condition.holds(now) for name, condition in CONDITIONS.items()}
    for kind in kinds:
        action = actions[kind.id]
        action.setEnabled(holds[kind.enabled])
        action.setToolTip(tool_tip(action) if holds[kind.enabled] else tr(CONDITIONS[kind.enabled].reason))


def tool_tip(action: QAction) -> str:
    """Give an action's name with its first shortcut."""
    keys = first_key(action).toString(QKeySequence.SequenceFormat.NativeText)
    name = action.text().rstrip("…")
    return f"{name} ({keys})" if keys else name


def fill_menu_bar(bar: QMenuBar, actions: Mapping[str, QAction], kinds: Iterable[ActionKind]) -> dict[str, QMenu]:
    """Build the menus; returns every menu by its path."""
    bar.clear()
    menus: dict[str, QMenu] = {}
    for name in MENUS:
        menus[name] = bar.addMenu(tr(name))
        menus[name].setToolTipsVisible(True)
    sections: dict[str, int] = {}
    for kind in kinds:
        if not kind.menu:
            continue
        top, _, below = kind.menu.partition("/")
        if sections.get(top, kind.section) != kind.section and not (below and kind.menu in menus):
            menus[top].addSeparator()
        if below and kind.menu not in menus:
            menus[kind.menu] = menus[top].addMenu(tr(below))
            menus[kind.menu].setToolTipsVisible(True)
        if below:
            if sections.get(kind.menu, kind.section) != kind.section:
                menus[kind.menu].addSeparator()
            sections[kind.menu] = kind.section
        else:
            sections[top] = kind.section
        menus[kind.menu].addAction(actions[kind.id])
    return menus


def name_toolbar(bar: QToolBar, actions: Mapping[str, QAction]) -> None:
    """Name its buttons for those who hear the window, in the language of now."""
    for name in TOOLBAR:
        if name in actions:
            bar.widgetForAction(actions[name]).setAccessibleName(actions[name].text().rstrip("…"))


def fill_toolbar(bar: QToolBar, actions: Mapping[str, QAction]) -> None:
    """Put the actions of the toolbar into it."""
    for name in TOOLBAR:
        if name in actions:
            bar.addAction(actions[name])
            button = bar.widgetForAction(actions[name])
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            if not is_mac():
                button.setFixedSize(TOOLBAR_BUTTON)
            continue
        gap = QWidget(bar)
        if name == "<":
            gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        else:
            gap.setFixedWidth(8)
        bar.addWidget(gap)
    name_toolbar(bar, actions)


def popup(names: Iterable[str], actions: Mapping[str, QAction], parent: QWidget) -> QMenu:
    """Make a context menu of these actions; "" is a separator. It goes away when it is closed."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setToolTipsVisible(True)
    for name in names:
        menu.addAction(actions[name]) if name else menu.addSeparator()
    return menu


def list_recent(menu: QMenu, last: QAction, names: Iterable[str], open_file: Callable[[Path], None]) -> None:
    """Fill the menu of recent files, before its last action."""
    for action in menu.actions():
        if action is not last:
            menu.removeAction(action)
            action.deleteLater()
    for name in names:
        action = QAction(Path(name).name, menu)
        action.setToolTip(name)
        action.triggered.connect(partial(open_file, Path(name)))
        menu.insertAction(last, action)
    menu.insertSeparator(last)


def list_masks(menu: QMenu, names: Iterable[str], load: Callable[[str], None]) -> None:
    """Fill the menu of saved masks."""
    menu.clear()
    for name in names:
        menu.addAction(name).triggered.connect(partial(load, name))
    menu.setEnabled(not menu.isEmpty())


def conflicts(kinds: Iterable[ActionKind], chosen: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Map shortcuts that several actions have to the ids of those actions."""
    taken: dict[str, list[str]] = {}
    for kind in kinds:
        for key in chosen.get(kind.id, kind.shortcuts):
            portable = QKeySequence(key, QKeySequence.SequenceFormat.PortableText).toString()
            taken.setdefault(portable, []).append(kind.id)
    return {key: ids for key, ids in taken.items() if len(ids) > 1}


def is_mac() -> bool:
    """Tell whether the windows are a Mac's, whose menu bar is the system's; those without a screen are not."""
    return QGuiApplication.platformName() == "cocoa"


def window_kinds(tools: Iterable[ActionKind]) -> tuple[ActionKind, ...]:
    """List the actions of a window: those of the table and one for every tool."""
    return (*ACTIONS, *tools)
