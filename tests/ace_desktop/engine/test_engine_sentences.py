"""What the model says is known in its own words, and said in those of the window, in its language."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ace_desktop.desktop import Desktop
from ace_desktop.engine import child
from ace_desktop.engine.faults import FAULTS
from ace_desktop.engine.sentences import FORMS, in_english, job_said, model_said
from ace_desktop.translation import filled, tr

ROOT = Path(__file__).parents[3]
SOURCES = [*(ROOT / "mlx_model").glob("*.py"), *(ROOT / "mlx_model").glob("[cnsw]*/*.py"), Path(child.__file__)]
SHORTEST = 4
"""Letters of a piece between two values that can be looked for."""


def constants() -> str:
    """Collect every text of the model's source; f-strings give the pieces between their values."""
    found: list[str] = []
    for file in SOURCES:
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        found += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(found)


def test_every_form_is_made_of_what_the_model_says() -> None:
    """Forms are put together of several texts there, so each piece is looked for by itself."""
    source = constants()
    for form, _ in FORMS:
        for piece in re.split(r"\{\d\}|; |, references included|: | instead of ", form):
            assert len(piece.strip()) < SHORTEST or piece.strip() in source, (form, piece)


@pytest.mark.parametrize(("form", "said"), FORMS)
def test_every_form_is_recognised_with_its_values(desktop: Desktop, form: str, said: str) -> None:
    values = ["12 GB", "8 GB", "512", "384", "1024", "768"]
    assert model_said(form.format(*values)) == said.format(*values)
    desktop.kept.change(language="ko")
    korean = model_said(form.format(*values))
    assert korean is not None
    assert re.search("[가-힣]", korean)
    used = {int(number) for number in re.findall(r"\{(\d)\}", said)}
    assert all(values[number] in korean for number in used)


def test_the_longer_form_is_taken_where_two_would_fit() -> None:
    text = "the adapter local does not fit this model: blocks.0 has 4 x 8, the layer is 16 x 16"
    assert model_said(text) == "The adapter local was made for another model. Switch it off."
    assert model_said("something else") is None


def test_what_a_job_keeps_in_english_is_said_in_the_language_of_now(desktop: Desktop) -> None:
    """All that the engine says, with values: the same as if it had been translated when it was said."""
    values = ("12 GB", "8 GB", "512", "384", "1024", "768")
    for form, ours in FORMS:
        english = in_english(form.format(*values))
        assert english is not None
        desktop.kept.change(language="en")
        assert job_said(english) == english
        desktop.kept.change(language="ko")
        shown = filled(tr(ours), *re_read(ours, values))
        assert job_said(english) == shown, form
    for fault in FAULTS:
        assert job_said(fault.format(seconds=31)) == filled(tr(fault), seconds=31) != fault
    assert job_said("something that nobody knows") == "Something that nobody knows."


def re_read(ours: str, values: tuple[str, ...]) -> list[str]:
    """Give what the sentence shows of the values."""
    return [value if f"{{{number}}}" in ours else "" for number, value in enumerate(values)]
