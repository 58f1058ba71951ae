"""Letters as shortcuts while the keyboard writes Hangul: macOS then gives what is written, not what is on the key."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence

_WRITTEN = "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ"
_ON_KEYS = "QWERTYUIOPASDFGHJKLZXCVBNMQWERTOP"
KEYS = dict(zip(_WRITTEN, _ON_KEYS, strict=True))
"""The letters of the standard layout of two sets (KS X 5002), and the keys that they stand on."""


def sequence_of(event: QKeyEvent) -> QKeySequence | None:
    """Give the shortcut that a key means which wrote a letter of Hangul; None where it wrote something else."""
    shift = Qt.KeyboardModifier.ShiftModifier
    letter = KEYS.get(event.text() or chr(min(event.key(), 0xFFFF)))
    if letter is None or event.modifiers() not in (Qt.KeyboardModifier.NoModifier, shift):
        return None
    return QKeySequence(f"Shift+{letter}" if event.modifiers() == shift else letter)


def trigger(event: QKeyEvent, actions: Iterable[QAction]) -> bool:
    """Trigger the action whose shortcut such a key means; tell whether there is one."""
    keys = sequence_of(event)
    found = next((action for action in actions if keys is not None and keys in action.shortcuts()), None)
    if found is not None:
        found.trigger()
    return found is not None
