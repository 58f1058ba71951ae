"""The models page, used as a person uses it: read, accept, download, pause, choose, check, delete."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.document.edit import EditSettings, settings_of, with_settings
from ace_desktop.installer import Installer, Phase
from ace_desktop.installing import adopt_model, begin_with_models, follow_installer, switch_over
from ace_desktop.main_window import MainWindow
from ace_desktop.models import BUILT_IN, Models
from ace_desktop.panels.models_page import ModelsPage
from ace_desktop.session import Session
from tests.ace_desktop.installing.conftest import GATED, NAME, WAIT, MakeInstaller, has, settled
from tests.ace_desktop.small_document import small_document
from tests.hub_server import Account, Fault, HubServer
from tests.released_models import FILL, catalogue_values, write_catalogue

SECRET = "hf_abcdefghijklmnop"  # noqa: S105
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(desktop: Desktop, models: Models) -> MainWindow:
    """Give an empty window of a program that has looked for models."""
    assert models.shelf is not None
    return desktop.new_window()


@pytest.fixture
def page(desktop: Desktop, window: MainWindow, installer: Installer, qtbot: QtBot) -> ModelsPage:
    """Open the page of a program whose installer fetches from the test's hub."""
    desktop.installer = installer
    follow_installer(desktop)
    return opened(desktop, window, qtbot)


def opened(desktop: Desktop, window: MainWindow, qtbot: QtBot) -> ModelsPage:
    desktop.show_models(window)
    found = next(page for page in QApplication.topLevelWidgets() if isinstance(page, ModelsPage) and page.isVisible())
    qtbot.waitUntil(lambda: not desktop.background.running)
    return found


def click(qtbot: QtBot, button: QAbstractButton) -> None:
    """Click where a person would; what is hidden or disabled cannot be."""
    assert button.isVisible()
    assert button.isEnabled(), button.text()
    place = button.rect().center()
    if button.text() and not isinstance(button, QPushButton):
        place.setX(8)  # on the mark, beside which the words may end anywhere
    qtbot.mouseClick(button, LEFT, pos=place)


def texts(widget: QWidget) -> str:
    """Give all that can be read."""
    labels = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    return "\n".join([*labels, *(b.text() for b in widget.findChildren(QAbstractButton) if b.isVisible())])


def fits(page: ModelsPage) -> bool:
    """Tell whether nothing is cut off at the side."""
    content = page.area.widget()
    return content is not None and content.minimumSizeHint().width() <= page.area.viewport().width()


def choose_width(page: ModelsPage, family: str, name: str) -> None:
    widths = page.cards[family].widths
    widths.setCurrentIndex(widths.findData(name))


def test_it_says_what_is_here_and_what_each_model_takes(page: ModelsPage) -> None:
    said = texts(page)
    assert "It knows nothing of photographs." in said
    card = page.cards["small-fft"]
    assert card.model.recommended
    assert "recommended" in card.widths.currentText()
    assert "For non-commercial use only." in said
    assert card.reason.text() == "Accept the licence first."
    assert not card.getting.isEnabled()
    assert re.search(r"Recommended: the most exact one that fits this machine's \d+ GB", said)


def test_a_model_is_downloaded_and_the_program_switches_over_and_says_so(
    page: ModelsPage, desktop: Desktop, models: Models, installer: Installer, qtbot: QtBot
) -> None:
    assert models.chosen == BUILT_IN
    choose_width(page, "small-fft", NAME)
    click(qtbot, page.cards["small-fft"].accept)
    click(qtbot, page.cards["small-fft"].getting)
    assert page.card.isVisible()
    assert page.card.title.text() == "Downloading ACE++ FFT, 4 bits"
    assert not page.cards["small-fill"].getting.isEnabled()
    settled(qtbot, installer)
    qtbot.waitUntil(lambda: models.find(NAME) is not None)
    assert models.chosen == NAME
    assert desktop.kept.value.model == NAME
    assert page.card.title.text() == "ACE++ FFT, 4 bits is ready"
    assert page.card.caption.text() == "Edits are made with it from now on."
    assert [row.name for row in page.rows if row.radio.isChecked()] == [NAME]
    assert not page.cards["small-fft"].getting.isVisible(), "it is here already"
    click(qtbot, page.card.buttons["close"])
    assert not page.card.isVisible()

    click(qtbot, page.rows[0].radio)
    assert desktop.kept.value.model == BUILT_IN


