"""Results as PNG files with their recipe, for other programs that they are dragged to."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject

from ..background import Background
from ..document.results import Result, ResultStore


class ResultFiles:
    """Writes files in the background, from the press on: a drag finds its file there, or waits a moment for it.

    `with_recipe` tells whether words, seed and settings may leave the program.
    """

    def __init__(
        self, store: ResultStore, background: Background, with_recipe: Callable[[], bool], asks: QObject
    ) -> None:
        self._store, self._background, self._asks = store, background, asks
        self.with_recipe = with_recipe
        self._folder = store.folder / "dragged"
        self._ready: dict[Path, bool] = {}
        self._waiting: dict[Path, list[Callable[[Path], None]]] = {}

    def prepare(self, result: Result, failed: Callable[[Exception], None], ready: Callable[[Path], None]) -> None:
        """Write the file of a result unless it is there, and give its path."""
        recipe = self.with_recipe()
        path = self._folder / result.id / f"{file_name(result, recipe)}.png"
        if self._ready.get(path) == recipe and path.exists():
            ready(path)
            return
        waiting = self._waiting.setdefault(path, [])
        waiting.append(ready)
        if len(waiting) > 1:
            return

        def done(_: None) -> None:
            self._ready[path] = recipe
            for tell in self._waiting.pop(path):
                tell(path)

        def broken(error: Exception) -> None:
            self._waiting.pop(path)
            failed(error)

        self._background.run(lambda: write_result(self._store, result, path, recipe), done, broken, self._asks)

    def clear(self) -> None:
        """Let go of the files of an earlier run of the program."""
        folder = self._folder
        self._background.run(
            lambda: shutil.rmtree(folder, ignore_errors=True), lambda _: None, lambda _: None, self._asks
        )


def file_name(result: Result, recipe: bool) -> str:
    """Call a file after the words that made it, which are a part of its recipe."""
    if not recipe:
        return "result"
    words = re.sub(r'[\\/:*?"<>|\0\s]+', " ", result.words).strip(" .")[:60].strip()
    return words or result.task or "result"


def write_result(store: ResultStore, result: Result, path: Path, recipe: bool) -> None:
    """Write a result, with its recipe or without; slow.

    Raises:
        DocumentError: it cannot be read or written.
    """
    from mlx_model.pictures.recipe import metadata_for
    from mlx_model.pictures.write import encode_picture

    from ..document.errors import DocumentError
    from ..document.savefile import save_file

    picture = store.picture(result.id)
    data = encode_picture("png", picture, metadata_for(result.recipe, picture.size, "png") if recipe else None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DocumentError(
            f"{path.name} could not be saved: {error.strerror}; choose another name or folder"
        ) from error
    save_file(path, lambda file: file.write(data))
