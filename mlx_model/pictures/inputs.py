"""The pictures that go into an edit: gathered from files for a request, and found again for a recipe."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast

import cv2

from mlx_model.pictures.read import PictureFile, Pixels, read_bytes, read_picture
from mlx_model.pictures.recipe import Input
from mlx_model.places import is_file, reason
from mlx_model.request import Picture, RequestError, digest

SMALLEST: Final = 16
"""Pixels a side: less is not edited."""


@dataclass
class Inputs:
    """Pictures by digest, as an editor takes them, and what a recipe says about each."""

    pictures: dict[str, Picture] = field(default_factory=dict[str, Picture])
    entries: list[Input] = field(default_factory=list[Input])

    def add(self, role: str, file: PictureFile, fit: tuple[int, int] | None = None) -> str:
        """Take a picture in and return its digest; ``fit`` stretches it (a mask) to a (width, height) first."""
        picture, name = file.picture, file.digest
        fitted = fit if fit and fit != picture.size else None
        if fitted:
            picture = stretched(picture, fitted)
            name = digest(picture)
        self.pictures[name] = picture
        self.entries.append(Input(role, name, file.sha256, file.bytes, file.path, fitted))
        return name


def check_size(picture: Picture, name: str) -> None:
    """Refuse what is too small to be edited or referred to.

    Raises:
        RequestError: a side has fewer than :data:`SMALLEST` pixels.
    """
    width, height = picture.size
    if min(width, height) < SMALLEST:
        raise RequestError(f"{name} is {width}×{height}: at least {SMALLEST} pixels a side are needed; enlarge it")


def check_mask(mask: Picture, name: str, size: tuple[int, int], of: str, fit: bool) -> None:
    """Refuse a mask that does not lie on its picture, unless it will be stretched (``fit``).

    Raises:
        RequestError: the sizes differ; the sentence offers ``--fit-mask``.
    """
    if mask.size != size and not fit:
        width, height = mask.size
        raise RequestError(
            f"the mask {name} is {width}×{height} but {of} is {size[0]}×{size[1]}:"
            " draw it at that size, or let --fit-mask stretch it"
        )


def stretched(mask: Picture, size: tuple[int, int]) -> Picture:
    """Stretch a mask to (width, height) without making new values."""
    pixels = cast(Pixels, cv2.resize(mask.pixels, size, interpolation=cv2.INTER_NEAREST_EXACT))
    return Picture(pixels, mask.profile)


def find_inputs(entries: Iterable[Input], embedded: Iterable[bytes] = (), folder: Path | None = None) -> Inputs:
    """Find the inputs of a recipe: embedded, at their last paths, or in ``folder`` by size and sha256.

    A file whose bytes changed but whose pixels did not is as good.

    Raises:
        RequestError: one or more are missing or changed; the sentence names them and says how to go on.
    """
    held = {digest(picture): picture for picture in (read_picture(data, "an embedded input") for data in embedded)}
    found = Inputs()
    problems: list[str] = []
    for entry in entries:
        picture, path, seen = held.get(entry.digest), entry.path, False
        for place in _places(entry, folder) if picture is None else ():
            picture, path, seen = _as_recorded(place, entry), str(place.absolute()), True
            if picture is not None:
                break
        if picture is None:
            problems.append(_problem(entry, seen))
        else:
            found.pictures[entry.digest] = picture
            found.entries.append(replace(entry, path=path))
    if problems:
        hint = "give the folder that has it with --inputs" if folder is None else f"{folder} does not have it, either"
        raise RequestError(f"{'; '.join(problems)}; {hint}")
    return found


def _places(entry: Input, folder: Path | None) -> Iterable[Path]:
    path = Path(entry.path)
    if entry.path != "-" and is_file(path):
        yield path
    if folder is not None:
        try:
            yield from (p for p in sorted(folder.rglob("*")) if is_file(p) and p.stat().st_size == entry.bytes)
        except OSError as error:
            raise RequestError(f"the folder {folder} cannot be read: {reason(error)}") from error


def _as_recorded(path: Path, entry: Input) -> Picture | None:
    try:
        data = read_bytes(path)
        same_file = hashlib.sha256(data).hexdigest() == entry.sha256
        if not same_file and str(path) != entry.path:
            return None
        picture = read_picture(data, str(path))
        if entry.fitted:
            picture = stretched(picture, entry.fitted)
        return picture if digest(picture) == entry.digest else None
    except RequestError:
        return None


def _problem(entry: Input, changed: bool) -> str:
    facts = f"{entry.bytes} bytes, sha256 {entry.sha256[:12]}…"
    if entry.path == "-":
        return f"the {entry.role} came through a pipe ({facts})"
    state = "has changed" if changed and is_file(Path(entry.path)) else "is missing"
    return f"the {entry.role} {entry.path} {state} ({facts})"
