"""Progress: stages in order, times that add up, estimates from this run's steps and from earlier runs, cancelling."""

import pytest

from mlx_model.progress import STAGES, Journey, Stage
from mlx_model.request import Cancelled, Progress


class Clock:
    """A clock that is moved by hand."""

    now = 100.0


WORK: dict[Stage, float] = {
    "load": 1,
    "text": 1,
    "encode": 10,
    "modulation": 4,
    "denoise": 40,
    "decode": 10,
    "finish": 5,
}
SECONDS: dict[Stage, float] = {
    "load": 3.0,
    "text": 2.0,
    "encode": 1.0,
    "modulation": 0.25,
    "decode": 4.0,
    "finish": 0.5,
}


def travel(paces: dict[Stage, float], seconds_a_step: float) -> tuple[list[Progress], dict[str, float]]:
    told: list[Progress] = []
    clock = Clock()
    journey = Journey(told.append, None, paces, lambda: clock.now)
    journey.plan(WORK, steps=4)
    for stage in STAGES:
        journey.enter(stage)
        if stage == "denoise":
            for done in range(1, 5):
                clock.now += seconds_a_step
                journey.step(done)
        else:
            clock.now += SECONDS[stage]
    return told, journey.arrive()


def test_stages_are_told_and_timed() -> None:
    told, timings = travel({}, seconds_a_step=1.5)
    assert [p.stage for p in told if p.step in (0, 4)][:6] == [
        "load",
        "text",
        "encode",
        "modulation",
        "denoise",
        "denoise",
    ]
    assert timings == {**SECONDS, "denoise": 6.0}
    assert [(p.step, p.steps) for p in told if p.stage == "denoise"] == [(i, 4) for i in range(5)]


def test_the_first_run_estimates_from_its_own_steps() -> None:
    told, _ = travel({}, seconds_a_step=1.5)
    left = [p.seconds_left for p in told if p.stage in ("load", "denoise")]
    assert left == [None, None, 4.5, 3.0, 1.5, 0.0]


def test_later_runs_know_before_the_first_step() -> None:
    paces: dict[Stage, float] = {}
    travel(paces, seconds_a_step=1.5)
    told, _ = travel(paces, seconds_a_step=1.5)
    assert [p.seconds_left for p in told] == [16.75, 13.75, 11.75, 10.75, 10.5, 9.0, 7.5, 6.0, 4.5, 4.5, 0.5]


def test_this_run_s_steps_count_more_than_earlier_ones() -> None:
    paces: dict[Stage, float] = {}
    travel(paces, seconds_a_step=1.5)
    told, _ = travel(paces, seconds_a_step=3.0)
    first_step = next(p for p in told if p.step == 1)
    assert first_step.seconds_left == 3 * 3.0 + SECONDS["decode"] + SECONDS["finish"]


def test_a_run_that_goes_on_counts_its_own_steps_alone() -> None:
    """In what is told, in the time left and in the pace that is learnt."""
    paces: dict[Stage, float] = {}
    travel(paces, seconds_a_step=1.5)
    clock, told = Clock(), list[Progress]()
    for known in ({}, paces):
        told.clear()
        journey = Journey(told.append, None, known, lambda: clock.now)
        journey.plan(WORK, steps=4, done=3)
        journey.enter("denoise")
        clock.now += 2.5
        journey.step(4)
        assert [(p.step, p.steps) for p in told] == [(3, 4), (4, 4)]
        assert journey.arrive() == {"load": 0.0, "denoise": 2.5}
        assert known["denoise"] == 2.5 / (WORK["denoise"] / 4)
    assert told[0].seconds_left == 1.5 + SECONDS["decode"] + SECONDS["finish"]
    assert told[1].seconds_left == SECONDS["decode"] + SECONDS["finish"]


def test_loading_a_small_part_tells_no_pace() -> None:
    clock = Clock()
    for share, learnt in ((0.1, False), (0.9, True)):
        paces: dict[Stage, float] = {}
        journey = Journey(None, None, paces, lambda: clock.now)
        journey.plan({**WORK, "load": share}, steps=4)
        clock.now += 1.8
        journey.arrive()
        assert paces == (pytest.approx({"load": 1.8 / share}) if learnt else {})


def test_notes_go_with_all_progress_after_them_and_are_told_once() -> None:
    told: list[Progress] = []
    journey = Journey(told.append, None, {})
    journey.enter("load")
    for note in ("first", "second", "first"):
        journey.note(note)
        journey.enter("text")
    assert [p.notes for p in told] == [(), ("first",), ("first", "second"), ("first", "second")]
    assert journey.notes == ("first", "second")


def test_time_of_a_stage_that_is_returned_to_adds_up() -> None:
    clock = Clock()
    journey = Journey(None, None, {}, lambda: clock.now)
    stages: list[tuple[Stage, float]] = [("load", 1.0), ("text", 2.0), ("load", 3.0)]
    for stage, seconds in stages:
        journey.enter(stage)
        clock.now += seconds
    assert journey.arrive() == {"load": 4.0, "text": 2.0}


def test_cancelling_is_answered_at_every_door() -> None:
    cancelled = False
    journey = Journey(None, lambda: cancelled, {})
    journey.enter("text")
    journey.tick()
    cancelled = True
    for act in (journey.tick, lambda: journey.enter("decode"), lambda: journey.step(1)):
        with pytest.raises(Cancelled):
            act()
