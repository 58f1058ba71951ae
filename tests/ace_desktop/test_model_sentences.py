"""What the library says is known in its own forms, and said without a command that only a terminal has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ace_desktop.desktop import Desktop
from ace_desktop.model_sentences import BUILT_FROM_PARTS, FORMS, library_said
from mlx_model.library.disk import require_room
from mlx_model.library.errors import ConnectionBroken, DiskFull
from mlx_model.library.hub import Hub, Pace

ROOT = Path(__file__).parents[2] / "mlx_model"
SOURCES = [*(ROOT / "library").glob("*.py"), ROOT / "cli" / "models.py"]
RAISED = frozenset(
    {
        "LibraryError", "DiskFull", "Damaged", "NotOnHub", "Changed", "ConnectionBroken", "TokenRefused",
        "GatedRepository", "RequestError", "waits", "on_wait",
    }
)  # fmt: skip
TERMINAL = re.compile(r"ace models|ACE_MODELS|--[a-z]|`ace|environment instead")
NOT_IN_A_WINDOW = (
    "give a new folder to export into", "mend it first with", "choose one with --source",
    "leave out --without-account", "there is no terminal to ask on", "add --convert to make",
    "`ace models list` shows", "is only begun; go on with", 'no model "{0}" was installed',
    "has to be accepted first", "it was not installed by `ace models`",
)  # fmt: skip
"""Of what a terminal can ask for and the window does not."""


def forms() -> set[str]:
    """Collect what the library raises or waits for, with numbers for the values."""
    found: set[str] = set()
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in RAISED:
                    found.add(_form(node.args[0]))
    return found


def _form(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    numbers = iter(range(len(parts)))
    return "".join(str(p.value) if isinstance(p, ast.Constant) else f"{{{next(numbers)}}}" for p in parts)


def test_every_form_of_the_table_is_one_of_the_library() -> None:
    assert {form for form, _ in FORMS} - forms() - BUILT_FROM_PARTS == set()


def test_what_speaks_of_a_terminal_is_said_otherwise() -> None:
    known = {form for form, _ in FORMS}
    of_terminals = {form for form in forms() if TERMINAL.search(form)}
    assert len(of_terminals) > 10
    assert {f for f in of_terminals - known if not any(words in f for words in NOT_IN_A_WINDOW)} == set()
    assert [said for _, said in FORMS if TERMINAL.search(said)] == []


@pytest.mark.parametrize(("form", "said"), FORMS)
def test_every_form_is_recognised_with_its_values(desktop: Desktop, form: str, said: str) -> None:
    values = ["eins", "zwei", "drei", "vier", "fünf"]
    desktop.kept.change(language="en")
    assert library_said(form.format(*values)) == said.format(*values)
    desktop.kept.change(language="ko")
    assert re.search("[가-힣]", library_said(form.format(*values)))


def test_what_a_machine_without_network_or_room_is_told_has_no_words_of_a_terminal_left(
    desktop: Desktop, tmp_path: Path
) -> None:
    """With the library's own sentences, whose values hold words as well."""
    with pytest.raises(DiskFull) as full:
        require_room(tmp_path, 10**18, "ACE++ FFT (12 GB still to be written)")
    with Hub(endpoint="http://127.0.0.1:9", pace=Pace(attempts=1)) as hub, pytest.raises(ConnectionBroken) as broken:
        hub.describe("owner/name", [])
    for language, sentences in (("en", ("ACE++ FFT needs ", "owner/name could not be")), ("ko", ())):
        desktop.kept.change(language=language)
        for error, begin in zip((full.value, broken.value), sentences or ("", ""), strict=True):
            said = library_said(str(error))
            assert said.startswith(begin)
            assert not re.search("the repository|still to be|ACE_MODELS", said)


def test_what_is_not_known_is_said_as_a_sentence() -> None:
    assert library_said("something else") == "Something else."
    assert library_said("x.safetensors is cut short") == "x.safetensors is cut short."
    assert library_said("") == ""
