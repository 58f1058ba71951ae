"""Requests asked again: more of the same, exactly the same, the same on what lies there now, or set to be changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlx_model.request import EditRequest, RequestError, digest
from mlx_model.weights.config import ModelConfig

from .document.edit import EditSettings, inferred_task, settings_of, with_settings
from .document.plane import Plane
from .document.references import change_reference, reference_picture, references_of
from .document.refusals import DAMAGED_REFERENCE, refusal_of
from .document.resample import warped, whole_shift
from .document.result_layers import mask_of_layer, rerun, shift_of, since
from .document.results import Result, ResultStore
from .document.snapshot import Snapshot, snapshot_again
from .document.state import State
from .document.tree import editable, with_properties


def more(store: ResultStore, result: Result, seeds: Sequence[int]) -> Snapshot:
    """Ask for more like a result: the same of the same pictures, with these seeds; slow.

    Raises:
        DocumentError: the pictures are no longer there.
    """
    return _of_store(store, result, [replace(result.asked, seed=seed) for seed in seeds])


def exactly(store: ResultStore, result: Result) -> Snapshot:
    """Ask for the very same pixels once more; slow. Raises as `more`."""
    return _of_store(store, result, [result.request])


def rerun_snapshot(state: State, layer_id: str, store: ResultStore, result: Result, config: ModelConfig) -> Snapshot:
    """Ask for a layer anew, on what lies below it now; slow.

    Raises:
        DocumentError: the pictures that went into it are no longer there.
        RequestError: it cannot run any more.
    """
    mask = _mask(store, result)
    under, asked = rerun(state, layer_id, mask), result.asked
    if not mask_of_layer(state, layer_id, mask)[1]:
        asked = replace(asked, region=None)  # where it would have to be, nobody knows
    try:
        made = snapshot_again(under, config, asked, store.inputs(result.id), shift_of(state, layer_id))
    except RequestError as error:
        refusal = refusal_of(str(error))
        raise RequestError(refusal.sentence if refusal else str(error)) from error
    return replace(made, model=result.model, replaces=layer_id)


def again_in(
    state: State, store: ResultStore, result: Result, *, locked: bool = False, layer_id: str | None = None
) -> State:
    """Give the document set as it was for a result; slow.

    Its mask, which has moved with the picture, and its references, as far as they are on the board, are as they were.
    `locked` keeps the seed. A layer that is named is hidden, and the mask has moved with it.

    Raises:
        DocumentError: the mask is no longer there.
        RequestError: a reference on the board is damaged.
    """
    mask, matrix = _mask(store, result), since(state, result)
    shift = whole_shift(matrix)
    if layer_id is not None:
        mask, moved = mask_of_layer(state, layer_id, mask)
        shift = shift_of(state, layer_id) if moved else None
    elif mask is not None:
        mask = warped(mask, matrix)
    if result.request.picture is not None:
        state = replace(state, edit_mask=Plane(1) if mask is None else mask.cut(state.frame))
    asked, control = result.asked, None
    wanted = {reference.picture for reference in asked.references}
    for reference in references_of(state):
        try:
            name = digest(reference_picture(state, reference.id)[0])
        except ValueError as error:
            raise RequestError(DAMAGED_REFERENCE) from error
        control = reference.id if name == asked.control_picture else control
        state = change_reference(state, reference.id, on=name in wanted)
    state = with_settings(state, _settings(asked, result, settings_of(state), control, shift, locked))
    automatic = with_settings(state, replace(settings_of(state), task=None))
    if inferred_task(automatic) == asked.task:
        state = automatic
    if layer_id is not None and editable(state, layer_id):
        state = replace(with_properties(state, layer_id, visible=False), active=layer_id)
    return state


def _settings(
    asked: EditRequest,
    result: Result,
    now: EditSettings,
    control: str | None,
    shift: tuple[int, int] | None,
    locked: bool,
) -> EditSettings:
    region = asked.region
    if region is not None:
        region = None if shift is None else (region[0] + shift[0], region[1] + shift[1], *region[2:])
    return EditSettings(
        instruction=asked.instruction,
        task=asked.task,
        control=asked.control,
        control_reference=control,
        strength=asked.strength,
        steps=asked.steps,
        guidance=asked.guidance,
        seed=asked.seed,
        seed_locked=locked or now.seed_locked,
        variations=1 if locked else now.variations,
        model=result.model,
        adapters=tuple((adapter.name, adapter.strength) for adapter in asked.adapters),
        region=region,
        grow=asked.grow,
        fade=asked.fade,
        colour_match=asked.colour_match,
    )


def _of_store(store: ResultStore, result: Result, requests: Sequence[EditRequest]) -> Snapshot:
    """Ask for requests on what was kept of a result's pictures, under the names that these now have."""
    pictures = store.inputs(result.id)
    before = result.request.picture
    if before is not None:  # outside of what the model saw it is another picture
        kept = pictures.pop(before)
        name = digest(kept)
        pictures[name] = kept
        requests = [replace(request, picture=name) for request in requests]
    return Snapshot(
        requests=tuple(requests),
        pictures=pictures,
        task=result.task,
        model=result.model,
        title=result.words.strip() or result.task,
        document="",
        below=result.below,
        parents=(result.id,),
        box=None if result.foreign else result.box,
        place=result.place,
    )


def _mask(store: ResultStore, result: Result) -> Plane | None:
    """Read the mask that a result was made with, as it lay in the picture then."""
    mask = store.mask(result.id)
    return None if mask is None else Plane.of(np.ascontiguousarray(mask.pixels[..., :1], np.uint8))