def test_documents_follow_the_chosen_model_until_they_have_one_of_their_own() -> None:
    session = Session(small_document())
    adopt_model(session, NAME)
    assert settings_of(session.state).model == NAME
    assert session.history.undo_label is None, "it is no step of undo"
    assert not session.modified
    adopt_model(session, BUILT_IN)
    assert settings_of(session.state).model == NAME, "what is set stays"
    other = Session(with_settings(small_document(), EditSettings(instruction="a red star")))
    adopt_model(other, NAME)
    assert settings_of(other.state).model == BUILT_IN, "it was edited with that"
    switch_over(other, NAME)
    assert settings_of(other.state) == EditSettings(instruction="a red star", model=NAME)
    switch_over(other, "another")
    assert settings_of(other.state).model == NAME


def test_with_the_page_closed_the_window_says_that_a_model_is_ready(
    page: ModelsPage, desktop: Desktop, window: MainWindow, installer: Installer, qtbot: QtBot
) -> None:
    page.close()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert not desktop.shows_models
    installer.install(NAME)
    settled(qtbot, installer)
    assert window.message.label.text() == "ACE++ FFT, 4 bits is ready. Edits are made with it from now on."
    qtbot.waitUntil(lambda: not desktop.background.running)


def test_pause_and_continue_over_an_end_of_the_program(
    page: ModelsPage,
    desktop: Desktop,
    window: MainWindow,
    make_installer: MakeInstaller,
    hub: HubServer,
    models: Models,
    qtbot: QtBot,
) -> None:
    hub.faults.append(Fault("store", times=None, rate=60_000))
    first = desktop.installer
    choose_width(page, "small-fft", NAME)
    click(qtbot, page.cards["small-fft"].accept)
    click(qtbot, page.cards["small-fft"].getting)
    qtbot.waitUntil(has(first, 60_000), timeout=WAIT)
    assert re.match(r"\d+ kB of \d+ kB · \d+ kB a second · ", page.card.caption.text())
    click(qtbot, page.card.buttons["pause"])
    assert page.card.title.text() == "Paused: ACE++ FFT, 4 bits"
    assert not page.card.buttons["pause"].isVisible()
    first.close()
    page.close()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    second = desktop.installer = make_installer()
    follow_installer(desktop)
    begin_with_models(desktop)
    again = opened(desktop, window, qtbot)
    assert again.card.title.text() == "Paused: ACE++ FFT, 4 bits"
    assert re.match(r"\d+ kB of \d+ kB$", again.card.caption.text())
    assert again.card.bar.value() > 0
    hub.faults.clear()
    click(qtbot, again.card.buttons["continue"])
    settled(qtbot, second)
    qtbot.waitUntil(lambda: models.find(NAME) is not None)
    assert models.chosen == NAME
    again.close()


def test_a_stopped_download_can_be_continued_or_deleted(
    page: ModelsPage, hub: HubServer, installer: Installer, folder: Path, models: Models, qtbot: QtBot
) -> None:
    hub.faults.append(Fault("store", times=None, rate=60_000))
    choose_width(page, "small-fft", NAME)
    click(qtbot, page.cards["small-fft"].accept)
    click(qtbot, page.cards["small-fft"].getting)
    qtbot.waitUntil(has(installer, 60_000), timeout=WAIT)
    click(qtbot, page.card.buttons["cancel"])
    settled(qtbot, installer)
    assert not page.card.isVisible()
    models.look()
    card: Callable[[], QWidget] = lambda: page.cards["small-fft"]  # noqa: E731
    qtbot.waitUntil(lambda: page.cards["small-fft"].deleting.isVisible())
    assert card().isVisible()
    assert page.cards["small-fft"].getting.text() == "Continue the download"
    assert fits(page)
    hub.faults.clear()
    click(qtbot, page.cards["small-fft"].deleting)
    settled(qtbot, installer)
    qtbot.waitUntil(lambda: not page.cards["small-fft"].deleting.isVisible())
    assert not list(folder.glob("small*"))


