"""Visible text in the user's language: English in the source, other languages as JSON beside the icons."""

from __future__ import annotations

import json
import re
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QObject, QTranslator

LANGUAGES: dict[str, str] = {"en": "English", "ko": "한국어"}


def tr(text: str, **values: object) -> str:
    """Translate a text and put values into its {names}."""
    translated = QCoreApplication.translate("ACE", text)
    return filled(translated, **values) if values else translated


def filled(text: str, *values: object, **named: object) -> str:
    """Put values into a translated text; Korean particles become those that go with the values."""
    return _PARTICLE.sub(_chosen, text.format(*values, **named))


def _chosen(found: re.Match[str]) -> str:
    """Choose between the forms after a consonant and after a vowel, by how what stands before is spoken."""
    before, quote, particle = found.groups()
    if before in _SPOKEN_DIGITS:
        final = _SPOKEN_DIGITS[before]
    elif before.startswith("."):  # a file's ending is spelled
        final = _SPOKEN_LETTERS.get(before[-1].lower(), 0)
    else:  # "GB" is spoken with a vowel at its end; syllables stand in the order of their 28 finals
        final = 0 if before.endswith("B") else (ord(before) - ord("가")) % _FINALS
    closed = final not in (0, _RIEUL) if particle == "(으)로" else final != 0
    return before + quote + _FORMS[particle][0 if closed else 1]


_FINALS, _RIEUL = 28, 8
_SPOKEN_DIGITS = {"0": 21, "1": 8, "2": 0, "3": 16, "4": 0, "5": 0, "6": 1, "7": 8, "8": 8, "9": 0}
"""Finals of 영, 일, 이, 삼 ..."""
_SPOKEN_LETTERS = {"l": 8, "m": 16, "n": 4, "r": 8}
"""Finals of 엘, 엠, 엔, 알; the names of other letters have none."""
_FORMS = {"을(를)": "을를", "이(가)": "이가", "은(는)": "은는", "과(와)": "과와", "(으)로": ("으로", "로")}
_PARTICLE = re.compile(r"([가-힣0-9]|[kMGT]B|\.[A-Za-z]{2,4})(’?)(" + "|".join(map(re.escape, _FORMS)) + ")")


def marked(text: str) -> str:
    """Mark a text of a table for translation; `tr` translates it when it is shown."""
    return text


class Catalogue(QTranslator):
    """The texts of one language by their English ones, whatever asks for them."""

    def __init__(self, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.texts: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))

    def isEmpty(self) -> bool:  # noqa: N802
        """Tell Qt that there is something to ask for."""
        return not self.texts

    def translate(self, context: str, sourceText: str, disambiguation: str | None = None, n: int = -1) -> str:  # noqa: ARG002, N803
        """Give the translation; the English text where there is none."""
        return self.texts.get(sourceText, sourceText)


def language(wanted: str) -> str:
    """Give the language to show: the wanted one, or the system's where that is "system" and we have it."""
    system = QLocale.system().name().partition("_")[0]
    return wanted if wanted in LANGUAGES else system if system in LANGUAGES else "en"


class Language(QObject):
    """Puts the catalogue of one language into the application at a time."""

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._installed: list[QTranslator] = []

    def use(self, wanted: str) -> None:
        """Speak this language ("system": the system's) from now on; widgets get a LanguageChange event."""
        for translator in self._installed:
            QCoreApplication.removeTranslator(translator)
            translator.deleteLater()
        self._installed = []
        name = language(wanted)
        QLocale.setDefault(QLocale(name))
        file = self._folder / f"{name}.json"
        if file.exists():
            self._install(Catalogue(file, self))
            theirs = QTranslator(self)  # what Qt itself says in its dialogs; asked first, since it is installed last
            if theirs.load(f"qtbase_{name}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
                self._install(theirs)

    def _install(self, translator: QTranslator) -> None:
        QCoreApplication.installTranslator(translator)
        self._installed.append(translator)
