"""Actions of the chosen result in the strip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .doing import Command

if TYPE_CHECKING:
    from ..document.results import Result
    from ..main_window import MainWindow
    from ..panels.filmstrip import Filmstrip


def strip_of(window: MainWindow) -> Filmstrip:
    """Give the strip of results, which is there with a document."""
    if window.panels is None:
        raise LookupError("the window has no strip of results")
    return window.panels.filmstrip


def _chosen(window: MainWindow) -> Result | None:
    return strip_of(window).chosen if window.panels is not None else None


def _on_chosen(do: Callable[[Filmstrip, Result], object]) -> Command:
    def command(window: MainWindow) -> None:
        result = _chosen(window)
        if result is not None:
            do(strip_of(window), result)

    return command


def _is(window: MainWindow, mark: str) -> bool:
    result = _chosen(window)
    return result is not None and getattr(result, mark)


COMMANDS: Mapping[str, Command] = {
    "result.accept": _on_chosen(lambda strip, result: strip.accept(result.id)),
    "result.next": lambda window: strip_of(window).step(1),
    "result.previous": lambda window: strip_of(window).step(-1),
    "result.wipe": lambda window: strip_of(window).bar.wipe_button.click(),
    "result.star": _on_chosen(lambda strip, result: strip.mark("star", result.id)),
    "result.reject": _on_chosen(lambda strip, result: strip.mark("reject", result.id)),
    "result.recipe": _on_chosen(lambda strip, result: strip.show_recipe(result.id)),
    "result.delete": _on_chosen(lambda strip, result: strip.mark("delete", result.id)),
}

CHECKED: Mapping[str, Callable[[MainWindow], bool]] = {
    "result.wipe": lambda window: window.panels is not None and window.panels.filmstrip.wipe_at is not None,
    "result.star": lambda window: _is(window, "starred"),
    "result.reject": lambda window: _is(window, "rejected"),
}
