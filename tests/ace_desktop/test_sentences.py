"""What the document's rooms say is known in every form, and said again with its values in the user's language."""

from __future__ import annotations

import ast
import errno
import os
import re
from pathlib import Path

import pytest

from ace_desktop.desktop import Desktop
from ace_desktop.document.errors import DocumentError
from ace_desktop.document.refusals import DAMAGED_REFERENCE, REFUSALS
from ace_desktop.document.savefile import save_file
from ace_desktop.sentences import PICTURES, SENTENCES, SYSTEM, said

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "ace_desktop" / "document"

SPEAKING = {"DocumentError": 0, "RequestError": 0, "warn": 0, "_warn": 0, "add": 1}
"""Functions of the document's rooms that take a sentence, and as which argument; `add` notes a problem."""


def forms() -> set[str]:
    """Collect the sentences of all errors, warnings and problems, with numbers for their values."""
    found = {DAMAGED_REFERENCE, *(refusal.sentence for refusal in REFUSALS)}
    for file in DOCUMENT.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = _called(node) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in SPEAKING and len(node.args) > SPEAKING[name]:
                found.add(_form(node.args[SPEAKING[name]]))
    assert not any(re.fullmatch(r"[{}0-9 ]+", form) for form in found), "a sentence has to be written in one piece"
    return {form for form in found if form}


def _called(call: ast.Call) -> str:
    function = call.func
    own = isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "self"
    return getattr(function, "attr" if own else "id", "")


def _form(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    numbers = iter(range(len(parts)))
    return "".join(str(p.value) if isinstance(p, ast.Constant) else f"{{{next(numbers)}}}" for p in parts)


def test_every_form_is_in_the_table_and_none_is_left_over() -> None:
    assert forms() - set(SENTENCES) == set()
    assert set(SENTENCES) - forms() == set()


def test_what_is_said_of_pictures_is_in_its_table() -> None:
    written = "the picture could not be encoded as PNG; write TIFF instead"
    assert written in (ROOT / "mlx_model" / "pictures" / "write.py").read_text(encoding="utf-8")
    found = {written}
    tree = ast.parse((ROOT / "mlx_model" / "pictures" / "read.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in ("RequestError", "_Unreadable") and node.args:
            form = _form(node.args[0])
            if _called(node) == "_Unreadable":  # goes on behind the file's name
                form = "{0} " + re.sub(r"\{(\d)\}", lambda found: f"{{{int(found[1]) + 1}}}", form)
            found.add(form)
    assert found - {"{0} {1}"} == {form for form, _ in PICTURES}


def test_no_english_is_left_in_what_is_said_of_pictures(desktop: Desktop) -> None:
    desktop.kept.change(language="ko")
    for form, _ in PICTURES:
        korean = said(form.format("eins.png", "7", "8", "268 megapixels"))
        assert re.search("[가-힣]", korean), form
        assert "megapixels" not in korean


def test_what_the_system_says_is_translated_within_a_sentence(desktop: Desktop, tmp_path: Path) -> None:
    def fail(_file: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    assert os.strerror(errno.EIO) in SYSTEM
    with pytest.raises(DocumentError) as caught:
        save_file(tmp_path / "picture.ora", fail)
    assert said(str(caught.value)).startswith("picture.ora could not be saved: Input/output error;")
    desktop.kept.change(language="ko")
    korean = said(str(caught.value))
    assert "디스크 입출력 오류" in korean
    assert not re.search("[a-z]{3}", korean.replace("picture.ora", ""))


def test_a_full_disk_is_told_in_the_users_language(desktop: Desktop, tmp_path: Path) -> None:
    def fail(_file: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    desktop.kept.change(language="ko")
    with pytest.raises(DocumentError) as caught:
        save_file(tmp_path / "picture.ora", fail)
    assert not re.search("[a-z]{3}", said(str(caught.value)).replace("picture.ora", ""))


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
