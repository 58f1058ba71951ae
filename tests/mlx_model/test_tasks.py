"""Tasks: read from what is given, settled as the report's table says, refused with a reason."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_model.request import Adapter, EditRequest, Reference, RequestError
from mlx_model.tasks import CONTROLS, TASKS, Recipe, infer_task, recipe_for, settled

PICTURE = EditRequest(picture="p")
MASKED = EditRequest(picture="p", mask="m")
REFERENCE = (Reference("r"),)


@pytest.mark.parametrize(
    ("request_", "task"),
    [
        (EditRequest("a star"), "generate"),
        (EditRequest("the star by the sea", references=REFERENCE), "subject"),
        (replace(PICTURE, instruction="make it blue"), "instruct"),
        (replace(PICTURE, instruction="sharper", control="as-is"), "instruct"),
        (replace(PICTURE, instruction="a heart", control="grey"), "control"),
        (replace(PICTURE, instruction="sharper", control_picture="c"), "instruct"),
        (replace(MASKED, instruction="a heart", control_picture="c"), "control"),
        (replace(MASKED, instruction="a star"), "repaint"),
        (MASKED, "remove"),
        (replace(MASKED, instruction="a star", control="canny"), "control"),
        (replace(MASKED, instruction="put it here", references=REFERENCE), "reference"),
        (EditRequest("the same person", references=REFERENCE, task="portrait"), "portrait"),
    ],
)
def test_the_task_is_read_from_what_is_given(request_: EditRequest, task: str) -> None:
    assert infer_task(request_) == task
    assert recipe_for(request_, "fft").task == task


EXAMPLES = {
    "generate": EditRequest("a star", task="generate"),
    "subject": EditRequest("a star", references=REFERENCE, task="subject"),
    "portrait": EditRequest("her", references=REFERENCE, task="portrait"),
    "instruct": replace(PICTURE, instruction="bluer", task="instruct"),
    "repaint": replace(MASKED, instruction="a star", task="repaint"),
    "control": replace(MASKED, instruction="a star", task="control"),
    "remove": replace(MASKED, task="remove"),
    "reference": replace(MASKED, instruction="put it here", references=REFERENCE, task="reference"),
}

REPORTED = {  # scale of FFT, scale and adapter of Fill
    "generate": (1.0, None, None),
    "subject": (1.0, 1.0, "subject"),
    "portrait": (1.0, 1.0, "portrait"),
    "instruct": (0.0, None, None),
    "repaint": (1.0, 1.0, "local"),
    "control": (0.0, 0.5, "local"),
    "remove": (1.0, 1.0, "local"),
    "reference": (1.0, 1.0, "subject"),
}


def test_every_task_has_an_example_here() -> None:
    assert set(EXAMPLES) == set(REPORTED) == set(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_scales_and_adapters_are_the_report_s(task: str) -> None:
    fft, fill, adapter = REPORTED[task]
    recipe = recipe_for(EXAMPLES[task], "fft")
    assert (recipe.repainting_scale, recipe.adapters) == (fft, ())
    if adapter is None:
        with pytest.raises(RequestError, match="FFT"):
            recipe_for(EXAMPLES[task], "fill")
        return
    recipe = recipe_for(EXAMPLES[task], "fill")
    assert (recipe.repainting_scale, recipe.adapters) == (fill, (Adapter(adapter),))


def test_own_adapters_and_strength_come_first() -> None:
    own = (Adapter("mine", 0.5), Adapter("more"))
    recipe = recipe_for(replace(EXAMPLES["generate"], adapters=own, strength=0.25), "fill")
    assert (recipe.adapters, recipe.repainting_scale) == (own, 0.25)


@pytest.mark.parametrize("task", TASKS)
def test_a_settled_request_settles_to_itself(task: str) -> None:
    """So a result's recipe can be repeated from what was settled."""
    for kind in ("fft", "fill"):
        if kind == "fill" and REPORTED[task][1] is None:
            continue
        recipe = recipe_for(EXAMPLES[task], kind)
        request = settled(EXAMPLES[task], recipe, steps=8, guidance=3.0, max_tokens=4096)
        assert recipe_for(request, kind) == recipe
        assert settled(request, recipe, steps=8, guidance=3.0, max_tokens=4096) == request


