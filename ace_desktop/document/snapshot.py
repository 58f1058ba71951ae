"""From a document to an edit request: what is asked, of which pixels, and what stands in the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import cv2
import numpy as np

from mlx_model.conditioning.preprocess import apply_control
from mlx_model.conditioning.region import LONGEST_ASPECT, Region
from mlx_model.pictures.inputs import SMALLEST
from mlx_model.pictures.read import read_picture
from mlx_model.places import is_file
from mlx_model.request import Adapter, Box, EditRequest, Picture, Reference, RequestError, digest
from mlx_model.tasks import TASKS, recipe_for
from mlx_model.weights.config import ModelConfig
from mlx_model.work import region_of

from .below import digest_of, shows
from .compose import compose_layers
from .edit import (
    SELECTED,
    has_picture,
    inferred_task,
    mask_box,
    project_of,
    selected_box,
    settings_of,
    used_references,
)
from .frame_place import Place, place_of
from .geometry import Rect
from .masks import Grey, grey_of
from .picture_sources import PictureSources
from .references import BoardReference, change_reference, reference_picture, references_of
from .refusals import DAMAGED_REFERENCE, OUTSIDE_FRAME, TOO_SMALL, refusal_of
from .result_layers import RESULT
from .state import State, depth_of, walk

Subject: TypeAlias = str | Picture | Path
"""One of the many that a request is run over: a reference by its id, or a picture or a picture's file in place of the
document's."""

