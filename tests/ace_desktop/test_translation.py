"""Languages: complete, true to their placeholders, and changed while the window is open."""

from __future__ import annotations

import json
import re

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from ace_desktop.desktop import Desktop
from ace_desktop.main_window import MainWindow
from ace_desktop.places import resources
from ace_desktop.sentences import PICTURES, SENTENCES
from ace_desktop.translation import LANGUAGES, filled, tr
from tests.ace_desktop.visible_texts import visible_texts

FILE_SENTENCES = {*SENTENCES, *(text for _, text in PICTURES)}
FOREIGN = [name for name in LANGUAGES if name != "en"]


def catalogue(name: str) -> dict[str, str]:
    return json.loads((resources() / "translations" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FOREIGN)
def test_every_visible_text_has_a_translation_and_nothing_is_left_over(name: str) -> None:
    texts = visible_texts()
    assert len(texts) > 200
    assert sorted(texts - set(catalogue(name))) == []
    assert sorted(set(catalogue(name)) - texts) == []


@pytest.mark.parametrize("name", FOREIGN)
def test_translations_say_something_and_keep_the_placeholders(name: str) -> None:
    for english, foreign in catalogue(name).items():
        assert foreign.strip(), english
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", foreign)), english


def test_korean_sentences_are_polite_and_names_have_no_full_stop() -> None:
    for english, korean in catalogue("ko").items():
        if english.endswith(".") and " " in english:
            assert re.search(r"(요|세요)\.$", korean), (english, korean)
        elif not english.endswith(("?", "…", ".")) and "{reason}" not in english and english not in FILE_SENTENCES:
            assert not korean.endswith("."), (english, korean)


def test_the_window_speaks_the_language_that_is_chosen(desktop: Desktop, window: MainWindow, qtbot: QtBot) -> None:
    assert tr("Layers") == "Layers"
    window.choose_tool("mask-brush")
    desktop.kept.change(language="ko")
    QCoreApplication.processEvents()  # windows are told by an event
    assert tr("Layers") == "레이어"
    assert window.actions_by_id["file.open"].text() == "열기…"

    def labels() -> set[str]:
        return {label.text() for label in window.options.findChildren(QLabel) if label.isVisible()}

    qtbot.waitUntil(lambda: bool(labels()) and all(re.search("[가-힣]", text) for text in labels()))
    desktop.kept.change(language="en")
    QCoreApplication.processEvents()
    assert window.actions_by_id["file.open"].text() == "Open…"


def test_qts_own_dialogs_are_translated_too(desktop: Desktop) -> None:
    desktop.kept.change(language="ko")
    assert re.search("[가-힣]", QCoreApplication.translate("QPlatformTheme", "Cancel"))


@pytest.mark.parametrize(
    ("form", "value", "said"),
    [
        ("{0}을(를) 삭제했어요", "ACE++ FFT, 5비트", "ACE++ FFT, 5비트를 삭제했어요"),
        ("{0}을(를) 삭제했어요", "모델", "모델을 삭제했어요"),
        ("‘{0}’은(는) 그룹이에요.", "그룹 3", "‘그룹 3’은 그룹이에요."),
        ("{0}이(가) 필요해요.", "12 GB", "12 GB가 필요해요."),
        ("오류 {0}(으)로 답해요.", "401", "오류 401로 답해요."),
        ("오류 {0}(으)로 답해요.", "503", "오류 503으로 답해요."),
        ("{0}을(를) 열 수 없어요", "photo.png", "photo.png를 열 수 없어요"),
        ("{0}은(는) 비어 있어요", "그림.heic", "그림.heic는 비어 있어요"),
        ("{0}이(가) 없어요", "notes.html", "notes.html이 없어요"),
        ("{0}을(를) 열 수 없어요", "photo", "photo을(를) 열 수 없어요"),
    ],
)
def test_korean_particles_follow_how_a_value_is_spoken(form: str, value: str, said: str) -> None:
    """What is spoken in a way that nobody can tell from its letters keeps both forms."""
    assert filled(form, value) == said
