"""The tasks as people know them, and what each means for the model.

A task is a row of :data:`TASKS`; :func:`recipe_for` turns a request into a :class:`Recipe`, the settings with which
the road of a request is walked. The rows restate the table of the ACE++ report (arXiv 2501.02487) and the
preprocessing of the authors' public code.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from mlx_model.request import Adapter, EditRequest, RequestError

ModelKind: TypeAlias = Literal["fft", "fill"]

MAX_STEPS: Final = 1000
MAX_GUIDANCE: Final = 1000
MAX_STRENGTH: Final = 10
LEAST_TOKENS: Final = 16
MOST_TOKENS: Final = 8192
"""What a request may allow a canvas to have."""

CONTROLS: Final = ("canny", "contour", "depth", "mosaic", "grey", "as-is")


@dataclass(frozen=True)
class Task:
    """One row: what a task needs, and how it is carried out.

    ``adapter`` is the released LoRA that a Fill model wants for it (None: a Fill model cannot do it).
    ``scale_fft`` and ``scale_fill`` are the repainting scales.
    """

    title: str
    summary: str
    example: str
    needs_picture: bool
    needs_mask: bool
    needs_reference: bool
    needs_words: bool
    adapter: str | None
    scale_fft: float = 1.0
    scale_fill: float = 1.0
    default_words: str = ""


TASKS: Final[dict[str, Task]] = {
    "generate": Task(
        "Generate", "a new picture from words alone", "a red star on a pink background",
        False, False, False, True, None,
    ),
    "subject": Task(
        "Subject", "the subject of a reference in a new scene", "the star on a pink background",
        False, False, True, True, "subject",
    ),
    "portrait": Task(
        "Portrait", "the person of a reference, the same face, in a new scene",
        "the same person in a blue shirt on a green background",
        False, False, True, True, "portrait",
    ),
    "instruct": Task(
        "Instruct", "change the whole picture, or a region of it, by instruction", "make the circle cyan",
        True, False, False, True, None, scale_fft=0.0,
    ),
    "repaint": Task(
        "Local edit", "paint the masked part anew", "a red star",
        True, True, False, True, "local",
    ),
    "control": Task(
        "Controlled edit", "paint the masked part (or all) anew, keeping its edges, light or blocks", "a green heart",
        True, False, False, True, "local", scale_fft=0.0, scale_fill=0.5,
    ),
    "remove": Task(
        "Remove", "take away what is under the mask", "remove the star",
        True, True, False, False, "local", default_words="remove it",
    ),
    "reference": Task(
        "Local edit with reference", "put the reference's object or pattern under the mask", "put the heart here",
        True, True, True, True, "subject",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """Everything the stages need to know about how, settled."""

    task: str
    model_kind: ModelKind
    adapters: tuple[Adapter, ...]
    repainting_scale: float
    control: str | None
    whole_image: bool
    instruction: str


def infer_task(request: EditRequest) -> str:
    """Read the task from what is given: picture, mask, references, control and words."""
    if request.task is not None:
        return request.task
    if request.picture is None:
        return "subject" if request.references else "generate"
    if request.mask is None:
        return "control" if request.control and request.control != "as-is" else "instruct"
    if request.references:
        return "reference"
    if request.control or request.control_picture:
        return "control"
    return "repaint" if request.instruction.strip() else "remove"


def recipe_for(request: EditRequest, model_kind: ModelKind) -> Recipe:
    """Settle how a request is carried out by a model of the given kind.

    Raises:
        RequestError: the task is unknown, something it needs is missing, a number is out of its range, or this kind
            of model cannot do it.
    """
    _check_numbers(request)
    name = infer_task(request)
    if name not in TASKS:
        raise RequestError(f'there is no task "{name}"; choose one of: {", ".join(TASKS)}')
    task = TASKS[name]
    _check_needs(name, task, request)
    if request.control is not None and request.control not in CONTROLS:
        raise RequestError(f'there is no control "{request.control}"; choose one of: {", ".join(CONTROLS)}')
    adapters = request.adapters
    if model_kind == "fill":
        if task.adapter is None and not adapters:
            raise RequestError(
                f'the task "{name}" needs an ACE++ FFT model; this model only fills and takes adapters'
            )
        if task.adapter is not None and not adapters:
            adapters = (Adapter(task.adapter),)
    control = request.control or ("as-is" if request.control_picture else "canny" if name == "control" else None)
    # A control shows nothing where the pixels under the mask are cleared: it sets the scale, whatever the task.
    scales = TASKS["control"] if control is not None else task
    default_scale = scales.scale_fft if model_kind == "fft" else scales.scale_fill
    if control is not None and request.strength == 1:
        raise RequestError(
            "at a strength of 1 the model is shown nothing of a control: lower the strength, or leave one of them out"
        )
    return Recipe(
        task=name,
        model_kind=model_kind,
        adapters=adapters,
        repainting_scale=default_scale if request.strength is None else request.strength,
        control=control,
        whole_image=request.mask is None,
        instruction=request.instruction.strip() or task.default_words,
    )


def _check_numbers(request: EditRequest) -> None:
    """Check what holds for every task and model; NaN fails every comparison, so it is caught as well."""
    if request.strength is not None and not 0.0 <= request.strength <= 1.0:
        raise RequestError(f"the strength must lie between 0 and 1, not {request.strength:g}")
    if not 0 <= request.seed < 2**64:
        raise RequestError(f"the seed must be a whole number from 0 to {2**64 - 1}, not {request.seed}")
    if request.steps is not None and not 1 <= request.steps <= MAX_STEPS:
        raise RequestError(f"the number of steps must lie between 1 and {MAX_STEPS}, not {request.steps}")
    if request.guidance is not None and not 0.0 <= request.guidance <= MAX_GUIDANCE:
        raise RequestError(f"the guidance must lie between 0 and {MAX_GUIDANCE}, not {request.guidance:g}")
    if request.max_tokens is not None and not LEAST_TOKENS <= request.max_tokens <= MOST_TOKENS:
        raise RequestError(
            f"a canvas has at most {LEAST_TOKENS} to {MOST_TOKENS} tokens of 16 x 16 pixels, not {request.max_tokens}"
        )
    if min(request.grow, request.fade) < 0:
        raise RequestError("the mask is grown and faded by 0 pixels or more, not by fewer")
    for adapter in request.adapters:
        if not abs(adapter.strength) <= MAX_STRENGTH:
            raise RequestError(
                f"the adapter {adapter.name} acts from {-MAX_STRENGTH} to {MAX_STRENGTH}, not {adapter.strength:g}"
            )


def _check_needs(name: str, task: Task, request: EditRequest) -> None:
    if task.needs_picture and request.picture is None:
        raise RequestError(f'the task "{name}" needs a picture to edit')
    if request.mask is not None and request.picture is None:
        raise RequestError("a mask says which part of a picture may change: give the picture as well")
    if (request.control or request.control_picture) and request.picture is None:
        raise RequestError("a control shows the model what stands in a picture: give the picture to edit")
    if not task.needs_picture and request.picture is not None:
        raise RequestError(f'the task "{name}" makes a new picture: give no picture to edit, only references')
    if task.needs_mask and request.mask is None:
        raise RequestError(f'the task "{name}" needs a mask that says what may change')
    if name == "remove" and (request.control or request.control_picture):
        raise RequestError(
            f'the task "{name}" keeps nothing that a control could show: leave it out, or choose another task'
        )
    if task.needs_reference and not request.references:
        raise RequestError(f'the task "{name}" needs at least one reference picture')
    if task.needs_words and not request.instruction.strip():
        raise RequestError(f'the task "{name}" needs an instruction: say what you want to see')


def settled(request: EditRequest, recipe: Recipe, steps: int, guidance: float, max_tokens: int) -> EditRequest:
    """Return the request with what the recipe and the model's defaults decided written out."""
    return replace(
        request,
        task=recipe.task,
        instruction=recipe.instruction,
        adapters=recipe.adapters,
        control=recipe.control,
        strength=recipe.repainting_scale,
        steps=steps,
        guidance=guidance,
        max_tokens=max_tokens,
    )