def test_a_gated_model_leads_through_its_steps(
    page: ModelsPage, hub: HubServer, installer: Installer, qtbot: QtBot
) -> None:
    hub.tokens[SECRET] = Account({FILL})
    installer.install(GATED)
    settled(qtbot, installer)
    steps = page.card.steps
    assert steps.isVisible()
    assert [line.text()[:2] for line in steps.lines] == ["1.", "2.", "3."]
    assert page.card.buttons["account"].isVisible(), "there is a way without"
    assert not page.card.buttons["continue"].isVisible()
    wanted: list[str] = []
    steps.page_wanted.disconnect()
    steps.page_wanted.connect(wanted.append)
    click(qtbot, steps.page)
    click(qtbot, steps.tokens)
    assert wanted == [f"{hub.url}/{FILL}", f"{hub.url}/settings/tokens"]

    assert not steps.enter.isEnabled()
    assert steps.field.echoMode() is QLineEdit.EchoMode.Password
    qtbot.keyClicks(steps.field, "two words")
    qtbot.keyClick(steps.field, Qt.Key.Key_Return)
    qtbot.waitUntil(steps.field.isEnabled, timeout=WAIT)
    assert steps.problem.text().startswith("That is not an access token")
    steps.field.clear()
    qtbot.keyClicks(steps.field, SECRET)
    assert not steps.problem.isVisible()
    click(qtbot, steps.enter)
    qtbot.waitUntil(lambda: installer.busy, timeout=WAIT)
    settled(qtbot, installer)
    assert installer.transfer is not None
    assert installer.transfer.phase is Phase.DONE


def test_a_disk_without_room_is_said_before_anything_is_fetched(
    page: ModelsPage, models: Models, tmp_path: Path, qtbot: QtBot
) -> None:
    values = catalogue_values()
    values["widths"]["4bit"]["transformer_bytes"] = 10**16
    write_catalogue(tmp_path / "catalogue.json", values)
    models.look()
    qtbot.waitUntil(lambda: page.cards["small-fft"].widths.count() > 0 and models.shelf is not None and any(
        model.disk > 10**15 for family in models.shelf.families for model in family.models))  # fmt: skip
    choose_width(page, "small-fft", NAME)
    click(qtbot, page.cards["small-fft"].accept)
    card = page.cards["small-fft"]
    assert re.match(r"Only [\d.]+ GB are free on the disk: make room", card.reason.text())
    assert not card.getting.isEnabled()


def test_a_model_is_deleted_when_asked_twice_and_the_built_in_one_takes_over(
    page: ModelsPage, desktop: Desktop, models: Models, installer: Installer, folder: Path, qtbot: QtBot
) -> None:
    installer.install(NAME)
    settled(qtbot, installer)
    qtbot.waitUntil(lambda: len(page.rows) == 2)
    row = page.rows[1]
    assert re.match(r"Delete \(frees \d+ kB\)…", row.actions_of["remove"].text())
    row.actions_of["remove"].trigger()
    box = page.findChild(QMessageBox, "remove")
    assert isinstance(box, QMessageBox)
    click(qtbot, next(button for button in box.buttons() if button.text() == "Cancel"))
    assert not installer.busy
    row.actions_of["remove"].trigger()
    box = [found for found in page.findChildren(QMessageBox) if found.isVisible()][-1]
    click(qtbot, next(button for button in box.buttons() if button.text() == "Delete"))
    settled(qtbot, installer)
    qtbot.waitUntil(lambda: len(page.rows) == 1)
    assert models.chosen == desktop.kept.value.model == BUILT_IN
    assert not (folder / NAME).exists()
    assert re.match(r"\d+ kB are free again\.", page.card.caption.text())


