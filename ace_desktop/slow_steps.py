"""Steps of undo that take long to work out, made in a thread while the person goes on."""

from __future__ import annotations

from collections.abc import Callable

from .background import Background
from .document.state import State
from .session import Session


def do_slowly(
    session: Session,
    background: Background,
    label: str,
    change: Callable[[State], State],
    failed: Callable[[Exception], None],
    done: Callable[[], None] | None = None,
) -> None:
    """Work a state out in a thread and make it a step of undo.

    Where the document has changed meanwhile it is worked out again, so that nothing the person did is lost.
    """
    before = session.state

    def answer(after: State) -> None:
        if session.state is not before:
            do_slowly(session, background, label, change, failed, done)
            return
        session.do(label, after)
        if done is not None:
            done()

    background.run(lambda: change(before), answer, failed, session)
