"""Finds every text of the source that people see."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "ace_desktop"

WHERE = {
    "tr": 0, "marked": 0, "_": 0, "do": 0, "commit": 0, "edit": 0, "edit_slowly": 0, "edit_active": 0,
    "edit_active_slowly": 0, "edit_chosen": 0, "work": 1, "_toggle": 1, "_flip": 2, "ask_and_change": 3,
    "do_when_still": 2, "_change": 0,
}  # fmt: skip
"""Functions that take such a text, and as which argument."""

DATACLASSES = {"ToolKind": (1, "text"), "Option": (1, "text")}


def visible_texts() -> set[str]:
    """Collect the texts of all calls that show one, and the sentences of errors."""
    found: set[str] = set()
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found.update(_texts(node))
    return found


def _texts(call: ast.Call) -> Iterator[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name in WHERE and len(call.args) > WHERE[name]:
        yield from _strings(call.args[WHERE[name]])
    if name in DATACLASSES:
        place, keyword = DATACLASSES[name]
        parts = call.args[place : place + 1] + [part.value for part in call.keywords if part.arg == keyword]
        for part in parts:
            yield from _strings(part)


def _strings(node: ast.expr) -> Iterator[str]:
    """Walk over the text itself and both sides of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _strings(node.body)
        yield from _strings(node.orelse)
