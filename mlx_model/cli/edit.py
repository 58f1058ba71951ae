"""From what was typed to files: gather the inputs, check everything that can be checked, edit, write the results."""

import math
import os
import re
import secrets
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from mlx_model.cli.report import Report
from mlx_model.library.folders import file_digest, find_model, model_digest
from mlx_model.pictures.inputs import Inputs, check_mask, check_size
from mlx_model.pictures.read import PictureFile, file_of, open_picture, read_all
from mlx_model.pictures.recipe import SavedRecipe, metadata_for
from mlx_model.pictures.write import check_writable, encode_picture, kind_of, losses, write_whole
from mlx_model.places import exists, is_file, is_folder, reason
from mlx_model.request import Adapter, Box, EditRequest, EditResult, Reference, RequestError, digest

if TYPE_CHECKING:
    from mlx_model.editor import Editor

Target: TypeAlias = Path | None
"""Where a result goes; None is standard output."""

MAX_COUNT: Final = 1000
PIPE: Final = "-"


@dataclass(frozen=True)
class Job:
    """An edit as it is typed, or as a line of a batch says it; None means that it was left open.

    ``references`` are "PICTURE" or "PICTURE:MASK", ``adapters`` "NAME" or "NAME=STRENGTH".
    """

    instruction: str = ""
    picture: str | None = None
    mask: str | None = None
    references: tuple[str, ...] = ()
    task: str | None = None
    control: str | None = None
    control_picture: str | None = None
    strength: float | None = None
    adapters: tuple[str, ...] = ()
    region: Box | None = None
    size: tuple[int, int] | None = None
    seed: int | None = None
    count: int = 1
    steps: int | None = None
    guidance: float | None = None
    max_tokens: int | None = None
    model: str | None = None
    fit_mask: bool = False
    grow: int | None = None
    fade: int | None = None
    colour_match: bool = True
    out: str | None = None
    embed_inputs: bool = False


@dataclass(frozen=True)
class Prepared:
    """A job whose inputs are read and whose outputs can be written; ``targets`` has one per result.

    ``notes`` are what the person should know about the inputs.
    """

    request: EditRequest
    inputs: Inputs
    model: Path
    targets: tuple[Target, ...]
    embed_inputs: bool = False
    notes: tuple[str, ...] = ()


@dataclass
class Editors:
    """The editors that were needed so far, one per model: models stay loaded from job to job."""

    by_folder: dict[Path, "Editor"] = field(default_factory=dict[Path, "Editor"])

    def of(self, folder: Path) -> "Editor":
        """Return the editor for a model folder; this is where MLX is loaded."""
        if folder not in self.by_folder:
            from mlx_model.editor import Editor
            from mlx_model.text_store import default_store

            self.by_folder[folder] = Editor(folder, text_store=default_store())
        return self.by_folder[folder]


def prepare(job: Job, targets: tuple[Target, ...] | None = None) -> Prepared:
    """Read the inputs and check the outputs, which go to ``targets`` or else where the job says.

    Raises:
        RequestError: something is missing, damaged, does not fit, or cannot be written.
    """
    if not 1 <= job.count <= MAX_COUNT:
        raise RequestError(f"--count must lie between 1 and {MAX_COUNT}, not {job.count}")
    if job.seed is not None and job.seed < 2**64 < job.seed + job.count:
        raise RequestError(
            f"{job.count} variants have no seeds from {job.seed} on; begin at {2**64 - job.count} at most"
        )
    _check_text(job.instruction)
    model = find_model(job.model)
    adapters = tuple(_adapter(text) for text in job.adapters)
    names = [_reference(text) for text in job.references]
    if [job.picture, job.mask, job.control_picture, *(n for pair in names for n in pair)].count(PIPE) > 1:
        raise RequestError("only one picture can come through the pipe; give the others as files")
    inputs, notes = Inputs(), list[str]()
    picture = mask = control_picture = None
    if job.picture is not None:
        file = _open(job.picture)
        check_size(file.picture, _name(job.picture))
        picture, size = inputs.add("picture", file), file.picture.size
        if file.first_of_several:
            notes.append(f"{_name(job.picture)} holds more than one picture; the first is edited")
        if job.mask is not None:
            mask = _add_mask(inputs, "mask", job.mask, size, job.picture, job.fit_mask)
        if job.control_picture is not None:
            control_picture = inputs.add("control picture", _open(job.control_picture))
    elif job.mask is not None:
        raise RequestError("a mask says which part of a picture may change: give the picture as well")
    references: list[Reference] = []
    for number, (name, cutout) in enumerate(names, 1):
        file = _open(name)
        check_size(file.picture, _name(name))
        reference, role = inputs.add(f"reference {number}", file), f"mask of reference {number}"
        references.append(
            Reference(
                reference,
                cutout and _add_mask(inputs, role, cutout, file.picture.size, name, job.fit_mask),
            )
        )
    request = EditRequest(
        instruction=job.instruction,
        picture=picture,
        mask=mask,
        references=tuple(references),
        task=job.task,
        control=job.control or ("as-is" if control_picture else None),
        control_picture=control_picture,
        strength=job.strength,
        adapters=adapters,
        region=job.region,
        size=job.size,
        seed=secrets.randbelow(2**32) if job.seed is None else job.seed,
        steps=job.steps,
        guidance=job.guidance,
        max_tokens=job.max_tokens,
        grow=EditRequest.grow if job.grow is None else job.grow,
        fade=EditRequest.fade if job.fade is None else job.fade,
        colour_match=job.colour_match,
    )
    targets = targets_of(job) if targets is None else targets
    result_size = inputs.pictures[picture].size if picture else job.size
    for target in targets:
        if target is not None:
            _check_target(target, result_size, inputs, job.embed_inputs)
    return Prepared(request, inputs, model, targets, job.embed_inputs, tuple(notes))


