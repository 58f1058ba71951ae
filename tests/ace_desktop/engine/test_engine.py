"""Jobs of the built-in model through the whole engine: results, progress, order, cancelling, restarts."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from ace_desktop.engine.child import computed_in
from ace_desktop.engine.engine import Engine
from ace_desktop.engine.jobs import Job, Phase
from mlx_model.progress import STAGES
from mlx_model.request import EditRequest, EditResult, Progress
from mlx_model.weights.config import ModelConfig
from tests.ace_desktop.engine.conftest import PATIENCE_MS, NewEngine, Run
from tests.ace_desktop.engine.faulty_child import counts, faulty, stops
from tests.ace_desktop.engine.sample_jobs import POCKET, SIDE, job, mask, picture

LIGHT = """
import sys
import ace_desktop.engine.engine
print(sorted({"mlx", "cv2", "PIL", "tokenizers", "mlx_model.editor", "mlx_model.runtime"} & set(sys.modules)))
"""


class Heard:
    """Listens to an engine."""

    def __init__(self, engine: Engine) -> None:
        self.progress: list[Progress] = []
        self.made: list[tuple[str, int]] = []
        self.results: list[EditResult] = []
        self.finished: list[str] = []
        engine.progressed.connect(self._progressed)
        engine.made.connect(self._made)
        engine.finished.connect(self.finished.append)

    def _progressed(self, _job: str, progress: Progress) -> None:
        self.progress.append(progress)

    def _made(self, job: str, index: int, result: EditResult) -> None:
        self.made.append((job, index))
        self.results.append(result)


def test_the_windows_process_loads_neither_mlx_nor_opencv_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr[-2000:]


def test_a_job_gives_each_variation_with_stages_steps_and_previews(engine: Engine, until: Run) -> None:
    heard = Heard(engine)
    asked = job("a yellow house", variations=2, steps=3)  # words that no other test has encoded
    name = engine.submit(asked)
    assert engine.busy
    until(engine, name, Phase.done)
    assert heard.finished == [name]
    assert not engine.busy
    first, second = heard.results
    outside = mask().pixels[..., 0] == 0
    outside[SIDE // 4 - 4 : 3 * SIDE // 4 + 4, SIDE // 4 - 4 : 3 * SIDE // 4 + 4] = False  # the mask is grown by 4
    for result in (first, second):
        assert np.array_equal(result.picture.pixels[outside], picture().pixels[outside])
        assert (result.patch.pixels[..., 3] > 0).any()
        assert result.request.steps == 3
    assert not np.array_equal(first.picture.pixels, second.picture.pixels)
    assert {progress.stage for progress in heard.progress} == set(STAGES)
    steps = [(progress.step, progress.preview) for progress in heard.progress if progress.preview is not None]
    assert [step for step, _ in steps] == [1, 2, 3, 1, 2, 3]
    assert all(preview.shape == (SIDE // 8, SIDE // 8, 3) for _, preview in steps if preview is not None)
    status = engine.status(name)
    assert status is not None
    assert (status.done, status.total, len(status.job.pictures)) == (2, 2, 0)


def test_the_same_request_gives_the_same_pixels_again(engine: Engine, until: Run) -> None:
    heard = Heard(engine)
    for _ in range(2):
        until(engine, engine.submit(job(seed=5)), Phase.done)
    first, second = heard.results
    assert np.array_equal(first.picture.pixels, second.picture.pixels)


def test_half_precision_is_for_a_graphics_processor_and_changes_nothing_without_one(
    engine: Engine, until: Run
) -> None:
    heard = Heard(engine)
    until(engine, engine.submit(job(seed=6)), Phase.done)
    engine.change(memory_limit=None, idle_minutes=10, precision="bfloat16")
    until(engine, engine.submit(job(seed=6)), Phase.done)
    engine.change(memory_limit=None, idle_minutes=10)
    first, second = heard.results
    assert np.array_equal(first.picture.pixels, second.picture.pixels)
    assert computed_in("bfloat16", on_gpu=True) == "bfloat16"
    assert computed_in("float32", on_gpu=True) == "float32"


def test_jobs_run_in_the_order_of_the_list_which_can_be_changed(
    engine: Engine, orders: Path, until: Run, qtbot: QtBot
) -> None:
    heard = Heard(engine)
    orders.write_text("load linger")
    held = engine.submit(job("a"))
    qtbot.waitUntil(lambda: not orders.exists(), timeout=PATIENCE_MS)
    first, second, third = (engine.submit(job(words)) for words in ("a star", "a heart", "a moon"))
    engine.move(third, 1)
    engine.cancel(held)
    engine.remove(second)
    until(engine, first, Phase.done)
    assert heard.made == [(third, 0), (first, 0)]
    assert [status.id for status in engine.jobs] == [held, third, first]


@pytest.mark.parametrize("stage", STAGES)
def test_a_cancel_is_answered_at_once_in_every_stage_and_the_process_goes_on(
    engine: Engine, orders: Path, stage: str, until: Run, qtbot: QtBot
) -> None:
    heard = Heard(engine)
    orders.write_text(f"{stage} linger")
    number = STAGES.index(stage)  # other words and another picture, so that there is something to encode
    name = engine.submit(job(f"{number} red stars", ground=number))
    qtbot.waitUntil(lambda: (status := engine.status(name)) is not None and _stage(status.progress) == stage,
                    timeout=PATIENCE_MS)  # fmt: skip
    process, began = engine.process_id, time.monotonic()
    engine.cancel(name)
    status = engine.status(name)
    assert status is not None
    assert status.phase is Phase.cancelled
    assert time.monotonic() - began < 0.25
    qtbot.waitUntil(lambda: not engine.working, timeout=PATIENCE_MS)
    stopped = time.monotonic() - began
    assert engine.process_id == process  # it stopped of itself
    assert stopped < 2.5  # the aim is one second on a machine that does nothing else
    assert heard.made == []
    engine.run_again(name)
    until(engine, name, Phase.done)
    assert heard.made == [(name, 0)]


def _stage(progress: Progress | None) -> str:
    return "" if progress is None else progress.stage


def test_all_are_cancelled_and_the_list_keeps_them(engine: Engine, qtbot: QtBot) -> None:
    names = [engine.submit(job(words)) for words in ("a", "b", "c")]
    engine.cancel_all()
    assert [status.phase for status in engine.jobs] == [Phase.cancelled] * 3
    assert [status.id for status in engine.jobs] == names
    qtbot.waitUntil(lambda: not engine.working, timeout=PATIENCE_MS)


def test_the_expected_time_is_learnt_and_kept_for_the_next_start(
    new_engine: NewEngine, until: Run, qtbot: QtBot
) -> None:
    asked, config = job(), ModelConfig.load(POCKET)
    first = new_engine()
    assert first.expected_seconds(asked.requests[0], (SIDE, SIDE), config) is None
    heard = Heard(first)
    until(first, first.submit(asked), Phase.done)
    known = first.expected_seconds(asked.requests[0], (SIDE, SIDE), config)
    assert known is not None
    assert 0 < known < 2 * sum(heard.results[0].timings.values())
    first.close()
    again = new_engine()
    qtbot.waitUntil(lambda: again.expected_seconds(asked.requests[0], (SIDE, SIDE), config) is not None)
    cold = again.expected_seconds(asked.requests[0], (SIDE, SIDE), config)
    assert cold is not None
    assert cold > known  # nothing is loaded yet


def test_of_many_pictures_those_of_one_request_are_handed_over_at_a_time(
    new_engine: NewEngine, tmp_path: Path, until: Run
) -> None:
    """Variations of one picture are one piece of work; a job without pictures is one as well."""
    many = [job(ground=number) for number in range(4)]
    pictures = {name: picture for one in many for name, picture in one.pictures.items()}
    engine = new_engine(entry=partial(counts, tmp_path / "counted"))
    for asked in (
        Job(tuple(one.requests[0] for one in many), pictures, POCKET),
        job(variations=3),
        Job((EditRequest("a star", size=(64, 64)),) * 2, {}, POCKET),
    ):
        until(engine, engine.submit(asked), Phase.failed)  # nothing was made
    assert (tmp_path / "counted").read_text().splitlines() == ["1 2"] * 4 + ["3 2", "2 0"]


def test_one_edit_of_many_pictures_gives_each_its_own_result(engine: Engine, orders: Path, until: Run) -> None:
    """Also where the process dies in the middle and the rest is run again."""
    heard = Heard(engine)
    many = [job(ground=number) for number in range(3)]
    pictures = {name: picture for one in many for name, picture in one.pictures.items()}

    def kill_the_next(_job: str, index: int, _result: object) -> None:
        if index == 0:
            orders.write_text("denoise kill")

    engine.made.connect(kill_the_next)
    name = engine.submit(Job(tuple(one.requests[0] for one in many), pictures, POCKET))
    until(engine, name, Phase.failed)
    engine.made.disconnect(kill_the_next)  # the engine is the next test's too
    orders.unlink(missing_ok=True)
    assert heard.made == [(name, 0)]
    engine.run_again(name)
    until(engine, name, Phase.done)
    assert heard.made == [(name, 0), (name, 1), (name, 2)]
    corners = [tuple(result.picture.pixels[0, 0]) for result in heard.results]
    assert corners == [tuple(picture(number).pixels[0, 0]) for number in range(3)]


def test_an_idle_process_ends_and_comes_back_for_the_next_job(
    new_engine: NewEngine, until: Run, qtbot: QtBot
) -> None:
    engine = new_engine(idle_minutes=0.2 / 60)
    until(engine, engine.submit(job()), Phase.done)
    qtbot.waitUntil(lambda: engine.process_id is None, timeout=PATIENCE_MS)
    until(engine, engine.submit(job()), Phase.done)


def test_a_process_that_is_to_stay_stays_until_that_changes(new_engine: NewEngine, until: Run, qtbot: QtBot) -> None:
    engine = new_engine(idle_minutes=0, entry=stops)
    until(engine, engine.submit(job()), Phase.cancelled)
    process = engine.process_id
    qtbot.wait(700)  # longer than the thread takes to look again
    assert engine.process_id == process is not None
    engine.change(memory_limit=None, idle_minutes=0.01 / 60)
    qtbot.waitUntil(lambda: engine.process_id is None, timeout=PATIENCE_MS)


def test_what_was_undone_is_back_after_a_restart_and_goes_on_from_the_saved_step(
    new_engine: NewEngine, until: Run, tmp_path: Path, qtbot: QtBot
) -> None:
    """The steps before the saved one are not done again, and the pixels are those of a run without interruption."""
    orders = tmp_path / "fault"
    whole = new_engine()
    unbroken = Heard(whole)
    until(whole, whole.submit(job(steps=6, variations=2)), Phase.done)
    whole.close()
    orders.write_text("decode linger")
    first = new_engine(entry=partial(faulty, orders), save_after=0.0)
    name = first.submit(job(steps=6, variations=2, title="half done"))
    waiting = first.submit(job("another"))
    qtbot.waitUntil(lambda: (status := first.status(name)) is not None and status.resume_step > 0,
                    timeout=PATIENCE_MS)  # fmt: skip
    first.close()
    second = new_engine(entry=partial(faulty, orders))
    qtbot.waitUntil(lambda: len(second.jobs) == 2, timeout=PATIENCE_MS)
    status, other = second.jobs
    assert (status.id, status.phase, status.job.title) == (name, Phase.interrupted, "half done")
    assert (other.id, other.phase) == (waiting, Phase.interrupted)
    assert status.resume_step >= 4
    assert status.sentence
    heard = Heard(second)
    orders.unlink(missing_ok=True)
    second.run_again(name)
    until(second, name, Phase.done)
    steps = [progress.step for progress in heard.progress]
    assert set(steps[: steps.index(6)]) <= {0, 4, 5}
    for before, after in zip(unbroken.results, heard.results, strict=True):
        assert np.array_equal(before.picture.pixels, after.picture.pixels)


def test_the_order_that_a_person_gave_the_jobs_is_back_after_a_restart(new_engine: NewEngine, qtbot: QtBot) -> None:
    first = new_engine()
    ids = [first.submit(job(words, steps=500)) for words in ("one", "two", "three")]
    first.move(ids[2], 1)
    order = [status.id for status in first.jobs]
    first.close()
    second = new_engine()
    qtbot.waitUntil(lambda: len(second.jobs) == 3, timeout=PATIENCE_MS)
    assert [status.id for status in second.jobs] == order == [ids[0], ids[2], ids[1]]