LARGEST_SIDE: Final = 8192
"""Of a new picture, in pixels."""
_LITTLE: Final = 0.6
"""Of the scale at which the picture would be seen without references."""
_FIELDS: Final = (
    "model", "picture", "size", "task", "instruction", "mask", "region", "references", "control", "strength",
    "steps", "guidance", "seed", "adapters",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that a job needs, cut loose from the document: the person goes on painting while it runs.

    `requests` are the variations, or one request over many; `pictures` holds what they name, by digest. `document` is
    the project's id, `below` the digest of what lay below the edit within the frame ("" where nothing counts),
    `parents` the ids of the results that can be seen there. `box` is where previews belong, None where nowhere;
    `place` is where the document's picture lay then; `replaces` the id of the layer that is run again, "" for none.
    """

    requests: tuple[EditRequest, ...]
    pictures: Mapping[str, Picture]
    task: str
    model: str
    title: str
    document: str
    below: str
    parents: tuple[str, ...] = ()
    box: Box | None = None
    place: Place = ()
    replaces: str = ""


@dataclass(frozen=True)
class Measures:
    """What a document asks for in sizes alone, (width, height).

    `picture` is None for a new one; `extent` is the mask's bounding box, None where everything may change.
    """

    asked: EditRequest
    picture: tuple[int, int] | None
    extent: Box | None
    references: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Problem:
    """Why an edit cannot run (`blocks`), or will hardly do what is wanted; `field` says beside which control.

    One of "model", "picture", "size", "task", "instruction", "mask", "region", "references", "control", "strength",
    "steps", "guidance", "seed", "adapters". The sentence is one that `sentences.said` knows.
    """

    field: str
    sentence: str
    blocks: bool = True


def problems(state: State, config: ModelConfig | None, folder: Path | None = None) -> tuple[Problem, ...]:
    """List what stands in the way of an edit, at most one for each field, in the order of the controls.

    Cheap enough to be asked after every change. Adapters are looked for where the model's folder is known.
    """
    found: dict[str, Problem] = {}

    def add(where: str, sentence: str, blocks: bool = True) -> None:
        if where not in found or (blocks and not found[where].blocks):
            found[where] = Problem(where, sentence, blocks)

    settings, asked = settings_of(state), asked_of(state)
    if config is None:
        add("model", "This model is not installed; choose another or install it.")
    if min(state.width, state.height) < SMALLEST:
        add("size", TOO_SMALL)
    elif asked.picture is None and max(state.width, state.height) > LARGEST_SIDE:
        add("size", "A new picture has at most 8192 pixels a side; make the canvas smaller.")
    elif asked.picture is None and max(state.width, state.height) > LONGEST_ASPECT * min(state.width, state.height):
        add("size", "A new picture is at most four times as long as it is wide; change the canvas.")
    kind = "fft" if config is None else config.kind
    probe, adapters = asked, asked.adapters
    for _ in _FIELDS:
        try:
            adapters = recipe_for(probe, kind).adapters
            break
        except RequestError as error:
            refusal = refusal_of(str(error))
            if refusal is not None and refusal.field == "mask" and asked.task == "reference":
                add("mask", "Paint a mask where the reference should go, or make it the subject of a new picture.")
            add(refusal.field if refusal else "task", refusal.sentence if refusal else str(error))
            if refusal is None or not refusal.supply:
                break
            probe = replace(probe, **refusal.supply)
    if config is not None and found.keys() <= {"instruction", "references", "strength", "control", "mask"}:
        try:
            measures = measures_of(state)
            alone = _region(state, replace(measures, references=()), config)
            region = _region(state, measures, config)
            if region.scale < _LITTLE * alone.scale:
                add("references", "The references leave little room for the picture; switch some off.", blocks=False)
            cut = asked.mask is not None and mask_box(state) not in Rect(*region.box)
            if cut and settings.region is not None:
                add(
                    "region",
                    "The part of the mask outside the frame stays as it is; enlarge the frame.",
                    blocks=False,
                )
            elif cut:
                add("size", "The mask is too long to be seen whole; only what is in the frame changes.", blocks=False)
            elif region.cut and asked.picture is not None and settings.region is None:
                add(
                    "size",
                    "The picture is too long to be seen whole; only what is in the frame changes.",
                    blocks=False,
                )
        except RequestError as error:
            refusal = refusal_of(str(error))
            add(refusal.field if refusal else "region", refusal.sentence if refusal else str(error))
    if asked.mask is not None and settings.region is not None:
        within = Rect(*settings.region) & state.frame
        if within and not selected_box(state.edit_mask, within):
            add("region", OUTSIDE_FRAME)
    if settings.control_reference is not None and _control_of(state) is None:
        add("control", "The control picture is no longer among the references; choose another.")
    elif (refused := _refused_control(asked)) is not None:
        add("control", refused)
    if asked.picture is None and mask_box(state):
        add("mask", "This task makes a new picture; the mask is not used.", blocks=False)
    if folder is not None and "model" not in found:
        for adapter in adapters:
            if not _has_adapter(folder, adapter.name):
                add("adapters", f"The adapter {adapter.name} is not installed; choose another or install it.")
    return tuple(sorted(found.values(), key=lambda problem: _FIELDS.index(problem.field)))


def frame_of(state: State, config: ModelConfig) -> tuple[Box, tuple[int, int]]:
    """Say what the model will see: the box in document pixels, and the size (width, height) at which that is seen.

    Raises:
        RequestError: there is no such frame, as `problems` says.
    """
    region = _region(state, measures_of(state), config)
    return region.box, region.content


def asked_of(state: State) -> EditRequest:
    """Give the request that a document means, with the parts of pictures ("mask") in place of their digests."""
    settings, task = settings_of(state), inferred_task(state)
    masked, new = bool(mask_box(state)), task in TASKS and not TASKS[task].needs_picture
    edited = not new and (masked or has_picture(state))
    return EditRequest(
        instruction=settings.instruction,
        picture="picture" if edited else None,
        mask="mask" if edited and masked else None,
        references=tuple(Reference(reference.id) for reference in used_references(state)),
        task=task,
        control=settings.control,
        control_picture="control" if _control_of(state) is not None else None,
        strength=settings.strength,
        adapters=tuple(Adapter(name, strength) for name, strength in settings.adapters),
        region=settings.region if edited else None,
        size=None if edited else (state.width, state.height),
        seed=settings.seed,
        steps=settings.steps,
        guidance=settings.guidance,
        grow=settings.grow,
        fade=settings.fade,
        colour_match=settings.colour_match,
    )


def snapshot(state: State, config: ModelConfig, many: Sequence[Subject] = ()) -> Snapshot:
    """Cut a document's edit loose from it; slow, for a thread.

    Without `many` one request for each variation (each with one more than the seed before), otherwise one for each
    subject, all with the same seed: a reference takes the place of all that are on, a picture that of the document;
    the mask counts for pictures of the document's size alone. What differs from one to the next is read anew when it
    is asked for, so that one of them is in memory at a time.

    Raises:
        RequestError: the edit cannot run; the message is for the person.
    """
    settings, pictures = settings_of(state), dict[str, Picture]()
    sources: dict[str, Callable[[], Picture]] = {}
    if many:
        requests = [_request_for(state, config, subject, pictures, sources) for subject in many]
    else:
        first = _request(state, config, pictures)
        seeds = [(settings.seed + number) % 2**64 for number in range(settings.variations)]
        requests = [replace(first, seed=seed) for seed in seeds]
    task = requests[0].task or inferred_task(state)
    foreign = any(isinstance(subject, Picture | Path) for subject in many)
    below, parents, box = "", (), None
    if not foreign:
        box = frame_of(state, config)[0]
    if box is not None and requests[0].picture is not None:
        below, parents = digest_of(state.layers, Rect(*box), state.profile), _parents(state, Rect(*box))
    return Snapshot(
        requests=tuple(requests),
        pictures=PictureSources(pictures, sources) if sources else pictures,
        task=task,
        model=settings.model,
        title=settings.instruction.strip() or TASKS[task].title,
        document=project_of(state) or "",
        below=below,
        parents=parents,
        box=box,
        place=place_of(state.settings),
    )


def snapshot_again(
    state: State, config: ModelConfig, asked: EditRequest, inputs: Mapping[str, Picture], shift: tuple[int, int]
) -> Snapshot:
    """Ask again, of a document as `result_layers.rerun` gives it, what was asked of it before; slow.

    `inputs` has the references and the control picture of then; `shift` is how far the place has moved since.

    Raises:
        RequestError: the edit cannot run any more; the message is for the person.
    """
    names = [*(reference.picture for reference in asked.references), asked.control_picture]
    names += [reference.mask for reference in asked.references]
    pictures = {name: inputs[name] for name in names if name}
    if asked.picture is None:
        return _new_again(state, config, asked, pictures, shift)
    picture = picture_of(state)
    pictures[digest(picture)] = picture
    mask = mask_picture(grey_of(state.edit_mask, state.frame))
    masked = asked.mask is not None
    if masked:
        pictures[digest(mask)] = mask
    region = asked.region
    if region is not None:
        region = region[0] + shift[0], region[1] + shift[1], *region[2:]
    request = replace(asked, picture=digest(picture), mask=digest(mask) if masked else None, region=region)
    recipe = recipe_for(request, config.kind)
    sizes = tuple(inputs[reference.picture].size for reference in asked.references)
    selected = mask_box(state)
    if masked and not selected:
        raise RequestError("This layer lies outside the picture; move it back and run it again.")
    extent = (selected.x, selected.y, selected.width, selected.height) if masked and selected else None
    box = _region(state, Measures(request, picture.size, extent, sizes), config).box
    return Snapshot(
        requests=(request,),
        pictures=pictures,
        task=recipe.task,
        model=settings_of(state).model,
        title=asked.instruction.strip() or TASKS[recipe.task].title,
        document=project_of(state) or "",
        below=digest_of(state.layers, Rect(*box), state.profile),
        parents=_parents(state, Rect(*box)),
        box=box,
        place=place_of(state.settings),
    )


def _new_again(
    state: State, config: ModelConfig, asked: EditRequest, pictures: Mapping[str, Picture], shift: tuple[int, int]
) -> Snapshot:
    """Ask again for a new picture, which is made of nothing that lies in the document."""
    task, size = recipe_for(asked, config.kind).task, asked.size or (state.width, state.height)
    return Snapshot(
        requests=(asked,),
        pictures=pictures,
        task=task,
        model=settings_of(state).model,
        title=asked.instruction.strip() or TASKS[task].title,
        document=project_of(state) or "",
        below="",
        box=(*shift, *size),
        place=place_of(state.settings),
    )


def picture_of(state: State) -> Picture:
    """Compose what can be seen of a document in its own colours and at its own depth; slow."""
    return Picture(compose_layers(state.layers, state.frame, depth_of(state.layers)), state.profile)  # pyright: ignore[reportArgumentType] uint8 or uint16


def mask_picture(grey: Grey) -> Picture:
    """Make the picture of a mask (h x w): white where it selects, black elsewhere."""
    pixels = np.full((*grey.shape, 4), 255, np.uint8)
    pixels[..., :3] = np.where(grey > SELECTED, 255, 0)[..., None]
    return Picture(pixels)


def _request_for(
    state: State,
    config: ModelConfig,
    subject: Subject,
    pictures: dict[str, Picture],
    sources: dict[str, Callable[[], Picture]],
) -> EditRequest:
    """Make the request of one of many; what it alone needs goes to the sources."""
    if isinstance(subject, Picture):
        return _request(state, config, pictures, subject)
    if isinstance(subject, Path):
        request = _request(state, config, pictures, read_picture(subject))
        own, source = request.picture, partial(read_picture, subject)
    else:
        for reference in used_references(state):
            state = change_reference(state, reference.id, on=False)
        state = change_reference(state, subject, on=True)
        request = _request(state, config, pictures)
        shown = next(iter(used_references(state)), None)
        if shown is None:  # it is the control picture, the same for all
            return request
        own, source = request.references[0].picture, lambda: _shown(state, shown)[0]
    if own is not None and own not in (request.mask, request.control_picture):
        pictures.pop(own, None)
        sources[own] = source
    return request


def _request(
    state: State, config: ModelConfig, pictures: dict[str, Picture], instead: Picture | None = None
) -> EditRequest:
    """Make the request of a document, and put the pictures that it names among the others."""
    for problem in problems(state, config):
        if problem.blocks:
            raise RequestError(problem.sentence)
    asked = asked_of(state)
    size = (state.width, state.height)

    def put(picture: Picture) -> str:
        name = digest(picture)
        pictures.setdefault(name, picture)
        return name

    mask, region = asked.mask, asked.region
    if instead is not None and instead.size != size:
        mask, region, size = None, None, instead.size
        if asked.task in TASKS and TASKS[asked.task].needs_mask:
            raise RequestError("The mask fits only pictures of the same size; choose such pictures or another task.")
    picture = None
    if asked.picture is not None:
        picture = put(picture_of(state) if instead is None else instead)
    if mask is not None:
        mask = put(mask_picture(grey_of(state.edit_mask, state.frame)))
    references: list[Reference] = []
    for reference in used_references(state):
        shown, cutout = _shown(state, reference)
        references.append(Reference(put(shown), None if cutout is None else put(mask_picture(cutout))))
    control = None
    if asked.control_picture is not None and (held := _control_of(state)) is not None:
        control = put(_fitted(_shown(state, held)[0], size))
    return replace(
        asked, picture=picture, mask=mask, region=region, references=tuple(references), control_picture=control
    )


def measures_of(state: State) -> Measures:
    """Measure what the model gets to see of a document."""
    asked, box = asked_of(state), mask_box(state)
    return Measures(
        asked,
        (state.width, state.height) if asked.picture is not None else None,
        None if asked.mask is None else (box.x, box.y, box.width, box.height),
        tuple(_used_size(reference) for reference in used_references(state)),
    )


def _region(state: State, measures: Measures, config: ModelConfig) -> Region:
    """Plan what the model sees of a document, as the editor does."""
    asked, size, extent, references = measures.asked, measures.picture, measures.extent, measures.references
    region = region_of(asked, config, size, extent, references)
    if extent and region.cut and not selected_box(state.edit_mask, Rect(*region.box) & state.frame):
        # Spots at both ends of a long picture: the middle between them holds none.
        region = region_of(asked, config, size, _largest_spot(state), references)
    return region


def _largest_spot(state: State) -> Box:
    selected = (grey_of(state.edit_mask, state.frame) > SELECTED).astype(np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(selected)
    spot = statistics[1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())]
    x, y, width, height = (int(spot[column]) for column in range(4))
    return x, y, width, height


def _has_adapter(folder: Path, name: str) -> bool:
    """Look for an adapter where the editor does: by its path, in the model's folder, beside all models."""
    if name.endswith(".safetensors"):
        return is_file(Path(name))
    return any(is_file(place / "adapters" / f"{name}.safetensors") for place in (folder, folder.parent))


def _shown(state: State, reference: BoardReference) -> tuple[Picture, Grey | None]:
    try:
        return reference_picture(state, reference.id)
    except ValueError as error:
        raise RequestError(DAMAGED_REFERENCE) from error


def _used_size(reference: BoardReference) -> tuple[int, int]:
    return (reference.width, reference.height) if reference.crop is None else reference.crop[2:]


def _control_of(state: State) -> BoardReference | None:
    wanted = settings_of(state).control_reference
    return next((reference for reference in references_of(state) if reference.id == wanted), None)


def _refused_control(asked: EditRequest) -> str | None:
    """Ask the preprocessing itself, with a picture of one pixel, whether it can do what is asked."""
    if asked.control is None or asked.picture is None:
        return None
    pixel, own = np.zeros((1, 1, 3), np.uint8), asked.control_picture is not None
    try:
        apply_control(asked.control, pixel, np.ones((1, 1), np.bool_), pixel if own else None)
    except RequestError as error:
        refusal = refusal_of(str(error))
        return refusal.sentence if refusal else str(error)
    return None


def _fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """Scale a picture so that it covers a size, and cut off what is over, equally on both sides."""
    if picture.size == size:
        return picture
    scale = max(size[0] / picture.size[0], size[1] / picture.size[1])
    wide, high = (max(side, round(own * scale)) for side, own in zip(size, picture.size, strict=True))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(picture.pixels, (wide, high), interpolation=method), picture.pixels.dtype)
    left, top = (wide - size[0]) // 2, (high - size[1]) // 2
    pixels = np.ascontiguousarray(scaled[top : top + size[1], left : left + size[0]])
    return Picture(pixels, picture.profile)  # pyright: ignore[reportArgumentType] uint8 or uint16


def _parents(state: State, box: Rect) -> tuple[str, ...]:
    """List the results whose layers can be seen in a box, the lowest first."""
    found = [
        str(layer.extra[RESULT])
        for root in state.layers
        if shows(root, box)
        for layer in walk((root,))
        if RESULT in layer.extra and layer.visible
    ]
    return tuple(dict.fromkeys(found))