def test_an_own_control_picture_is_shown_as_it_is_unless_something_else_is_asked() -> None:
    own = replace(EXAMPLES["control"], control_picture="c")
    assert recipe_for(EXAMPLES["control"], "fft").control == "canny"
    assert recipe_for(own, "fft").control == "as-is"
    assert recipe_for(replace(own, control="grey"), "fft").control == "grey"
    assert recipe_for(EXAMPLES["repaint"], "fft").control is None


@pytest.mark.parametrize("task", ["repaint", "reference", "control", "instruct"])
@pytest.mark.parametrize("given", [{"control": "grey"}, {"control_picture": "c"}], ids=["control", "own picture"])
def test_a_control_is_shown_to_the_model_whatever_the_task(task: str, given: dict[str, str]) -> None:
    """At the scales of the other tasks it would be cleared with the pixels that it stands for."""
    request = replace(EXAMPLES[task], adapters=(Adapter("mine"),), control=None, control_picture=None)
    request = replace(request, **given)  # pyright: ignore[reportArgumentType]
    assert recipe_for(request, "fft").repainting_scale == 0.0
    assert recipe_for(request, "fill").repainting_scale == 0.5
    assert recipe_for(replace(request, strength=0.75), "fft").repainting_scale == 0.75


def without(task: str, /, **nothing: object) -> EditRequest:
    return replace(EXAMPLES[task], **nothing)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (without("repaint", picture=None, mask=None), "needs a picture"),
        (without("repaint", mask=None), "needs a mask"),
        (without("reference", references=()), "needs at least one reference"),
        (without("instruct", instruction="  "), "needs an instruction"),
        (without("generate", picture="p"), "makes a new picture"),
        (without("generate", mask="m"), "give the picture as well"),
        (without("generate", control="grey"), "give the picture to edit"),
        (without("repaint", control="grey", strength=1.0), "shown nothing of a control"),
        (without("control", strength=1.0), "shown nothing of a control"),
        (without("reference", control_picture="c", strength=1.0), "shown nothing of a control"),
        (without("remove", control="grey"), "keeps nothing that a control could show"),
        (without("remove", control_picture="c"), "keeps nothing that a control could show"),
        (without("instruct", max_tokens=15), "at most 16 to 8192 tokens of 16 x 16 pixels, not 15"),
        (without("instruct", max_tokens=8193), "not 8193"),
        (without("instruct", task="paint"), "generate, subject, portrait"),
        (without("control", control="sobel"), "canny, contour"),
        (without("instruct", strength=1.5), "between 0 and 1, not 1.5"),
        (without("instruct", strength=float("nan")), "between 0 and 1"),
        (without("instruct", seed=-1), "seed"),
        (without("instruct", seed=2**64), "seed"),
        (without("instruct", steps=0), "steps"),
        (without("instruct", steps=10**9), "steps"),
        (without("instruct", guidance=float("nan")), "guidance"),
        (without("instruct", guidance=-1.0), "guidance"),
        (without("repaint", grow=-1), "0 pixels or more"),
        (without("repaint", adapters=(Adapter("x", float("inf")),)), "adapter x"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(request_: EditRequest, says: str) -> None:
    with pytest.raises(RequestError) as caught:
        recipe_for(request_, "fft")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(
    st.builds(
        EditRequest,
        instruction=st.sampled_from(["", "a star"]),
        picture=st.sampled_from([None, "p"]),
        mask=st.sampled_from([None, "m"]),
        references=st.sampled_from([(), REFERENCE]),
        task=st.sampled_from([None, *TASKS]),
        control=st.sampled_from([None, *CONTROLS]),
    ),
    st.sampled_from(["fft", "fill"]),
)
def test_any_combination_is_settled_or_refused(request_: EditRequest, kind: str) -> None:
    try:
        recipe = recipe_for(request_, "fft" if kind == "fft" else "fill")
    except RequestError:
        return
    task = TASKS[recipe.task]
    assert isinstance(recipe, Recipe)
    assert recipe.instruction or not task.needs_words
    assert (request_.picture is not None) == task.needs_picture
    assert recipe.control in (None, *CONTROLS)
