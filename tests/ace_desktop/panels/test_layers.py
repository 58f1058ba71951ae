"""The list of layers: what it shows, and that what is done in it becomes steps of undo."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from ace_desktop.document.state import GroupLayer
from ace_desktop.document.target import EDIT_MASK, Target
from ace_desktop.document.tree import find, group
from ace_desktop.main_window import MainWindow
from ace_desktop.panels.layer_model import LAYER_MIME, MASK_THUMBNAIL, THUMBNAIL
from ace_desktop.panels.layer_row import parts
from ace_desktop.panels.layers import LayersPanel
from ace_desktop.session import Session


def panel_of(window: MainWindow) -> tuple[LayersPanel, Session]:
    assert window.layers is not None
    assert window.session is not None
    return window.layers, window.session


def shown_names(panel: LayersPanel, parent: QModelIndex | None = None) -> list[object]:
    """List the names as the view shows them, groups as lists."""
    model, at = panel.model, parent or QModelIndex()
    out: list[object] = []
    for row in range(model.rowCount(at)):
        index = model.index(row, 0, at)
        out.append(model.data(index))
        if model.rowCount(index):
            out.append(shown_names(panel, index))
    return out


def row_part(panel: LayersPanel, layer_id: str, part: str) -> QPoint:
    index = panel.model.index_of(layer_id)
    layer = panel.model.layer(index)
    return getattr(parts(panel.view.visualRect(index), layer.mask is not None), part).center()


def click(panel: LayersPanel, layer_id: str, part: str, qtbot: QtBot, alt: bool = False) -> None:
    keys = Qt.KeyboardModifier.AltModifier if alt else Qt.KeyboardModifier.NoModifier
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, keys, row_part(panel, layer_id, part))


def test_the_highest_layer_comes_first_and_groups_hold_theirs(window: MainWindow) -> None:
    panel, session = panel_of(window)
    assert shown_names(panel) == ["above", "below"]
    session.do("Group layers", group(session.state, ["above"], "things"))
    assert shown_names(panel) == ["things", ["above"], "below"]
    session.undo()
    assert shown_names(panel) == ["above", "below"]


def test_the_eye_and_the_lock_are_clicked(window: MainWindow, qtbot: QtBot) -> None:
    panel, session = panel_of(window)
    click(panel, "below", "eye", qtbot)
    assert not find(session.state, "below").visible
    click(panel, "above", "lock", qtbot)
    assert find(session.state, "above").locked
    assert session.history.labels[0] == ["Show or hide layer", "Lock or unlock layer"]
    session.undo()
    session.undo()
    assert find(session.state, "below").visible


def test_a_click_on_a_row_makes_the_layer_active_without_a_step(window: MainWindow, qtbot: QtBot) -> None:
    panel, session = panel_of(window)
    click(panel, "below", "words", qtbot)
    assert session.state.active == "below"
    assert session.history.undo_label is None
    session.amend(replace(session.state, active="above"))
    assert panel.model.id_of(panel.view.currentIndex()) == "above"


def test_a_click_on_the_mask_chooses_what_is_painted_on(window: MainWindow, qtbot: QtBot) -> None:
    panel, _ = panel_of(window)
    window.choose_tool("brush")
    click(panel, "above", "mask", qtbot)
    assert window.paints_mask
    assert window.options.fields["target"].control.currentData() == "layer mask"  # pyright: ignore[reportAttributeAccessIssue]
    click(panel, "above", "picture", qtbot)
    assert not window.paints_mask


def test_alt_click_on_the_mask_shows_it_alone_and_another_or_escape_leaves_it(
    window: MainWindow, qtbot: QtBot
) -> None:
    panel, _ = panel_of(window)
    window.status.say("something else")
    click(panel, "above", "mask", qtbot, alt=True)
    assert window.view.alone == Target("layer mask", "above")
    assert window.paints_mask
    assert "Esc" in window.status.message.text()
    window.status.say("something else")
    window.status.clear()
    assert "Esc" in window.status.message.text()
    window.refresh()
    assert window.actions_by_id["view.mask_alone"].isChecked()
    assert window.actions_by_id["layer.mask_show"].isChecked()
    click(panel, "above", "mask", qtbot, alt=True)
    assert window.view.alone is None
    assert window.status.message.text() == ""
    click(panel, "above", "mask", qtbot, alt=True)
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Escape)
    assert window.view.alone is None
    click(panel, "above", "mask", qtbot, alt=True)
    click(panel, "below", "words", qtbot)
    assert window.view.alone is None
    assert not window.paints_mask


def test_the_mask_that_is_worked_on_is_shown_alone_from_the_menu(window: MainWindow, qtbot: QtBot) -> None:
    panel, session = panel_of(window)
    show = window.actions_by_id["view.mask_alone"]
    show.trigger()
    assert window.view.alone == EDIT_MASK
    qtbot.keyClick(window.view, Qt.Key.Key_Escape)
    assert window.view.alone is None
    click(panel, "above", "mask", qtbot)
    show.trigger()
    assert window.view.alone == Target("layer mask", "above")
    show.trigger()
    assert window.view.alone is None
    window.actions_by_id["layer.mask_show"].trigger()
    assert window.view.alone == Target("layer mask", "above")
    window.run("layer.mask_invert")
    assert window.view.alone == Target("layer mask", "above")
    window.run("layer.new")
    assert window.view.alone is None
    assert session.history.undo_label == "New layer"


def test_dragging_the_opacity_is_one_step(window: MainWindow, qtbot: QtBot) -> None:
    panel, session = panel_of(window)
    slider = panel.opacity.slider
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() - 8, slider.height() // 2))
    for x in range(slider.width() - 8, slider.width() // 2, -5):
        qtbot.mouseMove(slider, QPoint(x, slider.height() // 2))
    assert find(session.state, "above").opacity < 1
    assert session.history.undo_label is None
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() // 2, slider.height() // 2))
    assert session.history.labels[0] == ["Layer opacity"]
    session.undo()
    assert find(session.state, "above").opacity == 1
    assert slider.value() == 100


def test_a_blend_mode_is_chosen(window: MainWindow, qtbot: QtBot) -> None:
    panel, session = panel_of(window)
    panel.blend.setFocus()
    qtbot.keyClick(panel.blend, Qt.Key.Key_Down)
    assert find(session.state, "above").blend == "multiply"
    assert session.history.undo_label == "Blend mode"


def test_a_layer_is_renamed_in_place(window: MainWindow, qtbot: QtBot) -> None:
    panel, session = panel_of(window)
    window.run("layer.rename")
    field = panel.view.findChild(QLineEdit)
    assert isinstance(field, QLineEdit)
    field.selectAll()
    qtbot.keyClicks(field, "sky")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: find(session.state, "above").name == "sky")
    assert session.history.undo_label == "Rename layer"


def test_layers_are_dragged_into_groups_and_between_rows(window: MainWindow) -> None:
    panel, session = panel_of(window)
    model = panel.model
    data = model.mimeData([model.index_of("below")])
    assert bytes(data.data(LAYER_MIME).data()) == b"below"
    model.dropMimeData(data, Qt.DropAction.MoveAction, 0, 0, QModelIndex())
    assert shown_names(panel) == ["below", "above"]
    session.do("Group layers", group(session.state, ["above"], "things"))
    things = next(layer for layer in session.state.layers if isinstance(layer, GroupLayer))
    model.dropMimeData(data, Qt.DropAction.MoveAction, -1, 0, model.index_of(things.id))
    assert shown_names(panel) == ["things", ["below", "above"]]
    before = session.state
    inside = model.mimeData([model.index_of(things.id)])
    model.dropMimeData(inside, Qt.DropAction.MoveAction, -1, 0, model.index_of(things.id))
    assert session.state is before, "a group cannot be dropped into itself"
    model.dropMimeData(data, Qt.DropAction.MoveAction, 1, 0, QModelIndex())
    assert shown_names(panel) == ["things", ["above"], "below"]


def test_thumbnails_show_the_layer_and_its_mask(window: MainWindow, qtbot: QtBot) -> None:
    panel, session = panel_of(window)
    above = panel.model.index_of("above")

    def pictures() -> bool:
        return panel.model.data(above, THUMBNAIL) is not None and panel.model.data(above, MASK_THUMBNAIL) is not None

    qtbot.waitUntil(pictures)
    picture, mask = panel.model.data(above, THUMBNAIL), panel.model.data(above, MASK_THUMBNAIL)
    assert picture.size().toTuple() == (64, 48)  # pyright: ignore[reportAttributeAccessIssue]
    assert picture.pixelColor(20, 20).getRgb() == (220, 30, 30, 255)  # pyright: ignore[reportAttributeAccessIssue]
    assert picture.pixelColor(2, 2).alpha() == 0  # pyright: ignore[reportAttributeAccessIssue]
    assert mask.pixelColor(2, 2).red() == 0  # pyright: ignore[reportAttributeAccessIssue]
    assert mask.pixelColor(40, 40).red() == 255  # pyright: ignore[reportAttributeAccessIssue]
    window.run("layer.mask_invert")

    def inverted() -> bool:
        picture = panel.model.data(above, MASK_THUMBNAIL)
        return isinstance(picture, QImage) and picture.pixelColor(2, 2).red() == 255

    qtbot.waitUntil(inverted)
    assert session.history.undo_label == "Invert mask"


def test_keys_are_enough(window: MainWindow, qtbot: QtBot) -> None:
    panel, session = panel_of(window)
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Down)
    assert session.state.active == "below"
    qtbot.keyClick(panel.view, Qt.Key.Key_Return)
    assert panel.view.findChild(QLineEdit) is not None


def test_a_group_stays_closed_when_the_list_changes(window: MainWindow) -> None:
    panel, session = panel_of(window)
    session.do("Group layers", group(session.state, ["above"], "things"))
    things = session.state.active
    panel.view.collapse(panel.model.index_of(things))
    window.run("layer.new")
    assert not panel.view.isExpanded(panel.model.index_of(things))


def test_layers_are_described_in_words(window: MainWindow) -> None:
    panel, _ = panel_of(window)
    index = panel.model.index_of("above")
    assert panel.model.data(index, Qt.ItemDataRole.AccessibleTextRole) == "above, layer, with mask"
