"""The queue: whatever is done to it, at most one job runs, none is lost, and phases follow each other as they may."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ace_desktop.engine import queue
from ace_desktop.engine.jobs import Job, JobStatus, Phase
from mlx_model.request import EditRequest


def new() -> Job:
    return Job((EditRequest("a star"),), {}, Path("model"))


def waiting(count: int) -> queue.Queue:
    return tuple(JobStatus(new()) for _ in range(count))


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "begin", "again", "move", *Phase]), st.integers(0, 7)), max_size=40
)


@given(STEPS)
def test_whatever_happens_one_job_runs_at_most_and_none_is_lost(steps: list[tuple[str, int]]) -> None:
    now: queue.Queue = ()
    added = 0
    for step, number in steps:
        before = now
        chosen = now[number % len(now)].id if now else "none"
        match step:
            case "add":
                now, added = queue.added(now, new()), added + 1
            case "begin":
                turn = queue.next_waiting(now)
                now = queue.moved_on(now, turn.id, Phase.running) if turn is not None else now
            case "again":
                now = queue.waits_again(now, chosen)
            case "move":
                now = queue.moved(now, chosen, number)
                assert now == before or now[min(number, len(now) - 1)].id == chosen
            case _ if step != Phase.running:
                now = queue.moved_on(now, chosen, Phase(step))
            case _:
                pass
        assert len({status.id for status in now}) == len(now) == added
        assert sum(status.phase is Phase.running for status in now) <= 1
        for status in now:
            then = queue.find(before, status.id)
            assert then is None or then.phase is status.phase or status.phase in queue.FOLLOWS[then.phase]


def test_the_first_that_waits_is_next_and_only_when_none_runs() -> None:
    first, second = now = waiting(2)
    assert queue.next_waiting(now) is first
    now = queue.moved_on(now, first.id, Phase.running)
    assert queue.next_waiting(now) is None
    now = queue.moved_on(now, first.id, Phase.failed)
    assert queue.next_waiting(now) is second


def test_a_job_that_is_run_again_waits_behind_the_others_without_its_old_error() -> None:
    now = waiting(2)
    name = now[0].id
    now = queue.moved_on(now, name, Phase.running, progress=None)
    now = queue.moved_on(now, name, Phase.failed, sentence="No.", details="why", made=frozenset({0}))
    now = queue.waits_again(now, name)
    assert now[-1].id == name
    assert (now[-1].phase, now[-1].sentence, now[-1].details) == (Phase.waiting, "", "")
    assert now[-1].made == {0}  # what is there is not made again


def test_only_old_ends_are_forgotten() -> None:
    now = waiting(30)
    for status in now[:25]:
        now = queue.moved_on(queue.moved_on(now, status.id, Phase.running), status.id, Phase.done)
    failed = now[25].id
    now = queue.moved_on(queue.moved_on(now, failed, Phase.running), failed, Phase.failed)
    kept, gone = queue.trimmed(now)
    assert set(gone) == {status.id for status in now[:5]}
    assert [status.id for status in kept] == [status.id for status in now[5:]]
