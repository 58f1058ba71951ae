"""How a result lies on disk: its description in JSON, its pictures in PNG.

<id>.json              the description, written last: without it there is no result
<id>.png               what was painted, cropped to the box, with the recipe inside
inputs/<digest>.png    what the model saw within the box, masks and references; shared by results
thumbnails/            small pictures that can be made again
deleted/, damaged/     what was deleted and can still be restored, what could not be read
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import shutil
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mlx_model.library.folders import model_digest
from mlx_model.pictures.recipe import Input, SavedRecipe, recipe_from_json
from mlx_model.request import Box, EditRequest, EditResult, Picture, RequestError, digest

from .description import MAX_PIXELS, whole
from .export import in_srgb
from .frame_place import Place, checked
from .geometry import Rect
from .openraster_write import scaled_down
from .plane_png import decode_png, png_size

FORMAT: Final = 1
INPUTS: Final = "inputs"
FOLDER: Final = "results/"
"""Where results lie in a project file."""
_YOUNGEST: Final = 60.0
"""Seconds in which a picture may still get its description."""
_RESULT_FILE: Final = re.compile(r"([0-9a-f]{32})\.(json|png)")
_INPUT_FILE: Final = re.compile(r"inputs/([0-9a-f]{64})\.png")
_TEXTS: Final = ("id", "created", "model", "run", "below", "base")
_FLAGS: Final = ("foreign", "starred", "rejected", "accepted")
_ID: Final = re.compile("[0-9a-f]{32}")
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class LaterVersion(ValueError):
    """A description that a later version of this program wrote; what it describes is whole."""


@dataclass(frozen=True)
class Result:
    """One picture that an edit made.

    `created` is ISO 8601 in UTC. `recipe` has the request with nothing left open, `asked` is the request as it was
    made; `model` is the model's key. `run` is shared by the results of one run, `parents` are the results that this
    one was made of. `box` is where the patch lies in a picture of `frame` (width, height); `below` is the digest of
    what lay below the edit. `foreign`: it was made for another picture than the document. `seconds` it took; `size`
    is that of the patch in bytes on disk; `base` names the file of what the model saw, "" where nothing was there.
    `place` is where the document's picture lay then; `replaces` is the id of the layer that was run again and whose
    place it takes, "" where there is none.
    """

    id: str
    created: str
    model: str
    recipe: SavedRecipe
    asked: EditRequest
    run: str
    parents: tuple[str, ...]
    box: Box
    frame: tuple[int, int]
    below: str
    base: str
    seconds: float
    size: int
    foreign: bool = False
    starred: bool = False
    rejected: bool = False
    accepted: bool = False
    warnings: tuple[str, ...] = ()
    place: Place = ()
    replaces: str = ""

    @property
    def request(self) -> EditRequest:
        """The request with nothing left open: it gives the same pixels again."""
        return self.recipe.request

    @property
    def task(self) -> str:
        """The task, a key of `mlx_model.tasks.TASKS`."""
        return self.request.task or ""

    @property
    def words(self) -> str:
        """The instruction as the person wrote it."""
        return self.asked.instruction

    @property
    def seed(self) -> int:
        """The seed."""
        return self.request.seed

    @property
    def inputs(self) -> frozenset[str]:
        """The digests of the files in `inputs/` that it needs."""
        return frozenset({self.base, *names_beside(self.request)} - {""})


def names_beside(request: EditRequest) -> tuple[str, ...]:
    """Name the pictures that a request needs beside the one to edit."""
    names = [request.mask, request.control_picture]
    for reference in request.references:
        names += [reference.picture, reference.mask]
    return tuple(dict.fromkeys(name for name in names if name))


def recipe_of(result: EditResult, model_folder: Path | None) -> SavedRecipe:
    """Write down how a result was made; the model's content is named where its folder is known. Slow."""
    request = result.request
    roles = [("picture", request.picture), ("mask", request.mask), ("control picture", request.control_picture)]
    for number, reference in enumerate(request.references, 1):
        roles += [(f"reference {number}", reference.picture), (f"mask of reference {number}", reference.mask)]
    return SavedRecipe(
        request=request,
        model=result.model,
        model_folder="" if model_folder is None else str(model_folder.absolute()),
        model_digest="" if model_folder is None else _model_digest(model_folder),
        adapters={adapter.name: "" for adapter in request.adapters},
        versions=result.versions,
        device=result.versions.get("device", platform.machine()),
        inputs=tuple(Input(role, name, "", 0, "") for role, name in roles if name),
        result=digest(result.picture),
    )