def carry_out(prepared: Prepared, editors: Editors, report: Report) -> list[SavedRecipe]:
    """Make and write every result of a job; what is written stays if a later one fails.

    Raises:
        RequestError: the editor or the disk says no.
    """
    editor = editors.of(prepared.model)
    recipes: list[SavedRecipe] = []
    for number, target in enumerate(prepared.targets):
        request = replace(prepared.request, seed=prepared.request.seed + number)
        result = editor.edit(request, prepared.inputs.pictures, on_progress=report.progress)
        recipe = recipe_of(result, prepared.inputs, prepared.model)
        if number == 0:
            for warning in (*prepared.notes, *result.warnings, *result.notes):
                report.warning(warning)
        save(result, recipe, prepared, target, report)
        recipes.append(recipe)
    return recipes


def recipe_of(result: EditResult, inputs: Inputs, model: Path) -> SavedRecipe:
    """Write down how a result was made."""
    from mlx_model.cli import machine

    return SavedRecipe(
        request=result.request,
        model=result.model,
        model_folder=str(model.absolute()),
        model_digest=model_digest(model),
        adapters=adapter_digests(model, [adapter.name for adapter in result.request.adapters]),
        versions={**machine.versions(), **result.versions},
        device=machine.device(),
        inputs=tuple(inputs.entries),
        result=digest(result.picture),
    )


