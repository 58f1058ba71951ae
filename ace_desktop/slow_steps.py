"""Steps of undo that take long to work out, made in a thread while the person goes on."""

from __future__ import annotations

from collections.abc import Callable

from .background import Background
from .document.state import State
from .session import Session


def do_when_still(
    session: Session,
    background: Background,
    label: str,
    change: Callable[[State], State],
    failed: Callable[[Exception], None],
    done: Callable[[], None] | None = None,
) -> None:
    """Work a state out in a thread and make it a step of undo that takes nothing in of a tool at work.

    Waits for the tool to be done; where the document has changed meanwhile the state is worked out again.
    """
    before = session.history.state

    def again() -> None:
        do_when_still(session, background, label, change, failed, done)

    def answer(after: State) -> None:
        if not session.still:
            _when_still(session, again)
        elif session.state is not before:
            again()
        else:
            session.do(label, after)
            if done is not None:
                done()

    background.run(lambda: change(before), answer, failed, session)


def _when_still(session: Session, do: Callable[[], None]) -> None:
    """Do something as soon as no tool shows a state that is no step yet."""

    def once() -> None:
        if session.still:
            session.history_changed.disconnect(once)
            do()

    session.history_changed.connect(once)