def _model_digest(folder: Path) -> str:
    try:
        return model_digest(folder)
    except RequestError:  # it has just painted: a recipe that names it less well is better than none
        return ""


def to_json(result: Result) -> bytes:
    """Write a result's description."""
    plain = {
        name: getattr(result, name)
        for name in (
            "id", "created", "model", "run", "parents", "box", "frame", "below", "base", "seconds", "size", "foreign",
            "starred", "rejected", "accepted", "warnings", "place", "replaces",
        )
    }  # fmt: skip
    recipe, asked = json.loads(result.recipe.to_json()), json.loads(result.asked.to_json())
    return json.dumps({"format": FORMAT, **plain, "recipe": recipe, "asked": asked}, ensure_ascii=False).encode()


def from_json(data: bytes) -> Result:
    """Read what `to_json` wrote.

    Raises:
        ValueError: it is damaged.
        LaterVersion: it is not for this version to read.
    """
    try:
        held: dict[str, Any] = dict(json.loads(data))
        if whole(held["format"], FORMAT) > FORMAT:
            raise LaterVersion("format")
        if not _ID.fullmatch(held["id"]):
            raise ValueError("id")
        if held["base"] and not _DIGEST.fullmatch(held["base"]):
            raise ValueError("base")
        left, top, width, height = (whole(number) for number in held["box"])
        wide, high = (whole(number, 1) for number in held["frame"])
        if wide * high > MAX_PIXELS or Rect(left, top, width, height) not in Rect(0, 0, wide, high):
            raise ValueError("box")
        plain: dict[str, Any] = {name: str(held[name]) for name in _TEXTS}
        plain |= {name: bool(held[name]) for name in _FLAGS}
        made = Result(
            **plain,
            recipe=recipe_from_json(json.dumps(held["recipe"]), "a result"),
            asked=EditRequest.from_json(json.dumps(held["asked"])),
            parents=tuple(str(parent) for parent in held["parents"]),
            box=(left, top, whole(width, 1), whole(height, 1)),
            frame=(wide, high),
            seconds=float(held["seconds"]),
            size=whole(held["size"], 0),
            warnings=tuple(str(sentence) for sentence in held["warnings"]),
            place=checked(held.get("place", ())),
            replaces=str(held.get("replaces", "")),
        )
        if any(not _DIGEST.fullmatch(name) for name in made.inputs):
            raise ValueError("inputs")
        return made
    except (KeyError, TypeError, AttributeError, RequestError, RecursionError) as error:
        raise ValueError("the description of a result is damaged") from error


def read_png(path: Path) -> Picture:
    """Read a picture of a result.

    Raises:
        ValueError: it is damaged or far too large.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    width, height, _ = png_size(data)
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError("the picture is too large")
    pixels, profile = decode_png(data)
    return Picture(pixels, profile)  # pyright: ignore[reportArgumentType] uint8 or uint16


def own_entries(names: Iterable[str]) -> list[str]:
    """List those entries of a project file that are results' files, pictures first and descriptions last."""
    found = [name for name in names if name.startswith(FOLDER) and _is_ours(name.removeprefix(FOLDER))]
    return sorted(found, key=lambda name: (name.endswith(".json"), name))


def _is_ours(name: str) -> bool:
    return bool(_RESULT_FILE.fullmatch(name) or _INPUT_FILE.fullmatch(name))


