"""What the document's rooms say is known in every form, and said again with its values in the user's language."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ace_desktop.desktop import Desktop
from ace_desktop.document.refusals import DAMAGED_REFERENCE, REFUSALS
from ace_desktop.sentences import SENTENCES, said

DOCUMENT = Path(__file__).parents[2] / "ace_desktop" / "document"


SPEAKING = {"DocumentError": 0, "RequestError": 0, "warn": 0, "add": 1}
"""Functions of the document's rooms that take a sentence, and as which argument; `add` notes a problem."""


def forms() -> set[str]:
    """Collect the sentences of all errors, warnings and problems, with numbers for their values."""
    found = {DAMAGED_REFERENCE, *(refusal.sentence for refusal in REFUSALS)}
    for file in DOCUMENT.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in SPEAKING and len(node.args) > SPEAKING[name]:
                found.add(_form(node.args[SPEAKING[name]]))
    return {form for form in found if re.search("[a-z]{3}", form)}


def _form(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    numbers = iter(range(len(parts)))
    return "".join(str(p.value) if isinstance(p, ast.Constant) else f"{{{next(numbers)}}}" for p in parts)


def test_every_form_is_in_the_table_and_none_is_left_over() -> None:
    assert forms() - set(SENTENCES) == set()
    assert set(SENTENCES) - forms() == set()


def test_every_form_is_recognised_with_its_values(desktop: Desktop) -> None:
    values = ["eins.png", "7", "acht"]
    for form in SENTENCES:
        desktop.kept.change(language="en")
        english = form.format(*values)
        assert said(english).rstrip(".").lower() == english.rstrip(".").lower()
        desktop.kept.change(language="ko")
        korean = said(english)
        assert re.search("[가-힣]", korean), form
        assert all(value in korean for value in values[: form.count("{")]), form


def test_a_file_name_at_the_beginning_stays_as_it_is() -> None:
    assert said("portrait.png is a folder; open a file inside it").startswith("portrait.png")
    assert said("there is no file a; it may have been moved or renamed").startswith("There")
    assert said("something else") == "Something else."
