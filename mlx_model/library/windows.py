"""Work on parts of a file in parallel, taken in file order."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

from mlx_model.library.progress import Control

Span: TypeAlias = tuple[int, int]
"""A part of a file in bytes: from, up to (not including)."""

GRACE_SECONDS: Final = 0.3

T = TypeVar("T")


def spans_of(start: int, stop: int, step: int) -> list[Span]:
    """Cut a span into pieces of at most ``step`` bytes."""
    return [(at, min(at + step, stop)) for at in range(start, stop, step)]


def in_order(
    fetch: Callable[[Span, Control], T],
    spans: Sequence[Span],
    *,
    parallel: int,
    ahead: int,
    control: Control,
    tick: Callable[[], None] = lambda: None,
    tick_seconds: float = 0.2,
) -> Iterator[T]:
    """Yield ``fetch(span, control)`` for each span, in order, with ``parallel`` of them under way.

    At most ``ahead`` results are under way or wait to be taken, which bounds the memory. ``tick`` is called now and
    then in the caller's thread while it waits. The first error of any part ends everything at once, and so does a
    cancelled ``control``; the ``control`` that ``fetch`` is given is cancelled too when the caller goes away.

    The threads get a moment to put down what they have, and are daemons: one that hangs in a dead connection must not
    keep a cancelled program alive.
    """
    inner = Control(control)
    changed = threading.Condition()
    results: dict[int, T] = {}
    failures: list[BaseException] = []
    started = taken = 0

    def may_go() -> bool:
        return inner.cancelled or started >= len(spans) or started < taken + ahead

    def work() -> None:
        nonlocal started
        while True:
            with changed:
                changed.wait_for(may_go)
                if inner.cancelled or started >= len(spans):
                    return
                index = started
                started += 1
            try:
                result = fetch(spans[index], inner)
            except BaseException as error:  # handed to the caller's thread below
                with changed:
                    failures.append(error)
                    changed.notify_all()
                return
            with changed:
                results[index] = result
                changed.notify_all()

    def rest() -> None:
        tick()
        while control.paused and not control.cancelled:
            time.sleep(0.05)
            tick()
        control.checkpoint()

    count = min(parallel, ahead, len(spans))
    threads = [threading.Thread(target=work, daemon=True, name="fetch") for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        for index in range(len(spans)):
            with changed:
                while index not in results:
                    if failures:
                        raise failures[0]
                    if not changed.wait_for(lambda at=index: at in results or failures, tick_seconds):
                        changed.release()
                        try:
                            rest()
                        finally:
                            changed.acquire()
                result = results.pop(index)
                taken = index + 1
                changed.notify_all()
            rest()
            yield result
    finally:
        inner.cancel()
        with changed:
            changed.notify_all()
        until = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