def adapter_digests(model: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the digest of each adapter's file by the adapter's name; MLX is loaded for it.

    Raises:
        RequestError: there is no such adapter, or its file cannot be read.
    """
    from mlx_model.parts import Parts
    from mlx_model.weights.config import ModelConfig

    parts = Parts(model, ModelConfig.load(model))
    return {name: file_digest(parts.adapter_path(Adapter(name))) for name in names}


def save(result: EditResult, recipe: SavedRecipe, prepared: Prepared, target: Target, report: Report) -> None:
    """Write one result with its recipe and tell of it.

    Raises:
        RequestError: it cannot be written.
    """
    kind = "png" if target is None else kind_of(target)
    for sentence in losses(kind, result.picture):
        report.warning(sentence)
    attachments = _embedded(prepared.inputs) if prepared.embed_inputs else ()
    data = encode_picture(kind, result.picture, metadata_for(recipe, result.picture.size, kind, attachments))
    if target is None:
        _write_pipe(data)
    else:
        write_whole(target, data)
    facts, sentence = _told(result, target)
    report.result(facts, sentence)


def parse_region(text: str) -> Box:
    """Read "X,Y,WIDTH,HEIGHT".

    Raises:
        RequestError: it is something else.
    """
    match = re.fullmatch(r"\s*(\d{1,6}),\s*(\d{1,6}),\s*(\d{1,6}),\s*(\d{1,6})\s*", text)
    if match is None:
        raise RequestError(f'a region is X,Y,WIDTH,HEIGHT in whole pixels, such as 100,50,256,256, not "{text}"')
    x, y, width, height = (int(part) for part in match.groups())
    return x, y, width, height


def parse_size(text: str) -> tuple[int, int]:
    """Read "WIDTHxHEIGHT".

    Raises:
        RequestError: it is something else.
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*[x×]\s*(\d{1,6})\s*", text)
    if match is None:
        raise RequestError(f'a size is WIDTHxHEIGHT in whole pixels, such as 512x384, not "{text}"')
    return int(match[1]), int(match[2])


def _adapter(text: str) -> Adapter:
    name, equals, number = text.rpartition("=")
    strength = 1.0
    if not equals or is_file(Path(text)):
        name = text
    else:
        try:
            strength = float(number)
        except ValueError:
            strength = math.nan
        if not math.isfinite(strength) or not name:
            raise RequestError(f'an adapter is NAME or NAME=STRENGTH, such as local=0.8, not "{text}"')
    if not name.endswith(".safetensors"):
        return Adapter(name, strength)
    if not is_file(Path(name)):
        raise RequestError(f"there is no adapter file {name} that can be read; give the path of a LoRA")
    return Adapter(os.path.abspath(name), strength)  # noqa: PTH100


def _reference(text: str) -> tuple[str, str | None]:
    """Split "PICTURE:MASK"; a file whose name has a colon is taken as it is."""
    name, colon, mask = text.rpartition(":")
    return (name, mask) if colon and name and mask and not exists(Path(text)) else (text, None)


def _check_text(instruction: str) -> None:
    try:
        instruction.encode()
    except UnicodeEncodeError as error:
        raise RequestError("the instruction is not valid Unicode text; type or save it in UTF-8") from error


def _open(name: str) -> PictureFile:
    if name != PIPE:
        return open_picture(Path(name))
    if sys.stdin is None or sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        raise RequestError('nothing comes through the pipe; give a file instead of "-"')
    return file_of(read_all(sys.stdin.buffer, _name(PIPE)), _name(PIPE), PIPE)


def _name(name: str) -> str:
    return "the picture from the pipe" if name == PIPE else name


def _add_mask(inputs: Inputs, role: str, name: str, size: tuple[int, int], of: str, fit: bool) -> str:
    file = _open(name)
    check_mask(file.picture, _name(name), size, _name(of), fit)
    return inputs.add(role, file, fit=size)


def targets_of(job: Job, ours: Collection[str] = ()) -> tuple[Target, ...]:
    """Decide where the results go; without --out beside the picture under a name that is free or one of ``ours``.

    Raises:
        RequestError: they would go to a terminal, or several through one pipe.
    """
    out = job.out or (PIPE if job.picture == PIPE else None)
    if out == PIPE:
        if job.count > 1:
            raise RequestError("only one picture can go through the pipe; give --out NAME.png for several")
        if sys.stdout.isatty():
            raise RequestError("the result would go to the terminal as raw bytes; give --out NAME.png")
        return (None,)
    if out is not None and not is_folder(Path(out)):
        path = Path(out)
        several = (path.with_stem(f"{path.stem}-{number}") for number in range(1, job.count + 1))
        return (path,) if job.count == 1 else tuple(several)
    source = Path(job.picture) if job.picture not in (None, PIPE) else None
    folder = Path(out) if out else source.parent if source else Path()
    stem = f"{source.stem}-edited" if source else "generated"
    paths = (folder / _numbered(stem, number) for number in range(1, 10**6))
    free = (path for path in paths if str(path) in ours or not exists(path))
    return tuple(next(free) for _ in range(job.count))


def _numbered(stem: str, number: int) -> str:
    return f"{stem}.png" if number == 1 else f"{stem}-{number}.png"


def _check_target(path: Path, size: tuple[int, int] | None, inputs: Inputs, embed: bool) -> None:
    check_writable(path, size)
    sources = (Path(entry.path) for entry in inputs.entries if entry.path != PIPE)
    if exists(path) and any(exists(source) and path.samefile(source) for source in sources):
        raise RequestError(f"{path} is one of the inputs; give the result another name with --out")
    if embed and kind_of(path) != "png":
        raise RequestError("only a PNG can hold its inputs: let the name of the result end in .png")


def _write_pipe(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would be tried again, and complained about, when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise RequestError(f"cannot write to standard output: {reason(error)}; give --out NAME.png") from error


def _embedded(inputs: Inputs) -> Sequence[bytes]:
    names = dict.fromkeys(entry.digest for entry in inputs.entries if entry.role != "picture")
    return [encode_picture("png", inputs.pictures[name]) for name in names]


def _told(result: EditResult, target: Target) -> tuple[Mapping[str, Any], str]:
    request, seconds = result.request, sum(result.timings.values())
    (width, height), (seen_width, seen_height) = result.picture.size, result.seen_size
    facts = {
        "output": PIPE if target is None else str(target),
        "size": result.picture.size,
        "seen_box": result.seen_box,
        "seen_size": result.seen_size,
        "canvas_size": result.canvas_size,
        "task": request.task,
        "seed": request.seed,
        "model": result.model,
        "seconds": round(seconds, 3),
        "timings": dict(result.timings),
        "digest": digest(result.picture),
    }
    place = "standard output" if target is None else str(target)
    sentence = (
        f"{place}: {width}×{height}, worked on at {seen_width}×{seen_height}"
        f" · {request.task} · seed {request.seed} · {seconds:.1f} s"
    )
    return facts, sentence
