"""What edits made, kept on disk for each project: lossless, searchable, with its recipe and what it came from."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from mlx_model.request import EditRequest, EditResult, Picture, digest

from .errors import DocumentError
from .frame_place import Place
from .result_files import (
    FOLDER,
    INPUTS,
    LaterVersion,
    Result,
    copy_file,
    copy_results,
    cropped,
    from_json,
    laid_over,
    names_beside,
    own_entries,
    placed,
    read_png,
    recipe_of,
    shrunk,
    tidied,
    to_json,
)
from .savefile import save_file

BUDGET: Final = 2 * 10**9
"""Bytes that the results of one project may take unless a person says otherwise."""
CLAIMED: Final = "claimed"
"""The name of the mark that a file leads to a project."""
_MOST_FILES: Final = 10_000
"""Of results in a project file; half of what is opened."""


class Made(Protocol):
    """What results are filed under, a job or a snapshot: its fields, as described there."""

    @property
    def requests(self) -> tuple[EditRequest, ...]: ...  # noqa: D102
    @property
    def pictures(self) -> Mapping[str, Picture]: ...  # noqa: D102
    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def below(self) -> str: ...  # noqa: D102
    @property
    def parents(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def place(self) -> Place: ...  # noqa: D102
    @property
    def replaces(self) -> str: ...  # noqa: D102


class ResultStore:
    """The results of one project in a folder; may be used from any thread.

    `load` first. What only looks at the list or marks is quick; what reads or writes files is slow. `budget` is in
    bytes.
    """

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self.folder, self.budget = folder, budget
        self.claimed = False
        self._results: dict[str, Result] = {}
        self._deleted: dict[str, Result] = {}
        self._inputs: dict[str, int] = {}
        self._unwritten: set[str] = set()
        self._troubles: list[str] = []
        self._guard = threading.RLock()
        self._loading = threading.Lock()
        self._loaded = False
        self._later: set[str] = set()
        self._writing = threading.Lock()

    def load(self) -> None:
        """Read what is on disk, once; slow. What is damaged is set aside and named in `troubles`.

        What a later version wrote is left alone.
        """
        with self._loading:
            if self._loaded:
                return
            shutil.rmtree(self.folder / "deleted", ignore_errors=True)
            for path in sorted(self.folder.glob("*.json")):
                self._read(path)
            self._inputs = tidied(self.folder, self._results, self._later)
            self.claimed |= (self.folder / CLAIMED).exists()
            self._loaded = True

    @property
    def loaded(self) -> bool:
        """Whether what is on disk has been read."""
        return self._loaded

    @property
    def troubles(self) -> tuple[str, ...]:
        """Sentences about what was damaged and set aside."""
        return tuple(self._troubles)

    # Looking

    def all(self) -> tuple[Result, ...]:
        """List all results, newest first."""
        with self._guard:
            return tuple(sorted(self._results.values(), key=lambda result: (result.created, result.id), reverse=True))

    def get(self, result_id: str) -> Result | None:
        """Give the result of this id."""
        return self._results.get(result_id)

    def search(self, words: str = "", task: str | None = None) -> tuple[Result, ...]:
        """List the results whose instruction contains all of these words, and of this task, newest first."""
        wanted = words.casefold().split()
        return tuple(
            result
            for result in self.all()
            if (task is None or result.task == task) and all(word in result.words.casefold() for word in wanted)
        )

    def children(self, result_id: str) -> tuple[Result, ...]:
        """List the results that were made of this one, newest first."""
        return tuple(result for result in self.all() if result_id in result.parents)

    # Adding

    def add(
        self, result: EditResult, made: Made, index: int = 0, run: str = "", model_folder: Path | None = None
    ) -> Result:
        """Keep what came back for the request at `index`; slow. `run` is shared by what belongs together.

        Raises:
            DocumentError: it cannot be written.
        """
        self.load()
        with self._writing:
            return self._add(result, made, index, run, model_folder)

    def _add(self, result: EditResult, made: Made, index: int, run: str, model_folder: Path | None) -> Result:
        from mlx_model.pictures.recipe import metadata_for
        from mlx_model.pictures.write import encode_picture

        asked = made.requests[index]
        edited = asked.picture is not None
        foreign, frame = edited and not made.below, result.picture.size
        # Of another picture all is kept: there is no document that has the rest.
        box = result.seen_box if edited and not foreign else (0, 0, *frame)
        base = ""
        if asked.picture is not None:
            base = self._put(cropped(made.pictures[asked.picture], box))
        for name in names_beside(asked):
            self._put(made.pictures[name], name)
        recipe = recipe_of(result, model_folder)
        patch = cropped(result.patch, box)
        data = encode_picture("png", patch, metadata_for(recipe, patch.size, "png"))
        kept = Result(
            id=uuid4().hex,
            created=datetime.now(UTC).isoformat(timespec="microseconds"),
            model=made.model,
            recipe=recipe,
            asked=asked,
            run=run or uuid4().hex,
            parents=made.parents,
            box=box,
            frame=frame,
            below=made.below,
            place=made.place,
            replaces=made.replaces,
            base=base,
            seconds=sum(result.timings.values()),
            size=len(data),
            foreign=foreign,
            warnings=(*result.warnings, *result.notes),
        )
        self._write(self.folder / f"{kept.id}.png", data)
        self._write(self.folder / f"{kept.id}.json", to_json(kept))
        with self._guard:
            self._results[kept.id] = kept
        if self.claimed:
            self.mark_claimed()
        return kept

    def mark_claimed(self) -> None:
        """Note on the disk that a file leads to these results."""
        with contextlib.suppress(OSError):
            (self.folder / CLAIMED).touch()

    # Marking

    def star(self, result_id: str, on: bool = True) -> None:
        """Mark a result as good, or no longer; a good one is not rejected. `flush` writes it."""
        self._mark(result_id, starred=on, **({"rejected": False} if on else {}))

    def reject(self, result_id: str, on: bool = True) -> None:
        """Mark a result as bad, or no longer; a bad one has no star. `flush` writes it."""
        self._mark(result_id, rejected=on, **({"starred": False} if on else {}))

    def accept(self, result_id: str) -> None:
        """Note that a result became a layer. `flush` writes it."""
        self._mark(result_id, accepted=True, rejected=False)

    def _mark(self, result_id: str, **changes: bool) -> None:
        with self._guard:
            held = self._results.get(result_id)
            if held is not None and (changed := replace(held, **changes)) != held:
                self._results[result_id] = changed
                self._unwritten.add(result_id)

    def flush(self) -> None:
        """Write the marks that are not on disk yet; slow.

        Raises:
            DocumentError: they cannot be written; they stay to be written.
        """
        with self._loading:  # one at a time, so that an older mark never overwrites a newer one
            while True:
                with self._guard:
                    if not self._unwritten:
                        return
                    result_id = next(iter(self._unwritten))
                    result = self._results.get(result_id)
                    if result is None:  # deleted since
                        self._unwritten.discard(result_id)
                        continue
                self._write(self.folder / f"{result.id}.json", to_json(result))
                with self._guard:
                    now = self._results.get(result_id)
                    if now is result:
                        self._unwritten.discard(result_id)
                    elif now is None:  # deleted while it was written
                        (self.folder / f"{result_id}.json").unlink(missing_ok=True)

    # Deleting

    def delete(self, result_id: str) -> None:
        """Take a result away; `restore` brings it back until `purge`, or until the program ends."""
        with self._guard:
            result = self._results.pop(result_id, None)
            if result is None:
                return
            self._deleted[result_id] = result
            self._move(result_id, self.folder, self.folder / "deleted")

    def restore(self, result_id: str) -> None:
        """Bring a deleted result back."""
        with self._guard:
            result = self._deleted.pop(result_id, None)
            if result is not None:
                self._move(result_id, self.folder / "deleted", self.folder)
                self._results[result_id] = result
                self._unwritten.add(result_id)  # a mark may have come with no time to be written

    def purge(self, result_ids: Iterable[str]) -> None:
        """Free the disk of these, as far as they were deleted; they cannot be restored from then on; slow."""
        with self._writing:  # nothing is being written that needs the same inputs
            with self._guard:
                gone = {name: self._deleted.pop(name) for name in result_ids if name in self._deleted}
            for result_id in gone:
                removed = [self.folder / "deleted" / f"{result_id}.{suffix}" for suffix in ("json", "png")]
                for path in (*removed, *self.folder.glob(f"thumbnails/{result_id}-*.png")):
                    with contextlib.suppress(OSError):
                        path.unlink(missing_ok=True)
            self._drop_inputs(name for result in gone.values() for name in result.inputs)

    @property
    def bytes_used(self) -> int:
        """The bytes of all results and what belongs to them, without thumbnails."""
        with self._guard:
            needed = {name for result in self._results.values() for name in result.inputs}
            inputs = sum(size for name, size in self._inputs.items() if name in needed)
            return inputs + sum(result.size for result in self._results.values())

    def tidy(self) -> tuple[Result, ...]:
        """Delete rejected results for good, the oldest first, while more than the budget is used; returns them."""
        gone: list[Result] = []
        while self.bytes_used > self.budget:
            with self._writing, self._guard:  # nothing is being written that needs the same inputs
                rejected = [result for result in self.all() if result.rejected]
                if not rejected:
                    break
                oldest = self._results.pop(rejected[-1].id)
                gone.append(oldest)
                with contextlib.suppress(OSError):
                    for suffix in ("json", "png"):  # the description first: half a result is not one
                        (self.folder / f"{oldest.id}.{suffix}").unlink(missing_ok=True)
                self._drop_inputs(oldest.inputs)
        return tuple(gone)

    def offer(self) -> tuple[Result, ...]:
        """List what a person might let go to come back to the budget, the oldest first; empty within it.

        Accepted ones without a star: what they painted stays in its layer.
        """
        over, offered = self.bytes_used - self.budget, list[Result]()
        for result in reversed(self.all()):
            if over <= 0:
                break
            if result.accepted and not result.starred:
                offered.append(result)
                over -= result.size
        return tuple(offered)

    # Pictures

    def patch(self, result_id: str) -> Picture:
        """Read what was painted, of the box's size, its alpha the mask through which it is laid over; slow.

        Raises:
            DocumentError: there is none, or its file is damaged and was set aside.
        """
        result = self._held(result_id)
        try:
            picture = read_png(self.folder / f"{result_id}.png")
            if picture.size != result.box[2:]:
                raise ValueError("size")
        except (OSError, ValueError) as error:
            self._held(result_id)  # deleted while it was read: it is whole
            raise self._set_aside(result_id) from error
        return picture

    def picture(self, result_id: str) -> Picture:
        """Read what the model saw with what it painted, of the box's size; slow. Raises as `patch`."""
        result, patch = self._held(result_id), self.patch(result_id)
        if not result.base:
            return patch
        return laid_over(self._input(result.base), patch, keep_alpha=result.request.mask is None)

    def inputs(self, result_id: str) -> dict[str, Picture]:
        """Read all that a result's request names, by digest; slow.

        Of the picture there is what the model saw; what lay outside, which changes nothing, is transparent.

        Raises:
            DocumentError: there is none, or a file is missing or damaged.
        """
        result = self._held(result_id)
        pictures = {name: self._input(name) for name in names_beside(result.request)}
        if result.request.picture is not None:
            pictures[result.request.picture] = placed(self._input(result.base), result.box, result.frame)
        return pictures

    def mask(self, result_id: str) -> Picture | None:
        """Read the mask that a result was made with; None for none. Raises as `inputs`."""
        name = self._held(result_id).request.mask
        return None if name is None else self._input(name)

    def thumbnail(self, result_id: str, side: int) -> NDArray[np.uint8]:
        """Give the picture small, sRGB RGBA of at most `side` pixels; kept on disk once made. Raises as `patch`."""
        from mlx_model.pictures.write import encode_picture

        path = self.folder / "thumbnails" / f"{result_id}-{side}.png"
        with contextlib.suppress(OSError, ValueError):
            return np.asarray(read_png(path).pixels, np.uint8)
        small = shrunk(self.picture(result_id), side)
        with contextlib.suppress(DocumentError):  # it can be made again
            self._write(path, encode_picture("png", Picture(small)))
        return small

    # Project files

    def entries(self) -> dict[str, Path]:
        """Name the files of all results but the rejected ones as they lie in a project file.

        Those with a star and those that became layers come first, and no more than the budget, nor than `BUDGET`: a
        file that grew for ever could no longer be opened.
        """
        found: dict[str, Path] = {}
        room = min(self.budget, BUDGET)
        for result in sorted(self.all(), key=lambda result: not (result.starred or result.accepted)):
            names = {f"{INPUTS}/{name}.png": self._inputs.get(name, 0) for name in sorted(result.inputs)}
            names |= {f"{result.id}.png": result.size, f"{result.id}.json": 0}
            files = {FOLDER + name: size for name, size in names.items() if FOLDER + name not in found}
            if not result.rejected and sum(files.values()) <= room and len(found) + len(files) <= _MOST_FILES:
                room -= sum(files.values())
                found |= {name: self.folder / name.removeprefix(FOLDER) for name in files}
        return found

    def take(self, entries: Mapping[str, bytes]) -> None:
        """Take in what a project file held, beside what is here already; slow.

        Raises:
            DocumentError: it cannot be written.
        """
        self.load()
        with self._writing:
            for entry in own_entries(entries):
                path = self.folder / entry.removeprefix(FOLDER)
                if not path.exists():
                    self._write(path, entries[entry])
                    if path.parent.name == INPUTS:
                        self._inputs[path.stem] = len(entries[entry])
                    elif path.suffix == ".json":
                        self._read(path)

    def move_to(self, folder: Path) -> None:
        """Go on in another folder, with all that is in this one, which stays as it is; slow.

        Raises:
            DocumentError: a mark cannot be written.
            OSError: the disk is full, or cannot be written to.
        """
        self.flush()
        with self._loading, self._writing:
            copy_results(self.folder, folder)
            with self._guard:
                for held, part, other in ((self._results, "", "deleted"), (self._deleted, "deleted", "")):
                    for name in (f"{result_id}.{suffix}" for suffix in ("png", "json") for result_id in held):
                        if not (folder / part / name).exists():  # it was deleted or restored meanwhile
                            (folder / part).mkdir(exist_ok=True)
                            copy_file(self.folder / part / name, folder / part / name)
                        (folder / other / name).unlink(missing_ok=True)
                self.folder, self.claimed = folder, False

    # On disk

    def _held(self, result_id: str) -> Result:
        result = self._results.get(result_id)
        if result is None:
            raise DocumentError("this result is no longer there; make it again")
        return result

    def _write(self, path: Path, data: bytes) -> None:
        with contextlib.suppress(OSError):  # what is wrong with the folder, the file says in a sentence
            path.parent.mkdir(parents=True, exist_ok=True)
        save_file(path, lambda file: file.write(data))

    def _put(self, picture: Picture, name: str | None = None) -> str:
        """Write an input unless it is there."""
        from mlx_model.pictures.write import encode_picture

        name = name or digest(picture)
        path = self.folder / INPUTS / f"{name}.png"
        if not path.exists():
            self._write(path, encode_picture("png", picture))
        self._inputs[name] = path.stat().st_size
        return name

    def _input(self, name: str) -> Picture:
        try:
            return read_png(self.folder / INPUTS / f"{name}.png")
        except (OSError, ValueError) as error:
            raise DocumentError("a picture that this result was made of is damaged; run the edit anew") from error

    def _read(self, path: Path) -> None:
        try:
            result = from_json(path.read_bytes())
            if result.id != path.stem or path.with_suffix(".png").stat().st_size != result.size:
                raise ValueError("another file")
        except LaterVersion:
            self._later.add(path.stem)
            return
        except (OSError, ValueError):
            self._set_aside(path.stem)
            return
        with self._guard:
            self._results[result.id] = result

    def _set_aside(self, result_id: str) -> DocumentError:
        with self._guard:
            self._results.pop(result_id, None)
            self._move(result_id, self.folder, self.folder / "damaged")
        error = DocumentError(f"a result was damaged and is set aside in {self.folder / 'damaged'}; run it again")
        self._troubles.append(str(error))
        return error

    def _move(self, result_id: str, here: Path, there: Path) -> None:
        with contextlib.suppress(OSError):
            there.mkdir(parents=True, exist_ok=True)
            for suffix in ("json", "png") if here == self.folder else ("png", "json"):
                with contextlib.suppress(FileNotFoundError):
                    (here / f"{result_id}.{suffix}").replace(there / f"{result_id}.{suffix}")

    def _drop_inputs(self, names: Iterable[str]) -> None:
        with self._guard:
            held = (*self._results.values(), *self._deleted.values())
            needed = {name for result in held for name in result.inputs}
        for name in set() if self._later else set(names) - needed:
            with contextlib.suppress(OSError):
                (self.folder / INPUTS / f"{name}.png").unlink(missing_ok=True)
