"""The table of actions: whole, without conflicts, and everything in the window derives from it."""

from __future__ import annotations

import re
from collections import Counter

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from ace_desktop.actions import ACTIONS, CANVAS_MENU, LAYER_BUTTONS, LAYER_MENU, MENUS, SUBMENUS, TOOLBAR, by_id
from ace_desktop.canvas.tools import TOOLS
from ace_desktop.commands import CHECKED, COMMANDS
from ace_desktop.conditions import CONDITIONS
from ace_desktop.desktop import Desktop
from ace_desktop.icons import names
from ace_desktop.main_window import MainWindow
from ace_desktop.menus import conflicts, window_kinds
from ace_desktop.panels.instruct import LINKS
from ace_desktop.panels.tool_column import tool_actions
from ace_desktop.session import Session
from tests.ace_desktop.small_document import small_document
from tests.ace_desktop.visible_texts import ROOT

KINDS = window_kinds(tool_actions())
LEAVES = {"file.close", "file.quit", "help.logs", "window.minimize", "window.zoom", "view.full_screen"}
"""Actions that end or hide the window or start another program; the other tests try them."""


def test_every_action_is_declared_once_and_does_something() -> None:
    assert [name for name, count in Counter(kind.id for kind in ACTIONS).items() if count > 1] == []
    assert set(by_id()) == set(COMMANDS)
    assert set(CHECKED) == {kind.id for kind in ACTIONS if kind.checkable}


def test_what_an_action_names_exists() -> None:
    listed = {*TOOLBAR, *LAYER_BUTTONS, *LAYER_MENU, *CANVAS_MENU} - {"", "<"}
    assert listed <= set(by_id())
    for kind in KINDS:
        assert kind.enabled in CONDITIONS, kind
        assert not kind.icon or kind.icon in names(), kind
        top, _, below = kind.menu.partition("/")
        assert top in MENUS, kind
        assert not below or below in SUBMENUS, kind


def test_actions_named_in_the_source_exist() -> None:
    known = {kind.id for kind in KINDS}
    assert {name for links in LINKS.values() for _, name in links} <= known
    named = re.compile(r"""(?:\.run\(|actions(?:_by_id)?\[|actions\.get\()["']([a-z_.-]+)["']""")
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py")))
    found = set(named.findall(source))
    assert "models.show" in found
    assert found <= known


def test_no_two_actions_have_the_same_shortcut() -> None:
    assert conflicts(KINDS, {}) == {}


def test_a_conflict_is_found() -> None:
    assert conflicts(KINDS, {"file.save": ("Ctrl+O",)}) == {"Ctrl+O": ["file.open", "file.save"]}


def test_every_tool_has_its_drawing() -> None:
    assert {kind.icon for kind in TOOLS} <= set(names())


def test_menus_hold_exactly_the_table(window: MainWindow) -> None:
    for path, menu in window.menus.items():
        held = [action.objectName() for action in menu.actions() if action.objectName() and not action.menu()]
        assert held == [kind.id for kind in KINDS if kind.menu == path], path


def test_menus_are_the_same_after_a_change_of_language(desktop: Desktop, window: MainWindow) -> None:
    desktop.kept.change(language="ko")
    QCoreApplication.processEvents()
    assert [menu.title() for path, menu in window.menus.items() if "/" not in path][:2] == ["파일", "편집"]
    test_menus_hold_exactly_the_table(window)


def test_every_action_works_in_a_document_or_says_why_not(window: MainWindow, qtbot: QtBot) -> None:
    used: set[str] = set()
    session = fresh = None
    for name in [kind.id for kind in KINDS if kind.id not in LEAVES]:
        if session is None or window.session is not session or session.state is not fresh:
            session = Session(small_document())
            window.set_session(session)
            fresh = session.state
        action = window.actions_by_id[name]
        assert action.isEnabled() == (window.reason(name) == ""), name
        if not action.isEnabled():
            assert action.toolTip() == window.reason(name)
            continue
        used.add(name)
        action.trigger()
        qtbot.waitUntil(lambda: not window.desktop.background.running and not window.held)
        assert window.message.isHidden(), (name, window.message.label.text())
        for dialog in window.findChildren(QDialog):
            dialog.close()
        qtbot.waitUntil(lambda: not window.findChildren(QDialog))
    assert len(used) > 70


def test_every_action_works_in_an_empty_window_or_says_why_not(desktop: Desktop, qtbot: QtBot) -> None:
    window = desktop.new_window()
    QGuiApplication.clipboard().clear()
    for kind in ACTIONS:
        window.refresh()
        action = window.actions_by_id[kind.id]
        assert action.isEnabled() == (window.reason(kind.id) == ""), kind
        if action.isEnabled() and kind.id not in LEAVES:
            action.trigger()
            for dialog in window.findChildren(QDialog):
                dialog.close()
            qtbot.waitUntil(lambda: not window.findChildren(QDialog))


def test_the_context_menu_holds_its_part_of_the_table(window: MainWindow) -> None:
    menu = window.command_menu()
    assert [action.objectName() for action in menu.actions() if action.objectName()] == [n for n in CANVAS_MENU if n]
    menu.deleteLater()


def test_focus_reaches_everything_by_tab(window: MainWindow) -> None:
    chain: list[QWidget] = []
    following = window.nextInFocusChain()
    while following is not None and following not in chain:
        chain.append(following)
        following = following.nextInFocusChain()
    wanted = [
        widget
        for widget in window.findChildren(QWidget)
        if widget.isVisibleTo(window) and widget.focusPolicy().value & 1 and not isinstance(widget, QMenu)
    ]
    assert wanted
    assert [widget for widget in wanted if widget not in chain] == []


def test_everything_that_takes_the_keyboard_has_a_name(window: MainWindow) -> None:
    nameless = [
        widget
        for widget in window.findChildren(QWidget)
        if widget.isVisibleTo(window)
        and widget.focusPolicy().value & 1
        and not widget.accessibleName()
        and not getattr(widget, "text", str)()
        and widget.objectName() != "qt_spinbox_lineedit"
    ]
    assert nameless == []


def test_tab_reaches_a_heading_before_what_it_folds(window: MainWindow) -> None:
    chain: list[QWidget] = []
    following = window.nextInFocusChain()
    while following is not None and following not in chain:
        chain.append(following)
        following = following.nextInFocusChain()
    reached = [widget for widget in chain if widget.focusPolicy().value & 1]
    for section in window.inspector.sections.values():
        inside = [widget for widget in reached if section.isAncestorOf(widget)]
        assert inside[0] is section.heading
        assert len(inside) > 1
    assert window.layers is not None
    assert chain.index(window.layers.blend) < chain.index(window.layers.view)