def test_a_model_that_an_edit_needs_stays(
    desktop: Desktop, models: Models, window: MainWindow, installer: Installer, folder: Path, qtbot: QtBot
) -> None:
    installer.install(NAME)
    settled(qtbot, installer)
    models.look()
    qtbot.waitUntil(lambda: models.find(NAME) is not None)
    page = ModelsPage(models, installer, window, lambda name: name == NAME)
    page.show()
    for name in ("remove", "repair"):
        page.rows[1].actions_of[name].trigger()
        box = page.findChild(QMessageBox, "in use")
        assert isinstance(box, QMessageBox)
        assert box.text() == "An edit is using ACE++ FFT, 4 bits. Wait for it, or cancel it first."
        click(qtbot, box.buttons()[0])
        qtbot.waitUntil(lambda: page.findChild(QMessageBox, "in use") is None)
    assert not installer.busy
    assert (folder / NAME / "config.json").exists()
    qtbot.waitUntil(lambda: not desktop.background.running)
    page.close()


def test_a_damaged_model_is_found_and_repaired(
    page: ModelsPage, installer: Installer, folder: Path, qtbot: QtBot
) -> None:
    installer.install(NAME)
    settled(qtbot, installer)
    (folder / NAME / "clip.safetensors").write_bytes(b"damaged")
    qtbot.waitUntil(lambda: len(page.rows) == 2)
    page.rows[1].actions_of["verify"].trigger()
    settled(qtbot, installer)
    assert page.card.caption.text() == "ACE++ FFT, 4 bits is damaged (1 file). Repair it."
    click(qtbot, page.card.buttons["repair"])
    settled(qtbot, installer)
    assert page.card.title.text() == "ACE++ FFT, 4 bits is whole"


def test_files_that_are_here_are_imported_and_what_is_missing_is_fetched(
    page: ModelsPage, hub: HubServer, installer: Installer, models: Models, tmp_path: Path, qtbot: QtBot
) -> None:
    place = tmp_path / "usb"
    place.mkdir()
    for repository, path in (("ali-vilab/ACE_Plus", "ace_plus_fft.safetensors"),):
        content = hub.repositories[repository].files[path]
        assert isinstance(content, bytes)
        (place / path).write_bytes(content)
    page._import(NAME, str(place))  # pyright: ignore[reportPrivateUsage]  the system's dialog has given the folder
    settled(qtbot, installer)
    assert page.card.caption.text().startswith("ACE++ FFT, 4 bits lacks ")
    before = hub.sent("ace_plus_fft.safetensors")
    click(qtbot, page.card.buttons["fetch"])
    settled(qtbot, installer)
    assert hub.sent("ace_plus_fft.safetensors") == before, "it is here"
    qtbot.waitUntil(lambda: models.find(NAME) is not None)
    assert models.chosen == NAME


def test_everything_has_a_name_and_speaks_korean_too(page: ModelsPage, desktop: Desktop, qtbot: QtBot) -> None:
    for widget in page.findChildren(QAbstractButton):
        if widget.isVisible() and widget.objectName() != "qt_menubar_ext_button":
            assert widget.accessibleName() or widget.text(), widget
    click(qtbot, page.cards["small-fft"].accept)
    desktop.kept.change(language="ko")
    QCoreApplication.processEvents()
    assert page.windowTitle() == "모델"
    assert fits(page)
    assert page.cards["small-fft"].accept.isChecked(), "what was accepted stays"
    assert page.cards["small-fft"].getting.text() == "다운로드"
    desktop.kept.change(language="en")


def test_a_catalogue_that_cannot_be_read_is_said_and_the_built_in_model_stays(
    desktop: Desktop, models: Models, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "catalogue.json").write_text(json.dumps({"format": 1}))
    page = opened(desktop, window, qtbot)
    assert "The catalogue" in texts(page)
    assert [row.name for row in page.rows] == [BUILT_IN]
    assert models.find(BUILT_IN) is not None
    page.close()