def tidied(folder: Path, results: Mapping[str, Result], later: Collection[str]) -> dict[str, int]:
    """Remove what belongs to no result: what a killed process left, and the inputs of deleted ones.

    `later` are the ids of what another version wrote. Returns the bytes of the inputs that were there.
    """
    sizes: dict[str, int] = {}
    needed = {name for result in results.values() for name in result.inputs}
    for path in folder.glob(f"{INPUTS}/*.png"):
        with contextlib.suppress(OSError):
            sizes[path.stem] = path.stat().st_size
            if path.stem not in needed and not later and _old(path):  # what those need, nobody knows
                path.unlink()
    for path in folder.glob("thumbnails/*.png"):
        with contextlib.suppress(OSError):
            if path.stem.rpartition("-")[0] not in results and _old(path):
                path.unlink()
    for path in folder.glob("*.png"):
        with contextlib.suppress(OSError):
            if path.stem not in results and path.stem not in later and _old(path):
                path.unlink()
    return sizes


def _old(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > _YOUNGEST


def copy_results(here: Path, there: Path) -> None:
    """Have all files of results in another folder as well, descriptions last: half a result is not one.

    They are links where the disk has those, since none is ever written to again.

    Raises:
        OSError: the disk is full, or cannot be written to.
    """
    there.mkdir(parents=True, exist_ok=True)
    for part in (INPUTS, "thumbnails", "deleted", ""):
        for suffix in ("png", "json"):
            for path in (here / part).glob(f"*.{suffix}"):
                (there / part).mkdir(exist_ok=True)
                copy_file(path, there / part / path.name)


def copy_file(path: Path, copy: Path) -> None:
    """Have one of them in another folder as well, as `copy_results`; nothing happens where it is gone or there."""
    with contextlib.suppress(FileNotFoundError, FileExistsError):  # it was deleted meanwhile, or is there already
        try:
            copy.hardlink_to(path)
        except FileExistsError:
            raise
        except (OSError, NotImplementedError):  # the disk knows no links
            shutil.copy2(path, copy)


def cropped(picture: Picture, box: Box) -> Picture:
    """Cut a box out of a picture."""
    left, top, width, height = box
    pixels = np.ascontiguousarray(picture.pixels[top : top + height, left : left + width])
    return Picture(pixels, picture.profile)  # pyright: ignore[reportArgumentType] uint8 or uint16


def shrunk(picture: Picture, side: int) -> NDArray[np.uint8]:
    """Make a picture small: sRGB RGBA of at most `side` pixels."""
    pixels = picture.pixels if picture.profile is None else in_srgb(picture.pixels, picture.profile)
    if pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.uint32) + 128) // 257
    scale = min(1.0, side / max(picture.size))
    width, height = (max(1, round(length * scale)) for length in picture.size)
    return scaled_down(pixels.astype(np.uint8), (width, height)).astype(np.uint8, copy=False)


def placed(picture: Picture, box: Box, frame: tuple[int, int]) -> Picture:
    """Put a picture where its box is in one of `frame` (width, height) that is transparent elsewhere."""
    left, top, width, height = box
    if (left, top, width, height) == (0, 0, *frame):
        return picture
    pixels = np.zeros((frame[1], frame[0], 4), picture.pixels.dtype)
    pixels[top : top + height, left : left + width] = picture.pixels
    return Picture(pixels, picture.profile)  # pyright: ignore[reportArgumentType] uint8 or uint16


def laid_over(base: Picture, patch: Picture, *, keep_alpha: bool) -> Picture:
    """Lay a patch over what it was made of, of the same size: the edited picture as the model gave it.

    `keep_alpha`: where no mask said that something should appear, transparency stays as it is.
    """
    full, over = base.pixels.copy(), patch.pixels
    most = np.float32(np.iinfo(full.dtype).max)
    changed = over[..., 3] > 0
    old, new = full[changed].astype(np.float32), over[changed].astype(np.float32)
    above, under = new[:, 3] / most, old[:, 3] / most
    if keep_alpha:
        weight = np.minimum(above / np.maximum(under, np.float32(1e-6)), 1)
    else:
        united = above + under * (1 - above)
        weight = above / united
        full[changed, 3] = np.rint(united * most)
    full[changed, :3] = np.rint(old[:, :3] + (new[:, :3] - old[:, :3]) * weight[:, None])
    return Picture(full, base.profile)
